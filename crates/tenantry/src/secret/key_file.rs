//! The file that holds a key: read only if nobody else can read it, written so that nobody else can.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::secret::{Key, KeyError};

/// The longest file that is read; every form of a key is much shorter.
const FILE_MAX: u64 = 1024;

/// The right of everybody to write.
const WORLD_WRITE: u32 = 0o002;

/// In a folder with this bit only a file's owner can replace it.
const STICKY: u32 = 0o1000;

/// Every right of the group and of others.
const GROUP_AND_OTHERS: u32 = 0o077;

/// A key file could not be read or written, or must not be trusted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system does not let us read it, or there is none.
    #[error("the key file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why, in the system's words.
        #[source]
        source: io::Error,
    },
    /// The system does not let us write it.
    #[error("the key file {} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why, in the system's words.
        #[source]
        source: io::Error,
    },
    /// There is a file already; a key is never overwritten.
    #[error("there is already a file {}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is a symbolic link, a folder or a device.
    #[error("the key file {} is not a regular file", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// The group or everybody has rights on it.
    #[error("the key file {} has mode {mode:04o}; it must be 0600 or 0400", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to another user, who can replace the key.
    #[error("the key file {} belongs to user id {owner}; it must be ours or root's", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The user id that it belongs to.
        owner: u32,
    },
    /// Everybody can replace files in its folder.
    #[error("everybody can write to {}, the folder of the key file", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
    },
    /// Another file took its place while we looked at it.
    #[error("the key file {} was replaced while it was read", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no key.
    #[error("the key file {} holds no key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
}

impl KeyFileError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(1005)
    }
}

/// Reads the key in a file.
///
/// The file must be a regular one, ours or root's, without rights for group and others, in a folder that
/// not everybody can write to (or a sticky one). Nothing is written.
pub fn read_key_file(path: &Path) -> Result<Key, KeyFileError> {
    let read = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    check_folder(path, read)?;
    let seen = fs::symlink_metadata(path).map_err(read)?;
    check_file(path, &seen)?;
    let file = File::open(path).map_err(read)?;
    let opened = file.metadata().map_err(read)?;
    if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
        return Err(KeyFileError::Replaced {
            path: path.to_owned(),
        });
    }
    // Its rights can have changed since we looked at the path; its contents are read only now.
    check_file(path, &opened)?;
    let key = if opened.len() > FILE_MAX {
        let bytes = usize::try_from(opened.len()).unwrap_or(usize::MAX);
        Err(KeyError::Form { bytes })
    } else {
        Key::parse(&read_at_most(file).map_err(read)?)
    };
    key.map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Writes a key to a new file with mode 0600, in hex with a line ending, and waits until file and folder
/// are on disk.
///
/// An existing file is left alone: [`KeyFileError::Exists`]. If writing fails, no file remains.
pub fn write_key_file(path: &Path, key: &Key) -> Result<(), KeyFileError> {
    let write = |source| KeyFileError::Write {
        path: path.to_owned(),
        source,
    };
    check_folder(path, write)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::AlreadyExists {
                KeyFileError::Exists { path }
            } else {
                KeyFileError::Write { path, source }
            }
        })?;
    fill(file, path, key).map_err(|source| {
        // Half a key would stand in the way of the next attempt; the failure to report is the first.
        drop(fs::remove_file(path));
        write(source)
    })
}

/// Writes the key and makes file and folder durable.
fn fill(mut file: File, path: &Path, key: &Key) -> io::Result<()> {
    file.write_all(key.to_hex().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    File::open(folder_of(path))?.sync_all()
}

/// Returns the folder that the path's last name is looked up in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Checks that not everybody can replace files in the folder; `unseen` wraps the system's own error.
fn check_folder(path: &Path, unseen: impl Fn(io::Error) -> KeyFileError) -> Result<(), KeyFileError> {
    let folder = folder_of(path);
    let mode = fs::metadata(folder).map_err(unseen)?.mode();
    if mode & WORLD_WRITE != 0 && mode & STICKY == 0 {
        let folder = folder.to_owned();
        return Err(KeyFileError::Folder { folder });
    }
    Ok(())
}

/// Checks kind, mode and owner.
fn check_file(path: &Path, metadata: &Metadata) -> Result<(), KeyFileError> {
    let path = path.to_owned();
    if !metadata.is_file() {
        return Err(KeyFileError::NotRegular { path });
    }
    if metadata.mode() & GROUP_AND_OTHERS != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(KeyFileError::Mode { path, mode });
    }
    if !is_trusted_owner(metadata.uid(), our_user_id()) {
        let owner = metadata.uid();
        return Err(KeyFileError::Owner { path, owner });
    }
    Ok(())
}

/// Returns whether a file's owner is root or us.
///
/// Where our id is not known the owner passes: a file that only its owner may read and that we can read
/// is ours, unless we are root.
fn is_trusted_owner(owner: u32, ours: Option<u32>) -> bool {
    owner == 0 || ours.is_none_or(|ours| ours == owner)
}

/// Returns our effective user id; `None` where there is no `/proc` (proc(5): the folder of a process
/// belongs to its effective user).
fn our_user_id() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// Reads the file, but no more of it than [`FILE_MAX`], even if it grows.
fn read_at_most(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for everything at once: a growing buffer would leave copies behind that nobody wipes.
    let mut content = Zeroizing::new(Vec::with_capacity(2 * 1024));
    file.take(FILE_MAX).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_is_not_trusted() {
        assert!(is_trusted_owner(1000, Some(1000)));
        assert!(is_trusted_owner(0, Some(1000)));
        assert!(!is_trusted_owner(1001, Some(1000)));
        assert!(!is_trusted_owner(1001, Some(0)));
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("key")), Path::new("."));
        assert_eq!(folder_of(Path::new("keys/key")), Path::new("keys"));
    }
}
