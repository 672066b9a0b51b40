//! Creating a tenant's file.

use std::path::Path;

use tenantry::engine::{Address, CreateError, NewDatabase, SqliteAddress, create_database};

async fn create_sqlite_database(folder: &Path, new: &NewDatabase) -> Result<(), CreateError> {
    let at = SqliteAddress {
        folder: folder.to_owned(),
        file: String::new(),
    };
    create_database(&Address::Sqlite(at), new).await
}

use super::{Bench, CUSTOMERS, files_in, track};

fn new(database_id: &str) -> NewDatabase {
    NewDatabase {
        name: "acme.db".to_owned(),
        login: None,
        database_id: database_id.to_owned(),
        tenant_id: "tenant-1".to_owned(),
        registry_id: "registry-1".to_owned(),
    }
}

#[tokio::test]
async fn a_created_file_says_whose_it_is_and_can_be_migrated() {
    let bench = Bench::without_file();
    create_sqlite_database(bench.folder.path(), &new("db-1"))
        .await
        .unwrap();
    let meta = bench.history().await.meta.unwrap();
    assert_eq!((meta.database_id.as_str(), meta.epoch), ("db-1", 0));
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let meta = bench.history().await.meta.unwrap();
    assert_eq!((meta.registry_id.as_str(), meta.epoch), ("registry-1", 1));
}

#[tokio::test]
async fn creating_again_is_harmless() {
    let bench = Bench::new();
    create_sqlite_database(bench.folder.path(), &new("db-1"))
        .await
        .unwrap();
    bench.apply(&track(&[CUSTOMERS])).await.unwrap();
    let before = std::fs::read(bench.path()).unwrap();
    create_sqlite_database(bench.folder.path(), &new("db-1"))
        .await
        .unwrap();
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[tokio::test]
async fn a_folder_is_made() {
    let bench = Bench::without_file();
    let folder = bench.folder.path().join("a/b");
    create_sqlite_database(&folder, &new("db-1")).await.unwrap();
    assert_eq!(files_in(&folder), ["acme.db"]);
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let others = Bench::new();
    create_sqlite_database(others.folder.path(), &new("db-9"))
        .await
        .unwrap();
    let tables = Bench::new();
    tables.execute("CREATE TABLE theirs (x)");
    let text = Bench::without_file();
    std::fs::write(text.path(), "Not a database. ".repeat(500)).unwrap();
    for bench in [others, tables, text] {
        let before = std::fs::read(bench.path()).unwrap();
        let error = create_sqlite_database(bench.folder.path(), &new("db-1"))
            .await
            .unwrap_err();
        assert!(matches!(error, CreateError::Conflict { .. }), "{error:?}");
        assert_eq!(std::fs::read(bench.path()).unwrap(), before);
    }
}
