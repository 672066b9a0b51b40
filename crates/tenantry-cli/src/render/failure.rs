//! Failed targets as messages: equal failures once, with the names of all that have it.

use tenantry::Code;
use tenantry::engine::{DatabaseError, StateAfter};
use tenantry::migration::Version;
use tenantry::run::{Failure, RunReport, TargetReport};

use super::advice::{self, Advice};
use super::{holders, text};
use crate::failure::{Location, Message, Severity};

/// Targets that failed in the same way.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// What happened to the first of them.
    pub(crate) failure: &'a Failure,
    /// All of them, in the order in which they ended. Never empty.
    pub(crate) targets: Vec<&'a TargetReport>,
}

/// Returns the failures of a run, equal ones together, the commonest first.
///
/// Equal means: the same code, file, statement and state afterwards. Engines with files of their own fail in
/// their own words. Without a file it is the words that tell, and the database's own code.
pub(crate) fn groups(report: &RunReport) -> Vec<Group<'_>> {
    groups_of(&report.targets)
}

/// The same for any targets.
pub(crate) fn groups_of(targets: &[TargetReport]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for target in targets.iter().filter(|target| !target.outcome.is_success()) {
        let Some(failure) = &target.failure else { continue };
        match groups.iter_mut().find(|group| is_same(group.failure, failure)) {
            Some(group) => group.targets.push(target),
            None => groups.push(Group {
                failure,
                targets: vec![target],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
    groups
}

fn is_same(a: &Failure, b: &Failure) -> bool {
    let key = |f: &Failure| (f.code, f.statement, f.state, f.evidence.clone());
    let same_file = a.migration == b.migration && a.file == b.file;
    key(a) == key(b) && same_file && (a.migration.is_some() || says_the_same(a, b))
}

fn says_the_same(a: &Failure, b: &Failure) -> bool {
    let of_database = |f: &Failure| f.database.as_ref().map(|error| error.code.clone());
    (a.what == b.what || a.code == GONE) && of_database(a) == of_database(b)
}

/// There is no such database: the words name it, so that no two of them are equal.
const GONE: Code = Code(6006);

/// Whether files and history do not fit together, so that nothing of the migration that is named was begun.
fn is_of_history(code: Code) -> bool {
    matches!(code.0, 3001..=3007 | 3010 | 3060)
}

/// Says in a few words what a failure is about; `None` where its message says it better.
fn phrase(failure: &Failure) -> Option<&'static str> {
    match failure.code.0 {
        2001 => Some("syntax error"),
        2002 => Some("table, column or other name missing"),
        2003 => Some("unique violation"),
        2004 => Some("rows or values break a rule"),
        2005 if failure.database.is_some() => Some("lock timeout"),
        2006 => Some("statement timeout"),
        2008 => Some("not allowed in a transaction"),
        2009 => Some("out of disk space"),
        _ => None,
    }
}

/// Says in a few words what happened.
pub(crate) fn short(failure: &Failure) -> String {
    phrase(failure).map_or_else(|| text::printable(&failure.what), str::to_owned)
}

/// Returns the file and place of a failure: `migrations/tenant/x.sql:14:3`; `None` if it has no file.
pub(crate) fn place(failure: &Failure) -> Option<String> {
    let file = text::path(failure.file.as_ref()?);
    Some(match failure.place {
        Some(place) => format!("{file}:{}:{}", place.line, place.column),
        None => file,
    })
}

impl Group<'_> {
    /// Returns the names of the targets, in order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().map(|target| target.label.as_str())
    }

    /// Returns what helps: lines of text and commands. `again` are the commands that go on with the run.
    pub(crate) fn help(&self, again: &[String]) -> Vec<String> {
        advice::help(self.failure, &self.targets, again)
    }

    /// Returns what has to be done before another try, and whether one is needed then.
    pub(crate) fn advice(&self) -> Advice {
        advice::advice(self.failure, &self.targets)
    }

    /// Returns the message of the group. `again` are the commands that go on with the run.
    pub(crate) fn message(&self, again: &[String]) -> Message {
        let failure = self.failure;
        let mut message = Message {
            severity: Severity::Error,
            code: Some(failure.code),
            title: self.title(),
            at: self
                .failure
                .file
                .iter()
                .map(|path| location(path, failure))
                .collect(),
            snippet: failure.snippet.clone(),
            caret: self.caret(),
            facts: Vec::new(),
            help: self.help(again),
        };
        if let Some(database) = &failure.database {
            message.facts.push(("database", words_of(database)));
        }
        message
            .facts
            .extend(failure.causes.iter().map(|cause| ("cause", cause.clone())));
        message.facts.extend(holders::facts(&self.targets));
        message.facts.extend(
            failure
                .evidence
                .iter()
                .map(|evidence| ("evidence", evidence.clone())),
        );
        message.facts.push(("where", self.whereabouts()));
        message.facts.push(("state", self.state()));
        message
    }

    /// Says in a few words what happened to all of them.
    pub(crate) fn short(&self) -> String {
        if self.failure.code == GONE && self.targets.len() > 1 {
            "the databases are not there".to_owned()
        } else {
            short(self.failure)
        }
    }

    fn title(&self) -> String {
        let who = match self.targets.as_slice() {
            [only] => format!("`{}`", only.label),
            many => format!("{} databases", text::number(many.len())),
        };
        match (phrase(self.failure), &self.failure.migration) {
            (Some(phrase), Some(migration)) => format!("{who}: {phrase} in {migration}"),
            (Some(phrase), None) => format!("{who}: {phrase}"),
            (None, _) => format!("{who}: {}", self.short()),
        }
    }

    fn caret(&self) -> Option<String> {
        let (statement, statements) = self.failure.statement?;
        Some(if self.failure.exact {
            "here".to_owned()
        } else {
            format!("statement {statement} of {statements} (the database gives no exact place)")
        })
    }

    fn whereabouts(&self) -> String {
        let mut parts = vec![text::names(self.labels())];
        if let [only] = self.targets.as_slice()
            && !only.database.is_empty()
        {
            parts.push(only.database.clone());
        }
        let mut servers: Vec<&str> = Vec::new();
        for server in self.targets.iter().filter_map(|target| target.server.as_ref()) {
            if !servers.contains(&server.as_str()) {
                servers.push(server.as_str());
            }
        }
        if !servers.is_empty() {
            parts.push(text::names(servers));
        }
        if let Some((statement, statements)) = self.failure.statement {
            parts.push(format!("statement {statement} of {statements}"));
        }
        let attempts = self
            .targets
            .iter()
            .map(|target| target.attempts)
            .max()
            .unwrap_or(1);
        if attempts > 1 {
            parts.push(text::count(attempts, "attempt"));
        }
        parts.join(" · ")
    }

    /// Says what is true in the databases now.
    pub(crate) fn state(&self) -> String {
        let of = self
            .failure
            .statement
            .map_or(String::new(), |(_, all)| format!(" of {all}"));
        match self.failure.state {
            StateAfter::RolledBack
                if self.failure.migration.is_none() || is_of_history(self.failure.code) =>
            {
                format!("untouched; {}", self.stays())
            }
            StateAfter::RolledBack => format!("rolled back; {}", self.stays()),
            StateAfter::HalfWay { done: 0 } => {
                "half-way: no statement of the file is finished, the next run begins it again".to_owned()
            }
            StateAfter::HalfWay { done: 1 } => {
                format!("half-way: statement 1{of} is in place, the next run resumes behind it")
            }
            StateAfter::HalfWay { done } => {
                format!("half-way: statements 1-{done}{of} are in place, the next run resumes behind them")
            }
            StateAfter::SessionLost { done } => {
                let which = match done {
                    1 => format!("statement 1{of} is"),
                    _ => format!("statements 1-{done}{of} are"),
                };
                format!(
                    "half-way: {which} in place; no run can go on behind that, because what the file kept in its \
                     session is gone; it needs a decision"
                )
            }
            StateAfter::Ambiguous => {
                "half-way: whether the statement took effect cannot be told; it needs a decision".to_owned()
            }
            StateAfter::Unknown => {
                "what is in place is not known; the next run goes by the history".to_owned()
            }
        }
    }

    fn stays(&self) -> String {
        let first = self.targets.first().and_then(|target| target.to);
        let same = self.targets.iter().all(|target| target.to == first);
        let who = match self.targets.as_slice() {
            [only] => format!("`{}` stays", only.label),
            [_, _] => "both stay".to_owned(),
            many => format!("all {} stay", text::number(many.len())),
        };
        match (same, first) {
            (true, Some(version)) => format!("{who} at {version}"),
            _ => format!("{who} as before"),
        }
    }
}

fn location(path: &std::path::Path, failure: &Failure) -> Location {
    Location {
        path: path.to_owned(),
        place: failure.place,
    }
}

fn words_of(error: &DatabaseError) -> String {
    let mut words = format!("{} ({})", error.message, error.code);
    for more in [&error.detail, &error.hint].into_iter().flatten() {
        words.push('\n');
        words.push_str(more);
    }
    words
}

/// Writes a version, or that there is none.
pub(crate) fn version(version: Option<Version>) -> String {
    version.map_or_else(|| "empty".to_owned(), |version| version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use tenantry::run::RunStatus;

    /// Waited for a lock of ours, without a file, and the server answered with this code.
    fn waited(label: &str, code: &str) -> TargetReport {
        let mut target = sample::failed(label, Code(2005));
        let failure = std::sync::Arc::make_mut(target.failure.as_mut().unwrap());
        failure.what = "another session holds a lock that a statement of ours needs".to_owned();
        failure.migration = None;
        failure.file = None;
        failure.statement = None;
        failure.database.as_mut().unwrap().code = code.to_owned();
        target
    }

    #[test]
    fn nothing_is_rolled_back_where_files_and_history_do_not_fit() {
        let state = |code| {
            let targets = [
                sample::failed("acme", Code(code)),
                sample::failed("globex", Code(code)),
            ];
            let groups = groups_of(&targets);
            groups.first().map(Group::state).unwrap_or_default()
        };
        for code in [3001, 3002, 3003, 3007] {
            assert!(state(code).starts_with("untouched; both stay"), "{code}");
        }
        assert!(state(2003).starts_with("rolled back; both stay"));
    }

    #[test]
    fn what_two_engines_say_without_a_file_is_two_failures() {
        let targets = vec![
            waited("acme", "SQLSTATE 55P03"),
            waited("globex", "errno 1205"),
            waited("initech", "SQLSTATE 55P03"),
        ];
        let report = sample::report(RunStatus::Completed, targets);
        let groups = groups(&report);
        let names: Vec<Vec<&str>> = groups.iter().map(|group| group.labels().collect()).collect();
        assert_eq!(names, [vec!["acme", "initech"], vec!["globex"]]);
    }
}
