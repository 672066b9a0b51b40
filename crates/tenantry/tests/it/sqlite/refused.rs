//! Files that are not migrated, and things that a migration must not do.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use tenantry::engine::{self, Address, ApplyError, SessionError, SqliteAddress};

use super::{Bench, CUSTOMERS, VAT, reason, track};

#[tokio::test]
async fn a_missing_file_is_no_database() {
    let bench = Bench::without_file();
    let error = bench.try_open().await.err();
    assert!(
        matches!(error, Some(SessionError::NoDatabase { .. })),
        "{error:?}"
    );
    assert!(!bench.path().exists());
}

#[tokio::test]
async fn a_symbolic_link_is_not_followed() {
    let bench = Bench::without_file();
    let real = bench.folder.path().join("real.db");
    std::fs::write(&real, "").unwrap();
    symlink(&real, bench.path()).unwrap();
    let error = bench.try_open().await.err().unwrap();
    assert_eq!(reason(&error), "it is a symbolic link");
}

#[tokio::test]
async fn a_folder_a_read_only_file_and_a_text_are_refused() {
    let folder = Bench::without_file();
    std::fs::create_dir(folder.path()).unwrap();
    let read_only = Bench::new();
    std::fs::set_permissions(read_only.path(), std::fs::Permissions::from_mode(0o444)).unwrap();
    let text = Bench::without_file();
    std::fs::write(text.path(), "Not a database. ".repeat(500)).unwrap();
    for (bench, expected) in [
        (folder, "it is a folder"),
        (read_only, "the file is read-only"),
        (text, "it is not an SQLite database, or it is encrypted"),
    ] {
        let error = bench.try_open().await.err().unwrap();
        assert_eq!(reason(&error), expected);
    }
}

#[tokio::test]
async fn a_name_cannot_leave_its_folder() {
    let bench = Bench::new();
    for file in [
        "",
        ".",
        "..",
        "../acme.db",
        "/etc/passwd",
        "x/acme.db",
        "acme.db/",
        "a\\b",
        "a\0b",
    ] {
        let address = Address::Sqlite(SqliteAddress {
            folder: bench.folder.path().to_owned(),
            file: file.to_owned(),
        });
        let error = engine::open(&address, &bench.options).await.err().unwrap();
        assert!(reason(&error).starts_with("the name"), "{file:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_looks_like_a_uri_is_a_name() {
    let bench = Bench::new();
    let name = "file:acme.db?mode=memory";
    std::fs::rename(bench.path(), bench.folder.path().join(name)).unwrap();
    let address = Address::Sqlite(SqliteAddress {
        folder: bench.folder.path().to_owned(),
        file: name.to_owned(),
    });
    engine::open(&address, &bench.options).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_tenant_or_registry_is_refused() {
    let mut bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let before = std::fs::read(bench.path()).unwrap();
    bench.options.registry_id = "registry-2".to_owned();
    let error = bench.try_open().await.err();
    assert!(
        matches!(error, Some(SessionError::IdentityMismatch { .. })),
        "{error:?}"
    );
    bench.options.database_id = "db-2".to_owned();
    match bench.try_open().await.err() {
        Some(SessionError::IdentityMismatch { expected, found }) => {
            assert_eq!((expected.as_str(), found.as_str()), ("db-2", "db-1"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn a_newer_layout_of_our_tables_is_refused() {
    let bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    bench.execute("UPDATE _tenantry_meta SET format = 99");
    let error = bench.try_open().await.err().unwrap();
    assert!(reason(&error).contains("format 99"), "{error:?}");
}

/// Rows without end, in the columns that are given.
fn endless(columns: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {columns} FROM n WHERE i < 0"
    )
}

/// Opens the file to change and to read it; both must refuse the history, and leave the file as it is.
async fn is_damaged(bench: &Bench, says: &str) {
    let before = std::fs::read(bench.path()).unwrap();
    let opened = bench.try_open().await.err();
    let read = engine::read(&bench.address(), &bench.options).await.err();
    for error in [opened, read] {
        let Some(SessionError::HistoryDamaged { reason }) = error else {
            panic!("{error:?}");
        };
        assert!(reason.contains(says), "{reason}");
    }
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn an_endless_view_in_the_place_of_one_of_our_tables_is_not_asked() {
    for table in ["_tenantry_meta", "_tenantry_history"] {
        let bench = Bench::new();
        bench.apply(&track(&[CUSTOMERS])).await.unwrap();
        let columns: Vec<String> = {
            let connection = rusqlite::Connection::open(bench.path()).unwrap();
            let statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names = statement.column_names();
            names.iter().map(|name| format!("i AS {name}")).collect()
        };
        let view = endless(&columns.join(", "));
        bench.execute(&format!("DROP TABLE {table}; CREATE VIEW {table} AS {view}"));
        is_damaged(&bench, &format!("a view stands in the place of `{table}`")).await;
    }
}

#[tokio::test]
async fn a_trigger_on_our_tables_does_not_fire() {
    for table in ["_tenantry_meta", "_tenantry_history"] {
        let bench = Bench::new();
        bench.apply(&track(&[CUSTOMERS])).await.unwrap();
        for event in ["INSERT", "UPDATE"] {
            let body = endless("i");
            bench.execute(&format!(
                "CREATE TRIGGER of_{event} BEFORE {event} ON {table} BEGIN SELECT i FROM ({body}); END"
            ));
        }
        let says = format!(
            "the trigger `of_INSERT` stands on `{table}`, the trigger `of_UPDATE` stands on `{table}`"
        );
        is_damaged(&bench, &says).await;
    }
}

#[tokio::test]
async fn a_trigger_that_a_migration_puts_on_our_tables_does_not_fire() {
    let bench = Bench::new();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let body = endless("i");
    let trigger = format!(
        "CREATE TRIGGER theirs BEFORE INSERT ON _Tenantry_History BEGIN SELECT i FROM ({body}); END;\n"
    );
    let before = std::fs::read(bench.path()).unwrap();
    let files = track(&[CUSTOMERS, VAT, &trigger]);
    let error = bench.apply(&files).await.unwrap_err();
    let ApplyError::Session { commit_sent, source } = &error else {
        panic!("{error:?}");
    };
    assert!(!commit_sent);
    let SessionError::HistoryDamaged { reason } = source else {
        panic!("{error:?}");
    };
    assert_eq!(reason, "the trigger `theirs` stands on `_Tenantry_History`");
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn a_migration_stays_in_its_file_and_its_transaction() {
    for sql in [
        "ATTACH 'other.db' AS other",
        "ATTACH NULL AS other",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SELECT load_extension('x')",
        "PRAGMA hard_heap_limit = 1",
        "PRAGMA temp_store_directory = '/'",
    ] {
        let bench = Bench::new();
        let error = bench.apply(&track(&[CUSTOMERS, sql])).await.unwrap_err();
        let ApplyError::Statement { step, source, .. } = error else {
            panic!("{sql}: {error:?}");
        };
        assert_eq!(step, 1);
        assert!(source.hint.is_some(), "{sql}: {source:?}");
        assert_eq!(bench.tables(), 0, "{sql}");
    }
}
