//! Our settings hold in our transactions, and nobody who gets the connection afterwards has them.

use tenantry::engine::{Address, Engine};

use super::through;
use crate::database::{TestDatabase, pooled, query};
use crate::postgres_outside::{to_head, track};

/// Notes what is in force while a file runs.
const NOTE: &str = "INSERT INTO seen SELECT current_setting('lock_timeout'), current_setting('search_path'), \
 current_setting('idle_in_transaction_session_timeout'), current_setting('application_name');\n";
/// What another client sees.
const SETTINGS: &str = "SELECT current_setting('lock_timeout'), current_setting('search_path'), \
 current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'), \
 current_setting('idle_session_timeout'), current_setting('client_connection_check_interval'), \
 current_setting('application_name'), current_setting('standard_conforming_strings'), \
 current_setting('client_encoding'), to_regclass('pg_temp.left_over')::text";

#[tokio::test]
async fn what_a_transaction_is_to_have_is_in_force_in_every_one() {
    for pooler in ["1", "20", "LENIENT"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        let first = format!("CREATE TABLE seen (a text, b text, c text, d text);\n{NOTE}");
        let track = track(&[("1_a.sql", &first), ("2_b.sql", NOTE), ("3_c.sql", NOTE)]);
        to_head(&database, &track).await.unwrap();
        let seen = database.query("SELECT * FROM seen").await;
        assert_eq!(
            seen,
            vec![["2s", "public", "50s", "tenantry test"]; 3],
            "{pooler}"
        );
    }
}

#[tokio::test]
async fn the_next_client_of_the_connection_has_the_servers_settings() {
    for pooler in ["1", "LENIENT"] {
        let Some(database) = pooled(pooler).await else {
            return;
        };
        let own = database.query(SETTINGS).await;
        let first = "CREATE TABLE seen (n int);\nINSERT INTO seen VALUES (pg_backend_pid());\n\
                     CREATE TEMPORARY TABLE left_over (n int);\n";
        let track = track(&[("1_a.sql", first), ("2_b.sql", "SELECT 1;\n")]);
        to_head(&database, &track).await.unwrap();
        let pids = through(&database, "SELECT pg_backend_pid()").await;
        assert_eq!(
            pids,
            database.query("SELECT n FROM seen").await,
            "another connection"
        );
        assert_eq!(through(&database, SETTINGS).await, own, "{pooler}");
    }
}

#[tokio::test]
async fn the_role_that_another_client_left_in_the_connection_is_not_ours() {
    let Some(database) = pooled("1").await else { return };
    through(&database, "SET ROLE pg_monitor").await;
    let text = "CREATE TABLE seen AS SELECT (current_user = session_user)::text AS own;\nSELECT 1;\n";
    to_head(&database, &track(&[("1_a.sql", text)])).await.unwrap();
    assert_eq!(database.query("SELECT own FROM seen").await, [["true"]]);
}

/// Gives the test a database in another encoding.
async fn in_latin1(mut database: TestDatabase) -> TestDatabase {
    let Address::Network(at) = &database.direct else {
        panic!("{} is a network engine", Engine::Postgres)
    };
    let name = format!("{}_latin1", at.database);
    let create =
        format!("CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    query(&database.direct, &create).await;
    for address in [&mut database.address, &mut database.direct] {
        if let Address::Network(at) = address {
            at.database.clone_from(&name);
        }
    }
    database
}

#[tokio::test]
async fn every_file_is_read_as_utf8_whatever_the_database_is_in() {
    let Some(database) = pooled("1").await else { return };
    let database = in_latin1(database).await;
    let track = track(&[
        (
            "1_a.sql",
            "CREATE TABLE words (w text);\nINSERT INTO words VALUES ('é');\n",
        ),
        ("2_b.sql", "INSERT INTO words VALUES ('é');\n"),
        ("3_c.sql", "INSERT INTO words VALUES ('é');\n"),
    ]);
    to_head(&database, &track).await.unwrap();
    assert_eq!(
        database
            .one("SELECT string_agg(length(w)::text, ' ') FROM words")
            .await,
        "1 1 1"
    );
}
