//! What fuzzing found to lead to another place in the code, once more: what holds for any input holds for these.
//!
//! One input a line, as hexadecimal digits. `fuzz/` makes more of them.

use crate::checks::{is_cut, is_read_or_refused};

const TEXTS: &str = include_str!("found/split.hex");
const FILES: &str = include_str!("found/load.hex");

/// Inputs that a list must have: fewer were not read.
const AT_LEAST: usize = 100;

fn inputs(list: &str) -> Vec<Vec<u8>> {
    let inputs: Vec<Vec<u8>> = list.lines().map(|line| hex::decode(line).unwrap()).collect();
    assert!(inputs.len() >= AT_LEAST);
    inputs
}

#[test]
fn every_text_that_was_found_is_cut_into_statements() {
    for input in inputs(TEXTS) {
        is_cut(std::str::from_utf8(&input).unwrap());
    }
}

#[test]
fn every_file_that_was_found_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    for input in inputs(FILES) {
        is_read_or_refused(folder.path(), &input);
    }
}
