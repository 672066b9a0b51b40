//! Creating a tenant's SQLite file, in steps that can each be repeated.

use std::fs::{self, OpenOptions as FileOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connect::is_plain_name;
use super::database::Database;
use super::{poll, record};
use crate::engine::create::{CreateError, NewDatabase};
use crate::engine::{Expects, IDLE_TIMEOUT, OpenOptions, SessionError, SqliteAddress};
use crate::faults::{Point, point};
use crate::history::{FORMAT, Meta};

/// How long a lock on the file may delay us; nobody else should know it yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Creates the folder if it is missing and in it the file of a database, with our two tables in it.
///
/// Repeating it is harmless: a file that carries `new.database_id`, or that has no tables at all, is taken
/// for the one begun earlier. Any other is a `Conflict` and stays as it is.
pub(crate) async fn create_database(folder: &Path, new: &NewDatabase) -> Result<(), CreateError> {
    let address = SqliteAddress {
        folder: folder.to_owned(),
        file: new.name.clone(),
    };
    let (place, wanted) = (address.clone(), new.clone());
    let mut made = None;
    let found = poll((PATIENCE, &|| {}), move || {
        if made.is_none() {
            made = Some(make_file(&place));
        }
        if let Some(Err(_)) = &made {
            return Ok(made.take().map(|result| result.map(|()| None)));
        }
        Ok(identify(&place, &wanted)?.map(|owner| Ok(Some(owner))))
    })
    .await;
    let owner = match found {
        Ok(made) => made?,
        // What is no database at all is not ours either.
        Err(SessionError::Unsuitable { reason, .. }) => return Err(conflict(&address, reason)),
        Err(error) => return Err(CreateError::Session(error)),
    };
    match owner {
        Some(Owner::Other(reason)) => Err(conflict(&address, reason)),
        Some(Owner::Ours) | None => Ok(()),
    }
}

/// Returns the version of SQLite in this program, if the folder is there.
pub(crate) fn describe(at: &SqliteAddress) -> Result<String, SessionError> {
    if at.folder.is_dir() {
        return Ok(format!("SQLite {}", rusqlite::version()));
    }
    let reason = "there is no such folder".to_owned();
    Err(SessionError::Unsuitable {
        endpoint: at.folder.display().to_string(),
        reason,
    })
}

/// Whose file it turned out to be.
enum Owner {
    Ours,
    Other(String),
}

fn conflict(address: &SqliteAddress, reason: String) -> CreateError {
    CreateError::Conflict {
        what: "file",
        name: address.file.clone(),
        endpoint: address.folder.display().to_string(),
        reason,
    }
}

/// Makes the empty file unless something of that name is there already.
fn make_file(address: &SqliteAddress) -> Result<(), CreateError> {
    let failed = |path: PathBuf| {
        |source: std::io::Error| {
            if matches!(
                source.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) {
                CreateError::Denied {
                    database: address.file.clone(),
                    endpoint: address.folder.display().to_string(),
                    reason: source.to_string(),
                }
            } else {
                CreateError::Io { path, source }
            }
        }
    };
    if !is_plain_name(&address.file) {
        return Err(conflict(address, "the name is not that of a file".to_owned()));
    }
    let folders = Made::folders(&address.folder).map_err(failed(address.folder.clone()))?;
    let made = FileOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(address.path());
    match made {
        // Closing it is safe: a file that did not exist has no locks of ours that could be dropped.
        Ok(file) => {
            drop(file);
            point(Point::LifeDatabaseMade);
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            folders.remove();
            Err(failed(address.path())(error))
        }
    }
}

/// Folders that were not there before, innermost first.
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a folder with those above it. What was made is gone again if that fails half-way.
    fn folders(folder: &Path) -> Result<Self, std::io::Error> {
        let above = folder.ancestors().filter(|above| !above.as_os_str().is_empty());
        let missing = above.take_while(|above| !above.exists());
        let made = Self(missing.map(Path::to_owned).collect());
        match fs::create_dir_all(folder) {
            Ok(()) => Ok(made),
            Err(error) => {
                made.remove();
                Err(error)
            }
        }
    }

    /// Removes the folders that are still empty; what somebody else put into one stays.
    fn remove(self) {
        for folder in self.0 {
            drop(fs::remove_dir(folder));
        }
    }
}

/// Looks at the file under its lock and claims it if it is empty; `None` while somebody else has the lock.
fn identify(address: &SqliteAddress, new: &NewDatabase) -> Result<Option<Owner>, SessionError> {
    let options = OpenOptions {
        application_name: String::new(),
        connect_timeout: PATIENCE,
        lock_timeout: Duration::from_secs(3),
        lock_window: PATIENCE,
        idle_timeout: IDLE_TIMEOUT,
        database_id: new.database_id.clone(),
        tenant_id: new.tenant_id.clone(),
        registry_id: new.registry_id.clone(),
        expects: Expects::Tables,
    };
    let mut database = Database::open(address, &options)?;
    if !database.try_lock()? {
        return Ok(None);
    }
    let found = match database.read_history() {
        Err(SessionError::IdentityMismatch { found, .. }) => {
            return Ok(Some(Owner::Other(format!("it says that it is `{found}`"))));
        }
        result => result?,
    };
    if found.meta.is_some() {
        return Ok(Some(Owner::Ours));
    }
    if found.occupied {
        return Ok(Some(Owner::Other("it has tables already".to_owned())));
    }
    let meta = Meta {
        database_id: new.database_id.clone(),
        tenant_id: new.tenant_id.clone(),
        registry_id: new.registry_id.clone(),
        epoch: 0,
        format: FORMAT,
    };
    record::create(&database.connection, &meta)
        .and_then(|()| database.connection.execute_batch("COMMIT"))
        .map_err(|error| database.error(&error))?;
    Ok(Some(Owner::Ours))
}
