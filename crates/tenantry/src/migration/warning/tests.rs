//! Each warning, and what comes near it and is none.

use super::*;
use crate::engine::Engine;
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
    let text = "SELECT 1;\nCREATE TEMPORARY TABLE t (n INT);\nCREATE TABLE a (n INT);\nSELECT n FROM t;\n";
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
