//! Every file begins in the same session: what the one before it left there is taken away.
//!
//! The server's own reset (`COM_RESET_CONNECTION`) would release the migration lock, so what is known is
//! set back by its name.

use super::engines::WARNINGS;
use super::quote::identifier;
use super::tables::Names;
use super::wire::{Part, Role};
use crate::engine::session::OpenOptions;
use crate::migration::Script;
use crate::migration::mysql_class::{Class, SessionChanges};

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

/// Variables that are set back where a file names them: all of them may be set to DEFAULT in a session
/// ("Server System Variables"), and a server that took a value from the file knows the name.
const WHERE_NAMED: [&str; 39] = [
    "alter_algorithm",
    "bulk_insert_buffer_size",
    "check_constraint_checks",
    "cte_max_recursion_depth",
    "default_tmp_storage_engine",
    "default_week_format",
    "div_precision_increment",
    "information_schema_stats_expiry",
    "innodb_strict_mode",
    "join_buffer_size",
    "lc_messages",
    "lc_time_names",
    "low_priority_updates",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_length_for_sort_data",
    "max_recursive_iterations",
    "max_sort_length",
    "max_sp_recursion_depth",
    "max_statement_time",
    "net_read_timeout",
    "net_write_timeout",
    "old_alter_table",
    "old_mode",
    "optimizer_switch",
    "read_buffer_size",
    "read_rnd_buffer_size",
    "sort_buffer_size",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_buffer_result",
    "sql_generate_invisible_primary_key",
    "sql_log_bin",
    "sql_require_primary_key",
    "sql_warnings",
    "timestamp",
    "tmp_table_size",
    "updatable_views_with_limit",
];

/// The settings of our sessions. `sql_mode` stays the server's: a migration means what it means there.
pub(super) fn settings(options: &OpenOptions) -> Vec<Part> {
    let lock_timeout = options.lock_timeout.as_secs().max(1);
    vec![
        Part::new(
            Role::Own,
            format!(
                "SET SESSION lock_wait_timeout = {lock_timeout}, \
                 innodb_lock_wait_timeout = {lock_timeout}, wait_timeout = 120, autocommit = 1, \
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

/// What takes away what the statements of a script name: variables and temporary tables.
pub(super) fn named(script: &Script) -> Vec<Part> {
    let mut changes = SessionChanges::default();
    for index in 0..script.statements.len() {
        changes.note(script.statement(index));
    }
    let known = WHERE_NAMED
        .into_iter()
        .filter(|name| changes.system.contains(*name));
    let known: Vec<&str> = known.collect();
    let mut parts = Vec::new();
    if !known.is_empty() {
        parts.push(set_default(known));
    }
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

fn set_default<'a>(variables: impl IntoIterator<Item = &'a str>) -> Part {
    let each = variables.into_iter().map(|name| format!("{name} = DEFAULT"));
    let each: Vec<String> = each.collect();
    Part::new(Role::Own, format!("SET SESSION {}", each.join(", ")))
}
