//! The lines of a run on a terminal that stay: who failed, who is tried again, how the waves go. Pure.

use std::time::Duration;

use tenantry::run::{RunEvent, TargetReport, Then};

use super::again::Again;
use super::failure::short;
use super::head;
use super::lines::{CANARY, Detail, became, word};
use super::message::Canvas;
use super::tally::Tally;
use super::text;

/// Where the further lines of a text begin: under the name of the target.
const INDENT: usize = 17;

/// Returns the lines of an event that was counted, none too long; none for those without.
pub(crate) fn event(event: &RunEvent, tally: &Tally, detail: Detail, canvas: &Canvas) -> Vec<String> {
    if let RunEvent::Started(start) = event {
        return head::lines(start, canvas);
    }
    let lines = of_run(event, tally, detail, canvas);
    let wrapped = lines.iter().map(|line| text::wrap(line, canvas.width, INDENT));
    wrapped.collect()
}

fn of_run(event: &RunEvent, tally: &Tally, detail: Detail, canvas: &Canvas) -> Vec<String> {
    let paint = canvas.paint;
    let look = |word: &str, text: &str| vec![paint_word(&paint.yellow(word), word, text)];
    match event {
        RunEvent::Attached { run_id, driver } => look(
            "ATTACHED",
            &format!("{run_id} is driven by {driver}; what comes of it is shown here"),
        ),
        RunEvent::TakenOver { run_id, from } => look(
            "TAKEN OVER",
            &format!("{run_id}: {from} is gone, and this process drives it from now on"),
        ),
        RunEvent::WaveStarted { wave, targets, .. } if wave != CANARY => vec![paint_word(
            "Wave",
            "Wave",
            &format!("`{wave}` begins: {}", text::count(*targets, "target")),
        )],
        RunEvent::WaveFinished { wave, soak, then, .. } => {
            let (word, name) = if wave == CANARY {
                ("Canary", String::new())
            } else {
                ("Wave", format!("`{wave}` is "))
            };
            let behind = if tally.done < tally.total {
                behind(*soak, *then)
            } else {
                String::new()
            };
            let text = format!("{name}through{behind}");
            vec![paint_word(&paint.green(word), word, &text)]
        }
        RunEvent::RegistryAway { reason } => look(
            "REGISTRY",
            &format!("does not answer: {reason}. Nothing new starts until it does"),
        ),
        RunEvent::RegistryBack => vec![paint_word(&paint.green("REGISTRY"), "REGISTRY", "answers again")],
        RunEvent::WaveStarted { .. }
        | RunEvent::TargetFinished(_)
        | RunEvent::TargetStarted(_)
        | RunEvent::MigrationStarted { .. }
        | RunEvent::MigrationFinished { .. }
        | RunEvent::Waiting { .. }
        | RunEvent::Retrying { .. }
        | RunEvent::PutBack { .. }
        | RunEvent::Slow { .. }
        | RunEvent::Started(_)
        | _ => of_target(event, tally, detail, canvas),
    }
}

fn of_target(event: &RunEvent, tally: &Tally, detail: Detail, canvas: &Canvas) -> Vec<String> {
    let look = |word: &str, text: &str| vec![paint_word(&canvas.paint.yellow(word), word, text)];
    match event {
        RunEvent::TargetFinished(target) if detail.shows(target, tally.total) || tally.wave == CANARY => {
            let word = if tally.wave == CANARY && target.outcome.is_success() {
                "Canary"
            } else {
                word(target)
            };
            vec![finished(target, word, canvas)]
        }
        RunEvent::Waiting { label, reason } => look("WAIT", &about(tally, label, reason)),
        RunEvent::Retrying { .. } | RunEvent::PutBack { .. } => {
            let said = |again: Again<'_>| look(Again::WORD, &about(tally, again.label, &again.text()));
            Again::of(event).map(said).unwrap_or_default()
        }
        RunEvent::Slow {
            label,
            migration,
            after,
            ..
        } => {
            let age = format!("{:>6}", format!(">{}", text::elapsed_short(*after)));
            let text = about(tally, label, migration);
            vec![format!(
                "{}  {age}  {}",
                canvas.paint.yellow("   SLOW"),
                text::printable(&text)
            )]
        }
        RunEvent::TargetFinished(_)
        | RunEvent::TargetStarted(_)
        | RunEvent::MigrationStarted { .. }
        | RunEvent::MigrationFinished { .. }
        | RunEvent::Started(_)
        | RunEvent::Attached { .. }
        | RunEvent::TakenOver { .. }
        | RunEvent::WaveStarted { .. }
        | RunEvent::WaveFinished { .. }
        | RunEvent::RegistryAway { .. }
        | RunEvent::RegistryBack
        | _ => Vec::new(),
    }
}

/// Puts a word, painted or not, before a text that begins where those of all lines begin.
fn paint_word(painted: &str, word: &str, text: &str) -> String {
    let before = 7_usize.saturating_sub(word.chars().count());
    let after = INDENT.saturating_sub(before + word.chars().count()).max(2);
    let text = text::printable(text);
    format!("{:before$}{painted}{:after$}{text}", "", "")
}

fn about(tally: &Tally, label: &str, what: &str) -> String {
    match tally.server_of(label) {
        "" => format!("{label}  {what}"),
        server => format!("{label}  {server}  {what}"),
    }
}

/// Says what comes behind a wave.
fn behind(soak: Duration, then: Then) -> String {
    match then {
        Then::Pause => "; somebody has to promote the run".to_owned(),
        Then::GoOn if soak.is_zero() => "; the run goes on".to_owned(),
        Then::GoOn => format!("; the run goes on in {}", text::elapsed(soak)),
    }
}

fn finished(target: &TargetReport, word: &str, canvas: &Canvas) -> String {
    let word = format!("{word:>7}");
    let painted = if target.outcome.is_failure() {
        canvas.paint.red(&word)
    } else if target.outcome.is_success() {
        canvas.paint.green(&word)
    } else {
        canvas.paint.yellow(&word)
    };
    let age = text::elapsed_short(target.duration);
    let server = target.server.as_ref().map_or("", |server| server.as_str());
    let what = match &target.failure {
        // The file stands in the message at the end; here the line must stay short.
        Some(why) => {
            let migration = why
                .migration
                .as_ref()
                .map_or_else(String::new, |name| format!("{name}  "));
            let line = why
                .place
                .map_or_else(String::new, |place| format!(" (line {})", place.line));
            format!("{migration}{} {}{line}", why.code, short(why))
        }
        None => became(target),
    };
    let rest = format!("{:14}  {server:10}  {what}", target.label);
    format!("{painted}  {age:>6}  {}", text::printable(&rest))
}
