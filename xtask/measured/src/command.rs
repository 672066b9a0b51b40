//! A whole command as its user starts it: its time and its memory are those of one process.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};

use crate::cost::{micros, pair};

/// Runs `<folder> <file> <errors> <program> <argument>…` in that folder, stdout and stderr into those files, without
/// our environment. The answer has its exit code; `peak_kib` is right because a process of ours has this one child.
pub(crate) fn command(arguments: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let [folder, file, errors, program, arguments @ ..] = arguments else {
        bail!("folder, files and program are missing");
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR"))
        .current_dir(Path::new(folder))
        .stdin(Stdio::null())
        .stdout(File::create(file)?)
        .stderr(File::create(errors)?);
    let begun = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    let wall = begun.elapsed();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu: Duration = micros(used.user_time()) + micros(used.system_time());
    let code = status
        .code()
        .with_context(|| format!("{program} ended with {status}"))?;
    Ok(vec![
        pair("wall_us", wall.as_micros()),
        pair("cpu_us", cpu.as_micros()),
        pair("peak_kib", u64::try_from(used.max_rss())?),
        pair("code", u64::try_from(code)?),
    ])
}
