//! Whose database it is: the check before anything else, and the name of its lock.

use sha2::{Digest as _, Sha256};

use super::{OpenOptions, SessionError, Whose};
use crate::faults::{Seed, is_seeded};
use crate::history::{FORMAT, History};

/// Returns the 64-bit key of a database's migration lock: the beginning of
/// SHA-256(`tenantry/v1/` + database id).
pub(crate) fn lock_key(database_id: &str) -> i64 {
    let digest = Sha256::new()
        .chain_update("tenantry/v1/")
        .chain_update(database_id)
        .finalize();
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    i64::from_be_bytes(bytes)
}

/// Checks that a database with a meta row is the one that was meant, in a layout we know, and that its history is
/// whole. An empty `database_id` asks for no particular database: only the central one, whose id is found out that way.
pub(crate) fn check_identity(history: &History, options: &OpenOptions) -> Result<(), SessionError> {
    let whose = Whose {
        registry_id: &options.registry_id,
        database_id: &options.database_id,
    };
    check_whose(history, whose, &options.tenant_id)
}

/// The same for whoever has no more than the ids.
pub(crate) fn check_whose(history: &History, whose: Whose<'_>, tenant_id: &str) -> Result<(), SessionError> {
    let Some(meta) = &history.meta else { return Ok(()) };
    if is_seeded(Seed::IdentityNotChecked) {
        return Ok(());
    }
    if meta.format > FORMAT {
        let reason = format!("its layout {} is newer than this program's {FORMAT}", meta.format);
        return Err(SessionError::HistoryDamaged { reason });
    }
    if let Some(reason) = history.damage() {
        return Err(SessionError::HistoryDamaged { reason });
    }
    if whose.database_id.is_empty() {
        return Ok(());
    }
    let pairs = [
        (&meta.database_id, whose.database_id),
        (&meta.tenant_id, tenant_id),
        (&meta.registry_id, whose.registry_id),
    ];
    for (found, expected) in pairs {
        if found != expected {
            return Err(SessionError::IdentityMismatch {
                expected: expected.to_owned(),
                found: found.clone(),
            });
        }
    }
    Ok(())
}
