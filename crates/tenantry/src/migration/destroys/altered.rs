//! What an `ALTER` takes away.

use super::created;
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};

/// Looks at the first words of every action of an `ALTER TABLE`, or of a PostgreSQL type that tables are made
/// of.
pub(super) fn altered(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    cursor.eat("ONLINE");
    // Rows that a new key finds twice are taken away without a word.
    if cursor.eat_all(&["IGNORE", "TABLE"]) {
        return Some("ALTER IGNORE TABLE");
    }
    cursor.eat("FOREIGN");
    match cursor.eat_any(&["TABLE", "TYPE", "EVENT"])? {
        "EVENT" => return created::scheduled(cursor, engine),
        "TYPE" if engine != Engine::Postgres => return None,
        _ => {}
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    cursor.qualified()?;
    cursor.eat_symbol(b'*');
    // MariaDB: how long to wait for the table.
    if cursor.eat("WAIT") {
        cursor.bump();
    }
    cursor.eat("NOWAIT");
    loop {
        if let Some(word) = action(cursor.clone(), engine) {
            return Some(word);
        }
        to_next_action(&mut cursor)?;
    }
}

/// Whether every action of an `ALTER TABLE` begins with a word that loses nothing. Stands behind the verb.
pub(super) fn only_adds(mut cursor: Cursor<'_>) -> bool {
    const KEPT: [&str; 6] = ["ADD", "RENAME", "OWNER", "ENABLE", "DISABLE", "VALIDATE"];
    if !cursor.eat("TABLE") {
        return false;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    if cursor.qualified().is_none() {
        return false;
    }
    loop {
        let drops_rule = cursor.clone().eat_all(&["DROP", "CONSTRAINT"]);
        if !drops_rule && cursor.at_any(&KEPT).is_none() {
            return false;
        }
        if to_next_action(&mut cursor).is_none() {
            return true;
        }
    }
}

fn action(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    const KEPT: [&str; 6] = ["INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "PERIOD"];
    if cursor.eat("ALTER") {
        return retyped(cursor);
    }
    if engine == Engine::MySql && cursor.eat("ENGINE") {
        cursor.eat_symbol(b'=');
        return cursor.at("BLACKHOLE").then_some("ENGINE = BLACKHOLE");
    }
    let verb = cursor.eat_any(&["DROP", "TRUNCATE", "DISCARD"])?;
    if verb == "DISCARD" {
        return (engine == Engine::MySql).then_some("DISCARD TABLESPACE");
    }
    if cursor.at("PARTITION") && engine == Engine::MySql {
        return Some(if verb == "DROP" {
            "DROP PARTITION"
        } else {
            "TRUNCATE"
        });
    }
    if cursor.at("ATTRIBUTE") && engine == Engine::Postgres {
        return Some("DROP ATTRIBUTE");
    }
    let kept = cursor.at("CONSTRAINT") || (engine == Engine::MySql && cursor.at_any(&KEPT).is_some());
    (verb == "DROP" && !kept).then_some("DROP COLUMN")
}

/// `ALTER [COLUMN] name [SET DATA] TYPE type USING expression` without the column in the expression.
fn retyped(mut cursor: Cursor<'_>) -> Option<&'static str> {
    cursor.eat("COLUMN");
    let column = cursor.name()?;
    cursor.eat_all(&["SET", "DATA"]);
    if !cursor.eat("TYPE") {
        return None;
    }
    let mut using = false;
    let mut depth = 0_usize;
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            ";" => break,
            "," if depth == 0 => break,
            _ if using
                && unquoted(token, cursor.text()).is_some_and(|name| name.eq_ignore_ascii_case(&column)) =>
            {
                return None;
            }
            _ => using |= token.is(cursor.text(), "USING"),
        }
    }
    using.then_some("ALTER COLUMN … USING")
}

/// Steps over the next comma outside parentheses; `None` if there is no more.
fn to_next_action(cursor: &mut Cursor<'_>) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        let token = cursor.bump()?;
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => return Some(()),
            // In a body the next statement begins here.
            ";" => return None,
            _ => {}
        }
    }
}
