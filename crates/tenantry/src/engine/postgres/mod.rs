//! PostgreSQL: one transaction for a migration and its history row, under a transaction-level lock.
//!
//! A unit goes as one message (section 6 of the design): lock and claim, the files, the history rows,
//! COMMIT, and the read-back, so that a target costs at most three round trips after the connect.
//! A step that cannot run in a transaction is alone in its unit and goes the way of `outside.rs`.

mod administer;
mod amend;
mod auth;
mod cancel;
mod clean;
mod comment;
mod connect;
mod create;
mod decide;
mod definition;
mod error;
mod exchange;
mod history;
mod hold;
mod holders;
mod intent;
mod leftovers;
mod message;
mod outside;
mod password;
mod record;
mod session;
mod sight;
mod survey;
mod unchanged;
mod unit;

pub(super) use administer::{remove, set_access};
pub(super) use create::{create_database, describe, describe_direct};
pub(super) use password::{set_password, try_login};
pub(super) use survey::survey;

use super::{Hears, NetworkAddress, OpenOptions, Reader, Session, SessionError};

/// Opens a connection and takes the migration lock, polling for it. Writes nothing.
pub(super) async fn open(
    address: &NetworkAddress,
    options: &OpenOptions,
    hears: Hears<'_>,
) -> Result<Box<dyn Session>, SessionError> {
    Ok(Box::new(session::open(address, options, hears).await?))
}

/// Opens a connection for reading. Takes no lock, writes nothing.
pub(super) async fn read(
    address: &NetworkAddress,
    options: &OpenOptions,
) -> Result<Box<dyn Reader>, SessionError> {
    Ok(Box::new(session::Reading::open(address, options).await?))
}
