//! Where runs are among their waves, so that whoever takes one up neither waits nor asks twice.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};
use std::time::Duration;

use super::entities::run;
use super::{Registry, RegistryError};
use crate::run::{RunStatus, Stage};

impl Registry {
    /// Returns where a run is among its waves, by the registry's clock; at its beginning if there is no such run. One that
    /// waits at a gate is in the wave behind it. Writes nothing.
    pub async fn stage_of(&self, run_id: &str) -> Result<Stage, RegistryError> {
        match self.run_row(run_id).await? {
            Some(row) => self.stage_in(&row).await,
            None => Ok(Stage::default()),
        }
    }

    /// The same as people see it: a run that waits at a gate has come to the end of the wave before it.
    pub async fn reached_stage_of(&self, run_id: &str) -> Result<Stage, RegistryError> {
        let Some(row) = self.run_row(run_id).await? else {
            return Ok(Stage::default());
        };
        let stage = self.stage_in(&row).await?;
        let is_paused = row.status == RunStatus::Paused.as_str();
        Ok(match row.cause.as_deref() {
            Some("gate") if is_paused => Stage {
                wave: stage.wave.saturating_sub(1),
                soak: Some(Duration::ZERO),
            },
            Some(_) | None => stage,
        })
    }

    async fn run_row(&self, run_id: &str) -> Result<Option<run::Model>, RegistryError> {
        let row = run::Entity::find_by_id(run_id).one(&self.db).await;
        row.map_err(|e| self.refused(&e))
    }

    async fn stage_in(&self, row: &run::Model) -> Result<Stage, RegistryError> {
        let soak = match row.soaks_until {
            Some(until) => Some((until - self.clock(&self.db).await?).max(0)),
            None => None,
        };
        Ok(Stage {
            wave: usize::try_from(row.wave).unwrap_or(0),
            soak: soak.map(|left| Duration::from_micros(left.unsigned_abs())),
        })
    }

    /// Ends what is waited for behind the wave of a run, if something is, under its lock.
    pub(super) async fn end_soak(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
    ) -> Result<(), RegistryError> {
        let now = self.clock(db).await?;
        let update = run::Entity::update_many()
            .col_expr(run::Column::SoaksUntil, Expr::value(now))
            .filter(run::Column::Id.eq(run_id))
            .filter(run::Column::SoaksUntil.gt(now));
        update.exec(db).await.map_err(|e| self.refused(&e))?;
        Ok(())
    }

    /// Writes where a run is among its waves, under its lock; nothing if that is not known.
    pub(super) async fn write_stage(
        &self,
        db: &impl ConnectionTrait,
        run_id: &str,
        stage: Option<Stage>,
    ) -> Result<(), RegistryError> {
        let Some(stage) = stage else { return Ok(()) };
        let until = match stage.soak {
            Some(soak) => {
                let soak = i64::try_from(soak.as_micros()).unwrap_or(i64::MAX);
                Some(self.clock(db).await?.saturating_add(soak))
            }
            None => None,
        };
        let wave = i32::try_from(stage.wave).unwrap_or(i32::MAX);
        let update = run::Entity::update_many()
            .col_expr(run::Column::Wave, Expr::value(wave))
            .col_expr(run::Column::SoaksUntil, Expr::value(until))
            .filter(run::Column::Id.eq(run_id));
        update.exec(db).await.map_err(|e| self.refused(&e))?;
        Ok(())
    }
}
