//! What an `ALTER` takes away.

use super::created;
use crate::engine::Engine;
use crate::migration::cursor::Cursor;

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
    if engine == Engine::MySql
        && let Some(verb) = cursor.eat_any(&["ENGINE", "MODIFY", "CHANGE", "CONVERT"])
    {
        return converted(cursor, verb);
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

/// What MySQL stores in another way, it may cut or round. Stands behind the verb.
fn converted(mut cursor: Cursor<'_>, verb: &'static str) -> Option<&'static str> {
    match verb {
        "ENGINE" => {
            cursor.eat_symbol(b'=');
            let name = cursor.text_of(cursor.peek()?).trim_matches(['\'', '"', '`']);
            match name.to_ascii_uppercase().as_str() {
                "BLACKHOLE" => Some("ENGINE = BLACKHOLE"),
                "MEMORY" | "HEAP" => Some("ENGINE = MEMORY"),
                _ => None,
            }
        }
        // `CONVERT PARTITION p TO TABLE b` keeps the rows, and utf8mb4 has every character.
        "CONVERT" => {
            let is_set = cursor.eat("TO") && (cursor.eat("CHARSET") || cursor.eat_all(&["CHARACTER", "SET"]));
            cursor.eat_symbol(b'=');
            (is_set && !cursor.at("utf8mb4")).then_some("CONVERT TO CHARACTER SET")
        }
        verb => Some(verb),
    }
}

/// `ALTER [COLUMN] name [SET DATA] TYPE type [USING expression]`, or an attribute of a type. Only a plain `text`
/// keeps every value as it was.
fn retyped(mut cursor: Cursor<'_>) -> Option<&'static str> {
    cursor.eat("COLUMN");
    let mut of_type = cursor.clone();
    of_type.eat("ATTRIBUTE");
    let is_new = |cursor: &mut Cursor<'_>| {
        let is_named = cursor.name().is_some();
        cursor.eat_all(&["SET", "DATA"]);
        is_named && cursor.eat("TYPE")
    };
    if !is_new(&mut cursor) {
        if !is_new(&mut of_type) {
            return None;
        }
        cursor = of_type;
    }
    let is_over = |cursor: &Cursor<'_>| {
        cursor
            .peek()
            .is_none_or(|t| matches!(cursor.text_of(t), "," | ";"))
    };
    if cursor.eat("text") && is_over(&cursor) {
        return None;
    }
    let mut depth = 0_usize;
    while let Some(token) = cursor.bump() {
        match cursor.text_of(token) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            ";" => break,
            "," if depth == 0 => break,
            _ if token.is(cursor.text(), "USING") => return Some("ALTER COLUMN … USING"),
            _ => {}
        }
    }
    Some("ALTER COLUMN … TYPE")
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
