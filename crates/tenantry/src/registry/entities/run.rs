//! The rows of `tenantry_runs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub command: String,
    pub direction: String,
    pub reverts: Option<String>,
    pub goal: Option<String>,
    pub continues: Option<String>,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub status: String,
    pub actor: String,
    pub reason: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub plan: Option<String>,
    pub plan_hash: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub rollout: Option<String>,
    pub concurrency: Option<i32>,
    pub wave: i32,
    pub soaks_until: Option<i64>,
    pub driver: Option<String>,
    pub epoch: i64,
    pub lease_until: i64,
    pub wanted: Option<String>,
    pub cause: Option<String>,
    pub seq: i64,
    pub found_current: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
