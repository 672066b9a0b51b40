//! Every statement that changes our two tables. Each carries the fence: our claim and our lock.

use super::checkpoint::{Columns, Open};
use super::lock::is_ours;
use super::quote::{literal, literal_or_null};
use super::tables::Names;
use super::wire::{ALL, Part, Role};
use crate::direction::Direction;
use crate::engine::session::{OpenOptions, Unit};
use crate::history::{FORMAT, Phase};
use crate::plan::Step;

/// Writes our rows under one claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer<'a> {
    /// The names of our tables and lock.
    pub(super) names: &'a Names,
    /// The claim.
    pub(super) epoch: i64,
    /// The unit whose rows are written.
    pub(super) unit: &'a Unit,
    /// Writes the column that tells how far a row is.
    pub(super) columns: &'a Columns,
}

/// Fails unless the write before it found its row.
pub(super) fn guard() -> Part {
    // An error under every `sql_mode`, which a division by zero is not.
    Part::new(
        Role::Guard,
        format!("SELECT IF(ROW_COUNT() = 1, 1, (SELECT 1 UNION SELECT 2)) {ALL}"),
    )
}

/// Makes a write to our tables, which a [`guard`] follows.
pub(super) fn write(sql: String) -> Part {
    Part::new(Role::Write, sql)
}

/// The condition that every write carries: our claim and our lock.
pub(super) fn fence(names: &Names, epoch: i64) -> String {
    format!(
        "(SELECT epoch FROM {} WHERE one = 1) = {epoch} AND {}",
        names.meta,
        is_ours(names)
    )
}

/// Takes the database over: raises the claim from what we read under the lock.
pub(super) fn claim(names: &Names, before: i64) -> Part {
    write(format!(
        "UPDATE {} SET epoch = {} WHERE one = 1 AND epoch = {before} \
         AND {}",
        names.meta,
        before + 1,
        is_ours(names)
    ))
}

/// Writes the meta row of a database that had none; the first claim is 1.
pub(super) fn first_claim(names: &Names, options: &OpenOptions) -> Part {
    write(format!(
        "INSERT INTO {} (one, database_id, tenant_id, registry_id, epoch, format) \
         SELECT 1, {}, {}, {}, 1, {FORMAT} FROM DUAL WHERE {}",
        names.meta,
        literal(&options.database_id),
        literal(&options.tenant_id),
        literal(&options.registry_id),
        is_ours(names)
    ))
}

impl Writer<'_> {
    fn fence(self) -> String {
        fence(self.names, self.epoch)
    }

    fn update(self, step: &Step, set: &str) -> Part {
        write(format!(
            "UPDATE {} SET epoch = {}, {set} WHERE track = {} AND version = {} AND {}",
            self.names.history,
            self.epoch,
            literal(&self.unit.track.to_string()),
            step.migration.version,
            self.fence()
        ))
    }

    /// Begins a step or takes up an interrupted one: `next` statements have run, `open` has begun.
    pub(super) fn begin(self, step: &Step, next: usize, open: &Open) -> Part {
        match (step.direction, &step.interrupted) {
            (Direction::Up, None) => self.insert(step, open),
            (Direction::Up, Some(_)) => {
                let set = format!(
                    "name = {}, checksum = {}, {}",
                    literal(&step.migration.name),
                    literal(&step.migration.up.checksum.to_string()),
                    self.progress(step, next, open)
                );
                self.update(step, &set)
            }
            (Direction::Down, _) => self.update(step, &self.progress(step, next, open)),
        }
    }

    fn insert(self, step: &Step, open: &Open) -> Part {
        let script = step.script();
        write(format!(
            "INSERT INTO {} (track, version, name, checksum, phase, attempt_id, run_id, epoch, next_stmt, \
             total_stmts, pre_fp, started_at, tool_version) \
             SELECT {}, {}, {}, {}, '{}', {}, {}, {}, 0, {}, {}, UTC_TIMESTAMP(6), '{}' FROM {} WHERE {}",
            self.names.history,
            literal(&self.unit.track.to_string()),
            step.migration.version,
            literal(&step.migration.name),
            literal(&script.checksum.to_string()),
            Phase::Running.as_str(),
            literal(&self.unit.attempt_id),
            literal(&self.unit.run_id),
            self.epoch,
            script.statements.len(),
            literal(&self.columns.write(script, 0, open)),
            env!("CARGO_PKG_VERSION"),
            self.names.meta,
            self.fence()
        ))
    }

    /// The columns of a row in progress. A revert keeps the run that applied the row: it is how a run is
    /// found again when it shall be taken back.
    fn progress(self, step: &Step, next: usize, open: &Open) -> String {
        let (phase, run) = match step.direction {
            Direction::Up => (
                Phase::Running,
                format!(", run_id = {}", literal(&self.unit.run_id)),
            ),
            Direction::Down => (Phase::Reverting, String::new()),
        };
        format!(
            "phase = '{}', attempt_id = {}, next_stmt = {next}, total_stmts = {}, pre_fp = {}, \
             tool_version = '{}'{run}",
            phase.as_str(),
            literal(&self.unit.attempt_id),
            step.script().statements.len(),
            literal_or_null(Some(&self.columns.write(step.script(), next, open))),
            env!("CARGO_PKG_VERSION"),
        )
    }

    /// Notes that `next` statements have run and whether the one behind them has begun.
    pub(super) fn checkpoint(self, step: &Step, next: usize, open: &Open) -> Part {
        let set = format!(
            "next_stmt = {next}, pre_fp = {}",
            literal(&self.columns.write(step.script(), next, open))
        );
        self.update(step, &set)
    }

    /// Finishes a step: the row is done, or gone after a revert.
    pub(super) fn finish(self, step: &Step) -> Part {
        match step.direction {
            Direction::Up => self.update(
                step,
                "phase = 'done', next_stmt = total_stmts, pre_fp = NULL, done_at = UTC_TIMESTAMP(6), \
                 duration_ms = TIMESTAMPDIFF(MICROSECOND, started_at, UTC_TIMESTAMP(6)) DIV 1000",
            ),
            Direction::Down => self.remove(step),
        }
    }

    /// Takes back the beginning of a step of which nothing is in place.
    pub(super) fn give_up(self, step: &Step) -> Part {
        match step.direction {
            Direction::Up => self.remove(step),
            Direction::Down => {
                let set = format!(
                    "phase = 'done', next_stmt = {0}, total_stmts = {0}, pre_fp = NULL",
                    step.migration.up.statements.len()
                );
                self.update(step, &set)
            }
        }
    }

    fn remove(self, step: &Step) -> Part {
        write(format!(
            "DELETE FROM {} WHERE track = {} AND version = {} AND {}",
            self.names.history,
            literal(&self.unit.track.to_string()),
            step.migration.version,
            self.fence()
        ))
    }

    /// The question for the unit's rows: version, phase, attempt and duration.
    pub(super) fn read_back(self) -> Part {
        let versions: Vec<String> = self
            .unit
            .steps
            .iter()
            .map(|step| step.migration.version.to_string())
            .collect();
        Part::new(
            Role::Question,
            format!(
                "SELECT version, phase, attempt_id, duration_ms FROM {} WHERE track = {} \
                 AND version IN ({}) {ALL}",
                self.names.history,
                literal(&self.unit.track.to_string()),
                versions.join(", ")
            ),
        )
    }
}
