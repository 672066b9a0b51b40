//! Any text through the reader of passwords that other platforms encrypted.
#![no_main]

#[path = "../checks.rs"]
#[expect(dead_code, reason = "the other targets'")]
mod checks;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &str| checks::is_opened_or_refused(record));
