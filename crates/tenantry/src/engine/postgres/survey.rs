//! One question for a whole server: what the comments of its databases say.

use super::clean::local_settings;
use super::connect::Connection;
use super::error::Failure;
use crate::engine::marker::{LONGEST, read};
use crate::engine::{NetworkAddress, OpenOptions, SessionError, Survey};

/// How long the server may think about it.
const PATIENCE_MS: usize = 5_000;

/// Asks one server for the comments of all its databases, with the login of one of them. Takes no lock, writes nothing.
///
/// That database belongs to a tenant, who must not speak for others. So only relations and functions of `pg_catalog`
/// are named, each with its schema, as are operators, and `search_path` is pinned: nobody but a superuser can make
/// objects there or change one. Comments are anybody's text in anybody's encoding, because each owner may write theirs
/// from a database of another encoding: names and comments come as bytes, so that no conversion fails on one of them,
/// and what is long is left out by the server. A database that takes no connections is left out as well.
pub(crate) async fn survey(address: &NetworkAddress, options: &OpenOptions) -> Result<Survey, SessionError> {
    // In whatever encoding that database is: nothing is written there.
    let options = &OpenOptions {
        database_id: String::new(),
        ..options.clone()
    };
    let mut connection = Connection::open(address, options).await?;
    let text = question(&connection, options);
    let mut survey = Survey::default();
    let answer = connection
        .exchange(&text, |_, row| {
            if let Ok(Some("database")) = row.try_get(0) {
                let markers = bytes(row.try_get(2)).map(|comment| read(&String::from_utf8_lossy(&comment)));
                let name = bytes(row.try_get(1)).and_then(|name| String::from_utf8(name).ok());
                if let (Some(name), Some(markers)) = (name, markers.filter(|markers| !markers.is_empty())) {
                    survey.markers.insert(name, markers);
                }
            }
        })
        .await;
    answer
        .failure
        .map_or(Ok(survey), |failure: Failure| Err(failure.into_session_error()))
}

fn question(connection: &Connection, options: &OpenOptions) -> String {
    let mut statements = vec!["BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY".to_owned()];
    statements.extend(local_settings(connection, options));
    statements.push("SET LOCAL search_path = pg_catalog".to_owned());
    statements.push(format!("SET LOCAL statement_timeout = {PATIENCE_MS}"));
    statements.push(format!(
        "SELECT 'database', {}, {} FROM pg_catalog.pg_database d JOIN pg_catalog.pg_shdescription s \
         ON s.objoid OPERATOR(pg_catalog.=) d.oid \
         WHERE s.classoid OPERATOR(pg_catalog.=) 1262::pg_catalog.oid AND d.datallowconn \
         AND d.datconnlimit OPERATOR(pg_catalog.<>) -2 \
         AND pg_catalog.octet_length(s.description) OPERATOR(pg_catalog.<=) {LONGEST}",
        as_bytes("d.datname::pg_catalog.text"),
        as_bytes("s.description"),
    ));
    statements.push("COMMIT".to_owned());
    statements.join(";\n")
}

/// A text with doubled backslashes is the text form of its own bytes ("bytea Escape Format").
fn as_bytes(text: &str) -> String {
    format!("pg_catalog.encode(pg_catalog.replace({text}, E'\\\\', E'\\\\\\\\')::pg_catalog.bytea, 'hex')")
}

type Column<'a> = Result<Option<&'a str>, tokio_postgres::Error>;

fn bytes(column: Column<'_>) -> Option<Vec<u8>> {
    hex::decode(column.ok().flatten()?).ok()
}
