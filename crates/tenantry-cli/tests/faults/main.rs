//! The build with the feature `faults`: deployers die at every step of every protocol, and defects that were
//! put in on purpose are caught.
//!
//! How often a deployer dies at each step: `Share` in `fleet.rs`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod back;
mod clocks;
mod commits;
#[expect(dead_code, reason = "the library's tests need more of it than we do")]
#[cfg(test)]
#[path = "../../../tenantry/tests/it/database.rs"]
mod database;
mod deployer;
mod fleet;
mod gates;
#[path = "../cli/kill/invariants.rs"]
mod invariants;
mod life;
mod marks;
mod matrix;
#[path = "../cli/output.rs"]
mod output;
#[expect(
    dead_code,
    clippy::print_stdout,
    reason = "the other tests of the command need more of it than we do, and a skip is printed"
)]
#[path = "../cli/own_server.rs"]
mod own_server;
#[expect(
    dead_code,
    reason = "the other tests of the command need more of it than we do"
)]
#[path = "../cli/platform.rs"]
mod platform;
mod rival;
#[expect(
    dead_code,
    clippy::print_stdout,
    reason = "nothing is random here; a row tells its result"
)]
#[path = "../cli/kill/row.rs"]
mod row;
mod scenes;
mod seeds;
mod servers;
#[path = "../cli/kill/taken_up.rs"]
mod taken_up;
mod told;
#[expect(dead_code, reason = "the kill loop needs more of it than we do")]
#[path = "../cli/kill/track.rs"]
mod track;
mod wire;
mod words;

use std::io::Write as _;

use output::only_json;

/// Prints a row of the result, also where the output of a test that passes is kept back.
fn say(row: &str) {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(format!("{row}\n").as_bytes()).unwrap();
}
