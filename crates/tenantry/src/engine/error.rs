//! What can go wrong between us and one database, as facts a caller can act on.

use std::time::Duration;

use std::borrow::Cow;

use thiserror::Error;

use crate::code::Code;

/// A statement has waited for somebody's lock for as long as it may.
pub(crate) const LOCK_TIMEOUT: Code = Code(2005);

/// The database's own words about a failure, untouched but for control characters.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message} ({code})")]
pub struct DatabaseError {
    /// Its message.
    pub message: String,
    /// Its code with the code's name: `SQLSTATE 42601`, `errno 1072`, `SQLite 1555`.
    pub code: String,
    /// Its detail, where it gives one (PostgreSQL).
    pub detail: Option<String>,
    /// What may help: PostgreSQL's own hint, or ours where a server's words lead astray.
    pub hint: Option<String>,
    /// Which of our error codes it is: the 2xxx block.
    pub class: Code,
    /// Whether the same statement may succeed later: a lock, a deadlock, a serialization failure.
    pub transient: bool,
}

/// How sure it is that a session is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The server says so.
    Holds,
    /// It is in the same database, and the server does not say who holds what.
    MayHold,
    /// Whoever it is, the server shows our account nobody.
    Hidden,
}

/// What a server does not show to our account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Our account.
    pub account: String,
    /// The right with which it would see it.
    pub right: Cow<'static, str>,
}

/// A session that holds what we wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whether it does, or may.
    pub certainty: Certainty,
    /// Its process or connection id on the server.
    pub pid: i64,
    /// The application or program name it gave.
    pub application: String,
    /// The database user.
    pub user: String,
    /// Where it connects from: an address with its port, `local` on the server's own machine, for a file the
    /// program's path; empty if the server does not say.
    pub from: String,
    /// What it does, in the server's words: `idle in transaction`, `Sleep`, `stopped`; empty if it does not say.
    pub state: String,
    /// Since when it has been in its present state, as the server writes it.
    pub since: String,
    /// The statement it runs or ran last, shortened.
    pub statement: String,
    /// Why there is no more about it; `None` if the server shows what it has.
    pub hidden: Option<Hidden>,
}

/// A session could not be opened, or was lost.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Nothing answers at the address, or not in time.
    #[error("{endpoint} does not answer")]
    Unreachable {
        /// `host:port`.
        endpoint: String,
        /// Why, in the system's words.
        #[source]
        source: std::io::Error,
    },
    /// TLS could not be set up.
    #[error("TLS with {endpoint} failed: {reason}")]
    Tls {
        /// `host:port`.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// The server refused the login.
    #[error("{endpoint} refused user `{user}`")]
    AuthFailed {
        /// `host:port`.
        endpoint: String,
        /// The user.
        user: String,
        /// The server's words.
        #[source]
        source: DatabaseError,
    },
    /// There is no such database or file.
    #[error("there is no database `{database}` at {endpoint}")]
    NoDatabase {
        /// The database.
        database: String,
        /// `host:port` or folder.
        endpoint: String,
    },
    /// The server has no connection left for us.
    #[error("{endpoint} has no free connection")]
    Exhausted {
        /// `host:port`.
        endpoint: String,
        /// The server's words.
        #[source]
        source: DatabaseError,
    },
    /// The server is not one we can migrate: a replica, read-only, too old, another product.
    #[error("{endpoint} cannot be migrated: {reason}")]
    Unsuitable {
        /// `host:port` or path.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// A step needs a session that stays with one process of the server, and a pooler is in between.
    #[error("{endpoint} is a pooler, and a step outside a transaction needs the server itself")]
    Pooled {
        /// `host:port`.
        endpoint: String,
    },
    /// Somebody else held the migration lock, or a lock a statement needed, for the whole window.
    #[error("waited {} s for the migration lock; another session holds it", waited.as_secs())]
    Blocked {
        /// How long we tried.
        waited: Duration,
        /// Who holds it, as far as the server tells.
        holders: Vec<Holder>,
    },
    /// A statement of ours waited in vain for somebody's lock, such as one on our own tables.
    #[error("another session holds a lock that a statement of ours needs")]
    LockTimeout {
        /// Who holds it, as far as the server tells.
        holders: Vec<Holder>,
        /// The server's words.
        #[source]
        source: DatabaseError,
    },
    /// Readers were in the way of a COMMIT for as long as one statement may wait (SQLite); nothing was committed.
    #[error("somebody read the file when the COMMIT was due, and delayed it for {:.1} s", waited.as_secs_f32())]
    CommitDelayed {
        /// How long the last try waited.
        waited: Duration,
        /// Who reads, as far as the system tells.
        holders: Vec<Holder>,
    },
    /// The database belongs to another tenant or another registry.
    #[error("this database says that it is `{found}`, not `{expected}`")]
    IdentityMismatch {
        /// The id we expected.
        expected: String,
        /// The id in `_tenantry_meta`.
        found: String,
    },
    /// The registry knows migrations in this database, and it has no history at all.
    #[error("the registry knows this database at {known}, and it has no history: it was emptied or replaced")]
    Emptied {
        /// The version at the last look.
        known: crate::migration::Version,
    },
    /// The history table is not as we write it.
    #[error("the history table is damaged: {reason}")]
    HistoryDamaged {
        /// What is wrong.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection was lost")]
    Lost {
        /// Why, in the driver's words.
        reason: String,
    },
    /// The server refused one of our own statements.
    #[error("the database refused a statement of ours")]
    Database(#[source] DatabaseError),
}

impl SessionError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => Code(5001),
            Self::AuthFailed { .. } | Self::Tls { .. } => Code(5002),
            Self::Exhausted { .. } => Code(5003),
            Self::Unsuitable { .. } => Code(5005),
            Self::Pooled { .. } => Code(5007),
            Self::NoDatabase { .. } => Code(6006),
            Self::Blocked { .. } => Code(4001),
            Self::CommitDelayed { .. } => LOCK_TIMEOUT,
            Self::IdentityMismatch { .. } | Self::Emptied { .. } => Code(6007),
            Self::HistoryDamaged { .. } => Code(3008),
            Self::Database(source) | Self::LockTimeout { source, .. } => source.class,
        }
    }

    /// Returns the error of a server that refused one of our own statements.
    pub(super) fn of_refused(source: DatabaseError) -> Self {
        if source.class == LOCK_TIMEOUT {
            let holders = Vec::new();
            return Self::LockTimeout { holders, source };
        }
        Self::Database(source)
    }

    /// Returns whether nobody answered: a server that refuses us is there.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. })
    }
}

/// What is true in the database after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAfter {
    /// Nothing of the unit is there.
    RolledBack,
    /// The first `done` statements of the failing migration are in place (engines without
    /// transactional DDL); the next run resumes behind them.
    HalfWay {
        /// How many statements are in place.
        done: usize,
    },
    /// The first `done` statements of the failing migration are in place, and no run can go on behind them:
    /// what the file kept in its session, such as a temporary table, went with it.
    SessionLost {
        /// How many statements are in place.
        done: usize,
    },
    /// Whether the failing statement took effect cannot be told without a person.
    Ambiguous,
    /// It cannot be told from here; the next run goes by what the history says.
    Unknown,
}

/// A unit could not be carried out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The database refused a statement of a migration.
    #[error("statement {} of {statements} failed", statement + 1)]
    Statement {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement in its script.
        statement: usize,
        /// How many statements the script has.
        statements: usize,
        /// The place in the script, in bytes from its beginning; exact if `exact`.
        offset: usize,
        /// Whether `offset` is where the database points; otherwise it is the statement's first byte.
        exact: bool,
        /// What is true now.
        state: StateAfter,
        /// The database's words.
        #[source]
        source: DatabaseError,
    },
    /// We asked the server to stop the statement, and it did.
    #[error("cancelled on request")]
    Cancelled {
        /// Index of the step in the unit.
        step: usize,
        /// What is true now.
        state: StateAfter,
    },
    /// A half-way statement cannot be told to be applied or not.
    #[error("statement {} of {statements} has begun, and what it did cannot be seen", statement + 1)]
    Ambiguous {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement in its script.
        statement: usize,
        /// How many statements the script has.
        statements: usize,
        /// Why it cannot be told.
        reason: String,
        /// What is known of it, as a short hash that a decision is bound to.
        evidence: String,
    },
    /// A statement is longer than the server takes; nothing of the unit was sent.
    #[error(
        "statement {} of {statements} has {size} bytes, and {ours} are kept free for what is sent with it: more than \
         the server's {setting} of {limit} bytes",
        statement + 1
    )]
    TooLong {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement in its script.
        statement: usize,
        /// How many statements the script has.
        statements: usize,
        /// How long it is, in bytes.
        size: usize,
        /// How many bytes are kept free beside it.
        ours: usize,
        /// The server's setting.
        setting: &'static str,
        /// Its value, in bytes.
        limit: usize,
        /// What is true of the step, as an earlier attempt left it.
        state: StateAfter,
    },
    /// The server reads a string differently than the file was cut into statements; nothing of the unit was sent.
    #[error(
        "statement {} of {statements} has a string that ends elsewhere on this server: its sql_mode has {mode}",
        statement + 1
    )]
    StringRules {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement in its script.
        statement: usize,
        /// How many statements the script has.
        statements: usize,
        /// Where the string begins, in bytes from the script's beginning.
        offset: usize,
        /// The mode that makes the difference.
        mode: &'static str,
        /// What is true of the step, as an earlier attempt left it.
        state: StateAfter,
    },
    /// A half-way migration needs what only its lost session had.
    #[error(
        "the file cannot go on behind statement {done} of {statements}: statement {} made {kept}, which went with \
         its session",
        statement + 1
    )]
    SessionLost {
        /// Index of the step in the unit.
        step: usize,
        /// Index of the statement that made it.
        statement: usize,
        /// How many statements the script has.
        statements: usize,
        /// How many of them are in place.
        done: usize,
        /// What it made.
        kept: crate::migration::mysql_class::Kept,
    },
    /// Statements that had already run were edited between two attempts.
    #[error("among the first {done} statements, which have run or begun, some were edited since")]
    Edited {
        /// Index of the step in the unit.
        step: usize,
        /// How many had run or begun.
        done: usize,
        /// What is true of the step, as an earlier attempt left it.
        state: StateAfter,
    },
    /// Another process has claimed this database since we read it.
    #[error("another process has taken this database over")]
    Fenced,
    /// The migration left a transaction, a lock or a role behind that it must not change.
    #[error("the migration changed the session: {reason}")]
    SessionChanged {
        /// Index of the step in the unit.
        step: usize,
        /// What it changed.
        reason: String,
        /// What is true of the step now.
        state: StateAfter,
    },
    /// The history does not hold what was committed.
    #[error("the history row could not be read back")]
    NotReadBack,
    /// The session itself failed; if `commit_sent`, the outcome is unknown until the history is read.
    #[error("the session failed")]
    Session {
        /// Whether the COMMIT may have taken effect.
        commit_sent: bool,
        /// Why.
        #[source]
        source: SessionError,
    },
}

impl ApplyError {
    /// Returns the stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Statement { source, .. } => source.class,
            Self::Cancelled { .. } => Code(4006),
            Self::Ambiguous { .. } | Self::SessionLost { .. } => Code(2011),
            Self::TooLong { .. } => Code(2015),
            Self::StringRules { .. } => Code(2016),
            Self::Edited { .. } => Code(3009),
            Self::Fenced => Code(4007),
            Self::SessionChanged { .. } => Code(2012),
            Self::NotReadBack => Code(2013),
            Self::Session { source, .. } => source.code(),
        }
    }
}
