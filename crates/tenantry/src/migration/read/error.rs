//! Why a track cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::code::Code;
use crate::migration::problem::FileProblem;

/// Why a track cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The folder does not exist, is no folder, or cannot be listed.
    #[error("the folder {} cannot be read", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Some of the files must not run.
    #[error("{} in {} must not run", count(.problems), .folder.display())]
    Files {
        /// The folder; empty for files in the binary.
        folder: PathBuf,
        /// Every problem of every file, in the order of the paths and of the places. Never empty.
        problems: Vec<FileProblem>,
    },
}

impl ReadError {
    /// Returns the code: TN-1006 for the folder, else the first problem's.
    pub fn code(&self) -> Code {
        match self {
            Self::Folder { .. } => Code(1006),
            Self::Files { problems, .. } => problems.first().map_or(Code(1006), FileProblem::code),
        }
    }

    /// Returns every problem of every file; none if the folder itself is the problem.
    pub fn problems(&self) -> &[FileProblem] {
        match self {
            Self::Folder { .. } => &[],
            Self::Files { problems, .. } => problems,
        }
    }
}

fn count(problems: &[FileProblem]) -> String {
    let mut paths: Vec<_> = problems.iter().map(|p| &p.path).collect();
    paths.dedup();
    match paths.len() {
        1 => "one file".to_owned(),
        n => format!("{n} files"),
    }
}
