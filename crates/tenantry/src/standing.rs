//! How a database stands against its track. Pure: from what the registry remembers, or from a look at it.

use crate::migration::{Track, Version};
use crate::run::{Outcome, Preview};

/// How a database stands against its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nothing is pending.
    Current,
    /// Migrations are pending.
    Behind,
    /// It has newer migrations than the folder.
    Ahead,
    /// Its last run failed, or it could not be asked, or its history must not be continued.
    Failed,
}

impl Standing {
    /// Every standing, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Current, Self::Behind, Self::Ahead, Self::Failed];

    /// Returns the word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Ahead => "ahead",
            Self::Failed => "failed",
        }
    }

    /// Decides by what the registry remembers: the newest version at the last look, and what became of it
    /// then. As old as that look.
    pub fn remembered(track: &Track, version: Option<Version>, outcome: Option<Outcome>) -> Self {
        if outcome == Some(Outcome::Ahead) || version > track.head() {
            return Self::Ahead;
        }
        if outcome.is_some_and(Outcome::is_failure) {
            return Self::Failed;
        }
        if version == track.head() {
            Self::Current
        } else {
            Self::Behind
        }
    }

    /// Decides by what the database itself answered.
    pub fn of_preview(preview: &Preview) -> Self {
        match &preview.planned {
            Ok((plan, _)) if plan.steps.is_empty() => Self::Current,
            Ok(_) => Self::Behind,
            Err(_) if preview.outcome == Some(Outcome::Ahead) => Self::Ahead,
            Err(_) => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::target::TrackName;

    fn track(files: &[(&str, &str)]) -> Track {
        Track::from_files(TrackName::Tenant, Engine::Sqlite, files).unwrap()
    }

    fn version(text: &str) -> Option<Version> {
        text.parse().ok()
    }

    #[test]
    fn the_newest_version_is_current_and_an_older_one_behind() {
        let two = track(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", "SELECT 1;")]);
        for (at, outcome, expect) in [
            ("2", Some(Outcome::Applied), Standing::Current),
            ("2", Some(Outcome::NotRun), Standing::Current),
            ("1", Some(Outcome::Applied), Standing::Behind),
            ("1", None, Standing::Behind),
            ("", None, Standing::Behind),
            ("3", Some(Outcome::Applied), Standing::Ahead),
        ] {
            let found = Standing::remembered(&two, version(at), outcome);
            assert_eq!(found, expect, "{at} {outcome:?}");
        }
    }

    #[test]
    fn a_failure_counts_more_than_the_version() {
        let one = track(&[("1_a.sql", "SELECT 1;")]);
        for outcome in [Outcome::Failed, Outcome::Unreachable, Outcome::Modified] {
            let found = Standing::remembered(&one, version("1"), Some(outcome));
            assert_eq!(found, Standing::Failed, "{outcome:?}");
        }
        let ahead = Standing::remembered(&one, version("1"), Some(Outcome::Ahead));
        assert_eq!(ahead, Standing::Ahead);
    }

    #[test]
    fn a_database_without_migrations_is_current_on_an_empty_track() {
        let none = track(&[]);
        assert_eq!(Standing::remembered(&none, None, None), Standing::Current);
        assert_eq!(Standing::remembered(&none, version("1"), None), Standing::Ahead);
    }
}
