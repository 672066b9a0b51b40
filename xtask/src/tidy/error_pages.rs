//! Every error code has its page, and every page its code.

use std::collections::BTreeMap;

use super::rust::{is_test_file, without_tests};
use super::tree::Tree;
use super::{Finding, finding};

const FOLDER: &str = "docs/errors/";

/// Finds codes without a page, pages without a code, and pages without their title.
pub(crate) fn match_the_codes(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree);
    let mut findings = Vec::new();
    for (code, (path, line)) in &codes {
        let page = format!("{FOLDER}{code}.md");
        if tree.file(&page).is_none() {
            findings.push(finding(
                path,
                *line,
                format!("{code} has no page"),
                format!("write {page}"),
            ));
        }
    }
    for (path, text) in tree.texts().filter(|(path, _)| path.starts_with(FOLDER)) {
        let Some(code) = page_of(path) else { continue };
        if !codes.contains_key(code) {
            let what = format!("no code in crates/ is {code}");
            findings.push(finding(path, 1, what, "remove the page or use the code"));
        }
        let title = text
            .lines()
            .next()
            .and_then(|first| first.strip_prefix(&format!("# {code}: ")));
        if title.is_none_or(|title| title.trim().is_empty()) {
            let remedy = format!("let the first line be `# {code}: <title>`");
            findings.push(finding(path, 1, "the page has no title", remedy));
        }
    }
    findings
}

/// Returns each code with the first place that uses it.
fn codes(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut codes = BTreeMap::new();
    let sources = tree
        .rust()
        .filter(|(path, _)| path.starts_with("crates/") && path.contains("/src/"));
    for (path, text) in sources.filter(|(path, _)| !is_test_file(path)) {
        // A table of codes stands as arms inside one `Code(match … { … => 2001, })`.
        let has_table = text.contains("Code(match");
        for (index, line) in without_tests(text).lines().enumerate() {
            let arm = has_table.then(|| code_of_arm(line)).flatten();
            for code in codes_in(line).into_iter().chain(arm) {
                codes.entry(code).or_insert_with(|| (path.to_owned(), index + 1));
            }
        }
    }
    codes
}

fn codes_in(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("Code(")
        .skip(1)
        .filter_map(|rest| rest.split_once(')')?.0.parse::<u16>().ok())
        .map(|number| format!("TN-{number:04}"))
        .collect()
}

/// Returns the code at the end of a match arm: `"42601" => 2001,`.
fn code_of_arm(line: &str) -> Option<String> {
    let number = line.rsplit_once("=> ")?.1.trim_end().strip_suffix(',')?;
    let code = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit());
    code.then(|| format!("TN-{number}"))
}

/// Returns the code that a page is about; `None` for another file, such as an index.
fn page_of(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER)?
        .strip_suffix(".md")
        .filter(|name| name.starts_with("TN-"))
}
