//! A user's own new password.

use secrecy::{ExposeSecret as _, SecretString};

use super::connect::connect;
use super::create::{administration, native_hash};
use super::error::session_error;
use super::quote::literal;
use super::tables::text;
use super::wire::{Part, Role, send};
use crate::engine::address::{Login, NetworkAddress};
use crate::engine::error::SessionError;

/// Gives the user who logs in another password. MariaDB gets the hash that it stores; MySQL, which takes none here,
/// hides the password in its logs ("Passwords and Logging").
pub(crate) async fn set_password(address: &NetworkAddress, new: &SecretString) -> Result<(), SessionError> {
    let mut conn = connect(administration(address)).await?;
    let asked = send(&mut conn, &[Part::new(Role::Question, "SELECT VERSION()")]).await;
    let version = asked.rows(0).first().and_then(|row| text(row, 0));
    if let Some(error) = &asked.failure {
        return Err(session_error(error));
    }
    let set = if version.is_some_and(|version| version.contains("MariaDB")) {
        let login = Login {
            user: address.login.user.clone(),
            password: new.clone(),
        };
        format!("SET PASSWORD = '{}'", native_hash(&login))
    } else {
        format!("ALTER USER USER() IDENTIFIED BY {}", literal(new.expose_secret()))
    };
    let done = send(&mut conn, &[Part::new(Role::Own, set)]).await;
    match &done.failure {
        None => Ok(()),
        Some(error) => Err(session_error(error)),
    }
}

/// Logs in, and asks who it is.
pub(crate) async fn try_login(address: &NetworkAddress) -> Result<(), SessionError> {
    let mut conn = connect(administration(address)).await?;
    let sent = send(&mut conn, &[Part::new(Role::Question, "SELECT CURRENT_USER()")]).await;
    match &sent.failure {
        None => Ok(()),
        Some(error) => Err(session_error(error)),
    }
}
