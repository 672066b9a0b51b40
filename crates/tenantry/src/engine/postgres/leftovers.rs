//! What a `REINDEX … CONCURRENTLY` leaves behind when it is cut off.

use super::intent;
use super::outside::{HALF_WAY, remove};
use super::session::Locked;
use crate::engine::text::literal;
use crate::engine::{ApplyError, StateAfter};
use crate::faults::{Point, point};
use crate::migration::postgres_class::Reindexed;

/// How the half-made indexes are found.
#[derive(Debug)]
pub(super) struct Leftovers {
    query: String,
}

/// Indexes that are not valid, have a name as the server makes it of that of another index of the table ("REINDEX":
/// "Rebuilding Indexes Concurrently"), and that nobody works on: a rebuild keeps its lock on them from first to last.
const HALF_MADE: &str = "SELECT pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname) \
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname <> 'pg_toast' \
 AND EXISTS (SELECT FROM pg_catalog.pg_index o JOIN pg_catalog.pg_class oc ON oc.oid = o.indexrelid \
 WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND pg_catalog.starts_with(oc.relname::text, \
 pg_catalog.regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', ''))) \
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.relation = i.indexrelid \
 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) \
 AND l.mode = 'ShareUpdateExclusiveLock')";

impl Leftovers {
    /// Returns where to look after what was to be made anew.
    pub(super) fn of(what: &Reindexed) -> Self {
        let table = match what {
            Reindexed::Index(index) => format!(
                "(SELECT x.indrelid FROM pg_catalog.pg_index x WHERE x.indexrelid = pg_catalog.to_regclass({}))",
                literal(index)
            ),
            Reindexed::Table(table) => format!("pg_catalog.to_regclass({})", literal(table)),
            Reindexed::Many => {
                return Self {
                    query: format!("{HALF_MADE} LIMIT 1"),
                };
            }
        };
        // What is partitioned is made anew partition by partition.
        let query = format!(
            "{HALF_MADE} AND (i.indrelid = {table} \
             OR i.indrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree({table}))) LIMIT 1"
        );
        Self { query }
    }

    /// Returns whether there are any now. Writes nothing.
    pub(super) async fn are_there(&self, session: &mut Locked) -> Result<bool, ApplyError> {
        Ok(self.next(session, StateAfter::RolledBack).await?.is_some())
    }

    /// Removes them one after the other, and returns how many there were. There was none before our first attempt; that
    /// somebody else left one since cannot be told, and it is as much in the way.
    pub(super) async fn remove(&self, session: &mut Locked) -> Result<usize, ApplyError> {
        let mut removed = 0;
        while let Some(statement) = self.next(session, HALF_WAY).await? {
            remove(session, &statement).await?;
            removed += 1;
            point(Point::PostgresHalfMadeRemoved);
        }
        Ok(removed)
    }

    /// Returns the statement that removes one of them; `None` if there is none.
    async fn next(&self, session: &mut Locked, state: StateAfter) -> Result<Option<String>, ApplyError> {
        let found = session.connection.first_row(&self.query).await;
        let found = found.map_err(|failure| intent::own(&session.connection, failure, state))?;
        Ok(found.into_iter().flatten().flatten().next())
    }
}
