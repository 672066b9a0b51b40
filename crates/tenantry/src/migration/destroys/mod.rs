//! Which statements of a script take data away for good: their rollback must be confirmed by hand.

mod altered;
mod body;
mod created;
mod executed;
mod quoted;
mod routine;
#[cfg(test)]
mod tests;
mod told;
mod update;
mod value;

use std::fmt;

use self::routine::Routine;
use super::cursor::Cursor;
use super::script::Script;
use crate::engine::Engine;

/// A statement that takes data away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destruction {
    /// Its index in the script.
    pub statement: usize,
    /// What it does, in SQL's words: `DROP TABLE`.
    pub word: &'static str,
    /// The body that the statement makes, if it stands in one: `function undo`. It is run later, or never.
    pub body: Option<String>,
}

impl fmt::Display for Destruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Some(body) => write!(f, "{} in {body}", self.word),
            None => f.write_str(self.word),
        }
    }
}

/// Returns the statements that drop tables, columns, schemas or databases, delete or replace rows, or forget
/// what a column held, and those that may: `CALL`, `CASCADE`, and whatever runs a text that cannot be seen.
///
/// A column's values are forgotten by an `UPDATE` that sets it to NULL, to its default or to an empty text, or, in
/// every row, to what is made of no column; not if its WHERE says what was there (`x = …`, `x IN …`). A new type
/// may forget them. `DO` blocks, the statements of conditions and loops, and the strings that are executed are
/// looked into, and so is the body of a function, procedure, trigger, rule or event that a statement makes. Text
/// that is put together and run counts as `EXECUTE`.
///
/// Not seen: what a function or trigger does that is there already, and what an expression loses that does name
/// a column (`left(x, 3)`).
pub fn destroys_data(script: &Script, engine: Engine) -> Vec<Destruction> {
    let texts = (0..script.statements.len()).map(|index| (index, script.statement(index)));
    texts
        .filter_map(|(statement, text)| {
            let word = told(Cursor::new(text, engine), engine)?;
            let body = body_of(text, engine);
            Some(Destruction {
                statement,
                word,
                body,
            })
        })
        .collect()
}

/// Names the body that a statement makes; `None` if it makes none.
fn body_of(text: &str, engine: Engine) -> Option<String> {
    let mut cursor = Cursor::new(text, engine);
    cursor
        .eat("CREATE")
        .then(|| Routine::read(cursor, engine))
        .flatten()
        .map(|routine| routine.label())
}

/// Returns what a statement does, by its own words or by the text that it runs.
fn told(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    while engine == Engine::Postgres && cursor.eat_symbol(b'(') {}
    destroyer(cursor.clone(), engine)
        .or_else(|| body::hidden(cursor.clone(), engine))
        .or_else(|| {
            (engine == Engine::Postgres)
                .then(|| body::large_object(cursor))
                .flatten()
        })
}

fn destroyer(mut cursor: Cursor<'_>, engine: Engine) -> Option<&'static str> {
    match cursor.eat_any(&[
        "DROP", "TRUNCATE", "DELETE", "WITH", "MERGE", "ALTER", "CREATE", "EXPLAIN", "UPDATE", "REPLACE",
        "INSERT", "ANALYZE",
    ])? {
        "DROP" => dropped(cursor),
        "TRUNCATE" => Some("TRUNCATE"),
        "DELETE" => Some("DELETE"),
        "WITH" | "MERGE" | "EXPLAIN" => within(cursor),
        // MariaDB explains a statement by carrying it out.
        "ANALYZE" if engine == Engine::MySql => within(cursor),
        "ANALYZE" => None,
        "CREATE" => created::created(cursor, engine),
        "UPDATE" => update::updated(cursor),
        "REPLACE" => Some("REPLACE"),
        "INSERT" if cursor.eat_all(&["OR", "REPLACE"]) => Some("REPLACE"),
        "INSERT" => created::inserted(cursor, engine),
        _ => altered::altered(cursor, engine),
    }
}

/// What a statement does in the parts that it is made of.
fn within(mut cursor: Cursor<'_>) -> Option<&'static str> {
    loop {
        let found = match cursor.at_any(&["DELETE", "UPDATE", "REPLACE"]) {
            Some("DELETE") => Some("DELETE"),
            Some("UPDATE") => update::updated(behind(&cursor)),
            // `replace(a, b, c)` is a function.
            Some(_) => (!behind(&cursor).eat_symbol(b'(')).then_some("REPLACE"),
            None => None,
        };
        if found.is_some() {
            return found;
        }
        cursor.bump()?;
    }
}

fn behind<'a>(cursor: &Cursor<'a>) -> Cursor<'a> {
    let mut ahead = cursor.clone();
    ahead.bump();
    ahead
}

/// Nothing that is dropped with an index, a trigger or the like holds data of its own. Of anything else, of the
/// rows of a view too, a column can be made: it goes with it.
fn dropped(mut cursor: Cursor<'_>) -> Option<&'static str> {
    const WITHOUT_COLUMNS: [&str; 6] = ["INDEX", "TRIGGER", "SEQUENCE", "RULE", "POLICY", "CONSTRAINT"];
    cursor.eat_any(&["TEMPORARY", "FOREIGN"]);
    if cursor.at_any(&WITHOUT_COLUMNS).is_some() {
        return None;
    }
    match cursor.eat_any(&["TABLE", "TABLES", "SCHEMA", "DATABASE", "OWNED"]) {
        Some("TABLE" | "TABLES") => Some("DROP TABLE"),
        Some("SCHEMA") => Some("DROP SCHEMA"),
        Some("DATABASE") => Some("DROP DATABASE"),
        Some(_) => Some("DROP OWNED"),
        None => cascades(cursor).then_some("DROP … CASCADE"),
    }
}

/// Whether the statement ends in CASCADE; in a body the next one begins behind it.
fn cascades(mut cursor: Cursor<'_>) -> bool {
    while let Some(token) = cursor.bump() {
        if cursor.text_of(token) == ";" {
            return false;
        }
        if token.is(cursor.text(), "CASCADE") {
            return true;
        }
    }
    false
}
