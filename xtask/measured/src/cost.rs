//! What this process cost so far: wall time, CPU time and the most memory it ever held.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// A measurement that has begun.
#[derive(Debug)]
pub(crate) struct Cost {
    begun: Instant,
    cpu: Duration,
}

impl Cost {
    /// Begins; what the process did before does not count, but for its memory.
    pub(crate) fn begin() -> anyhow::Result<Self> {
        Ok(Self {
            cpu: cpu()?,
            begun: Instant::now(),
        })
    }

    /// Returns how long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends: wall and CPU time in microseconds, the peak of memory in KiB.
    pub(crate) fn end(&self) -> anyhow::Result<Vec<(String, String)>> {
        let wall = self.begun.elapsed();
        Ok(vec![
            pair("wall_us", wall.as_micros()),
            pair("cpu_us", (cpu()?.saturating_sub(self.cpu)).as_micros()),
            pair("peak_kib", peak_kib()?),
        ])
    }
}

/// The right side of a line of the answer.
pub(crate) struct Value(String);

impl From<u128> for Value {
    fn from(number: u128) -> Self {
        Self(number.to_string())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Makes a line of the answer.
pub(crate) fn pair(key: &str, value: impl Into<Value>) -> (String, String) {
    (key.to_owned(), value.into().0)
}

/// Returns user and system time of all threads.
fn cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}

/// Returns a time of the system's as ours.
pub(crate) fn micros(value: TimeVal) -> Duration {
    let micros = value.tv_sec() * 1_000_000 + value.tv_usec();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Returns the peak of resident memory. Not `ru_maxrss`: that one begins with what the process that started
/// us held at the time.
fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("/proc/self/status has no VmHWM")?;
    let number = line.split_whitespace().next().context("VmHWM is empty")?;
    Ok(number.parse()?)
}
