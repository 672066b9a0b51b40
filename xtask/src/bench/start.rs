//! How long the command takes to start.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::program::release;
use super::samples::median;
use crate::say;
use crate::signals::Signals;

const TIMES: usize = 20;
/// Milliseconds.
const GOAL: f64 = 20.0;

/// Starts the command again and again, and prints the median of each.
pub(super) fn start(signals: &Signals) -> anyhow::Result<()> {
    let tenantry = release("tenantry", signals)?;
    say::answer(&format!("\nStart: median of {TIMES}, process creation included"));
    for argument in ["--version", "--help"] {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let mut command = Command::new(&tenantry);
            command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null());
            let begun = Instant::now();
            let status = command.status()?;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            anyhow::ensure!(status.success(), "tenantry {argument} ended with {status}");
        }
        let took = median(times);
        let verdict = if took <= GOAL { "ok" } else { "NO" };
        say::answer(&format!(
            "tenantry {argument:<10} {took:>6.1} ms; goal {GOAL} {verdict}"
        ));
    }
    Ok(())
}
