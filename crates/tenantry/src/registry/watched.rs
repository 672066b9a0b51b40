//! What is new in a run, for whoever watches it; and what earlier runs say about the next one.

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};

use super::entities::{database, run, run_target};
use super::run_targets::{RunTarget, target_of};
use super::{Registry, RegistryError};
use crate::direction::Direction;
use crate::run::{OnServer, Outcome};
use crate::target::TrackName;

/// Of how many of the newest runs the durations are taken.
const DURATIONS_OF: u64 = 4;

impl Registry {
    /// Returns the targets of a run that were written since a look, by the number that it returned, and the number of this
    /// one; 0 asks for all. Writes nothing.
    pub async fn changes_of(&self, run_id: &str, since: i64) -> Result<(Vec<RunTarget>, i64), RegistryError> {
        use run_target::Column;
        let rows = run_target::Entity::find()
            .filter(Column::RunId.eq(run_id))
            .filter(Column::Seq.gt(since))
            .order_by_asc(Column::Seq)
            .order_by_asc(Column::Label)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let newest = rows.last().map_or(since, |row| row.seq);
        let targets = rows.into_iter().map(target_of).collect::<Result<_, _>>()?;
        Ok((targets, newest))
    }

    /// Returns how many targets of a run stand on each server, by the servers' names.
    pub async fn servers_of(&self, run_id: &str) -> Result<Vec<OnServer>, RegistryError> {
        use run_target::Column;
        let rows: Vec<(Option<String>, i64)> = run_target::Entity::find()
            .select_only()
            .column(Column::Server)
            .column_as(Column::DatabaseId.count(), "targets")
            .filter(Column::RunId.eq(run_id))
            .group_by(Column::Server)
            .order_by_asc(Column::Server)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let servers = rows.into_iter().map(|(server, targets)| OnServer {
            server: server.and_then(|name| name.parse().ok()),
            targets: usize::try_from(targets).unwrap_or(0),
            done: (0, 0),
        });
        Ok(servers.collect())
    }

    /// Returns the names of a run's databases by their ids, of those that there still are.
    pub async fn database_names(&self, run_id: &str) -> Result<HashMap<String, String>, RegistryError> {
        use run_target::Column;
        let targets = run_target::Entity::find()
            .select_only()
            .column(Column::DatabaseId)
            .filter(Column::RunId.eq(run_id))
            .into_query();
        let rows: Vec<(String, String)> = database::Entity::find()
            .select_only()
            .columns([database::Column::Id, database::Column::Name])
            .filter(database::Column::Id.in_subquery(targets))
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(rows.into_iter().collect())
    }

    /// Returns how long each database of a track took when it was changed last, in milliseconds, as far as the newest runs
    /// tell; empty if none did.
    pub async fn durations(&self, track: &TrackName) -> Result<HashMap<String, u64>, RegistryError> {
        use run_target::Column;
        let newest: Vec<String> = run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(run::Column::Direction.eq(Direction::Up.to_string()))
            .order_by_desc(run::Column::StartedAt)
            .limit(DURATIONS_OF)
            .into_tuple()
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let mut durations = HashMap::new();
        // The oldest first, so that what came later counts.
        for run_id in newest.iter().rev() {
            let rows: Vec<(String, i64)> = run_target::Entity::find()
                .select_only()
                .columns([Column::DatabaseId, Column::DurationMs])
                .filter(Column::RunId.eq(run_id))
                .filter(Column::Track.eq(track.to_string()))
                .filter(Column::Outcome.eq(Outcome::Applied.as_str()))
                .into_tuple()
                .all(&self.db)
                .await
                .map_err(|e| self.refused(&e))?;
            durations.extend(rows.into_iter().map(|(id, ms)| (id, ms.unsigned_abs())));
        }
        Ok(durations)
    }

    /// Counts the targets that a run, or those that went on with it, brought forwards; 0 if there is no such run.
    pub async fn applied_in_chain(&self, run_id: &str) -> Result<usize, RegistryError> {
        let mut applied = 0;
        for id in self.chain_of(run_id).await? {
            let counts = self.counts_of(&id).await?;
            applied += counts.get(&Outcome::Applied).copied().unwrap_or(0);
        }
        Ok(usize::try_from(applied).unwrap_or(usize::MAX))
    }
}
