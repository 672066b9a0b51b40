//! The documentation's commands, tried out: blocks are run and compared, and every command named exists.
//!
//! A block with the info string `console` is run, its lines in order, all blocks of a page in one folder:
//! `$ ` begins a command, `# exit 20` is the code it ends with if that is not 0, and the other lines are what
//! it prints. `…` stands for any text, and alone on a line for any lines. Other blocks are only read.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// A command of a page and what the page says about it.
#[derive(Debug, Default)]
struct Step {
    line: usize,
    command: String,
    exit: i32,
    printed: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the pages below a folder of the workspace, `errors/` included.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn all_pages() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    all.extend(pages(&root().join("docs")));
    all
}

/// Returns the steps of a page's `console` blocks, without the indentation of the list they stand in.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut indent = None;
    for (at, line) in page.lines().enumerate() {
        let text = line.trim_start();
        let Some(depth) = indent else {
            if text == "```console" {
                indent = Some(line.len() - text.len());
            }
            continue;
        };
        let line = line.get(depth..).unwrap_or_default();
        if text == "```" {
            indent = None;
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: at + 1,
                command: command.replacen("cargo run --", "tenantry", 1),
                ..Step::default()
            });
        } else if let Some(exit) = line.strip_prefix("# exit ") {
            steps.last_mut().unwrap().exit = exit.parse().unwrap();
        } else {
            steps.last_mut().unwrap().printed.push(line.to_owned());
        }
    }
    steps
}

/// Runs a line in a shell with the binary in its path and nothing else of ours in its environment.
fn shell(folder: &Path, line: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_tenantry"))
        .parent()
        .unwrap()
        .to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([binary].into_iter().chain(env::split_paths(&others))).unwrap();
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("TENANTRY_PROGRESS", "none")
        .output()
        .unwrap()
}

/// Returns whether a line is what was expected, where `…` stands for any text.
fn is_like(expected: &str, line: &str) -> bool {
    let Some((before, after)) = expected.split_once('…') else {
        return expected == line;
    };
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| is_like(after, rest)))
}

/// Returns whether lines are what was expected, where a line `…` stands for any lines.
fn are_like(expected: &[String], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, first) => first.is_none(),
        (Some((any, after)), _) if any == "…" => {
            (0..=lines.len()).any(|at| are_like(after, lines.get(at..).unwrap_or_default()))
        }
        (Some((one, after)), Some((line, rest))) => is_like(one, line) && are_like(after, rest),
        (Some(_), None) => false,
    }
}

/// Runs a page from top to bottom and returns what did not go as it says.
fn try_page(page: &str) -> Vec<String> {
    let temporary = tempfile::tempdir().unwrap();
    let mut folder = temporary.path().to_owned();
    let whereabouts = temporary.path().join(".whereabouts");
    let mut wrong = Vec::new();
    for step in steps(page) {
        let end = format!("code=$?; pwd > '{}'; exit $code", whereabouts.display());
        let output = shell(&folder, &format!("exec 2>&1\n{}\n{end}", step.command));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        if output.status.code() != Some(step.exit) || !are_like(&step.printed, &lines) {
            wrong.push(format!(
                "line {}: {}\nended with {:?} and printed\n{text}",
                step.line, step.command, output.status
            ));
        }
        folder = fs::read_to_string(&whereabouts).unwrap().trim_end().into();
    }
    wrong
}

#[test]
fn every_console_block_does_what_the_page_says() {
    let mut wrong = Vec::new();
    for path in all_pages() {
        let found = try_page(&fs::read_to_string(&path).unwrap());
        wrong.extend(
            found
                .into_iter()
                .map(|found| format!("{} {found}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_block_that_says_something_else_is_noticed() {
    let good = "```console\n$ echo one two; echo three\n…e …o\nthree\n```\n";
    assert_eq!(try_page(good), Vec::<String>::new());
    for bad in [
        "```console\n$ echo one\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one\n…\ntwo\n…\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ true\n# exit 20\n```\n",
    ] {
        assert_eq!(try_page(bad).len(), 1, "{bad}");
    }
}

/// Returns the commands that a page names: in code, from `tenantry ` to the end of the code or line.
fn named(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            let text = line.trim_start().trim_start_matches("$ ");
            found.extend(text.starts_with("tenantry ").then(|| text.to_owned()));
        } else {
            let code = line.split('`').skip(1).step_by(2);
            found.extend(code.filter(|c| c.starts_with("tenantry ")).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_command_that_the_docs_name_exists() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for path in all_pages() {
        for command in named(&fs::read_to_string(&path).unwrap()) {
            // Two spaces set what the command is for, or a second command, apart from it.
            let alone = command
                .split(['>', '|', '&', ';', '\\'])
                .next()
                .unwrap_or_default();
            let words = if command.contains('<') {
                command.replace(['<', '>'], "")
            } else {
                alone.to_owned()
            };
            let words = words.split("  ").next().unwrap_or_default().replace('…', "");
            let output = shell(folder.path(), &format!("{words} --help"));
            if output.status.code() != Some(0) {
                wrong.push(format!("{}: {command}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
