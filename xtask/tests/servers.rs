//! The throwaway servers are gone afterwards, however the task ends.
//!
//! Runs only below `cargo xtask test`, which has installed the servers' programs: these tests start xtask
//! again, and a plain `cargo test` must not install packages.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Says where the servers are, then waits until its stdin ends.
const SAY_AND_WAIT: &str = "echo $TENANTRY_TEST_POSTGRES; echo $TENANTRY_TEST_MARIADB; \
    echo $TENANTRY_TEST_POSTGRES_DATA; read nothing";

struct Task {
    process: Child,
    addresses: Vec<String>,
    data: PathBuf,
}

impl Task {
    /// Starts xtask with a shell beside its servers, and reads where they are; `None` without servers.
    fn start(script: &str) -> anyhow::Result<Option<Self>> {
        if env::var_os("TENANTRY_TEST_POSTGRES").is_none() || env::var_os("TENANTRY_TEST_MARIADB").is_none() {
            say_skipped();
            return Ok(None);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(["servers", "--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().context("stdout is a pipe")?;
        let lines: Vec<String> = BufReader::new(stdout).lines().take(3).collect::<Result<_, _>>()?;
        let [postgres, mariadb, data] = <[String; 3]>::try_from(lines).map_err(|said| anyhow!("{said:?}"))?;
        Ok(Some(Self {
            process,
            addresses: vec![postgres, mariadb],
            data: data.into(),
        }))
    }

    fn send(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(self.process.id().try_into()?), signal)?)
    }

    /// Waits for the end of xtask; dropping its stdin ends a command that waits for that.
    fn ends(&mut self) -> anyhow::Result<ExitStatus> {
        drop(self.process.stdin.take());
        Ok(self.process.wait()?)
    }

    fn assert_gone(&self) {
        for address in &self.addresses {
            assert!(
                TcpStream::connect(address).is_err(),
                "there is still a server on {address}"
            );
        }
        assert!(!self.data.exists(), "{} is still there", self.data.display());
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that did not run must not look like one that passed"
)]
fn say_skipped() {
    eprintln!("SKIPPED: not below `cargo xtask test`, or an engine is missing");
}

#[test]
fn a_failing_command_gives_its_exit_code_and_leaves_no_server() -> anyhow::Result<()> {
    let Some(mut task) = Task::start(&format!("{SAY_AND_WAIT}; exit 7"))? else {
        return Ok(());
    };
    for address in &task.addresses {
        assert!(
            TcpStream::connect(address).is_ok(),
            "there is no server on {address}"
        );
    }
    assert_eq!(task.ends()?.code(), Some(7));
    task.assert_gone();
    Ok(())
}

#[test]
fn a_terminated_task_leaves_no_server_and_ends_its_command() -> anyhow::Result<()> {
    let Some(mut task) = Task::start(SAY_AND_WAIT)? else {
        return Ok(());
    };
    // Waiting would close it, and then the command might end first.
    let _stdin = task.process.stdin.take();
    task.send(Signal::SIGTERM)?;
    assert_eq!(task.process.wait()?.code(), Some(143));
    task.assert_gone();
    Ok(())
}

#[test]
fn the_servers_of_a_killed_task_are_gone_after_the_next_one() -> anyhow::Result<()> {
    let Some(mut killed) = Task::start(SAY_AND_WAIT)? else {
        return Ok(());
    };
    killed.send(Signal::SIGKILL)?;
    assert_eq!(killed.ends()?.signal(), Some(9));

    let mut next = Task::start(SAY_AND_WAIT)?.context("there were servers before")?;
    next.ends()?;
    next.assert_gone();
    killed.assert_gone();
    Ok(())
}
