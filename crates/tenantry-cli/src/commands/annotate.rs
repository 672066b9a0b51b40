//! Where a job of a CI system is told what failed: which system it is, and where its files are.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Context;
use crate::args::Annotations;
use crate::config::Layer;
use crate::render::{Ending, annotations, out, text};

/// Who is told.
#[derive(Debug)]
pub(super) enum Annotator {
    /// Nobody.
    Nobody,
    /// A job of GitHub's.
    GitHub {
        /// The folder of the repository; the present one if unknown.
        repository: Option<PathBuf>,
        /// Where the summary of the job is written to.
        summary: Option<PathBuf>,
    },
}

impl Annotator {
    /// Chooses: what the flag says, else what the environment shows.
    pub(super) fn choose(context: &Context, asked: Annotations) -> Self {
        // What a project's `.env` says is no sign of where it runs.
        let set = |name: &str| context.environment.in_layer(name, Layer::Process);
        let is_there = set("GITHUB_ACTIONS") == Some("true");
        match asked {
            Annotations::Auto if !is_there => Self::Nobody,
            Annotations::None => Self::Nobody,
            Annotations::Auto | Annotations::Github => Self::GitHub {
                repository: set("GITHUB_WORKSPACE").map(PathBuf::from),
                summary: set("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            },
        }
    }

    /// Tells how a run ended. GitHub reads commands from stderr as from stdout, which belongs to the answer.
    pub(super) fn tell(&self, ending: &Ending<'_>) {
        let Self::GitHub { repository, summary } = self else {
            return;
        };
        let shown = |path: &Path| shown(repository.as_deref(), path);
        for command in annotations::commands(ending.report, &shown) {
            out::say(&command);
        }
        let Some(file) = summary else { return };
        let text = annotations::summary(ending, &shown);
        let opened = OpenOptions::new().append(true).create(true).open(file);
        if let Err(error) = opened.and_then(|mut file| file.write_all(text.as_bytes())) {
            out::say(&format!("the summary of the job cannot be written: {error}"));
        }
    }
}

/// Returns a path as the repository has it; `None` for one that is not in it.
fn shown(repository: Option<&Path>, path: &Path) -> Option<String> {
    let Some(repository) = repository else {
        return Some(text::path(path));
    };
    let absolute = std::path::absolute(path).ok()?;
    let inside = |folder: &Path, path: &Path| {
        let inside = path.strip_prefix(folder).ok()?;
        Some(inside.display().to_string())
    };
    // One of both may lead over a link.
    inside(repository, &absolute)
        .or_else(|| inside(&repository.canonicalize().ok()?, &absolute.canonicalize().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_the_repository_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("migrations/tenant/1_a.sql");
        let seen = shown(Some(folder.path()), &file);
        assert_eq!(seen.as_deref(), Some("migrations/tenant/1_a.sql"));
        assert_eq!(shown(Some(folder.path()), Path::new("/elsewhere/1_a.sql")), None);
        assert_eq!(shown(None, Path::new("a/1_a.sql")).as_deref(), Some("a/1_a.sql"));
    }
}
