//! `migrate mark`: a history says what a person declares, the next run goes by it, and nothing else was done.

use tenantry::engine::{Address, Engine};

use super::{FIVE, THINGS, THINGS_BACK, on_each_engine};
use crate::platform::Platform;
use crate::{stderr, stdout};

const MORE: (&str, &str) = (
    "002_more.sql",
    "CREATE TABLE more (id INTEGER PRIMARY KEY);\nINSERT INTO more VALUES (1);\n",
);
const LAST: (&str, &str) = ("003_last.sql", "CREATE TABLE last_one (id INTEGER);\n");

on_each_engine!(
    an_edit_is_accepted_by_the_command_that_the_refusal_prints,
    what_was_made_by_hand_counts_as_applied_and_belongs_to_no_run,
    what_was_taken_back_by_hand_runs_again,
    a_file_that_is_gone_for_good_is_forgotten,
    a_database_without_a_history_is_taken_over,
    what_does_not_fit_is_refused_and_writes_nothing,
    a_version_that_nobody_has_is_refused_however_it_is_declared,
    a_mark_leaves_a_database_as_the_next_run_finds_it,
);

fn migrated(engine: Engine, files: &[(&str, &str)], tenants: &[&str]) -> Option<Platform> {
    let platform = Platform::with_tenants(engine, &[], tenants)?;
    for file in files {
        write(&platform, *file);
    }
    platform.ends(0, &["migrate", "all-tenants"]);
    Some(platform)
}

fn write(platform: &Platform, (name, sql): (&str, &str)) {
    platform.write(&format!("migrations/tenant/{name}"), sql);
}

/// Carries out the line of help that begins with a command, with a reason of its own.
fn printed(said: &str, command: &str) -> Vec<String> {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = said
        .find(command)
        .unwrap_or_else(|| panic!("no `{command}` in {said}"));
    let (words, _) = said[at..].split_once(" --reason").unwrap();
    let words = words.split(' ').skip(1).map(ToOwned::to_owned);
    words
        .chain(["--reason".to_owned(), "it was so".to_owned()])
        .collect()
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

fn central(platform: &Platform) -> &str {
    match &platform.central.address {
        Address::Network(at) => &at.database,
        Address::Sqlite(at) => &at.file,
    }
}

fn history(platform: &Platform, tenant: &str) -> Vec<Vec<String>> {
    let rows = "SELECT version, phase, epoch FROM _tenantry_history ORDER BY version";
    platform.query(&platform.database(tenant), rows)
}

fn an_edit_is_accepted_by_the_command_that_the_refusal_prints(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, THINGS_BACK], &["acme", "globex"]) else {
        return;
    };
    write(&platform, (THINGS.0, &THINGS.1.replace("'b'", "'c'")));
    let refused = stderr(&platform.ends(40, &["migrate", "tenant", "acme"]));
    let command = printed(&refused, "tenantry migrate mark 1 --accept-edit acme");
    let said = stdout(&platform.ends(0, &words(&command)));
    assert!(said.contains("no migration ran"), "{said}");
    platform.ends(0, &["migrate", "tenant", "acme"]);
    assert_eq!(
        platform.one(&platform.database("acme"), "SELECT name FROM things WHERE id = 2"),
        "b"
    );
    // Nobody declared anything about the other one, and the run that applied it is still known.
    platform.ends(40, &["migrate", "tenant", "globex"]);
    let back = platform.ends(0, &["migrate", "rollback", "acme", "--confirm", "acme"]);
    assert!(stderr(&back).contains("Taking back run_"), "{back:?}");
    let reason = "SELECT reason FROM tenantry_marks WHERE says = 'accept_edit'";
    assert_eq!(platform.one(central(&platform), reason), "it was so");
}

fn what_was_made_by_hand_counts_as_applied_and_belongs_to_no_run(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, THINGS_BACK], &["acme"]) else {
        return;
    };
    write(&platform, MORE);
    write(&platform, ("002_more.down.sql", "DROP TABLE more;\n"));
    let acme = platform.database("acme");
    platform.query(&acme, "CREATE TABLE more (id INTEGER PRIMARY KEY)");
    let mark = ["migrate", "mark", "2", "--applied", "acme", "--reason", "by hand"];
    let marked = platform.json(0, &mark);
    assert_eq!(marked["changed"][0]["migrations"][0], "2_more", "{marked}");
    let again = platform.json(0, &mark);
    assert_eq!(again["unchanged"][0], "acme", "{again}");
    platform.ends(0, &["migrate", "status", "--exit-code"]);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
    assert_eq!(platform.one(&acme, "SELECT COUNT(*) FROM more"), "0");
    let run = platform.one(&acme, "SELECT run_id FROM _tenantry_history WHERE version = 2");
    assert_eq!(run, marked["mark"].as_str().unwrap());
    let status = platform.json(0, &["migrate", "status", "acme"]);
    // The second time nothing was written.
    assert_eq!(status["databases"][0]["marks"].as_array().unwrap().len(), 1);
    let shown = &status["databases"][0]["marks"][0];
    assert_eq!(
        (&shown["mark"], &shown["reason"]),
        (&marked["mark"], &"by hand".into())
    );
    let status = stdout(&platform.ends(0, &["migrate", "status", "acme"]));
    assert!(status.contains("by hand"), "{status}");
    // The last run is beneath it, and the way past it is no run.
    let refused = stderr(&platform.ends(40, &["migrate", "rollback", "acme"]));
    assert!(
        refused.contains("TN-3060") && refused.contains("--step 2"),
        "{refused}"
    );
}

fn what_was_taken_back_by_hand_runs_again(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE], &["acme"]) else {
        return;
    };
    let acme = platform.database("acme");
    platform.query(&acme, "DROP TABLE more");
    platform.ends(
        0,
        &[
            "migrate",
            "mark",
            "2",
            "--rolled-back",
            "acme",
            "--reason",
            "dropped",
        ],
    );
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
    assert_eq!(platform.one(&acme, "SELECT COUNT(*) FROM more"), "1");
}

fn a_file_that_is_gone_for_good_is_forgotten(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE, LAST], &["acme"]) else {
        return;
    };
    let kept = ["migrate", "mark", "2", "--forget", "acme", "--reason", "x"];
    assert!(stderr(&platform.ends(40, &kept)).contains("TN-4011"));
    std::fs::remove_file(platform.path("migrations/tenant/002_more.sql")).unwrap();
    let refused = stderr(&platform.ends(40, &["migrate", "all-tenants"]));
    let command = printed(&refused, "tenantry migrate mark 2 --forget acme");
    platform.ends(0, &words(&command));
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
}

fn a_database_without_a_history_is_taken_over(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE], &["acme", "globex"]) else {
        return;
    };
    for table in ["_tenantry_history", "_tenantry_meta"] {
        platform.query(&platform.database("acme"), &format!("DROP TABLE {table}"));
    }
    // A marker outlives tables that somebody drops (docs/markers.md).
    platform.ends(20, &["migrate", "all-tenants", "--live"]);
    let all = ["--all-tenants", "--reason", "as it was"];
    let marked = platform.json(
        0,
        &[&["migrate", "mark", "2", "--applied", "--and-older"], &all[..]].concat(),
    );
    assert_eq!(marked["changed"].as_array().unwrap().len(), 1, "{marked}");
    assert_eq!(marked["changed"][0]["migrations"].as_array().unwrap().len(), 2);
    assert_eq!(marked["unchanged"][0], "globex", "{marked}");
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 2);
    platform.ends(0, &["migrate", "status", "--exit-code", "--live"]);
}

fn what_does_not_fit_is_refused_and_writes_nothing(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE], &["acme"]) else {
        return;
    };
    write(&platform, LAST);
    write(&platform, ("004_more.sql", "SELECT 1;\n"));
    let before = history(&platform, "acme");
    for (words, code) in [
        (&["4", "--applied", "acme"][..], "TN-4011"),
        (&["1", "--rolled-back", "acme"], "TN-4011"),
        (&["9", "--applied", "acme"], "TN-4008"),
        (&["3", "--applied"], "TN-4004"),
        (&["3", "--applied", "nobody"], "TN-6002"),
    ] {
        let words = [&["migrate", "mark"][..], words, &["--reason", "x"]].concat();
        let refused = platform.command(&words).output().unwrap();
        assert!(stderr(&refused).contains(code), "{words:?} {refused:?}");
        assert_ne!(refused.status.code(), Some(0));
    }
    for words in [
        &["migrate", "mark", "3", "acme", "--reason", "x"][..],
        &["migrate", "mark", "3", "--applied", "acme"],
        &[
            "migrate",
            "mark",
            "3",
            "--applied",
            "--forget",
            "acme",
            "--reason",
            "x",
        ],
        &["migrate", "mark", "3", "--applied", "acme", "--reason", " "],
    ] {
        platform.ends(2, words);
    }
    assert_eq!(history(&platform, "acme"), before);
}

fn a_version_that_nobody_has_is_refused_however_it_is_declared(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE], &["acme", "globex"]) else {
        return;
    };
    write(&platform, LAST);
    let decision = ["--statement", "1", "--applied", "--evidence", "0123456789ab"];
    let marks: [&[&str]; 5] = [
        &["mark", "20", "--forget", "acme", "--reason", "x"],
        &["mark", "20", "--rolled-back", "--all-tenants", "--reason", "x"],
        &["mark", "20", "--applied", "acme", "--reason", "x"],
        &["resolve", "acme", "20"],
        &[&["resolve", "acme", "20", "--reason", "x"], &decision[..]].concat(),
    ];
    for words in marks {
        let refused = stderr(&platform.ends(4, &[&["migrate"], words].concat()));
        assert!(refused.contains("TN-4008"), "{words:?} {refused}");
        assert!(refused.contains('2'), "{words:?} {refused}");
    }
    for flag in ["--forget", "--rolled-back"] {
        let said = stdout(&platform.ends(0, &["migrate", "mark", "3", flag, "acme", "--reason", "x"]));
        assert!(said.contains("nothing to write in acme"), "{said}");
    }
    // What only some histories have is known.
    platform.ends(0, &["migrate", "tenant", "acme"]);
    std::fs::remove_file(platform.path("migrations/tenant/003_last.sql")).unwrap();
    let said = platform.json(
        0,
        &[
            "migrate",
            "mark",
            "3",
            "--forget",
            "--all-tenants",
            "--reason",
            "x",
        ],
    );
    assert_eq!(
        (&said["changed"][0]["target"], &said["unchanged"][0]),
        (&"acme".into(), &"globex".into())
    );
}

fn outcome(platform: &Platform, tenant: &str) -> String {
    let row = format!(
        "SELECT outcome FROM tenantry_databases WHERE name = '{}'",
        platform.database(tenant)
    );
    platform.one(central(platform), &row)
}

fn a_mark_leaves_a_database_as_the_next_run_finds_it(engine: Engine) {
    let Some(platform) = migrated(engine, &[THINGS, MORE], &["acme"]) else {
        return;
    };
    write(&platform, (THINGS.0, &THINGS.1.replace("'b'", "'c'")));
    write(&platform, (MORE.0, &MORE.1.replace("(1)", "(2)")));
    let accept = |version| {
        [
            "migrate",
            "mark",
            version,
            "--accept-edit",
            "acme",
            "--reason",
            "x",
        ]
    };
    let said = stdout(&platform.ends(0, &accept("1")));
    assert_eq!(outcome(&platform, "acme"), "modified");
    assert!(said.contains("TN-3001"), "{said}");
    let next = printed(&said, "tenantry migrate mark 2 --accept-edit acme");
    let status = stdout(&platform.command(&["migrate", "status"]).output().unwrap());
    assert!(status.contains("TN-3001"), "{status}");
    platform.ends(0, &words(&next));
    assert_eq!(outcome(&platform, "acme"), "current");
    write(&platform, LAST);
    platform.ends(
        0,
        &["migrate", "mark", "2", "--rolled-back", "acme", "--reason", "x"],
    );
    assert_eq!(outcome(&platform, "acme"), "not_run");
}

#[test]
fn a_mark_beside_an_open_statement_does_not_say_that_a_resume_goes_on() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    write(&platform, ODD);
    platform.ends(20, &["migrate", "all-tenants"]);
    write(&platform, (THINGS.0, &THINGS.1.replace("'b'", "'c'")));
    let said = stdout(&platform.ends(
        0,
        &["migrate", "mark", "1", "--accept-edit", "acme", "--reason", "x"],
    ));
    assert_eq!(outcome(&platform, "acme"), "ambiguous");
    assert!(!said.contains("migrate resume"), "{said}");
    let command = printed(&said, "tenantry migrate resolve acme 2 --statement 2 --applied");
    let said = stdout(&platform.ends(0, &words(&command)));
    assert_eq!(outcome(&platform, "acme"), "interrupted");
    assert!(said.contains("tenantry migrate resume"), "{said}");
}

/// Makes statement 1 of migration 2 of a tenant one that somebody has to decide about, on SQLite.
fn cut_off(platform: &Platform, tenant: &str) -> String {
    cut_off_by(platform, tenant, "00000000-0000-8000-8000-000000000000")
}

fn cut_off_by(platform: &Platform, tenant: &str, attempt: &str) -> String {
    // Behind the counts stands what the statement was: the beginning of its SHA-256.
    let row = format!(
        "INSERT INTO _tenantry_history VALUES ('tenant', 2, 'out', hex(zeroblob(32)), 'running', '{attempt}', \
         'run_dead', 1, 0, 1, 'c40c5e563d2a0584', '2026-03-01T09:00:00Z', NULL, 0, '0')"
    );
    platform.query(&platform.database(tenant), &row);
    let shown = platform.json(20, &["migrate", "resolve", tenant, "2"]);
    shown["open"][0]["error"]["evidence"].as_str().unwrap().to_owned()
}

fn decides(platform: &Platform, exit: i32, words: &str, evidence: &str) -> String {
    let words = format!("migrate resolve {words} --evidence {evidence} --reason x");
    let output = platform.ends(exit, &words.split(' ').collect::<Vec<_>>());
    format!("{}{}", stdout(&output), stderr(&output))
}

#[test]
fn a_decision_is_said_again_and_never_contradicted() {
    let platform = migrated(Engine::Sqlite, &[THINGS], &["acme", "globex", "wonka"]).unwrap();
    write(
        &platform,
        (
            "002_out.sql",
            "-- tenantry: no-transaction\nCREATE TABLE out_of_it (id INTEGER);\n",
        ),
    );
    let refused = |words: &str, evidence: &str| {
        let before = ["acme", "globex", "wonka"].map(|tenant| history(&platform, tenant));
        let said = decides(&platform, 40, words, evidence);
        assert!(
            said.contains("TN-4012") && said.contains("migrate resolve"),
            "{said}"
        );
        let after = ["acme", "globex", "wonka"].map(|tenant| history(&platform, tenant));
        assert_eq!(before, after, "{words}");
    };
    let evidence = cut_off(&platform, "acme");
    refused("acme 2 --statement 2 --applied", &evidence);
    decides(&platform, 0, "acme 2 --statement 1 --applied", &evidence);
    let said = decides(&platform, 0, "acme 2 --statement 1 --applied", &evidence);
    assert!(said.contains("nothing to write in acme"), "{said}");
    refused("acme 2 --statement 1 --not-applied", &evidence);
    refused("acme 2 --statement 3 --applied", &evidence);
    refused("acme 2 --statement 1 --applied", "0123456789ab");
    // Nobody ever had to decide there.
    refused("globex 2 --statement 1 --not-applied", &evidence);
    platform.ends(0, &["migrate", "tenant", "globex"]);
    refused("globex 2 --statement 1 --applied", &evidence);
    // The other decision, said again, and overtaken by the run that then carried it out.
    let evidence = cut_off(&platform, "wonka");
    decides(&platform, 0, "wonka 2 --statement 1 --not-applied", &evidence);
    let said = decides(&platform, 0, "wonka 2 --statement 1 --not-applied", &evidence);
    assert!(said.contains("nothing to write in wonka"), "{said}");
    refused("wonka 2 --statement 1 --applied", &evidence);
    platform.ends(0, &["migrate", "tenant", "wonka"]);
    refused("wonka 2 --statement 1 --not-applied", &evidence);
}

/// Two attempts of a run look alike, those of two runs do not: what was decided about the one left open something else.
#[test]
fn a_decision_is_about_what_one_run_left_open() {
    let platform = migrated(Engine::Sqlite, &[THINGS], &["acme", "globex"]).unwrap();
    write(
        &platform,
        (
            "002_out.sql",
            "-- tenantry: no-transaction\nCREATE TABLE out_of_it (id INTEGER);\n",
        ),
    );
    let first = cut_off_by(&platform, "acme", "11111111-1111-8000-8000-000000000000");
    let beside = cut_off_by(&platform, "globex", "11111111-1111-8000-8000-999999999999");
    assert_eq!(first, beside);
    let not_applied = "acme 2 --statement 1 --not-applied";
    decides(&platform, 0, not_applied, &first);
    let second = cut_off_by(&platform, "acme", "11111111-2222-8000-8000-000000000000");
    assert_ne!(first, second);
    let before = history(&platform, "acme");
    let said = decides(&platform, 40, not_applied, &first);
    assert!(said.contains("TN-4012"), "{said}");
    assert_eq!(history(&platform, "acme"), before);
    decides(&platform, 0, not_applied, &second);
}

#[test]
fn what_is_printed_for_many_tenants_can_be_typed() {
    let names: Vec<String> = (1..=12).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let platform = migrated(Engine::Sqlite, &[THINGS], &names).unwrap();
    write(&platform, (THINGS.0, &THINGS.1.replace("'b'", "'c'")));
    let refused = stderr(&platform.ends(40, &["migrate", "all-tenants"]));
    let command = printed(&refused, "tenantry migrate mark 1 --accept-edit --only");
    platform.ends(0, &words(&command));
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 12);
}

#[test]
fn the_command_for_one_tenant_is_whole_once_it_is_named() {
    let platform = migrated(Engine::Sqlite, &[THINGS, MORE], &["acme"]).unwrap();
    let asked = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        stderr(&platform.ends(40, &words))
    };
    let named = |said: &str| {
        let line = said
            .lines()
            .find_map(|line| line.split_once("one tenant:  tenantry "));
        let (_, command) = line.unwrap_or_else(|| panic!("{said}"));
        command.trim().replace("<slug>", "acme")
    };
    let command = named(&asked("migrate resolve 2"));
    assert_eq!(command, "migrate resolve acme 2");
    platform.ends(0, &command.split(' ').collect::<Vec<_>>());
    let command = named(&asked("migrate mark 2 --rolled-back --reason dropped"));
    assert_eq!(command, "migrate mark 2 --rolled-back acme --reason dropped");
    platform.ends(0, &command.split(' ').collect::<Vec<_>>());
}

#[test]
fn a_whole_fleet_is_marked_at_once() {
    let platform = migrated(Engine::Sqlite, &[THINGS, MORE], &FIVE).unwrap();
    write(&platform, LAST);
    let all = [
        "migrate",
        "mark",
        "3",
        "--applied",
        "--all-tenants",
        "--reason",
        "x",
    ];
    let said = stdout(&platform.ends(0, &all));
    assert!(said.contains("in 5 databases: acme, globex"), "{said}");
    let said = stdout(&platform.ends(0, &all));
    assert!(said.contains("nothing to write in acme, globex"), "{said}");
}

/// Half of what the second statement inserts stays where a table cannot roll back.
const ODD: (&str, &str) = (
    "002_odd.sql",
    "CREATE TABLE odd (id INTEGER PRIMARY KEY) ENGINE = MyISAM;\n\
     INSERT INTO odd VALUES (1), (2), (1);\n\
     CREATE TABLE behind (id INTEGER);\n",
);

#[test]
fn a_statement_that_nobody_can_tell_of_is_decided_by_its_evidence() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme", "globex", "wonka"])
    else {
        return;
    };
    write(&platform, ODD);
    let failed = stderr(&platform.ends(20, &["migrate", "all-tenants"]));
    assert!(failed.contains("tenantry migrate resolve"), "{failed}");
    let shown = platform.json(20, &["migrate", "resolve", "acme", "2"]);
    let error = &shown["open"][0]["error"];
    assert_eq!(
        (&error["code"], &error["statement"]),
        (&"TN-2011".into(), &2.into())
    );
    let evidence = error["evidence"].as_str().unwrap();

    let decide = |words: &[&'static str], evidence: &str, exit| {
        let own = [
            "--statement",
            "2",
            "--evidence",
            evidence,
            "--reason",
            "the rows count",
        ];
        platform.ends(exit, &[&["migrate", "resolve"], words, &own[..]].concat())
    };
    let refused = stderr(&decide(&["acme", "2", "--applied"], "0123456789ab", 40));
    assert!(refused.contains("TN-4012"), "{refused}");
    decide(&["--only", "acme,wonka", "2", "--applied"], evidence, 0);
    decide(&["--only", "acme,wonka", "2", "--applied"], evidence, 0);
    let refused = stderr(&decide(&["acme", "2", "--not-applied"], evidence, 40));
    assert!(refused.contains("TN-4012"), "{refused}");
    let resumed = platform.json(20, &["migrate", "all-tenants"]);
    assert_eq!(
        (&resumed["applied"], &resumed["failed"]),
        (&2.into(), &1.into()),
        "{resumed}"
    );
    for tenant in ["acme", "wonka"] {
        let database = platform.database(tenant);
        assert_eq!(platform.one(&database, "SELECT COUNT(*) FROM odd"), "2");
        assert_eq!(platform.one(&database, "SELECT COUNT(*) FROM behind"), "0");
    }
    let globex = platform.database("globex");
    platform.query(&globex, "DELETE FROM odd");
    decide(&["globex", "2", "--not-applied"], evidence, 0);
    write(&platform, (ODD.0, &ODD.1.replace("(1), (2), (1)", "(1), (2)")));
    platform.ends(0, &["migrate", "tenant", "globex"]);
    assert_eq!(platform.one(&globex, "SELECT COUNT(*) FROM odd"), "2");
    platform.ends(0, &["migrate", "resolve", "globex", "2"]);
}

#[test]
fn the_printed_decision_is_the_one_to_type() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    write(&platform, ODD);
    platform.ends(20, &["migrate", "all-tenants"]);
    let said = stderr(&platform.ends(20, &["migrate", "all-tenants"]));
    let command = printed(&said, "tenantry migrate resolve acme 2 --statement 2 --applied");
    platform.ends(0, &words(&command));
    platform.ends(0, &["migrate", "all-tenants"]);
}

#[test]
fn what_ran_outside_a_transaction_is_decided_too() {
    let Some(platform) = migrated(Engine::Postgres, &[THINGS], &["acme"]) else {
        return;
    };
    write(
        &platform,
        (
            "002_out.sql",
            "-- tenantry: no-transaction\nCREATE TABLE out_of_it (id INTEGER);\n",
        ),
    );
    let acme = platform.database("acme");
    platform.query(
        &acme,
        "INSERT INTO _tenantry_history VALUES ('tenant', 2, 'out', encode(sha256(convert_to('-- tenantry: no-transaction' || chr(10) || \
         'CREATE TABLE out_of_it (id INTEGER);' || chr(10), 'UTF8')), 'hex'), 'running', \
         '00000000-0000-7000-8000-000000000000', 'run_dead', 1, 0, 1, NULL, now(), NULL, 0, '0')",
    );
    let said = stderr(&platform.ends(20, &["migrate", "all-tenants"]));
    let command = printed(&said, "tenantry migrate resolve acme 2 --statement 1 --applied");
    platform.ends(0, &words(&command));
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
}
