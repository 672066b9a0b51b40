//! One question for a whole server, with a tenant's login, among tenants who would like to speak for others.

use tenantry::TrackName;
use tenantry::engine::{self, Address, Engine};

use super::deserved;
use crate::database::{TestDatabase, fresh, pooled};
use crate::postgres_outside::{TABLE, to_head, track};

async fn name(database: &TestDatabase) -> String {
    database.one("SELECT current_database()").await
}

/// Asks with the login of one database, and returns what it says of another.
async fn told(asked: &[&Address], of: &TestDatabase) -> Option<String> {
    let survey = engine::survey(asked, &of.options()).await?;
    let marker = survey.marker(&name(of).await, &TrackName::Tenant);
    Some(marker.map_or_else(|| "none".to_owned(), ToString::to_string))
}

#[tokio::test]
async fn one_question_tells_of_every_database_also_through_poolers() {
    for pooler in ["", "1", "20", "LENIENT"] {
        let database = match pooler {
            "" => fresh(Engine::Postgres).await,
            pooler => pooled(pooler).await,
        };
        let Some(database) = database else { return };
        let other = database.another().await;
        to_head(&database, &track(&[TABLE])).await.unwrap();
        let marker = deserved(&database).await;
        assert_eq!(
            told(&[&other.address], &database).await.as_deref(),
            Some(&*marker),
            "{pooler}"
        );
        assert_eq!(told(&[&database.address], &other).await.as_deref(), Some("none"));
    }
}

#[tokio::test]
async fn a_tenant_who_owns_the_database_that_is_asked_cannot_speak_for_others() {
    let Some(ours) = fresh(Engine::Postgres).await else {
        return;
    };
    to_head(&ours, &track(&[TABLE])).await.unwrap();
    let theirs = fresh(Engine::Postgres).await.unwrap();
    for sql in [
        "CREATE TABLE public.pg_shdescription (objoid oid, classoid oid, description text)".to_owned(),
        "CREATE VIEW public.pg_database AS SELECT oid, datname, true AS datallowconn, 0 AS datconnlimit, \
         datdba FROM pg_catalog.pg_database"
            .to_owned(),
        "CREATE FUNCTION public.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT 'lies' $$"
            .to_owned(),
        "CREATE FUNCTION public.lies(oid, oid) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$".to_owned(),
        "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.lies)".to_owned(),
        format!(
            "ALTER DATABASE {} SET search_path = public, pg_catalog",
            name(&theirs).await
        ),
    ] {
        theirs.query(&sql).await;
    }
    let marker = deserved(&ours).await;
    assert_eq!(told(&[&theirs.address], &ours).await.as_deref(), Some(&*marker));
}

/// Owners may write anything in any encoding.
#[tokio::test]
async fn a_comment_of_any_bytes_hides_nobody_elses() {
    let Some(ours) = fresh(Engine::Postgres).await else {
        return;
    };
    to_head(&ours, &track(&[TABLE])).await.unwrap();
    let theirs = fresh(Engine::Postgres).await.unwrap();
    let ascii = name(&theirs).await;
    let victim = fresh(Engine::Postgres).await.unwrap();
    theirs
        .query(&format!(
            "CREATE DATABASE {ascii}_bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await;
    let mut inside = theirs.address.clone();
    if let Address::Network(network) = &mut inside {
        network.database = format!("{ascii}_bytes");
    }
    let bytes = format!(
        "SET client_encoding = 'SQL_ASCII'; DO $$ BEGIN EXECUTE 'COMMENT ON DATABASE {} IS E''\\xff\\x80 \\\\x [tenantry '''; \
         EXECUTE 'COMMENT ON DATABASE {ascii}_bytes IS E''\\xe2\\x28''';  END $$",
        name(&victim).await
    );
    crate::database::query(&inside, &bytes).await;
    let marker = deserved(&ours).await;
    for asked in [&theirs.address, &inside] {
        let at = asked.database();
        assert_eq!(told(&[asked], &ours).await.as_deref(), Some(&*marker), "{at}");
    }
    // The one whose comment cannot be given back is migrated, and its comment stays.
    to_head(&victim, &track(&[TABLE])).await.unwrap();
    assert_eq!(told(&[&inside], &victim).await.as_deref(), Some("none"));
}

#[tokio::test]
async fn where_one_database_does_not_let_us_in_another_is_asked() {
    let Some(ours) = fresh(Engine::Postgres).await else {
        return;
    };
    to_head(&ours, &track(&[TABLE])).await.unwrap();
    let mut gone = ours.address.clone();
    if let Address::Network(network) = &mut gone {
        network.database = "nobody_has_this_one".to_owned();
    }
    let marker = deserved(&ours).await;
    let asked = [&gone, &gone, &ours.address];
    assert_eq!(told(&asked, &ours).await.as_deref(), Some(&*marker));
    assert_eq!(told(&[&gone, &gone, &gone, &ours.address], &ours).await, None);
    let Some(sqlite) = fresh(Engine::Sqlite).await else {
        return;
    };
    assert_eq!(told(&[&sqlite.address], &ours).await, None);
}
