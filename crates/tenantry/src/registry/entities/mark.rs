//! The rows of `tenantry_marks`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_marks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub command: String,
    pub says: String,
    pub version: i64,
    pub statement: Option<i32>,
    pub evidence: Option<String>,
    pub reason: String,
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub actor: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
