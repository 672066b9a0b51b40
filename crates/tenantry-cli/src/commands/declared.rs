//! What became of a declaration, for people and programs.

use serde::Serialize;
use tenantry::fleet::Declarations;
use tenantry::mark::{Decision, Mark, WasHalfWay};
use tenantry::run::{Declaration, Declared, Outcome, Says, TargetReport, Unrecorded};
use tenantry::{Direction, Target};

use super::mark::failures;
use super::{Context, plans};
use crate::exit::Exit;
use crate::failure::{CommandError, Message};
use crate::render::failure::{groups_of, short};
use crate::render::{self, out, text};

/// What is told beside the targets.
pub(super) struct Told<'a> {
    pub(super) declaration: &'a Declaration,
    pub(super) reason: &'a str,
    /// Targets that were not reached.
    pub(super) left_out: &'a [TargetReport],
    /// The command as it can be typed again.
    pub(super) again: String,
    /// The exit code of the signal that stopped it; `None` if none came.
    pub(super) asked: Option<Exit>,
}

/// What became of a declaration, before it is printed.
pub(super) struct Account<'a> {
    /// How the process ends.
    pub(super) exit: Exit,
    /// For people.
    pub(super) lines: Vec<String>,
    /// For programs.
    pub(super) shown: Shown<'a>,
}

/// What became of a declaration, as JSON has it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    mark: String,
    says: &'static str,
    version: String,
    reason: &'a str,
    changed: Vec<Changed>,
    unchanged: Vec<String>,
    not_begun: Vec<String>,
    failed: Vec<render::Target>,
}

#[derive(Serialize)]
struct Changed {
    target: String,
    track: String,
    migrations: Vec<String>,
    was_half_way: Vec<ShownHalfWay>,
    at: Option<String>,
    half_way: bool,
    outcome: &'static str,
}

/// What was half-way until it was marked; what it left in the database is still there.
#[derive(Serialize)]
struct ShownHalfWay {
    migration: String,
    direction: String,
    statement: usize,
    statements: usize,
}

impl ShownHalfWay {
    fn of(was: &WasHalfWay) -> Self {
        Self {
            migration: was.migration.clone(),
            direction: was.direction.to_string(),
            statement: was.statement,
            statements: was.statements,
        }
    }
}

/// Tells it, and returns how the process ends.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn tell(context: &Context, done: &Declarations, told: &Told<'_>) -> Result<Exit, CommandError> {
    let account = account(context, done, told);
    context.answer(&text::printable(&account.lines.join("\n")), &account.shown)?;
    Ok(account.exit)
}

/// Tells what went wrong, and returns the rest of what there is to tell.
pub(super) fn account<'a>(context: &Context, done: &Declarations, told: &Told<'a>) -> Account<'a> {
    let failed = failures(&done.targets, told.left_out);
    let mut exit = plans::tell_failed(context, &failed, &told.again);
    let changed: Vec<Changed> = done.targets.iter().filter_map(changed).collect();
    let unchanged: Vec<String> = done
        .targets
        .iter()
        .filter(|d| is_unchanged(d))
        .map(label)
        .collect();
    let mut lines = lines(told, &changed, &unchanged);
    lines.extend(stays(&done.targets, told.declaration));
    lines.extend(next(&done.targets));
    if let Some((ended, left)) = cut_short(done, told.asked, &told.again) {
        exit = ended;
        lines.push(left);
    }
    if let Some(unrecorded) = &done.unrecorded {
        let message = not_recorded(unrecorded, told);
        exit = if exit == Exit::Done {
            Exit::RegistryDown
        } else {
            exit
        };
        out::say(&render::ending(&message, exit, &context.canvas));
    } else if exit != Exit::Done {
        lines.push(format!("exit {} ({})", exit.code(), exit.name()));
    }
    let shown = Shown {
        mark: told.declaration.id.clone(),
        says: word(told.declaration),
        version: told.declaration.version.to_string(),
        reason: told.reason,
        changed,
        unchanged,
        not_begun: done.not_begun.iter().map(Target::label).collect(),
        failed: failed.iter().map(render::Target::of).collect(),
    };
    Account { exit, lines, shown }
}

/// Returns how a command ends that was stopped, and what it says of those that were not begun; `None` if it did
/// everything that was asked for.
pub(super) fn cut_short(done: &Declarations, asked: Option<Exit>, again: &str) -> Option<(Exit, String)> {
    let was_cancelled = done.targets.iter().any(|d| d.outcome == Some(Outcome::Cancelled));
    if done.not_begun.is_empty() && !was_cancelled {
        return None;
    }
    let labels: Vec<String> = done.not_begun.iter().map(Target::label).collect();
    let mut left = format!("The same again finishes it:  {again}");
    if !labels.is_empty() {
        let names = text::names(labels.iter().map(String::as_str));
        left = format!(" Left    not begun in {names}\n{left}");
    }
    Some((asked.unwrap_or(Exit::Stopped), left))
}

fn label(declared: &Declared) -> String {
    declared.target.label()
}

fn is_unchanged(declared: &Declared) -> bool {
    declared
        .ended
        .as_ref()
        .is_ok_and(|noted| noted.changed.is_empty())
}

fn changed(declared: &Declared) -> Option<Changed> {
    let noted = declared
        .ended
        .as_ref()
        .ok()
        .filter(|noted| !noted.changed.is_empty())?;
    Some(Changed {
        target: label(declared),
        track: declared.target.track.to_string(),
        migrations: noted.changed.clone(),
        was_half_way: noted.was_half_way.iter().map(ShownHalfWay::of).collect(),
        at: noted.version.map(|version| version.to_string()),
        half_way: noted.half_way,
        outcome: noted.outcome.as_str(),
    })
}

fn lines(told: &Told<'_>, changed: &[Changed], unchanged: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let says = phrase(told.declaration);
    match changed {
        [] => {}
        [one] => {
            let what = text::names(one.migrations.iter().map(String::as_str));
            lines.push(format!(" Marked  {}: {what} {says}", one.target));
        }
        many => {
            let names = text::names(many.iter().map(|one| one.target.as_str()));
            let version = &told.declaration.version;
            let where_ = text::count(many.len(), "database");
            lines.push(format!(" Marked  {version} {says} in {where_}: {names}"));
        }
    }
    if !unchanged.is_empty() {
        let names = text::names(unchanged.iter().map(String::as_str));
        lines.push(format!(" Kept    nothing to write in {names}"));
    }
    if !changed.is_empty() {
        lines.push(format!(
            "Only histories were written; no migration ran.   {}",
            told.declaration.id
        ));
    }
    lines
}

/// Says what was half-way until now, those that had come equally far together: nobody has touched what it left.
fn stays(targets: &[Declared], declaration: &Declaration) -> Vec<String> {
    let mut groups: Vec<(&WasHalfWay, Vec<String>)> = Vec::new();
    for declared in targets {
        let noted = declared.ended.as_ref().ok();
        for was in noted.into_iter().flat_map(|noted| &noted.was_half_way) {
            match groups.iter_mut().find(|(other, _)| *other == was) {
                Some((_, labels)) => labels.push(label(declared)),
                None => groups.push((was, vec![label(declared)])),
            }
        }
    }
    let line = |(was, labels): (&WasHalfWay, Vec<String>)| {
        let names = text::names(labels.iter().map(String::as_str));
        let back = match was.direction {
            Direction::Up => "",
            Direction::Down => " on its way back",
        };
        format!(
            " Stays   {names}: {} was half-way{back}, at statement {} of {}; what it left in the database stays as it \
             is{}",
            was.migration,
            was.statement,
            was.statements,
            behind(declaration)
        )
    };
    groups.into_iter().map(line).collect()
}

/// Says what becomes of the rest of a migration that was half-way.
fn behind(declaration: &Declaration) -> &'static str {
    match &declaration.says {
        Says::Mark(Mark::Applied(_)) => ", and no run carries out the rest",
        Says::Mark(Mark::RolledBack) => ", and the next run begins the file anew",
        Says::Mark(Mark::AcceptEdit | Mark::Forget) | Says::Decide { .. } | Says::Look => "",
    }
}

/// Says what is in the way of the next run where something was reached, and what goes on with the rest.
fn next(targets: &[Declared]) -> Vec<String> {
    let mut lines = Vec::new();
    let in_the_way: Vec<TargetReport> = targets.iter().filter_map(Declared::next).collect();
    for group in groups_of(&in_the_way) {
        let (failure, names) = (group.failure, text::names(group.labels()));
        lines.push(format!(
            "Still open in {names}: {} {}",
            failure.code,
            short(failure)
        ));
        lines.extend(group.help(&[]).into_iter().map(|line| format!("  {line}")));
    }
    let goes_on = |declared: &Declared| {
        let noted = declared.ended.as_ref().ok();
        noted.is_some_and(|noted| noted.outcome == Outcome::Interrupted && noted.in_the_way.is_none())
    };
    if targets.iter().any(goes_on) {
        lines.push("Half-way migrations go on with:  tenantry migrate resume".to_owned());
    }
    lines
}

fn word(declaration: &Declaration) -> &'static str {
    match &declaration.says {
        Says::Mark(mark) => mark.as_str(),
        Says::Decide { decision, .. } => decision.as_str(),
        Says::Look => "look",
    }
}

/// Says what was declared, behind the name of the migration.
fn phrase(declaration: &Declaration) -> String {
    match &declaration.says {
        Says::Mark(Mark::Applied(_)) => "as applied".to_owned(),
        Says::Mark(Mark::RolledBack) => "as rolled back".to_owned(),
        Says::Mark(Mark::AcceptEdit) => "as applied, with its present name and text".to_owned(),
        Says::Mark(Mark::Forget) => "as forgotten".to_owned(),
        Says::Decide {
            statement,
            decision: Decision::Applied,
            ..
        } => format!("with statement {statement} applied"),
        Says::Decide { statement, .. } => format!("with statement {statement} not applied"),
        Says::Look => String::new(),
    }
}

fn not_recorded(unrecorded: &Unrecorded, told: &Told<'_>) -> Message {
    let state = "every history is as this answer says; only the registry does not know it";
    Message {
        code: Some(unrecorded.code),
        title: format!(
            "the registry could not be told what became of {}",
            told.declaration.id
        ),
        facts: vec![("cause", unrecorded.reason.clone()), ("state", state.to_owned())],
        help: vec!["tenantry migrate status --live".to_owned()],
        ..Message::default()
    }
}
