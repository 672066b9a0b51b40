//! Any bytes through the reader of fleets' lists.
#![no_main]

#[path = "../checks.rs"]
#[expect(dead_code, reason = "the other targets'")]
mod checks;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| checks::is_a_list_or_refused(bytes));
