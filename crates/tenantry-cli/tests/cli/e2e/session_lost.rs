//! MariaDB files that need what only their session had: warned of, and told truly when they stop half-way.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::{stderr, stdout};

const LOST: &str = "CREATE TEMPORARY TABLE names SELECT name FROM things;\n\
                    CREATE TABLE more (name VARCHAR(40));\n\
                    INSERT INTO nowhere SELECT name FROM names;\n";

/// Returns a text without the places where its lines were broken.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_file_that_cannot_go_on_is_warned_of_and_promises_no_resume() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    platform.write("migrations/tenant/002_lost.sql", LOST);
    let plan = platform.json(0, &["migrate", "plan"]);
    assert_eq!(plan["warnings"][0]["code"], "TN-3105", "{plan}");

    let failed = unwrapped(&stderr(&platform.ends(20, &["migrate", "all-tenants"])));
    assert!(failed.contains("warning[TN-3105]"), "{failed}");
    assert!(
        failed.contains("half-way: statements 1-2 of 3 are in place"),
        "{failed}"
    );
    assert!(failed.contains("no run can go on behind that"), "{failed}");
    assert!(!failed.contains("resumes behind"), "{failed}");
    assert!(
        failed.contains("undo by hand what statements 1-2 did"),
        "{failed}"
    );
    let status = stdout(&platform.ends(0, &["migrate", "status"]));
    assert!(
        status.contains("tenantry explain TN-2011      then  tenantry migrate resume"),
        "{status}"
    );
    let said = unwrapped(&stderr(&platform.ends(20, &["migrate", "resume"])));
    let (_, said) = said.split_once("error[TN-2011]").unwrap();
    assert!(said.contains("statement 1 made a temporary table"), "{said}");
    assert!(!said.contains("interrupted"), "{said}");
    let (_, help) = said.split_once("help:").unwrap();
    assert!(!help.starts_with(" tenantry migrate resume"), "{said}");
}

#[test]
fn a_file_that_fails_before_anything_lasts_is_rolled_back_and_resumed() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    let early = "SET @name = (SELECT MAX(name) FROM things);\nINSERT INTO things VALUES (3, @name);\n\
                 INSERT INTO nowhere VALUES (1);\nCREATE TABLE more (id INTEGER);\n";
    platform.write("migrations/tenant/002_early.sql", early);
    let failed = platform.json(20, &["migrate", "all-tenants"]);
    let error = &failed["targets"][0]["error"];
    assert_eq!(error["state_after"], "rolled_back", "{failed}");
    let mended = early.replace("INSERT INTO nowhere VALUES (1);", "SELECT 1;");
    platform.write("migrations/tenant/002_early.sql", &mended);
    assert_eq!(platform.json(0, &["migrate", "resume"])["applied"], 1);
    let acme = platform.database("acme");
    assert_eq!(platform.one(&acme, "SELECT COUNT(*) FROM things"), "3");
}
