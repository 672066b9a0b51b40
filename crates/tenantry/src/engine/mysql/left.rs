//! What a unit left behind that ended in a question of ours and in no statement of the migration: what the history says.

use mysql_async::Conn;

use super::checkpoint;
use super::error::is_interruption;
use super::tables::{Names, take_history};
use super::wire::send;
use crate::direction::Direction;
use crate::engine::error::{ApplyError, SessionError, StateAfter};
use crate::engine::session::Unit;
use crate::history::{History, Phase};
use crate::plan::Step;

/// Returns the error of a unit that was to be cancelled. If the request met a question of ours, nobody has looked yet what
/// is there; nothing must be open in the session any more.
pub(super) async fn of_stopped(conn: &mut Conn, names: &Names, unit: &Unit, error: ApplyError) -> ApplyError {
    let step = if let ApplyError::Cancelled {
        step,
        state: StateAfter::Unknown,
    } = &error
    {
        *step
    } else if let ApplyError::Session {
        source: SessionError::Database(source),
        ..
    } = &error
        && is_interruption(source)
    {
        0
    } else {
        return error;
    };
    let open = look(conn, names, unit).await;
    let (step, state) = open.unwrap_or((step, StateAfter::Unknown));
    ApplyError::Cancelled { step, state }
}

/// Returns the error of a unit that met a lock on our tables, which says of it whether anything of the unit is there.
pub(super) async fn of_locked_out(
    conn: &mut Conn,
    names: &Names,
    unit: &Unit,
    mut error: ApplyError,
) -> ApplyError {
    if let ApplyError::Session {
        commit_sent,
        source: SessionError::LockTimeout { .. },
    } = &mut error
    {
        *commit_sent = look(conn, names, unit).await != Some((0, StateAfter::RolledBack));
    }
    error
}

/// Returns the first step that is not done, and what is left of it; `None` if all are, or if the history is not to be had.
async fn look(conn: &mut Conn, names: &Names, unit: &Unit) -> Option<(usize, StateAfter)> {
    let sent = send(conn, &names.questions()).await;
    let history = take_history(conn, names, sent, 0).await.ok()?;
    let states = unit.steps.iter().map(|step| left(&history, unit, step));
    states.enumerate().find_map(|(at, state)| Some((at, state?)))
}

/// Returns what is left of a step; `None` if it is done.
fn left(history: &History, unit: &Unit, step: &Step) -> Option<StateAfter> {
    let row = history.find(&unit.track, step.migration.version);
    match (row, row.map(|row| row.phase), step.direction) {
        (_, Some(Phase::Done), Direction::Up) | (None, _, Direction::Down) => None,
        (_, Some(Phase::Done), Direction::Down) | (None, _, Direction::Up) => Some(StateAfter::RolledBack),
        (Some(row), _, _) => Some(checkpoint::left(row)),
    }
}
