//! Commands that we start: each in a process group of its own, and none outlives us.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::signals::Signals;

/// How often a waiting loop looks again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long a process has between being asked to end and being killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of its group has once it is gone. Short: where process 1 collects no orphans, a dead
/// one looks like a living one.
const GRACE_OF_THE_REST: Duration = Duration::from_secs(1);

/// The error of a task that a signal ended.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) Signal);

impl Interrupted {
    /// Returns 128 plus the signal's number, as a shell does.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::try_from(128 + self.0 as i32).unwrap_or(1))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// A command that runs in a process group of its own; dropping it ends the whole group.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    ask_with: Signal,
    is_over: bool,
}

impl Running {
    /// Starts `command`; `ask_with` is the signal that asks it to end.
    pub(crate) fn start(command: &mut Command, ask_with: Signal) -> anyhow::Result<Self> {
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| cannot_start(command))?;
        Ok(Self {
            child,
            ask_with,
            is_over: false,
        })
    }

    /// Returns the process id, which is also the group's.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns how it ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.is_over |= status.is_some();
        Ok(status)
    }

    /// Waits for the end; a signal to us ends it too, and is an [`Interrupted`].
    pub(crate) fn wait(mut self, signals: &Signals) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if let Some(signal) = signals.arrived() {
                self.ask_with = signal;
                return Err(Interrupted(signal).into());
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    fn ended_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            match self.ended() {
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_AGAIN),
                Ok(status) => return status.is_some(),
                Err(_) => return false,
            }
        }
    }

    fn is_group_gone_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while is_group_there(self.pid()) {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal_group(self.pid(), self.ask_with);
        if !self.is_over && !self.ended_within(PATIENCE) {
            signal_group(self.pid(), Signal::SIGKILL);
            self.ended_within(PATIENCE);
        }
        // What the command itself had started may have missed or ignored the signal.
        if !self.is_group_gone_within(GRACE_OF_THE_REST) {
            signal_group(self.pid(), Signal::SIGKILL);
        }
    }
}

fn is_group_there(leader: u32) -> bool {
    i32::try_from(leader).is_ok_and(|leader| killpg(Pid::from_raw(leader), None).is_ok())
}

/// Sends `signal` to a process group; a group that is gone is no error.
pub(crate) fn signal_group(leader: u32, signal: Signal) {
    if let Ok(leader) = i32::try_from(leader) {
        killpg(Pid::from_raw(leader), signal).ok();
    }
}

/// Runs a command to its end in a group of its own, with our stdout and stderr.
pub(crate) fn run(command: &mut Command, signals: &Signals) -> anyhow::Result<ExitStatus> {
    Running::start(forgetting_our_package(command), Signal::SIGTERM)?.wait(signals)
}

/// Takes away what `cargo run` says about xtask's own package.
///
/// Build scripts that watch these variables, such as ring's, would run again, and everything behind them.
fn forgetting_our_package(command: &mut Command) -> &mut Command {
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command in our own process group, so that it may read the terminal.
///
/// A SIGINT from the keyboard reaches the command by itself, which decides what it means.
pub(crate) fn run_in_foreground(command: &mut Command, signals: &Signals) -> anyhow::Result<ExitStatus> {
    let mut child = forgetting_our_package(command)
        .spawn()
        .with_context(|| cannot_start(command))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match signals.arrived() {
            Some(Signal::SIGINT) => signals.forget(),
            Some(signal) => {
                forward(&mut child, signal);
                return Err(Interrupted(signal).into());
            }
            None => thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Passes `signal` on and waits for the end; a child that does not end is killed.
fn forward(child: &mut Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        kill(Pid::from_raw(pid), signal).ok();
    }
    let deadline = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            child.kill().ok();
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Runs a command quietly to its end; its output becomes the error when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .process_group(0)
        .output()
        .with_context(|| cannot_start(command))?;
    if output.status.success() {
        return Ok(());
    }
    anyhow::bail!(
        "{} ended with {}:\n{}{}",
        command.get_program().display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}
