//! What counts as one run: with its goal, its resumes, and the rollback that takes it back.

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK, on_each_engine};
use crate::platform::Platform;
use crate::{stderr, stdout};

on_each_engine!(
    a_resume_goes_no_further_than_its_run_and_says_so,
    a_rollback_takes_a_run_and_its_resume_back,
    a_failed_rollback_says_how_it_is_repeated,
    creating_tenants_is_no_run_to_resume_or_to_take_back,
    a_named_tenant_that_is_not_active_is_refused,
    an_unknown_version_is_refused_before_anything_runs,
    a_run_that_was_not_recorded_is_not_passed_over_by_a_rollback,
    a_rollback_that_was_not_recorded_is_told_by_the_same_rollback,
    a_rollback_that_was_not_finished_is_gone_on_with,
    a_database_that_cannot_be_asked_keeps_its_run_the_last,
    a_run_taken_back_in_steps_hides_no_older_one,
    a_rollback_hides_no_failure_from_a_resume,
    a_run_of_one_tenant_hides_no_failure_from_a_resume,
    an_older_run_is_not_taken_back_beneath_a_newer,
);

const MORE: &str = "CREATE TABLE more (id INTEGER);\n";
const VERSIONS: &str = "SELECT max(version) FROM _tenantry_history";

/// Two tenants at 001; 002 and 003 are there, and fail in `globex` until its table `more` goes.
fn two(engine: Engine) -> Option<Platform> {
    let platform = Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &["acme", "globex"])?;
    for (name, sql) in [
        ("002_more", MORE),
        ("002_more.down", "DROP TABLE more;\n"),
        ("003_rows", "INSERT INTO more VALUES (1);\n"),
        ("003_rows.down", "UPDATE more SET id = id + 1;\n"),
    ] {
        platform.write(&format!("migrations/tenant/{name}.sql"), sql);
    }
    let globex = platform.database("globex");
    platform.query(&globex, MORE);
    Some(platform)
}

fn mend(platform: &Platform) {
    platform.query(&platform.database("globex"), "DROP TABLE more");
}

fn versions(platform: &Platform) -> [String; 2] {
    ["acme", "globex"].map(|tenant| platform.one(&platform.database(tenant), VERSIONS))
}

fn a_resume_goes_no_further_than_its_run_and_says_so(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    platform.ends(20, &["migrate", "all-tenants", "--to", "2"]);
    mend(&platform);
    let dry = platform.ends(0, &["migrate", "resume", "--dry-run"]);
    let shown = stdout(&dry);
    assert!(
        shown.contains("  2_more ") && !shown.contains("  3_rows "),
        "{shown}"
    );
    assert!(stderr(&dry).contains("goes up to 2, as it was told"), "{dry:?}");
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{resumed}");
    assert_eq!(versions(&platform), ["2", "2"]);
}

fn a_rollback_takes_a_run_and_its_resume_back(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    platform.ends(20, &["migrate", "all-tenants"]);
    mend(&platform);
    assert_eq!(platform.json(0, &["migrate", "resume"])["applied"], 1);
    assert_eq!(versions(&platform), ["3", "3"]);
    let words = ["migrate", "rollback", "--all-tenants", "--confirm", "2 tenants"];
    let back = platform.json(0, &words);
    assert_eq!(back["applied"], 2, "{back}");
    assert_eq!(versions(&platform), ["1", "1"]);
    let nothing = platform.ends(0, &words);
    assert!(stdout(&nothing).contains("There is no run"), "{nothing:?}");
}

fn a_failed_rollback_says_how_it_is_repeated(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    mend(&platform);
    let run = platform.json(0, &["migrate", "all-tenants"]);
    let run = run["run"].as_str().unwrap();
    let globex = platform.database("globex");
    platform.query(&globex, "DROP TABLE more");

    let failed = platform.ends(20, &["migrate", "rollback", "--all-tenants", "--step", "1"]);
    let again = "tenantry migrate rollback globex --step 1";
    assert!(
        stdout(&failed).contains(&format!("Retry:  {again}\n")),
        "{failed:?}"
    );
    let all = format!("{}{}", stdout(&failed), stderr(&failed));
    assert!(!all.contains("migrate resume"), "{all}");
    let refused = platform.ends(40, &["migrate", "resume"]);
    assert!(stderr(&refused).contains(again), "{refused:?}");

    let words = ["migrate", "rollback", "--all-tenants", "--run", run, "--confirm"];
    let failed = platform.json(20, &[&words[..], &["2 tenants"]].concat());
    let again = format!("tenantry migrate rollback --all-tenants --run {run}");
    assert_eq!(failed["help"][0], again, "{failed}");
    assert_eq!(versions(&platform), ["1", "3"]);
    platform.query(&globex, MORE);
    if engine == Engine::Postgres {
        platform.query(&globex, "GRANT ALL ON more TO PUBLIC");
    }
    platform.json(0, &[&words[..], &["globex"]].concat());
    assert_eq!(versions(&platform), ["1", "1"]);
}

fn creating_tenants_is_no_run_to_resume_or_to_take_back(engine: Engine) {
    let Some(platform) = Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &["acme"]) else {
        return;
    };
    let resumed = platform.ends(0, &["migrate", "resume"]);
    assert!(stdout(&resumed).contains("Nothing is left"), "{resumed:?}");
    let back = platform.ends(0, &["migrate", "rollback", "acme", "--confirm", "acme"]);
    assert!(stdout(&back).contains("There is no run"), "{back:?}");
    assert_eq!(platform.one(&platform.database("acme"), VERSIONS), "1");

    platform.write(
        "migrations/tenant/002_more.sql",
        "INSERT INTO nowhere VALUES (1);\n",
    );
    let failed = platform.json(20, &["migrate", "all-tenants"]);
    platform.write("migrations/tenant/002_more.sql", MORE);
    platform.ends(0, &["tenant", "create", "globex"]);
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{failed} {resumed}");
}

fn a_named_tenant_that_is_not_active_is_refused(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    mend(&platform);
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    };
    let suspend = "UPDATE tenantry_tenants SET status = 'suspended' WHERE slug = 'globex'";
    platform.query(&central, suspend);
    for words in [
        &["migrate", "tenant", "globex"][..],
        &["migrate", "all-tenants", "--only", "globex"],
        &["migrate", "all-tenants", "--only", "acme,globex"],
    ] {
        let refused = platform.json(40, words);
        assert_eq!(refused["code"], "TN-6013", "{words:?} {refused}");
        assert!(refused.to_string().contains("nothing ran"), "{refused}");
    }
    assert_eq!(versions(&platform), ["1", "1"]);
    let pattern = platform.json(0, &["migrate", "all-tenants", "--only", "*e*"]);
    assert_eq!((&pattern["applied"], &pattern["skipped"]), (&1.into(), &1.into()));
}

fn an_unknown_version_is_refused_before_anything_runs(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    for words in [
        &["migrate", "all-tenants", "--to", "12"][..],
        &["migrate", "all", "--to", "12"],
        &["migrate", "plan", "--to", "12"],
        &["migrate", "rollback", "--all-tenants", "--to", "12"],
    ] {
        let refused = platform.json(4, words);
        assert_eq!(refused["code"], "TN-4008", "{words:?} {refused}");
        let help = refused["help"][0].as_str().unwrap();
        assert!(help.starts_with("did you mean  1  or  2"), "{refused}");
    }
    assert_eq!(versions(&platform), ["1", "1"]);
    let none = platform.ends(0, &["migrate", "resume"]);
    assert!(stdout(&none).contains("Nothing is left"), "{none:?}");
}

fn a_run_that_was_not_recorded_is_not_passed_over_by_a_rollback(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    mend(&platform);
    platform.ends(0, &["migrate", "all-tenants", "--to", "2"]);
    let second = platform.json(0, &["migrate", "all-tenants"]);
    let second = second["run"].as_str().unwrap();
    forget(&platform, second);
    let back = ["migrate", "rollback", "--all-tenants"];
    let told = platform.ends(0, &[&back[..], &["--dry-run"]].concat());
    let named = format!("tenantry migrate rollback --all-tenants --run {second}");
    assert!(stdout(&told).contains(&named), "{told:?}");

    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    };
    platform.query(
        &central,
        "UPDATE tenantry_runs SET status = 'completed', finished_at = started_at WHERE finished_at IS NULL",
    );
    let refused = platform.ends(40, &back);
    assert!(stderr(&refused).contains(&named), "{refused:?}");
    assert_eq!(versions(&platform), ["3", "3"]);
    let words = ["migrate", "rollback", "--all-tenants", "--run", second];
    platform.ends(0, &words);
    assert_eq!(versions(&platform), ["2", "2"]);
}

/// Leaves the registry as a process does that is killed before it has recorded anything of a run.
fn forget(platform: &Platform, run: &str) {
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    };
    let forget =
        format!("UPDATE tenantry_run_targets SET outcome = 'not_run', migrations = 0 WHERE run_id = '{run}'");
    platform.query(&central, &forget);
    let unfinished =
        format!("UPDATE tenantry_runs SET status = 'running', finished_at = NULL WHERE id = '{run}'");
    platform.query(&central, &unfinished);
}

fn a_rollback_that_was_not_recorded_is_told_by_the_same_rollback(engine: Engine) {
    let Some((platform, [_, second])) = in_two_runs(engine) else {
        return;
    };
    let confirmed = ["--confirm", "2 tenants"];
    let words = ["migrate", "rollback", "--all-tenants", "--run", &second];
    let back = platform.json(0, &[&words[..], &confirmed].concat());
    forget(&platform, back["run"].as_str().unwrap());
    let central = match &platform.central.address {
        tenantry::engine::Address::Network(at) => at.database.clone(),
        tenantry::engine::Address::Sqlite(at) => at.file.clone(),
    };
    platform.query(
        &central,
        "UPDATE tenantry_databases SET version = 3 WHERE version = 2",
    );

    let refused = platform.ends(40, &["migrate", "resume"]);
    let named = format!("tenantry {}", words.join(" "));
    assert!(stderr(&refused).contains(&named), "{refused:?}");
    let told = platform.json(0, &words);
    assert_eq!(told["current"], 2, "{told}");
    assert_eq!(versions(&platform), ["2", "2"]);
    let known = "SELECT DISTINCT version FROM tenantry_databases";
    assert_eq!(
        platform.query(&central, known),
        [["2".to_owned()]],
        "the registry was not told"
    );
    assert_eq!(platform.json(0, &words)["reverted"], 0);
    platform.ends(0, &["migrate", "resume"]);
}

fn a_rollback_that_was_not_finished_is_gone_on_with(engine: Engine) {
    let Some((platform, [older, last])) = in_two_runs(engine) else {
        return;
    };
    let words = ["migrate", "rollback", "--all-tenants", "--confirm", "2 tenants"];
    let back = platform.json(0, &words);
    assert_eq!(versions(&platform), ["2", "2"]);
    forget(&platform, back["run"].as_str().unwrap());

    let told = platform.ends(0, &words);
    let named = format!("Going on with the rollback of {last}, which was not finished.");
    assert!(stderr(&told).contains(&named), "{told:?}");
    assert_eq!(versions(&platform), ["2", "2"], "a second run was taken back");
    let next = platform.ends(0, &words);
    assert!(stderr(&next).contains(&older), "{next:?}");
    assert_eq!(versions(&platform), ["1", "1"]);
}

fn a_database_that_cannot_be_asked_keeps_its_run_the_last(engine: Engine) {
    let Some((platform, _)) = in_two_runs(engine) else {
        return;
    };
    platform.ends(0, &[&BACK_ACME[..], &["--step", "1"]].concat());
    let globex = platform.database("globex");
    let meta = "UPDATE _tenantry_meta SET database_id = ";
    let id = platform.one(&globex, "SELECT database_id FROM _tenantry_meta");
    platform.query(&globex, &format!("{meta}'another'"));
    let words = ["migrate", "rollback", "--all-tenants", "--confirm", "acme"];
    for _ in 0..2 {
        platform.ends(20, &words);
        assert_eq!(versions(&platform), ["2", "3"], "an older run was taken back");
    }
    platform.query(&globex, &format!("{meta}'{id}'"));
    platform.json(
        0,
        &["migrate", "rollback", "--all-tenants", "--confirm", "globex"],
    );
    assert_eq!(versions(&platform), ["2", "2"]);
}

/// Two tenants whose 002 and 003 came in runs of their own; returns those runs.
fn in_two_runs(engine: Engine) -> Option<(Platform, [String; 2])> {
    let platform = Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &["acme", "globex"])?;
    let runs = ["002_more", "003_most"].map(|name| {
        let table = &name[4..];
        let (up, down) = (
            format!("CREATE TABLE {table} (id INTEGER);\n"),
            format!("DROP TABLE {table};\n"),
        );
        platform.write(&format!("migrations/tenant/{name}.sql"), &up);
        platform.write(&format!("migrations/tenant/{name}.down.sql"), &down);
        let run = platform.json(0, &["migrate", "all-tenants"]);
        run["run"].as_str().unwrap().to_owned()
    });
    Some((platform, runs))
}

const BACK_ACME: [&str; 5] = ["migrate", "rollback", "acme", "--confirm", "acme"];

fn a_run_taken_back_in_steps_hides_no_older_one(engine: Engine) {
    let Some((platform, _)) = in_two_runs(engine) else {
        return;
    };
    platform.ends(0, &[&BACK_ACME[..], &["--step", "1"]].concat());
    assert_eq!(versions(&platform), ["2", "3"]);
    let back = platform.json(0, &BACK_ACME);
    assert_eq!(back["applied"], 1, "{back}");
    assert_eq!(versions(&platform), ["1", "3"]);

    let all = ["migrate", "rollback", "--all-tenants", "--confirm", "globex"];
    platform.json(0, &all);
    assert_eq!(versions(&platform), ["1", "2"], "globex still had the newer run");
    platform.json(0, &all);
    assert_eq!(versions(&platform), ["1", "1"]);
    let nothing = platform.json(0, &all);
    assert_eq!(nothing["reverted"], 0, "{nothing}");
}

fn a_rollback_hides_no_failure_from_a_resume(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    platform.ends(20, &["migrate", "all-tenants"]);
    platform.json(0, &BACK_ACME);
    mend(&platform);
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{resumed}");
    assert_eq!(versions(&platform), ["1", "3"], "what was taken back stays so");
    let nothing = platform.json(0, &["migrate", "resume"]);
    assert_eq!(nothing["targets"], 0, "{nothing}");
}

fn a_run_of_one_tenant_hides_no_failure_from_a_resume(engine: Engine) {
    let Some(platform) = two(engine) else { return };
    platform.ends(20, &["migrate", "all-tenants", "--to", "2"]);
    platform.ends(0, &["migrate", "tenant", "acme", "--to", "3"]);
    mend(&platform);
    let resumed = platform.json(0, &["migrate", "resume"]);
    assert_eq!(resumed["applied"], 1, "{resumed}");
    assert_eq!(versions(&platform), ["3", "2"]);
}

fn an_older_run_is_not_taken_back_beneath_a_newer(engine: Engine) {
    let Some((platform, [older, _])) = in_two_runs(engine) else {
        return;
    };
    let words = [
        "migrate",
        "rollback",
        "acme",
        "--run",
        &older,
        "--confirm",
        "acme",
    ];
    let refused = platform.ends(40, &words);
    let said = stderr(&refused);
    assert!(
        said.contains("error[TN-3060]") && said.contains("3_most"),
        "{said}"
    );
    assert!(said.contains("tenantry migrate rollback acme --to 1"), "{said}");
    assert_eq!(versions(&platform), ["3", "3"]);
    platform.ends(
        0,
        &["migrate", "rollback", "acme", "--to", "1", "--confirm", "acme"],
    );
    assert_eq!(versions(&platform), ["1", "3"]);
}
