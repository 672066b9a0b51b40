//! One generated schedule of moves on the registry and on the simulator's store: the same answers, the same rows.

mod compare;
#[path = "../../../../src/run/simulation/random.rs"]
mod random;
#[path = "../../../../src/run/simulation/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use tenantry::TrackName;
use tenantry::registry::{self, Driven, NewRun, Registry, RegistryError, RunEnd, RunPlan, RunTarget};
use tenantry::run::{
    BegunTarget, Driver, Found, Interest, Kinship, Lease, Meeting, Outcome, Overlap, Reach, Refusal,
    RunStatus, Sign, Stage, Standing, TargetState, Wanted,
};

use self::random::Random;
use self::store::{Asker, Begun, Claimed, Ending, Refused, Row, RunKey, Store, TargetKey, Wish};
use super::{Central, new_run};

super::on_every_engine!(a_schedule_does_the_same_to_the_registry_and_to_the_store);

const STEPS: u64 = 400;
const TARGETS: TargetKey = 8;
/// The time by the store's clock. It stands still: a lease ends because the schedule says so.
const NOW: i64 = 1_000_000_000_000_000;
/// When a lease ends that has not ended.
const FAR: i64 = 9_000_000_000_000_000;

async fn a_schedule_does_the_same_to_the_registry_and_to_the_store(central: Central) {
    let registry = central.registry().await;
    let mut trial = Trial {
        central,
        registry,
        this: Driver::this(),
        random: Random::new(2_026),
        store: Store::default(),
        ids: BTreeMap::new(),
        epochs: BTreeMap::new(),
        begun: 0,
    };
    for step in 0..STEPS {
        trial.step().await;
        trial.compare(step, 6).await;
    }
    trial.compare(STEPS, usize::MAX).await;
    // What can be moved no more proves little.
    let kinds = trial.store.runs.values().map(|kept| kept.lease.standing);
    let over = kinds.filter(|standing| *standing != Standing::Running).count();
    assert!(over > 20, "{over} of {} runs ended", trial.store.runs.len());
}

/// The registry and the store, side by side.
struct Trial {
    central: Central,
    registry: Registry,
    this: Driver,
    random: Random,
    store: Store,
    ids: BTreeMap<RunKey, String>,
    /// Which epoch of the registry is which one of the store.
    epochs: BTreeMap<(RunKey, i64), i64>,
    begun: RunKey,
}

impl Trial {
    async fn step(&mut self) {
        let run = self.run();
        let id = self.ids.get(&run).cloned();
        let id = id.unwrap_or_else(|| "run_zzzzzzzz".to_owned());
        match self.random.below(20) {
            0..=3 => self.begin().await,
            4 | 5 => {
                let ours = self.ask(|store, asker| store.claim(run, asker));
                let theirs = self.registry.claim_run(&id, None, &self.this).await;
                self.claimed_alike(ours, theirs);
            }
            6 | 7 => {
                let (ours, theirs) = self.epoch(run);
                let ours = self.store.renew(run, ours, NOW);
                same(&ours, self.registry.renew_run(&id, theirs).await);
            }
            8 => {
                let (ours, theirs) = self.epoch(run);
                let ours = self.store.wishes(run, ours);
                same(&ours, self.registry.wishes_of(&id, theirs).await);
            }
            9 => {
                let ours = self.ask(|store, asker| store.driven(run, asker));
                let theirs = self.registry.driven(&id, &self.this).await;
                same(&ours, theirs.map(|driven| word(&driven)));
            }
            10 | 11 => {
                let all = [Wanted::Promote, Wanted::Pause, Wanted::Cancel, Wanted::CancelNow];
                let wanted = self.random.pick(&all);
                let ours = self.ask(|store, asker| store.want(run, wanted, asker));
                let theirs = self.registry.want(&id, wanted, &self.this).await;
                same(&ours, theirs.map(|_| ()));
            }
            12..=15 => {
                let ((ours, theirs), rows) = (self.epoch(run), self.rows());
                let stage = self.stage();
                let ours = self.store.reach((run, ours), stage, &rows, NOW);
                let rows: Vec<RunTarget> = rows.iter().map(target).collect();
                same(&ours, self.registry.reach(&id, theirs, stage, &rows).await);
            }
            16 | 17 => self.finish(run, &id).await,
            18 => self.lease_ends(run, &id).await,
            _ => self.driver_dies(run, &id).await,
        }
    }

    /// One of the newest runs; sometimes one that there is not.
    fn run(&mut self) -> RunKey {
        let newest: Vec<RunKey> = self.ids.keys().rev().take(5).copied().collect();
        if newest.is_empty() || self.random.below(50) == 0 {
            return RunKey::MAX;
        }
        self.random.pick(&newest)
    }

    /// An epoch that the run has or had, in the store and in the registry.
    fn epoch(&mut self, run: RunKey) -> (i64, i64) {
        let of_run = self.epochs.range((run, i64::MIN)..=(run, i64::MAX));
        let known: Vec<(i64, i64)> = of_run.map(|((_, ours), theirs)| (*ours, *theirs)).collect();
        match known.last() {
            Some(newest) if self.random.chance(700) => *newest,
            Some(_) => self.random.pick(&known),
            None => (1, 1),
        }
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&mut Store, &Asker<'_>) -> T) -> T {
        let this = self.this.clone();
        let asker = Asker {
            driver: this.as_str(),
            now: NOW,
            sign_of: &|driver| this.sign_of(driver),
        };
        ask(&mut self.store, &asker)
    }

    async fn begin(&mut self) {
        self.begun += 1;
        let share = self.random.between(1, 9) * 100;
        let mut rows: Vec<Row> = Vec::new();
        for key in 0..TARGETS {
            if self.random.chance(share) {
                let mut row = Row::pending(key, self.random.pick(&[0, 1]));
                if self.random.chance(100) {
                    (row.state, row.outcome) = (TargetState::Ended, Outcome::Skipped);
                }
                rows.push(row);
            }
        }
        let wish = Wish {
            run: self.begun,
            plan: self.random.pick(&["a", "a", "a", "b", ""]),
            continues: self.random.chance(200).then_some(1),
            reach: Reach::Several,
            rows,
        };
        let new = NewRun {
            plan: RunPlan {
                hash: wish.plan.to_owned(),
                ..RunPlan::default()
            },
            continues: wish.continues.map(|_| "run_aaaaaaaa".to_owned()),
            ..new_run(wish.rows.iter().map(target).collect())
        };
        let ours = self.ask(|store, asker| store.begin(&wish, asker));
        let theirs = self.registry.begin_run(&new, &self.this).await.unwrap();
        if ours == Begun::New {
            self.ids.insert(wish.run, new.id.clone());
        }
        self.begun_alike(&ours, theirs);
    }

    fn begun_alike(&self, ours: &Begun, theirs: registry::Begun) {
        let id = |run: &RunKey| self.ids[run].clone();
        match (ours, theirs) {
            (Begun::New, registry::Begun::New(epoch)) => assert_eq!(epoch, 1),
            (Begun::Attached(run), registry::Begun::Attached { run_id, .. })
            | (Begun::Taken(run, _), registry::Begun::Taken { run_id, .. })
            | (Begun::Waits(run), registry::Begun::Waits { run_id, .. }) => assert_eq!(id(run), run_id),
            (Begun::Held(runs), registry::Begun::Held(holdings)) => {
                let ours: Vec<String> = runs.iter().map(id).collect();
                let theirs: Vec<String> = holdings.into_iter().map(|holding| holding.run_id).collect();
                assert_eq!(ours, theirs);
            }
            (ours, theirs) => panic!("{ours:?}, but {theirs:?}"),
        }
    }

    fn claimed_alike(
        &self,
        ours: Result<Claimed, Refused>,
        theirs: Result<registry::Claimed, RegistryError>,
    ) {
        match (ours, theirs) {
            (Ok(Claimed::Given(_)), Ok(registry::Claimed::Given { .. })) => {}
            (Ok(Claimed::Held(runs)), Ok(registry::Claimed::Held(holdings))) => {
                let ours: Vec<&String> = runs.iter().map(|run| &self.ids[run]).collect();
                let theirs: Vec<&String> = holdings.iter().map(|holding| &holding.run_id).collect();
                assert_eq!(ours, theirs);
            }
            (ours, theirs) => same(&ours.map(|_| ()), theirs.map(|_| ())),
        }
    }

    async fn finish(&mut self, run: RunKey, id: &str) {
        let ((ours, theirs), rows) = (self.epoch(run), self.rows());
        let all = [
            RunStatus::Completed,
            RunStatus::Interrupted,
            RunStatus::Stopped,
            RunStatus::Paused,
            RunStatus::Cancelled,
        ];
        let status = self.random.pick(&all);
        let stage = self.stage();
        let end = RunEnd {
            status,
            cause: None,
            stage,
        };
        let ours = self
            .store
            .finish((run, ours), Ending { status, stage }, &rows, NOW);
        let rows: Vec<RunTarget> = rows.iter().map(target).collect();
        same(&ours, self.registry.finish_run(id, theirs, &end, &rows).await);
    }

    /// Where a run is said to be among its waves.
    fn stage(&mut self) -> Option<Stage> {
        let wave = self.random.pick(&[0, 1, 2]);
        let soak = self.random.pick(&[None, Some(Duration::from_mins(1))]);
        self.random.chance(300).then_some(Stage { wave, soak })
    }

    /// Where some targets are said to be; also what must not be.
    fn rows(&mut self) -> Vec<Row> {
        let mut rows = Vec::new();
        for key in 0..TARGETS {
            if self.random.chance(300) {
                let state = self.random.pick(&TargetState::ALL);
                let outcomes = [Outcome::Applied, Outcome::Current, Outcome::Failed];
                let outcome = if state == TargetState::Ended {
                    self.random.pick(&outcomes)
                } else {
                    Outcome::NotRun
                };
                rows.push(Row {
                    state,
                    outcome,
                    ..Row::pending(key, 2)
                });
            }
        }
        rows
    }

    async fn lease_ends(&mut self, run: RunKey, id: &str) {
        if let Some(kept) = self.store.runs.get_mut(&run)
            && kept.lease.standing == Standing::Running
        {
            kept.lease.until = 1;
            let update = format!("UPDATE tenantry_runs SET lease_until = 1 WHERE id = '{id}'");
            self.central.execute(&update).await;
        }
    }

    /// The run's driver turns out to be a process of this machine that is gone.
    async fn driver_dies(&mut self, run: RunKey, id: &str) {
        let parts: Vec<&str> = self.this.as_str().split(' ').collect();
        let gone = [parts[0], "4194305", parts[2], parts[3], parts[4]].join(" ");
        if let Some(kept) = self.store.runs.get_mut(&run) {
            let update = format!("UPDATE tenantry_runs SET driver = '{gone}' WHERE id = '{id}'");
            kept.lease.driver = gone;
            self.central.execute(&update).await;
        }
    }
}

/// Compares two answers.
fn same<T: PartialEq + std::fmt::Debug>(ours: &Result<T, Refused>, theirs: Result<T, RegistryError>) {
    assert_eq!(*ours, theirs.map_err(|error| refused(&error)));
}

fn refused(error: &RegistryError) -> Refused {
    if let RegistryError::RunOver { status, .. } = error {
        return Refused::By(Refusal::Over(*status));
    }
    if matches!(error, RegistryError::RunNotFound { .. }) {
        return Refused::NoSuchRun;
    }
    if matches!(error, RegistryError::Driven { .. }) {
        return Refused::By(Refusal::Held);
    }
    assert!(matches!(error, RegistryError::TakenOver { .. }), "{error:?}");
    Refused::By(Refusal::Fenced)
}

fn word(driven: &Driven) -> store::Driven {
    match driven {
        Driven::By(_) => store::Driven::BySomebody,
        Driven::ByNobody(_) => store::Driven::ByNobody,
        Driven::Over(status) => store::Driven::Over(*status),
    }
}

fn target(row: &Row) -> RunTarget {
    let begun = BegunTarget {
        label: format!("t{}", row.target),
        track: TrackName::Tenant,
        database_id: format!("database-{}", row.target),
        server: None,
        expected_ms: 0,
    };
    RunTarget {
        wave: row.wave as usize,
        state: row.state,
        outcome: row.outcome,
        ..RunTarget::leased(&begun)
    }
}
