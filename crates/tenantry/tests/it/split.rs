//! Splitting gives back exactly the statements that a script was made of.

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tenantry::engine::Engine;
use tenantry::migration::split;

use super::generated::script;

/// Scripts per engine.
const SCRIPTS: u32 = 10_000;

fn check(engine: Engine) {
    let mut runner = TestRunner::new(Config {
        cases: SCRIPTS,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&script(engine), |script| {
        let found = split(&script.text, engine).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let found: Vec<&str> = found.iter().map(|s| &script.text[s.range()]).collect();
        if found == script.statements {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("{found:#?}")))
        }
    });
    assert!(
        outcome.is_ok(),
        "{engine}: {}",
        outcome.map_or_else(|e| e.to_string(), |()| String::new())
    );
}

#[test]
fn postgres_scripts_come_back_in_their_statements() {
    check(Engine::Postgres);
}

#[test]
fn mysql_scripts_come_back_in_their_statements() {
    check(Engine::MySql);
}

#[test]
fn sqlite_scripts_come_back_in_their_statements() {
    check(Engine::Sqlite);
}
