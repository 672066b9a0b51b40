//! Every file begins in the same session: what the one before it left there is taken away.
//!
//! The server's own reset (`COM_RESET_CONNECTION`) would release the migration lock, so what is known is
//! set back by its name.

use mysql_async::Error;

use super::apply::Worker;
use super::engines::WARNINGS;
use super::quote::identifier;
use super::tables::Names;
use super::wire::{Part, Role, send};
use crate::engine::error::ApplyError;
use crate::engine::session::OpenOptions;
use crate::faults::{Point, point};
use crate::migration::Script;
use crate::migration::mysql_class::{Class, SessionChanges};
use crate::plan::Step;

/// Variables that a file often changes, and that a routine can change without the file naming them.
const ALWAYS: [&str; 10] = [
    "sql_mode",
    "foreign_key_checks",
    "unique_checks",
    "time_zone",
    "sql_safe_updates",
    "sql_notes",
    "sql_select_limit",
    "sql_quote_show_create",
    "group_concat_max_len",
    "default_storage_engine",
];

/// What [`settings`] sets.
const OURS: [&str; 10] = [
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "wait_timeout",
    "autocommit",
    "completion_type",
    "max_error_count",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// The server has no such variable, or none that this session may set to DEFAULT: then the file has not set it
/// either, as in a conditional comment for another server ("Server Error Message Reference").
const NOT_SET: [u16; 7] = [1193, 1227, 1228, 1229, 1230, 1238, 1621];

/// The settings of our sessions. `sql_mode` stays the server's: a migration means what it means there.
pub(super) fn settings(options: &OpenOptions) -> Vec<Part> {
    let lock_timeout = options.lock_timeout.as_secs().max(1);
    let idle_timeout = options.idle_timeout.as_secs().max(1);
    vec![
        Part::new(
            Role::Own,
            format!(
                "SET SESSION lock_wait_timeout = {lock_timeout}, \
                 innodb_lock_wait_timeout = {lock_timeout}, wait_timeout = {idle_timeout}, autocommit = 1, \
                  completion_type = 0, max_error_count = {WARNINGS}"
            ),
        ),
        Part::new(Role::Own, "SET NAMES utf8mb4"),
    ]
}

/// A chained COMMIT would begin the next transaction (`completion_type` in "Server System Variables").
const ONE_BY_ONE: &str = "SET SESSION completion_type = 0, autocommit = 1";

/// What commits a transaction that a statement of the migration may have left open, such as a procedure with
/// `START TRANSACTION`.
pub(super) fn commit_rest() -> Vec<Part> {
    vec![Part::new(Role::Own, ONE_BY_ONE), Part::new(Role::Own, "COMMIT")]
}

/// What takes such a transaction back where the statement failed.
pub(super) fn roll_rest_back() -> Vec<Part> {
    vec![Part::new(Role::Own, "ROLLBACK"), Part::new(Role::Own, ONE_BY_ONE)]
}

/// What sets a session back to how we opened it, whatever a file has done to its common settings.
pub(super) fn common(names: &Names, options: &OpenOptions) -> Vec<Part> {
    let mut parts = vec![set_default(ALWAYS)];
    parts.extend(settings(options));
    parts.push(Part::new(Role::Own, format!("USE {}", names.quoted)));
    parts
}

/// Returns whether a file with statements of these classes may leave something in its session.
pub(super) fn may_leave_traces(classes: &[Class]) -> bool {
    classes
        .iter()
        .any(|class| matches!(class, Class::Session | Class::Opaque))
}

/// What takes away what the statements of a script name: user variables and temporary tables.
fn named(script: &Script) -> Vec<Part> {
    let changes = changes(script);
    let mut parts = Vec::new();
    let user = changes.user.iter().filter_map(|name| identifier(name));
    let user: Vec<String> = user.map(|name| format!("@{name} = NULL")).collect();
    if !user.is_empty() {
        parts.push(Part::new(Role::Own, format!("SET {}", user.join(", "))));
    }
    let tables = changes.tables.iter().filter_map(|name| identifier(name));
    parts.extend(tables.map(|name| {
        let drop = format!("DROP TEMPORARY TABLE IF EXISTS {name}");
        Part::new(Role::Own, drop)
    }));
    parts
}

impl Worker<'_> {
    /// Commits what waits, and takes away what a step may have left in the session.
    pub(super) async fn clean_up(&mut self, index: usize, step: &Step) -> Result<(), ApplyError> {
        let mut parts = self.prelude();
        parts.extend_from_slice(self.around.reset);
        parts.extend(named(step.script()));
        let sent = send(self.conn, &parts).await;
        self.accept(&sent, &parts, index).await?;
        self.set_back(index, step).await?;
        point(Point::MysqlCleaned);
        Ok(())
    }

    /// Sets the variables that a step's statements name back to the server's own, besides those that every file
    /// has set back. Each by itself, since a server may not have it; nothing where none is named.
    async fn set_back(&mut self, index: usize, step: &Step) -> Result<(), ApplyError> {
        let changes = changes(step.script());
        let known = |name: &str| ALWAYS.contains(&name) || OURS.contains(&name);
        let others = changes.system.iter().filter(|name| !known(name));
        for name in others.filter_map(|name| identifier(name)) {
            let parts = [set_default([name.as_str()])];
            let sent = send(self.conn, &parts).await;
            if !matches!(&sent.failure, Some(Error::Server(error)) if NOT_SET.contains(&error.code)) {
                self.accept(&sent, &parts, index).await?;
            }
        }
        Ok(())
    }
}

fn changes(script: &Script) -> SessionChanges {
    let mut changes = SessionChanges::default();
    for index in 0..script.statements.len() {
        changes.note(script.statement(index));
    }
    changes
}

fn set_default<'a>(variables: impl IntoIterator<Item = &'a str>) -> Part {
    let each = variables.into_iter().map(|name| format!("{name} = DEFAULT"));
    let each: Vec<String> = each.collect();
    Part::new(Role::Own, format!("SET SESSION {}", each.join(", ")))
}
