//! Carries a plan out over many targets: limits, order, retries, events, and a report.
//!
//! One tenant's failure is data in the report, never the run's error.

mod account;
mod attend;
mod backoff;
mod begin;
mod control;
mod declaration;
mod declare;
mod dispatch;
mod drive;
mod driver;
mod ended;
mod event;
mod failure;
mod id;
mod lanes;
mod lease;
mod machine;
mod meaning;
mod options;
mod policy;
mod preview;
mod refused;
mod report;
mod retry;
mod rollout;
mod runner;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod state;
mod target;
mod units;
mod watch;
mod way;

pub use begin::{Found, Interest, Kinship, Meeting, Overlap, Reach};
pub use control::{Control, Stop};
pub use declaration::{Declaration, Declared, Noted, Says, Watch};
pub use declare::declare;
pub(crate) use drive::Word;
pub use driver::Driver;
pub use event::{BegunTarget, Expected, OnServer, RunEvent, Start};
pub use failure::{Failure, Snippet};
pub use id::{new_mark_id, new_run_id};
pub use lease::{LEASE, Lease, Refusal, Sign, Standing, Wanted};
pub use machine::{Alike, Rule};
pub(crate) use meaning::Before;
pub use options::{Ask, DEFAULT_CONCURRENCY, RunOptions, TransactionScope, WhenHeld};
pub use policy::{Budget, Canary, Limit, Policy, Unpassed, WaveRule};
pub use preview::{Preview, is_idle, is_told_empty, preview};
pub use report::{Cause, Outcome, RunReport, RunStatus, TargetReport, Unrecorded};
pub use rollout::{Place, Rollout, Stage, Then, Wave, WaveKind};
pub(crate) use runner::{Conduct, conduct_run};
pub use runner::{Job, Tracks, run};
pub use state::TargetState;
