//! What is written and read around a file: the mark before it, its row behind it, the rows at the end.

use super::clean::OWN_RIGHTS;
use super::message::LARGEST;
use super::session::Locked;
use super::unchanged::{NOTE, unchanged};
use crate::direction::Direction;
use crate::engine::text::literal;
use crate::engine::{ApplyError, Recorded, Unit};
use crate::migration::{Script, Version};
use crate::plan::Step;

/// How the beginning of a step is known when its row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is when the server received the message.
    WithMessage,
    /// It was noted before the file, which costs a statement.
    Noted,
}

impl Begun {
    /// A large file is cut over several messages.
    /// Returns how it is known of the step at an index.
    pub(super) fn of(index: usize, script: &Script) -> Self {
        if index == 0 && script.text.len() < LARGEST / 2 {
            Self::WithMessage
        } else {
            Self::Noted
        }
    }

    fn as_sql(self) -> &'static str {
        match self {
            Self::WithMessage => "pg_catalog.statement_timestamp()",
            Self::Noted => "pg_catalog.current_setting('tenantry.begun')::pg_catalog.timestamptz",
        }
    }
}

/// Marks the transaction, so that a statement which ends it is noticed: what is set locally goes with it.
pub(super) fn mark(unit: &Unit, begun: Begun) -> Vec<String> {
    let mut statements = vec![format!("SET LOCAL tenantry.mark = {}", literal(&unit.attempt_id))];
    if begun == Begun::Noted {
        let note = "SELECT pg_catalog.set_config('tenantry.begun', pg_catalog.clock_timestamp()::text, true)";
        statements.push(note.to_owned());
    }
    statements
}

/// A message is read before its first statement runs, so this must hold when the next one comes.
pub(super) const STRING_RULES: &str = "SET standard_conforming_strings = on";

/// A COMMIT that is answered before it is on the disk may be lost, and we have said `applied`. What waits for replicas
/// as well stays ("Asynchronous Commit").
pub(super) const DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
     WHERE pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.<>) 'remote_apply'";

/// What a step's row needs to know besides the step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// How the beginning is known.
    pub(super) begun: Begun,
    /// The claimed epoch.
    pub(super) epoch: i64,
    /// Whether it is the unit's first, which looks at the claim.
    pub(super) is_first: bool,
}

/// Behind a file: fails unless the session is as the file found it. Every name and operator says its schema, because the
/// file's `search_path` holds still.
pub(super) fn record(unit: &Unit, step: &Step, row: Row) -> Vec<String> {
    let mut statements = vec![NOTE.to_owned()];
    statements.extend(OWN_RIGHTS.map(ToOwned::to_owned));
    match unit.direction {
        Direction::Up => statements.push(insert(unit, step, row)),
        Direction::Down => {
            let track = literal(&unit.track.to_string());
            let version = step.migration.version;
            let unchanged = unchanged(unit, step.script());
            statements.push(format!("SELECT 1 OPERATOR(pg_catalog./) {unchanged}"));
            statements.push(format!(
                "DELETE FROM public._tenantry_history WHERE track OPERATOR(pg_catalog.=) {track} \
                 AND version OPERATOR(pg_catalog.=) {version}"
            ));
        }
    }
    statements
}

/// Writes a step's row under the epoch that the claim has left. The first one fails without a meta row.
fn insert(unit: &Unit, step: &Step, row: Row) -> String {
    let statements = step.script().statements.len();
    let epoch = if row.is_first {
        "(SELECT m.epoch FROM public._tenantry_meta m)".to_owned()
    } else {
        row.epoch.to_string()
    };
    format!(
        "INSERT INTO public._tenantry_history VALUES ({track}, {version}, {name}, '{checksum}', 'done', \
         {attempt}, {run}, {epoch} OPERATOR(pg_catalog./) {unchanged}, {statements}, {statements}, NULL, \
         {begun}, pg_catalog.clock_timestamp(), (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() \
         OPERATOR(pg_catalog.-) {begun}) OPERATOR(pg_catalog.*) 1000::pg_catalog.float8)::pg_catalog.int8, '{tool}')",
        track = literal(&unit.track.to_string()),
        version = step.migration.version,
        name = literal(&step.migration.name),
        checksum = step.migration.up.checksum,
        attempt = literal(&unit.attempt_id),
        run = literal(&unit.run_id),
        unchanged = unchanged(unit, step.script()),
        begun = row.begun.as_sql(),
        tool = env!("CARGO_PKG_VERSION"),
    )
}

/// A longer history is not read as a whole.
const WHOLE_HISTORY: usize = 200;

/// Reads what the unit must have left: its rows after an apply; after a revert, those that must be gone.
///
/// A short history is read without a condition: a fresh connection pays ten times as much for looking up
/// the operators.
pub(super) fn read_back(session: &Locked, unit: &Unit) -> String {
    let track = literal(&unit.track.to_string());
    let rows = "SELECT version, duration_ms, attempt_id, track FROM public._tenantry_history";
    match unit.direction {
        Direction::Up if session.history.rows.len() + unit.steps.len() <= WHOLE_HISTORY => rows.to_owned(),
        Direction::Up => format!(
            "{rows} WHERE attempt_id OPERATOR(pg_catalog.=) {}",
            literal(&unit.attempt_id)
        ),
        Direction::Down => {
            let versions: Vec<String> = unit
                .steps
                .iter()
                .map(|s| format!("({})", s.migration.version))
                .collect();
            format!(
                "SELECT gone.version, 0 FROM (VALUES {}) AS gone (version) WHERE NOT EXISTS (SELECT \
                 FROM public._tenantry_history h WHERE h.track OPERATOR(pg_catalog.=) {track} \
                 AND h.version OPERATOR(pg_catalog.=) gone.version)",
                versions.join(", ")
            )
        }
    }
}

/// Takes a row of the read-back; `None` for one that is not this unit's.
pub(super) fn read_row(unit: &Unit, row: &tokio_postgres::SimpleQueryRow) -> Option<Recorded> {
    let is_ours = match unit.direction {
        Direction::Up => {
            row.get(2) == Some(unit.attempt_id.as_str())
                && row.get(3) == Some(unit.track.to_string().as_str())
        }
        Direction::Down => true,
    };
    let recorded = Recorded {
        version: row.get(0)?.parse().ok()?,
        duration_ms: row.get(1)?.parse().ok()?,
        taken_up: None,
    };
    is_ours.then_some(recorded)
}

/// Green means green: every step must have been read back.
pub(super) fn confirm(unit: &Unit, recorded: &[Recorded]) -> Result<Vec<Recorded>, ApplyError> {
    let found = |version: Version| recorded.iter().find(|r| r.version == version).cloned();
    let ordered: Option<Vec<Recorded>> = unit.steps.iter().map(|s| found(s.migration.version)).collect();
    ordered.ok_or(ApplyError::NotReadBack)
}
