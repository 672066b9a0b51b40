//! What fuzzing found to lead to another place in the code, once more: what holds for any input holds for these.
//!
//! One input a line, as hexadecimal digits. `fuzz/` makes more of them.

use crate::checks::{is_a_list_or_refused, is_cut, is_opened_or_refused, is_read_or_refused};

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

#[test]
fn a_list_that_is_cut_off_or_changed_anywhere_is_read_or_refused() {
    let table = "id,slug,server,db_name,kira.db_name,products\n1,\"a \"\"b\"\"\",x,\"y\nz\",=1+1,\"[{\"\"type\"\":1}]\"\n";
    let items = r#"[{"id": 1, "slug": null, "domain": ["a", 2], "products": [{"type": "kira", "dbPort": 1e9}]}, 7, []]"#;
    for list in [table.as_bytes(), items.as_bytes()] {
        for at in 0..list.len() {
            is_a_list_or_refused(&list[..at]);
            for byte in [0, b'"', b',', b'\n', b'[', 0x80, 0xff] {
                let mut changed = list.to_vec();
                changed[at] = byte;
                is_a_list_or_refused(&changed);
            }
        }
    }
}

#[test]
fn a_record_that_is_cut_off_or_changed_anywhere_is_opened_or_refused() {
    for record in [
        "000102030405060708090a0b0c0d0e0f:000102030405060708090a0b0c0d0e0f",
        "U2FsdGVkX1+016faLNPO9za77HStDOuJPE9c6BJmok0=",
        "eyJpdiI6IkFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9PSIsInZhbHVlIjoiIiwibWFjIjoiIn0=",
    ] {
        for at in 0..record.len() {
            is_opened_or_refused(&record[..at]);
            for letter in [":", "=", "\n", "\u{0}", "ü"] {
                is_opened_or_refused(&format!("{}{letter}{}", &record[..at], &record[at + 1..]));
            }
        }
    }
}
