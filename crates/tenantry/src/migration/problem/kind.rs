//! Every reason why a file must not run. Long because it is a list.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::engine::Engine;
use crate::migration::split::Opened;
use crate::migration::version::{Version, VersionError};

/// A reason why a file must not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileProblemKind {
    /// Two files have one version.
    #[error("{} has the same version {version}", .other.display())]
    SameVersion {
        /// The version.
        version: Version,
        /// The file that came first.
        other: PathBuf,
    },
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// There is nothing but white space and comments.
    #[error("the file holds no statement")]
    NoStatement,
    /// The bytes are not UTF-8.
    #[error("the file is not UTF-8: byte {offset} does not fit{}", looks_like(*.encoding))]
    NotUtf8 {
        /// The first byte that does not fit, from 0.
        offset: usize,
        /// The encoding that it seems to be.
        encoding: Option<&'static str>,
    },
    /// A NUL byte.
    #[error("there is a NUL byte")]
    NulByte,
    /// A Ctrl-Z byte, which old editors put at the end.
    #[error("there is a Ctrl-Z byte (0x1A)")]
    CtrlZ,
    /// A byte order mark that is not at the start.
    #[error("there is a byte order mark (U+FEFF) inside the text")]
    MarkInside,
    /// A character that makes text be shown in another order than it is run.
    #[error("there is a character that reverses the order of text on screen (U+{:04X})", u32::from(*.0))]
    Bidi(char),
    /// A character that cannot be seen, outside a string.
    #[error("there is a character that cannot be seen (U+{:04X})", u32::from(*.0))]
    Invisible(char),
    /// The file's name is no migration's name.
    #[error("the file's name is not of the form <version>_<name>.sql")]
    FileName,
    /// The version is no number from 1 to 2^63 - 1.
    #[error("the file's name begins with no usable version")]
    VersionOutOfRange(#[source] VersionError),
    /// The name is too long or has control characters.
    #[error("the file's name is longer than 200 bytes or has control characters in it")]
    NameUnprintable,
    /// The name between version and ending has more letters than a history holds.
    #[error("the migration's name has {0} letters, and a history holds 180 at most")]
    NameTooLong(usize),
    /// Two names differ in nothing but case.
    #[error("the name differs from {} in nothing but case", .0.display())]
    SameButCase(PathBuf),
    /// A `.down.sql` without the file that it takes back.
    #[error("there is no migration that this file takes back")]
    DownWithoutUp,
    /// A version has files for other engines only.
    #[error("version {version} has no file for {engine}")]
    NotForEngine {
        /// The version.
        version: Version,
        /// The engine.
        engine: Engine,
    },
    /// The file is a symbolic link.
    #[error("the file is a symbolic link")]
    SymbolicLink,
    /// It is a directory, a pipe, a socket or a device.
    #[error("this is {0}, not a file")]
    NotAFile(&'static str),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// The file is larger than 64 MiB.
    #[error("the file is larger than 64 MiB: it has {0} bytes")]
    TooLarge(u64),
    /// One statement is larger than 16 MiB.
    #[error("this statement is larger than 16 MiB: it has {0} bytes")]
    StatementTooLarge(usize),
    /// The file changed while it was read.
    #[error("the file changed while it was read")]
    Changed,
    /// Something is opened and not closed.
    #[error("this {} is never closed", .0.as_str())]
    Unclosed(Opened),
    /// `DELIMITER` without a usable delimiter, or one that is not used or not put back.
    #[error("the delimiter `{}` is not used to the end or not put back", .0.escape_debug())]
    Delimiter(String),
    /// `#` opens no comment on this engine.
    #[error("`#` opens no comment on {0}")]
    HashComment(Engine),
    /// A command of psql, mysql or sqlite3.
    #[error("this is a command of the client program, not SQL")]
    ClientCommand,
    /// `COPY … FROM STDIN` or `TO STDOUT`.
    #[error("COPY over the connection does not work in a migration file")]
    CopyStream,
    /// The statement begins or ends a transaction.
    #[error("{0} would change the transaction that the migration runs in")]
    TransactionControl(String),
    /// The statement names a savepoint that its file did not make, or has released.
    #[error("there is no savepoint {0} here: this file made none of that name")]
    ForeignSavepoint(String),
    /// The statement changes the session for what comes after the migration.
    #[error("{0} would outlive the migration and change what runs after it")]
    SessionChange(String),
    /// The statement changes how strings are read.
    #[error("{0} can change how strings are read, so statements could be split wrongly")]
    StringRules(&'static str),
    /// A conditional comment that a server which skips it ends elsewhere than one which runs it.
    #[error(
        "a server that skips this conditional comment ends it elsewhere, so statements could be split wrongly"
    )]
    ConditionalComment,
    /// The statement could let go of the migration lock.
    #[error("{0} can let go of the lock that guards the migration")]
    Unlock(String),
    /// The statement leaves the target's database.
    #[error("{0} leaves the database that the migration is for")]
    OtherDatabase(String),
    /// The statement cannot run in a transaction.
    #[error("{0} cannot run inside a transaction")]
    NeedsNoTransaction(&'static str),
    /// A file without transaction holds several statements.
    #[error("the file asks for no transaction and holds {0} statements")]
    SeveralWithoutTransaction(usize),
    /// `CREATE INDEX CONCURRENTLY IF NOT EXISTS`.
    #[error("IF NOT EXISTS would take a half-built index for a finished one")]
    ConcurrentlyIfNotExists,
    /// `TRUNCATE` on MySQL without a rule for resuming.
    #[error("whether an interrupted TRUNCATE took effect cannot be seen")]
    TruncateWithoutRule,
    /// The statement reads or writes files of the server or of this machine.
    #[error("{0} reads or writes files outside the database")]
    ServerFiles(String),
    /// The statement acts on the whole server or on a whole database.
    #[error("{0} acts on more than this database's content")]
    ServerWide(String),
    /// The statement names our own tables.
    #[error("the statement names {0}, which belongs to Tenantry")]
    OwnTable(String),
    /// A directive that we do not know.
    #[error("`{}` is no directive", .name.escape_debug())]
    UnknownDirective {
        /// What was written.
        name: String,
        /// The directive that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A directive whose value is missing or of no use, or that occurs twice.
    #[error("the directive `{name}` {problem}")]
    DirectiveValue {
        /// The directive.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A directive after the first statement.
    #[error("a directive stands at the top of a file, and this one comes after a statement")]
    DirectiveNotAtTop,
    /// A template's placeholder that nobody filled in.
    #[error("the placeholder `{}` was not filled in", .0.escape_debug())]
    Placeholder(String),
}

fn looks_like(encoding: Option<&'static str>) -> String {
    encoding.map_or_else(String::new, |e| format!(" (it looks like {e})"))
}
