//! Triggers that the server remembers only in part, once a statement was stopped while the server read them.

use std::time::{Duration, Instant};

use mysql_async::{Conn, Error, Row};

use super::error::{CANNOT_BE_READ, INTERRUPTED};
use super::quote::identifier;
use super::tables::{Names, text};
use super::wire::{ALL, Part, Role, Sent, send};

/// How long all of it may take: whoever cancelled is waiting.
const AT_MOST: Duration = Duration::from_secs(2);
/// How often a table is tried that somebody is using, or that a late request to cancel was about.
const TRIES: usize = 3;
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(30);

/// Makes the server read the triggers of the database's `InnoDB` tables again, as far as nobody is using them: nobody
/// is waited for, and nobody has to wait. Rolls back what is open; changes nothing that is stored.
///
/// `MariaDB` 10.11 stops a `KILL QUERY` in the middle of a trigger's text, and the table stays open with it, for
/// everybody: the next row that is written fails with errno 1064, until the table is opened anew. In a trial it came
/// with 7 of 238 cancelled statements, and with none of 204 behind which this was done. `FLUSH TABLES` needs a right
/// that a tenant's role does not have. A repair does nothing to an `InnoDB` table but to open it anew, and can be kept out
/// of the binary log: a replica would wait for its readers.
pub(super) async fn read_again(conn: &mut Conn, names: &Names) {
    // A repair commits; what a cancelled statement left open must be gone before.
    if !is_rolled_back(conn).await {
        return;
    }
    let begun = Instant::now();
    for table in with_triggers(conn, names).await {
        if begun.elapsed() > AT_MOST {
            tracing::warn!("no time to make the server read every trigger again");
            return;
        }
        let Some(quoted) = identifier(&table) else {
            continue;
        };
        match open_anew(conn, names, &quoted).await {
            Ok(()) => {}
            Err(Refused::Unknown) => return,
            Err(Refused::Told(error)) => {
                tracing::warn!(
                    table,
                    error,
                    "the server may remember a trigger of it in part; FLUSH TABLES cures that"
                );
            }
        }
    }
}

/// Why a table was not opened anew.
enum Refused {
    /// The server does not know the statement: `MySQL`, which was not seen to need it.
    Unknown,
    /// In the server's words: somebody is using it, mostly.
    Told(String),
}

/// Opens a table anew unless somebody is using it.
async fn open_anew(conn: &mut Conn, names: &Names, quoted: &str) -> Result<(), Refused> {
    let table = format!("{}.{quoted}", names.quoted);
    let at_once = "SET STATEMENT lock_wait_timeout = 0 FOR";
    // A table of an older server's format would be copied.
    let check = format!("{at_once} CHECK TABLE {table} FOR UPGRADE");
    let repair = format!("{at_once} REPAIR NO_WRITE_TO_BINLOG TABLE {table}");
    let mut told = Ok(());
    for _ in 0..TRIES {
        told = match is_done(conn, &check).await {
            Ok(()) => is_done(conn, &repair).await,
            refused => refused,
        };
        match &told {
            Err(Refused::Told(_)) => tokio::time::sleep(PAUSE).await,
            Ok(()) | Err(Refused::Unknown) => return told,
        }
    }
    told
}

/// Sends a statement whose result tells what hinders it: it is done where that says OK or gives no more than a note.
async fn is_done(conn: &mut Conn, sql: &str) -> Result<(), Refused> {
    let sent = once(conn, sql).await;
    match &sent.failure {
        Some(Error::Server(error)) if error.code == CANNOT_BE_READ => Err(Refused::Unknown),
        Some(error) => Err(Refused::Told(error.to_string())),
        None => match sent.rows(0).iter().find(|row| !is_fine(row)) {
            Some(row) => Err(Refused::Told(text(row, 3).unwrap_or_default())),
            None => Ok(()),
        },
    }
}

fn is_fine(row: &Row) -> bool {
    let (kind, said) = (text(row, 2).unwrap_or_default(), text(row, 3));
    kind.eq_ignore_ascii_case("note") || said.as_deref() == Some("OK")
}

/// Returns whether nothing is open in the session any more. A late request to cancel may meet the first try.
async fn is_rolled_back(conn: &mut Conn) -> bool {
    let first = once(conn, "ROLLBACK").await;
    match first.failure {
        None => true,
        Some(Error::Server(error)) if error.code == INTERRUPTED => {
            once(conn, "ROLLBACK").await.failure.is_none()
        }
        Some(_) => false,
    }
}

async fn once(conn: &mut Conn, sql: &str) -> Sent {
    send(conn, &[Part::new(Role::Own, sql)]).await
}

/// Returns the tables that have triggers; none if the server does not say.
async fn with_triggers(conn: &mut Conn, names: &Names) -> Vec<String> {
    let question = format!(
        "SELECT DISTINCT t.event_object_table FROM information_schema.triggers t \
         JOIN information_schema.tables b ON b.table_schema = t.event_object_schema \
         AND b.table_name = t.event_object_table \
         WHERE t.event_object_schema = {} AND b.engine = 'InnoDB' {ALL}",
        names.database
    );
    let mut sent = once(conn, &question).await;
    if sent.failure.is_some() {
        sent = once(conn, &question).await;
    }
    sent.rows(0).iter().filter_map(|row| text(row, 0)).collect()
}
