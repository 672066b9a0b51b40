//! Whether a run backwards may be what is to be finished first: asked often, and nearly always no.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::entities::{run, run_target};
use super::{Registry, RegistryError};
use crate::direction::Direction;
use crate::run::Outcome;

impl Registry {
    /// Returns whether any run backwards left a target over, be it settled by now or not. Where none did,
    /// [`Self::left_over_before`] tells of none either, which reads every target of a run for it.
    pub async fn has_unfinished_way_back(&self) -> Result<bool, RegistryError> {
        use run_target::Column;
        let done = [Outcome::Applied, Outcome::Current, Outcome::Skipped].map(Outcome::as_str);
        let left = Query::select()
            .expr(Expr::val(1))
            .from(run_target::Entity)
            .and_where(Expr::col((run_target::Entity, Column::RunId)).equals((run::Entity, run::Column::Id)))
            .and_where(Column::Outcome.is_not_in(done))
            .take();
        let found: Option<String> = run::Entity::find()
            .select_only()
            .column(run::Column::Id)
            .filter(run::Column::Direction.eq(Direction::Down.to_string()))
            .filter(Expr::exists(left))
            .limit(1)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(found.is_some())
    }
}
