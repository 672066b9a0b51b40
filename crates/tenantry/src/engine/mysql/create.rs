//! Creating a tenant's database and the user that owns it, in steps that can each be repeated.

use std::time::Duration;

use mysql_async::{Conn, Error};
use secrecy::ExposeSecret as _;
use sha1::{Digest as _, Sha1};

use super::connect::{Dial, connect};
use super::error::session_error;
use super::quote::{identifier, literal};
use super::tables::text;
use super::wire::{Part, Role, Sent, send};
use crate::engine::address::{Login, NetworkAddress};
use crate::engine::create::{CreateError, NewDatabase};
use crate::engine::error::SessionError;

/// How long dialling and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a database, its user `new.login` with host `%`, and the user's rights on this database only.
///
/// Repeating it is harmless: a database that carries `new.database_id` in its comment is taken for the one
/// begun earlier, and the user's password is set again. MySQL has no such comment: there only a database
/// without tables is taken over. Any other is a `Conflict` and stays as it is. The password is not in the
/// server's general log: MariaDB gets its hash, MySQL masks it by itself.
pub(crate) async fn create_database(server: &NetworkAddress, new: &NewDatabase) -> Result<(), CreateError> {
    let dial = administration(server);
    let mut maker = Maker {
        conn: connect(dial).await.map_err(CreateError::Session)?,
        endpoint: dial.endpoint(),
        admin: &server.login.user,
        new,
    };
    let quoted = identifier(&new.name).ok_or_else(|| maker.conflict("no database can have this name"))?;
    let product = if maker.one("SELECT VERSION()").await?.contains("MariaDB") {
        Product::MariaDb
    } else {
        Product::MySql
    };
    maker.make(&quoted, product).await?;
    match &new.login {
        Some(login) => maker.own(login, product).await,
        None => Ok(()),
    }
}

/// Returns how the administrator connects: to no database in particular.
fn administration(server: &NetworkAddress) -> Dial<'_> {
    Dial {
        host: &server.host,
        port: server.port,
        tls: &server.tls,
        database: None,
        login: &server.login,
        program: "tenantry",
        timeout: CONNECT_TIMEOUT,
    }
}

/// Connects as the administrator and returns the product and its version.
pub(crate) async fn describe(server: &NetworkAddress) -> Result<String, SessionError> {
    let mut conn = connect(administration(server)).await?;
    let sent = send(&mut conn, &[Part::new(Role::Question, "SELECT VERSION()")]).await;
    if let Some(error) = &sent.failure {
        return Err(session_error(error));
    }
    let version = sent
        .rows(0)
        .first()
        .and_then(|row| text(row, 0))
        .unwrap_or_default();
    let product = if version.contains("MariaDB") {
        "MariaDB"
    } else {
        "MySQL"
    };
    Ok(format!(
        "{product} {}",
        crate::engine::text::clean(version.split('-').next().unwrap_or_default())
    ))
}

/// Which of the two products a server is; they differ in what can be created how.
#[derive(Clone, Copy, Debug)]
enum Product {
    MariaDb,
    MySql,
}

/// One creation under way.
struct Maker<'a> {
    conn: Conn,
    endpoint: String,
    admin: &'a str,
    new: &'a NewDatabase,
}

impl Maker<'_> {
    async fn make(&mut self, quoted: &str, product: Product) -> Result<(), CreateError> {
        let token = format!("tenantry:{}", self.new.database_id);
        let (comment, column) = match product {
            Product::MariaDb => (format!(" COMMENT {}", literal(&token)), ", schema_comment"),
            Product::MySql => (String::new(), ""),
        };
        let create = format!("CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4{comment}");
        let sent = self.ask(vec![Part::new(Role::Own, create)]).await?;
        drop(sent);
        let named = format!(
            "SELECT schema_name{column} FROM information_schema.schemata WHERE schema_name = {}",
            literal(&self.new.name)
        );
        let sent = self.ask(vec![Part::new(Role::Question, named)]).await?;
        let row = sent.rows(0).first();
        let name = row.and_then(|row| text(row, 0));
        if name.as_deref() != Some(self.new.name.as_str()) {
            return Err(self.conflict("the server gave it another name"));
        }
        let found = row.and_then(|row| text(row, 1)).unwrap_or_default();
        match product {
            Product::MariaDb if found != token => Err(self.conflict("its comment does not name us")),
            Product::MySql if self.is_occupied().await? => Err(self.conflict("it has tables already")),
            Product::MariaDb | Product::MySql => Ok(()),
        }
    }

    async fn is_occupied(&mut self) -> Result<bool, CreateError> {
        let question = format!(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = {}",
            literal(&self.new.name)
        );
        Ok(self.one(&question).await? != "0")
    }

    async fn own(&mut self, login: &Login, product: Product) -> Result<(), CreateError> {
        let user = format!("{}@'%'", literal(&login.user));
        let secret = identified(login, product);
        let grant = format!("GRANT ALL PRIVILEGES ON {}.* TO {user}", pattern(&self.new.name));
        let parts = vec![
            // Created first, so that a user of an earlier attempt gets this password.
            Part::new(Role::Own, format!("CREATE USER IF NOT EXISTS {user} {secret}")),
            Part::new(Role::Own, format!("ALTER USER {user} {secret}")),
            Part::new(Role::Own, grant),
        ];
        self.ask(parts).await.map(drop)
    }

    async fn one(&mut self, question: &str) -> Result<String, CreateError> {
        let sent = self.ask(vec![Part::new(Role::Question, question)]).await?;
        Ok(sent
            .rows(0)
            .first()
            .and_then(|row| text(row, 0))
            .unwrap_or_default())
    }

    async fn ask(&mut self, parts: Vec<Part>) -> Result<Sent, CreateError> {
        let sent = send(&mut self.conn, &parts).await;
        match &sent.failure {
            None => Ok(sent),
            Some(Error::Server(error)) if matches!(error.code, 1044 | 1045 | 1142 | 1227 | 1410) => {
                Err(self.denied(&error.message))
            }
            Some(error) => Err(CreateError::Session(session_error(error))),
        }
    }

    fn denied(&self, words: &str) -> CreateError {
        CreateError::Denied {
            database: self.new.name.clone(),
            endpoint: self.endpoint.clone(),
            reason: format!(
                "{}; an administrator of the server can run: \
                 GRANT ALL PRIVILEGES ON *.* TO {}@'%' WITH GRANT OPTION",
                crate::engine::text::clean(words),
                literal(self.admin)
            ),
        }
    }

    fn conflict(&self, reason: &str) -> CreateError {
        CreateError::Conflict {
            database: self.new.name.clone(),
            endpoint: self.endpoint.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// A database's name in a GRANT is a pattern: `_` and `%` must be taken literally ("GRANT Statement").
fn pattern(name: &str) -> String {
    let escaped = name.replace('_', "\\_").replace('%', "\\%");
    format!("`{}`", escaped.replace('`', "``"))
}

/// Returns how the user is identified. MariaDB writes statements to its general log as they are, so it is
/// given the hash that it would store: SHA-1 of SHA-1.
fn identified(login: &Login, product: Product) -> String {
    let password = login.password.expose_secret();
    match product {
        Product::MariaDb => {
            let hash = hex::encode_upper(Sha1::digest(Sha1::digest(password)));
            format!("IDENTIFIED VIA mysql_native_password USING '*{hash}'")
        }
        Product::MySql => format!("IDENTIFIED BY {}", literal(password)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_names_one_database_and_no_pattern() {
        assert_eq!(pattern("tenant_1%`x"), "`tenant\\_1\\%``x`");
    }

    #[test]
    fn mariadb_never_sees_the_password() {
        let login = Login {
            user: "u".to_owned(),
            password: "password".to_owned().into(),
        };
        // What `SELECT PASSWORD('password')` gives.
        assert_eq!(
            identified(&login, Product::MariaDb),
            "IDENTIFIED VIA mysql_native_password USING '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'"
        );
    }
}
