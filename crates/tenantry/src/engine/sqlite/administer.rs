//! Removing a tenant's SQLite file. Nobody can be kept out of a file: whoever uses it has to ask the registry.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connect::is_plain_name;
use super::database::Database;
use super::poll;
use crate::engine::administer::{AdministerError, Existing, Removed};
use crate::engine::{Expects, IDLE_TIMEOUT, OpenOptions, SessionError, SqliteAddress};
use crate::faults::{Point, point};

/// How long somebody else's lock on the file may delay us.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes the file, with its journals, if its own tables say that it is ours. A file that is gone already is no error,
/// so that it can be repeated.
pub(crate) async fn remove(folder: &Path, existing: &Existing) -> Result<Removed, AdministerError> {
    let address = SqliteAddress {
        folder: folder.to_owned(),
        file: existing.name.clone(),
    };
    if !is_plain_name(&address.file) {
        return Err(not_ours(&address, "the name is not that of a file".to_owned()));
    }
    let path = address.path();
    // A folder that is not mounted has no files, and says nothing about them.
    if let Err(source) = fs::read_dir(folder) {
        return Err(AdministerError::Io {
            path: folder.to_owned(),
            source,
        });
    }
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Removed {
            was_there: false,
            role_stays: None,
        });
    }
    let (place, id) = (address.clone(), existing.database_id.clone());
    let held = poll((PATIENCE, &|| {}), move || claim(&place, &id)).await;
    let whose = held.map_err(AdministerError::Session)?;
    if let Whose::Other(reason) = whose {
        return Err(not_ours(&address, reason));
    }
    // The main file goes first: journals without it are nobody's, a file without its journal would be another one.
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        remove_file(PathBuf::from(name))?;
        if suffix.is_empty() {
            point(Point::LifeDatabaseDropped);
        }
    }
    // The folder's entry must be gone from the disk as well before the name is free.
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| AdministerError::Io {
            path: folder.to_owned(),
            source,
        })?;
    Ok(Removed {
        was_there: true,
        role_stays: None,
    })
}

/// Whose file it turned out to be.
enum Whose {
    Ours,
    Other(String),
}

/// Looks at the file under its lock; `None` while somebody else has that.
fn claim(address: &SqliteAddress, database_id: &str) -> Result<Option<Whose>, SessionError> {
    let options = OpenOptions {
        application_name: String::new(),
        connect_timeout: PATIENCE,
        lock_timeout: Duration::from_secs(3),
        lock_window: PATIENCE,
        idle_timeout: IDLE_TIMEOUT,
        database_id: String::new(),
        tenant_id: String::new(),
        registry_id: String::new(),
        expects: Expects::Tables,
    };
    let mut database = match Database::open(address, &options) {
        Ok(database) => database,
        Err(SessionError::Unsuitable { reason, .. }) => return Ok(Some(Whose::Other(reason))),
        Err(error) => return Err(error),
    };
    if !database.try_lock()? {
        return Ok(None);
    }
    let found = match database.read_history() {
        Err(SessionError::IdentityMismatch { found, .. }) => found,
        result => {
            let history = result?;
            // A creation that stopped half-way leaves a file without any table.
            match history.meta {
                Some(meta) => meta.database_id,
                None if history.occupied => String::new(),
                None => database_id.to_owned(),
            }
        }
    };
    Ok(Some(if found == database_id {
        Whose::Ours
    } else {
        Whose::Other("its tables do not name it as the one that is meant".to_owned())
    }))
}

fn remove_file(path: PathBuf) -> Result<(), AdministerError> {
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(AdministerError::Io { path, source }),
    }
}

fn not_ours(address: &SqliteAddress, reason: String) -> AdministerError {
    AdministerError::NotOurs {
        what: "file",
        name: address.file.clone(),
        endpoint: address.folder.display().to_string(),
        reason,
    }
}
