//! What every file must be: introduced, short, small, and free of the machine it was written on.

use super::rust::{is_test_file, without_tests};
use super::tree::Tree;
use super::{Finding, finding};

const MOST_LINES: usize = 500;
const MOST_BYTES: usize = 1024 * 1024;
const MOST_ARCHITECTURE_LINES: usize = 200;
/// Folders at the root of the machines that we work on.
const MACHINE_FOLDERS: [&str; 2] = ["work", "root"];

/// Finds Rust files that do not say what they are for.
pub(crate) fn open_with_a_sentence(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| {
            finding(
                path,
                1,
                "the file does not open with `//!`",
                "say in one sentence what it is for",
            )
        })
        .collect()
}

/// Finds Rust files with too many lines; tests at the end of a file do not count.
pub(crate) fn are_short(tree: &Tree) -> Vec<Finding> {
    let lines = |text: &str| without_tests(text).lines().count();
    tree.rust()
        .filter(|(path, text)| !is_test_file(path) && lines(text) > MOST_LINES)
        .map(|(path, text)| {
            let what = format!("{} lines without tests, more than {MOST_LINES}", lines(text));
            finding(path, MOST_LINES, what, "split it by what it does")
        })
        .collect()
}

/// Finds files that do not belong in a repository.
pub(crate) fn are_small(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.size > MOST_BYTES)
        .map(|file| {
            let what = format!("{} bytes, more than {MOST_BYTES}", file.size);
            finding(&file.path, 1, what, "make it when it is needed, or shrink it")
        })
        .collect()
}

/// Finds paths that exist on one machine only.
pub(crate) fn name_no_machine(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            for folder in MACHINE_FOLDERS.iter().filter(|folder| names_folder(line, folder)) {
                let what = format!("names a path in /{folder}");
                findings.push(finding(
                    path,
                    index + 1,
                    what,
                    "write it relative to the workspace",
                ));
            }
        }
    }
    findings
}

/// Returns whether the line has `/folder/` at the beginning of a path, not in the middle of one.
fn names_folder(line: &str, folder: &str) -> bool {
    let wanted = format!("/{folder}/");
    line.match_indices(&wanted).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|char| !(char.is_alphanumeric() || "._-*}>$/~".contains(char)))
    })
}

/// Finds an ARCHITECTURE.md that nobody reads to its end.
pub(crate) fn architecture_is_one_sitting(tree: &Tree) -> Vec<Finding> {
    let text = tree
        .file("ARCHITECTURE.md")
        .and_then(|file| file.text.as_deref())
        .unwrap_or_default();
    let lines = text.lines().count();
    if lines <= MOST_ARCHITECTURE_LINES {
        return Vec::new();
    }
    let what = format!("{lines} lines, more than {MOST_ARCHITECTURE_LINES}");
    vec![finding(
        "ARCHITECTURE.md",
        MOST_ARCHITECTURE_LINES,
        what,
        "move details to docs/ or to the code",
    )]
}
