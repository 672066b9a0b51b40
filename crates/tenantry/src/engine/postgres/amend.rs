//! Rows that a person has declared, written under a claim and the lock; no migration runs.

use super::comment;
use super::history;
use super::intent::{Sent, exactly_one, opening, own, statements_in};
use super::record::DURABLE;
use super::session::Locked;
use super::unit::{new_meta, not_begun};
use crate::engine::session::Amendment;
use crate::engine::text::literal;
use crate::engine::{ApplyError, StateAfter};
use crate::faults::{Point, Seed, is_seeded, point, sent};
use crate::history::{Applied, Entry, Phase};

/// Writes the entries in one transaction: the one that took the lock, if it is still open.
pub(super) async fn amend(session: &mut Locked, amendment: &Amendment) -> Result<(), ApplyError> {
    point(Point::AmendLocked);
    match try_to_amend(session, amendment).await? {
        Sent::Done => {}
        // The session lets the comment be now.
        Sent::CommentRefused => drop(try_to_amend(session, amendment).await?),
    }
    Ok(())
}

async fn try_to_amend(session: &mut Locked, amendment: &Amendment) -> Result<Sent, ApplyError> {
    let change = comment::of_amendment(session, amendment);
    let mut message = if session.in_transaction {
        vec![DURABLE.to_owned()]
    } else {
        opening(session)
    };
    let comment = (statements_in(&message), &change);
    message.extend_from_slice(change.statements());
    let epoch = session.epoch + 1;
    if session.history.meta.is_none() && session.epoch == 0 {
        message.extend(history::CREATE_TABLES.split(";\n").map(ToOwned::to_owned));
        message.push(history::insert_meta(&new_meta(session)));
    } else {
        message.push(history::claim(session.epoch));
    }
    let entries = amendment.entries.iter();
    message.extend(entries.map(|entry| sql(epoch, amendment, entry)));
    if !is_seeded(Seed::MarkNotCommitted) {
        message.push("COMMIT".to_owned());
    }
    session.in_transaction = false;
    let message = message.join(";\n");
    let asked = session.connection.exchange(&message, |_, _| {});
    let answer = sent(Point::AmendSent, asked).await;
    let refused = comment::was_refused(session, &answer, comment).await;
    if refused.map_err(not_begun)? {
        return Ok(Sent::CommentRefused);
    }
    if let Some(failure) = answer.failure {
        return Err(own(&session.connection, failure, StateAfter::RolledBack));
    }
    point(Point::AmendCommitted);
    change.done(session);
    session.epoch = epoch;
    Ok(Sent::Done)
}

fn sql(epoch: i64, amendment: &Amendment, entry: &Entry) -> String {
    let track = literal(&amendment.track.to_string());
    match entry {
        Entry::Add(row) => format!(
            "INSERT INTO public._tenantry_history VALUES ({track}, {}, {}, '{}', '{}', {}, {}, {epoch}, {}, {}, NULL, \
             pg_catalog.clock_timestamp(), pg_catalog.clock_timestamp(), 0, '{}')",
            row.version,
            literal(&row.name),
            row.checksum,
            row.phase.as_str(),
            literal(&amendment.attempt_id),
            literal(&amendment.mark_id),
            row.next_stmt,
            row.total_stmts,
            env!("CARGO_PKG_VERSION"),
        ),
        Entry::Change(row) => exactly_one(&format!(
            "UPDATE public._tenantry_history SET epoch = {epoch}, {} WHERE track = {track} AND version = {}",
            changes(row),
            row.version
        )),
        Entry::Remove(version) => exactly_one(&format!(
            "DELETE FROM public._tenantry_history WHERE track = {track} AND version = {version}"
        )),
    }
}

/// When it was done stays, if it was.
fn changes(row: &Applied) -> String {
    let done_at = match row.phase {
        Phase::Done => "COALESCE(done_at, pg_catalog.clock_timestamp())",
        Phase::Running | Phase::Reverting => "done_at",
    };
    let column = row.pre_fp.as_deref().map_or_else(|| "NULL".to_owned(), literal);
    format!(
        "name = {}, checksum = '{}', phase = '{}', next_stmt = {}, total_stmts = {}, pre_fp = {column}, \
         done_at = {done_at}",
        literal(&row.name),
        row.checksum,
        row.phase.as_str(),
        row.next_stmt,
        row.total_stmts,
    )
}
