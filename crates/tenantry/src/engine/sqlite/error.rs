//! SQLite's result codes as our errors.

use rusqlite::ffi::{self, ErrorCode};
use rusqlite::{Connection, Row};

use crate::code::Code;
use crate::engine::{DatabaseError, SessionError};
use crate::history::{HISTORY_TABLE, META_TABLE};

/// Names of the codes that people meet, from the manual's "Result and Error Codes".
const NAMES: [(i32, &str); 42] = [
    (ffi::SQLITE_ERROR, "SQLITE_ERROR"),
    (ffi::SQLITE_INTERNAL, "SQLITE_INTERNAL"),
    (ffi::SQLITE_PERM, "SQLITE_PERM"),
    (ffi::SQLITE_ABORT, "SQLITE_ABORT"),
    (ffi::SQLITE_BUSY, "SQLITE_BUSY"),
    (ffi::SQLITE_LOCKED, "SQLITE_LOCKED"),
    (ffi::SQLITE_NOMEM, "SQLITE_NOMEM"),
    (ffi::SQLITE_READONLY, "SQLITE_READONLY"),
    (ffi::SQLITE_INTERRUPT, "SQLITE_INTERRUPT"),
    (ffi::SQLITE_IOERR, "SQLITE_IOERR"),
    (ffi::SQLITE_CORRUPT, "SQLITE_CORRUPT"),
    (ffi::SQLITE_FULL, "SQLITE_FULL"),
    (ffi::SQLITE_CANTOPEN, "SQLITE_CANTOPEN"),
    (ffi::SQLITE_PROTOCOL, "SQLITE_PROTOCOL"),
    (ffi::SQLITE_SCHEMA, "SQLITE_SCHEMA"),
    (ffi::SQLITE_TOOBIG, "SQLITE_TOOBIG"),
    (ffi::SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"),
    (ffi::SQLITE_MISMATCH, "SQLITE_MISMATCH"),
    (ffi::SQLITE_MISUSE, "SQLITE_MISUSE"),
    (ffi::SQLITE_AUTH, "SQLITE_AUTH"),
    (ffi::SQLITE_RANGE, "SQLITE_RANGE"),
    (ffi::SQLITE_NOTADB, "SQLITE_NOTADB"),
    (ffi::SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"),
    (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (ffi::SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"),
    (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"),
    (ffi::SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"),
    (ffi::SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"),
    (ffi::SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"),
    (ffi::SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"),
    (ffi::SQLITE_BUSY_RECOVERY, "SQLITE_BUSY_RECOVERY"),
    (ffi::SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT"),
    (ffi::SQLITE_READONLY_DIRECTORY, "SQLITE_READONLY_DIRECTORY"),
    (ffi::SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED"),
    (ffi::SQLITE_CANTOPEN_SYMLINK, "SQLITE_CANTOPEN_SYMLINK"),
    (ffi::SQLITE_CANTOPEN_ISDIR, "SQLITE_CANTOPEN_ISDIR"),
    (ffi::SQLITE_IOERR_READ, "SQLITE_IOERR_READ"),
    (ffi::SQLITE_IOERR_SHORT_READ, "SQLITE_IOERR_SHORT_READ"),
    (ffi::SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"),
    (ffi::SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"),
    (ffi::SQLITE_IOERR_LOCK, "SQLITE_IOERR_LOCK"),
    (ffi::SQLITE_CORRUPT_INDEX, "SQLITE_CORRUPT_INDEX"),
];

/// Why a migration may not do what the authorizer refused.
const REFUSED_HINT: &str = "a migration must not attach files, begin or end a transaction, load code, \
    or change settings of the whole process";

/// Returns the name of an extended result code, or of the primary code below it.
fn name_of(extended: i32) -> &'static str {
    let named = |code: i32| {
        NAMES
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, name)| *name)
    };
    named(extended)
        .or_else(|| named(extended & 0xff))
        .unwrap_or("SQLITE_ERROR")
}

/// Returns SQLite's code, where the error is SQLite's and not the driver's.
fn code_of(error: &rusqlite::Error) -> Option<ffi::Error> {
    if let rusqlite::Error::SqlInputError { error, .. } = error {
        return Some(*error);
    }
    error.sqlite_error().copied()
}

/// Returns whether another connection holds what we need.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    is(error, ErrorCode::DatabaseBusy) || is(error, ErrorCode::DatabaseLocked)
}

/// Returns whether an error has this primary code.
pub(super) fn is(error: &rusqlite::Error, code: ErrorCode) -> bool {
    code_of(error).is_some_and(|found| found.code == code)
}

/// Returns the byte of the statement that SQLite points at; `None` where it points at none.
pub(super) fn offset(error: &rusqlite::Error) -> Option<usize> {
    if let rusqlite::Error::SqlInputError { offset, .. } = error {
        return usize::try_from(*offset).ok();
    }
    None
}

/// Returns SQLite's own words, with the class they belong to.
pub(super) fn database_error(error: &rusqlite::Error) -> DatabaseError {
    let message = if let rusqlite::Error::SqlInputError { msg, .. }
    | rusqlite::Error::SqliteFailure(_, Some(msg)) = error
    {
        msg.clone()
    } else {
        error.to_string()
    };
    let code = code_of(error);
    // A function is refused under the general code.
    let refused = is(error, ErrorCode::AuthorizationForStatementDenied)
        || message.starts_with("not authorized to use function");
    DatabaseError {
        class: code.map_or(Code(2000), |code| class(code, &message)),
        message,
        code: code.map_or_else(
            || "SQLite driver".to_owned(),
            |code| format!("SQLite {} ({})", code.extended_code, name_of(code.extended_code)),
        ),
        detail: None,
        hint: refused.then(|| REFUSED_HINT.to_owned()),
        transient: is_busy(error),
    }
}

/// Returns the class of a code; SQLite puts most errors under code 1, where only the words tell.
fn class(code: ffi::Error, message: &str) -> Code {
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return Code(2003);
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL
        | ffi::SQLITE_CONSTRAINT_CHECK
        | ffi::SQLITE_CONSTRAINT_FOREIGNKEY
        | ffi::SQLITE_CONSTRAINT_DATATYPE => {
            return Code(2004);
        }
        _ => {}
    }
    if matches!(code.code, ErrorCode::TypeMismatch | ErrorCode::TooBig) {
        return Code(2004);
    }
    if matches!(code.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) {
        return Code(2005);
    }
    if code.code == ErrorCode::DiskFull {
        return Code(2009);
    }
    if code.code != ErrorCode::Unknown {
        return Code(2000);
    }
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["syntax error", "incomplete input", "unrecognized token"]) {
        Code(2001)
    } else if has(&[
        "no such table",
        "no such column",
        "has no column named",
        "no such function",
    ]) {
        Code(2002)
    } else if has(&["from within a transaction", "inside a transaction"]) {
        Code(2008)
    } else {
        Code(2000)
    }
}

/// Finds views in the place of our tables and triggers on them. A trigger keeps the name of its table as it was typed.
const FOREIGN: &str = "SELECT type, name, tbl_name FROM main.sqlite_schema
    WHERE (type = 'view' OR type = 'trigger')
    AND tbl_name COLLATE NOCASE IN ('_tenantry_meta', '_tenantry_history') ORDER BY name LIMIT 3";

/// Returns the damage that somebody else's program does in the place of our tables, or on them: at most three views
/// and triggers by their names.
pub(super) fn foreign_program(connection: &Connection) -> SessionError {
    let named = |row: &Row<'_>| {
        let (kind, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(match kind.as_str() {
            "view" => format!("a view stands in the place of `{name}`"),
            _ => format!("the trigger `{name}` stands on `{table}`"),
        })
    };
    let found = connection.prepare(FOREIGN).and_then(|mut statement| {
        let rows = statement.query_map([], named)?;
        rows.collect::<rusqlite::Result<Vec<String>>>()
    });
    let reason = match found {
        Ok(found) if !found.is_empty() => found.join(", "),
        Ok(_) | Err(_) => format!(
            "a view stands in the place of `{META_TABLE}` or `{HISTORY_TABLE}`, or a trigger on one of them"
        ),
    };
    SessionError::HistoryDamaged { reason }
}

/// Returns the error of one of our own statements on the file at `endpoint`; what it was refused for is looked up.
pub(super) fn statement_error(
    connection: &Connection,
    endpoint: &str,
    error: &rusqlite::Error,
) -> SessionError {
    if is(error, ErrorCode::AuthorizationForStatementDenied) {
        return foreign_program(connection);
    }
    session_error(endpoint, error)
}

/// Returns the error of opening the file at `endpoint`, or of using it at all.
pub(super) fn session_error(endpoint: &str, error: &rusqlite::Error) -> SessionError {
    let Some(code) = code_of(error) else {
        return SessionError::Database(database_error(error));
    };
    let reason = if code.extended_code == ffi::SQLITE_CANTOPEN_SYMLINK {
        "it is a symbolic link"
    } else if code.code == ErrorCode::NotADatabase {
        "it is not an SQLite database, or it is encrypted"
    } else if code.code == ErrorCode::DatabaseCorrupt {
        "the file is damaged"
    } else if matches!(code.code, ErrorCode::CannotOpen | ErrorCode::PermissionDenied) {
        "the file, its folder or its journal cannot be opened"
    } else if code.code == ErrorCode::ReadOnly {
        "the file, its folder or its journal is read-only"
    } else {
        return SessionError::Database(database_error(error));
    };
    SessionError::Unsuitable {
        endpoint: endpoint.to_owned(),
        reason: reason.to_owned(),
    }
}
