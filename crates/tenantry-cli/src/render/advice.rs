//! What to do about a target that failed, before its run is tried again.

use std::path::Path;

use tenantry::engine::StateAfter;
use tenantry::run::{Failure, Outcome, TargetReport};
use tenantry::{Code, TrackName};

use super::decide::{decision, edited_half_way, look_again, mark, run_live};
use super::text;

/// What helps where the server does not take a statement.
const TOO_LONG: &str = "write it as several statements, or raise max_allowed_packet on the server";

/// What helps where the server reads strings differently.
const STRING_RULES: &str = "write the string without a backslash before its quote ('it''s', CONCAT('C:', CHAR(92))), or \
                            take the mode out of the server's sql_mode";

/// What helps, the likeliest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    /// What has to be done first; empty where another try is enough.
    pub(crate) first: Vec<String>,
    /// Whether the run is to be taken up behind it.
    pub(crate) then: Then,
}

/// What comes behind the advice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Then {
    /// The run, which finishes what is left.
    #[default]
    Again,
    /// Nothing: the advice is all there is to do.
    Done,
}

/// Says where the server's own endpoint is to be named, for a step that needs the server and not its pooler.
fn around_pooler(target: &TargetReport) -> String {
    match &target.server {
        Some(server) => format!("tenantry server set {server} --direct-host <host>"),
        None => "give the central database's URL the server's own endpoint".to_owned(),
    }
}

/// Returns what to do about a failure of this target.
pub(crate) fn advice(failure: &Failure, targets: &[&TargetReport]) -> Advice {
    let Some(target) = targets.first() else {
        return Advice::default();
    };
    let (first, then) = match failure.code.0 {
        _ if needs_decision(failure) => (decision(failure, targets), Then::Again),
        3001..=3003 | 3007 => (about_files(failure, targets), Then::Again),
        3009 => (edited_half_way(failure, targets), Then::Again),
        4011 => (Vec::new(), Then::Done),
        4012 => (vec![look_again(failure, targets)], Then::Done),
        2015 => (vec![TOO_LONG.to_owned()], Then::Again),
        2016 => (vec![STRING_RULES.to_owned()], Then::Again),
        5007 => (vec![around_pooler(target)], Then::Again),
        3005 => (no_way_back(failure, target), Then::Done),
        3010 => (vec![alone(target)], Then::Done),
        3108 => (vec![ask_all(targets)], Then::Again),
        4008 => (versions(failure), Then::Done),
        3006 | 5005 | 6006 | 6007 => (about_database(failure, targets), Then::Again),
        6013 => (unfinished(target), Then::Done),
        _ => (Vec::new(), Then::Again),
    };
    Advice { first, then }
}

/// Returns whether another try must fail again until something was done.
pub(crate) fn is_first_to_mend(code: Code) -> bool {
    matches!(code.0, 2011 | 2015 | 2016 | 3001..=3003 | 3005..=3007 | 3009 | 3010 | 3108 | 4008 | 5005 | 5007 | 6006 | 6007 | 6013)
}

/// Returns the lines of help about a failure: the advice, then the commands that go on with the run.
pub(crate) fn help(failure: &Failure, targets: &[&TargetReport], again: &[String]) -> Vec<String> {
    let Advice { mut first, then } = advice(failure, targets);
    match (then, first.is_empty()) {
        (Then::Again, true) => first.extend_from_slice(again),
        (Then::Again, false) => first.extend(again.iter().map(|command| format!("then  {command}"))),
        (Then::Done, _) => {}
    }
    first
}

/// Whatever the database's words are: no run goes on before somebody has decided.
fn needs_decision(failure: &Failure) -> bool {
    let is_open = matches!(
        failure.state,
        StateAfter::Ambiguous | StateAfter::SessionLost { .. }
    );
    (is_open && failure.code != OTHER_EVIDENCE) || failure.code == DECISION
}

/// The code of a decision that was made about something else.
const OTHER_EVIDENCE: Code = Code(4012);

/// The code of what needs a decision.
const DECISION: Code = Code(2011);

/// Returns the code whose page says what to do about a target that ended like this.
pub(crate) fn code_to_explain(outcome: Option<Outcome>, code: Option<Code>) -> Option<Code> {
    if outcome == Some(Outcome::Ambiguous) {
        return Some(DECISION);
    }
    code
}

fn about_files(failure: &Failure, targets: &[&TargetReport]) -> Vec<String> {
    let Some(target) = targets.first() else {
        return Vec::new();
    };
    let make = make(target);
    let at = failure.file.as_ref().map(|path| text::path(path));
    let past = |how: &str| {
        let at = at.as_deref().filter(|at| !at.is_empty());
        at.map_or(String::new(), |at| format!(":  git log {how} -- {at}"))
    };
    match failure.code.0 {
        3001 => vec![
            format!("put the file back as it was; its past{}", past("-p")),
            format!("what is to change comes into a new one:  {make}"),
            format!(
                "or the databases are right as they are:  {}",
                mark(failure, targets, "--accept-edit")
            ),
        ],
        3002 => vec![
            format!(
                "put the file back; where it was removed{}",
                past("--diff-filter=D --summary")
            ),
            format!("or it is gone for good:  {}", mark(failure, targets, "--forget")),
        ],
        3003 => {
            let newest = target.to.map_or_else(
                || "the newest one that is applied".to_owned(),
                |version| version.to_string(),
            );
            vec![format!(
                "rename the file, and its .down.sql, to a version above {newest}"
            )]
        }
        _ => vec!["bring the folder up to date; it lacks what was applied:  git pull".to_owned()],
    }
}

fn no_way_back(failure: &Failure, target: &TargetReport) -> Vec<String> {
    let write = failure
        .file
        .as_deref()
        .map_or_else(|| "write the .down.sql beside it".to_owned(), write_way_back);
    vec![write, format!("or go forwards:  {}", make(target))]
}

/// Returns the command that writes markers anew: it asks every database itself.
fn ask_all(targets: &[&TargetReport]) -> String {
    format!(
        "a run that asks every database writes it anew:  {}",
        run_live(targets)
    )
}

/// Returns the line that says which way back is to be written; `file` is the migration, or an empty way back.
pub(crate) fn write_way_back(file: &Path) -> String {
    let is_one = file.to_string_lossy().ends_with(".down.sql");
    let down = if is_one {
        file.to_owned()
    } else {
        file.with_extension("down.sql")
    };
    format!("write {}", text::path(&down))
}

/// A version that is not there: the folder shows which ones are.
fn versions(failure: &Failure) -> Vec<String> {
    let folder = failure.file.as_ref().map(|path| text::path(path));
    vec![match folder {
        Some(folder) => format!("the versions that there are:  ls {folder}"),
        None => "tenantry migrate plan".to_owned(),
    }]
}

fn about_database(failure: &Failure, targets: &[&TargetReport]) -> Vec<String> {
    let Some((target, owner)) = targets.first().and_then(|t| Some((t, t.owner.as_ref()?))) else {
        return vec!["is it the right database?  tenantry config show --origin".to_owned()];
    };
    let show = format!("tenantry tenant show {}", owner.slug);
    match (failure.code.0, &target.server) {
        (5005, Some(server)) => vec![format!("tenantry server check {server}")],
        (3006, _) => vec![
            format!("is it the right database?  {show}"),
            "a history that was dropped comes back with a backup".to_owned(),
            format!(
                "or everything up to a version is in place:  {}",
                mark(failure, targets, "--applied --and-older")
            ),
        ],
        (6006, _) => vec![format!(
            "bring the database back; what is expected where:  {show}"
        )],
        _ => vec![format!("put the right database in its place:  {show}")],
    }
}

fn unfinished(target: &TargetReport) -> Vec<String> {
    let slug = target
        .owner
        .as_ref()
        .map_or("<slug>", |owner| owner.slug.as_str());
    let show = format!("what it has:  tenantry tenant show {slug}");
    match &target.track {
        TrackName::Product(product) => vec![
            format!("go on with what was begun:  tenantry product provision {product} --tenant {slug}"),
            show,
        ],
        TrackName::Tenant | TrackName::Central | TrackName::Registry => vec![show],
    }
}

/// Returns the command that migrates this one target.
fn alone(target: &TargetReport) -> String {
    let slug = target
        .owner
        .as_ref()
        .map_or("<slug>", |owner| owner.slug.as_str());
    match &target.track {
        TrackName::Product(product) => {
            format!("tenantry migrate products --only {slug} --product {product}")
        }
        TrackName::Tenant => format!("tenantry migrate tenant {slug}"),
        TrackName::Central | TrackName::Registry => "tenantry migrate central".to_owned(),
    }
}

/// Returns the command that makes a new migration on the target's track.
fn make(target: &TargetReport) -> String {
    let flag = match &target.track {
        TrackName::Product(product) => format!(" --product {product}"),
        TrackName::Central | TrackName::Registry => " --central".to_owned(),
        TrackName::Tenant => String::new(),
    };
    format!("tenantry migrate make <name>{flag}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn help_of(code: u16, change: impl FnOnce(&mut TargetReport)) -> Vec<String> {
        let mut target = sample::failed("globex", Code(code));
        target.owner = Some(sample::owner("globex").into());
        change(&mut target);
        let failure = target.failure.clone().unwrap();
        help(
            &failure,
            &[&target],
            &["tenantry migrate resume run_7f3a".to_owned()],
        )
    }

    #[test]
    fn what_another_try_mends_is_tried_again_at_once() {
        for code in [2003, 4001, 5001] {
            assert!(!is_first_to_mend(Code(code)));
            assert_eq!(help_of(code, |_| ()), ["tenantry migrate resume run_7f3a"]);
        }
    }

    #[test]
    fn what_must_fail_again_names_something_to_do_before() {
        for code in [
            2011, 2015, 2016, 3001, 3002, 3003, 3006, 3007, 5005, 5007, 6006, 6007,
        ] {
            let lines = help_of(code, |_| ());
            assert!(!lines[0].contains("migrate resume"), "{code} {lines:?}");
            assert!(is_first_to_mend(Code(code)), "{code}");
            let last = lines.last().unwrap();
            assert_eq!(last, "then  tenantry migrate resume run_7f3a", "{code}");
        }
        for code in [3005, 3010, 4008, 6013] {
            let lines = help_of(code, |_| ());
            assert!(!lines.is_empty() && is_first_to_mend(Code(code)), "{code}");
            assert!(
                lines.iter().all(|line| !line.contains("resume")),
                "{code} {lines:?}"
            );
        }
    }

    #[test]
    fn a_state_that_needs_a_decision_is_not_simply_resumed() {
        for state in [StateAfter::Ambiguous, StateAfter::SessionLost { done: 2 }] {
            let lines = help_of(2003, |target| {
                if let Some(failure) = target.failure.as_mut().map(std::sync::Arc::make_mut) {
                    failure.state = state;
                }
            });
            assert!(!lines[0].contains("migrate resume"), "{lines:?}");
            assert!(lines[0].contains("  tenantry migrate "), "{lines:?}");
            let last = lines.last().unwrap();
            assert_eq!(last, "then  tenantry migrate resume run_7f3a");
        }
        let code = code_to_explain(Some(Outcome::Ambiguous), Some(Code(2003)));
        assert!(code.is_some_and(is_first_to_mend));
        let code = code_to_explain(Some(Outcome::Failed), Some(Code(2003)));
        assert_eq!(code, Some(Code(2003)));
    }

    #[test]
    fn the_advice_is_about_the_track_of_the_target() {
        let lines = help_of(3001, |target| {
            target.track = TrackName::Product("kira".parse().unwrap());
        });
        assert!(lines[1].ends_with("tenantry migrate make <name> --product kira"));
        let lines = help_of(3010, |target| {
            target.track = TrackName::Product("kira".parse().unwrap());
        });
        assert_eq!(lines, ["tenantry migrate products --only globex --product kira"]);
        assert!(help_of(3003, |_| ())[0].ends_with("above 20260301090100"));
        let lines = help_of(6007, |target| target.owner = None);
        assert_eq!(
            lines[0],
            "is it the right database?  tenantry config show --origin"
        );
    }
}
