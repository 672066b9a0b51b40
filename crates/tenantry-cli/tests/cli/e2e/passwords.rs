//! New passwords for databases: set as their own role, kept with the one before.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::{stderr, stdout};

#[test]
fn on_postgres_a_password_is_replaced_and_the_one_before_is_of_use_after_a_restore() {
    is_replaced(Engine::Postgres);
}

#[test]
fn on_mariadb_a_password_is_replaced_and_the_one_before_is_of_use_after_a_restore() {
    is_replaced(Engine::MySql);
}

#[test]
fn a_file_has_no_password_and_nobody_replaces_all_by_accident() {
    let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS], &["acme"]).unwrap();
    let said = stdout(&platform.ends(0, &["secret", "rotate", "--all"]));
    assert!(said.contains("they are files"), "{said}");
    let asked = stderr(&platform.ends(2, &["secret", "rotate"]));
    assert!(asked.contains("--all"), "{asked}");
}

/// What the server keeps of a role's password.
fn kept(platform: &Platform, role: &str) -> String {
    match platform.engine {
        Engine::Postgres | Engine::Sqlite => {
            let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'");
            platform.one("postgres", &sql)
        }
        Engine::MySql => {
            let sql = format!(
                "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv WHERE User = '{role}'"
            );
            platform.one("mysql", &sql)
        }
    }
}

fn role_of(platform: &Platform, database: &str) -> String {
    match platform.engine {
        Engine::Postgres | Engine::Sqlite => database.to_owned(),
        Engine::MySql => {
            let sql =
                format!("SELECT User FROM mysql.db WHERE REPLACE(Db, '\\\\', '') = '{database}' LIMIT 1");
            platform.one("mysql", &sql)
        }
    }
}

fn is_replaced(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS], &["acme", "globex"]) else {
        return;
    };
    let role = role_of(&platform, &platform.database("acme"));
    let bystander = role_of(&platform, &platform.database("globex"));
    let (before, others) = (kept(&platform, &role), kept(&platform, &bystander));
    let rotate = [
        "secret",
        "rotate",
        "--only",
        "acme",
        "--reason",
        "a backup was lost",
    ];
    let answer = platform.json(0, &rotate);
    assert_eq!(answer["rotated"][0], "acme", "{answer}");
    let first = kept(&platform, &role);
    assert_ne!(first, before);
    assert_eq!(kept(&platform, &bystander), others, "nobody else was touched");
    platform.ends(0, &["migrate", "tenant", "acme", "--live"]);

    // The server comes back from a backup of yesterday.
    let (at, back) = match engine {
        Engine::Postgres | Engine::Sqlite => {
            ("postgres", format!("ALTER ROLE \"{role}\" PASSWORD '{before}'"))
        }
        Engine::MySql => (
            "mysql",
            format!("ALTER USER '{role}'@'%' IDENTIFIED VIA mysql_native_password USING '{before}'"),
        ),
    };
    platform.query(at, &back);
    platform.ends(20, &["migrate", "tenant", "acme", "--live"]);
    platform.ends(0, &rotate);
    assert!(![before, first].contains(&kept(&platform, &role)));
    platform.ends(0, &["migrate", "tenant", "acme", "--live"]);
    platform.ends(0, &["key", "rotate"]);
    platform.ends(0, &["key", "rewrap"]);
    platform.ends(0, &rotate);
    platform.ends(0, &["migrate", "tenant", "acme", "--live"]);
    let told = platform.json(0, &["audit", "list", "acme", "--action", "secret.rotate"]);
    assert_eq!(told["items"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(told["items"][0]["reason"], "a backup was lost");
}
