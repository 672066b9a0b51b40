//! Statements that hold statements: which semicolons belong to a routine, trigger or rule.

use super::token::{Kind, Token};
use crate::engine::Engine;

/// Follows one statement and knows whether a delimiter ends it.
#[derive(Debug)]
pub(super) struct Body<'a> {
    text: &'a str,
    engine: Engine,
    phase: Phase,
    blocks: Vec<Block>,
    previous: Option<Token>,
    parentheses: u32,
}

/// How far the statement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No word yet.
    Start,
    /// After a `BEGIN` that opened the statement: `BEGIN NOT ATOMIC` opens a block.
    Begun,
    /// After `CREATE`: what is created?
    Created,
    /// Inside `DEFINER = …`.
    Definer,
    /// In the heading of a MySQL routine; what comes before its body?
    Heading(Before),
    /// Where the body is, or may come.
    Inside,
    /// `CREATE RULE`: its semicolons stand in parentheses.
    Rule,
    /// No semicolon belongs to it.
    Plain,
}

/// What stands just before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Parameters,
    EachRow,
    Do,
}

/// An open block.
#[derive(Clone, Copy, Debug)]
struct Block {
    kind: BlockKind,
    offset: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    /// It holds statements, so its `END` follows a semicolon.
    Statements,
    /// `REPEAT … UNTIL condition END REPEAT`.
    Repeat,
    /// A `CASE` expression: no statement can begin in it.
    Expression,
}

impl<'a> Body<'a> {
    pub(super) fn new(text: &'a str, engine: Engine) -> Self {
        Self {
            text,
            engine,
            phase: Phase::Start,
            blocks: Vec::new(),
            previous: None,
            parentheses: 0,
        }
    }

    /// Begins a new statement.
    pub(super) fn reset(&mut self) {
        self.phase = Phase::Start;
        self.blocks.clear();
        self.previous = None;
        self.parentheses = 0;
    }

    /// Returns whether a semicolon here belongs to the statement.
    pub(super) fn holds(&self) -> bool {
        !self.blocks.is_empty() || (self.phase == Phase::Rule && self.parentheses > 0)
    }

    /// Returns where the outermost open block was opened; `None` if none is open.
    pub(super) fn open_since(&self) -> Option<usize> {
        self.blocks.first().map(|b| b.offset as usize)
    }

    /// Returns the token before this one in the statement.
    pub(super) fn previous(&self) -> Option<Token> {
        self.previous
    }

    /// Takes the next token of the statement; marks of conditional comments must not be given.
    pub(super) fn take(&mut self, token: Token) {
        match self.phase {
            Phase::Plain => {}
            Phase::Rule => self.count_parentheses(token),
            Phase::Inside => self.inside(token),
            Phase::Heading(before) => self.heading(before, token),
            Phase::Start | Phase::Begun | Phase::Created | Phase::Definer => {
                self.phase = self.head(token);
            }
        }
        self.previous = Some(token);
    }

    fn is(&self, token: Token, keywords: &[&str]) -> bool {
        token.kind == Kind::Word && {
            let word = token.text(self.text);
            keywords.iter().any(|k| word.eq_ignore_ascii_case(k))
        }
    }

    fn follows(&self, keywords: &[&str]) -> bool {
        self.previous.is_some_and(|p| self.is(p, keywords))
    }

    fn follows_symbol(&self, symbol: u8) -> bool {
        self.previous.is_some_and(|p| p.is_symbol(self.text, symbol))
    }

    fn count_parentheses(&mut self, token: Token) {
        if token.is_symbol(self.text, b'(') {
            self.parentheses += 1;
        } else if token.is_symbol(self.text, b')') {
            self.parentheses = self.parentheses.saturating_sub(1);
        }
    }

    fn head(&mut self, token: Token) -> Phase {
        match self.phase {
            Phase::Start if self.is(token, &["CREATE"]) => Phase::Created,
            // `ALTER EVENT … DO` holds a body too.
            Phase::Start if self.engine == Engine::MySql && self.is(token, &["ALTER"]) => Phase::Created,
            Phase::Start if self.engine == Engine::MySql && self.is(token, &["BEGIN"]) => Phase::Begun,
            Phase::Begun if self.is(token, &["NOT"]) => {
                let offset = self.previous.map_or(token.start, |p| p.start);
                self.blocks.push(Block {
                    kind: BlockKind::Statements,
                    offset,
                });
                Phase::Inside
            }
            Phase::Created => self.created(token),
            Phase::Definer if self.follows_symbol(b'@') || self.follows_symbol(b'=') => Phase::Definer,
            Phase::Definer if self.is(token, &["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "AGGREGATE"]) => {
                self.created(token)
            }
            Phase::Definer if !self.is(token, &["SQL", "VIEW"]) => Phase::Definer,
            Phase::Start
            | Phase::Begun
            | Phase::Definer
            | Phase::Heading(_)
            | Phase::Inside
            | Phase::Rule
            | Phase::Plain => Phase::Plain,
        }
    }

    fn created(&self, token: Token) -> Phase {
        let word = token.text(self.text).to_ascii_uppercase();
        match (self.engine, word.as_str()) {
            (_, "OR" | "REPLACE") | (Engine::Sqlite, "TEMP" | "TEMPORARY") | (Engine::MySql, "AGGREGATE") => {
                Phase::Created
            }
            (Engine::Postgres, "FUNCTION" | "PROCEDURE") | (Engine::Sqlite, "TRIGGER") => Phase::Inside,
            (Engine::Postgres, "RULE") => Phase::Rule,
            (Engine::MySql, "DEFINER") => Phase::Definer,
            (Engine::MySql, "FUNCTION" | "PROCEDURE") => Phase::Heading(Before::Parameters),
            (Engine::MySql, "TRIGGER") => Phase::Heading(Before::EachRow),
            (Engine::MySql, "EVENT") => Phase::Heading(Before::Do),
            _ => Phase::Plain,
        }
    }

    fn heading(&mut self, before: Before, token: Token) {
        self.count_parentheses(token);
        let reached = match before {
            Before::Parameters => self.parentheses == 0 && token.is_symbol(self.text, b')'),
            Before::EachRow => self.is(token, &["ROW"]) && self.follows(&["EACH"]),
            Before::Do => self.is(token, &["DO"]),
        };
        if reached {
            self.phase = Phase::Inside;
        }
    }

    fn inside(&mut self, token: Token) {
        if token.kind != Kind::Word || self.follows_symbol(b'.') || self.follows(&["AS"]) {
            return;
        }
        if self.is(token, &["END"]) {
            self.end();
        } else if let Some(kind) = self.opens(token) {
            let offset = if self.is(token, &["ATOMIC"]) {
                self.previous.unwrap_or(token)
            } else {
                token
            };
            self.blocks.push(Block {
                kind,
                offset: offset.start,
            });
        } else if self.is_simple_body(token) {
            self.phase = Phase::Plain;
        }
    }

    /// Closes the innermost block, unless this `END` is a column of that name.
    fn end(&mut self) {
        let after_statement =
            self.previous.is_some_and(|p| p.kind == Kind::Delimiter) || self.follows(&["BEGIN", "ATOMIC"]);
        match self.blocks.last() {
            Some(block) if block.kind == BlockKind::Statements && !after_statement => {}
            Some(_) => {
                self.blocks.pop();
                if self.blocks.is_empty() {
                    self.phase = Phase::Plain;
                }
            }
            None => {}
        }
    }

    fn opens(&self, token: Token) -> Option<BlockKind> {
        let nested = !self.blocks.is_empty();
        match self.engine {
            Engine::Postgres if self.is(token, &["ATOMIC"]) && self.follows(&["BEGIN"]) => {
                Some(BlockKind::Statements)
            }
            Engine::Sqlite if !nested && self.is(token, &["BEGIN"]) => Some(BlockKind::Statements),
            Engine::Postgres | Engine::Sqlite => {
                (nested && self.is(token, &["CASE"])).then_some(BlockKind::Expression)
            }
            Engine::MySql => self.opens_mysql(token),
        }
    }

    /// MySQL has statements called `IF`, `REPEAT` and `CASE`, and expressions too: what a word is, is
    /// told by whether a statement can begin there.
    fn opens_mysql(&self, token: Token) -> Option<BlockKind> {
        let expression = self
            .blocks
            .last()
            .is_some_and(|b| b.kind == BlockKind::Expression);
        let statement = !expression && self.at_statement();
        if self.is(token, &["BEGIN"]) {
            (!expression).then_some(BlockKind::Statements)
        } else if self.is(token, &["CASE"]) && !self.follows(&["END"]) {
            Some(if statement {
                BlockKind::Statements
            } else {
                BlockKind::Expression
            })
        } else if statement && self.is(token, &["REPEAT"]) {
            Some(BlockKind::Repeat)
        } else {
            (statement && self.is(token, &["IF", "LOOP", "WHILE", "FOR"])).then_some(BlockKind::Statements)
        }
    }

    fn at_statement(&self) -> bool {
        const BEFORE: [&str; 10] = [
            "THEN",
            "ELSE",
            "DO",
            "BEGIN",
            "LOOP",
            "REPEAT",
            "ATOMIC",
            "FOUND",
            "SQLEXCEPTION",
            "SQLWARNING",
        ];
        self.blocks.is_empty()
            || self.previous.is_some_and(|p| p.kind == Kind::Delimiter)
            || self.follows_symbol(b':')
            || self.follows(&BEFORE)
    }

    /// Returns whether the body is one simple statement, so that the next semicolon ends it.
    fn is_simple_body(&self, token: Token) -> bool {
        const STARTS: [&str; 35] = [
            "SET",
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "REPLACE",
            "CALL",
            "RETURN",
            "WITH",
            "SIGNAL",
            "RESIGNAL",
            "CREATE",
            "ALTER",
            "DROP",
            "RENAME",
            "TRUNCATE",
            "DO",
            "EXECUTE",
            "PREPARE",
            "DEALLOCATE",
            "GRANT",
            "REVOKE",
            "ANALYZE",
            "CHECK",
            "CHECKSUM",
            "OPTIMIZE",
            "REPAIR",
            "FLUSH",
            "KILL",
            "SHOW",
            "DESCRIBE",
            "EXPLAIN",
            "START",
            "COMMIT",
            "ROLLBACK",
        ];
        // What a name or a type goes on with: `FOLLOWS x`, `RETURNS set('a')`, `CHARACTER SET x`.
        const NAMED: [&str; 6] = ["RETURNS", "CHARACTER", "CHAR", "FOLLOWS", "PRECEDES", "COLLATE"];
        self.engine == Engine::MySql
            && self.blocks.is_empty()
            && self.is(token, &STARTS)
            && !self.follows(&NAMED)
    }
}
