//! Who holds what we wait for: the migration lock, or a lock that a statement needs.

use std::time::Duration;

use mysql_async::{Conn, Error};

use super::dial;
use super::error::session_error;
use super::tables::{Names, text};
use super::wire::{ALL, Part, Role, send};
use crate::engine::address::NetworkAddress;
use crate::engine::error::{Certainty, Hidden, Holder, SessionError};
use crate::engine::session::{Look, Onlooker, OpenOptions};

/// The account lacks a right that is not about an object (`ER_SPECIFIC_ACCESS_DENIED_ERROR`).
const LACKS_RIGHT: u16 = 1227;
/// With it an account sees every session ("SHOW PROCESSLIST").
const SEES_ALL: &str = "PROCESS";
/// How much of a holder's statement is shown, in bytes.
const STATEMENT_MAX: usize = 200;
/// How long a look from a second connection may take once it is connected.
const LOOK_AT_MOST: Duration = Duration::from_secs(5);
/// How many sessions are told that may be in the way.
const TOLD_AT_MOST: usize = 5;

/// What is told of a session. An account without the right PROCESS sees its own ("SHOW PROCESSLIST").
const COLUMNS: &str = "SELECT p.id, p.host, p.user, DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL p.time SECOND, \
     '%Y-%m-%dT%H:%i:%sZ'), p.info, p.command, p.state FROM information_schema.processlist p";

/// Returns who holds the migration lock, as far as the server lets us see; empty if it says nothing.
pub(super) async fn of_migration_lock(conn: &mut Conn, names: &Names) -> Vec<Holder> {
    let question = format!("{COLUMNS} WHERE p.id = IS_USED_LOCK({}) {ALL}", names.lock);
    let seen = ask(conn, &question, Certainty::Holds).await.unwrap_or_default();
    if !seen.is_empty() {
        return seen;
    }
    // Its connection is no secret.
    let whose = Part::new(Role::Question, format!("SELECT IS_USED_LOCK({})", names.lock));
    let sent = send(conn, &[whose]).await;
    let pid = sent.rows(0).first().and_then(|row| text(row, 0)?.parse().ok());
    let unseen = pid.map(|pid| Holder {
        certainty: Certainty::Holds,
        pid,
        ..unseen(conn)
    });
    unseen.into_iter().collect()
}

/// Describes whoever the account may not see.
fn unseen(conn: &Conn) -> Holder {
    Holder {
        certainty: Certainty::Hidden,
        pid: 0,
        application: String::new(),
        user: String::new(),
        from: String::new(),
        state: String::new(),
        since: String::new(),
        statement: String::new(),
        hidden: Some(Hidden {
            account: conn.opts().user().unwrap_or_default().to_owned(),
            right: SEES_ALL.into(),
        }),
    }
}

/// Whether the account sees no sessions but its own: what tells of everybody's transactions is refused then.
async fn sees_only_its_own(conn: &mut Conn) -> bool {
    let question = "SELECT 1 FROM information_schema.innodb_trx LIMIT 1";
    let sent = send(conn, &[Part::new(Role::Question, question)]).await;
    matches!(&sent.failure, Some(Error::Server(error)) if error.code == LACKS_RIGHT)
}

/// Returns the error of questions about our tables with the sessions that may keep us out of them, if it is that;
/// every other as it is.
pub(super) async fn with_holders(conn: &mut Conn, error: SessionError) -> SessionError {
    let SessionError::LockTimeout { source, .. } = error else {
        return error;
    };
    let holders = in_the_way_of(conn, "CONNECTION_ID()").await;
    SessionError::LockTimeout { holders, source }
}

/// Returns what tells who is in the way of the running statement of connection `id`.
pub(super) fn onlooker(id: u64, address: &NetworkAddress, options: &OpenOptions) -> Onlooker {
    let address = address.clone();
    let options = OpenOptions {
        application_name: format!("{} onlooker", options.application_name),
        ..options.clone()
    };
    Onlooker::new(move || {
        let (address, options) = (address.clone(), options.clone());
        async move {
            let looking = async {
                let mut conn = dial(&address, &options).await?;
                look(&mut conn, id).await
            };
            match tokio::time::timeout(options.connect_timeout + LOOK_AT_MOST, looking).await {
                Ok(Ok(look)) => look,
                Ok(Err(error)) if !error.is_silence() => Look::AtIt(Vec::new()),
                Ok(Err(_)) | Err(_) => Look::Silent,
            }
        }
    })
}

async fn look(conn: &mut Conn, id: u64) -> Result<Look, SessionError> {
    // An account sees its own sessions without any right ("SHOW PROCESSLIST").
    let there = format!("SELECT id FROM information_schema.processlist WHERE id = {id} {ALL}");
    let sent = send(conn, &[Part::new(Role::Question, there)]).await;
    match &sent.failure {
        Some(error) => Err(session_error(error)),
        None if sent.rows(0).is_empty() => Ok(Look::Gone),
        None => Ok(Look::AtIt(in_the_way_of(conn, &id.to_string()).await)),
    }
}

/// Returns who is in the way: for certain where the server lets us see its row locks, or has the plugin
/// `METADATA_LOCK_INFO`; else the other sessions in the database, the longest in their state first, and those of the same
/// account that are in none, whose statements may name it.
async fn in_the_way_of(conn: &mut Conn, id: &str) -> Vec<Holder> {
    let rows = format!(
        "{COLUMNS} JOIN information_schema.innodb_trx b ON b.trx_mysql_thread_id = p.id \
         JOIN information_schema.innodb_lock_waits w ON w.blocking_trx_id = b.trx_id \
         JOIN information_schema.innodb_trx r ON r.trx_id = w.requesting_trx_id \
         WHERE r.trx_mysql_thread_id = {id} {ALL}"
    );
    let tables = format!(
        "{COLUMNS} WHERE p.id <> {id} AND p.id IN (SELECT thread_id FROM information_schema.metadata_lock_info \
         WHERE table_schema = DATABASE()) ORDER BY p.time DESC {ALL}"
    );
    for question in [rows, tables] {
        // Refused without the right PROCESS, or where the plugin is not there.
        if let Some(found) = ask(conn, &question, Certainty::Holds).await
            && !found.is_empty()
        {
            return found;
        }
    }
    let near = format!(
        "{COLUMNS} WHERE (p.db = DATABASE() OR p.db IS NULL AND p.user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1)) \
         AND p.id NOT IN ({id}, CONNECTION_ID()) ORDER BY p.db IS NULL, p.time DESC LIMIT {TOLD_AT_MOST}"
    );
    let near = ask(conn, &near, Certainty::MayHold).await.unwrap_or_default();
    if near.is_empty() && sees_only_its_own(conn).await {
        return vec![unseen(conn)];
    }
    near
}

/// Asks for sessions; `None` if the server refuses the question.
async fn ask(conn: &mut Conn, question: &str, certainty: Certainty) -> Option<Vec<Holder>> {
    let sent = send(conn, &[Part::new(Role::Question, question)]).await;
    if sent.failure.is_some() {
        return None;
    }
    let mut found = Vec::new();
    for row in sent.rows(0) {
        let column = |at| text(row, at).unwrap_or_default();
        let mut statement = column(4);
        statement.truncate(statement.floor_char_boundary(STATEMENT_MAX));
        found.push(Holder {
            certainty,
            pid: column(0).parse().unwrap_or_default(),
            application: String::new(),
            user: column(2),
            from: column(1),
            state: [column(5), column(6)]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
            since: column(3),
            statement,
            hidden: None,
        });
    }
    for holder in &mut found {
        if let Some(program) = program(conn, holder.pid).await {
            holder.application = program;
        }
    }
    Some(found)
}

/// Returns the program name that a connection of our own account gave; `None` if the server keeps none.
async fn program(conn: &mut Conn, pid: i64) -> Option<String> {
    let question = format!(
        "SELECT attr_value FROM performance_schema.session_account_connect_attrs \
         WHERE processlist_id = {pid} AND attr_name = 'program_name'"
    );
    let sent = send(conn, &[Part::new(Role::Probe, question)]).await;
    text(sent.rows(0).first()?, 0)
}
