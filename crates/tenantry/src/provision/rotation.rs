//! A new password for a tenant's database, in steps that can each be repeated.

use secrecy::SecretString;
use thiserror::Error;

use super::{Tenants, password};
use crate::code::Code;
use crate::engine::{self, Address, Login, SessionError};
use crate::faults::{Point, point};
use crate::registry::{Database, NewPassword, RegistryError};
use crate::run::Driver;

/// A database's password could not be replaced; the same call goes on with it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The registry refused or failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Other databases are reached as the same user, and would be cut off.
    #[error("{others} more are reached as the same user")]
    Shared {
        /// How many.
        others: u64,
    },
    /// The server did not let the role in, or did not take the password.
    #[error("the server did not take a new password")]
    Server(#[source] SessionError),
    /// The server took the password, and does not let the role in with it.
    #[error("the new password does not open the database")]
    NotTaken(#[source] SessionError),
    /// No password could be made.
    #[error("the system gave no random numbers")]
    Random(#[source] getrandom::Error),
}

impl RotationError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Registry(error) => error.code(),
            Self::Shared { .. } => Code(7009),
            Self::Server(error) | Self::NotTaken(error) => error.code(),
            Self::Random(_) => Code(1008),
        }
    }
}

impl Tenants {
    /// Gives the role of a database a new password: kept in the registry first, then set on the server as the role itself,
    /// tried by a login, and put in the old one's place, which is kept as the one before. A file has none.
    ///
    /// Cut off anywhere, the same call finishes it; until then the database may refuse the password that the registry
    /// uses. Behind a pooler it is done at the server's own endpoint, where that is known.
    pub async fn rotate_password(&self, database: &Database) -> Result<(), RotationError> {
        let Address::Network(network) = &database.address else {
            return Ok(());
        };
        let registry = &self.fleet.registry;
        let others = registry.others_of_user(database, &network.login.user).await?;
        if others > 0 {
            return Err(RotationError::Shared { others });
        }
        let fresh = password::generate().map_err(RotationError::Random)?;
        let new = registry.begin_password(database, &fresh, &Driver::this()).await?;
        point(Point::LifePasswordBegun);
        let at = database
            .address
            .direct()
            .unwrap_or_else(|| database.address.clone());
        set(&at, &new).await?;
        point(Point::LifePasswordSet);
        let renewed = with_password(&at, &new.next);
        engine::try_login(&renewed)
            .await
            .map_err(RotationError::NotTaken)?;
        point(Point::LifePasswordTried);
        registry.finish_password(database, &new).await?;
        point(Point::LifePasswordStored);
        Ok(())
    }
}

/// Sets the new password with whichever the server knows: the present one, the new one itself, which an earlier call has
/// set, or the one before, on a server that was restored from a backup.
async fn set(at: &Address, new: &NewPassword) -> Result<(), RotationError> {
    let refused = match engine::set_password(at, &new.next).await {
        Err(refused @ SessionError::AuthFailed { .. }) => refused,
        done => return done.map_err(RotationError::Server),
    };
    match engine::try_login(&with_password(at, &new.next)).await {
        Ok(()) => return Ok(()),
        Err(SessionError::AuthFailed { .. }) => {}
        Err(error) => return Err(RotationError::Server(error)),
    }
    let Some(previous) = &new.previous else {
        return Err(RotationError::Server(refused));
    };
    match engine::set_password(&with_password(at, previous), &new.next).await {
        Err(SessionError::AuthFailed { .. }) => Err(RotationError::Server(refused)),
        done => done.map_err(RotationError::Server),
    }
}

fn with_password(at: &Address, password: &SecretString) -> Address {
    let mut at = at.clone();
    if let Address::Network(network) = &mut at {
        network.login = Login {
            user: network.login.user.clone(),
            password: password.clone(),
        };
    }
    at
}
