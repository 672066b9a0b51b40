//! Failed targets as messages: equal failures once, with the names of all that have it.

use tenantry::Code;
use tenantry::engine::{Certainty, DatabaseError, Holder, StateAfter};
use tenantry::migration::Version;
use tenantry::run::{Failure, RunReport, TargetReport};

use super::advice::{self, Advice};
use super::text;
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
/// their own words.
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
    let same_words = a.what == b.what || a.code == GONE;
    let same_file = a.migration == b.migration && a.file == b.file;
    key(a) == key(b) && same_file && (a.migration.is_some() || same_words)
}

/// There is no such database: the words name it, so that no two of them are equal.
const GONE: Code = Code(6006);

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
        message.facts.extend(
            failure
                .holders
                .iter()
                .map(|holder| (in_the_way(holder), holder_text(holder))),
        );
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
        if let [only] = self.targets.as_slice() {
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
            StateAfter::RolledBack if self.failure.migration.is_none() => {
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

fn in_the_way(holder: &Holder) -> &'static str {
    match holder.certainty {
        Certainty::Holds => "blocked by",
        Certainty::MayHold => "perhaps by",
    }
}

/// Writes what the server shows of a session: of another role's it may be no more than the name.
fn holder_text(holder: &Holder) -> String {
    let named = |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name}{value}"));
    let who = [
        Some(format!("pid {}", holder.pid)),
        named("", &holder.application),
        Some(format!("user {}", holder.user)),
        named("from ", &holder.from),
    ];
    let does = [named("", &holder.state), named("since ", &holder.since)];
    let mut text = who.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let does = does.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    if !does.is_empty() {
        text.push('\n');
        text.push_str(&does);
    }
    if !holder.statement.is_empty() {
        text.push('\n');
        text.push_str(&holder.statement);
    }
    text
}

/// Writes a version, or that there is none.
pub(crate) fn version(version: Option<Version>) -> String {
    version.map_or_else(|| "empty".to_owned(), |version| version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_way_is_told_in_short_lines() {
        let mut holder = Holder {
            certainty: Certainty::Holds,
            pid: 7,
            application: "psql".to_owned(),
            user: "app".to_owned(),
            from: "10.0.0.5:40332".to_owned(),
            state: "idle in transaction".to_owned(),
            since: "2026-03-14T09:30:00Z".to_owned(),
            statement: "SELECT 1".to_owned(),
        };
        assert_eq!(
            holder_text(&holder),
            "pid 7 · psql · user app · from 10.0.0.5:40332\n\
             idle in transaction · since 2026-03-14T09:30:00Z\n\
             SELECT 1"
        );
        for unknown in [
            &mut holder.application,
            &mut holder.from,
            &mut holder.state,
            &mut holder.since,
            &mut holder.statement,
        ] {
            unknown.clear();
        }
        assert_eq!(holder_text(&holder), "pid 7 · user app");
    }
}
