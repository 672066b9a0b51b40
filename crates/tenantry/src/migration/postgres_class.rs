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
    /// It may run again whatever became of it.
    Repeatable,
    /// What became of it cannot be seen.
    Opaque,
}

/// Returns the class of a statement; what is not recognised is [`Class::Opaque`].
pub(crate) fn classify(statement: &str) -> Class {
    let cursor = Cursor::new(statement, Engine::Postgres);
    if is_repeatable(cursor.clone()) {
        return Class::Repeatable;
    }
    create_index(cursor.clone())
        .or_else(|| drop_index(cursor.clone()))
        .or_else(|| add_label(cursor))
        .unwrap_or(Class::Opaque)
}

/// Returns whether a statement works beside readers and writers, so that its waiting for a lock keeps
/// nobody from working.
///
/// `REFRESH MATERIALIZED VIEW CONCURRENTLY` is none: its EXCLUSIVE lock stops writers ("Explicit Locking").
pub(crate) fn is_concurrent(statement: &str) -> bool {
    let mut cursor = Cursor::new(statement, Engine::Postgres);
    if cursor.at("REFRESH") {
        return false;
    }
    while let Some(token) = cursor.bump() {
        if token.is(statement, "CONCURRENTLY") {
            return true;
        }
    }
    false
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
    cursor.eat("UNIQUE");
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
    Some(Class::CreateIndex { name, table })
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
        let index = |name: &str, table: &str| Class::CreateIndex {
            name: name.to_owned(),
            table: table.to_owned(),
        };
        check("CREATE INDEX CONCURRENTLY a ON t (n)", &index("a", "t"));
        check(
            "create /* x */ unique index concurrently \"A b\" -- y\n on only s . \"T\" using btree (n)",
            &index("\"A b\"", "s.\"T\""),
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
        check("REINDEX INDEX CONCURRENTLY a", &Class::Repeatable);
        check("ALTER SYSTEM SET work_mem = '8MB'", &Class::Repeatable);
        check("INSERT INTO t VALUES (1)", &Class::Opaque);
    }

    #[test]
    fn only_what_lets_others_work_waits_without_end() {
        assert!(is_concurrent("CREATE INDEX CONCURRENTLY a ON t (n)"));
        assert!(is_concurrent("REINDEX (CONCURRENTLY) TABLE t"));
        assert!(!is_concurrent("REFRESH MATERIALIZED VIEW CONCURRENTLY v"));
        assert!(!is_concurrent("VACUUM t -- CONCURRENTLY"));
    }
}
