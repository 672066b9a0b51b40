//! What a PostgreSQL statement outside a transaction is: how its effect is seen after an interruption.

use super::cursor::Cursor;
use super::split::Kind;
use crate::engine::Engine;

/// The class of a statement. Names are kept as they stand in the statement, quotes and schema included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `CREATE [UNIQUE] INDEX [CONCURRENTLY] name ON table`.
    CreateIndex {
        /// The index; never with a schema, because it lies in its table's.
        name: String,
        /// Its table.
        table: String,
        /// What follows the table: method, columns, and what else defines it.
        definition: String,
        /// Whether no two rows may have the same values.
        kind: IndexKind,
    },
    /// `DROP INDEX [CONCURRENTLY] name`.
    DropIndex {
        /// The index.
        name: String,
    },
    /// `ALTER TYPE name ADD VALUE 'label'`.
    AddLabel {
        /// The enum type.
        of: String,
        /// The label, as an SQL string.
        label: String,
    },
    /// `ALTER TABLE table DETACH PARTITION partition CONCURRENTLY`.
    Detach {
        /// The partitioned table.
        table: String,
        /// What leaves it.
        partition: String,
    },
    /// `REINDEX … CONCURRENTLY`: it may run again, and leaves half-made indexes behind when it is cut off.
    Reindex(Reindexed),
    /// It may run again whatever became of it.
    Repeatable,
    /// What became of it cannot be seen.
    Opaque,
}

/// Whether an index lets two rows have the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexKind {
    /// It does.
    Plain,
    /// It does not.
    Unique,
}

/// What a `REINDEX … CONCURRENTLY` makes anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reindexed {
    /// One index.
    Index(String),
    /// The indexes of a table.
    Table(String),
    /// Those of a schema or of the database.
    Many,
}

/// Returns the class of a statement; what is not recognised is [`Class::Opaque`].
pub(crate) fn classify(statement: &str) -> Class {
    let cursor = Cursor::new(statement, Engine::Postgres);
    if let Some(what) = reindex_concurrently(cursor.clone()) {
        return Class::Reindex(what);
    }
    if is_repeatable(cursor.clone()) {
        return Class::Repeatable;
    }
    create_index(cursor.clone())
        .or_else(|| drop_index(cursor.clone()))
        .or_else(|| detach(cursor.clone()))
        .or_else(|| add_label(cursor))
        .unwrap_or(Class::Opaque)
}

/// Returns whether a statement works beside readers and writers, so that its waiting for a lock keeps
/// nobody from working.
///
/// `REFRESH MATERIALIZED VIEW CONCURRENTLY` is none: its EXCLUSIVE lock stops writers ("Explicit Locking"). Nor is
/// `DETACH PARTITION … CONCURRENTLY`, which ends with an ACCESS EXCLUSIVE lock on the partition ("ALTER TABLE").
pub(crate) fn is_concurrent(statement: &str) -> bool {
    let cursor = Cursor::new(statement, Engine::Postgres);
    cursor.at_any(&["CREATE", "DROP", "REINDEX"]).is_some() && says_concurrently(cursor)
}

fn says_concurrently(mut cursor: Cursor<'_>) -> bool {
    let text = cursor.text();
    while let Some(token) = cursor.bump() {
        if token.is(text, "CONCURRENTLY") {
            return true;
        }
    }
    false
}

/// Returns whether a statement alone is one transaction, so that an error of it means that it did nothing.
///
/// None are those that the manual calls so ("cannot be executed inside a transaction block"), and whatever may hold
/// a procedure that commits.
pub(crate) fn is_one_transaction(statement: &str) -> bool {
    const ROWS: [&str; 10] = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TRUNCATE", "COMMENT", "GRANT", "REVOKE",
    ];
    const OUTSIDE: [&str; 5] = ["DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM", "SERVER"];
    let mut cursor = Cursor::new(statement, Engine::Postgres);
    if cursor.at_any(&ROWS).is_some() {
        return true;
    }
    cursor.eat_any(&["CREATE", "ALTER", "DROP"]).is_some()
        && cursor.at_any(&OUTSIDE).is_none()
        && !says_concurrently(cursor)
}

fn reindex_concurrently(mut cursor: Cursor<'_>) -> Option<Reindexed> {
    if !says_concurrently(cursor.clone()) || !cursor.eat("REINDEX") {
        return None;
    }
    // The word may stand in parentheses among others, or behind what is made anew.
    let what = ["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"];
    while cursor.at_any(&what).is_none() {
        cursor.bump()?;
    }
    let what = cursor.eat_any(&what);
    cursor.eat("CONCURRENTLY");
    match what {
        Some("INDEX") => written(&mut cursor).map(Reindexed::Index),
        Some("TABLE") => written(&mut cursor).map(Reindexed::Table),
        _ => Some(Reindexed::Many),
    }
}

fn detach(mut cursor: Cursor<'_>) -> Option<Class> {
    if !cursor.eat_all(&["ALTER", "TABLE"]) {
        return None;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    let table = written(&mut cursor)?;
    if !cursor.eat_all(&["DETACH", "PARTITION"]) {
        return None;
    }
    let partition = written(&mut cursor)?;
    let is_concurrent = cursor.eat("CONCURRENTLY") && cursor.peek().is_none();
    is_concurrent.then_some(Class::Detach { table, partition })
}

fn is_repeatable(mut cursor: Cursor<'_>) -> bool {
    const AGAIN: [&str; 4] = ["VACUUM", "ANALYZE", "CLUSTER", "REINDEX"];
    cursor.at_any(&AGAIN).is_some()
        || cursor.eat_all(&["ALTER", "SYSTEM"])
        || cursor.eat_all(&["REFRESH", "MATERIALIZED", "VIEW"])
}

fn create_index(mut cursor: Cursor<'_>) -> Option<Class> {
    if !cursor.eat("CREATE") {
        return None;
    }
    let kind = if cursor.eat("UNIQUE") {
        IndexKind::Unique
    } else {
        IndexKind::Plain
    };
    if !cursor.eat("INDEX") {
        return None;
    }
    cursor.eat("CONCURRENTLY");
    // Without a name the server makes one up, and nobody knows later which it was.
    if cursor.at("ON") {
        return None;
    }
    let name = written(&mut cursor)?;
    if !cursor.eat("ON") {
        return None;
    }
    cursor.eat("ONLY");
    let table = written(&mut cursor)?;
    let start = cursor
        .peek()
        .map_or(cursor.text().len(), |token| token.start as usize);
    let definition = cursor.text().get(start..)?.to_owned();
    Some(Class::CreateIndex {
        name,
        table,
        definition,
        kind,
    })
}

fn drop_index(mut cursor: Cursor<'_>) -> Option<Class> {
    if !cursor.eat_all(&["DROP", "INDEX"]) {
        return None;
    }
    cursor.eat("CONCURRENTLY");
    cursor.eat_all(&["IF", "EXISTS"]);
    let name = written(&mut cursor)?;
    cursor.eat_any(&["CASCADE", "RESTRICT"]);
    cursor.peek().is_none().then_some(Class::DropIndex { name })
}

fn add_label(mut cursor: Cursor<'_>) -> Option<Class> {
    if !cursor.eat_all(&["ALTER", "TYPE"]) {
        return None;
    }
    let of = written(&mut cursor)?;
    if !cursor.eat_all(&["ADD", "VALUE"]) {
        return None;
    }
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    let token = cursor.peek().filter(|token| token.kind == Kind::Text)?;
    let label = cursor.text_of(token).to_owned();
    Some(Class::AddLabel { of, label })
}

/// Steps over a name with what is before it, and returns it as it is written.
fn written(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut parts = Vec::new();
    loop {
        let token = cursor.peek()?;
        cursor.name()?;
        parts.push(cursor.text_of(token));
        if !cursor.eat_symbol(b'.') {
            return Some(parts.join("."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expect: &Class) {
        assert_eq!(classify(statement), *expect, "{statement}");
    }

    #[test]
    fn an_index_is_found_behind_comments_and_quotes() {
        check(
            "CREATE INDEX CONCURRENTLY a ON t (n)",
            &Class::CreateIndex {
                name: "a".to_owned(),
                table: "t".to_owned(),
                definition: "(n)".to_owned(),
                kind: IndexKind::Plain,
            },
        );
        check(
            "create /* x */ unique index concurrently \"A b\" -- y\n on only s . \"T\" using btree (n)",
            &Class::CreateIndex {
                name: "\"A b\"".to_owned(),
                table: "s.\"T\"".to_owned(),
                definition: "using btree (n)".to_owned(),
                kind: IndexKind::Unique,
            },
        );
        check("CREATE INDEX CONCURRENTLY ON t (n)", &Class::Opaque);
        check("CREATE INDEX CONCURRENTLY U&\"a\" ON t (n)", &Class::Opaque);
        check(
            "DROP INDEX CONCURRENTLY IF EXISTS s.a RESTRICT",
            &Class::DropIndex {
                name: "s.a".to_owned(),
            },
        );
        check("DROP INDEX a, b", &Class::Opaque);
    }

    #[test]
    fn what_is_not_known_is_opaque() {
        check(
            "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s' BEFORE 'sad'",
            &Class::AddLabel {
                of: "mood".to_owned(),
                label: "'it''s'".to_owned(),
            },
        );
        check("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", &Class::Opaque);
        check("VACUUM (ANALYZE) t", &Class::Repeatable);
        check("REINDEX INDEX a", &Class::Repeatable);
        check(
            "REINDEX INDEX CONCURRENTLY a",
            &Class::Reindex(Reindexed::Index("a".to_owned())),
        );
        check(
            "REINDEX (VERBOSE, CONCURRENTLY) TABLE s.t",
            &Class::Reindex(Reindexed::Table("s.t".to_owned())),
        );
        check("REINDEX SCHEMA CONCURRENTLY s", &Class::Reindex(Reindexed::Many));
        check(
            "ALTER TABLE IF EXISTS p DETACH PARTITION s.q CONCURRENTLY",
            &Class::Detach {
                table: "p".to_owned(),
                partition: "s.q".to_owned(),
            },
        );
        check("ALTER TABLE p DETACH PARTITION q", &Class::Opaque);
        check("ALTER SYSTEM SET work_mem = '8MB'", &Class::Repeatable);
        check("INSERT INTO t VALUES (1)", &Class::Opaque);
    }

    #[test]
    fn only_what_lets_others_work_waits_without_end() {
        assert!(is_concurrent("CREATE INDEX CONCURRENTLY a ON t (n)"));
        assert!(is_concurrent("REINDEX (CONCURRENTLY) TABLE t"));
        assert!(!is_concurrent("REFRESH MATERIALIZED VIEW CONCURRENTLY v"));
        assert!(!is_concurrent("ALTER TABLE p DETACH PARTITION q CONCURRENTLY"));
        assert!(!is_concurrent("VACUUM t -- CONCURRENTLY"));
    }

    #[test]
    fn an_error_of_one_transaction_means_that_it_did_nothing() {
        for one in [
            "INSERT INTO t SELECT f()",
            "ALTER TABLE t ADD COLUMN b int",
            "DROP INDEX a",
        ] {
            assert!(is_one_transaction(one), "{one}");
        }
        for other in [
            "CALL p()",
            "DO 'x'",
            "DROP INDEX CONCURRENTLY a",
            "ALTER TABLE p DETACH PARTITION q CONCURRENTLY",
            "CREATE DATABASE d",
            "ALTER SYSTEM SET a = 1",
            "VACUUM t",
        ] {
            assert!(!is_one_transaction(other), "{other}");
        }
    }
}
