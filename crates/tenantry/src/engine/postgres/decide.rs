//! What is known about a step outside a transaction before it runs, and what to do about it.

use super::definition::{Defined, compare};
use super::error::Failure;
use super::intent;
use super::leftovers::Leftovers;
use super::outside::{HALF_WAY, refused, unproved};
use super::session::{Locked, roll_back};
use super::sight::{Seen, Sight, Wanted};
use crate::engine::evidence::{digest, evidence, whole};
use crate::engine::{ApplyError, StateAfter, Unit};
use crate::faults::{Seed, is_seeded};
use crate::history::Applied;
use crate::migration::postgres_class::{Class, classify, is_one_transaction};
use crate::migration::{OnResume, Script};
use crate::plan::Step;

/// How an intent says that nothing half made was there before.
const CLEAR: &str = "-:clear";

/// What to do with a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An interrupted attempt had finished it: only record it.
    Adopt,
    /// Another statement finishes what an interrupted attempt has begun.
    Finish(String),
    /// Run the statement, after removing what an interrupted attempt left half made.
    Run { removal: Option<String> },
}

/// What is known about a step before it runs.
#[derive(Debug)]
pub(super) struct Evidence {
    class: Class,
    sight: Option<Sight>,
    seen: Option<Seen>,
    /// Whether the index that stands there is the one that the statement defines.
    defined: Defined,
    /// Whether there was nothing half made before our first attempt that this one could leave behind as well.
    clear: bool,
    /// The answer of the file's own query; `None` if it has none, or nothing was interrupted.
    verified: Option<bool>,
}

impl Evidence {
    /// Looks at the catalogs and asks the file's query. Writes nothing that stays.
    pub(super) async fn gather(session: &mut Locked, step: &Step) -> Result<Self, ApplyError> {
        let script = step.script();
        let state = if step.interrupted.is_some() {
            HALF_WAY
        } else {
            StateAfter::RolledBack
        };
        let class = classify(whole(script));
        let sight = Sight::of(&class);
        let seen = match &sight {
            Some(sight) => {
                let looked = sight.look(&mut session.connection).await;
                looked.map_err(|failure| intent::own(&session.connection, failure, state))?
            }
            None => None,
        };
        let defined = match (&step.interrupted, &seen) {
            (Some(_), Some(seen)) => compare(session, &class, &seen.id).await?,
            (_, _) => Defined::Alike,
        };
        let clear = match (&class, &step.interrupted) {
            (_, Some(attempt)) => parts(attempt).0 == CLEAR,
            (Class::Reindex(what), None) => !Leftovers::of(what).are_there(session).await?,
            (_, None) => false,
        };
        let verified = match &script.directives.verify {
            Some(query) if step.interrupted.is_some() => Some(verify(session, script, query).await?),
            Some(_) | None => None,
        };
        Ok(Self {
            class,
            sight,
            seen,
            defined,
            clear,
            verified,
        })
    }

    pub(super) fn decide(&self, step: &Step) -> Result<Next, ApplyError> {
        let Some(attempt) = &step.interrupted else {
            return Ok(Next::Run { removal: None });
        };
        if is_seeded(Seed::PostgresIfNotExists) {
            return Ok(Next::Run { removal: None });
        }
        if !is_about(attempt, step) && !self.names_the_same(attempt) {
            return Err(edited(HALF_WAY));
        }
        let is_whole = |sight: &Sight| sight.wanted == Wanted::Gone || sight.is_done(self.seen.as_ref());
        if self.verified == Some(true) && self.sight.as_ref().is_none_or(is_whole) {
            return Ok(Next::Adopt);
        }
        if let Some(sight) = &self.sight {
            let is_ours = sight.is_work_of(attempt, self.seen.as_ref());
            return match &self.seen {
                _ if !is_ours => Ok(Next::Run { removal: None }),
                seen if sight.is_done(seen.as_ref()) => self.finished(step),
                Some(seen) => Ok(self.half_made(seen)),
                None => Ok(Next::Run { removal: None }),
            };
        }
        let may_run = matches!(self.class, Class::Repeatable | Class::Reindex(_))
            || self.verified == Some(false)
            || step.script().directives.on_resume == OnResume::Rerun;
        if may_run {
            return Ok(Next::Run { removal: None });
        }
        Err(ambiguous(
            step,
            "it ran outside a transaction and was cut off, and the file does not say how its effect \
             is seen: add `-- tenantry: verify SELECT …` or, if it may run twice, \
             `-- tenantry: resume rerun`"
                .to_owned(),
            &[],
        ))
    }

    /// Returns whether the interrupted attempt was about the object that the statement names now.
    fn names_the_same(&self, attempt: &Applied) -> bool {
        self.sight.as_ref().is_some_and(|sight| sight.names(attempt))
    }

    fn half_made(&self, seen: &Seen) -> Next {
        match (&self.class, &seen.removal) {
            (Class::Detach { .. }, Some(finalize)) => Next::Finish(finalize.clone()),
            (Class::CreateIndex { .. }, removal) => Next::Run {
                removal: removal.clone(),
            },
            (_, _) => Next::Run { removal: None },
        }
    }

    /// Decides about a step whose object is there, or gone, as an interrupted attempt of ours left it.
    fn finished(&self, step: &Step) -> Result<Next, ApplyError> {
        let is_edited = step
            .interrupted
            .as_ref()
            .is_some_and(|attempt| attempt.checksum != step.migration.up.checksum);
        // The file's own query says that it is not done, and it knows better than we.
        if self.verified == Some(false) {
            return Ok(Next::Run { removal: None });
        }
        if !matches!(self.class, Class::CreateIndex { .. }) {
            return Ok(Next::Adopt);
        }
        match &self.defined {
            // The same name may stand for another index now.
            _ if is_edited => Err(edited(StateAfter::HalfWay { done: 1 })),
            Defined::Alike => Ok(Next::Adopt),
            Defined::Otherwise(index) => Err(ambiguous(
                step,
                format!("an index of its name is there that the file does not define: {index}"),
                &[index],
            )),
        }
    }

    /// Returns what the intent remembers: of the object, how it was before our first attempt, and the statement.
    pub(super) fn fingerprint(&self, step: &Step) -> String {
        let seen = self.seen.as_ref();
        let object = match (&self.sight, &step.interrupted) {
            (None, _) if self.clear => CLEAR.to_owned(),
            (None, _) => "-:-".to_owned(),
            (Some(sight), Some(attempt)) if sight.is_work_of(attempt, seen) => {
                let (object, _) = parts(attempt);
                object.to_owned()
            }
            (Some(sight), _) => sight.fingerprint(seen),
        };
        format!("{object}:{}", digest(step.script()))
    }

    /// Returns what an interrupted attempt leaves behind that must go before it runs again. Where something of the
    /// kind was there before, nobody can tell whose the rest is, and it stays: it is in nobody's way.
    pub(super) fn leftovers(&self, step: &Step) -> Option<Leftovers> {
        match (&self.class, &step.interrupted) {
            (Class::Reindex(what), Some(_)) if self.clear => Some(Leftovers::of(what)),
            (_, _) => None,
        }
    }

    /// Returns the failure of the step's statement. Where nothing can have been done the intent is taken
    /// back, so that a corrected file just runs.
    pub(super) async fn refused(
        &self,
        session: &mut Locked,
        unit: &Unit,
        step: &Step,
        failure: Failure,
    ) -> ApplyError {
        let is_undone = match &failure {
            Failure::Refused { .. } => {
                failure.proves_nothing_done() || is_one_transaction(whole(step.script()))
            }
            Failure::Lost(_) => false,
        };
        let did_nothing = is_undone
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
    pub(super) async fn prove(&self, session: &mut Locked, script: &Script) -> Result<(), ApplyError> {
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

fn edited(state: StateAfter) -> ApplyError {
    ApplyError::Edited {
        step: 0,
        done: 1,
        state,
    }
}

fn ambiguous(step: &Step, reason: String, known: &[&str]) -> ApplyError {
    ApplyError::Ambiguous {
        step: 0,
        statement: 0,
        statements: step.script().statements.len(),
        reason,
        evidence: evidence(step, 0, known),
    }
}

/// Cuts an intent's fingerprint into what it says of the object and of the statement.
fn parts(attempt: &Applied) -> (&str, &str) {
    let whole = attempt.pre_fp.as_deref().unwrap_or_default();
    whole.rsplit_once(':').unwrap_or((whole, ""))
}

/// Returns whether an interrupted attempt was about the statement that the file has now.
fn is_about(attempt: &Applied, step: &Step) -> bool {
    match parts(attempt) {
        (_, "") => attempt.checksum == step.migration.up.checksum,
        (_, statement) => statement == digest(step.script()),
    }
}

/// Asks the file's own query, in a transaction that can write nothing.
async fn verify(session: &mut Locked, script: &Script, query: &str) -> Result<bool, ApplyError> {
    let connection = &mut session.connection;
    let text = format!("BEGIN READ ONLY;\n{query}");
    let row = connection.first_row(&text).await;
    let rolled_back = roll_back(connection).await;
    let row = row.map_err(|failure| refused(connection, failure.without_place(), (script, HALF_WAY)))?;
    rolled_back.map_err(|source| ApplyError::Session {
        commit_sent: false,
        source,
    })?;
    let answer = row.into_iter().flatten().flatten().next();
    Ok(matches!(answer.as_deref(), Some("t" | "true")))
}
