//! `audit list | verify | export`: who changed what, and whether the record of it is whole.

use serde::Serialize;
use serde_json::{Value, json};
use tenantry::registry::{AuditFinding, AuditHead, AuditQuery, AuditRow, Registry, RegistryError, Verified};

use super::opened::{self, block_on};
use super::{Context, unwritten};
use crate::args::{AuditCommand, Limits};
use crate::clock::Utc;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Table, out, text};

/// A change as JSON shows it.
#[derive(Serialize)]
struct Shown<'a> {
    seq: i64,
    at: String,
    actor: &'a str,
    origin: &'a str,
    action: &'a str,
    object: &'a str,
    name: &'a str,
    before: Option<Value>,
    after: Option<Value>,
    reason: Option<&'a str>,
    hash: &'a str,
}

impl<'a> Shown<'a> {
    fn of(row: &'a AuditRow) -> Self {
        // A text that somebody put there instead of JSON is shown as what it is.
        let value = |text: &Option<String>| {
            let text = text.as_ref()?;
            Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
        };
        Self {
            seq: row.seq,
            at: Utc::of_micros(row.changed_at).rfc3339(),
            actor: &row.actor,
            origin: &row.origin,
            action: &row.action,
            object: &row.object,
            name: &row.name,
            before: value(&row.before),
            after: value(&row.after),
            reason: row.reason.as_deref(),
            hash: &row.hash,
        }
    }
}

/// Carries out a command about the audit.
///
/// # Errors
/// What opening the project and the registry say. What `verify` finds is no error: it decides the exit code.
pub(super) fn run(context: &Context, command: &AuditCommand) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let registry = opened::fleet(&project, &Limits::default()).await?.registry;
        match command {
            AuditCommand::List {
                about,
                action,
                actor,
                before,
                limit,
            } => {
                let query = AuditQuery {
                    objects: objects(&registry, about.as_deref()).await?,
                    about: about.clone(),
                    action: *action,
                    actor: actor.clone(),
                    before: *before,
                };
                list(context, &registry.audit(&query, u64::from(*limit)).await?, *limit)
            }
            AuditCommand::Verify { head } => verified(context, &registry.verify_audit(head.as_ref()).await?),
            AuditCommand::Export => {
                let mut seq = 0;
                loop {
                    let page = registry.audit_behind(seq).await?;
                    let Some(last) = page.last() else { break };
                    seq = last.seq;
                    for row in &page {
                        out::answer_json(&Shown::of(row)).map_err(|error| unwritten(&error))?;
                    }
                }
                Ok(Exit::Done)
            }
        }
    })
}

/// Returns what is meant by the name of a tenant that there is, whatever it was called before.
async fn objects(registry: &Registry, about: Option<&str>) -> Result<Vec<String>, CommandError> {
    let Some(about) = about else { return Ok(Vec::new()) };
    match registry.find_tenant(about).await {
        Ok(tenant) => Ok(vec![format!("tenant:{}", tenant.id)]),
        Err(RegistryError::TenantNotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn list(context: &Context, rows: &[AuditRow], limit: u16) -> Result<Exit, CommandError> {
    if rows.is_empty() {
        context.say("No change is recorded that fits.");
    }
    let human = if rows.is_empty() {
        String::new()
    } else {
        table(rows).draw()
    };
    let next = rows.last().map(|row| row.seq);
    let next = next.filter(|seq| rows.len() == usize::from(limit) && *seq > 1);
    let items: Vec<Shown<'_>> = rows.iter().map(Shown::of).collect();
    context.answer_unless_empty(&human, &json!({ "items": items, "next": next }))?;
    Ok(Exit::Done)
}

fn table(rows: &[AuditRow]) -> Table {
    let header = ["SEQ", "AT UTC", "BY", "FROM", "ACTION", "WHAT", "REASON"];
    let mut table = Table::new(&header);
    for row in rows {
        table.row(&[
            row.seq.to_string(),
            Utc::of_micros(row.changed_at).minute(),
            row.actor.clone(),
            row.origin.clone(),
            row.action.clone(),
            row.name.clone(),
            row.reason.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

fn verified(context: &Context, verified: &Verified) -> Result<Exit, CommandError> {
    let head = written(&verified.head);
    let rows = usize::try_from(verified.rows).unwrap_or(usize::MAX);
    let rows = text::count(rows, "change");
    let lines: Vec<String> = verified.findings.iter().map(said).collect();
    let (human, exit) = if lines.is_empty() {
        (
            format!("The audit is whole: {rows}.\nKeep elsewhere:  {head}"),
            Exit::Done,
        )
    } else {
        let more = verified.found - lines.len();
        let more = if more > 0 {
            format!("\n… and {more} more")
        } else {
            String::new()
        };
        (
            format!("The audit was changed: {}{more}\n{rows} read.", lines.join("\n")),
            Exit::Findings,
        )
    };
    let document = json!({
        "rows": verified.rows,
        "head": head,
        "found": verified.found,
        "findings": lines,
    });
    context.answer(&text::printable(&human), &document)?;
    Ok(exit)
}

fn written(head: &AuditHead) -> String {
    format!("{}:{}", head.seq, head.hash)
}

fn said(found: &AuditFinding) -> String {
    match found {
        AuditFinding::Changed { seq } => {
            format!("row {seq} does not fit its hash and the row before")
        }
        AuditFinding::Missing { from, to } if from == to => format!("row {from} is not there"),
        AuditFinding::Missing { from, to } => format!("rows {from} to {to} are not there"),
        AuditFinding::End { rows, head } => format!(
            "the rows end with {}, and what was written last was {}",
            rows.seq, head.seq
        ),
        AuditFinding::NotAsKept(kept) => format!("row {} is not the one that was kept", kept.seq),
    }
}
