//! The rows of `tenantry_run_targets`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_run_targets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub database_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub track: String,
    pub label: String,
    pub outcome: String,
    pub from_version: Option<i64>,
    pub to_version: Option<i64>,
    pub migrations: i32,
    pub error_code: Option<i32>,
    pub error: Option<String>,
    pub duration_ms: i64,
    pub server: Option<String>,
    pub wave: i32,
    pub state: String,
    pub attempts: i32,
    pub epoch: i64,
    pub seq: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub goal: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
