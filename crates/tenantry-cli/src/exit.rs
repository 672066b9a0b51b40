//! The one table of exit codes: what scripts rely on, and how a run's report becomes one of them.

use tenantry::run::{Cause, Outcome, RunReport, RunStatus, TargetReport};

/// How the command ended. The numbers are a contract; unknown ones must be treated as failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// A bug of ours, or an answer that cannot be written.
    Internal,
    /// Wrong flags or arguments.
    Usage,
    /// The configuration is missing or cannot be used.
    Configuration,
    /// No such tenant, run, migration, server or code.
    NotFound,
    /// `status` or `plan` with `--exit-code`: something is behind.
    Pending,
    /// `verify`: a history, a marker and the files do not agree.
    Findings,
    /// At least one target failed; everything else that could run did run.
    Failed,
    /// The run was stopped, or the central database failed before the rest; that did not run.
    Stopped,
    /// The selection matched nothing.
    Empty,
    /// Another run holds the targets.
    Held,
    /// The central database does not answer, or stopped answering while a run went well.
    RegistryDown,
    /// A confirmation is missing, a rule says no, or a file or history must not run.
    Refused,
    /// Interrupted by SIGINT; the run can be resumed.
    Interrupted,
    /// Ended by SIGTERM or SIGHUP; the run can be resumed.
    Terminated,
}

impl Exit {
    /// Every exit code, in the order of the numbers.
    pub(crate) const ALL: [Self; 15] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Configuration,
        Self::NotFound,
        Self::Pending,
        Self::Findings,
        Self::Failed,
        Self::Stopped,
        Self::Empty,
        Self::Held,
        Self::RegistryDown,
        Self::Refused,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// Returns the number, the name and when it is given.
    const fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Done => (0, "done", "done, or nothing to do"),
            Self::Internal => (
                1,
                "internal",
                "unexpected failure, or an answer that cannot be written",
            ),
            Self::Usage => (2, "usage", "wrong flags or arguments"),
            Self::Configuration => (3, "configuration", "configuration missing or not usable"),
            Self::NotFound => (4, "not found", "no such tenant, run, migration, server or code"),
            Self::Pending => (
                10,
                "pending",
                "status or plan with --exit-code: something is behind",
            ),
            Self::Findings => (
                11,
                "findings",
                "verify: a history, a marker and the files do not agree",
            ),
            Self::Failed => (20, "failed", "some targets failed; every other one was tried"),
            Self::Stopped => (
                21,
                "stopped",
                "the run was stopped, or the central database failed; the rest did not run",
            ),
            Self::Empty => (
                22,
                "empty",
                "the selection matches nothing (--allow-empty makes it 0)",
            ),
            Self::Held => (30, "held", "another run holds the targets"),
            Self::RegistryDown => (
                31,
                "registry down",
                "the central database does not answer, or did not take what a run did",
            ),
            Self::Refused => (
                40,
                "refused",
                "confirmation missing, or a file or history that must not run",
            ),
            Self::Interrupted => (130, "interrupted", "SIGINT; the run can be resumed"),
            Self::Terminated => (143, "terminated", "SIGTERM or SIGHUP; the run can be resumed"),
        }
    }

    /// Returns the number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        self.row().0
    }

    /// Returns the name of the number, as `tenantry help exit-codes` lists it.
    pub(crate) const fn name(self) -> &'static str {
        self.row().1
    }

    /// Returns when the number is given.
    pub(crate) const fn when(self) -> &'static str {
        self.row().2
    }

    /// Returns how a run ended, from what was recorded about its targets.
    ///
    /// `asked` is the exit code of the signal that asked the run to stop, if one did. It counts only if the
    /// run really ended early. A run that did everything is still not done if the registry does not know it:
    /// what `status` and a rollback say of it would be wrong. What went wrong in the databases goes first.
    pub(crate) fn of_report(report: &RunReport, asked: Option<Self>) -> Self {
        match (Self::of_targets(report, asked), &report.unrecorded) {
            (Self::Done, Some(_)) => Self::RegistryDown,
            _ if report.cause == Some(Cause::RegistryLost) => Self::RegistryDown,
            (exit, _) => exit,
        }
    }

    fn of_targets(report: &RunReport, asked: Option<Self>) -> Self {
        match (report.status, asked) {
            (RunStatus::Stopped | RunStatus::Paused | RunStatus::Cancelled, _)
            | (RunStatus::Interrupted, None) => {
                return Self::Stopped;
            }
            (RunStatus::Interrupted, Some(signal)) => return signal,
            (RunStatus::Completed, _) => {}
        }
        if report.targets.is_empty() {
            return Self::Empty;
        }
        if report.failed().next().is_none() {
            let unfinished = report.not_run().next().is_some();
            return if unfinished { Self::Stopped } else { Self::Done };
        }
        Self::of_failed(report.failed())
    }

    /// Returns how a command ends that could not do its work on these targets; there is at least one.
    pub(crate) fn of_failed<'a>(mut failed: impl Iterator<Item = &'a TargetReport>) -> Self {
        if failed.all(is_refusal) {
            Self::Refused
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

fn is_refusal(target: &TargetReport) -> bool {
    match &target.failure {
        Some(failure) => failure.code.is_refusal(),
        None => matches!(target.outcome, Outcome::Modified | Outcome::Ahead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{self, failed};
    use tenantry::Code;

    #[test]
    fn every_number_and_name_is_given_once() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|e| e.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 10, 11, 20, 21, 22, 30, 31, 40, 130, 143]);
        let names: std::collections::BTreeSet<_> = Exit::ALL.iter().map(|e| e.name()).collect();
        assert_eq!(names.len(), Exit::ALL.len());
    }

    #[test]
    fn one_failed_target_makes_20_and_only_refusals_make_40() {
        let failing = failed("globex", Code(2003));
        let refused = failed("wonka", Code(3001));
        let report = |targets| sample::report(RunStatus::Completed, targets);
        let ok = sample::applied("acme");
        assert_eq!(Exit::of_report(&report(vec![ok.clone()]), None), Exit::Done);
        let both = report(vec![ok.clone(), failing, refused.clone()]);
        assert_eq!(Exit::of_report(&both, None), Exit::Failed);
        assert_eq!(Exit::of_report(&report(vec![ok, refused]), None), Exit::Refused);
        assert_eq!(Exit::of_report(&report(vec![]), None), Exit::Empty);
    }

    #[test]
    fn stopped_outranks_failed_and_a_signal_counts_only_if_the_run_ended_early() {
        let targets = vec![failed("globex", Code(2003)), sample::not_run("wonka")];
        let stopped = sample::report(RunStatus::Stopped, targets.clone());
        assert_eq!(Exit::of_report(&stopped, None), Exit::Stopped);
        let early = sample::report(RunStatus::Interrupted, targets);
        assert_eq!(
            Exit::of_report(&early, Some(Exit::Interrupted)),
            Exit::Interrupted
        );
        assert_eq!(Exit::of_report(&early, Some(Exit::Terminated)), Exit::Terminated);
        assert_eq!(Exit::of_report(&early, None), Exit::Stopped);
        let done = sample::report(RunStatus::Completed, vec![sample::applied("acme")]);
        assert_eq!(Exit::of_report(&done, Some(Exit::Interrupted)), Exit::Done);
    }

    #[test]
    fn a_run_that_the_registry_lost_is_never_green_and_a_failed_target_outranks_it() {
        let unrecorded = Some(tenantry::run::Unrecorded {
            outcomes: 1,
            code: Code(6009),
            reason: "gone".to_owned(),
        });
        let lost = |targets| tenantry::run::RunReport {
            unrecorded: unrecorded.clone(),
            ..sample::report(RunStatus::Completed, targets)
        };
        let ok = sample::applied("acme");
        assert_eq!(Exit::of_report(&lost(vec![ok.clone()]), None), Exit::RegistryDown);
        let failing = failed("globex", Code(2003));
        assert_eq!(Exit::of_report(&lost(vec![ok, failing]), None), Exit::Failed);
    }

    #[test]
    fn a_target_that_did_not_run_is_never_green() {
        let report = sample::report(RunStatus::Completed, vec![sample::not_run("wonka")]);
        assert_eq!(Exit::of_report(&report, None), Exit::Stopped);
    }
}
