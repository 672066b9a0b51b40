//! The body of a function, procedure, trigger, rule or event that a statement makes.

use super::body::scan;
use super::quoted::{is_plain, unquoted};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::split::Kind;

/// Something with a body, which is run by what comes later in the file or after it.
pub(super) struct Routine<'a> {
    kind: &'static str,
    name: String,
    /// Stands behind the name.
    cursor: Cursor<'a>,
}

impl<'a> Routine<'a> {
    /// Reads the head of what a `CREATE` makes; `None` if that has no body. Stands behind the verb.
    pub(super) fn read(mut cursor: Cursor<'a>, engine: Engine) -> Option<Self> {
        const KINDS: [&str; 6] = ["FUNCTION", "PROCEDURE", "TRIGGER", "RULE", "EVENT", "PACKAGE"];
        cursor.eat_all(&["OR", "REPLACE"]);
        if engine == Engine::MySql && cursor.eat("DEFINER") {
            while cursor.at_any(&KINDS).is_none() && !cursor.at("VIEW") {
                cursor.bump()?;
            }
        }
        cursor.eat_any(&["CONSTRAINT", "TEMP", "TEMPORARY", "AGGREGATE"]);
        let kind = cursor.eat_any(&KINDS)?;
        cursor.eat("BODY");
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        let name = cursor.qualified()?.name.into_owned();
        Some(Self { kind, name, cursor })
    }

    /// Names the body as a reader of the file finds it: `function undo`.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.kind.to_ascii_lowercase(), self.name)
    }

    /// Returns what the body does; `None` if it loses nothing.
    pub(super) fn destroys(mut self, engine: Engine) -> Option<&'static str> {
        let begins = match (self.kind, engine) {
            ("FUNCTION" | "PROCEDURE", Engine::Postgres) => return self.postgres(),
            ("TRIGGER" | "EVENT", Engine::Postgres) => false,
            ("TRIGGER", Engine::Sqlite) => self.cursor.skip_past("BEGIN"),
            ("TRIGGER", Engine::MySql) => self.cursor.skip_past("ROW"),
            ("RULE" | "EVENT", _) => self.cursor.skip_past("DO"),
            _ => true,
        };
        begins.then(|| scan(self.cursor, engine, 0)).flatten()
    }

    /// A function's body is a string, or stands there as it is.
    fn postgres(self) -> Option<&'static str> {
        match written(self.cursor.clone()) {
            Written::Sql => scan(self.cursor, Engine::Postgres, 0),
            Written::Compiled => None,
            Written::Unseen => self.unseen(),
        }
    }

    /// Returns the words of a statement of PostgreSQL whose body cannot be seen; `None` if it can.
    pub(super) fn unseen(&self) -> Option<&'static str> {
        let words = match self.kind {
            "FUNCTION" => "CREATE FUNCTION",
            "PROCEDURE" => "CREATE PROCEDURE",
            _ => return None,
        };
        matches!(written(self.cursor.clone()), Written::Unseen).then_some(words)
    }
}

/// In what a function is written.
enum Written {
    Sql,
    /// It runs code that is in the server.
    Compiled,
    /// In another language, or with escapes.
    Unseen,
}

fn written(mut cursor: Cursor<'_>) -> Written {
    let mut found = Written::Sql;
    let mut is_behind_text = false;
    while let Some(token) = cursor.bump() {
        let raw = cursor.text_of(token);
        // In a block the next statement begins here.
        if raw == ";" {
            break;
        }
        let is_text = token.kind == Kind::Text;
        // Strings one after the other are one string.
        if is_text && (is_behind_text || !is_plain(raw)) {
            return Written::Unseen;
        }
        is_behind_text = is_text;
        if token.is(cursor.text(), "UESCAPE") {
            return Written::Unseen;
        }
        if token.is(cursor.text(), "LANGUAGE")
            && let Some(language) = cursor.bump()
        {
            let name = unquoted(cursor.text_of(language)).to_ascii_lowercase();
            match name.as_str() {
                "sql" | "plpgsql" => {}
                "c" | "internal" => found = Written::Compiled,
                _ => return Written::Unseen,
            }
        }
    }
    found
}
