//! What a refused statement leaves behind, and what the history says about it afterwards.

use std::sync::atomic::Ordering;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Error, ServerError};

use super::apply::{Worker, lost_or_refused};
use super::checkpoint::Open;
use super::clean;
use super::error::{
    CANNOT_BE_READ, DUPLICATE, GUARD_SAYS_NO, INTERRUPTED, NO_ROUTINE, database_error, ends_connection,
    session_error,
};
use super::fingerprint;
use super::lock::is_ours;
use super::place::locate;
use super::queue::Progress;
use super::tables::text;
use super::wire::{Part, Role, Sent, send};
use crate::engine::error::{ApplyError, StateAfter};
use crate::migration::mysql_class::{Class, missing, starts, temporary_tables};
use crate::plan::Step;

impl Worker<'_> {
    /// Returns the error of a message that holds no statement of the migration; notes that it was
    /// committed if there is none.
    pub(super) async fn accept(
        &mut self,
        sent: &Sent,
        parts: &[Part],
        index: usize,
    ) -> Result<(), ApplyError> {
        let Some(error) = &sent.failure else {
            self.committed();
            return Ok(());
        };
        let role = parts.get(sent.answers.len()).map(|part| part.role);
        Err(self.own_failed(error, role, index).await)
    }

    /// Returns the error of a message that was refused. `base` is the first statement that is not in
    /// place; the history is set to say so, as far as it can be told.
    pub(super) async fn failed(
        &mut self,
        sent: Sent,
        parts: &[Part],
        index: usize,
        base: usize,
    ) -> ApplyError {
        let Some(error) = sent.failure else {
            return ApplyError::NotReadBack;
        };
        // A procedure may fail behind a result: that is still the last part's.
        let part = parts.get(sent.answers.len()).or_else(|| parts.last());
        let role = part.map(|part| part.role);
        match (&error, role) {
            (Error::Server(server), Some(Role::Work(at))) if !ends_connection(server) => {
                self.statement_failed(server, index, at, base).await
            }
            _ => self.own_failed(&error, role, index).await,
        }
    }

    /// Whether an interruption is the answer to our own request; an administrator's `KILL QUERY` is not.
    fn cancel_asked(&self) -> bool {
        self.around.cancel_asked.load(Ordering::SeqCst)
    }

    async fn own_failed(&mut self, error: &Error, role: Option<Role>, index: usize) -> ApplyError {
        let source = session_error(error);
        let Error::Server(server) = error else {
            return lost_or_refused(source);
        };
        if ends_connection(server) {
            return lost_or_refused(source);
        }
        // The error that counts is the first one.
        drop(send(self.conn, &[Part::new(Role::Own, "ROLLBACK")]).await);
        match (server.code, role) {
            (INTERRUPTED, _) if self.cancel_asked() => ApplyError::Cancelled {
                step: index,
                state: StateAfter::Unknown,
            },
            (GUARD_SAYS_NO, Some(Role::Guard)) => self.fenced(index).await,
            (DUPLICATE, Some(Role::Write)) => ApplyError::Fenced,
            _ => lost_or_refused(source),
        }
    }

    /// A write that found no row: has another process claimed the database, or did the migration give
    /// our lock away?
    async fn fenced(&mut self, index: usize) -> ApplyError {
        let names = self.writer.names;
        let question = format!("SELECT {}", is_ours(names));
        let sent = send(self.conn, &[Part::new(Role::Question, question)]).await;
        let held = sent.rows(0).first().and_then(|row| text(row, 0));
        match (&sent.failure, held.as_deref()) {
            (Some(error), _) => lost_or_refused(session_error(error)),
            (None, Some("1")) => ApplyError::Fenced,
            (None, _) => ApplyError::SessionChanged {
                step: index,
                reason: "the migration lock was released".to_owned(),
                state: StateAfter::Unknown,
            },
        }
    }

    async fn statement_failed(
        &mut self,
        server: &ServerError,
        index: usize,
        at: usize,
        base: usize,
    ) -> ApplyError {
        let state = match self.state_after(server, index, base).await {
            Ok(state) => state,
            Err(error) => return error,
        };
        if server.code == INTERRUPTED && self.cancel_asked() {
            return ApplyError::Cancelled { step: index, state };
        }
        let Some(step) = self.steps().get(index) else {
            return ApplyError::NotReadBack;
        };
        statement_error(server, (index, step), at, state)
    }

    /// Returns the error of a setting that could not be set again: nothing new has begun, so what the history
    /// says is true.
    pub(super) fn not_set_again(
        &self,
        error: &Error,
        (index, at): (usize, usize),
        state: StateAfter,
    ) -> ApplyError {
        let (Error::Server(server), Some(step)) = (error, self.steps().get(index)) else {
            return lost_or_refused(session_error(error));
        };
        if ends_connection(server) {
            return lost_or_refused(session_error(error));
        }
        if server.code == INTERRUPTED && self.cancel_asked() {
            return ApplyError::Cancelled { step: index, state };
        }
        statement_error(server, (index, step), at, state)
    }

    async fn state_after(
        &mut self,
        server: &ServerError,
        index: usize,
        base: usize,
    ) -> Result<StateAfter, ApplyError> {
        let class = self.class(index, base).clone();
        if class == Class::Dml {
            let complete = self.roll_back().await?;
            if self.engines.is_known_to_keep() {
                // The intent was committed before the statement.
                self.committed();
            }
            if !complete && !self.is_warned_of_its_own_table(index, base) {
                return self.leave_open(index, base).await;
            }
        } else {
            if self.unsettled {
                let parts = clean::roll_rest_back();
                let sent = send(self.conn, &parts).await;
                self.accept(&sent, &parts, index).await?;
            }
            self.committed();
        }
        match class {
            Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects } => {
                let now = fingerprint::of_objects(self.conn, self.writer.names, &objects)
                    .await
                    .map_err(lost_or_refused)?;
                // Half of the statement took effect, or somebody else changed the object: to the next session
                // that would look as if all of it had.
                if self.before.as_ref().is_none_or(|before| *before != now) {
                    return self.leave_open(index, base).await;
                }
            }
            Class::Opaque if !self.is_refused_unrun(server, index, base).await => {
                return Ok(StateAfter::Ambiguous);
            }
            Class::Dml | Class::Opaque | Class::Repeatable | Class::NotRepeatable | Class::Session => {}
        }
        self.settle(index, base).await
    }

    /// Whether a statement has done nothing because it cannot be read, which preparing it tells, or because
    /// the procedure that it calls is not there. An error of something that it ran is neither.
    async fn is_refused_unrun(&mut self, server: &ServerError, index: usize, at: usize) -> bool {
        let Some(step) = self.steps().get(index) else {
            return false;
        };
        let statement = step.script().statement(at);
        match (server.code, called(statement)) {
            _ if starts(statement, &["PREPARE"]) || starts(statement, &["DEALLOCATE"]) => true,
            // A copy is refused before it begins where its query cannot even be prepared.
            (code, _) if code == CANNOT_BE_READ || starts(statement, &["CREATE", "TABLE"]) => {
                let prepared = self.conn.prep(statement).await;
                matches!(prepared, Err(Error::Server(again)) if again.code == code)
            }
            (NO_ROUTINE, Some(name)) => {
                let probe = Part::new(Role::Probe, format!("SHOW CREATE PROCEDURE {name}"));
                let sent = send(self.conn, &[probe]).await;
                sent.failure.is_none() && sent.rows(0).is_empty()
            }
            _ => false,
        }
    }

    /// The warning is about a temporary table too, whose rows go with the session in any case. Where the
    /// database has no table that keeps rows, it was about that one.
    fn is_warned_of_its_own_table(&self, index: usize, base: usize) -> bool {
        let Some(step) = self.steps().get(index) else {
            return false;
        };
        let script = step.script();
        let keeps = |at: &usize| self.engines.may_keep(script.statement(*at));
        !self.engines.is_known_to_keep() && temporary_tables(script, base).iter().any(keeps)
    }

    /// Lets the history say that a statement has begun and that nobody knows what it left behind.
    async fn leave_open(&mut self, index: usize, at: usize) -> Result<StateAfter, ApplyError> {
        self.in_transaction = false;
        self.queue.note(Progress {
            step: index,
            next: at,
            open: Open::Unseen,
        });
        self.commit_waiting(index).await?;
        Ok(StateAfter::Ambiguous)
    }

    /// Lets the history say that exactly `done` statements are in place.
    async fn settle(&mut self, index: usize, done: usize) -> Result<StateAfter, ApplyError> {
        let Some(step) = self.steps().get(index) else {
            return Ok(StateAfter::Unknown);
        };
        let nothing = (0..done).all(|at| *self.class(index, at) == Class::Session);
        if nothing {
            self.queue.give_up(index, step);
        } else {
            self.queue.note(Progress {
                step: index,
                next: done,
                open: Open::Nothing,
            });
        }
        self.commit_waiting(index).await?;
        Ok(if nothing {
            StateAfter::RolledBack
        } else if missing(step.script(), done).is_some() {
            StateAfter::SessionLost { done }
        } else {
            StateAfter::HalfWay { done }
        })
    }
}

fn statement_error(
    server: &ServerError,
    (index, step): (usize, &Step),
    at: usize,
    state: StateAfter,
) -> ApplyError {
    let script = step.script();
    let located = locate(script, at, server);
    ApplyError::Statement {
        step: index,
        statement: at,
        statements: script.statements.len(),
        offset: located.offset,
        exact: located.exact,
        state,
        source: database_error(&located.error),
    }
}

/// Returns what stands between `CALL` and its arguments; `None` for any other statement.
fn called(statement: &str) -> Option<&str> {
    let (word, rest) = statement.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case("CALL")
        .then(|| rest.split('(').next().unwrap_or(rest))
}
