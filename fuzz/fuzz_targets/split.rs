//! Any text through the splitter.
#![no_main]

#[path = "../checks.rs"]
#[expect(dead_code, reason = "the other target's")]
mod checks;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| checks::is_cut(text));
