//! A transaction that a procedure or a block leaves open is no place for our own writes.

use tenantry::Direction;
use tenantry::engine::{ApplyError, StateAfter, Unit};
use tenantry::plan::{Goal, plan};
use tenantry::run::Failure;

use super::fixture::{Database, track};

/// Table, one row that must be unique, and what the statements below call.
const BASE: [&str; 7] = [
    "CREATE TABLE a (n INT)",
    "CREATE TABLE m (n INT) ENGINE=MyISAM",
    "CREATE PROCEDURE opens() BEGIN START TRANSACTION; INSERT INTO a VALUES (8); END",
    "CREATE PROCEDURE chains() BEGIN SET completion_type = 1; INSERT INTO a VALUES (8); END",
    "CREATE PROCEDURE shows() BEGIN INSERT INTO a VALUES (6); SELECT 1; SIGNAL SQLSTATE '45000'; END",
    "CREATE PROCEDURE lets_go() BEGIN INSERT INTO a VALUES (9); DO RELEASE_ALL_LOCKS(); END",
    "CREATE PROCEDURE deep() BEGIN INSERT INTO a VALUES (7); CALL missing(); END",
];

const FIRST: (&str, Option<&str>) = ("SELECT 1;\n", None);

async fn base() -> Option<Database> {
    let mut db = Database::create().await?;
    // A database with tables and without a history is not ours.
    db.migrate(&track(&[FIRST]), &Goal::Head).await.unwrap();
    for statement in BASE {
        db.run(statement).await;
    }
    Some(db)
}

/// What another session sees once ours is gone: the rows of `a`, and the history.
async fn left(db: &mut Database) -> (String, String) {
    db.alone().await;
    let rows = db
        .one("SELECT COALESCE(GROUP_CONCAT(n ORDER BY n), '') FROM a")
        .await;
    let history = "SELECT COALESCE(GROUP_CONCAT(phase, next_stmt), '') FROM _tenantry_history \
                   WHERE version = 2";
    (rows, db.one(history).await)
}

#[tokio::test]
async fn what_was_left_open_is_committed_before_it_counts() {
    let block =
        "DELIMITER //\nBEGIN NOT ATOMIC START TRANSACTION; INSERT INTO a VALUES (8); END//\nDELIMITER ;\n";
    let off =
        "DELIMITER //\nBEGIN NOT ATOMIC SET autocommit = 0; INSERT INTO a VALUES (8); END//\nDELIMITER ;\n";
    for (text, rows) in [
        ("CALL opens();\n", "8"),
        (
            "CALL chains();\nCREATE TABLE z (n INT);\nINSERT INTO a VALUES (9);\n",
            "8,9",
        ),
        ("CALL opens();\nINSERT INTO a VALUES (9);\n", "8,9"),
        (
            "CALL opens();\nINSERT INTO a VALUES (9);\nCALL opens();\n",
            "8,8,9",
        ),
        ("CALL opens();\nSET @a = 1;\n", "8"),
        ("CALL opens();\nCREATE TABLE z (n INT);\n", "8"),
        (block, "8"),
        (off, "8"),
    ] {
        let Some(mut db) = base().await else {
            return;
        };
        db.migrate(&track(&[FIRST, (text, None)]), &Goal::Head)
            .await
            .unwrap();
        let found = left(&mut db).await;
        assert_eq!(found.0, rows, "{text}");
        assert!(found.1.starts_with("done"), "{text}: {}", found.1);
        db.drop().await;
    }
}

#[tokio::test]
async fn a_way_back_that_leaves_one_open_is_committed_too() {
    let Some(mut db) = base().await else {
        return;
    };
    let track = track(&[FIRST, ("INSERT INTO a VALUES (1);\n", Some("CALL opens();\n"))]);
    db.migrate(&track, &Goal::Head).await.unwrap();
    db.migrate(&track, &Goal::BackSteps(1)).await.unwrap();
    assert_eq!(left(&mut db).await, ("1,8".to_owned(), String::new()));
    db.drop().await;
}

#[tokio::test]
async fn an_intent_is_committed_whatever_a_block_did_to_autocommit() {
    let Some(mut db) = base().await else {
        return;
    };
    let text = "DELIMITER //\nBEGIN NOT ATOMIC SET autocommit = 0; END//\nDELIMITER ;\n\
                CREATE TABLE z (n INT);\nCALL slow();\n";
    db.run("CREATE PROCEDURE slow() BEGIN INSERT INTO m VALUES (1); DO SLEEP(60); END")
        .await;
    let track = track(&[FIRST, (text, None)]);
    let mut session = db.open().await.unwrap();
    let running = super::fixture::migrate_on(session.as_mut(), &track, &Goal::Head);
    let kill = async {
        while db.one("SELECT COUNT(*) FROM m").await == "0" {
            tokio::task::yield_now().await;
        }
        let ours = format!(
            "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
            db.name
        );
        let id = db.one(&ours).await;
        db.run(&format!("KILL CONNECTION {id}")).await;
    };
    let (cut, ()) = tokio::join!(running, kill);
    cut.unwrap_err();
    drop(session);
    db.alone().await;
    let error = db.migrate(&track, &Goal::Head).await.unwrap_err();
    assert!(
        matches!(error, ApplyError::Ambiguous { statement: 2, .. }),
        "{error:?}"
    );
    assert_eq!(db.one("SELECT COUNT(*) FROM m").await, "1");
    db.drop().await;
}

async fn state_after(db: &mut Database, text: &str) -> StateAfter {
    db.alone().await;
    let error = db
        .migrate(&track(&[FIRST, (text, None)]), &Goal::Head)
        .await
        .unwrap_err();
    let ApplyError::Statement { state, .. } = error else {
        panic!("{error:?}");
    };
    state
}

#[tokio::test]
async fn an_error_from_inside_is_not_a_statement_that_did_nothing() {
    let made = "DELIMITER //\nBEGIN NOT ATOMIC INSERT INTO a VALUES (7); \
                EXECUTE IMMEDIATE 'garbage here'; END//\nDELIMITER ;\n";
    for text in ["CALL deep();\n", made] {
        let Some(mut db) = base().await else {
            return;
        };
        assert_eq!(state_after(&mut db, text).await, StateAfter::Ambiguous, "{text}");
        assert_eq!(
            left(&mut db).await,
            ("7".to_owned(), "running0".to_owned()),
            "{text}"
        );
        db.drop().await;
    }
}

#[tokio::test]
async fn a_typo_and_a_procedure_that_is_not_there_did_nothing() {
    let Some(mut db) = base().await else {
        return;
    };
    let typo = "DELIMITER //\nBEGIN NOT ATOMIC INSERT INTO a VALUES (7); INSRT INTO a VALUES (8); END//\nDELIMITER ;\n";
    for text in [
        "CALL missing();\n",
        "CALL deep(;\n",
        "CREAT TABLE z (n INT);\n",
        typo,
    ] {
        assert_eq!(state_after(&mut db, text).await, StateAfter::RolledBack, "{text}");
        assert_eq!(left(&mut db).await, (String::new(), String::new()), "{text}");
    }
    db.drop().await;
}

#[tokio::test]
async fn a_failure_behind_a_result_is_the_statements_own() {
    let Some(mut db) = base().await else {
        return;
    };
    assert_eq!(
        state_after(&mut db, "CALL shows();\n").await,
        StateAfter::Ambiguous
    );
    assert_eq!(left(&mut db).await, ("6".to_owned(), "running0".to_owned()));
    db.drop().await;
}

#[tokio::test]
async fn editing_a_statement_that_is_ambiguous_does_not_make_it_resumable() {
    let Some(mut db) = base().await else {
        return;
    };
    let text = |last: &str| format!("CREATE TABLE z (n INT);\nCALL {last}();\n");
    assert_eq!(state_after(&mut db, &text("deep")).await, StateAfter::Ambiguous);
    db.alone().await;
    let error = db
        .migrate(&track(&[FIRST, (&text("opens"), None)]), &Goal::Head)
        .await
        .unwrap_err();
    let ApplyError::Edited { done, state, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((done, state), (2, StateAfter::Ambiguous));
    db.drop().await;
}

#[tokio::test]
async fn a_lock_that_was_let_go_is_not_told_as_rolled_back() {
    let Some(mut db) = base().await else {
        return;
    };
    let track = track(&[FIRST, ("CALL lets_go();\nCREATE TABLE z (n INT);\n", None)]);
    let mut session = db.open().await.unwrap();
    let unit = Unit {
        track: track.name.clone(),
        direction: Direction::Up,
        steps: plan(&track, session.history(), &Goal::Head).unwrap().steps,
        run_id: "run-1".to_owned(),
        attempt_id: "attempt-1".to_owned(),
    };
    let error = session.carry_out(&unit).await.unwrap_err();
    assert!(matches!(error, ApplyError::SessionChanged { .. }), "{error:?}");
    assert_eq!(Failure::of_apply(&error, &unit).state, StateAfter::Unknown);
    drop(session);
    assert_eq!(left(&mut db).await, ("9".to_owned(), "running0".to_owned()));
    db.drop().await;
}
