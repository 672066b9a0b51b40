//! The rows of `tenantry_mark_targets`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_mark_targets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub mark_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub database_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub track: String,
    pub label: String,
    pub changed: Option<i32>,
    pub error_code: Option<i32>,
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
