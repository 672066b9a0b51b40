//! Names of files and modules say what is inside.

use super::tree::Tree;
use super::{Finding, finding};

/// Words that fit any code, and so say nothing.
const REFUSED: [&str; 8] = [
    "util",
    "utils",
    "utility",
    "utilities",
    "helper",
    "helpers",
    "manager",
    "managers",
];

/// Finds files, folders and modules of Rust with a name that says nothing.
pub(crate) fn say_something(tree: &Tree) -> Vec<Finding> {
    let remedy = "name it after the noun it defines";
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let parts = path.trim_end_matches(".rs").split('/');
        if let Some(part) = parts.into_iter().find(|part| is_refused(part)) {
            findings.push(finding(path, 1, format!("`{part}` says nothing"), remedy));
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = module(line).filter(|name| is_refused(name)) {
                findings.push(finding(
                    path,
                    index + 1,
                    format!("module `{name}` says nothing"),
                    remedy,
                ));
            }
        }
    }
    findings
}

fn is_refused(name: &str) -> bool {
    name.split(['_', '-']).any(|word| REFUSED.contains(&word))
}

/// Returns the name of the module that a line declares; `None` when it declares none.
fn module(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let after_visibility = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    let name = after_visibility.trim_start().strip_prefix("mod ")?;
    Some(name.trim_end_matches([';', '{', ' ', '}']))
}
