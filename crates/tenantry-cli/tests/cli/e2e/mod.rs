//! Whole platforms on real databases: set up, migrated, broken, mended, reverted.

mod again;
mod apart;
mod bad_input;
mod blocked;
mod central;
mod clock;
mod corpus;
mod create;
mod crowded;
mod delayed;
mod durable;
mod ends;
mod failure;
mod fleet;
mod histories;
mod import;
mod keys;
mod left_out;
mod lifecycle;
mod listed;
mod lost;
mod mark;
mod mark_half_way;
mod marker;
mod one;
mod passed_over;
mod passwords;
mod plans;
mod pooler;
mod ready;
mod rights;
mod rollback;
mod rollout;
mod servers;
mod session_lost;
mod signals;
mod standing;
mod strangers;
mod surroundings;
mod together;
mod too_long;
mod units;
mod unrecorded;
mod unsuitable;

/// Makes a test of each case on each engine.
macro_rules! on_each_engine {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $case() { super::$case(tenantry::engine::Engine::Sqlite); })+
        }
        mod postgres {
            $(#[test] fn $case() { super::$case(tenantry::engine::Engine::Postgres); })+
        }
        mod mariadb {
            $(#[test] fn $case() { super::$case(tenantry::engine::Engine::MySql); })+
        }
    };
}
use on_each_engine;

use crate::platform::Platform;
use tenantry::engine::Engine;

/// A first migration that every engine understands.
const THINGS: (&str, &str) = (
    "001_things.sql",
    "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL);\n\
     INSERT INTO things VALUES (1, 'a'), (2, 'b');\n",
);
/// Its way back.
const THINGS_BACK: (&str, &str) = ("001_things.down.sql", "DROP TABLE things;\n");
/// Five tenants.
const FIVE: [&str; 5] = ["acme", "globex", "initech", "umbrella", "wonka"];

fn five(engine: Engine) -> Option<Platform> {
    Platform::with_tenants(engine, &[THINGS, THINGS_BACK], &FIVE)
}

/// Compares a text with its snapshot, without what differs from run to run.
fn matches_snapshot(name: &str, engine: Engine, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, replacement) in [
        (r"run_[0-9a-z]{8}", "run_XXXXXXXX"),
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[id]",
        ),
        (r"tenant_[0-9a-f]{32}", "tenant_[id]"),
        (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "[time]"),
        (r"\d{2}:\d{2}:\d{2}Z", "[time]"),
        (r"\d+(\.\d+)? m?s\b", "[duration]"),
        (r"\b\d+\.\ds\b", "[duration]"),
        (r"127\.0\.0\.1:\d+", "[server]"),
        (r"(?m) +$", ""),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.bind(|| insta::assert_snapshot!(format!("{name}_{}", engine.as_str()), text));
}
