//! A backup keeps every COMMIT of a MariaDB server waiting: one that was refused is not taken for done, and nothing runs
//! twice.

use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use tenantry::engine::Engine;

use crate::deployer::{end, with_faults};
use crate::own_server::OwnServer;
use crate::scenes::{DEPLOY, Held, Stage, until};
use crate::track::Kind;

/// What `mariadb-backup` does before it copies the logs ("BACKUP STAGE").
const BACKUP: [&str; 2] = ["BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"];

const CALL: &str = "migrations/tenant/003_call.sql";

/// A tenant with this procedure, which a file is about to call.
fn about_to_call(procedure: &str) -> Option<(OwnServer, Stage)> {
    let server = OwnServer::start(Engine::MySql)?;
    let stage = Stage::set_on(&server, &[Kind::Column])?;
    let made = format!("CREATE TABLE effect (n INT);\n{procedure}\n");
    stage.platform.write("migrations/tenant/002_procedure.sql", &made);
    stage.platform.ends(0, &DEPLOY);
    stage.platform.write(CALL, "CALL works();\n");
    Some((server, stage))
}

fn deployer(stage: &Stage) -> Child {
    let mut command = with_faults(&stage.platform, &DEPLOY, "");
    command.env("TENANTRY_RUN__LOCK_TIMEOUT", "1s");
    command.spawn().unwrap()
}

fn is_at(stage: &Stage, what: &str) -> bool {
    let question = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '{what}%'");
    stage.platform.one(stage.acme(), &question) != "0"
}

fn effects(stage: &Stage) -> String {
    stage.platform.one(stage.acme(), "SELECT COUNT(*) FROM effect")
}

#[test]
fn nothing_runs_whose_intent_could_not_be_committed() {
    let procedure = "CREATE PROCEDURE works() INSERT INTO effect VALUES (1);";
    let Some((_server, stage)) = about_to_call(procedure) else {
        return;
    };
    let backup = Held::mysql(&stage, &BACKUP);
    let deployer = deployer(&stage);
    until(|| is_at(&stage, "Waiting for backup lock"));
    // The COMMIT is refused, and what comes behind it finds the server as it was.
    sleep(Duration::from_millis(1_100));
    drop(backup);
    let ended = end(deployer);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(effects(&stage), "1", "{}", ended.said);
}

#[test]
fn what_a_statement_left_open_is_not_done_where_its_commit_was_refused() {
    let procedure = "CREATE PROCEDURE works() BEGIN START TRANSACTION; INSERT INTO effect VALUES (1); \
                     DO SLEEP(1); END;";
    let Some((_server, stage)) = about_to_call(procedure) else {
        return;
    };
    let deployer = deployer(&stage);
    until(|| is_at(&stage, "User sleep"));
    let backup = Held::mysql(&stage, &BACKUP);
    until(|| is_at(&stage, "Waiting for backup lock"));
    sleep(Duration::from_millis(1_100));
    drop(backup);
    let ended = end(deployer);
    assert_eq!(ended.code, Some(20), "{}", ended.said);
    assert!(ended.said.contains("TN-2011"), "{}", ended.said);
    assert_eq!(effects(&stage), "0", "{}", ended.said);
}

#[test]
fn what_a_call_did_is_remembered_where_the_rows_behind_it_cannot_be_committed() {
    let procedure = "CREATE PROCEDURE works() INSERT INTO effect VALUES (1);";
    let Some((_server, stage)) = about_to_call(procedure) else {
        return;
    };
    let rows = "CALL works();\nINSERT INTO effect SELECT 2 + SLEEP(1);\n";
    stage.platform.write(CALL, rows);
    let deployer = deployer(&stage);
    until(|| is_at(&stage, "User sleep"));
    let backup = Held::mysql(&stage, &BACKUP);
    until(|| is_at(&stage, "Waiting for backup lock"));
    sleep(Duration::from_millis(1_100));
    drop(backup);
    let ended = end(deployer);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(effects(&stage), "2", "{}", ended.said);
}
