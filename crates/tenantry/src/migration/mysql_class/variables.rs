//! Which variables of the user's a statement reads and gives a value, and which reading a new session cannot serve.

use std::collections::{BTreeMap, BTreeSet};

use super::functions::calls_own;
use super::{Class, body};
use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::split::{Kind, Token};

/// The variables of one statement, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    /// What it reads that it has not given a value itself.
    pub(super) reads: BTreeSet<String>,
    /// What it gives a value.
    pub(super) gives: BTreeSet<String>,
}

/// Returns the variables that a statement names itself; those in the text of a `PREPARE` count as its own.
pub(super) fn variables(statement: &str, class: &Class) -> Variables {
    // A definition only holds such statements, and behind `GRANT` and the like `@` stands in an account.
    let names_none = matches!(
        class,
        Class::AtomicDdl { .. } | Class::MultiObjectDdl { .. } | Class::Repeatable
    );
    if names_none || !statement.contains('@') {
        return Variables::default();
    }
    let mut cursor = Cursor::new(statement, Engine::MySql);
    let mut ahead = cursor.clone();
    let changes = ahead.eat_any(&["CREATE", "ALTER", "DROP", "RENAME"]).is_some();
    if changes && ahead.at_any(&["USER", "ROLE"]).is_some() {
        return Variables::default();
    }
    let runs_text = cursor.at_any(&["PREPARE", "EXECUTE"]).is_some();
    let mut reader = Reader::default();
    reader.read(cursor.clone());
    while runs_text && let Some(token) = cursor.bump() {
        if token.kind == Kind::Text {
            reader.text(cursor.text_of(token));
        }
    }
    reader.finish()
}

/// Reads a statement from left to right.
#[derive(Debug, Default)]
struct Reader {
    found: Variables,
    /// Given by the assignment that is being read, so behind it.
    next: Vec<String>,
    /// Given somewhere inside an expression, so behind the statement.
    later: Vec<String>,
    /// Given a plain value inside an expression: `(SELECT @i := 0)` comes before what uses it.
    plain: Vec<String>,
    in_set: bool,
    is_target: bool,
    into: bool,
    depth: usize,
}

impl Reader {
    fn read(&mut self, mut cursor: Cursor<'_>) {
        while let Some(token) = cursor.bump() {
            let text = cursor.text();
            if token.is_symbol(text, b'@') {
                if cursor.eat_symbol(b'@') {
                    cursor.bump();
                } else if let Some(name) = name(&mut cursor) {
                    self.variable(name, &cursor);
                }
                self.is_target = false;
                continue;
            }
            self.other(token, text);
        }
    }

    /// Takes a variable; the cursor stands behind its name.
    fn variable(&mut self, name: String, cursor: &Cursor<'_>) {
        let mut ahead = cursor.clone();
        let colon = ahead.eat_symbol(b':');
        let assigned = ahead.eat_symbol(b'=') && (colon || self.is_target);
        let plain = ahead
            .peek()
            .is_some_and(|value| matches!(value.kind, Kind::Number | Kind::Text));
        if self.into {
            self.later.push(name);
        } else if assigned && self.is_target {
            self.next.push(name);
        } else if assigned && plain {
            self.plain.push(name);
        } else if assigned {
            self.later.push(name);
        } else if !self.found.gives.contains(&name) {
            self.found.reads.insert(name);
        }
    }

    fn other(&mut self, token: Token, text: &str) {
        self.is_target = false;
        match token.text(text) {
            "(" => self.depth += 1,
            ")" => self.depth = self.depth.saturating_sub(1),
            "," if self.depth == 0 => {
                self.found.gives.extend(self.next.drain(..));
                self.is_target = self.in_set;
                return;
            }
            ";" => {
                self.in_set = false;
                self.found
                    .gives
                    .extend(self.next.drain(..).chain(self.later.drain(..)));
            }
            _ => {}
        }
        self.into = token.is(text, "INTO");
        if token.is(text, "SET") {
            (self.in_set, self.is_target) = (true, true);
        }
    }

    /// Takes the text of a statement that is prepared.
    fn text(&mut self, quoted: &str) {
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
        let inner = inner.replace("''", "'").replace("\\'", "'");
        let mut reader = Self::default();
        reader.read(Cursor::new(&inner, Engine::MySql));
        let Variables { reads, gives } = reader.finish();
        let new = reads.into_iter().filter(|name| !self.found.gives.contains(name));
        let new: Vec<String> = new.collect();
        self.found.reads.extend(new);
        self.found.gives.extend(gives);
    }

    fn finish(mut self) -> Variables {
        for name in &self.plain {
            self.found.reads.remove(name);
        }
        let given = self.next.into_iter().chain(self.later).chain(self.plain);
        self.found.gives.extend(given);
        self.found
    }
}

/// Steps over a variable's name behind its `@`.
fn name(cursor: &mut Cursor<'_>) -> Option<String> {
    let token = cursor.peek()?;
    let mut name = if token.kind == Kind::Text {
        cursor.bump();
        cursor.text_of(token).trim_matches(['\'', '"']).to_owned()
    } else {
        cursor.name()?.into_owned()
    };
    while cursor.eat_symbol(b'.') {
        name.push('.');
        name.push_str(&cursor.name().unwrap_or_default());
    }
    Some(name.to_ascii_lowercase())
}

/// What a statement that names no variable may do to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unnamed {
    /// Nothing.
    Nothing,
    /// A trigger of its rows may give it a value.
    ByTrigger,
    /// A procedure or a function may give it a value.
    ByCode,
}

/// Returns what a statement may do to variables that it does not name.
pub(super) fn unnamed(statement: &str, class: &Class) -> Unnamed {
    const NO_CODE: [&str; 8] = [
        "CREATE",
        "ALTER",
        "DROP",
        "RENAME",
        "LOCK",
        "UNLOCK",
        "PREPARE",
        "DEALLOCATE",
    ];
    let cursor = Cursor::new(body(statement), Engine::MySql);
    match class {
        Class::Opaque if cursor.at_any(&NO_CODE).is_none() => Unnamed::ByCode,
        Class::Dml if cursor.at_any(&["DO", "SELECT"]).is_some() && calls_own(cursor) => Unnamed::ByCode,
        Class::Dml | Class::Opaque => Unnamed::ByTrigger,
        Class::AtomicDdl { .. }
        | Class::MultiObjectDdl { .. }
        | Class::Repeatable
        | Class::NotRepeatable
        | Class::Session => Unnamed::Nothing,
    }
}

/// What matters of one statement here.
#[derive(Debug)]
pub(super) struct Use<'a> {
    pub(super) variables: &'a Variables,
    pub(super) unnamed: Unnamed,
    /// Whether a new session runs it again.
    pub(super) is_replayed: bool,
}

/// A reading that a new session may serve with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Risk {
    /// The statement that may have given the value.
    pub(super) cause: usize,
    /// The last statement before which a cut loses it.
    pub(super) until: usize,
}

/// Returns the readings of a script that a new session may serve with another value.
///
/// What is set again has its value again, unless a procedure may have changed it in between: a trigger is not
/// expected to change what a file sets itself.
pub(super) fn risks(uses: &[Use<'_>]) -> Vec<Risk> {
    let mut found = Vec::new();
    let mut given: BTreeMap<&String, (usize, bool)> = BTreeMap::new();
    let (mut rows, mut code) = (None, Vec::new());
    for (at, one) in uses.iter().enumerate() {
        let code_behind = |from: usize| {
            let first = code.partition_point(|by: &usize| *by <= from);
            code.get(first).copied()
        };
        let cause = |name: &String| match given.get(name) {
            Some((by, true)) => code_behind(*by),
            Some((by, false)) => Some(*by),
            None => rows,
        };
        let until = if one.is_replayed { uses.len() } else { at };
        let causes = one.variables.reads.iter().filter_map(cause);
        found.extend(causes.map(|cause| Risk { cause, until }));
        let names = one.variables.gives.iter();
        given.extend(names.map(|name| (name, (at, one.is_replayed))));
        if one.unnamed == Unnamed::ByCode {
            code.push(at);
        }
        if one.unnamed != Unnamed::Nothing {
            rows = rows.or(Some(at));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::variables;
    use crate::migration::mysql_class::classify;

    #[test]
    fn what_is_read_is_told_from_what_is_given() {
        for (statement, reads, gives) in [
            ("SET @a = 1, @b := @a + @c, sql_mode = @d", "c d", "a b"),
            ("SET @a = @a + 1", "a", "a"),
            ("SET@a=IF(@b = 1, @c, @@sql_mode)", "b c", "a"),
            (
                "SELECT n, @x INTO @a, @`B c` FROM t WHERE n = @'y'",
                "x y",
                "a b c",
            ),
            ("INSERT INTO t VALUES (@a, '@b')", "a", ""),
            ("UPDATE t SET n = (@i := @i + 1), m = @j", "i j", "i"),
            (
                "INSERT INTO t SELECT @i := @i + 1 FROM u, (SELECT @i := 0) i",
                "",
                "i",
            ),
            ("CALL p(@a.b)", "a.b", ""),
            ("PREPARE s FROM 'SELECT ''x'', @a INTO @b'", "a", "b"),
            (
                "BEGIN NOT ATOMIC SET @a = 1; INSERT INTO t VALUES (@a, @b); END",
                "b",
                "a",
            ),
            ("CREATE TEMPORARY TABLE t AS SELECT @a", "a", ""),
            ("GRANT SELECT ON t TO a@b", "", ""),
            ("CREATE USER a@b", "", ""),
            (
                "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = @b",
                "",
                "",
            ),
        ] {
            let found = variables(statement, &classify(statement));
            let line =
                |names: std::collections::BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(" ");
            assert_eq!(
                (line(found.reads).as_str(), line(found.gives).as_str()),
                (reads, gives),
                "{statement}"
            );
        }
    }
}
