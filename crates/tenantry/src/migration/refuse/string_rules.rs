//! MySQL settings that change how the server reads strings, by which files are cut into statements.

use super::modes::{LONGEST, is_known};
use super::saved::Saved;
use super::settings::{Setting, Target, arguments, is_word, plain, settings};
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

/// Character sets in which the second byte of a character can be a backslash, which then escapes nothing
/// (`NO_BACKSLASH_ESCAPES` aside, "Connection Character Sets and Collations").
const SWALLOWING: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// Returns the refusal of a `SET` after which strings may be read differently.
pub(super) fn refused(cursor: Cursor<'_>, saved: &Saved<'_>) -> Option<Kind> {
    let text = cursor.text();
    let items = settings(cursor);
    items.iter().find_map(|item| of_item(item, text, saved))
}

fn of_item(item: &Setting, text: &str, saved: &Saved<'_>) -> Option<Kind> {
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

fn is_harmless_set(value: &[Token], text: &str, saved: &Saved<'_>) -> bool {
    match value {
        // A number is a collation's.
        [one] => is_word(*one, text) && !SWALLOWING.contains(&plain(*one, text).as_str()),
        _ => saved.is_kept("character_set_client", value, text),
    }
}

/// Names written out, and what is made of what the mode is or was and of names.
fn is_harmless_mode(value: &[Token], text: &str, saved: &Saved<'_>) -> bool {
    match value {
        [one] if one.kind == TokenKind::Number => one.text(text) == "0",
        [one] => is_word(*one, text) && !names_string_mode(&plain(*one, text)),
        [open, inner @ .., close] if open.is_symbol(text, b'(') && close.is_symbol(text, b')') => {
            is_harmless_mode(inner, text, saved)
        }
        [select, inner @ ..] if select.is(text, "SELECT") => is_harmless_mode(inner, text, saved),
        [name, open, inner @ .., close]
            if name.is(text, "CONCAT") && open.is_symbol(text, b'(') && close.is_symbol(text, b')') =>
        {
            joins_harmless(&arguments(inner, text), text, saved)
        }
        _ => is_known(value, text, &saved.modes),
    }
}

fn joins_harmless(parts: &[&[Token]], text: &str, saved: &Saved<'_>) -> bool {
    let mut joined = String::new();
    for part in parts {
        match part {
            [one] if is_word(*one, text) => joined.push_str(&plain(*one, text)),
            part if is_known(part, text, &saved.modes) => {}
            _ => return false,
        }
    }
    !names_string_mode(&joined)
}

fn names_string_mode(names: &str) -> bool {
    let mut names = names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names.any(|name| STRING_MODES.iter().any(|mode| name.eq_ignore_ascii_case(mode)))
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
            "SET sql_mode = CONCAT(CONCAT('NO_BACKSLASH', ''), '_ESCAPES')",
            "SET @old = @@sql_mode; PREPARE s FROM 'SET @old = 1048576'; EXECUTE s; SET sql_mode = @old",
            "SET @a = @@sql_mode; SET @a = CONCAT(@a, ',NO_BACKSLASH'); SET @a = CONCAT(@a, '_ESCAPES'); \
             SET sql_mode = @a",
            "SET sql_mode = IFNULL(@never, '')",
            "SET sql_mode = IFNULL(@@sql_mode, 'ANSI')",
            "SET @a = CONCAT('NO_BACKSLASH', '_ESCAPES'); SET sql_mode = IFNULL(@a, '')",
            "SET @a = REPLACE('NO_BACKxSLASH_ESCAPES', 'x', ''); SET sql_mode = @a",
            "SET sql_mode = REPLACE(REPLACE('NO_BACKxSLASH_ESCAPES', 'y', ''), 'x', '')",
            "SET sql_mode = REPLACE(CONCAT(@@sql_mode, ',NO_BACKxSLASH_ESCAPES'), 'x', '')",
            "SET @a = CONCAT(@@sql_mode, ',NO_BACKxSLASH_ESCAPES'); SET sql_mode = REPLACE(@a, 'x', '')",
            "SET sql_mode = CONCAT_WS('_', 'NO', 'BACKSLASH', 'ESCAPES')",
            "SET sql_mode = CONCAT_WS(',', @@sql_mode, 'ANSI')",
            "SET sql_mode = TRIM(BOTH 'x' FROM 'xANSIx')",
            "SET @a = 'NO_BACKSLASH', @b = CONCAT(@a, '_ESCAPES'); SET sql_mode = @b",
            "SET @a = '_ESCAPES'; SET sql_mode = CONCAT('NO_BACKSLASH', @a)",
            "SET @old = @@sql_mode; SELECT 'x' FROM a INTO @b, @old; SET sql_mode = @old",
            "SET @old = @@sql_mode; CALL p(@old); SET sql_mode = @old",
            "SET @old = @@sql_mode; EXECUTE s USING @old; PREPARE s FROM 'SELECT 1 INTO @old'; SET sql_mode = @old",
            "SET @old = @@sql_mode; SELECT @old := 'ANSI'; SET sql_mode = @old",
            "SET @old = @@sql_mode; BEGIN NOT ATOMIC SET @old = 'ANSI'; END; SET sql_mode = @old",
            "SELECT @@sql_mode, 'ANSI' INTO @b, @old; SET sql_mode = @old",
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
            "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
             /*!40101 SET SQL_MODE=IFNULL(@OLD_SQL_MODE, '') */",
            "SET sql_mode = COALESCE(@@sql_mode, @@GLOBAL.sql_mode, '')",
            "SET sql_mode = REPLACE(REPLACE(@@sql_mode,'NO_ZERO_DATE',''),'NO_ZERO_IN_DATE','')",
            "SET @old = @@sql_mode; SET sql_mode = CONCAT(@old, ',NO_ZERO_DATE'); SET sql_mode = @old",
            "SET @old = @@sql_mode; SET sql_mode = REPLACE(@old, 'NO_ZERO_DATE', ''); SELECT @old; SET sql_mode = @old",
            "SET @new = REPLACE(@@sql_mode, 'NO_ZERO_DATE', ''); SET sql_mode = @new",
            "SET @old = @@sql_mode, @new = CONCAT(@old, ',NO_ZERO_DATE'); SET sql_mode = @new; SET sql_mode = @old",
            "SELECT @@sql_mode INTO @old; SET sql_mode = ''; SET sql_mode = @old",
            "SET sql_mode = CONCAT_WS(',', @@sql_mode, 'NO_ZERO_DATE')",
            "SET sql_mode = TRIM(BOTH ',' FROM REPLACE(@@sql_mode, 'NO_ZERO_DATE', ''))",
            "SET sql_mode = (SELECT TRIM(REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', '')))",
            "SET @m = @@sql_mode; SET @m = REPLACE(@m, 'NO_ZERO_DATE', ''); SET @m = CONCAT(@m, ',PIPES_AS_CONCAT'); \
             SET sql_mode = @m",
            "SELECT @@sql_mode, @@time_zone INTO @old, @zone; SET sql_mode = @old",
            "SET @old = @@sql_mode; INSERT INTO a VALUES (@old, 'b'); SET sql_mode = @old",
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
