//! What can be seen in the catalogs of a statement that runs outside a transaction.

use sha2::{Digest as _, Sha256};

use super::connect::Connection;
use super::error::Failure;
use crate::engine::text::literal;
use crate::faults::{Seed, is_seeded};
use crate::history::Applied;
use crate::migration::postgres_class::Class;

/// How the effect of a statement is looked for.
#[derive(Debug)]
pub(super) struct Sight {
    /// Names the object in a fingerprint: the same text for the same object.
    key: String,
    /// A query for the object: its id, whether it is whole, and what removes it if it is not.
    look: String,
    /// What is there once the statement took effect.
    pub(super) wanted: Wanted,
}

/// What is there once a statement took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The object, whole.
    There,
    /// No such object.
    Gone,
}

/// An object as the catalogs show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its object id.
    pub(super) id: String,
    /// For an index: whether it is valid and ready. For a partition: whether it has not begun to leave.
    pub(super) whole: bool,
    /// The statement that removes what is half made, or finishes its going; `None` if nothing can be half made.
    pub(super) removal: Option<String>,
}

impl Sight {
    /// Returns how the effect of a statement of this class is seen; `None` if it cannot be.
    pub(super) fn of(class: &Class) -> Option<Self> {
        let (about, look, wanted) = match class {
            Class::CreateIndex { name, table, .. } => (
                format!("{table} {name}"),
                look_for_made(name, table),
                Wanted::There,
            ),
            Class::DropIndex { name } => (name.clone(), look_for_named(name), Wanted::Gone),
            Class::AddLabel { of, label } => {
                (format!("{of} {label}"), look_for_label(of, label), Wanted::There)
            }
            Class::Detach { table, partition } => (
                format!("{table} {partition}"),
                look_for_partition(table, partition),
                Wanted::Gone,
            ),
            Class::Reindex(_) | Class::Repeatable | Class::Opaque => return None,
        };
        let digest = hex::encode(Sha256::digest(about));
        Some(Self {
            key: digest.get(..16).unwrap_or_default().to_owned(),
            look,
            wanted,
        })
    }

    /// Looks for the object now; `None` if there is none. Writes nothing.
    pub(super) async fn look(&self, connection: &mut Connection) -> Result<Option<Seen>, Failure> {
        let row = connection.first_row(&self.look).await?;
        Ok(row.map(|columns| {
            let mut columns = columns.into_iter();
            Seen {
                id: columns.next().flatten().unwrap_or_default(),
                whole: columns.next().flatten().as_deref() == Some("t"),
                removal: columns.next().flatten(),
            }
        }))
    }

    /// Returns whether what is seen is what the finished statement leaves.
    pub(super) fn is_done(&self, seen: Option<&Seen>) -> bool {
        match self.wanted {
            Wanted::There => {
                seen.is_some_and(|seen| seen.whole || is_seeded(Seed::PostgresInvalidIndexAdopted))
            }
            Wanted::Gone => seen.is_none(),
        }
    }

    /// Returns the fingerprint that an intent carries: which object, and which id it had before.
    pub(super) fn fingerprint(&self, before: Option<&Seen>) -> String {
        format!("{}:{}", self.key, before.map_or("none", |seen| &seen.id))
    }

    /// Returns whether what is seen now is the work of the interrupted attempt: it was about this object,
    /// and found it otherwise. An index that was there before is somebody's, never adopted, never dropped.
    pub(super) fn is_work_of(&self, attempt: &Applied, now: Option<&Seen>) -> bool {
        let before = attempt.pre_fp.as_deref().unwrap_or_default();
        self.names(attempt) && !before.starts_with(&format!("{}:", self.fingerprint(now)))
    }

    /// Returns whether an interrupted attempt was about this object.
    pub(super) fn names(&self, attempt: &Applied) -> bool {
        let before = attempt.pre_fp.as_deref().unwrap_or_default();
        before.starts_with(&format!("{}:", self.key))
    }
}

fn look_for_made(name: &str, table: &str) -> String {
    format!(
        "{INDEX} WHERE i.indrelid = pg_catalog.to_regclass({table}) \
         AND c.relname = (pg_catalog.parse_ident({name}))[1]::pg_catalog.name",
        table = literal(table),
        name = literal(name),
    )
}

fn look_for_named(name: &str) -> String {
    format!("{INDEX} WHERE c.oid = pg_catalog.to_regclass({})", literal(name))
}

const INDEX: &str = "SELECT c.oid, i.indisvalid AND i.indisready, \
 pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname) \
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// A partition that has begun to leave is another one than before.
fn look_for_partition(table: &str, partition: &str) -> String {
    format!(
        "SELECT pg_catalog.concat(i.inhrelid, CASE WHEN i.inhdetachpending THEN 'p' END), NOT i.inhdetachpending, \
         CASE WHEN i.inhdetachpending THEN pg_catalog.format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', \
         i.inhparent::pg_catalog.regclass, i.inhrelid::pg_catalog.regclass) END FROM pg_catalog.pg_inherits i \
         WHERE i.inhparent = pg_catalog.to_regclass({}) AND i.inhrelid = pg_catalog.to_regclass({})",
        literal(table),
        literal(partition),
    )
}

/// `label` is an SQL string already.
fn look_for_label(of: &str, label: &str) -> String {
    format!(
        "SELECT e.oid, true, NULL FROM pg_catalog.pg_enum e \
         WHERE e.enumtypid = pg_catalog.to_regtype({}) AND e.enumlabel = {label}",
        literal(of)
    )
}
