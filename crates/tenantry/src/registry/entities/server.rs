//! The rows of `tenantry_servers`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenantry_servers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub engine: String,
    pub jurisdiction: String,
    pub host: Option<String>,
    pub port: Option<i32>,
    pub folder: Option<String>,
    pub tls_mode: Option<String>,
    pub ca_pem: Option<String>,
    pub insecure_reason: Option<String>,
    pub admin_user: Option<String>,
    pub admin_secret: Option<String>,
    pub admin_secret_version: i64,
    pub max_parallel: Option<i32>,
    pub server_version: Option<String>,
    pub created_at: i64,
    pub direct_host: Option<String>,
    pub direct_port: Option<i32>,
    pub direct_seal: Option<String>,
    pub accepts: Option<String>,
    pub capacity: Option<i32>,
    pub drains_since: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
