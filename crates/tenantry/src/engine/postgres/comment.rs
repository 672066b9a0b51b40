//! The comment of the session's database, and our markers in it.
//!
//! A marker is written in the transaction of the rows that it stands for, before the files run: what refuses it does so
//! before the work, a file's own COMMENT stays, and from there on nobody else's comes in between. Nothing fails
//! because of it: what was refused is sent once more without.

use super::connect::{Connection, Settings};
use super::error::Failure;
use super::exchange::Answer;
use super::intent;
use super::record::DURABLE;
use super::session::{Locked, roll_back};
use crate::direction::Direction;
use crate::engine::marker::{LONGEST, Marker, Whose, with};
use crate::engine::session::Amendment;
use crate::engine::text::{identifier, literal};
use crate::engine::{Expects, OpenOptions, SessionError, Unit};
use crate::history::{Applied, Entry, History, Phase};
use crate::target::TrackName;

/// Reads the database's own name, whether the login may comment on it (who has the rights of its owner), and its
/// comment. A fresh connection pays for every operator and function that it has to look up, and more for a join.
pub(super) fn question() -> String {
    format!(
        "SELECT 'database', d.datname, pg_catalog.pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_database d \
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database();\n\
         SELECT 'comment', s.classoid, CASE WHEN pg_catalog.octet_length(s.description) \
         OPERATOR(pg_catalog.<=) {LONGEST} THEN s.description END {OURS}"
    )
}

/// Where the comment stands; rows about other things share its number.
const OURS: &str = "FROM pg_catalog.pg_shdescription s WHERE s.objoid OPERATOR(pg_catalog.=) (SELECT d.oid \
     FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

/// How long somebody else's change of the comment is waited for, in milliseconds: the least that is not for ever.
const PATIENCE_MS: u32 = 1;

/// The number of `pg_database` itself ("System Catalog Initial Data": it never changes).
const OF_DATABASES: &str = "1262";

/// What a session knows of its database's comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Comment {
    /// The login must not write it, or it cannot be written again as it is: not a word of it is touched.
    #[default]
    NotOurs,
    /// What it says.
    Known {
        /// The database's own name; a pooler may know it by another.
        database: String,
        /// The text; empty if there is none.
        text: String,
    },
    /// Nobody asked: it had the expected marker a moment ago.
    Unasked,
    /// The server refused a change of it: it may say something else now.
    Refused,
}

/// Returns whether the expected marker is the one that the history deserves on a track.
fn is_as_expected(session: &Locked, track: &TrackName) -> bool {
    match &session.options.expects {
        Expects::Marker(expected) => deserved(session, track, &session.left).as_ref() == Some(&**expected),
        Expects::Nothing | Expects::Tables => false,
    }
}

fn deserved(session: &Locked, track: &TrackName, history: &History) -> Option<Marker> {
    let whose = Whose {
        registry_id: &session.options.registry_id,
        database_id: &session.options.database_id,
    };
    Marker::of_history(whose, track, history)
}

impl Comment {
    /// What is known of it where there is no answer: nobody asked, or the server refused to tell.
    pub(super) fn without_answer(options: &OpenOptions) -> Self {
        match options.expects {
            Expects::Marker(_) => Self::Unasked,
            Expects::Nothing | Expects::Tables => Self::NotOurs,
        }
    }

    /// Takes a row of [`question`]; returns whether it was one.
    pub(super) fn take_row(&mut self, row: &tokio_postgres::SimpleQueryRow) -> bool {
        match row.try_get(0) {
            Ok(Some("database")) => {
                if let (Ok(Some(name)), Ok(Some("t"))) = (row.try_get(1), row.try_get(2)) {
                    *self = Self::Known {
                        database: name.to_owned(),
                        text: String::new(),
                    };
                }
                true
            }
            Ok(Some("comment")) => {
                match (row.try_get(1), row.try_get(2), &mut *self) {
                    (Ok(Some(class)), _, _) if class != OF_DATABASES => {}
                    (_, Ok(Some(found)), Self::Known { text, .. }) => found.clone_into(text),
                    // It is too long, or in no encoding that we could give back.
                    (_, _, _) => *self = Self::NotOurs,
                }
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

/// A change of the comment inside somebody's transaction; without statements where it says what it shall.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    statements: Vec<String>,
    text: String,
    history: History,
}

impl Change {
    /// Returns the statements that go before the work.
    pub(super) fn statements(&self) -> &[String] {
        &self.statements
    }

    /// Notes, behind the COMMIT, what is there now.
    pub(super) fn done(self, session: &mut Locked) {
        session.left = self.history;
        if let Comment::Known { text, .. } = &mut session.comment {
            *text = self.text;
        }
    }
}

/// Returns the change that a unit makes: all its steps as they will be.
pub(super) fn of_unit(session: &Locked, unit: &Unit) -> Change {
    let mut history = session.left.clone();
    for step in &unit.steps {
        let version = step.migration.version;
        history
            .rows
            .retain(|row| row.track != unit.track || row.version != version);
        if unit.direction == Direction::Up {
            history.rows.push(row_of(unit, step, Phase::Done));
        }
    }
    change(session, &unit.track, history)
}

/// Returns the change at the beginning of a step outside a transaction: it is half-way until it is closed.
pub(super) fn of_intent(session: &Locked, unit: &Unit) -> Change {
    let mut history = session.left.clone();
    for step in &unit.steps {
        let version = step.migration.version;
        history
            .rows
            .retain(|row| row.track != unit.track || row.version != version);
        history.rows.push(row_of(unit, step, Phase::Running));
    }
    change(session, &unit.track, history)
}

/// Returns the change that a declaration makes.
pub(super) fn of_amendment(session: &Locked, amendment: &Amendment) -> Change {
    let mut history = session.left.clone();
    for entry in &amendment.entries {
        let (version, row) = match entry {
            Entry::Add(row) | Entry::Change(row) => (row.version, Some(row)),
            Entry::Remove(version) => (*version, None),
        };
        history
            .rows
            .retain(|row| row.track != amendment.track || row.version != version);
        history.rows.extend(row.cloned());
    }
    change(session, &amendment.track, history)
}

fn row_of(unit: &Unit, step: &crate::plan::Step, phase: Phase) -> Applied {
    let statements = step.script().statements.len();
    Applied {
        track: unit.track.clone(),
        version: step.migration.version,
        name: step.migration.name.clone(),
        checksum: step.migration.up.checksum,
        phase,
        attempt_id: unit.attempt_id.clone(),
        run_id: unit.run_id.clone(),
        epoch: 0,
        next_stmt: statements,
        total_stmts: statements,
        pre_fp: None,
        started_at: String::new(),
        done_at: None,
        duration_ms: 0,
    }
}

fn change(session: &Locked, track: &TrackName, mut history: History) -> Change {
    history
        .rows
        .sort_by(|a, b| (&a.track, a.version).cmp(&(&b.track, b.version)));
    let mut change = Change {
        history,
        ..Change::default()
    };
    let Comment::Known { database, text } = &session.comment else {
        return change;
    };
    let marker = deserved(session, track, &change.history);
    // Where there is no room for a marker, an old one goes.
    let wanted = with(text, track, marker.as_ref()).or_else(|| with(text, track, None));
    change.text = wanted.unwrap_or_else(|| text.clone());
    if change.text == *text {
        return change;
    }
    // Somebody may have written another since it was read. Whose change is not committed yet is not waited for: what it
    // leaves would be overwritten unseen.
    change
        .statements
        .push(format!("SET LOCAL lock_timeout = {PATIENCE_MS}"));
    change.statements.push(format!(
        "SELECT 1 OPERATOR(pg_catalog./) (COALESCE((SELECT s.description {OURS} AND s.classoid \
         OPERATOR(pg_catalog.=) {OF_DATABASES}::pg_catalog.oid), '') OPERATOR(pg_catalog.=) {})::pg_catalog.int4",
        literal(text)
    ));
    let new = if change.text.is_empty() {
        "NULL".to_owned()
    } else {
        literal(&change.text)
    };
    change
        .statements
        .push(format!("COMMENT ON DATABASE {} IS {new}", identifier(database)));
    change.statements.push(match session.connection.settings {
        Settings::StartPacket => "RESET lock_timeout".to_owned(),
        // What a pooler kept from the server a RESET does not bring back.
        Settings::PerTransaction => {
            let patience = session.options.lock_timeout.as_millis();
            format!("SET LOCAL lock_timeout = {patience}")
        }
    });
    change
}

/// Returns whether a message failed at the comment, whose statements begin at an index: then its transaction is rolled
/// back, and the session lets the comment be.
///
/// Whatever it says: the right went away meanwhile, somebody else writes it ("tuple concurrently updated", a lock), the
/// server keeps it from us.
pub(super) async fn was_refused(
    session: &mut Locked,
    answer: &Answer,
    (from, change): (usize, &Change),
) -> Result<bool, SessionError> {
    let at_comment = (from..from + change.statements.len()).contains(&answer.completed);
    match &answer.failure {
        Some(failure @ Failure::Refused { error, .. })
            if at_comment && !session.connection.stopped_on_request(failure) =>
        {
            tracing::debug!(%error, "the database's comment could not be written");
            let_be(session).await?;
            Ok(true)
        }
        Some(Failure::Refused { .. } | Failure::Lost(_)) | None => Ok(false),
    }
}

/// Rolls back, and leaves the comment to others.
pub(super) async fn let_be(session: &mut Locked) -> Result<(), SessionError> {
    session.comment = Comment::Refused;
    session.in_transaction = false;
    roll_back(&mut session.connection).await
}

/// Asks for the comment where it was not asked for yet, so that it can be changed.
pub(super) async fn learn(session: &mut Locked) {
    if session.comment != Comment::Unasked {
        return;
    }
    match ask(&mut session.connection).await {
        Some(comment) => session.comment = comment,
        // What follows begins anew, and says by itself that the connection is gone.
        None => drop(let_be(session).await),
    }
}

/// Writes the marker of a track where the comment says another, or none: what an older program migrated has none, and a
/// restored table leaves a wrong one. At most one statement, under the lock; that it could not be written is no failure.
pub(super) async fn settle(session: &mut Locked, track: &TrackName) {
    match &session.comment {
        Comment::Unasked if is_as_expected(session, track) => return,
        Comment::Unasked => learn(session).await,
        Comment::Refused => session.comment = ask(&mut session.connection).await.unwrap_or_default(),
        Comment::Known { .. } | Comment::NotOurs => {}
    }
    let change = change(session, track, session.left.clone());
    if change.statements.is_empty() {
        return;
    }
    let mut message = if session.in_transaction {
        vec![DURABLE.to_owned()]
    } else {
        let mut message = intent::opening(session);
        message.push(format!(
            "SELECT 1 OPERATOR(pg_catalog./) (SELECT (m.epoch OPERATOR(pg_catalog.=) {})::pg_catalog.int4 \
             FROM public._tenantry_meta m)",
            session.epoch
        ));
        message
    };
    message.extend_from_slice(&change.statements);
    message.push("COMMIT".to_owned());
    session.in_transaction = false;
    let answer = session.connection.exchange(&message.join(";\n"), |_, _| {}).await;
    match answer.failure {
        None => change.done(session),
        Some(failure) => {
            tracing::debug!(?failure, "the database's comment could not be written");
            // What follows in this session begins anew, and says by itself that the connection is gone.
            drop(let_be(session).await);
        }
    }
}

/// Returns what it says; `None` if the server refused to tell.
async fn ask(connection: &mut Connection) -> Option<Comment> {
    let mut comment = Comment::default();
    let answer = connection
        .exchange(&question(), |_, row| {
            comment.take_row(row);
        })
        .await;
    answer.failure.is_none().then_some(comment)
}
