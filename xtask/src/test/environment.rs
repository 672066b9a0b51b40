//! The environment variables that tell tests where the servers are; this is their documentation.
//!
//! For each engine, with `TENANTRY_TEST_POSTGRES` or `TENANTRY_TEST_MARIADB` in front. When an engine is
//! skipped, none of its variables is set.
//!
//! | variable | what it holds |
//! |---|---|
//! | (no ending) | `127.0.0.1:<port>` |
//! | `_USER` | the superuser's name |
//! | `_PASSWORD_FILE` | a file (0600) with the superuser's password and nothing else, no newline |
//! | `_LOG` | the server's log; every statement is in it |
//! | `_CA_FILE` | the authority of the server's certificate, which is for `localhost` and 127.0.0.1; not set when there is no TLS |
//! | `_DATA` | the server's data folder; the socket is in the folder above it |
//! | `_BIN` | the folder of the server's programs, for a test that starts a server of its own |
//! | `_RUN_AS` | `<uid>:<gid>` that a server must be started as; not set when we are not root |
//!
//! In front of the PostgreSQL server there are poolers, all PgBouncer in transaction mode. Every database and
//! role of the server can be reached through each of them, with the same password. When there is no
//! PgBouncer or no PostgreSQL, none of these is set.
//!
//! | variable | `127.0.0.1:<port>` of a pooler with |
//! |---|---|
//! | `TENANTRY_TEST_PGBOUNCER_1`, `_2`, `_20` | so many server connections for each database and role |
//! | `TENANTRY_TEST_PGBOUNCER_LENIENT` | 2 of them, which drops the options of a start packet without a word |

use std::ffi::OsString;

use super::servers::{Engine, Pooler, Server, Servers};

/// Returns the variables of all that runs.
pub(crate) fn of(servers: &Servers) -> Vec<(String, OsString)> {
    let poolers = servers.poolers.iter().map(of_pooler);
    servers
        .running
        .iter()
        .flat_map(of_server)
        .chain(poolers)
        .collect()
}

fn of_pooler(pooler: &Pooler) -> (String, OsString) {
    let name = format!("TENANTRY_TEST_PGBOUNCER_{}", pooler.name.to_uppercase());
    (name, format!("127.0.0.1:{}", pooler.port).into())
}

fn of_server(server: &Server) -> Vec<(String, OsString)> {
    let prefix = prefix(server.engine);
    let mut variables = vec![
        (prefix.to_owned(), format!("127.0.0.1:{}", server.port).into()),
        (format!("{prefix}_USER"), server.user.into()),
        (
            format!("{prefix}_PASSWORD_FILE"),
            server.password_file.clone().into(),
        ),
        (format!("{prefix}_LOG"), server.log.clone().into()),
        (format!("{prefix}_DATA"), server.data.clone().into()),
        (format!("{prefix}_BIN"), server.bin.clone().into()),
    ];
    if let Some(ca) = &server.ca {
        variables.push((format!("{prefix}_CA_FILE"), ca.clone().into()));
    }
    if let Some(account) = server.account {
        variables.push((format!("{prefix}_RUN_AS"), account.ids().into()));
    }
    variables
}

fn prefix(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "TENANTRY_TEST_POSTGRES",
        Engine::MariaDb => "TENANTRY_TEST_MARIADB",
    }
}
