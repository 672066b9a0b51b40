//! Places at which a test lets the process die, and defects that a test switches on.
//!
//! Only the feature `faults` arms them. Without it every call here compiles to nothing, and no name of a place
//! or defect is in the program.

#[cfg(feature = "faults")]
mod armed;

#[cfg(feature = "faults")]
pub use armed::{Act, UnknownFault, arm};
#[cfg(feature = "faults")]
pub(crate) use armed::{is_seeded, point, sent};

/// Makes an enum whose variants have names outside of the program, in the build that knows them.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        #[cfg(feature = "faults")]
        impl $name {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns its name: where it belongs, a dot, and what it is.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

named! {
    /// A place between two steps of a protocol.
    Point {
        /// The connection is open, nothing was asked.
        PostgresConnected = "postgres.connected",
        /// The lock is taken and the history read, in an open transaction.
        PostgresLocked = "postgres.locked",
        /// A message with a migration is on its way; nobody has looked at the answer.
        PostgresUnitSent = "postgres.unit_sent",
        /// A part of a transaction that is too large for one message has run.
        PostgresPartAnswered = "postgres.part_answered",
        /// The answer to a message with a COMMIT is there.
        PostgresCommitted = "postgres.committed",
        /// Every row of a unit was read back.
        PostgresReadBack = "postgres.read_back",
        /// The lock of the transaction is given up for that of the session.
        PostgresLockGivenUp = "postgres.lock_given_up",
        /// The lock of the session is taken.
        PostgresSessionLocked = "postgres.session_locked",
        /// It is known how a step outside a transaction begins.
        PostgresEvidenceRead = "postgres.evidence_read",
        /// Its intent is committed.
        PostgresIntentCommitted = "postgres.intent_committed",
        /// What an interrupted attempt left half made is gone.
        PostgresHalfMadeRemoved = "postgres.half_made_removed",
        /// Its statement is on its way.
        PostgresStatementSent = "postgres.statement_sent",
        /// Its statement went through.
        PostgresStatementDone = "postgres.statement_done",
        /// The statement was seen to have taken effect.
        PostgresProved = "postgres.proved",
        /// Its row is done, and was read back.
        PostgresClosed = "postgres.closed",
        /// The connection is open, nothing was asked.
        MysqlConnected = "mysql.connected",
        /// The lock is taken and the history read.
        MysqlLocked = "mysql.locked",
        /// Our tables were made in a database that had none.
        MysqlTablesMade = "mysql.tables_made",
        /// An interrupted step was looked at: it is known where it goes on.
        MysqlTakenUp = "mysql.taken_up",
        /// Statements that change rows are on their way, with their checkpoint.
        MysqlRowsSent = "mysql.rows_sent",
        /// They have run; their transaction is open.
        MysqlRowsAnswered = "mysql.rows_answered",
        /// A statement that changes objects is on its way, with its intent.
        MysqlObjectsSent = "mysql.objects_sent",
        /// It went through; its checkpoint waits for the next message.
        MysqlObjectsAnswered = "mysql.objects_answered",
        /// The last one of a unit went through, with the unit's end in the same message.
        MysqlLastAnswered = "mysql.last_answered",
        /// What must stand before a statement that is sent alone is committed.
        MysqlIntentCommitted = "mysql.intent_committed",
        /// A statement that shares no message is on its way.
        MysqlAloneSent = "mysql.alone_sent",
        /// It went through.
        MysqlAloneAnswered = "mysql.alone_answered",
        /// What a file has set in its session is set back.
        MysqlCleaned = "mysql.cleaned",
        /// What waited at a unit's end is committed.
        MysqlUnitClosed = "mysql.unit_closed",
        /// Every row of a unit was read back.
        MysqlReadBack = "mysql.read_back",
        /// The file is open, no lock is taken.
        SqliteOpened = "sqlite.opened",
        /// The write lock is taken.
        SqliteLocked = "sqlite.locked",
        /// The history is read under it.
        SqliteHistoryRead = "sqlite.history_read",
        /// Our tables were made in a file that had none, inside the transaction.
        SqliteTablesMade = "sqlite.tables_made",
        /// The database is claimed, inside the transaction.
        SqliteClaimed = "sqlite.claimed",
        /// One statement of a migration has run.
        SqliteStatementDone = "sqlite.statement_done",
        /// The rows of the history are written, inside the transaction.
        SqliteRowsWritten = "sqlite.rows_written",
        /// A transaction is committed.
        SqliteCommitted = "sqlite.committed",
        /// The intent of a step outside a transaction is committed.
        SqliteIntentCommitted = "sqlite.intent_committed",
        /// The statements of such a step have run.
        SqliteOutsideDone = "sqlite.outside_done",
        /// The lock was taken again behind them.
        SqliteLockedAgain = "sqlite.locked_again",
        /// Every row of a unit was read back.
        SqliteReadBack = "sqlite.read_back",
        /// The lock is taken for rows that somebody has declared; nothing is written.
        AmendLocked = "amend.locked",
        /// They are on their way, with the COMMIT; on SQLite they are written and not committed.
        AmendSent = "amend.sent",
        /// They are committed; nobody has read them back.
        AmendCommitted = "amend.committed",
        /// A run and its targets are in the registry.
        RegistryRunBegun = "registry.run_begun",
        /// Outcomes are written and not committed.
        RegistryOutcomesWritten = "registry.outcomes_written",
        /// Outcomes are committed.
        RegistryOutcomesRecorded = "registry.outcomes_recorded",
        /// The end of a run is written and not committed.
        RegistryEndWritten = "registry.end_written",
        /// The end of a run is committed.
        RegistryRunFinished = "registry.run_finished",
        /// A new tenant is written; nothing of it is anywhere else.
        LifeTenantWritten = "life.tenant_written",
        /// The names and passwords of all its databases are reserved.
        LifeReserved = "life.reserved",
        /// The role of a new database is there, and owns nothing.
        LifeRoleMade = "life.role_made",
        /// A new database is there, without our mark where the engine gives it one later.
        LifeDatabaseMade = "life.database_made",
        /// It carries our mark, and others may connect.
        LifeDatabaseMarked = "life.database_marked",
        /// Database and role are there, and are known to nobody else.
        LifeDatabaseCreated = "life.database_created",
        /// It is migrated, and the registry does not know that it is ready.
        LifeMigrated = "life.migrated",
        /// It is ready.
        LifeReady = "life.ready",
        /// The tenant is in use, and nobody was told.
        LifeActive = "life.active",
        /// A tenant is to be deleted, and can still be reached.
        LifeDeletionDecided = "life.deletion_decided",
        /// A database that was given up is dropped, and its role is there.
        LifeDatabaseDropped = "life.database_dropped",
        /// Both are gone, and the registry does not know.
        LifeDatabaseGone = "life.database_gone",
        /// The registry has forgotten a database.
        LifeDatabaseForgotten = "life.database_forgotten",
        /// A new password is kept beside the present one, and the server does not know it.
        LifePasswordBegun = "life.password_begun",
        /// The server has the new password, and the registry still uses the old one.
        LifePasswordSet = "life.password_set",
        /// A login with the new password was tried.
        LifePasswordTried = "life.password_tried",
        /// The registry uses the new password, and nobody was told.
        LifePasswordStored = "life.password_stored",
        /// The registry has forgotten the tenant, and nobody was told.
        LifeTenantForgotten = "life.tenant_forgotten",
        /// A driver has heard that its run is promoted; the registry says it to nobody again.
        RunPromotionHeard = "run.promotion_heard",
    }
}

named! {
    /// A defect that a protocol must not have.
    Seed {
        /// The migration is committed before its history row is written.
        PostgresHistoryOutsideTransaction = "postgres.history_outside_transaction",
        /// A claim holds whatever the epoch has become.
        PostgresEpochNotChecked = "postgres.epoch_not_checked",
        /// The migration lock is taken for granted.
        PostgresLockNotTaken = "postgres.lock_not_taken",
        /// The migration lock is waited for inside a statement.
        PostgresLockWaitedFor = "postgres.lock_waited_for",
        /// A COMMIT whose answer was lost counts as a success that nobody reads back.
        PostgresLostCommitAssumed = "postgres.lost_commit_assumed",
        /// A step outside a transaction leaves no row before it runs.
        PostgresNoIntent = "postgres.no_intent",
        /// An index counts as made although it is not valid.
        PostgresInvalidIndexAdopted = "postgres.invalid_index_adopted",
        /// An interrupted step runs again with IF NOT EXISTS, and is believed.
        PostgresIfNotExists = "postgres.if_not_exists",
        /// The migration lock is taken for granted, by the writes too.
        MysqlLockNotTaken = "mysql.lock_not_taken",
        /// A statement that changes objects leaves no intent before it runs.
        MysqlNoIntent = "mysql.no_intent",
        /// Rows are committed before their checkpoint is written.
        MysqlCheckpointApart = "mysql.checkpoint_apart",
        /// A statement that had begun runs again without a look at its objects.
        MysqlOpenRerun = "mysql.open_rerun",
        /// A statement that had begun counts as done without a look at its objects.
        MysqlOpenAdopted = "mysql.open_adopted",
        /// A statement that leaves nothing to be seen runs again without the file's own query.
        MysqlVerifyNotAsked = "mysql.verify_not_asked",
        /// The history rows get a transaction of their own behind that of the migration.
        SqliteHistoryInSecondTransaction = "sqlite.history_in_second_transaction",
        /// A COMMIT that a reader delays counts as done.
        SqliteBusyCommitIgnored = "sqlite.busy_commit_ignored",
        /// Nobody looks whether the file is still the one that was opened.
        SqliteFileNotChecked = "sqlite.file_not_checked",
        /// Nobody looks whose database it is.
        IdentityNotChecked = "engine.identity_not_checked",
        /// Dialling and logging in may take for ever.
        OpeningWithoutEnd = "engine.opening_without_end",
        /// What somebody has declared is told as written before it is committed.
        MarkNotCommitted = "engine.mark_not_committed",
        /// A server may be silent for ever.
        SilenceBorne = "run.silence_borne",
        /// The work on a target may take for ever.
        TargetTimeIgnored = "run.target_time_ignored",
        /// The registry calls a target applied before anything ran.
        RegistryAppliedInAdvance = "registry.applied_in_advance",
    }
}

/// Marks a place. A test may let the process die or freeze here.
#[cfg(not(feature = "faults"))]
#[inline]
pub(crate) const fn point(_place: Point) {}

/// Returns an answer that is waited for. A test may let the process die or freeze when the question is on its
/// way.
#[cfg(not(feature = "faults"))]
#[inline]
pub(crate) const fn sent<F: Future>(_place: Point, answer: F) -> F {
    answer
}

/// Returns whether a test has switched a defect on; never without the feature.
#[cfg(not(feature = "faults"))]
#[inline]
pub(crate) const fn is_seeded(_defect: Seed) -> bool {
    false
}
