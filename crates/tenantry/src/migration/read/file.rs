//! Reading one file without being led elsewhere, hanging, or filling the memory.

use std::fs::{self, File, FileType, Metadata};
use std::io::Read as _;
use std::path::Path;

use crate::migration::problem::FileProblemKind as Kind;

/// The largest file in bytes: 64 MiB.
const LARGEST: u64 = 64 << 20;

/// Returns the bytes of an ordinary file. A link is not followed, a pipe not opened.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Kind> {
    let seen = fs::symlink_metadata(path).map_err(Kind::Unreadable)?;
    check(&seen)?;
    let mut file = File::open(path).map_err(Kind::Unreadable)?;
    let before = file.metadata().map_err(Kind::Unreadable)?;
    check(&before)?;
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    (&mut file)
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(Kind::Unreadable)?;
    let after = file.metadata().map_err(Kind::Unreadable)?;
    if !same(&seen, &before) || !same(&before, &after) || bytes.len() as u64 != after.len() {
        return Err(Kind::Changed);
    }
    Ok(bytes)
}

fn check(metadata: &Metadata) -> Result<(), Kind> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return Err(Kind::SymbolicLink);
    }
    if !kind.is_file() {
        return Err(Kind::NotAFile(name_of(kind)));
    }
    if metadata.len() > LARGEST {
        return Err(Kind::TooLarge(metadata.len()));
    }
    Ok(())
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "a device" }
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |m: &Metadata| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec());
    identity(a) == identity(b)
}

#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}
