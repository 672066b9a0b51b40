//! Folders to tracks.

use crate::engine::Engine;
use crate::migration::{Checksum, ReadError, Track};
use crate::target::TrackName;

fn track(engine: Engine, files: &[(&str, &str)]) -> Result<Track, ReadError> {
    Track::from_files(TrackName::Tenant, engine, files)
}

fn codes(engine: Engine, files: &[(&str, &str)]) -> Vec<(u16, String)> {
    let error = track(engine, files).expect_err("the files must be refused");
    error
        .problems()
        .iter()
        .map(|p| (p.code().0, p.location()))
        .collect()
}

#[test]
fn versions_are_ordered_as_numbers() {
    let files = [
        ("10_c.sql", "SELECT 3"),
        ("2_b.sql", "SELECT 2"),
        ("001_a-x_y.sql", "SELECT 1"),
    ];
    let track = track(Engine::Sqlite, &files).expect("a track");
    let labels: Vec<_> = track.migrations.iter().map(|m| m.label()).collect();
    assert_eq!(labels, ["1_a-x_y", "2_b", "10_c"]);
}

#[test]
fn a_file_for_the_engine_wins_over_the_one_for_all() {
    let files = [
        ("1_a.sql", "SELECT 1"),
        ("1_a.mysql.sql", "SELECT 2"),
        ("1_a.down.sql", "SELECT 3"),
        ("1_a.mysql.down.sql", "SELECT 4"),
    ];
    let texts = |engine| {
        let track = track(engine, &files).expect("a track");
        let one = track.migrations.first().expect("one migration");
        (one.up.text.clone(), one.down.as_ref().map(|d| d.text.clone()))
    };
    assert_eq!(
        texts(Engine::MySql),
        ("SELECT 2".to_owned(), Some("SELECT 4".to_owned()))
    );
    assert_eq!(
        texts(Engine::Sqlite),
        ("SELECT 1".to_owned(), Some("SELECT 3".to_owned()))
    );
}

#[test]
fn a_version_without_a_file_for_the_engine_is_refused() {
    let files = [("1_a.mysql.sql", "SELECT 1"), ("1_a.postgres.sql", "SELECT 1")];
    assert_eq!(
        codes(Engine::Sqlite, &files),
        [(3024, "1_a.mysql.sql".to_owned())]
    );
    assert!(track(Engine::MySql, &files).is_ok());
}

#[test]
fn all_problems_are_listed_in_path_order() {
    let files = [
        ("3_c.sql", ""),
        ("1_a.sql", "SELECT 1"),
        ("01_b.sql", "SELECT 1"),
        ("2_x.down.sql", "SELECT 1"),
        ("notes.sql", "SELECT 1"),
        ("README.md", "hello"),
        (".hidden.sql", "hello"),
        ("4_d.sql", "SELECT 'a"),
    ];
    let expected = [
        (3004, "1_a.sql"),
        (3023, "2_x.down.sql"),
        (3011, "3_c.sql"),
        (3030, "4_d.sql:1:8"),
        (3019, "notes.sql"),
    ];
    assert_eq!(
        codes(Engine::Sqlite, &files),
        expected.map(|(c, p)| (c, p.to_owned()))
    );
}

#[test]
fn line_endings_do_not_change_checksum_or_statements() {
    let texts = [
        "-- a\nSELECT 1;\nSELECT 2",
        "-- a\r\nSELECT 1;\r\nSELECT 2",
        "\u{feff}-- a\rSELECT 1;\rSELECT 2",
        "-- a\rSELECT 1;\r\nSELECT 2",
    ];
    for engine in Engine::ALL {
        for text in texts {
            let track = track(engine, &[("1_a.sql", text)]).expect("a track");
            let up = &track.migrations.first().expect("one migration").up;
            assert_eq!(up.checksum, Checksum::of(texts[0]));
            assert_eq!(
                (up.statement(0), up.statement(1), up.statements.len()),
                ("SELECT 1", "SELECT 2", 2)
            );
        }
    }
}
