//! Creating a tenant's database and the user that owns it, in steps that can each be repeated.

use std::time::Duration;

use mysql_async::{Conn, Error};
use secrecy::ExposeSecret as _;
use sha1::{Digest as _, Sha1};

use super::Server;
use super::connect::{Dial, connect};
use super::error::session_error;
use super::quote::{identifier, literal};
use super::tables::text;
use super::wire::{Part, Role, Sent, send};
use crate::engine::address::{Login, NetworkAddress};
use crate::engine::create::{CreateError, NewDatabase};
use crate::engine::error::SessionError;
use crate::faults::{Point, point};

/// `ER_CANNOT_USER`: what `CREATE USER` says of a user that exists.
const CANNOT_USER: u16 = 1396;

/// How long dialling and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a database, its user `new.login` with host `%`, and the user's rights on this database only.
///
/// Repeating it is harmless: a database that carries `new.database_id` in its comment is taken for the one
/// begun earlier, and a user that has the password of `new.login` for the one that we made, because nobody
/// else knows that password. MySQL has no such comment: there only a database without tables is taken over.
/// Any other is a `Conflict` and stays as it is. The password is not in the server's general log: MariaDB
/// gets its hash, MySQL masks it by itself.
pub(crate) async fn create_database(server: &NetworkAddress, new: &NewDatabase) -> Result<(), CreateError> {
    let dial = administration(server);
    let mut maker = Maker {
        conn: connect(dial).await.map_err(CreateError::Session)?,
        server,
        new,
    };
    let quoted =
        identifier(&new.name).ok_or_else(|| maker.other_database("no database can have this name"))?;
    let product = if maker.one("SELECT VERSION()").await?.contains("MariaDB") {
        Product::MariaDb
    } else {
        Product::MySql
    };
    maker.make(&quoted, product).await?;
    point(Point::LifeDatabaseMade);
    match &new.login {
        Some(login) => maker.own(login, product).await,
        None => Ok(()),
    }
}

/// Returns how the administrator connects: to no database in particular.
pub(super) fn administration(server: &NetworkAddress) -> Dial<'_> {
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
    let sent = send(&mut conn, &[Server::question()]).await;
    Server::from_answer(&sent, 0, server)?;
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
    server: &'a NetworkAddress,
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
            return Err(self.other_database("the server gave it another name"));
        }
        let found = row.and_then(|row| text(row, 1)).unwrap_or_default();
        match product {
            Product::MariaDb if found != token => Err(self.other_database("its comment does not name us")),
            Product::MySql if self.is_occupied().await? => Err(self.other_database("it has tables already")),
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

    /// Creates the user, or finds it to be the one that we created, and gives it the database.
    async fn own(&mut self, login: &Login, product: Product) -> Result<(), CreateError> {
        let user = format!("{}@'%'", literal(&login.user));
        let create = format!("CREATE USER {user} {}", identified(login, product));
        let sent = send(&mut self.conn, &[Part::new(Role::Own, create)]).await;
        match sent.failure {
            None => {}
            Some(Error::Server(error)) if error.code == CANNOT_USER => {
                let ours = match product {
                    Product::MariaDb => self.has_our_hash(&user, login).await?,
                    Product::MySql => self.lets_us_in(login).await?,
                };
                if !ours {
                    let reason = "its password is not the one that we made for it";
                    return Err(self.conflict("user", &login.user, reason));
                }
            }
            Some(error) => return Err(self.failed(&error)),
        }
        point(Point::LifeRoleMade);
        let grant = format!("GRANT ALL PRIVILEGES ON {}.* TO {user}", pattern(&self.new.name));
        self.ask(vec![Part::new(Role::Own, grant)]).await.map(drop)
    }

    async fn has_our_hash(&mut self, user: &str, login: &Login) -> Result<bool, CreateError> {
        let shown = self.one(&format!("SHOW CREATE USER {user}")).await?;
        Ok(shown.contains(&format!("'{}'", native_hash(login))))
    }

    /// MySQL salts what it stores, so that the password has to be tried.
    async fn lets_us_in(&self, login: &Login) -> Result<bool, CreateError> {
        let dial = Dial {
            login,
            ..administration(self.server)
        };
        let mut conn = match connect(dial).await {
            Ok(conn) => conn,
            Err(SessionError::AuthFailed { .. }) => return Ok(false),
            Err(error) => return Err(CreateError::Session(error)),
        };
        let sent = send(&mut conn, &[Part::new(Role::Question, "SELECT CURRENT_USER()")]).await;
        let account = sent.rows(0).first().and_then(|row| text(row, 0));
        Ok(account == Some(format!("{}@%", login.user)))
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
            Some(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: &Error) -> CreateError {
        match error {
            Error::Server(said) if matches!(said.code, 1044 | 1045 | 1142 | 1227 | 1410) => {
                self.denied(&said.message)
            }
            Error::Server(_) | Error::Driver(_) | Error::Io(_) | Error::Other(_) | Error::Url(_) => {
                CreateError::Session(session_error(error))
            }
        }
    }

    fn denied(&self, words: &str) -> CreateError {
        CreateError::Denied {
            database: self.new.name.clone(),
            endpoint: administration(self.server).endpoint(),
            reason: format!(
                "{}; an administrator of the server can run: \
                 GRANT ALL PRIVILEGES ON *.* TO {}@'%' WITH GRANT OPTION",
                crate::engine::text::clean(words),
                literal(&self.server.login.user)
            ),
        }
    }

    fn other_database(&self, reason: &str) -> CreateError {
        self.conflict("database", &self.new.name, reason)
    }

    fn conflict(&self, what: &'static str, name: &str, reason: &str) -> CreateError {
        CreateError::Conflict {
            what,
            name: name.to_owned(),
            endpoint: administration(self.server).endpoint(),
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
/// given the hash that it would store.
fn identified(login: &Login, product: Product) -> String {
    match product {
        Product::MariaDb => format!(
            "IDENTIFIED VIA mysql_native_password USING '{}'",
            native_hash(login)
        ),
        Product::MySql => format!("IDENTIFIED BY {}", literal(login.password.expose_secret())),
    }
}

/// Returns what `mysql_native_password` stores of a password: SHA-1 of SHA-1.
pub(super) fn native_hash(login: &Login) -> String {
    let password = login.password.expose_secret();
    format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password))))
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
