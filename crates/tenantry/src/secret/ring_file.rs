//! Changing the keys in a key file, so that a crash leaves the old file or the new one and never half of it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::secret::key_file::{fill, folder_of};
use crate::secret::{Key, KeyFileError, KeyId, KeyRing, read_key_file};

/// Puts a new key before those of a file, the first of which must be `first`; returns its id.
///
/// The new file is written beside the old one with mode 0600, made durable and renamed over it. Meanwhile the folder is
/// locked, so that two changes cannot lose each other's key. The rules of [`read_key_file`] hold for the old file.
///
/// # Errors
/// [`KeyFileError::Changed`] if another key is the first by now; with every error the old file is as it was.
pub fn add_key_to_file(path: &Path, first: KeyId) -> Result<KeyId, KeyFileError> {
    let _locked = lock(path)?;
    let keys = read_key_file(path)?;
    let path_of = || path.to_owned();
    if keys.active().id() != first {
        return Err(KeyFileError::Changed { path: path_of() });
    }
    if !keys.has_room() {
        return Err(KeyFileError::Full { path: path_of() });
    }
    let new = Key::generate().map_err(KeyFileError::NewKey)?;
    let id = new.id();
    replace(path, &keys.with_active(new))?;
    Ok(id)
}

/// Takes a key out of a file, in the same way. Nothing is written if it is not there.
///
/// # Errors
/// [`KeyFileError::OnlyKey`] if no other is left; with every error the old file is as it was.
pub fn remove_key_from_file(path: &Path, id: KeyId) -> Result<(), KeyFileError> {
    let _locked = lock(path)?;
    let keys = read_key_file(path)?;
    if keys.find(id).is_none() {
        return Ok(());
    }
    let left = keys.without(id).ok_or_else(|| KeyFileError::OnlyKey {
        path: path.to_owned(),
    })?;
    replace(path, &left)
}

/// Locks the file's folder until the answer is dropped.
fn lock(path: &Path) -> Result<File, KeyFileError> {
    let lock = || {
        let folder = File::open(folder_of(path))?;
        folder.lock()?;
        Ok(folder)
    };
    lock().map_err(|source| not_written(path, source))
}

fn not_written(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Write {
        path: path.to_owned(),
        source,
    }
}

fn replace(path: &Path, wanted: &KeyRing) -> Result<(), KeyFileError> {
    let beside = beside(path);
    write_and_rename(&beside, path, wanted).map_err(|source| {
        // Keys that nobody will look for must not stay; the failure to report is the first.
        drop(fs::remove_file(&beside));
        not_written(path, source)
    })
}

/// Returns the file that is written before it takes the other's place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn write_and_rename(beside: &Path, path: &Path, wanted: &KeyRing) -> io::Result<()> {
    // What is there was left by a crash: whoever writes it holds the lock.
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    fill(file, beside, &wanted.to_text())?;
    fs::rename(beside, path)?;
    File::open(folder_of(path))?.sync_all()
}
