//! Databases on MariaDB that are not connected to because the administrator has read their histories; and what is.

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::{Platform, wait};

/// How many tenants.
const MANY: usize = 20;

fn platform(many: usize) -> Option<(Platform, Vec<String>)> {
    let slugs: Vec<String> = (0..many).map(|number| format!("tenant-{number}")).collect();
    let words: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let platform = Platform::with_tenants(Engine::MySql, &[THINGS, THINGS_BACK], &words)?;
    let databases = words.iter().map(|slug| platform.database(slug)).collect();
    Some((platform, databases))
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask says in the environment where the logs are"
)]
fn log() -> String {
    let path = std::env::var("TENANTRY_TEST_MARIADB_LOG").unwrap();
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// How often the server was asked about all, and how many connections into a tenant's database there were.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    questions: usize,
    connections: usize,
}

const fn seen(questions: usize, connections: usize) -> Seen {
    Seen {
        questions,
        connections,
    }
}

/// Gives a command and reads in the server's log what it did.
fn watch(databases: &[String], command: impl FnOnce()) -> Seen {
    let before = log().len();
    command();
    let all = log();
    let lines = || all[before..].lines();
    let of_ours =
        |line: &str, around: [&str; 2]| databases.iter().any(|name| line.contains(&around.join(name)));
    Seen {
        questions: lines()
            .filter(|line| of_ours(line, ["Query\tHANDLER `", "`."]))
            .count(),
        connections: lines()
            .filter(|line| line.contains("Connect\t") && of_ours(line, [" on ", " using "]))
            .count(),
    }
}

#[test]
fn a_run_with_nothing_to_do_connects_to_the_server_and_to_no_database() {
    let Some((platform, all)) = platform(MANY) else {
        return;
    };
    let current = |words: &[&str]| {
        watch(&all, || {
            let said = platform.json(0, words);
            assert_eq!(said["current"], MANY, "{said}");
        })
    };
    assert_eq!(current(&["migrate", "all-tenants"]), seen(1, 0));
    assert_eq!(current(&["migrate", "plan"]), seen(1, 0));
    assert_eq!(current(&["migrate", "all-tenants", "--dry-run"]), seen(1, 0));
    assert_eq!(current(&["migrate", "all-tenants", "--live"]), seen(0, MANY));
    // For one database nothing is saved; and who looks at histories asks them all.
    let one = || {
        platform.ends(0, &["migrate", "tenant", "tenant-3"]);
    };
    assert_eq!(watch(&all, one), seen(0, 1));
    let verify = || assert_eq!(platform.json(0, &["migrate", "verify"])["verified"], MANY);
    assert_eq!(watch(&all, verify), seen(0, MANY));
}

#[test]
fn only_what_is_behind_or_edited_is_connected_to() {
    let Some((platform, all)) = platform(MANY) else {
        return;
    };
    platform.query(
        &all[7],
        "DROP TABLE things; DELETE FROM _tenantry_history WHERE version = 1",
    );
    let run = || assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
    assert_eq!(watch(&all, run), seen(1, 1));
    // What was written there is believed at once: there is no marker that somebody could forget.
    platform.query(&all[3], "UPDATE _tenantry_history SET checksum = REPEAT('0', 64)");
    let edited = || {
        let said = platform.json(40, &["migrate", "all-tenants"]);
        assert_eq!(
            (&said["current"], &said["failed"]),
            (&(MANY - 1).into(), &1.into())
        );
    };
    assert_eq!(watch(&all, edited), seen(1, 1));
}

#[test]
fn where_no_administrator_is_known_every_database_is_asked() {
    let Some((platform, all)) = platform(3) else {
        return;
    };
    for secret in ["'not sealed'", "NULL"] {
        let forget = format!("UPDATE tenantry_servers SET admin_secret = {secret}");
        wait(platform.central.query(&forget));
        let run = || assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 3);
        assert_eq!(watch(&all, run), seen(0, 3), "{secret}");
    }
}

/// What the administrator must not do for a tenant.
#[test]
fn a_view_in_the_place_of_a_history_is_not_run_by_the_administrator() {
    let Some((platform, all)) = platform(3) else {
        return;
    };
    let central = platform.central.address.database().to_owned();
    platform.query(&central, "CREATE TABLE proof (who VARCHAR(100))");
    for sql in [
        "DROP TABLE _tenantry_history".to_owned(),
        format!(
            "CREATE FUNCTION steal() RETURNS INT SQL SECURITY INVOKER \
             BEGIN INSERT INTO {central}.proof VALUES (CURRENT_USER()); RETURN 1; END"
        ),
        "CREATE SQL SECURITY INVOKER VIEW _tenantry_history AS SELECT steal() AS track, 1 AS version"
            .to_owned(),
    ] {
        platform.query(&all[1], &sql);
    }
    let run = || {
        let said = platform.json(40, &["migrate", "all-tenants"]);
        assert_eq!(
            (&said["current"], &said["failed"]),
            (&2.into(), &1.into()),
            "{said}"
        );
    };
    // It ends the message that it stands in; the next one begins behind it.
    assert_eq!(watch(&all, run), seen(2, 1));
    assert_eq!(platform.one(&central, "SELECT COUNT(*) FROM proof"), "0");
}
