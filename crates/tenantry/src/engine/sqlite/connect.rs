//! Opening an SQLite file: which files we accept, and how a connection is set up.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rusqlite::config::DbConfig;
use rusqlite::ffi;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::error::session_error;
use crate::engine::{SessionError, SqliteAddress};

/// One file and which one it was when we opened it.
///
/// It is only ever looked at by its metadata: opening and closing it a second time in this process would
/// drop SQLite's locks (the manual, "How To Corrupt An SQLite Database File", 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path; the folder's own symbolic links are resolved.
    pub(super) path: PathBuf,
    device: u64,
    inode: u64,
}

impl File {
    /// Finds the file of an address; refuses what is not a plain file directly in the folder.
    pub(crate) fn find(address: &SqliteAddress) -> Result<Self, SessionError> {
        if !is_plain_name(&address.file) {
            return Err(unsuitable(
                address,
                "the name is not that of a file in its folder",
            ));
        }
        let missing = || SessionError::NoDatabase {
            database: address.file.clone(),
            endpoint: address.folder.display().to_string(),
        };
        let from_io = |error: &std::io::Error| {
            if error.kind() == ErrorKind::NotFound {
                missing()
            } else {
                unsuitable(address, &error.to_string())
            }
        };
        // SQLite's NOFOLLOW refuses links in any part of the path; those above the folder are the
        // administrator's own. An absolute path is never taken for a URI either.
        let folder = fs::canonicalize(&address.folder).map_err(|e| from_io(&e))?;
        let path = folder.join(&address.file);
        let metadata = fs::symlink_metadata(&path).map_err(|e| from_io(&e))?;
        if let Some(reason) = refusal(&metadata) {
            return Err(unsuitable(address, reason));
        }
        Ok(Self {
            path,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Returns whether its path still leads to the same file.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|now| now.dev() == self.device && now.ino() == self.inode && now.is_file())
    }

    /// Returns whether nobody may write it, whoever we are.
    pub(super) fn is_read_only(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|now| now.permissions().readonly())
    }

    /// Returns the path of what SQLite keeps beside it under its name with a suffix; its own for an empty one.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        PathBuf::from(path)
    }

    /// Returns whether there is a write-ahead log beside it.
    pub(super) fn has_log(&self) -> bool {
        fs::symlink_metadata(self.beside("-wal")).is_ok()
    }

    /// Returns what messages call it.
    pub(super) fn endpoint(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the error that says why it cannot be migrated.
    pub(super) fn unsuitable(&self, reason: &str) -> SessionError {
        SessionError::Unsuitable {
            endpoint: self.endpoint(),
            reason: reason.to_owned(),
        }
    }
}

/// Returns whether a name is one path component, so that it cannot leave its folder.
pub(super) fn is_plain_name(name: &str) -> bool {
    Path::new(name).file_name() == Some(OsStr::new(name)) && !name.contains(['\\', '\0'])
}

fn unsuitable(address: &SqliteAddress, reason: &str) -> SessionError {
    SessionError::Unsuitable {
        endpoint: address.path().display().to_string(),
        reason: reason.to_owned(),
    }
}

fn refusal(metadata: &Metadata) -> Option<&'static str> {
    if metadata.is_symlink() {
        Some("it is a symbolic link")
    } else if metadata.is_dir() {
        Some("it is a folder")
    } else if !metadata.is_file() {
        Some("it is not a regular file")
    } else {
        None
    }
}

/// Whose statements are being prepared: the authorizer looks at ours and theirs with different eyes.
#[derive(Clone, Debug, Default)]
pub(super) struct ScriptMode(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    mode: AtomicU8,
    /// Whether a migration has set something for its connection or made a temporary object.
    touched: AtomicBool,
    /// Whether a migration is about to change rows, or a table that has some.
    rows: AtomicBool,
}

const OURS: u8 = 0;
const INSIDE: u8 = 1;
const OUTSIDE: u8 = 2;

impl ScriptMode {
    /// From now on statements come from a migration inside our transaction; none of them has changed rows.
    pub(super) fn enter_inside(&self) {
        self.0.rows.store(false, Ordering::Relaxed);
        self.0.mode.store(INSIDE, Ordering::Relaxed);
    }

    /// From now on statements come from a migration that runs outside a transaction.
    pub(super) fn enter_outside(&self) {
        self.0.mode.store(OUTSIDE, Ordering::Relaxed);
    }

    /// From now on statements are our own.
    pub(super) fn leave(&self) {
        self.0.mode.store(OURS, Ordering::Relaxed);
    }

    /// Returns whether a migration has left traces in its session since this was last asked.
    pub(super) fn was_touched(&self) -> bool {
        self.0.touched.swap(false, Ordering::Relaxed)
    }

    /// Returns whether a migration has prepared a statement that changes rows since it was entered or this
    /// was last asked.
    pub(super) fn changes_rows(&self) -> bool {
        self.0.rows.swap(false, Ordering::Relaxed)
    }

    fn allows(&self, action: &AuthAction<'_>, accessor: Option<&str>) -> bool {
        let mode = self.0.mode.load(Ordering::Relaxed);
        // VACUUM begins a transaction of its own.
        let transaction = mode != OUTSIDE && matches!(action, AuthAction::Transaction { .. });
        if mode == OURS {
            // Our statements name tables of ours and SQLite's own. What comes in between is a view in the place of one,
            // or a trigger on it: somebody else's program, which may never end.
            return accessor.is_none();
        }
        if leaves_traces(action) {
            self.0.touched.store(true, Ordering::Relaxed);
        }
        if changes_rows(action) {
            self.0.rows.store(true, Ordering::Relaxed);
        }
        !(transaction || is_forbidden(action))
    }
}

/// Opens a file that [`File::find`] accepted. Nothing is read yet, and no lock is taken.
pub(super) fn connect(file: &File, mode: &ScriptMode) -> Result<Connection, SessionError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let refused = |error: &rusqlite::Error| session_error(&file.endpoint(), error);
    let connection = Connection::open_with_flags(&file.path, flags).map_err(|e| refused(&e))?;
    if !file.is_in_place() {
        return Err(file.unsuitable("the file was replaced while it was opened"));
    }
    set_up(&connection, mode).map_err(|e| refused(&e))?;
    Ok(connection)
}

/// Sets what a connection may do. `synchronous` is FULL by the build already, and the PRAGMA would read the
/// schema once more.
fn set_up(connection: &Connection, mode: &ScriptMode) -> rusqlite::Result<()> {
    // Ours to wait, with a deadline of our own.
    connection.busy_timeout(std::time::Duration::ZERO)?;
    // The bundled build turns foreign keys on; migrations are written for SQLite's default, off.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let mode = mode.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if mode.allows(&context.action, context.accessor) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }))
}

/// Returns whether this outlasts the file in its connection.
fn leaves_traces(action: &AuthAction<'_>) -> bool {
    matches!(
        action,
        AuthAction::Pragma {
            pragma_value: Some(_),
            ..
        } | AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. }
            | AuthAction::CreateVtable { .. }
    )
}

/// Returns whether rows, or the table that they are in, may be others afterwards. Making an object is a
/// change of the schema's rows, which no key refers to.
fn changes_rows(action: &AuthAction<'_>) -> bool {
    if let AuthAction::Insert { table_name }
    | AuthAction::Delete { table_name }
    | AuthAction::Update { table_name, .. } = action
    {
        return !table_name.starts_with("sqlite_");
    }
    matches!(
        action,
        AuthAction::DropTable { .. } | AuthAction::AlterTable { .. }
    )
}

/// Returns whether a migration must never do this: leave its file, load code, reach the whole process.
fn is_forbidden(action: &AuthAction<'_>) -> bool {
    // An unnamed file is the temporary one that VACUUM itself attaches.
    matches!(action, AuthAction::Attach { filename } if !filename.is_empty())
        || matches!(action, AuthAction::Detach { .. })
        || matches!(action, AuthAction::Unknown { code, .. }
            if [ffi::SQLITE_ATTACH, ffi::SQLITE_DETACH].contains(code))
        || matches!(action, AuthAction::Function { function_name }
            if function_name.eq_ignore_ascii_case("load_extension"))
        || matches!(action, AuthAction::Pragma { pragma_name, .. } if is_process_wide(pragma_name))
}

fn is_process_wide(pragma: &str) -> bool {
    [
        "temp_store_directory",
        "data_store_directory",
        "soft_heap_limit",
        "hard_heap_limit",
    ]
    .iter()
    .any(|name| pragma.eq_ignore_ascii_case(name))
}
