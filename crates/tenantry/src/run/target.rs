//! One target: open, plan under the lock, carry out unit after unit, and say what became of it.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::account::Account;
use super::attend::{Attendance, attend, up};
use super::control::{Control, Stop};
use super::dispatch::{Again, PutBack, Seat};
use super::ended::{Ended, describe, outcome_of, outcome_of_cancelled};
use super::event::{BegunTarget, RunEvent};
use super::failure::Failure;
use super::id::new_attempt_id;
use super::machine::{Ending, Opening};
use super::options::RunOptions;
use super::report::{Outcome, TargetReport};
use super::retry::Tries;
use super::runner::Job;
use super::units::{needs_own_session, units};
use super::watch::{Watching, words};
use super::way::Way;
use crate::direction::Direction;
use crate::engine::{
    self, ApplyError, Certainty, Expects, Holder, Marker, OpenOptions, Recorded, Session, SessionError,
    StateAfter, Unit,
};
use crate::faults::{Seed, is_seeded};
use crate::history::History;
use crate::migration::{Track, Warning};
use crate::plan::{Goal, Step, plan};
use crate::target::Target;

/// A migration that takes longer is told of.
const SLOW: Duration = Duration::from_secs(30);

/// What every target of a run shares.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) run_id: String,
    pub(super) options: RunOptions,
    pub(super) control: Control,
    pub(super) events: UnboundedSender<RunEvent>,
}

impl Shared {
    pub(super) fn tell(&self, event: RunEvent) {
        // Nobody listens any more: the run goes on all the same.
        if self.events.send(event).is_err() {
            tracing::trace!("an event had no listener");
        }
    }
}

/// How far a session came that nothing went wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Goal,
    /// What is left must not share the session with what it did, or needs another endpoint.
    NextSession,
}

/// The work on one target, over all its attempts.
struct Work<'a> {
    target: &'a Target,
    /// The marker of its goal, where its comment had it when its server was asked.
    marker: Option<&'a Marker>,
    track: &'a Track,
    /// Where it shall come to. A way back is fixed at the first look: counted anew after a lost session, it
    /// would go further with every attempt.
    goal: Goal,
    shared: &'a Shared,
    seat: &'a Seat,
    begun: Instant,
    /// When its time is up; `None` if it has all the time it needs.
    deadline: Option<Instant>,
    /// Whether nothing was applied before this attempt; what it did since makes no shorter transactions.
    fresh: bool,
    /// Where the next session is opened.
    way: Way,
    /// What was tried, and what was waited for.
    tries: Tries,
    /// What is known of it.
    account: Account,
    /// Whether a statement had to give way to somebody's lock.
    gave_way: bool,
    /// Who was in the way of the newest unit.
    in_the_way: Vec<Holder>,
    /// What its history, as it was read last, says otherwise than the files.
    warnings: Vec<Warning>,
    /// What is told when it begins.
    told: BegunTarget,
}

/// Brings one target to the goal, and tells what its history says otherwise than the files. Never fails: what goes
/// wrong is in the report.
pub(super) async fn migrate(
    job: &Job,
    shared: &Shared,
    seat: &Seat,
    told: BegunTarget,
) -> (TargetReport, Vec<Warning>) {
    let target = &job.target;
    let mut work = Work {
        target,
        marker: job.marker.as_deref(),
        track: &job.track,
        goal: job.goal.clone(),
        shared,
        seat,
        begun: Instant::now(),
        deadline: deadline(&shared.options),
        fresh: false,
        way: Way::Given,
        tries: Tries::default(),
        account: Account::default(),
        gave_way: false,
        in_the_way: Vec::new(),
        warnings: Vec::new(),
        told,
    };
    work.tell_begun();
    let ended = work.try_until_settled().await;
    let warnings = std::mem::take(&mut work.warnings);
    (work.report(ended), warnings)
}

fn deadline(options: &RunOptions) -> Option<Instant> {
    let given = options.target_timeout;
    let time = given.filter(|_| !is_seeded(Seed::TargetTimeIgnored))?;
    Some(Instant::now() + time)
}

impl Work<'_> {
    async fn try_until_settled(&mut self) -> Result<(), Ended> {
        loop {
            self.tries.begin();
            let Err(ended) = self.attempt().await else {
                return Ok(());
            };
            if self.is_out_of_time() {
                return Err(self.out_of_time(ended));
            }
            self.gave_way |= outcome_of(&ended) == Outcome::Blocked;
            let window = self.shared.options.lock_window;
            self.tries.note(&ended, self.shared.options.lock_timeout);
            if let Some(why) = self.room_for_others(&ended) {
                match self.seat.put_back(why).await {
                    Again::Now => {
                        self.fresh = false;
                        self.tell_begun();
                        continue;
                    }
                    Again::Never if self.shared.control.requested() >= Stop::Cancel => {
                        return Err(ended.or_stopped());
                    }
                    Again::Never => return Err(ended),
                }
            }
            let Some(pause) = self.tries.pause_before_next(&ended, window) else {
                return Err(ended);
            };
            if self.shared.control.requested() >= Stop::Cancel {
                return Err(ended.or_stopped());
            }
            self.tell_retry(&ended, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.control.reached(Stop::Cancel) => return Err(ended.or_stopped()),
                () = up(self.deadline) => return Err(self.out_of_time(ended)),
            }
            self.fresh = false;
        }
    }

    fn tell_begun(&self) {
        let begun = Box::new(self.told.clone());
        self.shared.tell(RunEvent::TargetStarted(begun));
    }

    /// Returns why it makes room for others: its server, not the target, is in trouble. The run sees all targets of the
    /// server and decides when it is asked again.
    fn room_for_others(&self, ended: &Ended) -> Option<PutBack> {
        let ending = match ended.session_error()? {
            SessionError::Exhausted { .. } => Ending::Crowded,
            SessionError::Unreachable { .. } => Ending::Unreachable,
            SessionError::Lost { .. }
            | SessionError::Tls { .. }
            | SessionError::AuthFailed { .. }
            | SessionError::NoDatabase { .. }
            | SessionError::Blocked { .. }
            | SessionError::LockTimeout { .. }
            | SessionError::CommitDelayed { .. }
            | SessionError::Unsuitable { .. }
            | SessionError::Pooled { .. }
            | SessionError::IdentityMismatch { .. }
            | SessionError::Emptied { .. }
            | SessionError::HistoryDamaged { .. }
            | SessionError::Database(_) => return None,
        };
        let failure = describe(ended, self.track);
        Some(PutBack {
            ending,
            reason: failure.in_a_line(),
            failure,
        })
    }

    fn is_out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// What a stop has ended was ended by the clock, unless somebody asked for it.
    fn out_of_time(&self, ended: Ended) -> Ended {
        let after = self.begun.elapsed();
        if self.shared.control.requested() >= Stop::Cancel {
            return ended;
        }
        match ended {
            Ended::Stopped => Ended::OutOfTime { after, cut: None },
            Ended::Apply(error @ ApplyError::Cancelled { .. }, unit) => Ended::OutOfTime {
                after,
                cut: Some((error, unit)),
            },
            Ended::Session(_) | Ended::Plan(_) | Ended::Apply(_, _) | Ended::OutOfTime { .. } => ended,
        }
    }

    /// Session after session, as long as nothing fails: mostly one.
    async fn attempt(&mut self) -> Result<(), Ended> {
        while self.session().await? == Reached::NextSession {
            self.tries.go_on();
        }
        Ok(())
    }

    /// Returns how its next session is opened.
    fn opening(&self) -> OpenOptions {
        let shared = self.shared;
        let usual = open_options(self.target, &shared.options, &shared.run_id);
        let expected = self
            .marker
            .map(|marker| Expects::Marker(Box::new(marker.clone())));
        OpenOptions {
            lock_window: self.tries.left_of(&shared.options),
            expects: expected.unwrap_or_else(|| usual.expects.clone()),
            ..usual
        }
    }

    /// One session: everything is planned anew under its lock, so that whatever an earlier one did, known or
    /// unknown, is seen in the history.
    async fn session(&mut self) -> Result<Reached, Ended> {
        let shared = self.shared;
        let options = self.opening();
        let address = self.way.to(&self.target.address);
        let hears = |holders: &[Holder]| shared.tell(waits_for_lock(self.target, holders));
        let asked = Instant::now();
        let mut session = tokio::select! {
            opened = engine::open_and_tell(&address, &options, &hears) => opened.map_err(Ended::Session)?,
            () = self.shared.control.reached(Stop::Cancel) => return Err(Ended::Stopped),
            () = up(self.deadline) => return Err(Ended::Stopped),
        };
        self.seat.opened(Opening {
            took: asked.elapsed(),
            connections: session.connections(),
        });
        let emptied = check_not_emptied(self.target, session.history()).map_err(Ended::Session);
        let planned = emptied.and_then(|()| {
            self.account.see(&self.track.name, session.history());
            plan(self.track, session.history(), &self.goal).map_err(Ended::Plan)
        });
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(refused) => {
                // What stands in the way here must not be passed over by the next run.
                session.settle_marker(&self.track.name).await;
                return Err(refused);
            }
        };
        self.goal = plan.fixed(&self.goal);
        self.warnings = std::mem::take(&mut plan.warnings);
        plan.fresh |= self.fresh;
        self.fresh = plan.fresh;
        let mut before = None;
        for steps in units(plan, self.shared.options.transaction) {
            // Between two units nothing is half-way: what is left is simply not done.
            if self.shared.control.requested() >= Stop::Cancel || self.is_out_of_time() {
                return Err(Ended::Stopped);
            }
            let way = Way::of(&self.target.address, &steps);
            if std::mem::replace(&mut self.way, way) != way {
                return Ok(Reached::NextSession);
            }
            let alone = needs_own_session(&steps);
            if before.replace(alone).is_some_and(|before| before || alone) {
                return Ok(Reached::NextSession);
            }
            let unit = self.unit(steps);
            match self.carry_out(session.as_mut(), &unit).await {
                Ok(recorded) => self.finish_unit(unit.direction, recorded),
                Err(error) => {
                    self.account.fail(&error, &unit);
                    return Err(Ended::Apply(error, Box::new(unit)));
                }
            }
        }
        session.settle_marker(&self.track.name).await;
        Ok(Reached::Goal)
    }

    async fn carry_out(
        &mut self,
        session: &mut dyn Session,
        unit: &Unit,
    ) -> Result<Vec<Recorded>, ApplyError> {
        let (shared, target) = (self.shared, self.target);
        let options = &shared.options;
        // Every other statement gives way soon, and the retry tells to whom; the first look is late where it does not.
        let outside = |step: &Step| step.script().directives.no_transaction;
        let waits = !self.looks_out() || unit.steps.iter().any(outside);
        let waiting = |holders: &[Holder]| {
            // Who only may be in the way does not show that anything waits.
            if waits && holders.iter().any(|holder| holder.certainty == Certainty::Holds) {
                shared.tell(RunEvent::Waiting {
                    label: target.label(),
                    reason: format!("waits for another session{}", words(holders)),
                });
            }
        };
        let with = Attendance {
            control: &shared.control,
            watching: Watching {
                lock_timeout: self.looks_out().then_some(options.lock_timeout),
                progress_timeout: options.progress_timeout,
            },
            deadline: self.deadline,
            tell: &waiting,
        };
        let work = attend(session, unit, with, &mut self.in_the_way);
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SLOW) => {}
        }
        if let Some(step) = unit.steps.first() {
            shared.tell(RunEvent::Slow {
                label: target.label(),
                track: target.track.clone(),
                migration: step.migration.label(),
                after: SLOW,
            });
        }
        work.await
    }

    /// Returns whether it is worth a second connection to see who is in the way: once a statement has waited in
    /// vain, or where there will be no second time.
    fn looks_out(&self) -> bool {
        let options = &self.shared.options;
        self.gave_way || options.lock_window <= options.lock_timeout
    }

    fn unit(&mut self, steps: Vec<Step>) -> Unit {
        let attempt_id = new_attempt_id(&self.shared.run_id);
        let direction = steps.first().map_or(self.goal.direction(), |s| s.direction);
        self.account.begin(&attempt_id, direction);
        if let Some(first) = steps.first() {
            self.shared.tell(RunEvent::MigrationStarted {
                label: self.target.label(),
                track: self.track.name.clone(),
                migration: first.migration.label(),
            });
        }
        Unit {
            track: self.track.name.clone(),
            direction,
            steps,
            run_id: self.shared.run_id.clone(),
            attempt_id,
        }
    }

    fn finish_unit(&mut self, direction: Direction, recorded: Vec<Recorded>) {
        self.tries.go_on();
        for done in &recorded {
            self.shared.tell(RunEvent::MigrationFinished {
                label: self.target.label(),
                track: self.track.name.clone(),
                version: done.version,
                duration_ms: done.duration_ms,
                taken_up: done.taken_up,
            });
        }
        self.account.finish(direction, recorded);
    }

    fn tell_retry(&self, ended: &Ended, pause: Duration) {
        let failure = describe(ended, self.track);
        let seen = if failure.holders.is_empty() {
            &self.in_the_way
        } else {
            &failure.holders
        };
        self.shared.tell(RunEvent::Retrying {
            label: self.target.label(),
            code: failure.code,
            reason: failure.in_a_line() + &words(seen),
            pause,
        });
    }

    fn report(self, ended: Result<(), Ended>) -> TargetReport {
        let outcome = match &ended {
            Ok(()) if self.account.is_empty() => Outcome::Current,
            Ok(()) => Outcome::Applied,
            Err(ended) => self.outcome(ended),
        };
        let target = self.target;
        let failure = ended.err().map(|ended| self.failure(&ended, outcome));
        TargetReport {
            from: self.account.from(),
            to: self.account.to(),
            attempts: self.tries.attempts,
            duration: self.begun.elapsed(),
            migrations: self.account.into_recorded(),
            ..TargetReport::untried(target, outcome, failure)
        }
    }

    /// What an earlier attempt left is as half-way as what is cut off now.
    fn outcome(&self, ended: &Ended) -> Outcome {
        let is_cut_off = matches!(ended, Ended::Stopped | Ended::OutOfTime { cut: None, .. });
        match self.account.left().map(|left| outcome_of_cancelled(left.state)) {
            Some(left @ (Outcome::Interrupted | Outcome::Ambiguous)) if is_cut_off => left,
            Some(_) | None => outcome_of(ended),
        }
    }

    /// Says why the last attempt failed, and what an earlier one may have left.
    fn failure(&self, ended: &Ended, outcome: Outcome) -> Failure {
        let mut failure = describe(ended, self.track);
        if outcome == Outcome::Blocked && failure.holders.is_empty() {
            failure.holders.clone_from(&self.in_the_way);
        }
        if !matches!(ended, Ended::Plan(_))
            && failure.state == StateAfter::RolledBack
            && let Some(left) = self.account.left()
        {
            failure.state = left.state;
            failure.migration.get_or_insert_with(|| left.migration.clone());
        }
        failure
    }
}

/// Returns what is told of a target whose migration lock somebody else has.
pub(super) fn waits_for_lock(target: &Target, holders: &[Holder]) -> RunEvent {
    RunEvent::Waiting {
        label: target.label(),
        reason: format!("waits for the migration lock{}", words(holders)),
    }
}

/// Returns how a target's connections are opened.
pub(super) fn open_options(target: &Target, options: &RunOptions, run_id: &str) -> OpenOptions {
    OpenOptions {
        application_name: format!("tenantry {run_id}"),
        connect_timeout: options.connect_timeout,
        lock_timeout: options.lock_timeout,
        lock_window: options.lock_window,
        idle_timeout: options.idle_timeout,
        database_id: target.database_id.clone(),
        tenant_id: target
            .owner
            .as_ref()
            .map(|o| o.id.to_string())
            .unwrap_or_default(),
        registry_id: target.registry_id.to_string(),
        expects: target.known_version.map_or(Expects::Nothing, |_| Expects::Tables),
    }
}

/// Refuses a database without our tables in which the registry knows migrations: somebody emptied or
/// replaced it, and to fill it silently would hide the loss.
pub(super) fn check_not_emptied(target: &Target, history: &History) -> Result<(), SessionError> {
    match target.known_version {
        Some(known) if history.meta.is_none() => Err(SessionError::Emptied { known }),
        Some(_) | None => Ok(()),
    }
}
