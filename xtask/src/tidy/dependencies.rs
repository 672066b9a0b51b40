//! Every dependency is there for a reason that is written down, and the library has none for a terminal.

use super::tree::Tree;
use super::{Finding, finding};

const DOCUMENT: &str = "docs/dependencies.md";
const LIBRARY: &str = "crates/tenantry/Cargo.toml";
const NOT_IN_THE_LIBRARY: [&str; 3] = ["clap", "axum", "indicatif"];

/// Finds dependencies that the document does not name, and names in it that are no dependency.
pub(crate) fn are_documented(tree: &Tree) -> Vec<Finding> {
    let document = tree
        .file(DOCUMENT)
        .and_then(|file| file.text.as_deref())
        .unwrap_or_default();
    let documented: Vec<(usize, &str)> = document
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("| `")?.split_once('`')?.0)))
        .collect();
    let dependencies = dependencies(tree);
    let mut findings = Vec::new();
    for dependency in &dependencies {
        if !documented.iter().any(|(_, name)| *name == dependency.name) {
            let what = format!("`{}` is not in {DOCUMENT}", dependency.name);
            findings.push(finding(
                dependency.manifest,
                dependency.line,
                what,
                "say there what it is for",
            ));
        }
    }
    for (line, name) in documented {
        if !dependencies.iter().any(|dependency| dependency.name == name) {
            findings.push(finding(
                DOCUMENT,
                line,
                format!("`{name}` is no dependency"),
                "remove the line",
            ));
        }
    }
    findings
}

/// Finds dependencies of the library that belong to the command or the server.
pub(crate) fn stay_out_of_the_library(tree: &Tree) -> Vec<Finding> {
    dependencies(tree)
        .into_iter()
        .filter(|dependency| dependency.manifest == LIBRARY && NOT_IN_THE_LIBRARY.contains(&dependency.name))
        .map(|dependency| {
            let what = format!("the library depends on `{}`", dependency.name);
            finding(
                LIBRARY,
                dependency.line,
                what,
                "use it in the command or the server",
            )
        })
        .collect()
}

#[derive(Debug)]
struct Dependency<'a> {
    name: &'a str,
    manifest: &'a str,
    line: usize,
}

/// Returns the direct dependencies of every member; the workspace's own list only says which versions.
fn dependencies(tree: &Tree) -> Vec<Dependency<'_>> {
    tree.texts()
        .filter(|(path, _)| *path == "Cargo.toml" || path.ends_with("/Cargo.toml"))
        .flat_map(|(path, text)| in_manifest(path, text))
        .collect()
}

fn in_manifest<'a>(manifest: &'a str, text: &'a str) -> Vec<Dependency<'a>> {
    let mut found = Vec::new();
    let mut is_in_list = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            is_in_list = section.ends_with("dependencies") && section != "workspace.dependencies";
        } else if is_in_list && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            let is_our_own = name.starts_with("tenantry");
            if !name.starts_with('#') && !is_our_own {
                found.push(Dependency {
                    name,
                    manifest,
                    line: index + 1,
                });
            }
        }
    }
    found
}
