//! Events and reports as JSON: the fields that scripts rely on.

mod event;
mod finished;
mod started;
mod target;

pub(crate) use event::{Event, Numbered, VersionLine};
pub(crate) use finished::Finished;
pub(crate) use target::Target;

/// Returns whole milliseconds.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
