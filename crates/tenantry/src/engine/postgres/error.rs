//! PostgreSQL's errors in our terms.

use tokio_postgres::error::{DbError, ErrorPosition, Severity};

use crate::code::Code;
use crate::engine::text::clean;
use crate::engine::{DatabaseError, SessionError};

/// A driver error, taken apart: the server's words with the position it gave, or a broken connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused a statement.
    Refused {
        /// Its words.
        error: DatabaseError,
        /// Its SQLSTATE.
        sqlstate: String,
        /// The position in the message, in characters from 1.
        position: Option<usize>,
        /// Whether the server was inside a function or procedure.
        inside_routine: bool,
    },
    /// The connection broke.
    Lost(String),
}

impl Failure {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // The server or a pooler ends the session; what it last did is not known here.
            Some(db) if ends_session(db) => Self::Lost(clean(db.message())),
            Some(db) => Self::Refused {
                error: database_error(db),
                sqlstate: db.code().code().to_owned(),
                position: match db.position() {
                    Some(ErrorPosition::Original(at)) => usize::try_from(*at).ok(),
                    Some(ErrorPosition::Internal { .. }) | None => None,
                },
                inside_routine: db.where_().is_some(),
            },
            None => Self::Lost(root_cause(error)),
        }
    }

    /// Returns whether a statement by itself was refused before it did anything: it cannot be read, or what
    /// it names is not there or not allowed, or it is not supported there (class 42, 3F000 and 0A000, "PostgreSQL
    /// Error Codes"). Inside a
    /// procedure that proves nothing, because the procedure may have committed before.
    pub(super) fn proves_nothing_done(&self) -> bool {
        match self {
            Self::Refused {
                sqlstate,
                inside_routine,
                ..
            } => {
                !inside_routine
                    && (sqlstate.starts_with("42") || matches!(sqlstate.as_str(), "3F000" | "0A000"))
            }
            Self::Lost(_) => false,
        }
    }

    /// Returns the same failure without its position, which is not one in a file.
    pub(super) fn without_place(self) -> Self {
        match self {
            Self::Refused {
                error,
                sqlstate,
                inside_routine,
                ..
            } => Self::Refused {
                error,
                sqlstate,
                position: None,
                inside_routine,
            },
            lost @ Self::Lost(_) => lost,
        }
    }

    /// Returns the error of a statement of our own.
    pub(super) fn into_session_error(self) -> SessionError {
        match self {
            Self::Refused { error, .. } => SessionError::of_refused(error),
            Self::Lost(reason) => SessionError::Lost { reason },
        }
    }
}

/// Returns whether nothing comes behind this error; what the session last did is not known here then.
///
/// Class 57P: a shutdown, a crash, an administrator, an idle session. 25P03 and 25P04: a transaction that was idle or
/// took too long, as that of a process that was frozen ("PostgreSQL Error Codes"). Whatever is FATAL ("Message
/// Severity Levels"). `PgBouncer` says it in class 08 of a server that went away, without the field that every server
/// since 9.6 sends.
fn ends_session(db: &DbError) -> bool {
    let code = db.code().code();
    let is_over = match db.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => code.starts_with("08"),
    };
    is_over || code.starts_with("57P") || matches!(code, "25P03" | "25P04")
}

/// Returns the innermost words of an error.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    clean(&deepest.to_string())
}

/// Returns the server's words in our form.
pub(super) fn database_error(db: &DbError) -> DatabaseError {
    let sqlstate = db.code().code();
    DatabaseError {
        message: clean(db.message()),
        code: format!("SQLSTATE {sqlstate}"),
        detail: db.detail().map(clean),
        hint: db.hint().map(clean).or_else(|| ours(sqlstate)),
        class: class_of(sqlstate),
        transient: matches!(sqlstate, "55P03" | "40P01" | "40001"),
    }
}

/// Returns what helps where the server says too little.
fn ours(sqlstate: &str) -> Option<String> {
    let says =
        "a COMMIT or ROLLBACK inside a block, function or procedure ends the transaction of the migration";
    (sqlstate == "2D000").then(|| says.to_owned())
}

/// Returns our code for an SQLSTATE ("PostgreSQL Error Codes", appendix A of its manual).
fn class_of(sqlstate: &str) -> Code {
    Code(match sqlstate {
        "42601" => 2001,
        "42P01" | "42703" | "42883" | "42704" | "3F000" => 2002,
        "23505" => 2003,
        "23502" | "23503" | "23514" | "23P01" => 2004,
        "55P03" => 2005,
        "57014" => 2006,
        "25001" => 2008,
        // `invalid_transaction_termination`: a COMMIT or ROLLBACK inside a block, function or procedure.
        "2D000" => 2012,
        "53100" => 2009,
        "40P01" | "40001" => 2010,
        "42501" => 2014,
        // Class 22 is "data exception": values that do not fit a type.
        other if other.starts_with("22") => 2004,
        _ => 2000,
    })
}
