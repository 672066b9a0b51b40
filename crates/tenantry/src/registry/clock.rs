//! The registry's own clock: the only one that leases go by.

use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::engine::Engine;

/// Returns the time in microseconds since 1970-01-01 UTC by the clock of the central database's server; on SQLite by
/// this machine's, in whole milliseconds.
pub(super) async fn now(db: &impl ConnectionTrait, engine: Engine) -> Result<i64, DbErr> {
    let sql = match engine {
        Engine::Postgres => "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now",
        Engine::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED) AS now",
        Engine::Sqlite => {
            "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 AS now"
        }
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get("", "now"))
}
