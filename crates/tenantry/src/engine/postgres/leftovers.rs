//! What a `REINDEX … CONCURRENTLY` leaves behind when it is cut off.

use super::intent;
use super::outside::{HALF_WAY, remove};
use super::session::Locked;
use crate::engine::ApplyError;
use crate::engine::text::literal;
use crate::migration::postgres_class::Reindexed;

/// How the half-made indexes are found.
#[derive(Debug)]
pub(super) struct Leftovers {
    query: String,
}

/// Indexes that are not valid and have a name as the server gives them for this ("REINDEX": "Rebuilding Indexes
/// Concurrently").
const HALF_MADE: &str = "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname) \
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname <> 'pg_toast'";

impl Leftovers {
    /// Returns where to look after what was to be made anew.
    pub(super) fn of(what: &Reindexed) -> Self {
        let query = match what {
            Reindexed::Index(index) => format!(
                "{HALF_MADE} AND i.indrelid = (SELECT x.indrelid FROM pg_catalog.pg_index x \
                 WHERE x.indexrelid = pg_catalog.to_regclass({})) LIMIT 1",
                literal(index)
            ),
            Reindexed::Table(table) => format!(
                "{HALF_MADE} AND (i.indrelid = pg_catalog.to_regclass({table}) OR i.indrelid IN \
                 (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass({table})))) LIMIT 1",
                table = literal(table)
            ),
            Reindexed::Many => format!("{HALF_MADE} LIMIT 1"),
        };
        Self { query }
    }

    /// Removes them one after the other. What stands there was left by an attempt of ours that is over: the server
    /// lets nobody drop what another session still works on.
    pub(super) async fn remove(&self, session: &mut Locked) -> Result<(), ApplyError> {
        loop {
            let found = session.connection.first_row(&self.query).await;
            let found = found.map_err(|failure| intent::own(&session.connection, failure, HALF_WAY))?;
            let Some(statement) = found.into_iter().flatten().flatten().next() else {
                return Ok(());
            };
            remove(session, &statement).await?;
        }
    }
}
