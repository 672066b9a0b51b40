//! Failures as GitHub shows them: a workflow command for each group, and a summary of the job. Pure.
//!
//! Names and messages are other people's: whatever could end a command, or begin another one, is written as GitHub's own
//! toolkit writes it ("Workflow commands", `toCommandValue` and `toCommandProperties`).

use std::path::Path;

use tenantry::run::{Outcome, RunReport};

use super::failure::{Group, groups};
use super::summary::noun;
use super::text;
use super::view::Ending;

/// How many groups a summary lists.
const LISTED: usize = 50;

/// How a path is shown; `None` for one that is not in the repository.
pub(crate) type Shown<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Returns one command for each group of failures.
pub(crate) fn commands(report: &RunReport, shown: Shown<'_>) -> Vec<String> {
    let command = |group: &Group<'_>| command(group, shown);
    groups(report).iter().map(command).collect()
}

fn command(group: &Group<'_>, shown: Shown<'_>) -> String {
    let failure = group.failure;
    let mut properties = Vec::new();
    if let Some(file) = failure.file.as_deref().and_then(shown) {
        properties.push(format!("file={}", property(&file)));
        if let Some(place) = failure.place {
            properties.push(format!("line={},col={}", place.line, place.column));
        }
    }
    let title = format!("{} ({})", failure.code, many(group));
    properties.push(format!("title={}", property(&title)));
    let database = failure
        .database
        .as_ref()
        .map_or(String::new(), |error| format!(": {}", error.message));
    let message = format!("{}{database} ({})", group.short(), text::names(group.labels()));
    format!("::error {}::{}", properties.join(","), data(&message))
}

/// Says how many failed alike: `16 tenants`.
fn many(group: &Group<'_>) -> String {
    let targets = group.targets.len();
    let noun = noun(targets, group.targets.iter().map(|target| &target.track));
    format!("{} {noun}", text::number(targets))
}

/// Writes the text behind a command's name.
fn data(text: &str) -> String {
    let text = text::printable(text).replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// Writes the value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Draws the end of a run for the summary of a job, in Markdown.
pub(crate) fn summary(ending: &Ending<'_>, shown: Shown<'_>) -> String {
    let report = ending.report;
    let failed = report.failed().count();
    let counts = [
        (report.count(Outcome::Applied), "applied"),
        (report.count(Outcome::Current), "current"),
        (failed, "failed"),
        (report.not_run().count(), "not run"),
        (report.count(Outcome::Skipped), "skipped"),
    ];
    let counts = counts.into_iter().filter(|(n, what)| *n > 0 || *what == "failed");
    let counts: Vec<String> = counts
        .map(|(n, what)| format!("{} {what}", text::number(n)))
        .collect();
    let mut lines = vec![format!(
        "### {} `{}`: {}",
        if failed == 0 { "✅" } else { "❌" },
        report.run_id,
        counts.join(" · ")
    )];
    let groups = groups(report);
    if !groups.is_empty() {
        lines.push("\n| | what | where | who |\n|---:|---|---|---|".to_owned());
        lines.extend(groups.iter().take(LISTED).map(|group| row(group, shown)));
    }
    let more = groups.len().saturating_sub(LISTED);
    if more > 0 {
        lines.push(format!("\n… and {} more kinds of failure", text::number(more)));
    }
    if let Some(again) = ending.again.first().filter(|_| ending.exit.code() != 0) {
        lines.push(format!("\nGo on: `{again}`"));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn row(group: &Group<'_>, shown: Shown<'_>) -> String {
    let failure = group.failure;
    let line = failure
        .place
        .map_or(String::new(), |place| format!(":{}", place.line));
    let place = failure.file.as_deref().and_then(shown);
    let place = place.map_or(String::new(), |file| format!("{file}{line}"));
    format!(
        "| {} | {} {} | {} | {} |",
        text::number(group.targets.len()),
        failure.code,
        markdown(&group.short()),
        markdown(&place),
        markdown(&text::names(group.labels()))
    )
}

/// Writes a text so that Markdown and HTML see nothing in it: any punctuation may follow a backslash there.
fn markdown(text: &str) -> String {
    let mut written = String::new();
    for c in text::printable(text).chars() {
        match c {
            '\n' => written.push(' '),
            c if c.is_ascii_punctuation() && !"-_.,".contains(c) => written.extend(['\\', c]),
            c => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::render::sample;
    use tenantry::Code;
    use tenantry::run::RunStatus;

    const INSIDE: Shown<'static> = &|path| Some(path.display().to_string());

    fn ending(report: &RunReport) -> Ending<'_> {
        Ending {
            report,
            exit: Exit::Failed,
            again: vec![format!("tenantry migrate resume {}", report.run_id)],
            warnings: &[],
        }
    }

    #[test]
    fn there_is_one_command_for_a_group_and_one_row() {
        let mut targets = vec![sample::applied("acme")];
        for label in ["globex", "wonka", "tyrell", "cyberdyne", "oscorp", "initech"] {
            targets.push(sample::failed(label, Code(2003)));
        }
        let report = sample::report(RunStatus::Completed, targets);
        let mut lines = commands(&report, INSIDE);
        assert_eq!(lines.len(), 1);
        lines.push(summary(&ending(&report), INSIDE));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_lies_outside_the_repository_has_no_place_in_it() {
        let report = sample::report(RunStatus::Completed, vec![sample::failed("acme", Code(2003))]);
        let lines = commands(&report, &|_| None);
        assert!(
            lines[0].starts_with("::error title=TN-2003 (1 tenant)::"),
            "{lines:?}"
        );
    }

    #[test]
    fn nobody_elses_words_become_commands_or_markup() {
        let mut target = sample::failed("acme,line=1::\n::error::x", Code(2000));
        let failure = std::sync::Arc::make_mut(target.failure.as_mut().unwrap());
        let words = "100%\r\n::stop-commands::x\n<img src=x>|[a](b)`";
        failure.file = Some("a,b:c%.sql".into());
        failure.what = words.to_owned();
        failure.database.as_mut().unwrap().message = words.to_owned();
        let report = sample::report(RunStatus::Completed, vec![target]);
        let lines = commands(&report, INSIDE);
        assert_eq!(lines[0].lines().count(), 1);
        assert!(lines[0].starts_with("::error file=a%2Cb%3Ac%25.sql,line=14,col=3,title="));
        let row = summary(&ending(&report), INSIDE);
        let row = row.lines().find(|line| line.starts_with("| 1 ")).unwrap();
        assert!(row.contains(r"\<img src\=x\>\|\[a\]\(b\)\`"), "{row}");
    }
}
