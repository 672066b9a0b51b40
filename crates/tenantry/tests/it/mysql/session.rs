//! Sessions: the lock, the settings, whose database it is, and ways in that must stay shut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use tenantry::engine::{self, Address, ApplyError, Look, Session, SessionError, StateAfter, Tls};
use tenantry::plan::Goal;
use tokio::task::JoinSet;

use super::fixture::{Database, migrate_on, track, unchecked};
use super::proxy::{Cut, Proxy, renumbering};
use super::strings::SERVERS_MODE;

#[tokio::test]
async fn a_held_lock_blocks_and_its_holder_is_named() {
    let Some(db) = Database::create().await else {
        return;
    };
    let holder = db.open().await.unwrap();
    let mut options = db.options();
    options.lock_window = Duration::from_millis(300);
    let error = engine::open(&db.address(), &options).await.err().unwrap();
    let SessionError::Blocked { holders, .. } = error else {
        panic!("{error:?}");
    };
    let [named] = holders.as_slice() else {
        panic!("{holders:?}");
    };
    assert_eq!(named.user, db.server.user);
    assert!(named.pid > 0 && !named.since.is_empty() && !named.from.is_empty());
    drop(holder);
    // The lock is free as soon as the connection is gone.
    db.open().await.unwrap();
    db.drop().await;
}

#[tokio::test]
async fn two_databases_do_not_share_a_lock() {
    let (Some(one), Some(two)) = (Database::create().await, Database::create().await) else {
        return;
    };
    let first = one.open().await.unwrap();
    two.open().await.unwrap();
    drop(first);
    one.drop().await;
    two.drop().await;
}

#[tokio::test]
async fn a_migration_sees_the_servers_own_sql_mode() {
    let _guard = SERVERS_MODE.lock().await;
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "CREATE TABLE m (mode VARCHAR(500), zone VARCHAR(50), kind VARCHAR(50));
INSERT INTO m VALUES (@@SESSION.sql_mode, @@SESSION.time_zone, @@character_set_client);
";
    db.migrate(&track(&[(text, None)]), &Goal::Head).await.unwrap();
    let server = db
        .one("SELECT CONCAT(@@GLOBAL.sql_mode, '|', @@GLOBAL.time_zone, '|utf8mb4')")
        .await;
    assert_eq!(
        db.one("SELECT CONCAT(mode, '|', zone, '|', kind) FROM m").await,
        server
    );
    db.drop().await;
}

#[tokio::test]
async fn what_one_file_sets_does_not_reach_the_next() {
    let _guard = SERVERS_MODE.lock().await;
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = "SET sql_mode = '';
SET foreign_key_checks = 0;
CREATE TABLE m (n INT, t VARCHAR(500));
INSERT INTO m VALUES (1, CONCAT(@@SESSION.sql_mode, @@SESSION.foreign_key_checks));
";
    let second = "INSERT INTO m SELECT 2, CONCAT(@@SESSION.sql_mode, @@SESSION.foreign_key_checks);\n";
    db.migrate(&track(&[(first, None), (second, None)]), &Goal::Head)
        .await
        .unwrap();
    let server = db.one("SELECT CONCAT('OFF|', @@GLOBAL.sql_mode, 'ON')").await;
    assert_eq!(
        db.one("SELECT GROUP_CONCAT(t ORDER BY n SEPARATOR '|') FROM m")
            .await,
        server
    );
    db.drop().await;
}

#[tokio::test]
async fn another_tenants_database_is_refused() {
    let Some(db) = Database::create().await else {
        return;
    };
    let track = track(&[("CREATE TABLE a (n INT);\n", None)]);
    db.migrate(&track, &Goal::Head).await.unwrap();
    let mut options = db.options();
    options.database_id = "another".to_owned();
    for error in [
        engine::open(&db.address(), &options).await.err().unwrap(),
        engine::read(&db.address(), &options)
            .await
            .unwrap()
            .history()
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, SessionError::IdentityMismatch { expected, .. } if expected == "another"),
            "{error:?}"
        );
    }
    db.drop().await;
}

#[tokio::test]
async fn reading_writes_nothing_and_sees_who_was_there_before() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let mut reader = engine::read(&db.address(), &db.options()).await.unwrap();
    let history = reader.history().await.unwrap();
    assert!(history.meta.is_none() && !history.occupied);
    db.run("CREATE TABLE other (n INT)").await;
    assert!(reader.history().await.unwrap().occupied);
    assert_eq!(db.rows::<String>("SHOW TABLES").await, ["other"]);
    db.drop().await;
}

#[tokio::test]
async fn tables_of_ours_that_were_begun_are_finished() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let track = track(&[("CREATE TABLE a (n INT);\n", None)]);
    db.migrate(&track, &Goal::Head).await.unwrap();
    db.run("DROP TABLE a").await;
    db.run("DELETE FROM _tenantry_history").await;
    for damage in ["DELETE FROM _tenantry_meta", "DROP TABLE _tenantry_meta"] {
        db.run(damage).await;
        assert!(!db.open().await.unwrap().history().occupied);
    }
    db.migrate(&track, &Goal::Head).await.unwrap();
    db.run("DELETE FROM _tenantry_meta").await;
    let error = db.open().await.err().unwrap();
    assert!(matches!(error, SessionError::HistoryDamaged { .. }), "{error:?}");
    db.drop().await;
}

#[tokio::test]
async fn a_claim_by_somebody_else_fences_us() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = track(&[("CREATE TABLE a (n INT);\n", None)]);
    db.migrate(&first, &Goal::Head).await.unwrap();
    let both = track(&[
        ("CREATE TABLE a (n INT);\n", None),
        ("CREATE TABLE b (n INT);\n", None),
    ]);
    let mut session = db.open().await.unwrap();
    db.run("UPDATE _tenantry_meta SET epoch = epoch + 1").await;
    let error = migrate_on(session.as_mut(), &both, &Goal::Head)
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::Fenced), "{error:?}");
    assert_eq!(
        db.rows::<String>("SHOW TABLES LIKE 'b'").await,
        Vec::<String>::new()
    );
    db.drop().await;
}

#[tokio::test]
async fn a_migration_that_gives_the_lock_away_is_stopped() {
    for before in ["", "SET SESSION sql_select_limit = 0;\n"] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        let text = format!(
            "CREATE FUNCTION hidden() RETURNS INT RETURN RELEASE_ALL_LOCKS();\n{before}\
             DO hidden();\nCREATE TABLE b (n INT);\n"
        );
        let error = db
            .migrate(&track(&[(&text, None)]), &Goal::Head)
            .await
            .unwrap_err();
        assert!(matches!(error, ApplyError::SessionChanged { .. }), "{error:?}");
        assert_eq!(
            db.rows::<String>("SHOW TABLES LIKE 'b'").await,
            Vec::<String>::new()
        );
        db.drop().await;
    }
}

#[tokio::test]
async fn a_cancelled_statement_is_told_from_a_failed_one() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let text = "CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1), (SLEEP(60));\n";
    let track = track(&[(text, None)]);
    let mut session = db.open().await.unwrap();
    let canceller = session.canceller();
    let running = migrate_on(session.as_mut(), &track, &Goal::Head);
    let question = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND state = 'User sleep'",
        db.name
    );
    let stop = async {
        while db.one(&question).await == "0" {
            tokio::task::yield_now().await;
        }
        canceller.cancel().await;
    };
    let (result, ()) = tokio::join!(running, stop);
    let error = result.unwrap_err();
    let ApplyError::Cancelled { state, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(state, StateAfter::HalfWay { done: 1 });
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
    db.drop().await;
}

/// Somebody is making the table that is to be changed, so that already the look at it waits.
#[tokio::test]
async fn a_cancel_that_meets_a_question_of_ours_takes_back_what_was_not_committed() {
    let first = "CREATE TABLE a (n INT);\nCREATE TABLE seen (n INT);\n\
                 CREATE TRIGGER counts BEFORE INSERT ON a FOR EACH ROW INSERT INTO seen VALUES (NEW.n);\n";
    for second in [
        "ALTER TABLE late ADD c INT;\n",
        "INSERT INTO a VALUES (1);\nRENAME TABLE late TO later;\n",
    ] {
        let Some(mut db) = Database::create().await else {
            return;
        };
        db.migrate(&track(&[(first, None)]), &Goal::Head).await.unwrap();
        let mut other = db.server.admin().await;
        let used = format!("USE `{}`", db.name.replace('`', "``"));
        other.query_drop(used).await.unwrap();
        let id = other.id();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(other.query_drop("CREATE TABLE late SELECT SLEEP(60) AS n").await) });
        let state = |state: &str| {
            let of = format!("db = '{}' AND state = '{state}'", db.name);
            format!("SELECT COUNT(*) FROM information_schema.processlist WHERE {of}")
        };
        let (sleeping, waiting) = (state("User sleep"), state("Waiting for table metadata lock"));
        while db.one(&sleeping).await == "0" {}
        let both = track(&[(first, None), (second, None)]);
        let mut session = db.open().await.unwrap();
        let canceller = session.canceller();
        let running = migrate_on(session.as_mut(), &both, &Goal::Head);
        let stop = async {
            while db.one(&waiting).await == "0" {}
            canceller.cancel().await;
        };
        let (result, ()) = tokio::join!(running, stop);
        let error = result.unwrap_err();
        let ApplyError::Cancelled { state, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(state, StateAfter::RolledBack, "{second}");
        drop(session);
        assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0", "{second}");
        assert_eq!(
            db.one("SELECT COUNT(*) FROM _tenantry_history").await,
            "1",
            "{second}"
        );
        db.run(&format!("KILL {id}")).await;
        tasks.join_all().await;
        db.drop().await;
    }
}

#[tokio::test]
async fn a_row_that_counts_more_statements_than_there_are_holds_nobody_up() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let track = track(&[("CREATE TABLE a (n INT);\n", None)]);
    db.migrate(&track, &Goal::Head).await.unwrap();
    db.run("ALTER TABLE _tenantry_history MODIFY next_stmt BIGINT NOT NULL")
        .await;
    db.run(
        "UPDATE _tenantry_history SET phase = 'running', next_stmt = 9223372036854775807, \
         pre_fp = 'v1:-:00000000000000000000000000000000'",
    )
    .await;
    let error = db.migrate(&track, &Goal::Head).await.unwrap_err();
    assert!(matches!(error, ApplyError::Edited { .. }), "{error:?}");
    db.drop().await;
}

#[tokio::test]
async fn behind_a_proxy_with_numbers_of_its_own_the_right_statement_is_cancelled() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let (proxy, _tasks) = renumbering((db.server.host.clone(), db.server.port)).await;
    let mut address = db.network();
    address.host = proxy.ip().to_string();
    address.port = proxy.port();
    let text = "CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1), (SLEEP(30));\n";
    let track = track(&[(text, None)]);
    let mut session = engine::open(&Address::Network(address), &db.options())
        .await
        .unwrap();
    let (canceller, onlooker) = (session.canceller(), session.onlooker());
    let began = Instant::now();
    let stop = async {
        db.when("User sleep").await;
        assert!(matches!(onlooker.look().await, Look::AtIt(_)));
        canceller.cancel().await;
    };
    let running = migrate_on(session.as_mut(), &track, &Goal::Head);
    let (result, ()) = tokio::join!(running, stop);
    assert!(matches!(result, Err(ApplyError::Cancelled { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    db.drop().await;
}

#[tokio::test]
async fn a_refused_login_and_a_missing_database_are_told_apart() {
    let Some(db) = Database::create().await else {
        return;
    };
    let mut address = db.network();
    address.database = "tenantry_nowhere".to_owned();
    let error = engine::open(&Address::Network(address.clone()), &db.options())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, SessionError::NoDatabase { .. }), "{error:?}");
    address.login.password = "wrong".to_owned().into();
    let error = engine::open(&Address::Network(address.clone()), &db.options())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, SessionError::AuthFailed { .. }), "{error:?}");
    address.port = 1;
    let error = engine::open(&Address::Network(address), &db.options())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, SessionError::Unreachable { .. }), "{error:?}");
    db.drop().await;
}

#[tokio::test]
async fn tls_checks_what_it_says_it_checks() {
    let Some(db) = Database::create().await else {
        return;
    };
    let Some(ca_pem) = db.server.ca_pem.clone() else {
        return;
    };
    // The certificate is for localhost and 127.0.0.1; 127.0.0.2 leads to the same server.
    let server = (db.server.host.clone(), db.server.port);
    let proxy = Proxy::start("127.0.0.2:0", server, Cut::Blind).await;
    let try_with = async |host: &str, tls: Tls| {
        let mut address = db.network();
        host.clone_into(&mut address.host);
        address.port = match host {
            "127.0.0.2" => proxy.address.port(),
            _ => address.port,
        };
        address.tls = tls;
        engine::open(&Address::Network(address), &db.options())
            .await
            .map(drop)
    };
    let full = Tls::VerifyFull {
        ca_pem: Some(Arc::clone(&ca_pem)),
    };
    let other_ca: Arc<str> = include_str!("other-ca.pem").into();
    try_with("127.0.0.1", full.clone()).await.unwrap();
    try_with("127.0.0.1", Tls::Require).await.unwrap();
    try_with(
        "127.0.0.1",
        Tls::VerifyCa {
            ca_pem: Arc::clone(&ca_pem),
        },
    )
    .await
    .unwrap();
    try_with("127.0.0.2", Tls::VerifyCa { ca_pem }).await.unwrap();
    for (host, tls) in [
        ("127.0.0.2", full),
        (
            "127.0.0.1",
            Tls::VerifyFull {
                ca_pem: Some(Arc::clone(&other_ca)),
            },
        ),
        ("127.0.0.1", Tls::VerifyFull { ca_pem: None }),
        ("127.0.0.1", Tls::VerifyCa { ca_pem: other_ca }),
    ] {
        let error = try_with(host, tls.clone()).await.unwrap_err();
        assert!(matches!(error, SessionError::Tls { .. }), "{tls:?}: {error:?}");
    }
    db.drop().await;
}

#[tokio::test]
async fn a_local_file_is_never_sent() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    db.run("SET GLOBAL local_infile = 1").await;
    let mut session = db.open().await.unwrap();
    db.run("CREATE TABLE a (t TEXT)").await;
    let load = unchecked("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE a");
    let error = migrate_on(session.as_mut(), &load, &Goal::Head)
        .await
        .unwrap_err();
    assert!(matches!(error, ApplyError::Session { .. }), "{error:?}");
    assert_eq!(db.one("SELECT COUNT(*) FROM a").await, "0");
    db.drop().await;
}

/// Opens sessions that get another limit than everybody else has.
async fn with_a_small_limit(databases: [&mut Database; 2], limit: usize) -> [Box<dyn Session>; 2] {
    let [one, two] = databases;
    let before = one.one("SELECT @@GLOBAL.max_allowed_packet").await;
    one.run(&format!("SET GLOBAL max_allowed_packet = {limit}")).await;
    let opened = [one.open().await, two.open().await];
    one.run(&format!("SET GLOBAL max_allowed_packet = {before}"))
        .await;
    opened.map(Result::unwrap)
}

#[tokio::test]
async fn nothing_is_sent_that_is_above_the_servers_limit() {
    let (Some(mut one), Some(mut two)) = (Database::create().await, Database::create().await) else {
        return;
    };
    let limit = 256 << 10;
    let [mut first, mut second] = with_a_small_limit([&mut one, &mut two], limit).await;
    let make = "CREATE TABLE a (t LONGTEXT);\n";
    let insert = |size: usize| format!("INSERT INTO a VALUES ('{}')", "x".repeat(size));

    let long = insert(limit);
    let text = format!("{make}{long};\n");
    let error = migrate_on(first.as_mut(), &track(&[(&text, None)]), &Goal::Head)
        .await
        .unwrap_err();
    assert_eq!(error.code().to_string(), "TN-2015", "{error:?}");
    let said = error.to_string();
    for part in [
        "statement 2 of 2".to_owned(),
        format!("{} bytes", long.len()),
        format!("max_allowed_packet of {limit} bytes"),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert_eq!(
        one.rows::<String>("SHOW TABLES LIKE 'a'").await,
        Vec::<String>::new()
    );

    // Each fits, and two of them do not fit in one message.
    let fits = insert(150_000);
    let text = format!("{make}{fits};\n{fits};\n{fits};\n");
    migrate_on(second.as_mut(), &track(&[(&text, None)]), &Goal::Head)
        .await
        .unwrap();
    assert_eq!(two.one("SELECT COUNT(*) FROM a").await, "3");
    one.drop().await;
    two.drop().await;
}

#[tokio::test]
async fn a_setting_that_the_server_does_not_know_is_not_set_back() {
    for text in [
        "/*!80013 SET SESSION sql_require_primary_key = 0 */;\nCREATE TABLE a (n INT);\n",
        "CREATE TABLE a (n INT);\n/*!80000 SET SESSION information_schema_stats_expiry = 0 */;\n\
         INSERT INTO a VALUES (1);\n/*!80000 SET @a = @@version, SESSION version = 1 */;\n",
    ] {
        let Some(db) = Database::create().await else {
            return;
        };
        let recorded = db.migrate(&track(&[(text, None)]), &Goal::Head).await.unwrap();
        assert_eq!(recorded.len(), 1, "{text}");
        db.drop().await;
    }
}

#[tokio::test]
async fn every_setting_that_a_file_names_is_set_back_behind_it() {
    let Some(mut db) = Database::create().await else {
        return;
    };
    let first = "SET SESSION auto_increment_increment = 7, @@session.sql_if_exists := 1;
SET LOCAL system_versioning_alter_history = KEEP, insert_id = 5;
CREATE TABLE m (t VARCHAR(500));
INSERT INTO m VALUES (@@SESSION.auto_increment_increment);
";
    let second = "INSERT INTO m VALUES (CONCAT(@@auto_increment_increment, @@sql_if_exists, \
                  @@system_versioning_alter_history));\n";
    db.migrate(&track(&[(first, None), (second, None)]), &Goal::Head)
        .await
        .unwrap();
    let server = "SELECT CONCAT('7|', @@GLOBAL.auto_increment_increment, @@GLOBAL.sql_if_exists, \
                  @@GLOBAL.system_versioning_alter_history)";
    let server = db.one(server).await;
    assert_eq!(
        db.one("SELECT GROUP_CONCAT(t ORDER BY LENGTH(t) SEPARATOR '|') FROM m")
            .await,
        server
    );
    db.drop().await;
}
