//! Any text, cut by each engine's rules: statements lie in the text, in order, and each stands for itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenantry::engine::Engine;
use tenantry::migration::split;

fuzz_target!(|text: &str| {
    for engine in Engine::ALL {
        let statements = match split(text, engine) {
            Ok(statements) => statements,
            Err(error) => {
                assert!(error.offset <= text.len(), "{engine}: {error}");
                continue;
            }
        };
        let mut end = 0;
        for statement in &statements {
            let range = statement.range();
            assert!(
                range.start >= end && range.end > range.start,
                "{engine}: {range:?} after {end}"
            );
            let own = text
                .get(range.clone())
                .expect("a statement ends inside a character");
            let is_blank = own.trim_matches(|c: char| c.is_ascii_whitespace()).is_empty();
            assert!(!is_blank, "{engine}: an empty statement at {range:?}");
            end = range.end;
        }
    }
});
