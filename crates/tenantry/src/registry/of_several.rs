//! Earlier runs over several tenants, and what they did: what a next one need not wait for again.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entities::{run, run_target};
use super::run_targets::target_of;
use super::runs::PROVISION;
use super::{Registry, RegistryError};
use crate::run::{Outcome, RunStatus};
use crate::target::TrackName;

/// How many of the newest runs over several tenants are looked at.
const NEWEST: u64 = 50;

/// A run over several tenants.
#[derive(Clone, Debug)]
pub struct OfSeveral {
    /// Its id.
    pub id: String,
    /// Its files, as the registry keeps them.
    pub plan: String,
    /// Its waves and rules, likewise.
    pub rollout: String,
    /// How it ended; `None` if it has not.
    pub status: Option<RunStatus>,
    /// Why it ended early, in one word; `None` if it did not.
    pub cause: Option<String>,
}

impl Registry {
    /// Returns the newest runs over several tenants, the newest first, that brought one of them anywhere or were told to wait
    /// behind a wave; not those in which a new database got its migrations. None if there are none.
    pub async fn newest_of_several(&self) -> Result<Vec<OfSeveral>, RegistryError> {
        let others = Condition::any()
            .add(run::Column::Command.starts_with(PROVISION))
            .add(run::Column::Rollout.contains("\"is_of_one\":true"));
        let applied = Query::select()
            .expr(Expr::val(1))
            .from(run_target::Entity)
            .and_where(
                Expr::col((run_target::Entity, run_target::Column::RunId))
                    .equals((run::Entity, run::Column::Id)),
            )
            .and_where(run_target::Column::Outcome.eq(Outcome::Applied.as_str()))
            .take();
        // One that was told to wait behind a wave may have ended before it came there.
        let has_waited = Condition::all()
            .add(run::Column::Rollout.contains("\"was_worked_on\":true"))
            .add(run::Column::Wave.gt(0));
        let matters = Condition::any()
            .add(Expr::exists(applied))
            .add(run::Column::SoaksUntil.is_not_null())
            .add(run::Column::Cause.eq("gate"))
            .add(has_waited);
        let rows = run::Entity::find()
            .filter(run::Column::Rollout.is_not_null())
            .filter(others.not())
            .filter(matters)
            .order_by_desc(run::Column::StartedAt)
            .order_by_desc(run::Column::Id)
            .limit(NEWEST)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let runs = rows.into_iter().map(|row| OfSeveral {
            status: RunStatus::from_word(&row.status),
            id: row.id,
            plan: row.plan.unwrap_or_default(),
            rollout: row.rollout.unwrap_or_default(),
            cause: row.cause,
        });
        Ok(runs.collect())
    }

    /// Returns the names of the servers on which one of some runs did its work on a target of these tracks; none if there are
    /// no such runs.
    pub async fn servers_applied_in(
        &self,
        run_ids: &[String],
        tracks: &[String],
    ) -> Result<HashSet<String>, RegistryError> {
        use run_target::Column;
        let servers: Vec<Option<String>> = run_target::Entity::find()
            .select_only()
            .column(Column::Server)
            .distinct()
            .filter(Column::RunId.is_in(run_ids))
            .filter(Column::Track.is_in(tracks))
            .filter(Column::Outcome.eq(Outcome::Applied.as_str()))
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(servers.into_iter().flatten().collect())
    }

    /// Returns the numbers of the waves in which some runs did their work on a target, by their ids; a run that did nothing is
    /// not in it.
    pub async fn waves_applied_in(
        &self,
        run_ids: &[String],
    ) -> Result<HashMap<String, HashSet<usize>>, RegistryError> {
        use run_target::Column;
        let rows: Vec<(String, i32)> = run_target::Entity::find()
            .select_only()
            .columns([Column::RunId, Column::Wave])
            .distinct()
            .filter(Column::RunId.is_in(run_ids))
            .filter(Column::Outcome.eq(Outcome::Applied.as_str()))
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut waves: HashMap<String, HashSet<usize>> = HashMap::new();
        for (id, wave) in rows {
            waves.entry(id).or_default().extend(usize::try_from(wave));
        }
        Ok(waves)
    }

    /// Returns the targets of one wave of a run, by database and track; none if there is no such wave.
    pub async fn members_of_wave(
        &self,
        run_id: &str,
        wave: usize,
    ) -> Result<Vec<(String, TrackName)>, RegistryError> {
        use run_target::Column;
        let rows = run_target::Entity::find()
            .filter(Column::RunId.eq(run_id))
            .filter(Column::Wave.eq(i32::try_from(wave).unwrap_or(i32::MAX)))
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let targets = rows.into_iter().map(target_of);
        targets
            .map(|target| target.map(|target| (target.database_id, target.track)))
            .collect()
    }
}
