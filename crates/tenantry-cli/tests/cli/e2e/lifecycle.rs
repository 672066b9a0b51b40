//! A tenant's later life: offline and back, renamed, deleted and restored, dropped for good.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenantry::engine::Engine;

use super::{THINGS, on_each_engine};
use crate::platform::Platform;
use crate::{stderr, stdout};

on_each_engine!(
    a_suspended_tenant_is_skipped_and_kept_out_until_it_is_activated,
    a_deleted_tenant_can_be_restored_until_it_is_dropped,
    a_name_is_free_when_the_database_is_gone,
    a_database_that_is_not_ours_is_never_dropped,
    a_product_is_given_up_alone,
    nothing_new_comes_to_who_is_not_in_use,
    nothing_is_deleted_under_a_run,
    a_renamed_tenant_keeps_its_databases,
);

const DELETE: [&str; 5] = ["tenant", "delete", "acme", "--confirm", "acme"];

fn platform(engine: Engine) -> Option<Platform> {
    let platform = Platform::with_tenants(engine, &[THINGS], &["acme", "globex"])?;
    platform.write(
        "migrations/products/kira/001_tickets.sql",
        "CREATE TABLE tickets (id INTEGER);\n",
    );
    Some(platform)
}

fn status(platform: &Platform, tenant: &str) -> String {
    let shown = platform.json(0, &["tenant", "show", tenant]);
    shown["status"].as_str().unwrap().to_owned()
}

/// Returns whether a database's role may log in; files have none.
fn may_log_in(platform: &Platform, role: &str) -> bool {
    match platform.engine {
        Engine::Sqlite => true,
        Engine::Postgres => {
            let sql = format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'");
            platform.one("postgres", &sql) == "t"
        }
        Engine::MySql => {
            let sql = format!(
                "SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv WHERE User = '{role}'"
            );
            platform.one("mysql", &sql) != "1"
        }
    }
}

/// Returns whether a migration sleeps in a database.
fn has_session(platform: &Platform, database: &str) -> bool {
    let (at, sql) = match platform.engine {
        Engine::Sqlite => return false,
        Engine::Postgres => (
            "postgres",
            format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"
            ),
        ),
        Engine::MySql => (
            "mysql",
            format!(
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE db = '{database}' AND info LIKE 'DO SLEEP%'"
            ),
        ),
    };
    platform.one(at, &sql) != "0"
}

/// Returns whether there is a database of a name on the server.
fn is_there(platform: &Platform, database: &str) -> bool {
    let (at, sql) = match platform.engine {
        Engine::Sqlite => return platform.path("data").join(database).exists(),
        Engine::Postgres => (
            "postgres",
            format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'"),
        ),
        Engine::MySql => (
            "mysql",
            format!("SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{database}'"),
        ),
    };
    platform.one(at, &sql) == "1"
}

/// Returns how many roles have a database's name; our roles are called like their databases.
fn roles(platform: &Platform, database: &str) -> String {
    match platform.engine {
        Engine::Sqlite => "0".to_owned(),
        Engine::Postgres => {
            let sql = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{database}'");
            platform.one("postgres", &sql)
        }
        Engine::MySql => {
            let sql = format!(
                "SELECT count(*) FROM mysql.user WHERE User = '{}'",
                role_of(platform, database)
            );
            platform.one("mysql", &sql)
        }
    }
}

/// Returns the role of a database: MariaDB takes 32 characters only.
fn role_of(platform: &Platform, database: &str) -> String {
    match platform.engine {
        Engine::Sqlite | Engine::Postgres => database.to_owned(),
        Engine::MySql => {
            let sql =
                format!("SELECT User FROM mysql.db WHERE REPLACE(Db, '\\\\', '') = '{database}' LIMIT 1");
            platform.one("mysql", &sql)
        }
    }
}

fn a_suspended_tenant_is_skipped_and_kept_out_until_it_is_activated(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let role = role_of(&platform, &platform.database("acme"));
    let slow = match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "SELECT pg_sleep(30);\n",
        Engine::MySql => "DO SLEEP(30);\n",
    };
    platform.write(
        "migrations/tenant/002_slow.sql",
        &format!("{slow}CREATE TABLE slow (id INTEGER);\n"),
    );
    let begun = Instant::now();
    let running = (!slow.is_empty()).then(|| {
        let running = platform.spawn(&["migrate", "tenant", "acme"]);
        let database = platform.database("acme");
        while !has_session(&platform, &database) {
            assert!(begun.elapsed() < Duration::from_secs(15), "no session came");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    });
    let suspended = stdout(&platform.ends(0, &["tenant", "suspend", "acme", "--reason", "unpaid"]));
    assert!(suspended.contains("tenantry tenant activate acme"), "{suspended}");
    assert_eq!(status(&platform, "acme"), "suspended");
    if let Some(running) = running {
        assert!(!may_log_in(&platform, &role));
        let ended = running.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(20), "{}", stderr(&ended));
        assert!(
            begun.elapsed() < Duration::from_secs(29),
            "its session was left alone"
        );
    } else {
        assert!(suspended.contains("it is a file"), "{suspended}");
    }
    platform.ends(0, &["tenant", "suspend", "acme"]);
    let skipped = platform.json(0, &["migrate", "all-tenants", "--only", "a*"]);
    assert_eq!(skipped["skipped"], 1, "{skipped}");
    platform.ends(40, &["migrate", "tenant", "acme"]);

    platform.write(
        "migrations/tenant/002_slow.sql",
        "CREATE TABLE slow (id INTEGER);\n",
    );
    platform.ends(0, &["tenant", "activate", "acme"]);
    assert!(may_log_in(&platform, &role));
    platform.ends(0, &["migrate", "tenant", "acme"]);
    let reasons = platform.json(0, &["audit", "list", "acme", "--action", "tenant.suspend"]);
    assert_eq!(reasons["items"].as_array().unwrap().len(), 1, "{reasons}");
    assert_eq!(reasons["items"][0]["reason"], "unpaid");
}

fn a_deleted_tenant_can_be_restored_until_it_is_dropped(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let database = platform.database("acme");
    let role = role_of(&platform, &database);
    let asked = stderr(&platform.ends(40, &["tenant", "delete", "acme"]));
    assert!(asked.contains("TN-4004") && asked.contains(&database), "{asked}");
    platform.ends(40, &["tenant", "delete", "acme", "--confirm", "globex"]);
    assert_eq!(status(&platform, "acme"), "active", "nothing was typed");

    let deleted = platform.json(0, &DELETE);
    let drops_at = deleted["drops_at"].as_str().unwrap().to_owned();
    assert_eq!(status(&platform, "acme"), "deleting");
    assert!(may_log_in(&platform, &role) == (engine == Engine::Sqlite));
    platform.ends(0, &["tenant", "purge"]);
    assert!(is_there(&platform, &database), "its grace is not over");
    let again = platform.json(0, &[&DELETE[..], &["--grace", "60d"]].concat());
    assert_eq!(again["drops_at"], *drops_at, "a grace does not grow");
    let refused = stderr(&platform.ends(40, &["tenant", "activate", "acme"]));
    assert!(refused.contains("tenantry tenant restore acme"), "{refused}");

    platform.ends(0, &["tenant", "restore", "acme"]);
    assert_eq!(status(&platform, "acme"), "active");
    platform.ends(0, &["migrate", "tenant", "acme"]);
    platform.ends(40, &["tenant", "restore", "acme"]);

    platform.ends(0, &["tenant", "suspend", "acme"]);
    platform.ends(0, &DELETE);
    platform.ends(0, &["tenant", "restore", "acme"]);
    assert_eq!(status(&platform, "acme"), "suspended", "it was so before");

    platform.ends(0, &[&DELETE[..], &["--grace", "0s"]].concat());
    let purged = platform.json(0, &["tenant", "purge"]);
    assert_eq!(
        (&purged["gone"][0], &purged["databases"]),
        (&Value::from("acme"), &Value::from(1))
    );
    assert!(!is_there(&platform, &database));
    assert_eq!(roles(&platform, &database), "0");
    platform.ends(4, &["tenant", "show", "acme"]);
    assert!(stdout(&platform.ends(0, &["tenant", "purge"])).contains("Nothing is due"));
    platform.ends(0, &["audit", "verify"]);
}

fn a_name_is_free_when_the_database_is_gone(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let database = platform.database("acme");
    platform.ends(0, &DELETE);
    let taken = stderr(&platform.ends(40, &["tenant", "create", "acme"]));
    assert!(taken.contains("TN-6001"), "{taken}");
    let gone = stdout(&platform.ends(0, &[&DELETE[..], &["--now"]].concat()));
    assert!(gone.contains("acme is gone"), "{gone}");
    assert!(!is_there(&platform, &database));
    platform.ends(0, &["tenant", "create", "acme"]);
    assert_ne!(platform.database("acme"), database, "another id, another name");
    platform.ends(0, &["migrate", "all-tenants"]);
}

fn a_database_that_is_not_ours_is_never_dropped(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let database = platform.database("acme");
    // Somebody dropped ours and made one of the same name.
    match engine {
        Engine::Sqlite => {
            let file = platform.path("data").join(&database);
            std::fs::remove_file(&file).unwrap();
            let made = rusqlite::Connection::open(&file).unwrap();
            made.execute_batch("CREATE TABLE precious (id INTEGER)").unwrap();
        }
        Engine::Postgres | Engine::MySql => {
            let at = if engine == Engine::Postgres {
                "postgres"
            } else {
                "mysql"
            };
            platform.query(at, &format!("DROP DATABASE {database}"));
            platform.query(at, &format!("CREATE DATABASE {database}"));
            platform.query(&database, "CREATE TABLE precious (id INTEGER)");
        }
    }
    let failed = platform.json(20, &[&DELETE[..], &["--now"]].concat());
    let reason = failed["databases"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("TN-6008"), "{reason}");
    assert!(is_there(&platform, &database));
    assert_eq!(platform.one(&database, "SELECT count(*) FROM precious"), "0");
    assert_eq!(status(&platform, "acme"), "deleting");
    platform.ends(20, &["tenant", "purge"]);
    let begun = stderr(&platform.ends(40, &["tenant", "restore", "acme"]));
    assert!(begun.contains("cannot be restored"), "{begun}");

    platform.ends(0, &[&DELETE[..], &["--keep-databases"]].concat());
    assert!(is_there(&platform, &database));
    platform.ends(4, &["tenant", "show", "acme"]);

    let kept = platform.database("globex");
    let role = role_of(&platform, &kept);
    platform.ends(0, &["tenant", "delete", "globex", "--confirm", "globex"]);
    platform.ends(
        0,
        &[
            "tenant",
            "delete",
            "globex",
            "--confirm",
            "globex",
            "--keep-databases",
        ],
    );
    assert!(is_there(&platform, &kept) && may_log_in(&platform, &role));
}

fn a_product_is_given_up_alone(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    let kira = shown["databases"][1]["database"].as_str().unwrap().to_owned();
    let delete = ["product", "delete", "kira", "--tenant", "acme"];
    platform.ends(40, &[&delete[..], &["--confirm", "acme"]].concat());
    let confirmed = [&delete[..], &["--confirm", "acme/kira"]].concat();
    platform.ends(0, &confirmed);
    let run = platform.json(0, &["migrate", "all"]);
    assert_eq!(
        (&run["current"], &run["failed"]),
        (&Value::from(3), &Value::from(0)),
        "{run}"
    );
    platform.ends(0, &["product", "restore", "kira", "--tenant", "acme"]);
    assert_eq!(platform.json(0, &["migrate", "all"])["current"], 4);
    platform.ends(4, &["product", "restore", "kira", "--tenant", "acme"]);
    platform.ends(0, &[&confirmed[..], &["--now"]].concat());
    assert!(!is_there(&platform, &kira));
    platform.ends(4, &confirmed);
    platform.ends(0, &["product", "provision", "kira", "--tenant", "acme"]);
    assert!(is_there(&platform, &kira), "the same name is free again");
}

fn nothing_new_comes_to_who_is_not_in_use(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let provision = ["product", "provision", "kira", "--tenant", "acme"];
    platform.ends(0, &provision);
    let shown = platform.json(0, &["tenant", "show", "acme"]);
    let role = |at: usize| {
        let database = shown["databases"][at]["database"].as_str().unwrap();
        role_of(&platform, database)
    };
    let (own, kira) = (role(0), role(1));
    let is_closed = |role: &str| engine == Engine::Sqlite || !may_log_in(&platform, role);
    let confirm = [
        "product",
        "delete",
        "kira",
        "--tenant",
        "acme",
        "--confirm",
        "acme/kira",
    ];
    platform.ends(0, &confirm);
    let refused = stderr(&platform.ends(40, &provision));
    assert!(
        refused.contains("tenantry product restore kira --tenant acme"),
        "{refused}"
    );
    platform.ends(0, &["tenant", "suspend", "acme"]);
    platform.ends(40, &["product", "provision", "kira", "--tenant", "acme"]);
    platform.ends(0, &["tenant", "activate", "acme"]);
    assert!(is_closed(&kira), "it is to be deleted all the same");
    assert!(may_log_in(&platform, &own));
    platform.ends(0, &DELETE);
    platform.ends(40, &["tenant", "activate", "acme"]);
    assert!(is_closed(&own), "a refusal changes nothing");
    platform.ends(40, &provision);
    platform.ends(0, &["tenant", "restore", "acme"]);
    platform.ends(0, &["product", "restore", "kira", "--tenant", "acme"]);
    assert!(may_log_in(&platform, &kira));
    platform.ends(0, &["migrate", "all", "--only", "acme", "--live"]);
}

fn nothing_is_deleted_under_a_run(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let slow = match engine {
        Engine::Sqlite => {
            "CREATE TABLE n AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40000000) \
             SELECT count(*) AS n FROM c;\n"
        }
        Engine::Postgres => "SELECT pg_sleep(8);\n",
        Engine::MySql => "DO SLEEP(8);\n",
    };
    platform.write("migrations/tenant/002_slow.sql", slow);
    let running = platform.spawn(&["migrate", "tenant", "acme"]);
    let begun = Instant::now();
    while platform.json(0, &["run", "list"])["items"][0]["driven"] != true {
        assert!(begun.elapsed() < Duration::from_secs(7), "the run did not begin");
    }
    let refused = platform.command(&DELETE).output().unwrap();
    assert_eq!(refused.status.code(), Some(30), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("is working on `acme`"),
        "{}",
        stderr(&refused)
    );
    drop(running.wait_with_output());
    assert_eq!(status(&platform, "acme"), "active");
}

fn a_renamed_tenant_keeps_its_databases(engine: Engine) {
    let Some(platform) = platform(engine) else { return };
    let database = platform.database("acme");
    let taken = stderr(&platform.ends(40, &["tenant", "rename", "acme", "globex"]));
    assert!(taken.contains("TN-6001") && taken.contains("globex"), "{taken}");
    platform.ends(
        0,
        &["tenant", "rename", "acme", "umbrella", "--name", "Umbrella Ltd"],
    );
    assert_eq!(platform.database("umbrella"), database);
    platform.ends(4, &["tenant", "show", "acme"]);
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER);\n",
    );
    platform.ends(0, &["migrate", "tenant", "umbrella"]);
    platform.ends(0, &["tenant", "create", "acme"]);
}
