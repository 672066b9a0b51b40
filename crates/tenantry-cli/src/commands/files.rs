//! Files of the user's that a command cannot read or write.

use std::io;
use std::path::Path;

use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;
use tenantry::Code;

/// A file or folder cannot be made or written.
pub(super) fn not_written(path: &Path, error: &io::Error) -> CommandError {
    refused(format!("{} cannot be written", text::path(path)), error)
}

/// A file cannot be read.
pub(super) fn not_read(path: &Path, error: &io::Error) -> CommandError {
    refused(format!("{} cannot be read", text::path(path)), error).fact("state", "nothing was changed")
}

fn refused(title: String, error: &io::Error) -> CommandError {
    CommandError::new(Exit::Configuration, title)
        .code(Code(1010))
        .fact("cause", error.to_string())
}
