//! What in a file runs, and may not do what its author thinks: told, never refused.

use std::path::PathBuf;

use super::cursor::Cursor;
use super::mysql_class::{Kept, cannot_go_on};
use super::problem::around;
use super::script::{Place, Script};
use super::split::{Kind as TokenKind, Lexer};
use super::version::Version;
use crate::code::Code;
use crate::direction::Direction;
use crate::engine::Engine;

/// The most warnings that are listed for one file: more help nobody.
const MOST: usize = 20;

/// How much of a comment is shown, in characters.
const SHOWN: usize = 60;

/// Something in a file that runs, and may not do what its author thinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The migration's version.
    pub version: Version,
    /// Which of its files it is: the way forwards or the way back.
    pub direction: Direction,
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// The line of that place, cut to at most 200 characters around it, control characters escaped.
    pub snippet: String,
    /// The column of the place within the snippet, in characters from 1.
    pub caret: usize,
    /// What it is.
    pub kind: WarningKind,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// A line feed, as on Unix.
    Lf,
    /// A carriage return and a line feed, as on Windows.
    CrLf,
    /// A carriage return alone.
    Cr,
}

impl LineEnding {
    /// Returns the name that editors use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::CrLf => "CRLF",
            Self::Cr => "CR",
        }
    }
}

/// What a warning is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// MySQL, MariaDB: a comment that the server executes.
    #[error("this comment is executed{}: {text}", from_version(*.from))]
    ConditionalComment {
        /// The lowest server version that executes it, as the comment writes it; `None` for every one.
        from: Option<u32>,
        /// What is executed, cut to 60 characters.
        text: String,
    },
    /// MySQL, MariaDB: several tables are dropped, each by itself.
    #[error("{0} tables are dropped one after the other; an interruption leaves some of them")]
    SeveralTables(usize),
    /// Lines end in different ways.
    #[error("lines end in different ways: {} at first, {} here", .first.as_str(), .here.as_str())]
    MixedLineEndings {
        /// The ending of the first line.
        first: LineEnding,
        /// The ending of this line.
        here: LineEnding,
    },
    /// MySQL, MariaDB: what a statement keeps in its session is gone if a later one fails.
    #[error("{0} goes with its session: a failure behind it leaves a file that cannot go on half-way")]
    LostWithSession(Kept),
    /// A string goes over lines that end in CRLF.
    #[error("this string goes over lines that end in CRLF: the CR is data, and no checksum tells it")]
    CrInString,
    /// SQLite: foreign keys are turned on, and stay off.
    #[error("PRAGMA foreign_keys has no effect in a migration: foreign keys are not enforced while it runs")]
    ForeignKeysStayOff,
}

/// Writes `80013` as servers name themselves: ` from 8.0.13`.
fn from_version(from: Option<u32>) -> String {
    from.map_or_else(String::new, |n| {
        format!(" from {}.{}.{} on", n / 10_000, n / 100 % 100, n % 100)
    })
}

impl Warning {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(match self.kind {
            WarningKind::ConditionalComment { .. } => 3101,
            WarningKind::SeveralTables(_) => 3102,
            WarningKind::MixedLineEndings { .. } => 3103,
            WarningKind::ForeignKeysStayOff => 3104,
            WarningKind::LostWithSession(_) => 3105,
            WarningKind::CrInString => 3106,
        })
    }

    /// Returns the one thing to do.
    pub fn help(&self) -> &'static str {
        match self.kind {
            WarningKind::ConditionalComment { .. } => {
                "write it as a statement if it is to run, as a plain comment if it is not"
            }
            WarningKind::SeveralTables(_) => "give each table a DROP TABLE of its own",
            WarningKind::LostWithSession(_) => {
                "split the file: what needs it comes into one file with it, CREATE, ALTER and DROP into another one"
            }
            WarningKind::MixedLineEndings { .. } => {
                "save the file with one kind of line ending; its checksum stays the same"
            }
            WarningKind::CrInString => {
                "save the file with LF line endings, its checksum stays the same; write a CR that is meant as the \
                 engine's escape or function"
            }
            WarningKind::ForeignKeysStayOff => {
                "remove the line, and write down what ON DELETE and ON UPDATE would do: DELETE and UPDATE of the \
                 rows that refer to others"
            }
        }
    }
}

/// Returns what is to be told about a file that may run; `line_endings` is what [`mixed_line_endings`] said
/// of the file as it was read.
pub(super) fn check(
    script: &Script,
    line_endings: Option<(usize, WarningKind)>,
    engine: Engine,
    (version, direction): (Version, Direction),
) -> Vec<Warning> {
    let mut found: Vec<(usize, WarningKind)> = line_endings.into_iter().collect();
    found.extend(cr_in_string(script, engine));
    if engine == Engine::MySql {
        found.extend(lost_with_session(script));
        for (index, statement) in script.statements.iter().enumerate() {
            let start = statement.range().start;
            let text = script.statement(index);
            found.extend(several_tables(text).map(|kind| (start, kind)));
            found.extend(
                conditional_comments(text)
                    .into_iter()
                    .map(|(at, kind)| (start + at, kind)),
            );
        }
    }
    if engine == Engine::Sqlite {
        found.extend(foreign_keys_on(script));
    }
    found.sort_by_key(|(offset, _)| *offset);
    found.truncate(MOST);
    found
        .into_iter()
        .map(|(offset, kind)| {
            let (snippet, caret) = around(&script.text, offset);
            Warning {
                version,
                direction,
                path: script.path.clone(),
                place: script.place(offset),
                snippet,
                caret,
                kind,
            }
        })
        .collect()
}

/// Returns the first line that ends in another way than the first one, by its offset in the text.
pub(super) fn mixed_line_endings(bytes: &[u8]) -> Option<(usize, WarningKind)> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut first = None;
    let mut line = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..)?.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        let end = at + found;
        let (here, length) = match (text.get(end), text.get(end + 1)) {
            (Some(b'\n'), _) => (LineEnding::Lf, 1),
            (_, Some(b'\n')) => (LineEnding::CrLf, 2),
            (_, _) => (LineEnding::Cr, 1),
        };
        match first {
            None => first = Some(here),
            Some(first) if first != here => {
                return Some((line, WarningKind::MixedLineEndings { first, here }));
            }
            Some(_) => {}
        }
        at = end + length;
        line = at;
    }
    None
}

/// Returns the first string with a line that ends in CRLF: with another checkout of the same file the database
/// gets another text. One is enough, since all are mended together.
fn cr_in_string(script: &Script, engine: Engine) -> Option<(usize, WarningKind)> {
    if !script.text.contains('\r') {
        return None;
    }
    script
        .statements
        .iter()
        .enumerate()
        .find_map(|(index, statement)| {
            let text = script.statement(index);
            let mut tokens = Lexer::new(text, engine).map_while(Result::ok);
            let found =
                tokens.find(|token| token.kind == TokenKind::Text && token.text(text).contains('\r'))?;
            Some((
                statement.range().start + found.start as usize,
                WarningKind::CrInString,
            ))
        })
}

/// The servers drop the tables of one statement one by one; MySQL before 8.0 and every MariaDB commit each.
fn several_tables(text: &str) -> Option<WarningKind> {
    let mut cursor = Cursor::new(text, Engine::MySql);
    if !cursor.eat("DROP") {
        return None;
    }
    cursor.eat("TEMPORARY");
    cursor.eat_any(&["TABLE", "TABLES"])?;
    let mut tables = 1;
    while let Some(token) = cursor.bump() {
        tables += usize::from(token.is_symbol(text, b','));
    }
    (tables > 1).then_some(WarningKind::SeveralTables(tables))
}

fn lost_with_session(script: &Script) -> Option<(usize, WarningKind)> {
    let (statement, kept) = cannot_go_on(script)?;
    let start = script.statements.get(statement)?.range().start;
    Some((start, WarningKind::LostWithSession(kept)))
}

/// Returns whether a statement turns foreign keys on or off; `None` if it does neither.
fn foreign_keys(text: &str) -> Option<bool> {
    let mut cursor = Cursor::new(text, Engine::Sqlite);
    let ours = cursor.eat("PRAGMA") && cursor.qualified()?.name.eq_ignore_ascii_case("foreign_keys");
    if !ours || !(cursor.eat_symbol(b'=') || cursor.eat_symbol(b'(')) {
        return None;
    }
    let value = cursor.peek().map(|token| cursor.text_of(token))?;
    let value = value.trim_matches(['\'', '"']);
    Some(
        ["on", "true", "yes", "1"]
            .iter()
            .any(|on| value.eq_ignore_ascii_case(on)),
    )
}

/// Returns the statement that turns foreign keys on for what comes behind it. The end of a bracket that
/// turned them off, as programs write it around a table that is rebuilt, says nothing.
fn foreign_keys_on(script: &Script) -> Option<(usize, WarningKind)> {
    let mut bracket = None;
    for (index, statement) in script.statements.iter().enumerate() {
        match (foreign_keys(script.statement(index)), bracket) {
            (Some(false), _) => bracket = Some(None),
            (Some(true), Some(None)) => bracket = Some(Some(statement.range().start)),
            (Some(true), _) => return Some((statement.range().start, WarningKind::ForeignKeysStayOff)),
            (None, Some(Some(start))) => return Some((start, WarningKind::ForeignKeysStayOff)),
            (None, _) => {}
        }
    }
    None
}

fn conditional_comments(text: &str) -> Vec<(usize, WarningKind)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for token in Lexer::new(text, Engine::MySql).map_while(Result::ok) {
        match (token.kind, open) {
            (TokenKind::CodeOpen, _) => open = Some((token.start as usize, token.end as usize)),
            (TokenKind::CodeClose, Some((start, end))) => {
                let marks = text.get(start..end).unwrap_or_default();
                let inside = text.get(end..token.start as usize).unwrap_or_default();
                found.push((start, conditional_comment(marks, inside)));
                open = None;
            }
            (_, _) => {}
        }
    }
    found
}

fn conditional_comment(marks: &str, inside: &str) -> WarningKind {
    let digits: String = marks.chars().filter(char::is_ascii_digit).collect();
    let words = inside.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text: String = words.chars().take(SHOWN).collect();
    if text.len() < words.len() {
        text.push('…');
    }
    WarningKind::ConditionalComment {
        from: digits.parse().ok(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Track;
    use crate::target::TrackName;

    /// Returns code, place and text of each warning of one file.
    fn told(engine: Engine, text: &str) -> Vec<(u16, usize, usize, String)> {
        let track = Track::from_files(TrackName::Tenant, engine, &[("1_a.sql", text)]).unwrap();
        let shown = |w: &Warning| (w.code().0, w.place.line, w.place.column, w.kind.to_string());
        track.warnings.iter().map(shown).collect()
    }

    fn one(engine: Engine, text: &str) -> (u16, usize, usize, String) {
        let mut all = told(engine, text);
        assert_eq!(all.len(), 1, "{text:?} {all:?}");
        all.remove(0)
    }

    #[test]
    fn a_comment_that_is_executed_is_shown_with_what_it_does() {
        let text = "CREATE TABLE a (id INT)\n  /*!80013 COMMENT  'x' */;\n";
        let expect = "this comment is executed from 8.0.13 on: COMMENT 'x'".to_owned();
        assert_eq!(one(Engine::MySql, text), (3101, 2, 3, expect));
        let text = "/*! CREATE TABLE a (id INT) */;\n";
        let expect = "this comment is executed: CREATE TABLE a (id INT)".to_owned();
        assert_eq!(one(Engine::MySql, text), (3101, 1, 1, expect));
        let text = "CREATE TABLE a (id INT) /*M!100100 COMMENT 'x' */;\n";
        assert!(one(Engine::MySql, text).3.contains("from 10.1.0 on"));
        assert_eq!(told(Engine::MySql, "SELECT '/*! x */'; -- /*! y */\n"), []);
        assert_eq!(told(Engine::Sqlite, "CREATE TABLE a (id INT) /*! x */;\n"), []);
    }

    #[test]
    fn several_tables_of_one_statement_are_told_on_mysql_only() {
        let text = "SELECT 1;\nDROP TABLE IF EXISTS `a`, b;\n";
        let (code, line, column, what) = one(Engine::MySql, text);
        assert_eq!((code, line, column), (3102, 2, 1));
        assert!(what.starts_with("2 tables"), "{what}");
        assert_eq!(told(Engine::MySql, "DROP TABLE a; DROP TABLE b;"), []);
        assert_eq!(told(Engine::Postgres, "DROP TABLE a, b;"), []);
    }

    #[test]
    fn what_is_lost_with_its_session_is_told_where_it_is_made() {
        let text =
            "SELECT 1;\nCREATE TEMPORARY TABLE t (n INT);\nCREATE TABLE a (n INT);\nSELECT n FROM t;\n";
        let (code, line, column, what) = one(Engine::MySql, text);
        assert_eq!((code, line, column), (3105, 2, 1));
        assert!(
            what.starts_with("a temporary table goes with its session"),
            "{what}"
        );
        let text = "SELECT MAX(n) INTO @x FROM a;\nALTER TABLE a ADD m INT;\nUPDATE a SET m = @x;\n";
        assert_eq!(one(Engine::MySql, text).0, 3105);
        assert_eq!(
            told(Engine::Postgres, "CREATE TEMPORARY TABLE t (n INT); SELECT 1;"),
            []
        );
    }

    #[test]
    fn the_first_line_that_ends_in_another_way_is_named() {
        for (text, line, what) in [
            ("SELECT 1;\nSELECT 2;\r\n", 2, "LF at first, CRLF here"),
            (
                "SELECT 1;\r\nSELECT 2;\r\n\nSELECT 3;",
                3,
                "CRLF at first, LF here",
            ),
            ("\u{feff}SELECT 1;\rSELECT 2;\n", 2, "CR at first, LF here"),
        ] {
            let found = one(Engine::Postgres, text);
            assert_eq!((found.0, found.1, found.2), (3103, line, 1), "{text:?}");
            assert!(found.3.ends_with(what), "{text:?} {found:?}");
        }
        for same in [
            "SELECT 1;\nSELECT 2;\n",
            "SELECT 1;\r\nSELECT 2;\r\n",
            "SELECT 1;\rSELECT 2;",
        ] {
            assert_eq!(told(Engine::Postgres, same), [], "{same:?}");
        }
    }

    #[test]
    fn the_first_string_over_crlf_lines_is_named() {
        let expect = "this string goes over lines that end in CRLF: the CR is data, and no checksum tells it";
        for engine in [Engine::Postgres, Engine::MySql, Engine::Sqlite] {
            let text = "SELECT 1;\r\nSELECT 'one', 'two\r\nlines';\r\nSELECT 'a\r\nb';\r\n";
            assert_eq!(one(engine, text), (3106, 2, 15, expect.to_owned()), "{engine}");
            for same in [
                "SELECT 1, -- it's\r\n2;\r\n/* '\r\n' */\r\nSELECT 'a', 'b';\r\n",
                "SELECT 'two\nlines';\n",
                "SELECT 'two\rlines';\r",
            ] {
                assert_eq!(told(engine, same), [], "{engine} {same:?}");
            }
        }
        let body = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\r\nSELECT 1\r\n$$;\r\n";
        assert_eq!(one(Engine::Postgres, body).0, 3106);
    }

    #[test]
    fn turning_foreign_keys_on_is_told_where_somebody_could_rely_on_it() {
        let told_of = |text: &str| -> Vec<(u16, usize)> {
            let all = told(Engine::Sqlite, text);
            all.into_iter().map(|w| (w.0, w.1)).collect()
        };
        let rebuild = "PRAGMA foreign_keys = OFF;\nDROP TABLE a;\nPRAGMA main.foreign_keys(1);\n";
        assert_eq!(told_of(rebuild), []);
        let behind = format!("{rebuild}PRAGMA user_version;\nDELETE FROM b;");
        assert_eq!(told_of(&behind), [(3104, 3)]);
        assert_eq!(told_of("SELECT 1;\nPRAGMA foreign_keys = 'on';"), [(3104, 2)]);
        assert_eq!(told_of("PRAGMA foreign_keys; PRAGMA foreign_key_check;"), []);
    }

    #[test]
    fn a_warning_says_which_way_its_file_leads() {
        let files = [
            ("1_a.sql", "CREATE TABLE a (id INT);"),
            ("1_a.down.sql", "DROP TABLE a, b;"),
        ];
        let track = Track::from_files(TrackName::Tenant, Engine::MySql, &files).unwrap();
        let ways: Vec<Direction> = track.warnings.iter().map(|w| w.direction).collect();
        assert_eq!(ways, [Direction::Down]);
    }
}
