//! What an import tells: how much is new, and which logins it will use; never a password.

use serde::Serialize;
use tenantry::import::{Entry, EntryDatabase, Listed};
use tenantry::registry::{Import, Imported};

use super::super::Context;
use super::baseline::Marked;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Table, text};

/// How many databases a look shows.
const SHOWN: usize = 20;

/// What there is to tell.
pub(super) struct Told<'a> {
    pub(super) wanted: Import,
    pub(super) done: Imported,
    pub(super) listed: &'a Listed,
    pub(super) marks: &'a [Marked],
}

#[derive(Serialize)]
struct Shown<'a> {
    dry_run: bool,
    tenants: usize,
    databases: usize,
    already_there: usize,
    ignored: &'a [String],
    baseline: Vec<serde_json::Value>,
}

/// Tells it.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn tell(context: &Context, told: &Told<'_>) -> Result<Exit, CommandError> {
    let shown = Shown {
        dry_run: told.wanted == Import::Checks,
        tenants: told.done.tenants,
        databases: told.done.databases,
        already_there: told.done.there,
        ignored: &told.listed.ignored,
        baseline: told.marks.iter().map(|mark| mark.shown.clone()).collect(),
    };
    let mut human = text::printable(&lines(told).join("\n"));
    if told.wanted == Import::Checks {
        human = format!("{}\n{human}", preview(&told.listed.entries));
    }
    context.answer(&human, &shown)?;
    let failed = told
        .marks
        .iter()
        .map(|mark| mark.exit)
        .find(|exit| *exit != Exit::Done);
    Ok(failed.unwrap_or(Exit::Done))
}

fn lines(told: &Told<'_>) -> Vec<String> {
    let Imported {
        tenants,
        databases,
        there,
    } = told.done;
    let mut lines = Vec::new();
    let new = format!(
        "{} with {}",
        text::count(tenants, "tenant"),
        text::count(databases, "database")
    );
    match told.wanted {
        Import::Checks => lines.push(format!("    Fits  {new}; nothing was written")),
        Import::Writes if tenants > 0 => lines.push(format!("Imported  {new}")),
        Import::Writes => lines.push("Nothing  new in the list".to_owned()),
    }
    if there > 0 {
        lines.push(format!(
            "    Kept  {} already there, just so",
            text::count(there, "tenant")
        ));
    }
    if !told.listed.ignored.is_empty() {
        let names = text::names(told.listed.ignored.iter().map(String::as_str));
        lines.push(format!(" Ignored  columns that mean nothing here: {names}"));
    }
    lines.extend(told.marks.iter().flat_map(|mark| mark.lines.iter().cloned()));
    let is_marked = told.marks.iter().all(|mark| mark.exit == Exit::Done);
    if told.wanted == Import::Writes && tenants > 0 && is_marked {
        lines.push("Next:  tenantry migrate plan".to_owned());
    }
    lines
}

/// Shows where the first databases are and who logs in there, for somebody to confirm.
fn preview(entries: &[Entry]) -> String {
    let all = || {
        entries
            .iter()
            .flat_map(|entry| entry.databases.iter().map(move |one| (entry, one)))
    };
    let mut table = Table::new(&["TENANT", "PRODUCT", "SERVER", "DATABASE", "USER"]);
    for (entry, one) in all().take(SHOWN) {
        table.row(&row(entry, one));
    }
    let count = all().count();
    if count > SHOWN {
        return format!("{}\n… and {} more", table.draw(), text::number(count - SHOWN));
    }
    table.draw()
}

fn row(entry: &Entry, one: &EntryDatabase) -> [String; 5] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        entry.slug.to_string(),
        or_none(one.product.as_ref().map(ToString::to_string)),
        one.server.to_string(),
        one.name.clone(),
        or_none(one.login.as_ref().map(|login| login.user.clone())),
    ]
}
