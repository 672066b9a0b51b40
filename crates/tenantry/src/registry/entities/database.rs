//! The rows of `tenantry_databases`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_databases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub tenant_id: String,
    pub product: String,
    pub server_id: String,
    pub name: String,
    pub db_user: Option<String>,
    pub secret: Option<String>,
    pub secret_version: i64,
    pub status: String,
    pub version: Option<i64>,
    pub outcome: Option<String>,
    pub error_code: Option<i32>,
    pub checked_at: Option<i64>,
    pub created_at: i64,
    pub status_before: Option<String>,
    pub drops_at: Option<i64>,
    pub next_secret: Option<String>,
    pub previous_secret: Option<String>,
    pub storage_path: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::server::Entity",
        from = "Column::ServerId",
        to = "super::server::Column::Id"
    )]
    Server,
    #[sea_orm(
        belongs_to = "super::tenant::Entity",
        from = "Column::TenantId",
        to = "super::tenant::Column::Id"
    )]
    Tenant,
}

impl Related<super::server::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Server.def()
    }
}

impl Related<super::tenant::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Tenant.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
