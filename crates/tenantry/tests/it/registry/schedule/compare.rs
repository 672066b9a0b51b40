//! Compares what the registry keeps with what the store does, row by row.

use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use tenantry::run::{RunStatus, Standing, Wanted};

use super::store::{Kept, RunKey};
use super::{FAR, Trial, target};

/// A run's row.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: String,
    until: i64,
    driver: String,
    wanted: Option<String>,
    wave: i32,
    soaks: bool,
}

impl Trial {
    /// Compares the newest runs, so many, and their targets.
    pub(super) async fn compare(&mut self, step: u64, newest: usize) {
        // By the registry's clock time goes on; a lease ends only when the schedule says so. Runs begin in the order of
        // their numbers, also where two begin within one tick.
        let far = format!("UPDATE tenantry_runs SET lease_until = {FAR} WHERE lease_until > 1");
        self.central.execute(&far).await;
        for (run, id) in self.ids.range(self.begun.saturating_sub(1)..) {
            let update = format!("UPDATE tenantry_runs SET started_at = {run} WHERE id = '{id}'");
            self.central.execute(&update).await;
        }
        let runs: Vec<RunKey> = self.store.runs.keys().rev().take(newest).copied().collect();
        for run in runs {
            self.compare_run(step, run).await;
        }
    }

    async fn compare_run(&mut self, step: u64, run: RunKey) {
        let (id, kept) = (&self.ids[&run], &self.store.runs[&run]);
        let columns = "status, epoch, lease_until, driver, wanted, wave, soaks_until";
        let select = format!("SELECT {columns} FROM tenantry_runs WHERE id = '{id}'");
        let select = Statement::from_string(self.central.db.get_database_backend(), select);
        let row = self.central.db.query_one_raw(select).await.unwrap().unwrap();
        assert_eq!(ours(kept), theirs(&row), "step {step}, run {run}");
        let epoch: i64 = row.try_get("", "epoch").unwrap();
        let known = self.epochs.entry((run, kept.lease.epoch)).or_insert(epoch);
        assert_eq!(*known, epoch, "step {step}, run {run}");
        let earlier = self.epochs.range(..(run, kept.lease.epoch)).next_back();
        if let Some(((other, _), earlier)) = earlier.filter(|((other, _), _)| *other == run) {
            assert!(*earlier < epoch, "step {step}, run {other}: its epoch grows");
        }
        let there = self.registry.targets_of(id).await.unwrap();
        let here: Vec<_> = kept.rows.iter().map(target).collect();
        assert_eq!(here, there, "step {step}, run {run}");
    }
}

fn ours(kept: &Kept) -> Seen {
    let lease = &kept.lease;
    Seen {
        status: match lease.standing {
            Standing::Running => "running",
            Standing::Over(status) => RunStatus::as_str(status),
        }
        .to_owned(),
        until: if lease.until > 1 { FAR } else { lease.until },
        driver: lease.driver.clone(),
        wanted: lease.wanted.map(Wanted::as_str).map(str::to_owned),
        wave: i32::try_from(kept.wave).unwrap(),
        soaks: kept.soaks_until.is_some(),
    }
}

fn theirs(row: &QueryResult) -> Seen {
    Seen {
        status: row.try_get("", "status").unwrap(),
        until: row.try_get("", "lease_until").unwrap(),
        driver: row.try_get("", "driver").unwrap(),
        wanted: row.try_get("", "wanted").unwrap(),
        wave: row.try_get("", "wave").unwrap(),
        soaks: row.try_get::<Option<i64>>("", "soaks_until").unwrap().is_some(),
    }
}
