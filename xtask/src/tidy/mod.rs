//! `cargo xtask tidy`: the rules of the house that a program can check.

mod dependencies;
mod direction;
mod error_pages;
mod files;
mod names;
mod rust;
mod tree;

use std::fmt;
use std::process::ExitCode;

use self::tree::Tree;
use crate::{say, workspace};

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, relative to the workspace.
    path: String,
    /// The line, from 1.
    line: usize,
    /// What is wrong.
    what: String,
    /// What to do about it.
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} - {}", self.path, self.line, self.what, self.remedy)
    }
}

/// A rule: what it finds in the tree.
type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: [Check; 10] = [
    dependencies::are_documented,
    dependencies::stay_out_of_the_library,
    direction::points_one_way,
    error_pages::match_the_codes,
    files::open_with_a_sentence,
    files::are_short,
    files::are_small,
    files::name_no_machine,
    files::architecture_is_one_sitting,
    names::say_something,
];

/// Prints every finding; returns 1 when there is one.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let findings = findings(&Tree::read(&workspace::root())?);
    for finding in &findings {
        say::answer(&finding.to_string());
    }
    say::line(&format!("tidy: {}", count(findings.len())));
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    findings.sort();
    findings
}

fn count(findings: usize) -> String {
    match findings {
        0 => "nothing found".to_owned(),
        1 => "1 finding".to_owned(),
        more => format!("{more} findings"),
    }
}

/// Makes a finding.
fn finding(path: &str, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        what: what.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests;
