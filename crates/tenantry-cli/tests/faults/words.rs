//! The words in which faults are asked for.

use tenantry::faults::{Point, Seed};

use crate::deployer::run;
use crate::platform::Platform;

#[test]
fn a_word_that_is_no_fault_ends_the_command_before_it_does_anything() {
    let platform = Platform::initialised(tenantry::engine::Engine::Sqlite).unwrap();
    for word in [
        "kill=sqlite.claimd",
        "kill=sqlite.claimed:0",
        "seed=x",
        "sqlite.claimed",
        "burn=x",
    ] {
        let end = run(
            &platform,
            &["migrate", "central"],
            &format!("seed=mysql.no_intent;{word}"),
        );
        assert_eq!(end.code, Some(2), "{word}: {}", end.said);
        assert!(
            end.said.contains(&format!("`{word}` is no fault")),
            "{}",
            end.said
        );
    }
    assert!(!platform.path("data/central.db").exists());
}

#[test]
fn no_two_have_the_same_name() {
    let points = Point::ALL.iter().map(|point| point.name());
    let mut names: Vec<_> = points.chain(Seed::ALL.iter().map(|seed| seed.name())).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
