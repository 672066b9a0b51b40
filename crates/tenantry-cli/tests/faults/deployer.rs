//! Deployers that carry faults: how they are started, frozen and woken up, and how they ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::platform::Platform;
use crate::taken_up::TakenUp;

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
    /// What it took up, if it was told to tell each migration.
    pub(crate) taken_up: TakenUp,
}

impl From<Output> for End {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            killed: output.status.signal() == Some(9),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            taken_up: TakenUp::in_stream(&output.stdout),
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

/// Wakes a frozen deployer up.
pub(crate) fn wake(child: &Child) {
    let status = Command::new("kill")
        .args(["-CONT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Wakes a frozen deployer up and waits for its end.
pub(crate) fn thaw(child: Child) -> End {
    wake(&child);
    end(child)
}

/// Waits until a deployer says something on stderr, and kills it then; fails if it does not in time.
pub(crate) fn says_within(mut child: Child, what: &str, limit: Duration) {
    let told = BufReader::new(child.stderr.take().unwrap());
    let (line, lines) = channel();
    let reading = std::thread::spawn(move || {
        told.lines()
            .map_while(Result::ok)
            .take_while(|said| line.send(said.clone()).is_ok())
            .count()
    });
    let begin = Instant::now();
    let mut is_said = false;
    let mut said = Vec::new();
    while !is_said && let Ok(line) = lines.recv_timeout(limit.saturating_sub(begin.elapsed())) {
        is_said = line.contains(what);
        said.push(line);
    }
    child.kill().unwrap();
    drop(child.wait_with_output().unwrap());
    reading.join().unwrap();
    assert!(is_said, "nobody said `{what}` in {limit:?}: {said:?}");
}
