//! MySQL settings that change how the server reads strings, by which files are cut into statements.

use super::settings::{Saved, Setting, Target, plain, settings};
use crate::migration::cursor::Cursor;
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::split::{Kind as TokenKind, Token};

/// Modes that change where a string ends ("Server SQL Modes").
const STRING_MODES: [&str; 8] = [
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES",
    "ANSI",
    "DB2",
    "MAXDB",
    "MSSQL",
    "ORACLE",
    "POSTGRESQL",
];

/// Where a mode is kept that the server was asked for.
const MODES: [&str; 2] = ["sql_mode", "global.sql_mode"];

/// Character sets in which the second byte of a character can be a backslash, which then escapes nothing
/// (`NO_BACKSLASH_ESCAPES` aside, "Connection Character Sets and Collations").
const SWALLOWING: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// How many tokens of a value are looked at; a longer one then lacks its end, and is refused.
const LONGEST: usize = 200;

/// Returns the refusal of a `SET` after which strings may be read differently.
pub(super) fn refused(cursor: Cursor<'_>, saved: &Saved) -> Option<Kind> {
    let text = cursor.text();
    let items = settings(cursor);
    items.iter().find_map(|item| of_item(item, text, saved))
}

fn of_item(item: &Setting, text: &str, saved: &Saved) -> Option<Kind> {
    // What dumps write is short; only a made-up value nests deeply.
    let value = item.value.get(..LONGEST).unwrap_or(&item.value);
    match &item.target {
        Target::System(name) if name == "sql_mode" => {
            let what = "this SET sql_mode";
            (!is_harmless_mode(value, text, saved)).then_some(Kind::StringRules(what))
        }
        Target::System(name) if name == "character_set_client" => {
            let what = "this SET character_set_client";
            (!is_harmless_set(value, text, saved)).then_some(Kind::StringRules(what))
        }
        Target::System(_) | Target::User(_) => None,
        Target::Words => {
            let (what, set) = character_set(value, text)?;
            (!is_harmless_set(set, text, saved)).then_some(Kind::StringRules(what))
        }
    }
}

/// Returns the value of `NAMES …`, `CHARACTER SET …` and `CHARSET …`, without a collation.
fn character_set<'a>(words: &'a [Token], text: &str) -> Option<(&'static str, &'a [Token])> {
    let (what, value) = match words {
        [first, value @ ..] if first.is(text, "NAMES") => ("this SET NAMES", value),
        [first, value @ ..] if first.is(text, "CHARSET") => ("this SET CHARSET", value),
        [first, second, value @ ..]
            if (first.is(text, "CHARACTER") || first.is(text, "CHAR")) && second.is(text, "SET") =>
        {
            ("this SET CHARACTER SET", value)
        }
        _ => return None,
    };
    let end = value.iter().position(|t| t.is(text, "COLLATE"));
    Some((what, value.get(..end.unwrap_or(value.len())).unwrap_or(value)))
}

fn is_harmless_set(value: &[Token], text: &str, saved: &Saved) -> bool {
    match value {
        // A number is a collation's.
        [one] => is_word(*one, text) && !SWALLOWING.contains(&plain(*one, text).as_str()),
        _ => saved.is_one_of(&["character_set_client"], value, text),
    }
}

/// Names written out, what the mode is or was, and the two ways to add names to it and to take one away.
fn is_harmless_mode(value: &[Token], text: &str, saved: &Saved) -> bool {
    match value {
        [one] if one.kind == TokenKind::Number => one.text(text) == "0",
        [one] => is_word(*one, text) && !names_string_mode(&plain(*one, text)),
        [open, inner @ .., close] if open.is_symbol(text, b'(') && close.is_symbol(text, b')') => {
            is_harmless_mode(inner, text, saved)
        }
        [select, inner @ ..] if select.is(text, "SELECT") => is_harmless_mode(inner, text, saved),
        [name, open, inner @ .., close] if open.is_symbol(text, b'(') && close.is_symbol(text, b')') => {
            let parts = arguments(inner, text);
            if name.is(text, "CONCAT") {
                joins_harmless(&parts, text, saved)
            } else {
                name.is(text, "REPLACE") && takes_away(&parts, text, saved)
            }
        }
        _ => saved.is_one_of(&MODES, value, text),
    }
}

fn joins_harmless(parts: &[&[Token]], text: &str, saved: &Saved) -> bool {
    let mut joined = String::new();
    for part in parts {
        match part {
            [one] if is_word(*one, text) => joined.push_str(&plain(*one, text)),
            part if is_harmless_mode(part, text, saved) => {}
            _ => return false,
        }
    }
    !names_string_mode(&joined)
}

/// What is left of a mode is harmless if the mode is.
fn takes_away(parts: &[&[Token]], text: &str, saved: &Saved) -> bool {
    let [mode, [away], [by]] = parts else { return false };
    let is_kept = saved.is_one_of(&MODES, mode, text);
    is_kept && is_word(*away, text) && matches!(by.text(text), "''" | "\"\"")
}

/// Whether a token says by itself what it is: a name, or a string without anything escaped.
fn is_word(token: Token, text: &str) -> bool {
    match token.kind {
        TokenKind::Word | TokenKind::Name => true,
        TokenKind::Text => {
            let raw = token.text(text);
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
            !inner.contains(['\\', '\'', '"'])
        }
        TokenKind::Number
        | TokenKind::LineComment
        | TokenKind::CodeOpen
        | TokenKind::CodeClose
        | TokenKind::Delimiter
        | TokenKind::Symbol => false,
    }
}

fn names_string_mode(names: &str) -> bool {
    let mut names = names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names.any(|name| STRING_MODES.iter().any(|mode| name.eq_ignore_ascii_case(mode)))
}

/// Splits arguments at the commas outside parentheses.
fn arguments<'a>(tokens: &'a [Token], text: &str) -> Vec<&'a [Token]> {
    let mut depth = 0_usize;
    let split = tokens.split(|token| {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is_symbol(text, b',')
    });
    split.collect()
}

#[cfg(test)]
mod tests {
    use crate::engine::Engine;
    use crate::migration::{ReadError, Track};
    use crate::target::TrackName;

    /// Returns the codes of a file's problems.
    fn codes(text: &str) -> Vec<u16> {
        match Track::from_files(TrackName::Tenant, Engine::MySql, &[("1_a.sql", text)]) {
            Ok(_) => Vec::new(),
            Err(ReadError::Files { problems, .. }) => problems.iter().map(|p| p.code().0).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_mode_that_is_not_written_out_is_refused() {
        for text in [
            "SET @m = CONCAT('NO_BACKSLASH', '_ESCAPES'); SET sql_mode = @m",
            "SET @m = CONCAT(@@sql_mode, ',NO_BACKSLASH', '_ESCAPES'), sql_mode = @m",
            "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH', '_ESCAPES')",
            "SET sql_mode = 'NO_BACKSLASH' '_ESCAPES'",
            r"SET sql_mode = 'NO\_BACKSL\ASH_ESCAPES'",
            "SET sql_mode = x'4E4F5F4241434B534C4153485F45534341504553'",
            "SET sql_mode = 1048576",
            "SET SESSION sql_mode := (SELECT mode FROM t)",
            "SET @@session.`sql_mode` = REVERSE('x')",
            "/*!40101 SET @a = 1, LOCAL sql_mode = LOWER('ANSI') */",
            "SET STATEMENT sql_mode = @m FOR SELECT 1",
            "SET @old = @@sql_mode; SELECT 'x' INTO @old; SET sql_mode = @old",
            "SET @old = @@sql_mode; SET @other = (@old := 'x'); SET sql_mode = @old",
            "SET @old = @@sql_mode; SET @OLD = 'x'; SET sql_mode = @old",
            "SET @old = @@version; SET sql_mode = @old",
            "SET sql_mode = @never",
            "SET sql_mode = REPLACE('NO_BACKxSLASH_ESCAPES', 'x', '')",
            "SET sql_mode = REPLACE(@@sql_mode, 'a', 'b')",
        ] {
            assert_eq!(codes(text), [3037], "{text}");
        }
        let deep = format!("SET sql_mode = {}''{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(codes(&deep), [3037]);
    }

    #[test]
    fn what_dumps_write_about_modes_is_left_alone() {
        for text in [
            "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
             CREATE TABLE a (n INT);\n/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
            "/*!50003 SET @saved_sql_mode = @@session.sql_mode */; SET sql_mode = 'STRICT_TRANS_TABLES';\n\
             SET sql_mode = @saved_sql_mode; SET @SAVED_SQL_MODE = @@sql_mode, sql_mode = `TRADITIONAL`",
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')",
            "SET sql_mode = (SELECT REPLACE(@@SESSION.sql_mode, 'ONLY_FULL_GROUP_BY,', ''))",
            "SET sql_mode = DEFAULT; SET sql_mode = ''; SET sql_mode = 0; SET sql_mode = @@GLOBAL.sql_mode",
            "SET @sql_mode = RAND(), @a = CONCAT(@@sql_mode, 'x')",
        ] {
            assert_eq!(codes(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn a_character_set_that_swallows_backslashes_is_refused() {
        for text in [
            "SET NAMES gbk",
            "SET NAMES 'SJIS' COLLATE 'sjis_bin'",
            "SET @a = 1, NAMES big5",
            "SET CHARACTER SET sjis",
            "SET CHARSET cp932",
            "/*!40101 SET NAMES `gb18030` */",
            "SET character_set_client = big5",
            "SET @@session.character_set_client := 'gbk'",
            "SET STATEMENT character_set_client = gbk FOR SELECT 1",
            "SET character_set_client = 28",
            "SET character_set_client = CONCAT('g', 'bk')",
            "SET character_set_client = @@character_set_database",
            "SET character_set_client = @@GLOBAL.character_set_client",
            "SET @a = 'gbk'; SET character_set_client = @a",
        ] {
            assert_eq!(codes(text), [3037], "{text}");
        }
        for text in [
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin; SET NAMES 'latin1'; SET NAMES DEFAULT",
            "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
             /*!40101 SET @saved_cs_client = @@character_set_client */;\n\
             /*!50503 SET character_set_client = utf8mb4 */;\n\
             /*!40101 SET character_set_client = @saved_cs_client */;\n\
             /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */",
            "SET character_set_results = gbk; SET collation_connection = gbk_bin",
            "CREATE TABLE a (b CHAR(1) CHARACTER SET gbk) CHARSET = sjis",
        ] {
            assert_eq!(codes(text), [0; 0], "{text}");
        }
    }
}
