//! The migrations that are measured: the demo's ten and its eleventh, and one of 64 MiB.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::workspace;

const TEN: &str = "crates/tenantry-cli/demo/migrations/tenant";
const ELEVENTH: &str = "crates/tenantry-cli/demo/eleventh";
const MIB: usize = 1024 * 1024;
/// The size of the one big file.
pub(crate) const LARGE_MIB: usize = 64;

/// The folders of the tracks.
#[derive(Debug)]
pub(crate) struct Migrations {
    /// Ten migrations.
    pub(crate) ten: PathBuf,
    /// The same ten and one more.
    pub(crate) eleven: PathBuf,
}

impl Migrations {
    /// Copies them into `folder`.
    pub(crate) fn copy_to(folder: &Path) -> anyhow::Result<Self> {
        let made = Self {
            ten: folder.join("ten"),
            eleven: folder.join("eleven"),
        };
        copy(TEN, &made.ten)?;
        copy(TEN, &made.eleven)?;
        copy(ELEVENTH, &made.eleven)?;
        Ok(made)
    }
}

fn copy(from: &str, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let from = workspace::root().join(from);
    let entries = fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Writes a track of one migration of [`LARGE_MIB`], in rows of 1 KiB, and returns its folder.
pub(crate) fn large(folder: &Path) -> anyhow::Result<PathBuf> {
    let track = folder.join("large");
    fs::create_dir_all(&track)?;
    let mut text = String::with_capacity(LARGE_MIB * MIB + 2048);
    text.push_str("CREATE TABLE documents (id BIGINT PRIMARY KEY, body TEXT NOT NULL);\n");
    let body = "All work is recorded. ".repeat(44);
    let mut id = 0;
    // A larger file is refused.
    while text.len() + body.len() + 64 < LARGE_MIB * MIB {
        id += 1;
        writeln!(text, "INSERT INTO documents (id, body) VALUES ({id}, '{body}');")?;
    }
    fs::write(track.join("20260401090000_documents.sql"), text)?;
    Ok(track)
}
