//! Deployers that carry faults: how they are started, and how they ended.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use crate::platform::Platform;

/// How a deployer ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Whether it died of SIGKILL.
    pub(crate) killed: bool,
    /// What it said on stderr.
    pub(crate) said: String,
}

impl From<Output> for End {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            killed: output.status.signal() == Some(9),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a deployer with these faults to its end; an empty text has none.
pub(crate) fn run(platform: &Platform, words: &[&str], faults: &str) -> End {
    let mut command = platform.command(words);
    command.env("TENANTRY_FAULTS", faults).output().unwrap().into()
}
