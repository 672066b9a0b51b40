//! Files that must be refused (corpus rows B03 to B56), through the command: code, exit, file and line, and no change
//! anywhere. Every spelling of each row: `migration/refuse/tests.rs` and `migration/read/tests.rs` of the library.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use tenantry::engine::Engine;
use tenantry::engine::Engine::{MySql, Postgres, Sqlite};

use super::histories::snapshot;
use super::{THINGS, on_each_engine};
use crate::only_json;
use crate::platform::Platform;

on_each_engine!(
    a_file_that_must_not_run_is_refused_with_its_place,
    a_file_whose_name_or_kind_is_wrong_is_refused,
    what_looks_wrong_and_is_right_runs,
);

const ALL: &[Engine] = &[Postgres, MySql, Sqlite];
const PG: &[Engine] = &[Postgres];
const MY: &[Engine] = &[MySql];
const LITE: &[Engine] = &[Sqlite];
const NOT_MY: &[Engine] = &[Postgres, Sqlite];

/// Row, engines, content, code, and the line, where there is one.
type Refused = (
    &'static str,
    &'static [Engine],
    &'static [u8],
    &'static str,
    Option<u64>,
);

const REFUSED: &[Refused] = &[
    ("B03", ALL, b"", "TN-3011", None),
    ("B04", ALL, b"-- a\n/* b */;;", "TN-3012", None),
    ("B06", ALL, b"SELECT 1;\n\xef\xbb\xbfSELECT 2", "TN-3016", Some(2)),
    (
        "B07",
        ALL,
        b"\xff\xfeS\0E\0L\0E\0C\0T\0 \x001\0",
        "TN-3013",
        Some(1),
    ),
    ("B08", ALL, b"SELECT 1;\nSELECT '\xe9'", "TN-3013", Some(2)),
    ("B09", ALL, b"SELECT 1;\nSELECT '\0'", "TN-3014", Some(2)),
    ("B10", ALL, b"SELECT '\xed\xa0\x80'", "TN-3013", Some(1)),
    ("B12", ALL, b"SELECT 1;\n\x1a", "TN-3015", Some(2)),
    ("B13", ALL, b"SELECT 1;\n-- \xe2\x80\xae", "TN-3017", Some(2)),
    ("B14", ALL, b"SELECT\xc2\xa01", "TN-3018", Some(1)),
    ("B28", ALL, b"SELECT 1;\n SELECT 'a", "TN-3030", Some(2)),
    ("B31", PG, b"SELECT E'\\'", "TN-3030", Some(1)),
    (
        "B32",
        MY,
        b"DELIMITER //\nSELECT 1;\nDELIMITER ;",
        "TN-3031",
        Some(1),
    ),
    ("B35", NOT_MY, b"SELECT 1;\n# a\nSELECT 1", "TN-3032", Some(2)),
    ("B38", PG, b"SELECT 1;\n\\i other.sql", "TN-3033", Some(2)),
    ("B38", LITE, b".read x", "TN-3033", Some(1)),
    (
        "B39",
        PG,
        b"COPY t (a) FROM STDIN;\n1\tit's\n\\.\n",
        "TN-3034",
        Some(1),
    ),
    ("B40", ALL, b"SELECT 1;\nBEGIN", "TN-3035", Some(2)),
    ("B40", ALL, b"COMMIT", "TN-3035", Some(1)),
    ("B42", PG, b"PREPARE TRANSACTION 'x'", "TN-3035", Some(1)),
    ("B43", PG, b"SELECT 1;\nSET search_path = a", "TN-3036", Some(2)),
    ("B43", MY, b"SET ROLE a", "TN-3036", Some(1)),
    ("B44", PG, b"SELECT pg_advisory_unlock_all()", "TN-3038", Some(1)),
    ("B44", MY, b"DO RELEASE_ALL_LOCKS()", "TN-3038", Some(1)),
    ("B45", ALL, b"SELECT 1;\nUSE other", "TN-3039", Some(2)),
    ("B45", MY, b"INSERT INTO other.t VALUES (1)", "TN-3039", Some(1)),
    (
        "B46",
        PG,
        b"CREATE INDEX CONCURRENTLY i ON things (id)",
        "TN-3040",
        Some(1),
    ),
    (
        "B47",
        NOT_MY,
        b"-- tenantry: no-transaction\nVACUUM;\nVACUUM;\n",
        "TN-3041",
        Some(3),
    ),
    (
        "B48",
        PG,
        b"-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON things (id)",
        "TN-3042",
        Some(2),
    ),
    ("B49", LITE, b"VACUUM", "TN-3040", Some(1)),
    ("B49", LITE, b"PRAGMA journal_mode = WAL", "TN-3040", Some(1)),
    ("B51", MY, b"SELECT 1;\nTRUNCATE TABLE things", "TN-3043", Some(2)),
    (
        "B52",
        MY,
        b"LOAD DATA LOCAL INFILE 'x' INTO TABLE things",
        "TN-3044",
        Some(1),
    ),
    ("B52", PG, b"COPY things FROM PROGRAM 'x'", "TN-3044", Some(1)),
    ("B52", LITE, b"ATTACH 'x' AS y", "TN-3044", Some(1)),
    ("B53", ALL, b"SELECT 1;\nDROP DATABASE x", "TN-3045", Some(2)),
    ("B53", MY, b"KILL 5", "TN-3045", Some(1)),
    ("B54", ALL, b"DELETE FROM _tenantry_history", "TN-3046", Some(1)),
    (
        "B55",
        ALL,
        b"-- tenantry: no-transacton\nSELECT 1",
        "TN-3047",
        Some(1),
    ),
    (
        "B56",
        ALL,
        b"SELECT 1;\nSELECT 1 FROM tenant_${id}",
        "TN-3050",
        Some(2),
    ),
];

fn acme(engine: Engine) -> Option<Platform> {
    Platform::with_tenants(engine, &[THINGS], &["acme"])
}

/// Runs everything; checks that it is refused so and that nothing changed. Returns the document.
fn is_refused(platform: &Platform, row: &str, code: &str) -> Value {
    let before = snapshot(platform);
    let refused = platform.json(40, &["migrate", "all-tenants"]);
    assert_eq!(refused["code"], code, "{row}: {refused}");
    assert_eq!(snapshot(platform), before, "{row}");
    refused
}

fn a_file_that_must_not_run_is_refused_with_its_place(engine: Engine) {
    let Some(platform) = acme(engine) else { return };
    let file = platform.path("migrations/tenant/002_bad.sql");
    for (row, engines, content, code, line) in REFUSED {
        if engines.contains(&engine) {
            fs::write(&file, content).unwrap();
            let refused = is_refused(&platform, row, code);
            assert_eq!(
                refused["file"], "migrations/tenant/002_bad.sql",
                "{row}: {refused}"
            );
            assert_eq!(refused["line"].as_u64(), *line, "{row} {code}: {refused}");
        }
    }
    // B24: refused before it is read; it takes no space on the disk.
    let large = fs::File::create(&file).unwrap();
    large.set_len(1 << 30).unwrap();
    is_refused(&platform, "B24", "TN-3028");
    // B25: one statement of 20 MB.
    fs::write(&file, format!("SELECT '{}'", "x".repeat(20 << 20))).unwrap();
    is_refused(&platform, "B25", "TN-3056");
    fs::remove_file(&file).unwrap();
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
}

fn a_file_whose_name_or_kind_is_wrong_is_refused(engine: Engine) {
    let Some(platform) = acme(engine) else { return };
    let folder = platform.path("migrations/tenant");
    let long = format!("002_{}.sql", "x".repeat(240));
    let too_long = format!("002_{}.sql", "x".repeat(181));
    for (row, name, code) in [
        ("B15", "001_other.sql", "TN-3004"),
        ("B16", "1_things.sql", "TN-3004"),
        ("B17", "001_Things.sql", "TN-3022"),
        ("B17", "002_\u{e9}.sql", "TN-3019"),
        ("B18", "things.sql", "TN-3019"),
        ("B18", "002_a b.sql", "TN-3019"),
        ("B19", "0_a.sql", "TN-3020"),
        ("B19", "9223372036854775808_a.sql", "TN-3020"),
        ("B20", "002_a\u{1b}[31m.sql", "TN-3021"),
        ("B20", &long, "TN-3021"),
        ("B20", &too_long, "TN-3021"),
    ] {
        fs::write(folder.join(name), "SELECT 1").unwrap();
        let refused = is_refused(&platform, row, code);
        assert!(!refused.to_string().contains('\u{1b}'), "{row}: {refused}");
        fs::remove_file(folder.join(name)).unwrap();
    }
    let file = folder.join("002_kind.sql");
    for target in ["/etc/hostname", "nowhere", "002_kind.sql"] {
        symlink(target, &file).unwrap();
        is_refused(&platform, "B21", "TN-3025");
        fs::remove_file(&file).unwrap();
    }
    fs::create_dir(&file).unwrap();
    is_refused(&platform, "B22", "TN-3026");
    fs::remove_dir(&file).unwrap();
    // B23 is in `rights.rs`: root reads everything.
    // B01 and B02: nothing there is nothing to do; no folder is a mistake.
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
    fs::rename(&folder, platform.path("elsewhere")).unwrap();
    fs::write(&folder, "").unwrap();
    let before = snapshot(&platform);
    assert_eq!(platform.json(3, &["migrate", "all-tenants"])["code"], "TN-1006");
    assert_eq!(snapshot(&platform), before);
}

fn what_looks_wrong_and_is_right_runs(engine: Engine) {
    let Some(platform) = acme(engine) else { return };
    // B05 and B11: the mark at the beginning and line ends do not count.
    let marked = format!("\u{feff}{}", THINGS.1.replace('\n', "\r\n"));
    fs::write(platform.path("migrations/tenant/001_things.sql"), marked).unwrap();
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["current"], 1);
    // B29, B30, B34, B36, B37: what is inside is no end.
    let inside = match engine {
        Postgres => {
            "INSERT INTO things VALUES (3, 'a;b') /* /* ; */ ; */;\n\
             CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n\
             DO $x$ BEGIN PERFORM ';'; END $x$;\n"
        }
        MySql => {
            "INSERT INTO things VALUES (5--2, 'a;b') /* /* ; */;\nSELECT `;` FROM (SELECT 1 AS `;`) x; # ;\n"
        }
        Sqlite => {
            "INSERT INTO things VALUES (3, 'a;b') /* /* ; */;\n\
             CREATE TRIGGER t AFTER INSERT ON things BEGIN\n\
             UPDATE things SET name = CASE WHEN id = 1 THEN 'x;' ELSE name END; SELECT 1; END;\n"
        }
    };
    // B20: the longest name that is taken is stored as it is.
    let name = "x".repeat(180);
    platform.write(&format!("migrations/tenant/002_{name}.sql"), inside);
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
    let acme = platform.database("acme");
    let stored = "SELECT name FROM _tenantry_history WHERE version = 2";
    assert_eq!(platform.one(&acme, stored), name);
    let third = "SELECT name FROM things WHERE name = 'a;b'";
    assert_eq!(platform.one(&acme, third), "a;b");
}

/// B26: a million statements, in memory that does not grow with what they are.
#[test]
fn a_million_statements_run_in_bounded_memory() {
    let platform = acme(Sqlite).unwrap();
    let many = "SELECT 1;\n".repeat(999_999) + "INSERT INTO things VALUES (3, 'c');\n";
    platform.write("migrations/tenant/002_many.sql", &many);
    let run = platform.command(&["migrate", "all-tenants", "--json"]);
    let mut command = Command::new("sh");
    // In KiB, of address space: the stacks of threads count as a whole.
    command.args(["-c", "ulimit -v 786432; exec \"$0\" \"$@\""]);
    command.arg(run.get_program()).args(run.get_args());
    command
        .current_dir(platform.path(""))
        .env_clear()
        .env("MALLOC_ARENA_MAX", "2");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(only_json(&output)["applied"], 1);
    let acme = platform.database("acme");
    let row =
        "SELECT h.name || ' ' || total_stmts FROM _tenantry_history h, things WHERE version = 2 AND id = 3";
    assert_eq!(platform.one(&acme, row), "many 1000000");
}

/// Ends a thread that writes, when a check failed too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// B27: a file of 40 MB to which somebody adds and takes away all the time.
#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let platform = acme(Sqlite).unwrap();
    let text = format!("SELECT 1; -- {}", "x".repeat(40 << 20));
    platform.write("migrations/tenant/002_growing.sql", &text);
    let file = platform.path("migrations/tenant/002_growing.sql");
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = text.len() as u64;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| {
            for more in (0..100).cycle() {
                file.set_len(length + more).unwrap();
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let refused = is_refused(&platform, "B27", "TN-3029");
        assert_eq!(refused["file"], "migrations/tenant/002_growing.sql", "{refused}");
    });
    file.set_len(length).unwrap();
    assert_eq!(platform.json(0, &["migrate", "all-tenants"])["applied"], 1);
}
