//! Deployers that carry faults: how they are started, frozen and woken up, and how they ended.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use crate::platform::Platform;

/// How long a deployer may take to come to the place where it freezes.
const FROZEN_WITHIN: Duration = Duration::from_secs(30);

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

/// Prepares a deployer with these faults; an empty text has none.
pub(crate) fn with_faults(platform: &Platform, words: &[&str], faults: &str) -> Command {
    let mut command = platform.command(words);
    command.env("TENANTRY_FAULTS", faults);
    command
}

/// Runs a deployer with these faults to its end.
pub(crate) fn run(platform: &Platform, words: &[&str], faults: &str) -> End {
    with_faults(platform, words, faults).output().unwrap().into()
}

/// Waits for the end of a deployer.
pub(crate) fn end(child: Child) -> End {
    child.wait_with_output().unwrap().into()
}

/// Starts a deployer and waits until it has frozen itself.
pub(crate) fn frozen(command: &mut Command) -> Child {
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    while !is_stopped(&child) {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it did not freeze: {status}, {:?}", end(child));
        }
        assert!(begin.elapsed() < FROZEN_WITHIN, "it did not freeze");
        std::thread::yield_now();
    }
    child
}

/// Returns whether a process is stopped; what stands behind its name in `stat` begins with its state
/// (`proc_pid_stat(5)`).
fn is_stopped(child: &Child) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|rest| rest.starts_with('T'))
}

/// Wakes a frozen deployer up and waits for its end.
pub(crate) fn thaw(child: Child) -> End {
    let status = Command::new("kill")
        .args(["-CONT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
    end(child)
}
