//! Carries a plan out over many targets: limits, order, retries, events, and a report.
//!
//! One tenant's failure is data in the report, never the run's error.

mod account;
mod attend;
mod backoff;
mod control;
mod declaration;
mod declare;
mod drive;
mod ended;
mod event;
mod failure;
mod id;
mod machine;
mod options;
mod preview;
mod refused;
mod report;
mod retry;
mod runner;
mod target;
mod units;
mod watch;
mod way;

pub use control::{Control, Stop};
pub use declaration::{Declaration, Declared, Noted, Says, Watch};
pub use declare::declare;
pub use event::RunEvent;
pub use failure::{Failure, Snippet};
pub use id::{new_mark_id, new_run_id};
pub use options::{DEFAULT_CONCURRENCY, RunOptions, TransactionScope};
pub use preview::{Preview, is_idle, is_told_empty, preview};
pub use report::{Outcome, RunReport, RunStatus, TargetReport, Unrecorded};
pub use runner::{Job, Tracks, run};
