//! Databases that are not connected to because their server says that they are at their goal; and what is.

use std::thread::sleep;
use std::time::Duration;

use tenantry::engine::Engine;

use super::{FIVE, THINGS, THINGS_BACK, five};
use crate::platform::{Platform, wait};
use crate::{stderr, stdout};

const MORE: (&str, &str) = (
    "migrations/tenant/002_more.sql",
    "CREATE TABLE more (id INTEGER);\n",
);
const MORE_BACK: (&str, &str) = ("migrations/tenant/002_more.down.sql", "DROP TABLE more;\n");

/// The comment of a tenant's database.
fn comment(platform: &Platform, database: &str) -> String {
    platform.one(
        "postgres",
        &format!(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'"
        ),
    )
}

fn as_admin(platform: &Platform, sql: &str) {
    platform.query("postgres", sql);
}

/// How many sessions the tenants' databases have had in all, once the server has counted them.
fn sessions(platform: &Platform, databases: &[String], more_than: i64) -> i64 {
    let names: Vec<String> = databases.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!(
        "SELECT sum(sessions) FROM pg_stat_database WHERE datname IN ({})",
        names.join(", ")
    );
    let mut seen = 0;
    for _ in 0..20 {
        sleep(Duration::from_millis(100));
        seen = platform.one("postgres", &sql).parse().unwrap();
        if seen > more_than {
            break;
        }
    }
    // Whoever comes late is counted too.
    sleep(Duration::from_millis(500));
    seen = seen.max(platform.one("postgres", &sql).parse().unwrap());
    seen
}

fn databases(platform: &Platform) -> Vec<String> {
    FIVE.iter().map(|slug| platform.database(slug)).collect()
}

#[test]
fn a_run_with_nothing_to_do_opens_one_connection_to_a_server() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    let all = databases(&platform);
    let mut before = sessions(&platform, &all, 0);
    let mut connections = |words: &[&str]| {
        let run = platform.json(0, words);
        assert_eq!(run["current"], 5, "{run}");
        let now = sessions(&platform, &all, before);
        let opened = now - before;
        before = now;
        opened
    };
    assert_eq!(connections(&["migrate", "all-tenants"]), 1);
    assert_eq!(connections(&["migrate", "plan"]), 1);
    assert_eq!(connections(&["migrate", "all-tenants", "--dry-run"]), 1);
    assert_eq!(connections(&["migrate", "all-tenants", "--live"]), 5);
    assert_eq!(connections(&["migrate", "plan", "--live"]), 5);
    // What the registry remembers otherwise is asked itself, beside the one question.
    let forget = "UPDATE tenantry_databases SET outcome = 'failed' WHERE name =";
    wait(platform.central.query(&format!("{forget} '{}'", all[0])));
    assert_eq!(connections(&["migrate", "all-tenants"]), 2);
    let forget = "UPDATE tenantry_databases SET version = 7 WHERE name =";
    wait(platform.central.query(&format!("{forget} '{}'", all[0])));
    assert_eq!(connections(&["migrate", "all-tenants"]), 2);
    assert_eq!(connections(&["migrate", "all-tenants"]), 1);
    // The stream counts them: nobody worked on them.
    let said = stdout(&platform.ends(0, &["migrate", "all-tenants", "--ndjson"]));
    assert_eq!(said.matches("\"current\":5").count(), 2, "{said}");
    assert_eq!(said.matches("\"target.finished\"").count(), 0, "{said}");
    let run = stdout(&platform.ends(0, &["migrate", "status"]));
    assert!(run.contains("current        5"), "{run}");
}

#[test]
fn a_comment_is_kept_and_a_failed_migration_leaves_it_as_it_was() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    let (acme, globex) = (platform.database("acme"), platform.database("globex"));
    let made = comment(&platform, &acme);
    assert!(
        made.starts_with("tenantry:") && made.contains(" [tenantry tenant 1 "),
        "{made}"
    );
    let text = "of \\ acme; 'ask'\n\tBöb [tenantry";
    as_admin(
        &platform,
        &format!("COMMENT ON DATABASE {acme} IS '{}'", text.replace('\'', "''")),
    );
    as_admin(&platform, &format!("COMMENT ON DATABASE {globex} IS NULL"));
    platform.write(MORE.0, MORE.1);
    platform.write(MORE_BACK.0, MORE_BACK.1);
    platform.query(&globex, "CREATE TABLE more (n integer)");
    assert_eq!(platform.json(20, &["migrate", "all-tenants"])["applied"], 4);
    let marked = comment(&platform, &acme);
    assert!(
        marked.starts_with(&format!("{text} [tenantry tenant 2 ")),
        "{marked}"
    );
    assert_eq!(comment(&platform, &globex), "NULL");
    // Taken back, it is as it was; and a run carries it out again.
    platform.ends(
        0,
        &["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"],
    );
    let back = comment(&platform, &acme);
    assert!(back.starts_with(&format!("{text} [tenantry tenant 1 ")), "{back}");
    platform.query(&globex, "DROP TABLE more");
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 2);
    assert_eq!(comment(&platform, &acme), marked);
    let healed = comment(&platform, &globex);
    assert!(healed.starts_with("[tenantry tenant 2 "), "{healed}");
}

#[test]
fn whoever_may_not_comment_is_asked_and_is_green() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    let all = databases(&platform);
    let before: Vec<String> = all.iter().map(|name| comment(&platform, name)).collect();
    for database in &all {
        as_admin(&platform, &format!("ALTER DATABASE {database} OWNER TO postgres"));
        as_admin(
            &platform,
            &format!("GRANT CONNECT ON DATABASE {database} TO {database}"),
        );
        platform.query(database, &format!("GRANT ALL ON SCHEMA public TO {database}"));
    }
    platform.write(MORE.0, MORE.1);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 5);
    let after: Vec<String> = all.iter().map(|name| comment(&platform, name)).collect();
    assert_eq!(before, after);
    let seen = sessions(&platform, &all, 0);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 5);
    // None of the markers fits; the survey itself is one more.
    assert_eq!(sessions(&platform, &all, seen) - seen, 6);
}

#[test]
fn a_database_that_was_swapped_or_cloned_is_not_passed_over() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    let names = |slug: &str| platform.database(slug);
    let (acme, globex, initech) = (names("acme"), names("globex"), names("initech"));
    for sql in [
        format!("ALTER DATABASE {acme} RENAME TO {acme}_away"),
        format!("ALTER DATABASE {globex} RENAME TO {acme}"),
        format!("ALTER DATABASE {acme}_away RENAME TO {globex}"),
        format!("DROP DATABASE {initech}"),
        format!("CREATE DATABASE {initech} TEMPLATE {}", names("wonka")),
    ] {
        as_admin(&platform, &sql);
    }
    let run = platform.json(20, &["migrate", "all-tenants"]);
    assert_eq!((&run["current"], &run["failed"]), (&2.into(), &3.into()), "{run}");
}

#[test]
fn an_edited_file_and_an_older_folder_are_not_passed_over() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    let edited = (
        "migrations/tenant/001_things.sql",
        "CREATE TABLE others (id INTEGER);\n",
    );
    platform.write(edited.0, edited.1);
    assert_eq!(platform.json(40, &["migrate", "all-tenants"])["failed"], 5);
    let found = platform.json(11, &["migrate", "verify"]);
    assert_eq!(found["findings"].as_array().unwrap().len(), 5, "{found}");
    assert_eq!(found["findings"][0]["code"], "TN-3001", "{found}");
}

#[test]
fn tables_that_were_restored_inside_a_database_are_noticed_by_verify_and_by_a_live_run() {
    let Some(platform) = five(Engine::Postgres) else {
        return;
    };
    platform.write(MORE.0, MORE.1);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 5);
    assert_eq!(platform.json(0, &["migrate:verify"])["verified"], 5);
    let acme = platform.database("acme");
    platform.query(
        &acme,
        "DROP TABLE more; DELETE FROM _tenantry_history WHERE version = 2",
    );
    // The server has nobody's word but the marker's.
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 5);
    let found = platform.json(11, &["migrate", "verify"]);
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{found}");
    assert_eq!(
        (&findings[0]["target"], &findings[0]["code"]),
        (&"acme".into(), &"TN-3108".into())
    );
    let said = platform.ends(11, &["migrate", "verify", "acme"]);
    assert!(
        stderr(&said).contains("tenantry migrate tenant acme --live"),
        "{}",
        stderr(&said)
    );
    assert!(
        stdout(&said).contains("its marker says 2, its history says 1"),
        "{}",
        stdout(&said)
    );
    assert_eq!(
        platform.json(0, &["migrate", "all-tenants", "--live"])["applied"],
        1
    );
    assert_eq!(
        platform.json(0, &["migrate", "verify"])["findings"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    // Where a run may not go on, the wrong marker goes all the same.
    platform.query(
        &acme,
        "UPDATE _tenantry_history SET checksum = repeat('0', 64) WHERE version = 1",
    );
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 5);
    platform.ends(40, &["migrate", "all-tenants", "--live"]);
    platform.ends(40, &["migrate", "all-tenants"]);
    let found = platform.json(11, &["migrate", "verify"]);
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["findings"][0]["code"], "TN-3001", "{found}");
}

/// So many that their server is asked first, also with `--live`.
const MANY: [&str; 12] = [
    "acme",
    "globex",
    "initech",
    "hooli",
    "umbrella",
    "wonka",
    "stark",
    "wayne",
    "tyrell",
    "cyberdyne",
    "soylent",
    "oscorp",
];

#[test]
fn many_are_asked_themselves_with_one_question_for_their_comments() {
    let migrations = [THINGS, THINGS_BACK];
    let Some(platform) = Platform::with_tenants(Engine::Postgres, &migrations, &MANY) else {
        return;
    };
    let all: Vec<String> = MANY.iter().map(|slug| platform.database(slug)).collect();
    let live = ["migrate", "all-tenants", "--live"];
    let before = sessions(&platform, &all, 0);
    assert_eq!(platform.json(0, &live)["current"], MANY.len());
    assert_eq!(sessions(&platform, &all, before) - before, 13);
    platform.write(MORE.0, MORE.1);
    assert_eq!(platform.json(0, &live)["applied"], MANY.len());
    let (acme, globex, hooli) = (&all[0], &all[1], &all[3]);
    // One that was restored, one whose marker is gone, and one that nobody may comment on.
    let right = comment(&platform, acme);
    as_admin(
        &platform,
        &format!(
            "COMMENT ON DATABASE {acme} IS 'theirs {}'",
            right.replace("tenantry:", "")
        ),
    );
    platform.query(
        acme,
        "DROP TABLE more; DELETE FROM _tenantry_history WHERE version = 2",
    );
    as_admin(&platform, &format!("COMMENT ON DATABASE {globex} IS 'of globex'"));
    as_admin(&platform, &format!("COMMENT ON DATABASE {hooli} IS NULL"));
    as_admin(&platform, &format!("ALTER DATABASE {hooli} OWNER TO postgres"));
    as_admin(
        &platform,
        &format!("GRANT CONNECT ON DATABASE {hooli} TO {hooli}"),
    );
    platform.query(hooli, &format!("GRANT ALL ON SCHEMA public TO {hooli}"));
    let report = platform.json(0, &live);
    assert_eq!(
        (&report["applied"], &report["current"]),
        (&1.into(), &(MANY.len() - 1).into()),
        "{report}"
    );
    let mended = comment(&platform, acme);
    assert!(
        mended.starts_with("theirs ") && mended.contains("[tenantry tenant 2 "),
        "{mended}"
    );
    let marked = comment(&platform, globex);
    assert!(marked.starts_with("of globex [tenantry tenant 2 "), "{marked}");
    assert_eq!(comment(&platform, hooli), "NULL");
    let found = platform.json(0, &["migrate", "verify"]);
    assert_eq!(found["findings"].as_array().unwrap().len(), 0, "{found}");
}
