//! Carries out a step outside a transaction: intent, evidence, the statement alone, proof, record.
//!
//! The intent is committed before the statement runs, so that a later session knows whose half-made
//! object it finds; the evidence is read before the intent, so that an undecided step changes nothing.

use super::clean::{OWN_RIGHTS, traces};
use super::connect::Connection;
use super::error::Failure;
use super::hold::hold;
use super::intent;
use super::session::{Locked, roll_back};
use super::sight::{Seen, Sight, Wanted};
use crate::code::Code;
use crate::engine::evidence::evidence;
use crate::engine::{ApplyError, DatabaseError, Recorded, StateAfter, Unit};
use crate::faults::{Point, Seed, is_seeded, point, sent};
use crate::history::{OpenStatement, Settled};
use crate::migration::postgres_class::{Class, classify, is_concurrent};
use crate::migration::{OnResume, Script};
use crate::plan::Step;

/// What is true after a failure between intent and record: the next run looks and goes on.
const HALF_WAY: StateAfter = StateAfter::HalfWay { done: 0 };

/// Carries out the unit's one step. The session holds the lock at its own level from here on.
pub(super) async fn carry_out(session: &mut Locked, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
    let Some(step) = unit.steps.first() else {
        return Ok(Vec::new());
    };
    hold(session).await?;
    let script = step.script();
    if session.touched {
        clean(session).await?;
    }
    session.touched = true;
    let evidence = Evidence::gather(session, step).await?;
    let next = evidence.decide(step)?;
    let before = evidence.fingerprint(step);
    point(Point::PostgresEvidenceRead);
    intent::write(session, unit, step, before.as_deref()).await?;
    point(Point::PostgresIntentCommitted);
    match next {
        Next::Adopt => {
            tracing::info!(migration = %step.migration.label(), "an interrupted step had finished");
        }
        Next::Run { removal } => {
            if let Some(removal) = removal {
                let answer = alone(session, &removal).await;
                answer.map_err(|failure| intent::own(&session.connection, failure, HALF_WAY))?;
                point(Point::PostgresHalfMadeRemoved);
            }
            let mut text = text_of(script);
            if is_seeded(Seed::PostgresIfNotExists) {
                text = text.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS");
            }
            let asked = alone(session, &text);
            if let Err(failure) = sent(Point::PostgresStatementSent, asked).await {
                return Err(evidence.refused(session, unit, step, failure).await);
            }
            point(Point::PostgresStatementDone);
            evidence.prove(session, script).await?;
            point(Point::PostgresProved);
        }
    }
    let recorded = intent::close(session, unit, step).await?;
    point(Point::PostgresClosed);
    Ok(recorded)
}

/// Returns the statement of an interrupted step that somebody has to decide about; `None` if there is nothing
/// to decide. Writes nothing; the session holds the lock at its own level from here on, if it looked.
pub(super) async fn open_statement(
    session: &mut Locked,
    unit: &Unit,
) -> Result<Option<OpenStatement>, ApplyError> {
    let step = unit.steps.first().filter(|step| step.interrupted.is_some());
    let Some(step) = step.filter(|step| step.script().directives.no_transaction) else {
        return Ok(None);
    };
    hold(session).await?;
    let decided = Evidence::gather(session, step).await?.decide(step);
    let Err(ApplyError::Ambiguous {
        statement,
        statements,
        reason,
        evidence,
        ..
    }) = decided
    else {
        return decided.map(|_| None);
    };
    Ok(Some(OpenStatement {
        statement,
        statements,
        reason,
        evidence,
        if_applied: Settled::Whole,
        if_not_applied: Settled::Untouched,
    }))
}

/// What to do with a step.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// An interrupted attempt had finished it: only record it.
    Adopt,
    /// Run the statement, after removing what an interrupted attempt left half made.
    Run { removal: Option<String> },
}

/// What is known about a step before it runs.
#[derive(Debug)]
struct Evidence {
    class: Class,
    sight: Option<Sight>,
    seen: Option<Seen>,
    /// The answer of the file's own query; `None` if it has none, or nothing was interrupted.
    verified: Option<bool>,
}

impl Evidence {
    /// Looks at the catalogs and asks the file's query. Writes nothing.
    async fn gather(session: &mut Locked, step: &Step) -> Result<Self, ApplyError> {
        let script = step.script();
        let state = if step.interrupted.is_some() {
            HALF_WAY
        } else {
            StateAfter::RolledBack
        };
        let class = classify(&text_of(script));
        let sight = Sight::of(&class);
        let seen = match &sight {
            Some(sight) => {
                let looked = sight.look(&mut session.connection).await;
                looked.map_err(|failure| intent::own(&session.connection, failure, state))?
            }
            None => None,
        };
        let verified = match &script.directives.verify {
            Some(query) if step.interrupted.is_some() => Some(verify(session, script, query).await?),
            Some(_) | None => None,
        };
        Ok(Self {
            class,
            sight,
            seen,
            verified,
        })
    }

    fn decide(&self, step: &Step) -> Result<Next, ApplyError> {
        let Some(attempt) = &step.interrupted else {
            return Ok(Next::Run { removal: None });
        };
        if is_seeded(Seed::PostgresIfNotExists) {
            return Ok(Next::Run { removal: None });
        }
        if self.verified == Some(true) {
            return Ok(Next::Adopt);
        }
        if let Some(sight) = &self.sight {
            let is_ours = sight.is_work_of(attempt, self.seen.as_ref());
            return match &self.seen {
                _ if !is_ours => Ok(Next::Run { removal: None }),
                seen if sight.is_done(seen.as_ref()) => self.finished(step),
                Some(seen) if sight.wanted == Wanted::There => Ok(Next::Run {
                    removal: seen.removal.clone(),
                }),
                Some(_) | None => Ok(Next::Run { removal: None }),
            };
        }
        let may_run = self.class == Class::Repeatable
            || self.verified == Some(false)
            || step.script().directives.on_resume == OnResume::Rerun;
        if may_run {
            return Ok(Next::Run { removal: None });
        }
        Err(ApplyError::Ambiguous {
            step: 0,
            statement: 0,
            statements: step.script().statements.len(),
            reason: "it ran outside a transaction and was cut off, and the file does not say how its effect \
                     is seen: add `-- tenantry: verify SELECT …` or, if it may run twice, \
                     `-- tenantry: resume rerun`"
                .to_owned(),
            evidence: evidence(step, 0, &[]),
        })
    }

    /// Decides about a step whose object is there, or gone, as an interrupted attempt of ours left it.
    fn finished(&self, step: &Step) -> Result<Next, ApplyError> {
        let edited = step
            .interrupted
            .as_ref()
            .is_some_and(|attempt| attempt.checksum != step.migration.up.checksum);
        match &self.class {
            // The file's own query says that it is not done, and it knows better than we.
            _ if self.verified == Some(false) => Ok(Next::Run { removal: None }),
            // The same name may stand for another index now.
            Class::CreateIndex { .. } if edited => Err(ApplyError::Edited {
                step: 0,
                done: 1,
                state: StateAfter::HalfWay { done: 1 },
            }),
            Class::CreateIndex { .. }
            | Class::DropIndex { .. }
            | Class::AddLabel { .. }
            | Class::Repeatable
            | Class::Opaque => Ok(Next::Adopt),
        }
    }

    /// Returns what the intent remembers of the object: how it was before our first attempt.
    fn fingerprint(&self, step: &Step) -> Option<String> {
        let sight = self.sight.as_ref()?;
        let seen = self.seen.as_ref();
        match &step.interrupted {
            Some(attempt) if sight.is_work_of(attempt, seen) => attempt.pre_fp.clone(),
            Some(_) | None => Some(sight.fingerprint(seen)),
        }
    }

    /// Returns the failure of the step's statement. Where nothing can have been done the intent is taken
    /// back, so that a corrected file just runs.
    async fn refused(&self, session: &mut Locked, unit: &Unit, step: &Step, failure: Failure) -> ApplyError {
        let did_nothing = failure.proves_nothing_done()
            && step.interrupted.is_none()
            && self.is_as_before(session).await
            && intent::withdraw(session, unit, step).await.is_ok();
        let state = if did_nothing {
            StateAfter::RolledBack
        } else {
            HALF_WAY
        };
        let mut error = refused(&session.connection, failure, (step.script(), state));
        if state == HALF_WAY
            && let ApplyError::Statement { source, .. } = &mut error
            && let Some(left) = self.left_behind(session).await
        {
            source.hint.get_or_insert(left);
        }
        error
    }

    /// Returns what to say of an index that the failed statement left half made; `None` if it left none.
    async fn left_behind(&self, session: &mut Locked) -> Option<String> {
        let sight = self.sight.as_ref()?;
        if sight.wanted != Wanted::There {
            return None;
        }
        let seen = sight.look(&mut session.connection).await.ok()??;
        let removal = seen.removal.filter(|_| !seen.whole)?;
        Some(format!(
            "PostgreSQL leaves an INVALID index behind; the next run begins with  {removal}"
        ))
    }

    /// Returns whether the object is still as it was; `true` for a statement that names none.
    async fn is_as_before(&self, session: &mut Locked) -> bool {
        let Some(sight) = &self.sight else { return true };
        let now = sight.look(&mut session.connection).await;
        now.is_ok_and(|now| sight.fingerprint(now.as_ref()) == sight.fingerprint(self.seen.as_ref()))
    }

    /// Requires that the statement, which went through, took effect. Drops nothing.
    async fn prove(&self, session: &mut Locked, script: &Script) -> Result<(), ApplyError> {
        if let Some(query) = &script.directives.verify
            && !verify(session, script, query).await?
        {
            return Err(unproved(
                script,
                "the statement went through, but the file's `verify` query is not true",
            ));
        }
        let Some(sight) = &self.sight else {
            return Ok(());
        };
        if is_seeded(Seed::PostgresIfNotExists) {
            return Ok(());
        }
        let looked = sight.look(&mut session.connection).await;
        let seen = looked.map_err(|failure| intent::own(&session.connection, failure, HALF_WAY))?;
        if sight.is_done(seen.as_ref()) {
            return Ok(());
        }
        Err(unproved(
            script,
            match sight.wanted {
                Wanted::There => "the statement went through, but what it makes is not there or not valid",
                Wanted::Gone => "the statement went through, but what it drops is still there",
            },
        ))
    }
}

/// Takes away what an earlier file left in the session.
async fn clean(session: &mut Locked) -> Result<(), ApplyError> {
    let mut statements = OWN_RIGHTS.map(ToOwned::to_owned).to_vec();
    statements.extend(traces(session.connection.settings));
    let answer = session
        .connection
        .exchange(&statements.join(";\n"), |_, _| {})
        .await;
    let own = |failure| intent::own(&session.connection, failure, StateAfter::RolledBack);
    answer.failure.map(own).map_or(Ok(()), Err)
}

/// Returns the whole SQL, so that a second statement, which the reader refuses, could not be lost here.
fn text_of(script: &Script) -> String {
    let start = script.statements.first().map_or(0, |s| s.range().start);
    let end = script.statements.last().map_or(0, |s| s.range().end);
    script.text.get(start..end).unwrap_or_default().to_owned()
}

/// Sends one statement as a message of its own.
///
/// One that works beside others waits for its locks without end: its place in the queue keeps nobody from
/// working, and a time-out would only leave an invalid index behind.
async fn alone(session: &mut Locked, sql: &str) -> Result<(), Failure> {
    let waits = is_concurrent(sql);
    let connection = &mut session.connection;
    if waits {
        connection.first_row("SET lock_timeout = 0").await?;
    }
    let answer = connection.exchange(sql, |_, _| {}).await;
    if let Some(failure) = answer.failure {
        return Err(failure);
    }
    if waits {
        connection.first_row("RESET lock_timeout").await?;
    }
    Ok(())
}

/// Asks the file's own query, in a transaction that can write nothing.
async fn verify(session: &mut Locked, script: &Script, query: &str) -> Result<bool, ApplyError> {
    let connection = &mut session.connection;
    let text = format!("BEGIN READ ONLY;\n{query}");
    let row = connection.first_row(&text).await;
    let rolled_back = roll_back(connection).await;
    let row = row.map_err(|failure| refused_query(connection, failure, script))?;
    rolled_back.map_err(|source| ApplyError::Session {
        commit_sent: false,
        source,
    })?;
    let answer = row.into_iter().flatten().flatten().next();
    Ok(matches!(answer.as_deref(), Some("t" | "true")))
}

fn refused_query(connection: &Connection, failure: Failure, script: &Script) -> ApplyError {
    refused(connection, failure.without_place(), (script, HALF_WAY))
}

fn refused(connection: &Connection, failure: Failure, (script, state): (&Script, StateAfter)) -> ApplyError {
    if connection.stopped_on_request(&failure) {
        return ApplyError::Cancelled { step: 0, state };
    }
    match failure {
        Failure::Refused { error, position, .. } => failed((script, state), position, error),
        lost @ Failure::Lost(_) => intent::own(connection, lost, state),
    }
}

/// Returns the failure of the step's statement; `position` is in characters from 1.
fn failed(
    (script, state): (&Script, StateAfter),
    position: Option<usize>,
    source: DatabaseError,
) -> ApplyError {
    let text = text_of(script);
    let start = script.statements.first().map_or(0, |s| s.range().start);
    let at = position.and_then(|at| at.checked_sub(1));
    let inside = at.map(|at| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte));
    ApplyError::Statement {
        step: 0,
        statement: 0,
        statements: script.statements.len(),
        offset: start + inside.unwrap_or(0),
        exact: inside.is_some(),
        state,
        source,
    }
}

fn unproved(script: &Script, message: &str) -> ApplyError {
    let source = DatabaseError {
        message: message.to_owned(),
        code: "not proved".to_owned(),
        detail: None,
        hint: None,
        class: Code(2007),
        transient: false,
    };
    failed((script, HALF_WAY), None, source)
}
