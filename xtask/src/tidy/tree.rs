//! The files that the rules are about: what git has or would take, or without git all of the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Folders that hold nothing of ours; git knows that from `.gitignore`.
const NOT_OURS: [&str; 4] = [".git", "target", "node_modules", "tenantry-demo"];

/// The workspace's files.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Every file, sorted by path.
    pub(crate) files: Vec<File>,
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path relative to the workspace, with `/`.
    pub(crate) path: String,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Its text; `None` when it is not UTF-8.
    pub(crate) text: Option<String>,
}

impl Tree {
    /// Reads the tree under `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walk(root, Path::new(""))?,
        };
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let full = root.join(&path);
            // A file that is deleted and not yet committed is still listed by git.
            if full.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                let bytes = fs::read(&full).with_context(|| format!("cannot read {}", full.display()))?;
                files.push(File {
                    path,
                    size: bytes.len(),
                    text: String::from_utf8(bytes).ok(),
                });
            }
        }
        Ok(Self { files })
    }

    /// Returns the file at `path`; `None` if there is none.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Returns every Rust file with its text.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| has_ending(path, "rs"))
    }

    /// Returns every file that is text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }
}

/// Returns whether the path ends with `.` and `ending`.
pub(crate) fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

/// Returns what git tracks and what it would add; `None` without git or outside a repository.
fn tracked(root: &Path) -> Option<Vec<String>> {
    if !root.join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().ok().filter(|output| output.status.success())?;
    let list = String::from_utf8(output.stdout).ok()?;
    Some(list.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, below: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path: PathBuf = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                paths.extend(walk(root, &path)?);
            }
        } else {
            paths.extend(path.to_str().map(str::to_owned));
        }
    }
    Ok(paths)
}
