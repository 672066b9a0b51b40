//! Whether ROLLBACK can be believed: a table whose storage engine has no transactions keeps its rows.

use mysql_async::consts::StatusFlags;

use super::tables::{Names, text};
use super::wire::{ALL, Part, Role, Sent, send};
use crate::engine::error::ApplyError;
use crate::history::History;
use crate::migration::mysql_class::{Class, Storage, storage};

/// `ER_WARNING_NOT_COMPLETE_ROLLBACK`: what was changed in a table without transactions is still there.
const NOT_COMPLETE: &str = "1196";

/// How many warnings our sessions keep: this one must be among them.
pub(super) const WARNINGS: u32 = 1024;

/// What a new table is kept in that names no engine, as an expression.
// MariaDB can force another engine upon new tables; the comment is a comment to MySQL.
pub(super) const DEFAULT: &str = "COALESCE(/*M!100103 @@enforce_storage_engine, */ @@default_storage_engine)";

/// The engine that a server forces upon every new table, as an expression; empty if it forces none.
pub(super) const FORCED: &str = "COALESCE(/*M!100103 @@enforce_storage_engine, */ '')";

/// What is known of the storage engines in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Engines {
    /// Whether a table has another engine than `InnoDB`.
    others: bool,
    /// Whether a new table that names no engine gets another one than `InnoDB`.
    other_default: bool,
    /// Whether the tables were not asked about, or a statement ran since that may have changed them.
    stale: bool,
}

/// The question for them: one row, whatever the database holds.
///
/// The server opens each table for it, so that it is asked only where rows are about to be changed.
fn question(names: &Names) -> Part {
    Part::new(
        Role::Question,
        format!(
            "SELECT {DEFAULT}, (SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = {} AND engine <> 'InnoDB' AND table_type <> 'TEMPORARY') {ALL}",
            names.database
        ),
    )
}

/// Returns whether an engine is another one than `InnoDB`, or not known.
pub(super) fn is_other(name: Option<&str>) -> bool {
    !name.is_some_and(|name| name.eq_ignore_ascii_case("InnoDB"))
}

impl Engines {
    /// What is known of a database at first: the engine of new tables, and whether there are tables at all.
    pub(super) fn unasked(default: Option<&str>, history: &History) -> Self {
        Self {
            others: false,
            other_default: is_other(default),
            stale: history.meta.is_some() || history.occupied,
        }
    }

    /// Reads the answer to [`question`]; without one nothing is believed.
    fn from_answer(sent: &Sent) -> Self {
        let row = sent.rows(0).first();
        let column = |at| row.and_then(|row| text(row, at));
        Self {
            others: column(1).as_deref() != Some("0"),
            other_default: is_other(column(0).as_deref()),
            stale: false,
        }
    }

    /// Returns whether rows may stay at ROLLBACK, as far as was asked, so that each statement has an intent.
    pub(super) fn is_known_to_keep(self) -> bool {
        self.others
    }

    /// Returns whether the table that a statement makes may keep its rows at ROLLBACK.
    pub(super) fn may_keep(self, statement: &str) -> bool {
        self.other_default || storage(statement) != Storage::Plain
    }

    /// Notes that a statement ran which may have made a table or changed its engine.
    pub(super) fn note(&mut self, class: &Class, statement: &str) {
        match class {
            Class::Dml => {}
            // A procedure or a prepared statement may do anything.
            Class::Opaque => self.stale = true,
            Class::AtomicDdl { .. }
            | Class::MultiObjectDdl { .. }
            | Class::Repeatable
            | Class::NotRepeatable
            | Class::Session => match storage(statement) {
                Storage::Plain => self.stale |= self.other_default,
                Storage::Named => self.stale = true,
                Storage::Default => (self.stale, self.other_default) = (true, true),
            },
        }
    }
}

impl super::apply::Worker<'_> {
    /// Returns whether every table takes its rows back at ROLLBACK; asks where that is not known, or where
    /// a statement of ours may have changed it.
    pub(super) async fn rolls_back(&mut self) -> Result<bool, ApplyError> {
        if self.engines.stale {
            let sent = send(self.conn, &[question(self.writer.names)]).await;
            if let Some(error) = &sent.failure {
                return Err(super::apply::lost_or_refused(super::error::session_error(error)));
            }
            let now = Engines::from_answer(&sent);
            // The end of a file sets the default back, so one that was seen is remembered.
            self.engines = Engines {
                other_default: self.engines.other_default || now.other_default,
                ..now
            };
        }
        Ok(!self.engines.others)
    }

    /// Rolls back; returns whether everything is as before, which a table without transactions denies.
    pub(super) async fn roll_back(&mut self) -> Result<bool, ApplyError> {
        let parts = [
            // A deadlock has rolled back already, and said then what stayed.
            Part::new(Role::Question, "SHOW WARNINGS"),
            // The server's own value may be 0, and then it keeps no warning.
            Part::new(Role::Question, format!("SELECT @@SESSION.max_error_count {ALL}")),
            Part::new(Role::Own, format!("SET SESSION max_error_count = {WARNINGS}")),
            Part::new(Role::Own, "ROLLBACK"),
            Part::new(Role::Question, "SHOW WARNINGS"),
        ];
        let sent = send(self.conn, &parts).await;
        if let Some(error) = &sent.failure {
            return Err(super::apply::lost_or_refused(super::error::session_error(error)));
        }
        let stays = |at| {
            let mut rows = sent.rows(at).iter();
            rows.any(|row| text(row, 1).as_deref() == Some(NOT_COMPLETE))
        };
        let kept = sent.rows(1).first().and_then(|row| text(row, 0));
        // Seen before the ROLLBACK, by the answer to the setting.
        let was_open = sent
            .answers
            .get(2)
            .is_some_and(|answer| answer.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
        let told = was_open || kept.as_deref() != Some("0");
        Ok(told && !stays(0) && !stays(4))
    }
}
