//! A role's own new password.

use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret as _, SecretString};

use super::connect::Connection;
use super::create::options;
use crate::engine::text::{identifier, literal};
use crate::engine::{NetworkAddress, SessionError};

/// Gives the role that logs in another password. The server gets a verifier, so that no log has the password.
pub(crate) async fn set_password(address: &NetworkAddress, new: &SecretString) -> Result<(), SessionError> {
    let mut connection = Connection::open(address, &options()).await?;
    let verifier = literal(&scram_sha_256(new.expose_secret().as_bytes()));
    let role = identifier(&address.login.user);
    let alter = format!("ALTER ROLE {role} PASSWORD {verifier}");
    let answer = connection.exchange(&alter, |_, _| {}).await;
    answer
        .failure
        .map_or(Ok(()), |failure| Err(failure.into_session_error()))
}

/// Logs in, and asks who it is.
pub(crate) async fn try_login(address: &NetworkAddress) -> Result<(), SessionError> {
    let mut connection = Connection::open(address, &options()).await?;
    let answer = connection.exchange("SELECT 1", |_, _| {}).await;
    answer
        .failure
        .map_or(Ok(()), |failure| Err(failure.into_session_error()))
}
