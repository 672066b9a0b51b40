//! The rows of `tenantry_audit`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub changed_at: i64,
    pub actor: String,
    pub origin: String,
    pub action: String,
    pub object: String,
    pub name: String,
    pub state_before: Option<String>,
    pub state_after: Option<String>,
    pub reason: Option<String>,
    pub hash: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
