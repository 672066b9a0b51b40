//! What became of a target, as JSON.

use serde::Serialize;
use tenantry::engine::{Certainty, Hidden, Holder, StateAfter};
use tenantry::run::{Failure, TargetReport};

use super::millis;
use crate::render::failure::short;
use crate::render::text;

/// What became of a target.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    #[serde(rename = "target")]
    label: String,
    tenant: Option<String>,
    track: String,
    server: Option<String>,
    /// Left out where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    database: String,
    status: &'static str,
    from: Option<String>,
    to: Option<String>,
    migrations: Vec<String>,
    attempts: usize,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

impl Target {
    /// Converts a target's report.
    pub(crate) fn of(target: &TargetReport) -> Self {
        let version = |version: &tenantry::migration::Version| version.to_string();
        Self {
            label: target.label.clone(),
            tenant: target.owner.as_ref().map(|owner| owner.slug.to_string()),
            track: target.track.to_string(),
            server: target.server.as_ref().map(ToString::to_string),
            database: target.database.clone(),
            status: target.outcome.as_str(),
            from: target.from.as_ref().map(version),
            to: target.to.as_ref().map(version),
            migrations: target.migrations.iter().map(|m| version(&m.version)).collect(),
            attempts: target.attempts,
            duration_ms: millis(target.duration),
            error: target.failure.as_deref().map(Error::of),
        }
    }
}

/// Why a target is not where it should be.
#[derive(Debug, Serialize)]
struct Error {
    code: String,
    title: String,
    message: String,
    migration: Option<String>,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    statement: Option<usize>,
    statements: Option<usize>,
    database_code: Option<String>,
    database_message: Option<String>,
    state_after: &'static str,
    statements_in_place: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    blocked_by: Vec<Blocker>,
}

/// A session that is in the way.
#[derive(Debug, Serialize)]
struct Blocker {
    certain: bool,
    pid: Option<i64>,
    application: String,
    user: String,
    from: String,
    state: String,
    since: String,
    statement: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<Unseen>,
}

/// What the server does not show of it.
#[derive(Debug, Serialize)]
struct Unseen {
    account: String,
    right: String,
}

impl Unseen {
    fn of(hidden: &Hidden) -> Self {
        Self {
            account: hidden.account.clone(),
            right: hidden.right.clone().into_owned(),
        }
    }
}

impl Blocker {
    fn of(holder: &Holder) -> Self {
        Self {
            certain: holder.certainty == Certainty::Holds,
            pid: match holder.certainty {
                Certainty::Holds | Certainty::MayHold => Some(holder.pid),
                Certainty::Hidden => None,
            },
            application: holder.application.clone(),
            user: holder.user.clone(),
            from: holder.from.clone(),
            state: holder.state.clone(),
            since: holder.since.clone(),
            statement: holder.statement.clone(),
            hidden: holder.hidden.as_ref().map(Unseen::of),
        }
    }
}

impl Error {
    fn of(failure: &Failure) -> Self {
        let (state_after, statements_in_place) = match failure.state {
            StateAfter::RolledBack => ("rolled_back", None),
            StateAfter::HalfWay { done } => ("half_way", Some(done)),
            StateAfter::SessionLost { done } => ("session_lost", Some(done)),
            StateAfter::Ambiguous => ("ambiguous", None),
            StateAfter::Unknown => ("unknown", None),
        };
        Self {
            code: failure.code.to_string(),
            title: short(failure),
            message: failure.what.clone(),
            migration: failure.migration.clone(),
            file: failure.file.as_ref().map(|file| text::path(file)),
            line: failure.place.map(|place| place.line),
            column: failure.place.map(|place| place.column),
            statement: failure.statement.map(|(statement, _)| statement),
            statements: failure.statement.map(|(_, statements)| statements),
            database_code: failure.database.as_ref().map(|error| error.code.clone()),
            database_message: failure.database.as_ref().map(|error| error.message.clone()),
            state_after,
            statements_in_place,
            evidence: failure.evidence.clone(),
            blocked_by: failure.holders.iter().map(Blocker::of).collect(),
        }
    }
}
