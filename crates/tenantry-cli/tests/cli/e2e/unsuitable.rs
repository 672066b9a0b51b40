//! Servers that were right once and are not any more: a replica, a read-only one, one of another version, and a
//! database in an encoding that keeps no text.

use tenantry::engine::Engine;

use super::apart::Place;
use crate::stderr;

const MORE: (&str, &str) = ("002_more.sql", "CREATE TABLE more (id INTEGER PRIMARY KEY);\n");

/// A tenant with a migration pending.
fn place(engine: Engine) -> Option<Place> {
    let place = Place::with_tenant(engine)?;
    place
        .platform
        .write(&format!("migrations/tenant/{}", MORE.0), MORE.1);
    Some(place)
}

impl Place {
    /// Nothing runs there, and nothing is added there.
    fn is_refused(&self, why: &str) {
        self.is_not_migrated(why);
        let (exit, said) = self.add("again");
        assert_eq!(exit, 20, "{said}");
        assert!(said.contains("TN-5005") && said.contains(why), "{said}");
    }

    fn is_not_migrated(&self, why: &str) {
        let run = self.platform.json(20, &["migrate", "all-tenants"]);
        let target = &run["targets"][0];
        assert_eq!(target["error"]["code"], "TN-5005", "{run}");
        assert!(target["error"].to_string().contains(why), "{run}");
        assert_eq!(target["migrations"], serde_json::json!([]), "{run}");
    }

    /// It is as it was: what was refused is carried out now.
    fn is_migrated(&self) {
        let run = self.platform.json(0, &["migrate", "all-tenants"]);
        assert_eq!(run["applied"], 1, "{run}");
        assert_eq!(self.platform.json(0, &["migrate", "all-tenants"])["current"], 1);
    }
}

#[test]
fn a_replica_is_told_and_migrated_once_it_is_the_primary() {
    let Some(mut place) = place(Engine::Postgres) else {
        return;
    };
    place.server.turns_replica();
    place.is_refused("it is a replica");
    place.ask("postgres", "SELECT pg_promote()");
    place.is_migrated();
}

#[test]
fn a_read_only_server_is_told() {
    for (engine, word) in [
        (Engine::Postgres, "-cdefault_transaction_read_only=on"),
        (Engine::MySql, "--read-only"),
    ] {
        let Some(mut place) = place(engine) else {
            return;
        };
        place.server.turns(&[word]);
        place.is_refused("it is read-only");
        place.server.turns(&[]);
        place.is_migrated();
    }
}

#[test]
fn a_server_that_is_too_old_is_told() {
    let Some(mut place) = place(Engine::MySql) else {
        return;
    };
    // The server says what it is told to say ("Server System Variables", `version`).
    place.server.turns(&["--version=10.2.44-MariaDB"]);
    place.is_refused("version 10.2.44-MariaDB is too old");
    place.server.turns(&[]);
    place.is_migrated();
}

#[test]
fn a_role_that_may_not_connect_is_refused_at_its_log_in() {
    let Some(place) = place(Engine::Postgres) else {
        return;
    };
    let database = place.platform.database("acme");
    let owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname =";
    let role = place.ask("postgres", &format!("{owner} '{database}'"))[0][0].clone();
    let revoke = format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {role}");
    place.ask("postgres", &revoke);
    let run = place.platform.json(20, &["migrate", "all-tenants"]);
    let target = &run["targets"][0];
    assert_eq!(
        (&target["status"], &target["error"]["code"]),
        (&"auth_failed".into(), &"TN-5002".into()),
        "{run}"
    );
    let said = stderr(&place.platform.ends(20, &["migrate", "all-tenants"]));
    let (_, said) = said.split_once("error[TN-5002]").unwrap();
    assert!(said.contains(&format!("refused user `{role}`")), "{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    let grant = format!("GRANT CONNECT ON DATABASE {database} TO {role}");
    let words = words.join(" ").replace('"', "");
    assert!(words.contains(&grant), "{said}");
    place.ask("postgres", &grant);
    place.is_migrated();
}

#[test]
fn a_database_in_sql_ascii_is_told() {
    let Some(place) = place(Engine::Postgres) else {
        return;
    };
    let encoding = |name: &str| {
        format!(
            "UPDATE pg_database SET encoding = pg_char_to_encoding('{name}') WHERE datname = '{}'",
            place.platform.database("acme")
        )
    };
    place.ask("postgres", &encoding("SQL_ASCII"));
    place.is_not_migrated("its encoding is SQL_ASCII");
    place.ask("postgres", &encoding("UTF8"));
    place.is_migrated();
}
