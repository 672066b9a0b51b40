//! Who holds what we wait for: the migration lock, or a lock that a statement needs.

use std::time::Duration;

use super::connect::{Connection, Settings};
use super::error::Failure;
use super::session::Locked;
use crate::engine::text::clean;
use crate::engine::{Certainty, Hidden, Holder, Look, NetworkAddress, Onlooker, OpenOptions, SessionError};

/// How long a look from a second connection may take once it is connected.
const LOOK_AT_MOST: Duration = Duration::from_secs(5);

/// What stands in the place of a statement that the role may not see (`pg_stat_get_activity`; it is not translated).
const UNSEEN: &str = "<insufficient privilege>";
/// With it a role sees every session ("Predefined Roles"); `pg_monitor` contains it.
const SEES_ALL: &str = "pg_read_all_stats";

/// What is told of a session. Of another role's sessions the server shows a name and no more ("The
/// Cumulative Statistics System", `pg_stat_activity`).
const COLUMNS: &str = "a.application_name, a.usename, pg_catalog.to_char(a.state_change AT TIME ZONE 'UTC', \
     'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), pg_catalog.left(a.query, 200), pg_catalog.host(a.client_addr), a.client_port, \
     a.state, a.wait_event_type, a.wait_event";

/// Returns who holds the migration lock, as far as the server tells us; empty if it will not.
pub(super) async fn of_migration_lock(connection: &mut Connection, key: i64) -> Vec<Holder> {
    let text = format!(
        "SELECT a.pid, {COLUMNS} \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE {}",
        holds(key)
    );
    ask(connection, &text).await
}

/// Returns who keeps readers out of our tables, by having them or by waiting for them; empty if nobody does any more.
pub(super) async fn of_our_tables(connection: &mut Connection) -> Vec<Holder> {
    let text = format!(
        "SELECT DISTINCT a.pid, {COLUMNS} \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
         AND l.relation IN (pg_catalog.to_regclass('public._tenantry_history'), \
         pg_catalog.to_regclass('public._tenantry_meta'))"
    );
    ask(connection, &text).await
}

/// The condition of a row `l` of `pg_locks` that stands for the migration lock.
fn holds(key: i64) -> String {
    // An advisory lock's 64-bit key stands in pg_locks as two 32-bit halves ("pg_locks").
    format!(
        "l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
         AND (l.classid::bigint << 32 | l.objid::bigint) = {key}"
    )
}

/// Returns what tells who is in the way of the session's running statement.
pub(super) fn onlooker(session: &Locked) -> Onlooker {
    match session.connection.settings {
        Settings::StartPacket if session.backend == 0 => Onlooker::blind(),
        Settings::StartPacket => beside(session),
        Settings::PerTransaction => through_pooler(session),
    }
}

/// Which of the server's processes works for us changes behind a pooler; it is the one that has our lock. That
/// none is seen, or that nobody answers, says nothing there: the pool may have no connection for a look.
fn through_pooler(session: &Locked) -> Onlooker {
    let (address, options) = seen_from(session);
    let ours = format!(
        "(SELECT l.pid FROM pg_catalog.pg_locks l WHERE {} LIMIT 1)",
        holds(session.key)
    );
    Onlooker::new(move || {
        let (address, options, ours) = (address.clone(), options.clone(), ours.clone());
        async move {
            let looking = async {
                let mut connection = Connection::open(&address, &options).await.ok()?;
                Some(in_the_way_of(&mut connection, &ours).await)
            };
            let seen = tokio::time::timeout(options.connect_timeout + LOOK_AT_MOST, looking).await;
            Look::AtIt(seen.ok().flatten().unwrap_or_default())
        }
    })
}

/// Returns the address and the options of a look.
fn seen_from(session: &Locked) -> (NetworkAddress, OpenOptions) {
    let options = OpenOptions {
        application_name: format!("{} onlooker", session.options.application_name),
        ..session.options.clone()
    };
    (session.connection.address.clone(), options)
}

fn beside(session: &Locked) -> Onlooker {
    let backend = session.backend;
    let (address, options) = seen_from(session);
    Onlooker::new(move || {
        let (address, options) = (address.clone(), options.clone());
        async move {
            let looking = async {
                let mut connection = Connection::open(&address, &options).await?;
                look(&mut connection, backend).await
            };
            match tokio::time::timeout(options.connect_timeout + LOOK_AT_MOST, looking).await {
                Ok(Ok(look)) => look,
                Ok(Err(error)) if !error.is_silence() => Look::AtIt(Vec::new()),
                Ok(Err(_)) | Err(_) => Look::Silent,
            }
        }
    })
}

async fn look(connection: &mut Connection, backend: i32) -> Result<Look, SessionError> {
    // Of another role's sessions the server shows at least that they are there.
    let there = format!("SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = {backend}");
    let row = connection.first_row(&there).await;
    if row.map_err(Failure::into_session_error)?.is_none() {
        return Ok(Look::Gone);
    }
    Ok(Look::AtIt(in_the_way_of(connection, &backend.to_string()).await))
}

/// Returns who blocks a process of the server, prepared transactions included (`pg_blocking_pids` in "System
/// Information Functions" tells them as process 0).
async fn in_the_way_of(connection: &mut Connection, backend: &str) -> Vec<Holder> {
    let text = format!(
        "SELECT w.pid, {COLUMNS} FROM (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids({backend})) \
         AS pid) w LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid ORDER BY a.xact_start, w.pid LIMIT 10"
    );
    let mut holders = ask(connection, &text).await;
    for prepared in holders.iter_mut().filter(|holder| holder.pid == 0) {
        "a prepared transaction".clone_into(&mut prepared.application);
    }
    holders
}

async fn ask(connection: &mut Connection, text: &str) -> Vec<Holder> {
    let mut holders = Vec::new();
    let account = connection.address.login.user.clone();
    connection
        .exchange(text, |_, row| {
            let column = |at| clean(row.get(at).unwrap_or_default());
            let hidden = (row.get(4) == Some(UNSEEN)).then(|| Hidden {
                account: account.clone(),
                right: SEES_ALL.into(),
            });
            holders.push(Holder {
                certainty: Certainty::Holds,
                pid: row.get(0).and_then(|pid| pid.parse().ok()).unwrap_or(0),
                application: column(1),
                user: column(2),
                since: column(3),
                statement: match hidden {
                    None => column(4),
                    Some(_) => String::new(),
                },
                from: from(&column(5), &column(6)),
                state: state(&column(7), (&column(8), &column(9))),
                hidden,
            });
        })
        .await;
    holders
}

/// Returns where a session connects from; one through a socket of the server's machine has the port -1
/// (`pg_stat_activity`).
fn from(address: &str, port: &str) -> String {
    match (address, port) {
        ("", "-1") => "local".to_owned(),
        ("", _) => String::new(),
        (address, port) if address.contains(':') => format!("[{address}]:{port}"),
        (address, port) => format!("{address}:{port}"),
    }
}

/// Returns what a session does, and for one that is at it what it waits for. One that is idle waits for its client.
fn state(state: &str, (kind, event): (&str, &str)) -> String {
    match (state, kind) {
        ("active", kind) if !kind.is_empty() => format!("active, waits for {kind} {event}"),
        (state, _) => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_in_a_url_and_a_socket_is_local() {
        assert_eq!(from("10.0.0.5", "40332"), "10.0.0.5:40332");
        assert_eq!(from("::1", "40332"), "[::1]:40332");
        assert_eq!(from("", "-1"), "local");
        assert_eq!(from("", ""), "");
    }

    #[test]
    fn only_who_is_at_it_waits_for_something() {
        assert_eq!(
            state("active", ("Lock", "relation")),
            "active, waits for Lock relation"
        );
        assert_eq!(state("active", ("", "")), "active");
        let idle = "idle in transaction";
        assert_eq!(state(idle, ("Client", "ClientRead")), idle);
    }
}
