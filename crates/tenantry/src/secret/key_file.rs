//! Files that hold keys and passwords: read only if nobody else can read them, written so that nobody else can.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::secret::{Key, KeyError, KeyRing, RingError};

/// What messages call a file with keys.
const KEY: &str = "the key file";

/// The longest file that is read for keys; a full ring is shorter.
const FILE_MAX: u64 = 4 * 1024;

/// The right of everybody to write.
const WORLD_WRITE: u32 = 0o002;

/// In a folder with this bit only a file's owner can replace it.
const STICKY: u32 = 0o1000;

/// Every right of the group and of others.
const GROUP_AND_OTHERS: u32 = 0o077;

/// A key file, or another file with secrets, could not be read or written, or must not be trusted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system does not let us read it, or there is none.
    #[error("{what} {} cannot be read", path.display())]
    Read {
        /// What the file is: "the key file".
        what: &'static str,
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
    #[error("{what} {} is not a regular file", path.display())]
    NotRegular {
        /// What the file is: "the key file".
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The group or everybody has rights on it.
    #[error("{what} {} has mode {mode:04o}; it must be 0600 or 0400", path.display())]
    Mode {
        /// What the file is: "the key file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to another user, who can replace the key.
    #[error("{what} {} belongs to user id {owner}; it must be ours or root's", path.display())]
    Owner {
        /// What the file is: "the key file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The user id that it belongs to.
        owner: u32,
    },
    /// Everybody can replace files in its folder.
    #[error("everybody can write to {}, the folder of {what}", folder.display())]
    Folder {
        /// What the file is: "the key file".
        what: &'static str,
        /// The folder.
        folder: PathBuf,
    },
    /// Another file took its place while we looked at it.
    #[error("{what} {} was replaced while it was read", path.display())]
    Replaced {
        /// What the file is: "the key file".
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It is longer than anything it could be.
    #[error("{what} {} has more than {max} bytes", path.display())]
    TooLong {
        /// What the file is: "the key file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// How many bytes are read at most.
        max: u64,
    },
    /// What it holds is no key.
    #[error("the key file {} holds no key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: RingError,
    },
    /// Somebody else has changed it since it was read.
    #[error("the key file {} was changed in the meantime", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It has as many keys as a ring may have.
    #[error("the key file {} has no room for another key", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Without the key that was to be taken out it would have none.
    #[error("the key file {} has no other key", path.display())]
    OnlyKey {
        /// The file.
        path: PathBuf,
    },
    /// No new key could be made.
    #[error("there is no new key for the file")]
    NewKey(#[source] KeyError),
}

impl KeyFileError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        Code(1005)
    }
}

/// Reads the keys in a file; it never has none.
///
/// The file must be a regular one, ours or root's, without rights for group and others, in a folder that
/// not everybody can write to (or a sticky one). Nothing is written.
pub fn read_key_file(path: &Path) -> Result<KeyRing, KeyFileError> {
    let of = SecretFile { what: KEY, path };
    let file = of.open()?;
    let length = file.metadata().map_err(|source| of.not_read(source))?.len();
    let keys = if length > FILE_MAX {
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        Err(RingError::Only(KeyError::Form { bytes }))
    } else {
        KeyRing::parse(&read_at_most(file, FILE_MAX).map_err(|source| of.not_read(source))?)
    };
    keys.map_err(|source| KeyFileError::Key {
        path: path.to_owned(),
        source,
    })
}

/// Reads another file with secrets, which `what` names in errors, under the rules of [`read_key_file`].
///
/// Fails with [`KeyFileError::TooLong`] if it has more than `max` bytes.
pub fn read_secret_file(
    path: &Path,
    what: &'static str,
    max: u64,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let of = SecretFile { what, path };
    let file = of.open()?;
    let content = read_at_most(file, max.saturating_add(1)).map_err(|source| of.not_read(source))?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > max {
        let path = path.to_owned();
        return Err(KeyFileError::TooLong { what, path, max });
    }
    Ok(content)
}

/// A file with secrets, and what messages call it.
#[derive(Clone, Copy)]
struct SecretFile<'a> {
    what: &'static str,
    path: &'a Path,
}

impl SecretFile<'_> {
    /// Opens it, if it can be trusted.
    fn open(self) -> Result<File, KeyFileError> {
        check_folder(self, |source| self.not_read(source))?;
        let seen = fs::symlink_metadata(self.path).map_err(|source| self.not_read(source))?;
        check_file(self, &seen)?;
        let file = File::open(self.path).map_err(|source| self.not_read(source))?;
        let opened = file.metadata().map_err(|source| self.not_read(source))?;
        if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
            return Err(KeyFileError::Replaced {
                what: self.what,
                path: self.path.to_owned(),
            });
        }
        // Its rights can have changed since we looked at the path; its contents are read only now.
        check_file(self, &opened)?;
        Ok(file)
    }

    fn not_read(self, source: io::Error) -> KeyFileError {
        KeyFileError::Read {
            what: self.what,
            path: self.path.to_owned(),
            source,
        }
    }
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
    check_folder(SecretFile { what: KEY, path }, write)?;
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
    let text = Zeroizing::new(format!("{}\n", *key.to_hex()));
    fill(file, path, &text).map_err(|source| {
        // Half a key would stand in the way of the next attempt; the failure to report is the first.
        drop(fs::remove_file(path));
        write(source)
    })
}

/// Writes the keys and makes file and folder durable.
pub(super) fn fill(mut file: File, path: &Path, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    File::open(folder_of(path))?.sync_all()
}

/// Returns the folder that the path's last name is looked up in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Checks that not everybody can replace files in the folder; `unseen` wraps the system's own error.
fn check_folder(of: SecretFile<'_>, unseen: impl Fn(io::Error) -> KeyFileError) -> Result<(), KeyFileError> {
    let folder = folder_of(of.path);
    let mode = fs::metadata(folder).map_err(unseen)?.mode();
    if mode & WORLD_WRITE != 0 && mode & STICKY == 0 {
        let folder = folder.to_owned();
        let what = of.what;
        return Err(KeyFileError::Folder { what, folder });
    }
    Ok(())
}

/// Checks kind, mode and owner.
fn check_file(of: SecretFile<'_>, metadata: &Metadata) -> Result<(), KeyFileError> {
    let (what, path) = (of.what, of.path.to_owned());
    if !metadata.is_file() {
        return Err(KeyFileError::NotRegular { what, path });
    }
    if metadata.mode() & GROUP_AND_OTHERS != 0 {
        let mode = metadata.mode() & 0o7777;
        return Err(KeyFileError::Mode { what, path, mode });
    }
    if !is_trusted_owner(metadata.uid(), our_user_id()) {
        let owner = metadata.uid();
        return Err(KeyFileError::Owner { what, path, owner });
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

/// Reads the file, but no more of it than `max` bytes, even if it grows.
fn read_at_most(file: File, max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for everything at once: a growing buffer would leave copies behind that nobody wipes.
    let length = usize::try_from(file.metadata()?.len().min(max)).unwrap_or_default();
    let mut content = Zeroizing::new(Vec::with_capacity(length + 1024));
    file.take(max).read_to_end(&mut content)?;
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
