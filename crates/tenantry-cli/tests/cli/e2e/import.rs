//! `tenant import`: a fleet that others made is registered, migrated, and never half taken in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tenantry::engine::Engine;

use super::{THINGS, on_each_engine};
use crate::platform::Platform;
use crate::{stderr, stdout};

on_each_engine!(
    a_fleet_is_taken_in_with_its_names_and_passwords_and_migrated,
    a_database_without_a_history_is_taken_in_at_a_baseline,
    a_table_of_the_central_database_is_a_list,
    a_list_with_one_bad_row_is_not_taken_in_at_all,
    what_is_there_differs_or_is_taken_is_told,
);

/// Ids and names as platforms give them.
const IDS: [&str; 2] = [
    "0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d",
    "1B1C2D3E-4F50-4A6B-8C7D-9E0F1A2B3C4D",
];
/// Passwords that mean something to shells, URLs and SQL.
const PASSWORDS: [&str; 2] = ["p%40@:/?#'\"\\;`-- ü密🔑", "=cmd|' /C calc'!A0"];

/// Returns the name of a database that a platform gave it.
fn database(platform: &Platform, id: &str) -> String {
    match platform.engine {
        Engine::Sqlite => format!("tenant_{id}_Shared.db"),
        Engine::Postgres | Engine::MySql => format!("tenant_{id}_Shared"),
    }
}

/// Makes a database and its owner by hand, as a platform did before us.
fn by_hand(platform: &Platform, name: &str, user: &str, password: &str) {
    let literal = |text: &str| text.replace('\'', "''");
    match platform.engine {
        Engine::Sqlite => {
            fs::create_dir_all(platform.path("data")).unwrap();
            fs::write(platform.path("data").join(name), "").unwrap();
        }
        Engine::Postgres => {
            let role = format!("CREATE ROLE \"{user}\" LOGIN PASSWORD '{}'", literal(password));
            platform.query("postgres", &role);
            platform.query(
                "postgres",
                &format!("CREATE DATABASE \"{name}\" OWNER \"{user}\""),
            );
        }
        Engine::MySql => {
            let password = literal(&password.replace('\\', "\\\\"));
            for sql in [
                format!("CREATE DATABASE `{name}`"),
                format!("CREATE USER `{user}`@`%` IDENTIFIED BY '{password}'"),
                format!("GRANT ALL ON `{}`.* TO `{user}`@`%`", name.replace('_', "\\_")),
            ] {
                platform.query("mysql", &sql);
            }
        }
    }
}

/// Takes away what [`by_hand`] made.
fn away(platform: &Platform, names: &[(String, String)]) {
    for (name, user) in names {
        match platform.engine {
            Engine::Sqlite => {}
            Engine::Postgres => {
                platform.query("postgres", &format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
                platform.query("postgres", &format!("DROP ROLE \"{user}\""));
            }
            Engine::MySql => {
                platform.query("mysql", &format!("DROP DATABASE `{name}`"));
                platform.query("mysql", &format!("DROP USER `{user}`@`%`"));
            }
        }
    }
}

/// Databases that were made by hand, gone when the test ends.
struct Made<'a> {
    platform: &'a Platform,
    names: Vec<(String, String)>,
}

impl<'a> Made<'a> {
    /// Makes the shared databases of both tenants, named after a word of the test's own.
    fn new(platform: &'a Platform, word: &str) -> Self {
        let mut made = Self {
            platform,
            names: Vec::new(),
        };
        for (at, id) in IDS.into_iter().enumerate() {
            let name = database(platform, &format!("{word}-{id}"));
            let user = format!("{word}.{}", &id[..8]);
            by_hand(platform, &name, &user, PASSWORDS[at]);
            made.names.push((name, user));
        }
        made
    }

    /// Returns the list of both as JSON has it; files have no logins.
    fn list(&self) -> Vec<Value> {
        let slugs = ["acme", "globex"];
        let of = |at: usize| {
            let (name, user) = &self.names[at];
            let mut item = json!({"id": IDS[at], "slug": slugs[at], "server": "local", "db_name": name});
            if self.platform.engine != Engine::Sqlite {
                item["db_username"] = json!(user);
                item["db_password"] = json!(PASSWORDS[at]);
            }
            item
        };
        vec![of(0), of(1)]
    }

    /// Writes the list as JSON.
    fn write(&self, list: &[Value]) {
        self.platform.write("tenants.json", &json!(list).to_string());
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        away(self.platform, &self.names);
    }
}

const IMPORT: [&str; 4] = ["tenant", "import", "--from-json", "tenants.json"];

fn started(engine: Engine) -> Option<Platform> {
    let platform = Platform::start(engine)?;
    platform.write(&format!("migrations/tenant/{}", THINGS.0), THINGS.1);
    Some(platform)
}

/// Writes the list as CSV.
fn table(list: &[Value]) -> String {
    let names = ["id", "slug", "server", "db_name", "db_username", "db_password"];
    let cell = |value: &Value| format!("\"{}\"", value.as_str().unwrap_or_default().replace('"', "\"\""));
    let line = |item: &Value| names.map(|name| cell(&item[name])).join(",");
    let lines: Vec<String> = list.iter().map(line).collect();
    format!("{}\n{}\n", names.join(","), lines.join("\n"))
}

fn a_fleet_is_taken_in_with_its_names_and_passwords_and_migrated(engine: Engine) {
    let Some(platform) = started(engine) else { return };
    let made = Made::new(&platform, "Whole");
    platform.write("tenants.csv", &table(&made.list()));
    let import = ["tenant", "import", "--from-csv", "tenants.csv"];
    let look = platform.ends(0, &[&import[..], &["--dry-run"]].concat());
    assert!(stdout(&look).contains(&made.names[0].0), "{look:?}");
    assert!(!stdout(&look).contains("p%40"), "{look:?}");
    assert_eq!(
        platform.json(0, &["tenant", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );

    let done = platform.json(0, &import);
    assert_eq!((&done["tenants"], &done["databases"]), (&json!(2), &json!(2)));
    let again = platform.json(0, &import);
    assert_eq!(
        (&again["tenants"], &again["already_there"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(platform.database("acme"), made.names[0].0);
    assert_eq!(platform.json(0, &["tenant", "show", IDS[1]])["slug"], "globex");

    let status = platform.json(0, &["migrate", "status", "--live"]);
    assert!(!status.to_string().contains("auth_failed"), "{status}");
    platform.ends(0, &["migrate", "all-tenants"]);
    platform.ends(0, &["migrate", "verify"]);
    platform.ends(0, &["migrate", "status", "--exit-code"]);
    for (name, _) in &made.names {
        assert_eq!(platform.one(name, "SELECT COUNT(*) FROM things"), "2");
    }
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 2);
    let audit = platform.json(0, &["audit", "list"]);
    assert!(audit.to_string().contains("tenant.import"), "{audit}");
    assert!(!audit.to_string().contains("calc"), "{audit}");
    platform.ends(0, &["audit", "verify"]);
}

fn a_database_without_a_history_is_taken_in_at_a_baseline(engine: Engine) {
    let Some(platform) = started(engine) else { return };
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE more (id INTEGER PRIMARY KEY);\n",
    );
    let made = Made::new(&platform, "Base");
    // As its application made it: with the tenant's own role as the owner.
    for (name, user) in &made.names {
        let table = "CREATE TABLE things (id INTEGER)";
        match engine {
            Engine::Postgres => platform.query(name, &format!("SET ROLE \"{user}\"; {table}")),
            Engine::Sqlite | Engine::MySql => platform.query(name, table),
        };
    }
    let (first, _) = &made.names[0];
    made.write(&made.list()[..1]);
    let unknown = platform.json(4, &[&IMPORT[..], &["--baseline", "7"]].concat());
    assert_eq!(unknown["code"], "TN-4008");
    assert_eq!(
        platform.json(0, &["tenant", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    let done = platform.json(0, &[&IMPORT[..], &["--baseline", "1"]].concat());
    assert_eq!(
        done["baseline"][0]["changed"][0]["migrations"],
        json!(["1_things"]),
        "{done}"
    );
    // The same again writes nothing, and takes the rest in.
    made.write(&made.list());
    let again = platform.json(0, &[&IMPORT[..], &["--baseline", "1"]].concat());
    assert_eq!(again["baseline"][0]["unchanged"], json!(["acme"]), "{again}");
    assert_eq!(
        (&again["tenants"], &again["already_there"]),
        (&json!(1), &json!(1))
    );
    platform.ends(0, &["migrate", "tenant", "acme"]);
    assert_eq!(platform.one(first, "SELECT COUNT(*) FROM things"), "0");
    assert_eq!(platform.one(first, "SELECT COUNT(*) FROM more"), "0");
}

/// Makes the table of a platform with both tenants in it; only one of them is in use.
fn fill_table(made: &Made<'_>, central: &str) {
    let (platform, engine) = (made.platform, made.platform.engine);
    let table = "CREATE TABLE tenants (tenant_id VARCHAR(40), subdomain VARCHAR(40), enabled INTEGER, \
                 db VARCHAR(80), usr VARCHAR(80), pass VARCHAR(200), created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)";
    let letters = if engine == Engine::MySql {
        " CHARACTER SET utf8mb4"
    } else {
        ""
    };
    platform.query(central, &format!("{table}{letters}"));
    for (at, item) in made.list().iter().enumerate() {
        let text = |value: &Value| {
            let text = value.as_str().unwrap_or_default().replace('\'', "''");
            if engine == Engine::MySql {
                text.replace('\\', "\\\\")
            } else {
                text
            }
        };
        let row = format!(
            "INSERT INTO tenants (tenant_id, subdomain, enabled, db, usr, pass) VALUES ('{}', '{}', {at}, '{}', '{}', '{}')",
            IDS[at],
            text(&item["slug"]),
            text(&item["db_name"]),
            text(&item["db_username"]),
            text(&item["db_password"]),
        );
        platform.query(central, &row);
    }
}

fn a_table_of_the_central_database_is_a_list(engine: Engine) {
    let Some(platform) = started(engine) else { return };
    let made = Made::new(&platform, "Sql");
    let central = central(&platform);
    fill_table(&made, &central);
    let select = "SELECT tenant_id, subdomain, enabled AS status, 'local' AS server, db, usr, pass, created_at FROM tenants";
    let map = [
        "--map",
        "tenant_id=id",
        "--map",
        "subdomain=slug",
        "--map",
        "db=db_name",
        "--map",
        "usr=db_username",
        "--map",
        "pass=db_password",
        "--status",
        "1=active",
        "--status",
        "0=suspended",
    ];
    let import = |sql: &str, exit: i32| {
        platform.json(
            exit,
            &[&["tenant", "import", "--from-sql", sql][..], &map].concat(),
        )
    };
    for bad in [
        "DELETE FROM tenants",
        "SELECT 1; DELETE FROM tenants",
        "SELECT nothing FROM tenants",
        "WITH gone AS (DELETE FROM tenants RETURNING *) SELECT * FROM gone",
    ] {
        let refused = import(bad, 40);
        assert_eq!(refused["code"], "TN-6023", "{refused}");
    }
    assert_eq!(platform.one(&central, "SELECT COUNT(*) FROM tenants"), "2");
    let done = import(select, 0);
    assert_eq!(done["tenants"], 2, "{done}");
    assert_eq!(done["ignored"], json!(["created_at"]));
    assert_eq!(
        platform.json(0, &["tenant", "show", "acme"])["status"],
        "suspended"
    );
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
    platform.query(&central, "DROP TABLE tenants");
}

fn central(platform: &Platform) -> String {
    match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    }
}

fn a_list_with_one_bad_row_is_not_taken_in_at_all(engine: Engine) {
    let Some(platform) = started(engine) else { return };
    let made = Made::new(&platform, "Bad");
    let mut list = made.list();
    list[1]["server"] = json!("nowhere");
    made.write(&list);
    let refused = platform.json(40, &IMPORT);
    assert_eq!(refused["code"], "TN-6021", "{refused}");
    assert!(
        refused
            .to_string()
            .contains("item [1]: server `nowhere` is not registered"),
        "{refused}"
    );
    // The same database twice, under names that some servers take for one.
    let mut list = made.list();
    list[1]["db_name"] = list[0]["db_name"].clone();
    list[1]["external_id"] = json!("acme");
    made.write(&list);
    let refused = platform.json(40, &IMPORT).to_string();
    assert!(
        refused.contains("item [1]: db_name ") && refused.contains("a second time"),
        "{refused}"
    );
    assert!(
        refused.contains("item [1]: external_id `acme` comes a second time, after item [0]"),
        "{refused}"
    );
    assert_eq!(
        platform.json(0, &["tenant", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    if engine == Engine::Sqlite {
        return;
    }
    made.write(&made.list());
    let without = platform.command(&[&IMPORT[..], &["--json"]].concat());
    fs::rename(platform.path(".tenantry/key"), platform.path("key.away")).unwrap();
    let output = { without }.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stdout(&output).contains("TN-1005"), "{output:?}");
    fs::rename(platform.path("key.away"), platform.path(".tenantry/key")).unwrap();
    assert_eq!(
        platform.json(0, &["tenant", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

fn what_is_there_differs_or_is_taken_is_told(engine: Engine) {
    let Some(platform) = started(engine) else { return };
    let made = Made::new(&platform, "Taken");
    made.write(&made.list()[..1]);
    platform.ends(0, &IMPORT);
    let mut list = made.list();
    list[0]["name"] = json!("Another Name");
    list[1]["domain"] = json!("globex.example");
    list[1]["external_id"] = json!("acme");
    list[1]["db_name"] = list[0]["db_name"].clone();
    if engine != Engine::Sqlite {
        list[0]["db_password"] = json!("canary");
    }
    made.write(&list);
    let refused = platform.json(40, &IMPORT).to_string();
    assert!(
        refused.contains("name `Another Name` is not what the registry has, `acme`"),
        "{refused}"
    );
    assert!(
        refused.contains("external_id `acme` is taken by the tenant `acme`"),
        "{refused}"
    );
    assert!(refused.contains("item [1]: db_name"), "{refused}");
    assert_eq!(
        refused.contains("db_password is not the password that the registry has"),
        engine != Engine::Sqlite
    );
    assert!(!refused.contains("canary"), "{refused}");
    assert_eq!(
        platform.json(0, &["tenant", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn encrypted_passwords_are_read_with_the_key_of_a_trusted_file() {
    let Some(platform) = started(Engine::Postgres) else {
        return;
    };
    let port = platform.server.as_ref().unwrap().port;
    let vectors = include_str!("../../../../tenantry/src/secret/legacy/vectors/openssl.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    let vector = vectors
        .iter()
        .find(|v| v["profile"] == "salted" && v["form"] == "evp-sha256")
        .unwrap();
    let list = json!([{
        "id": "7", "slug": "acme", "db_host": "localhost", "db_port": port, "db_name": "x", "db_username": "x",
        "db_password": vector["record"],
    }]);
    platform.write("tenants.json", &list.to_string());
    platform.write("legacy-key", vector["given"].as_str().unwrap());
    let flags = [
        "--legacy-secrets",
        "salted",
        "--legacy-key-file",
        "legacy-key",
        "--legacy-key-form",
    ];
    let import = |form: &str, exit: i32| platform.json(exit, &[&IMPORT[..], &flags, &[form]].concat());
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(platform.path("legacy-key"), open).unwrap();
    let refused = import("evp-sha256", 3);
    assert!(
        refused["title"]
            .as_str()
            .unwrap()
            .contains("the legacy key file legacy-key has mode 0644"),
        "{refused}"
    );
    fs::set_permissions(platform.path("legacy-key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(import("sha256", 40)["code"], "TN-7010");
    assert_eq!(import("evp-md5", 40)["code"], "TN-6021");
    assert_eq!(import("evp-sha256", 0)["tenants"], 1);
    // What was sealed is what was encrypted: the same in clear is already there.
    let mut clear = list;
    clear[0]["db_password"] = vector["plain"].clone();
    platform.write("tenants.json", &clear.to_string());
    assert_eq!(platform.json(0, &IMPORT)["already_there"], 1);
    assert!(stderr(&platform.ends(2, &[&IMPORT[..], &flags[..2]].concat())).contains("--legacy-key-file"));
}
