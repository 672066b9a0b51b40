//! Folders to tracks.

use std::path::Path;

use crate::engine::Engine;
use crate::migration::{Checksum, FileProblemKind as Kind, ReadError, Track};
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

/// A folder with files of these names and bytes.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

/// Reads a folder and returns file name, code and message of every problem.
fn refusals(folder: &Path) -> Vec<(String, u16, String)> {
    let Err(error) = Track::read(folder, TrackName::Tenant, Engine::Sqlite) else {
        return Vec::new();
    };
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    error
        .problems()
        .iter()
        .map(|p| (name(&p.path), p.code().0, p.kind.to_string()))
        .collect()
}

#[track_caller]
fn refused_bytes(number: &str, bytes: &[u8], code: u16, message: &str) {
    let folder = folder(&[("1_a.sql", bytes)]);
    assert_eq!(
        refusals(folder.path()),
        [("1_a.sql".to_owned(), code, message.to_owned())],
        "{number}"
    );
}

#[test]
fn an_empty_folder_is_an_empty_track_and_no_folder_is_an_error() {
    let folder = folder(&[("README.md", b"x")]);
    let track = Track::read(folder.path(), TrackName::Tenant, Engine::Sqlite).expect("B01");
    assert_eq!(track.head(), None);
    for bad in ["none", "README.md"] {
        let error =
            Track::read(&folder.path().join(bad), TrackName::Tenant, Engine::Sqlite).expect_err("B02");
        assert_eq!(error.code().0, 1006, "B02 {bad}");
        assert!(error.problems().is_empty() && std::error::Error::source(&error).is_some());
    }
}

#[test]
fn bytes_that_are_not_utf_8() {
    let utf_16: Vec<u8> = "SELECT 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf_16.clone()).collect();
    let utf_32: Vec<u8> = "SELECT 1"
        .chars()
        .flat_map(|c| u32::from(c).to_be_bytes())
        .collect();
    let text = |offset, encoding| {
        format!("the file is not UTF-8: byte {offset} does not fit (it looks like {encoding})")
    };
    refused_bytes("B07", &marked, 3013, &text(0, "UTF-16LE"));
    refused_bytes("B07", &utf_16, 3013, &text(1, "UTF-16LE"));
    refused_bytes("B07", &utf_32, 3013, &text(0, "UTF-32BE"));
    refused_bytes("B08", b"SELECT '\xe9'", 3013, &text(9 - 1, "Latin-1"));
    refused_bytes("B10", b"SELECT '\xed\xa0\x80'", 3013, &text(8, "Latin-1"));
    refused_bytes("B10", b"\xc0\xaf", 3013, &text(0, "Latin-1"));
}

#[test]
fn names_that_no_migration_has() {
    let long = format!("1_{}.sql", "a".repeat(240));
    let too_long = format!("1_{}.down.sql", "a".repeat(181));
    let cases = [
        ("B18", "a.sql", 3019),
        ("B18", "1.sql", 3019),
        ("B18", "1_.sql", 3019),
        ("B18", "V1__a.sql", 3019),
        ("B18", "1_a b.sql", 3019),
        ("B18", "1_a.up.sql", 3019),
        ("B18", "1_a.SQL", 3019),
        ("B17", "1_\u{e9}.sql", 3019),
        ("B17", "1_e\u{301}.sql", 3019),
        ("B19", "0_a.sql", 3020),
        ("B19", "-1_a.sql", 3020),
        ("B19", "9223372036854775808_a.sql", 3020),
        ("B20", &long, 3021),
        ("B20", &too_long, 3021),
        ("B20", "1_a\u{1b}[31m\n.sql", 3021),
    ];
    for (number, name, code) in cases {
        let folder = folder(&[(name, b"SELECT 1")]);
        let found: Vec<_> = refusals(folder.path())
            .into_iter()
            .map(|(_, code, _)| code)
            .collect();
        assert_eq!(found, [code], "{number} {name:?}");
    }
    let ignored = folder(&[(".1_a.sql", b"x"), ("1_a.sql~", b"x"), ("x.txt", b"x")]);
    assert!(refusals(ignored.path()).is_empty(), "B18");
}

#[test]
fn the_longest_name_that_every_history_holds_is_taken() {
    let name = |letters| format!("1_{}.sql", "a".repeat(letters));
    for engine in Engine::ALL {
        assert!(track(engine, &[(&name(180), "SELECT 1")]).is_ok());
        let refused = track(engine, &[(&name(181), "SELECT 1")]).expect_err("B20");
        let said = refused.problems().first().expect("a problem").kind.to_string();
        assert_eq!(
            said,
            "the migration's name has 181 letters, and a history holds 180 at most"
        );
    }
}

#[test]
fn a_name_with_control_characters_is_shown_escaped() {
    let folder = folder(&[("1_a\u{1b}\n.sql", b"SELECT 1")]);
    let error = Track::read(folder.path(), TrackName::Tenant, Engine::Sqlite).expect_err("B20");
    let shown = error.problems().first().expect("a problem").to_string();
    assert!(
        shown.contains("1_a\\u{1b}\\u{a}.sql") && !shown.contains('\u{1b}'),
        "{shown}"
    );
}

#[test]
fn two_files_of_one_version() {
    for (number, other, code) in [
        ("B15", "1_b.sql", 3004),
        ("B16", "001_a.sql", 3004),
        ("B17", "1_A.sql", 3022),
    ] {
        let folder = folder(&[("1_a.sql", b"SELECT 1"), (other, b"SELECT 1")]);
        let found: Vec<_> = refusals(folder.path())
            .into_iter()
            .map(|(_, code, _)| code)
            .collect();
        assert_eq!(found, [code], "{number}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_ordinary_file_is_refused_without_opening_it() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    let outside = folder(&[("x.sql", b"SELECT 1")]);
    let folder = folder(&[]);
    let at = |name: &str| folder.path().join(name);
    symlink(outside.path().join("x.sql"), at("1_outside.sql")).expect("a link");
    symlink(at("2_loop.sql"), at("2_loop.sql")).expect("a link");
    symlink(at("none"), at("3_dangling.sql")).expect("a link");
    std::fs::create_dir(at("4_folder.sql")).expect("a folder");
    let made = std::process::Command::new("mkfifo")
        .arg(at("5_pipe.sql"))
        .status()
        .expect("mkfifo");
    assert!(made.success());
    let _socket = UnixListener::bind(at("6_socket.sql")).expect("a socket");
    let large = std::fs::File::create(at("7_large.sql")).expect("a file");
    large.set_len((64 << 20) + 1).expect("a length");
    let found: Vec<_> = refusals(folder.path())
        .into_iter()
        .map(|(_, code, _)| code)
        .collect();
    assert_eq!(found, [3025, 3025, 3025, 3026, 3026, 3026, 3028], "B21 B22 B24");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_is_told_with_the_reason() {
    let found = super::file::read(Path::new("/proc/self/mem"));
    assert!(matches!(found, Err(Kind::Unreadable(_))), "B23: {found:?}");
}
