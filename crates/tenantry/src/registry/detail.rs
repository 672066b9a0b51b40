//! What is kept of a target's end beyond its columns: why it failed and what was carried out, as JSON.
//!
//! Whoever watches a run, or looks at it later, shows the same as whoever drove it.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::engine::{Certainty, DatabaseError, Hidden, Holder, Recorded, StateAfter, TakenUp};
use crate::migration::{Place, Version};
use crate::run::{Failure, Snippet};

use super::rows::shorten;

/// How much of a text is kept, in characters.
const TEXT_MAX: usize = 2_000;

/// The column `detail`.
#[derive(Serialize, Deserialize)]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Kept>,
    /// Version, milliseconds, how it was taken up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<(i64, u64, Option<String>)>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    code: u16,
    what: String,
    migration: Option<String>,
    file: Option<String>,
    place: Option<(usize, usize)>,
    exact: bool,
    snippet: Option<(usize, Vec<String>, usize, usize)>,
    statement: Option<(usize, usize)>,
    database: Option<KeptError>,
    holders: Vec<KeptHolder>,
    evidence: Option<String>,
    state: String,
    done: usize,
    causes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptError {
    message: String,
    code: String,
    detail: Option<String>,
    hint: Option<String>,
    class: u16,
    transient: bool,
}

#[derive(Serialize, Deserialize)]
struct KeptHolder {
    certainty: String,
    pid: i64,
    application: String,
    user: String,
    from: String,
    state: String,
    since: String,
    statement: String,
    hidden: Option<(String, String)>,
}

/// Writes down why a target failed and what was carried out; `None` if there is neither.
pub(super) fn write(failure: Option<&Failure>, migrations: &[Recorded]) -> Option<String> {
    if failure.is_none() && migrations.is_empty() {
        return None;
    }
    let one = |m: &Recorded| {
        let taken_up = m.taken_up.map(|how| how.as_str().to_owned());
        (m.version.number(), m.duration_ms, taken_up)
    };
    let detail = Detail {
        failure: failure.map(Kept::of),
        migrations: migrations.iter().map(one).collect(),
    };
    serde_json::to_string(&detail).ok()
}

/// Reads what [`write`] wrote; `None` for a text that it did not write.
pub(super) fn read(text: &str) -> Option<(Option<Failure>, Vec<Recorded>)> {
    let detail: Detail = serde_json::from_str(text).ok()?;
    let one = |(version, duration_ms, taken_up): (i64, u64, Option<String>)| {
        Some(Recorded {
            version: Version::from_number(version)?,
            duration_ms,
            taken_up: taken_up.and_then(|word| TakenUp::from_word(&word)),
        })
    };
    let migrations = detail.migrations.into_iter().map(one).collect::<Option<_>>()?;
    let failure = detail.failure.map(Kept::into_failure);
    Some((failure.flatten(), migrations))
}

impl Kept {
    fn of(failure: &Failure) -> Self {
        let (state, done) = match failure.state {
            StateAfter::RolledBack => ("rolled_back", 0),
            StateAfter::HalfWay { done } => ("half_way", done),
            StateAfter::SessionLost { done } => ("session_lost", done),
            StateAfter::Ambiguous => ("ambiguous", 0),
            StateAfter::Unknown => ("unknown", 0),
        };
        Self {
            code: failure.code.0,
            what: shorten(&failure.what, TEXT_MAX),
            migration: failure.migration.clone(),
            file: failure
                .file
                .as_ref()
                .map(|file| file.to_string_lossy().into_owned()),
            place: failure.place.map(|place| (place.line, place.column)),
            exact: failure.exact,
            snippet: failure
                .snippet
                .as_ref()
                .map(|s| (s.first_line, s.lines.clone(), s.caret, s.width)),
            statement: failure.statement,
            database: failure.database.as_ref().map(KeptError::of),
            holders: failure.holders.iter().map(KeptHolder::of).collect(),
            evidence: failure.evidence.clone(),
            state: state.to_owned(),
            done,
            causes: failure
                .causes
                .iter()
                .map(|cause| shorten(cause, TEXT_MAX))
                .collect(),
        }
    }

    fn into_failure(self) -> Option<Failure> {
        let done = self.done;
        let state = match self.state.as_str() {
            "rolled_back" => StateAfter::RolledBack,
            "half_way" => StateAfter::HalfWay { done },
            "session_lost" => StateAfter::SessionLost { done },
            "ambiguous" => StateAfter::Ambiguous,
            "unknown" => StateAfter::Unknown,
            _ => return None,
        };
        Some(Failure {
            code: Code(self.code),
            what: self.what,
            migration: self.migration,
            file: self.file.map(Into::into),
            place: self.place.map(|(line, column)| Place { line, column }),
            exact: self.exact,
            snippet: self.snippet.map(|(first_line, lines, caret, width)| Snippet {
                first_line,
                lines,
                caret,
                width,
            }),
            statement: self.statement,
            database: self.database.map(KeptError::into_error),
            holders: self
                .holders
                .into_iter()
                .map(KeptHolder::into_holder)
                .collect::<Option<_>>()?,
            evidence: self.evidence,
            state,
            causes: self.causes,
        })
    }
}

impl KeptError {
    fn of(error: &DatabaseError) -> Self {
        Self {
            message: shorten(&error.message, TEXT_MAX),
            code: error.code.clone(),
            detail: error.detail.as_deref().map(|text| shorten(text, TEXT_MAX)),
            hint: error.hint.as_deref().map(|text| shorten(text, TEXT_MAX)),
            class: error.class.0,
            transient: error.transient,
        }
    }

    fn into_error(self) -> DatabaseError {
        DatabaseError {
            message: self.message,
            code: self.code,
            detail: self.detail,
            hint: self.hint,
            class: Code(self.class),
            transient: self.transient,
        }
    }
}

impl KeptHolder {
    fn of(holder: &Holder) -> Self {
        let certainty = match holder.certainty {
            Certainty::Holds => "holds",
            Certainty::MayHold => "may_hold",
            Certainty::Hidden => "hidden",
        };
        Self {
            certainty: certainty.to_owned(),
            pid: holder.pid,
            application: holder.application.clone(),
            user: holder.user.clone(),
            from: holder.from.clone(),
            state: holder.state.clone(),
            since: holder.since.clone(),
            statement: shorten(&holder.statement, TEXT_MAX),
            hidden: holder
                .hidden
                .as_ref()
                .map(|hidden| (hidden.account.clone(), hidden.right.clone().into_owned())),
        }
    }

    fn into_holder(self) -> Option<Holder> {
        let certainty = match self.certainty.as_str() {
            "holds" => Certainty::Holds,
            "may_hold" => Certainty::MayHold,
            "hidden" => Certainty::Hidden,
            _ => return None,
        };
        Some(Holder {
            certainty,
            pid: self.pid,
            application: self.application,
            user: self.user,
            from: self.from,
            state: self.state,
            since: self.since,
            statement: self.statement,
            hidden: self.hidden.map(|(account, right)| Hidden {
                account,
                right: right.into(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let failure = Failure {
            file: Some("migrations/tenant/1_a.sql".into()),
            place: Some(Place { line: 3, column: 7 }),
            snippet: Some(Snippet {
                first_line: 2,
                lines: vec!["CREATE".to_owned(), "  TABEL".to_owned()],
                caret: 2,
                width: 5,
            }),
            statement: Some((2, 5)),
            database: Some(DatabaseError {
                message: "syntax error".to_owned(),
                code: "SQLSTATE 42601".to_owned(),
                detail: None,
                hint: Some("look".to_owned()),
                class: Code(2001),
                transient: false,
            }),
            holders: vec![Holder {
                certainty: Certainty::Hidden,
                pid: 7,
                application: "app".to_owned(),
                user: "u".to_owned(),
                from: "local".to_owned(),
                state: "idle".to_owned(),
                since: "then".to_owned(),
                statement: "SELECT 1".to_owned(),
                hidden: Some(Hidden {
                    account: "me".to_owned(),
                    right: "PROCESS".into(),
                }),
            }],
            state: StateAfter::HalfWay { done: 1 },
            causes: vec!["because".to_owned()],
            ..Failure::bare(Code(2001), "syntax error".to_owned())
        };
        let recorded = Recorded {
            version: Version::from_number(20_260_301_000_000).unwrap(),
            duration_ms: 41,
            taken_up: Some(TakenUp::Adopted),
        };
        let text = write(Some(&failure), std::slice::from_ref(&recorded)).unwrap();
        let (read_failure, migrations) = read(&text).unwrap();
        assert_eq!(read_failure, Some(failure));
        assert_eq!(migrations, [recorded]);
        assert_eq!(write(None, &[]), None);
        assert!(read("{}").is_some_and(|(failure, migrations)| failure.is_none() && migrations.is_empty()));
        assert!(read("nonsense").is_none());
    }
}
