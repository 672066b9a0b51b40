//! Why a target is not where it should be, as facts that every surface shows in its own form.

use std::fmt;
use std::path::PathBuf;

use crate::code::Code;
use crate::engine::{ApplyError, DatabaseError, Holder, SessionError, StateAfter, Unit};
use crate::migration::{Checksum, Place, Script, Track};
use crate::plan::PlanError;

/// The longest line of a snippet, in characters.
const LINE_MAX: usize = 160;

/// A few lines of a file around a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The line number of the first line.
    pub first_line: usize,
    /// The lines, the last one being the line of the place; control characters are escaped.
    pub lines: Vec<String>,
    /// How many characters precede the caret in the last line.
    pub caret: usize,
    /// How many characters the caret covers.
    pub width: usize,
}

impl Snippet {
    /// Cuts the line of a byte offset, and the one before it, out of a text.
    pub fn around(text: &str, offset: usize) -> Self {
        let place = Place::in_text(text, offset);
        let at = text.floor_char_boundary(offset.min(text.len()));
        let start = text
            .get(..at)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |n| n + 1);
        let line = text
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        // A long line is cut so that the caret stays in it.
        let skip = (place.column - 1).saturating_sub(LINE_MAX / 2);
        let shown: String = line.chars().skip(skip).take(LINE_MAX).map(visible).collect();
        let word = text.get(at..).unwrap_or_default().chars();
        let width = word
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .count()
            .clamp(1, LINE_MAX / 2);
        let mut lines = vec![shown];
        let mut first_line = place.line;
        let before = text.get(..start.saturating_sub(1)).and_then(|b| b.lines().last());
        if let Some(before) = before.filter(|b| !b.trim().is_empty() && place.line > 1) {
            lines.insert(0, before.chars().take(LINE_MAX).map(visible).collect());
            first_line -= 1;
        }
        Self {
            first_line,
            lines,
            caret: place.column - 1 - skip,
            width,
        }
    }
}

/// Keeps columns: one character for one character.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Why a target is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// What happened, in one line, without the tenant's name.
    pub what: String,
    /// The migration it happened in: `version_name`.
    pub migration: Option<String>,
    /// The file it happened in.
    pub file: Option<PathBuf>,
    /// The place in that file.
    pub place: Option<Place>,
    /// Whether the place is where the database points; otherwise it is the statement's first word.
    pub exact: bool,
    /// The lines around the place.
    pub snippet: Option<Snippet>,
    /// Which statement of how many, from 1.
    pub statement: Option<(usize, usize)>,
    /// The database's own words.
    pub database: Option<DatabaseError>,
    /// Who is in the way.
    pub holders: Vec<Holder>,
    /// What is known of a statement that somebody has to decide about, as a short hash.
    pub evidence: Option<String>,
    /// What is true in the database now.
    pub state: StateAfter,
    /// Every further cause, outermost first.
    pub causes: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.what)
    }
}

impl Failure {
    pub(crate) fn bare(code: Code, what: String) -> Self {
        Self {
            code,
            what,
            migration: None,
            file: None,
            place: None,
            exact: false,
            snippet: None,
            statement: None,
            database: None,
            holders: Vec::new(),
            evidence: None,
            state: StateAfter::RolledBack,
            causes: Vec::new(),
        }
    }

    /// Says what happened, and what the database or the system says about it.
    pub(super) fn in_a_line(&self) -> String {
        let database = self.database.as_ref().map(|error| &error.message);
        match database.or(self.causes.first()) {
            Some(why) if !self.what.contains(why.as_str()) => format!("{}: {why}", self.what),
            Some(_) | None => self.what.clone(),
        }
    }

    /// Describes a session that could not be had.
    pub fn of_session(error: &SessionError) -> Self {
        let mut failure = Self::bare(error.code(), error.to_string());
        match error {
            SessionError::AuthFailed { source, .. }
            | SessionError::Exhausted { source, .. }
            | SessionError::Database(source) => failure.database = Some(source.clone()),
            SessionError::LockTimeout { source, holders } => {
                failure.database = Some(source.clone());
                failure.holders.clone_from(holders);
            }
            SessionError::Blocked { holders, .. } | SessionError::CommitDelayed { holders, .. } => {
                failure.holders.clone_from(holders);
            }
            SessionError::Unreachable { source, .. } => failure.causes.push(source.to_string()),
            SessionError::Lost { reason } => failure.causes.push(reason.clone()),
            SessionError::Tls { .. }
            | SessionError::NoDatabase { .. }
            | SessionError::Unsuitable { .. }
            | SessionError::Pooled { .. }
            | SessionError::IdentityMismatch { .. }
            | SessionError::Emptied { .. }
            | SessionError::HistoryDamaged { .. } => {}
        }
        failure
    }

    /// Describes a history that must not be continued with the files of this track.
    ///
    /// `file` is the first file that it is about, or the track's folder where that file is not there.
    pub fn of_plan(error: &PlanError, track: &Track) -> Self {
        let mut failure = Self::bare(error.code(), error.to_string());
        failure.file = file_of(error, track);
        if let PlanError::Missing { labels } = error {
            failure.migration = labels.first().cloned();
        }
        if let PlanError::Modified {
            label,
            applied,
            file,
            applied_at,
            run_id,
            ..
        } = error
        {
            failure.migration = Some(label.clone());
            failure.causes.push(format!(
                "{run_id} applied it on {applied_at} with the checksum {}, and now it has {}",
                short(applied),
                short(file)
            ));
        }
        failure
    }

    /// Describes a unit that could not be carried out.
    pub fn of_apply(error: &ApplyError, unit: &Unit) -> Self {
        let mut failure = match error {
            ApplyError::Session { source, .. } => Self::of_session(source),
            ApplyError::Statement { source, .. } => {
                let mut failure = Self::bare(error.code(), source.message.clone());
                failure.database = Some(source.clone());
                failure
            }
            ApplyError::Cancelled { .. }
            | ApplyError::Ambiguous { .. }
            | ApplyError::SessionLost { .. }
            | ApplyError::TooLong { .. }
            | ApplyError::StringRules { .. }
            | ApplyError::Edited { .. }
            | ApplyError::Fenced
            | ApplyError::SessionChanged { .. }
            | ApplyError::NotReadBack => Self::bare(error.code(), error.to_string()),
        };
        failure.place_in(error, unit);
        failure
    }

    fn place_in(&mut self, error: &ApplyError, unit: &Unit) {
        let (step, statement, offset) = match error {
            ApplyError::Statement {
                step,
                statement,
                offset,
                exact,
                state,
                ..
            } => {
                self.exact = *exact;
                self.state = *state;
                (*step, Some(*statement), Some(*offset))
            }
            ApplyError::Ambiguous {
                step,
                statement,
                reason,
                evidence,
                ..
            } => {
                self.state = StateAfter::Ambiguous;
                self.evidence = Some(evidence.clone());
                self.causes.push(reason.clone());
                (*step, Some(*statement), None)
            }
            ApplyError::TooLong { .. } | ApplyError::StringRules { .. } => {
                let Some(place) = self.unsent(error) else { return };
                place
            }
            ApplyError::SessionLost {
                step,
                statement,
                done,
                ..
            } => {
                self.state = StateAfter::SessionLost { done: *done };
                (*step, Some(*statement), None)
            }
            ApplyError::Cancelled { step, state }
            | ApplyError::Edited { step, state, .. }
            | ApplyError::SessionChanged { step, state, .. } => {
                self.state = *state;
                (*step, None, None)
            }
            ApplyError::Session {
                commit_sent: true, ..
            }
            | ApplyError::NotReadBack => {
                self.state = StateAfter::Unknown;
                (0, None, None)
            }
            ApplyError::Session {
                source: SessionError::CommitDelayed { .. },
                ..
            } => (unit.steps.len().saturating_sub(1), None, None),
            ApplyError::Fenced | ApplyError::Session { .. } => return,
        };
        self.show_step(unit, step, statement.map(|statement| (statement, offset)));
    }

    /// Returns the place of a statement that was refused before anything was sent.
    fn unsent(&mut self, error: &ApplyError) -> Option<(usize, Option<usize>, Option<usize>)> {
        if let ApplyError::TooLong {
            step,
            statement,
            state,
            ..
        } = error
        {
            self.state = *state;
            return Some((*step, Some(*statement), None));
        }
        let ApplyError::StringRules {
            step,
            statement,
            offset,
            state,
            ..
        } = error
        else {
            return None;
        };
        self.exact = true;
        self.state = *state;
        Some((*step, Some(*statement), Some(*offset)))
    }

    fn show_step(&mut self, unit: &Unit, step: usize, statement: Option<(usize, Option<usize>)>) {
        let Some(step) = unit.steps.get(step) else { return };
        self.migration = Some(step.migration.label());
        let script = step.script();
        self.file = Some(script.path.clone());
        if let Some((statement, offset)) = statement {
            self.show_statement(script, statement, offset);
        }
    }

    fn show_statement(&mut self, script: &Script, statement: usize, offset: Option<usize>) {
        self.statement = Some((statement + 1, script.statements.len()));
        let first = script.statements.get(statement).map_or(0, |s| s.range().start);
        let offset = offset.unwrap_or(first);
        self.place = Some(script.place(offset));
        self.snippet = Some(Snippet::around(&script.text, offset));
    }
}

/// Returns the file or the folder that a refused history is about; `None` for a track in the binary.
fn file_of(error: &PlanError, track: &Track) -> Option<PathBuf> {
    if track.folder.as_os_str().is_empty() {
        return None;
    }
    let file = |label: &str| {
        let found = track.migrations.iter().find(|m| m.label() == label);
        found.map(|migration| migration.up.path.clone())
    };
    match error {
        PlanError::Modified { label, .. } | PlanError::HalfWay { label } => file(label),
        PlanError::OutOfOrder { labels, .. }
        | PlanError::NoWayBack { labels }
        | PlanError::Beneath { labels, .. } => file(labels.first()?),
        PlanError::Emptied { files } | PlanError::EmptyWayBack { files } => {
            Some(track.folder.join(files.first()?))
        }
        PlanError::Missing { .. } | PlanError::Ahead { .. } | PlanError::UnknownVersion { .. } => {
            Some(track.folder.clone())
        }
        PlanError::Occupied => None,
    }
}

/// Returns the beginning of a checksum: enough to tell two of them apart.
fn short(checksum: &Checksum) -> String {
    checksum.to_string().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_the_line_and_the_one_before() {
        let snippet = Snippet::around("CREATE TABLE x (\n  id bigint PRIMARY KYE,\n", 37);
        assert_eq!(
            snippet.lines,
            vec!["CREATE TABLE x (", "  id bigint PRIMARY KYE,"]
        );
        assert_eq!((snippet.first_line, snippet.caret, snippet.width), (1, 20, 3));
    }

    #[test]
    fn in_a_line_the_outermost_cause_is_told_once() {
        let mut failure = Failure::bare(Code(5001), "the connection was lost".to_owned());
        assert_eq!(failure.in_a_line(), "the connection was lost");
        failure.causes = vec!["the server has been silent for 3 s".to_owned()];
        let line = "the connection was lost: the server has been silent for 3 s";
        assert_eq!(failure.in_a_line(), line);
        failure.what = line.to_owned();
        assert_eq!(failure.in_a_line(), line);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("SELECT {}x", "a,".repeat(5000));
        let snippet = Snippet::around(&text, text.len() - 1);
        assert!(snippet.lines[0].chars().count() <= LINE_MAX);
        assert_eq!(snippet.lines[0].chars().nth(snippet.caret), Some('x'));
    }

    #[test]
    fn a_refused_history_names_the_file_or_the_folder_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1_a.sql", "2_b.sql"] {
            std::fs::write(folder.path().join(name), "SELECT 1;").unwrap();
        }
        let name = crate::target::TrackName::Tenant;
        let track = Track::read(folder.path(), name, crate::engine::Engine::Sqlite).unwrap();
        let labels = vec!["2_b".to_owned()];
        let version = "9".parse().unwrap();
        for (error, file) in [
            (
                PlanError::NoWayBack {
                    labels: labels.clone(),
                },
                "2_b.sql",
            ),
            (
                PlanError::HalfWay {
                    label: "1_a".to_owned(),
                },
                "1_a.sql",
            ),
            (PlanError::Missing { labels }, ""),
            (PlanError::UnknownVersion { version }, ""),
        ] {
            let found = Failure::of_plan(&error, &track).file.unwrap();
            assert_eq!(found, folder.path().join(file), "{error}");
        }
        assert_eq!(Failure::of_plan(&PlanError::Occupied, &track).file, None);
    }
}
