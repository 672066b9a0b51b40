//! The binary from outside: what it prints where, and how it ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the library's tests need more of it than we do")]
#[cfg(test)]
#[path = "../../../tenantry/tests/it/database.rs"]
mod database;
mod docs;
#[cfg(test)]
mod e2e;
#[cfg(test)]
mod kill;
mod looks;
mod output;
#[cfg(test)]
mod own_server;
mod platform;
mod project;
mod usage;
mod words;

use std::path::Path;
use std::process::{Command, Output};

use output::{only_json, stderr, stdout};

/// Runs the binary in a folder, with an environment that holds nothing of ours.
fn tenantry(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}
