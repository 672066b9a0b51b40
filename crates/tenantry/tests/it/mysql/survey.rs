//! The histories of many databases on one connection of the administrator's, among tenants who mean harm.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use tenantry::TrackName;
use tenantry::engine::{self, Address, Asked, Engine, Login, Marker, Survey, Whose};
use tenantry::migration::Track;
use tenantry::plan::Goal;

use crate::database::{TestDatabase, fresh, mysql};
use crate::postgres_outside::{LATER, TABLE, to_head};

fn track() -> Track {
    Track::from_files(TrackName::Tenant, Engine::MySql, &[TABLE, LATER]).unwrap()
}

/// Makes some databases that are at their head.
async fn at_head<const N: usize>() -> Option<[TestDatabase; N]> {
    let mut all = Vec::new();
    for _ in 0..N {
        let database = fresh(Engine::MySql).await?;
        to_head(&database, &track()).await.unwrap();
        all.push(database);
    }
    all.try_into().ok()
}

fn asked(database: &TestDatabase) -> Asked<'_> {
    Asked {
        database: database.address.database(),
        whose: Whose {
            registry_id: "registry",
            database_id: &database.id,
        },
        tenant_id: "tenant",
    }
}

async fn survey(asked: &[Asked<'_>], at: &TestDatabase) -> Survey {
    engine::survey_histories(&at.address, asked, &at.options()).await
}

/// Returns whether a database was found to be at its head.
fn is_told(survey: &Survey, database: &TestDatabase) -> bool {
    let done = tenantry::engine::Done::of_goal(&track(), &Goal::Head).unwrap();
    let wanted: Marker = done.by(asked(database).whose).unwrap();
    survey.marker(database.address.database(), &TrackName::Tenant) == Some(&wanted)
}

/// Another program's connection into a database.
async fn inside(database: &TestDatabase) -> Conn {
    let Address::Network(at) = &database.address else {
        panic!("MariaDB is a network engine")
    };
    mysql(at).await
}

#[tokio::test]
async fn one_that_cannot_be_read_keeps_nobody_else_from_being_read() {
    let Some([one, two]) = at_head().await else { return };
    let gone = Asked {
        database: "nobody`s",
        ..asked(&one)
    };
    let mut all = vec![gone; 60];
    all.insert(30, asked(&one));
    all.push(asked(&two));
    all.push(Asked {
        database: "no\0name",
        ..gone
    });
    let survey = survey(&all, &one).await;
    assert!(is_told(&survey, &one) && is_told(&survey, &two), "{survey:?}");
    assert_eq!(survey.markers.len(), 2);
}

#[tokio::test]
async fn a_view_in_the_place_of_our_table_does_not_run() {
    for name in ["_tenantry_history", "_tenantry_meta"] {
        let Some([theirs, ours, loot]) = at_head().await else {
            return;
        };
        let proof = format!("{}.proof", loot.address.database());
        loot.query("CREATE TABLE proof (who VARCHAR(100))").await;
        for sql in [
            format!("DROP TABLE {name}"),
            format!(
                "CREATE FUNCTION steal() RETURNS INT SQL SECURITY INVOKER \
                 BEGIN INSERT INTO {proof} VALUES (CURRENT_USER()); RETURN 1; END"
            ),
            format!("CREATE SQL SECURITY INVOKER VIEW {name} AS SELECT steal() AS one"),
        ] {
            theirs.query(&sql).await;
        }
        let survey = survey(&[asked(&theirs), asked(&ours)], &ours).await;
        assert_eq!(loot.one("SELECT COUNT(*) FROM proof").await, "0", "{name}");
        assert!(!is_told(&survey, &theirs) && is_told(&survey, &ours), "{name}");
        // Whoever would read it as a table runs it.
        theirs.query(&format!("SELECT * FROM {name}")).await;
        assert_eq!(loot.one("SELECT COUNT(*) FROM proof").await, "1", "{name}");
    }
}

#[tokio::test]
async fn nobodys_lock_is_waited_for_and_nobodys_open_transaction_is_believed() {
    let Some([locked, waits, open, ours]) = at_head().await else {
        return;
    };
    let (mut one, mut two, mut three) = (inside(&locked).await, inside(&waits).await, inside(&open).await);
    one.query_drop("LOCK TABLES _tenantry_history WRITE")
        .await
        .unwrap();
    two.query_drop("LOCK TABLES _tenantry_meta WRITE").await.unwrap();
    three.query_drop("START TRANSACTION").await.unwrap();
    three
        .query_drop("UPDATE _tenantry_history SET phase = 'running'")
        .await
        .unwrap();
    let began = Instant::now();
    let told = survey(
        &[asked(&locked), asked(&waits), asked(&open), asked(&ours)],
        &ours,
    )
    .await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!is_told(&told, &locked) && !is_told(&told, &waits));
    assert!(is_told(&told, &open) && is_told(&told, &ours));
    three.query_drop("COMMIT").await.unwrap();
    assert!(!is_told(&survey(&[asked(&open)], &ours).await, &open));
}

#[tokio::test]
async fn what_is_not_at_its_head_or_not_exactly_ours_is_not_told() {
    let Some([ours]) = at_head().await else { return };
    let name = format!("{}.", ours.address.database());
    let mut admin = inside(&ours).await;
    for (what, back) in [
        (
            "UPDATE _tenantry_history SET checksum = REPEAT('0', 64) WHERE version = 1",
            "",
        ),
        (
            "UPDATE _tenantry_history SET phase = 'running' WHERE version = 3",
            "",
        ),
        (
            "UPDATE _tenantry_history SET name = 'renamed' WHERE version = 3",
            "",
        ),
        ("UPDATE _tenantry_history SET version = 4 WHERE version = 3", ""),
        ("UPDATE _tenantry_history SET checksum = 'none'", ""),
        ("UPDATE _tenantry_history SET epoch = -1", ""),
        ("DELETE FROM _tenantry_history WHERE version = 3", ""),
        ("DELETE FROM _tenantry_history", ""),
        ("UPDATE _tenantry_meta SET database_id = 'another'", ""),
        ("UPDATE _tenantry_meta SET tenant_id = 'another'", ""),
        ("UPDATE _tenantry_meta SET registry_id = 'another'", ""),
        ("UPDATE _tenantry_meta SET format = 2", ""),
        ("DELETE FROM _tenantry_meta", ""),
        (
            "ALTER TABLE _tenantry_history ADD COLUMN more INT",
            "ALTER TABLE _tenantry_history DROP COLUMN more",
        ),
        (
            "ALTER TABLE _tenantry_history MODIFY name VARCHAR(255) AFTER checksum",
            "ALTER TABLE _tenantry_history MODIFY name VARCHAR(255) AFTER version",
        ),
    ] {
        assert!(
            is_told(&survey(&[asked(&ours)], &ours).await, &ours),
            "before {what}"
        );
        for table in ["_tenantry_history", "_tenantry_meta"] {
            ours.query(&format!("CREATE TABLE kept{table} AS SELECT * FROM {table}"))
                .await;
        }
        admin
            .query_drop(what.replace("_tenantry", &format!("{name}_tenantry")))
            .await
            .unwrap();
        assert!(!is_told(&survey(&[asked(&ours)], &ours).await, &ours), "{what}");
        if !back.is_empty() {
            admin.query_drop(back).await.unwrap();
        }
        for table in ["_tenantry_history", "_tenantry_meta"] {
            ours.query(&format!("DELETE FROM {table}")).await;
            ours.query(&format!("INSERT INTO {table} SELECT * FROM kept{table}"))
                .await;
            ours.query(&format!("DROP TABLE kept{table}")).await;
        }
    }
}

#[tokio::test]
async fn tables_that_are_endless_or_slow_are_left() {
    let Some([long, wide, slow, ours]) = at_head().await else {
        return;
    };
    let more = "INSERT INTO _tenantry_history SELECT track, version + seq + 10, name, checksum, phase, attempt_id, \
                run_id, epoch, next_stmt, total_stmts, pre_fp, started_at, done_at, duration_ms, tool_version \
                FROM _tenantry_history, seq_1_to_20000 WHERE version = 1";
    long.query(more).await;
    wide.query("ALTER TABLE _tenantry_history MODIFY name LONGTEXT")
        .await;
    wide.query("UPDATE _tenantry_history SET name = REPEAT('x', 2000000)")
        .await;
    slow.query(&more.replace("20000", "5000")).await;
    let digest = "SHA2(REPEAT(REPEAT('a', 3000 + version), 1000), 512)";
    slow.query(&format!(
        "ALTER TABLE _tenantry_history ADD COLUMN more TEXT AS ({digest}) VIRTUAL"
    ))
    .await;
    let began = Instant::now();
    let told = survey(&[asked(&long), asked(&wide), asked(&slow), asked(&ours)], &ours).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(is_told(&told, &ours), "{told:?}");
    assert_eq!(told.markers.len(), 1, "{told:?}");
}

#[tokio::test]
async fn an_administrator_without_rights_or_password_is_told_nothing() {
    let Some([ours]) = at_head().await else { return };
    let name = ours.address.database();
    ours.query(&format!("CREATE USER {name}@'%' IDENTIFIED BY 'known'"))
        .await;
    for password in ["known", "wrong"] {
        let mut address = ours.address.clone();
        if let Address::Network(network) = &mut address {
            network.login = Login {
                user: name.to_owned(),
                password: password.to_owned().into(),
            };
        }
        let survey = engine::survey_histories(&address, &[asked(&ours)], &ours.options()).await;
        assert!(survey.markers.is_empty(), "{password}");
    }
}
