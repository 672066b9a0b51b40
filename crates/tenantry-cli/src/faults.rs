//! The build that tests faults: arms the library with what `TENANTRY_FAULTS` says.

use std::process::ExitCode;

use nix::sys::signal::{Signal, raise};
use tenantry::faults::{Act, arm as arm_library};

use crate::render::out;

/// Where a test says what it wants, for example `kill=mysql.rows_sent:2;seed=mysql.no_intent`.
const VARIABLE: &str = "TENANTRY_FAULTS";

/// Arms this process; nothing where the variable is not set. A word that is no fault ends the process with
/// exit code 2, so that no test goes on without what it asked for.
pub(crate) fn arm() -> Result<(), ExitCode> {
    let Some(faults) = std::env::var_os(VARIABLE) else {
        return Ok(());
    };
    arm_library(&faults.to_string_lossy(), carry_out).map_err(|refused| {
        out::say(&format!("{VARIABLE}: {refused}"));
        ExitCode::from(2)
    })
}

/// Does to this process what nobody can catch.
fn carry_out(act: Act) {
    let signal = match act {
        Act::Die => Signal::SIGKILL,
        Act::Freeze => Signal::SIGSTOP,
    };
    if raise(signal).is_err() {
        std::process::abort();
    }
}
