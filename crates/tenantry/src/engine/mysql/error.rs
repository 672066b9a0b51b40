//! The driver's errors to ours: which code, which class, whether the connection is gone.

use std::io;

use mysql_async::{DriverError, Error, IoError, ServerError};

use super::wire::MoreResults;
use crate::code::Code;
use crate::engine::error::{DatabaseError, SessionError};
use crate::engine::text::clean;

/// `ER_QUERY_INTERRUPTED`: `KILL QUERY` reached the statement.
pub(super) const INTERRUPTED: u16 = 1317;
/// `ER_DUP_ENTRY`.
pub(super) const DUPLICATE: u16 = 1062;
/// `ER_SUBQUERY_NO_1_ROW`: how a guard of ours says no.
pub(super) const GUARD_SAYS_NO: u16 = 1242;
/// `ER_PARSE_ERROR`.
pub(super) const CANNOT_BE_READ: u16 = 1064;
/// `ER_SP_DOES_NOT_EXIST`.
pub(super) const NO_ROUTINE: u16 = 1305;
/// `ER_TRG_CORRUPTED_FILE`.
const CORRUPT_TRIGGER: u16 = 1602;
/// `ER_BAD_FIELD_ERROR`.
const NO_COLUMN: u16 = 1054;
/// `ER_NO_SUCH_TABLE`.
pub(super) const NO_TABLE: u16 = 1146;

/// Returns the server's words as our value, cleaned and cut.
pub(super) fn database_error(error: &ServerError) -> DatabaseError {
    DatabaseError {
        message: clean(&error.message),
        code: format!("errno {}, SQLSTATE {}", error.code, clean(&error.state)),
        detail: None,
        hint: hint(error).map(str::to_owned),
        class: class_of(error.code),
        transient: matches!(error.code, 1205 | 1213 | 3572),
    }
}

/// Returns what cures an error whose words lead astray; `None` for all others.
///
/// `MariaDB` 10.11 keeps a table whose trigger it was reading when the session was killed as one with a broken
/// trigger, for everybody, until it opens the table anew; what is on its disk is whole (21 of 3,628 kills in a trial,
/// each time cured so).
fn hint(error: &ServerError) -> Option<&'static str> {
    let in_body = error.code == CANNOT_BE_READ && error.message.contains("rigger has an error in its body");
    let is_broken_trigger = in_body || error.code == CORRUPT_TRIGGER;
    is_broken_trigger.then_some(
        "if a session was killed while the server read this trigger, it remembers only a part of it; \
         FLUSH TABLES makes it read the trigger again",
    )
}

/// Returns whether a `KILL QUERY` was the answer to a question of ours.
pub(super) fn is_interruption(error: &DatabaseError) -> bool {
    error.code.starts_with(&format!("errno {INTERRUPTED},"))
}

/// Returns the code of the 2xxx block.
///
/// Numbers: "Server Error Message Reference" of MySQL 8.0, "MariaDB Error Codes".
pub(super) fn class_of(errno: u16) -> Code {
    Code(match errno {
        1064 | 1149 | 4161 => 2001,
        1049 | 1051 | 1054 | 1072 | 1091 | 1109 | 1146 | 1176 | 1305 | 1360 | 1412 | 1539 => 2002,
        1062 | 1169 | 1586 => 2003,
        1048 | 1138 | 1216 | 1217 | 1264 | 1265 | 1292 | 1364 | 1365 | 1366 | 1406 | 1411 | 1451 | 1452
        | 1690 | 3819 | 4025 => 2004,
        1205 | 3572 => 2005,
        1969 | 3024 => 2006,
        28 | 1021 | 1114 => 2009,
        1213 => 2010,
        _ => 2000,
    })
}

/// Returns the error of a session that was already open.
pub(super) fn session_error(error: &Error) -> SessionError {
    match error {
        Error::Server(server) if !ends_connection(server) => SessionError::of_refused(database_error(server)),
        // Not a lost connection: another attempt would send the same message again.
        Error::Other(said) if said.is::<MoreResults>() => SessionError::Database(DatabaseError {
            message: MoreResults.to_string(),
            code: "no errno".to_owned(),
            detail: None,
            hint: None,
            class: Code(2012),
            transient: false,
        }),
        Error::Server(_) | Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => {
            SessionError::Lost {
                reason: clean(&error.to_string()),
            }
        }
    }
}

/// Returns the error of a question for our own tables: one that is not there, or lacks a column, is damage.
pub(super) fn history_error(error: &Error) -> SessionError {
    if let Error::Server(server) = error
        && matches!(server.code, NO_TABLE | NO_COLUMN)
    {
        return SessionError::HistoryDamaged {
            reason: clean(&server.message),
        };
    }
    session_error(error)
}

/// Returns whether the server closes the connection with this error.
pub(super) fn ends_connection(error: &ServerError) -> bool {
    match error.code {
        1053 | 1152 | 1159 | 1160 | 1161 | 1184 | 1927 | 3169 => true,
        // MySQL's word for a client that was silent for too long is MariaDB's for a trigger that is not there.
        4031 => error.message.contains("disconnected"),
        _ => false,
    }
}

/// Returns the error of a connection that could not be opened.
pub(super) fn open_error(error: Error, endpoint: String, user: &str, database: &str) -> SessionError {
    match error {
        Error::Server(server) => refused(&server, endpoint, user, database),
        Error::Io(IoError::Tls(tls)) => SessionError::Tls {
            endpoint,
            reason: clean(&tls.to_string()),
        },
        Error::Io(IoError::Io(source)) if tls_error(&source).is_some() => SessionError::Tls {
            endpoint,
            reason: clean(&source.to_string()),
        },
        Error::Io(IoError::Io(source)) => SessionError::Unreachable { endpoint, source },
        Error::Driver(DriverError::NoClientSslFlagFromServer) => SessionError::Tls {
            endpoint,
            reason: "the server offers no TLS".to_owned(),
        },
        Error::Driver(
            refused @ (DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::UnknownAuthPlugin { .. }),
        ) => SessionError::Unsuitable {
            endpoint,
            reason: format!(
                "its way to log in is not allowed: {}",
                clean(&refused.to_string())
            ),
        },
        other @ (Error::Driver(_) | Error::Other(_) | Error::Url(_)) => SessionError::Unreachable {
            endpoint,
            source: io::Error::other(clean(&other.to_string())),
        },
    }
}

fn refused(server: &ServerError, endpoint: String, user: &str, database: &str) -> SessionError {
    let source = database_error(server);
    match server.code {
        1044 | 1045 | 1698 | 3118 | 4151 => SessionError::AuthFailed {
            endpoint,
            user: user.to_owned(),
            source,
        },
        1049 => SessionError::NoDatabase {
            database: database.to_owned(),
            endpoint,
        },
        1040 | 1203 | 1226 => SessionError::Exhausted { endpoint, source },
        _ => SessionError::Database(source),
    }
}

/// Returns the TLS error inside an input/output error, if it is one.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_error_has_its_number_its_class_and_clean_words() {
        let error = ServerError {
            code: 1062,
            message: "a\u{1b}[31m".to_owned(),
            state: "23000".to_owned(),
        };
        let ours = database_error(&error);
        assert!(!ours.message.contains('\u{1b}'));
        assert_eq!(ours.code, "errno 1062, SQLSTATE 23000");
        assert_eq!(ours.class, Code(2003));
    }

    #[test]
    fn a_trigger_that_the_server_remembers_half_is_told_with_its_cure() {
        let error = |message: &str| ServerError {
            code: 1064,
            message: message.to_owned(),
            state: "42000".to_owned(),
        };
        let half = error("Unknown trigger has an error in its body: 'Query was empty'");
        assert!(database_error(&half).hint.unwrap().contains("FLUSH TABLES"));
        assert_eq!(database_error(&error("near 'x' at line 1")).hint, None);
    }

    #[test]
    fn values_that_do_not_fit_have_a_class_of_their_own() {
        for truncated in [1264, 1265, 1292, 1366, 1406] {
            assert_eq!(class_of(truncated), Code(2004), "{truncated}");
        }
        assert_eq!(class_of(1292 + 6000), Code(2000));
    }
}
