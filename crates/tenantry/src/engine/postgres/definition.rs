//! Whether an index that stands there is the one that a statement defines.

use super::intent;
use super::outside::HALF_WAY;
use super::session::{Locked, roll_back};
use crate::engine::ApplyError;
use crate::migration::postgres_class::{Class, IndexKind};

/// How an index compares with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Defined {
    /// It is that index; also said of what is no index.
    Alike,
    /// It is another one, or the two cannot be compared; its definition as the server writes it.
    Otherwise(String),
}

/// Compares an index with the one that a statement of this class makes, as the server itself writes both down: it is
/// made once more on an empty table of the same columns, in a transaction that is rolled back. Nothing stays.
pub(super) async fn compare(session: &mut Locked, class: &Class, id: &str) -> Result<Defined, ApplyError> {
    let Class::CreateIndex {
        table,
        definition,
        kind,
        ..
    } = class
    else {
        return Ok(Defined::Alike);
    };
    let unique = match kind {
        IndexKind::Plain => "",
        IndexKind::Unique => "UNIQUE",
    };
    let connection = &mut session.connection;
    let there = format!("SELECT pg_catalog.pg_get_indexdef({id}::pg_catalog.oid)");
    let there = connection.first_row(&there).await;
    let there = there.map_err(|failure| intent::own(connection, failure, HALF_WAY))?;
    let there = there.into_iter().flatten().flatten().next().unwrap_or_default();
    let again = format!(
        "BEGIN;\nCREATE TEMPORARY TABLE _tenantry_like (LIKE {table}) ON COMMIT DROP;\n\
         CREATE {unique} INDEX _tenantry_like_index ON pg_temp._tenantry_like {definition};\n\
         SELECT pg_catalog.pg_get_indexdef(pg_catalog.to_regclass('pg_temp._tenantry_like_index'))"
    );
    let made = connection.first_row(&again).await;
    let rolled_back = roll_back(connection).await;
    rolled_back.map_err(|source| ApplyError::Session {
        commit_sent: false,
        source,
    })?;
    // What is refused cannot be compared: somebody has to look.
    let made = made.ok().into_iter().flatten().flatten().flatten().next();
    Ok(match made {
        Some(made) if essence(&made) == essence(&there) => Defined::Alike,
        Some(_) | None => Defined::Otherwise(there),
    })
}

/// Returns whether an index is unique, and what the server writes behind the names of index and table.
fn essence(definition: &str) -> (bool, &str) {
    let (head, tail) = definition.split_once(" USING ").unwrap_or((definition, ""));
    (head.starts_with("CREATE UNIQUE "), tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_count_and_the_rest_does() {
        let one = "CREATE INDEX a ON public.t USING btree (n)";
        assert_eq!(
            essence(one),
            essence("CREATE INDEX b ON pg_temp_3.x USING btree (n)")
        );
        assert_ne!(
            essence(one),
            essence("CREATE UNIQUE INDEX a ON public.t USING btree (n)")
        );
        assert_ne!(
            essence(one),
            essence("CREATE INDEX a ON public.t USING btree (n) WHERE (n > 0)")
        );
    }
}
