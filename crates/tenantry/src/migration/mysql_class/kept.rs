//! What a file keeps in its session, and whether it can go on in another one.

use std::collections::BTreeMap;
use std::fmt;

use super::conditional::may_be_skipped;
use super::results::{Cuts, Results, results};
use super::values::{assigns, computes, is_for_the_next};
use super::variables::{Risk, Unnamed, Use, Variables, risks, unnamed, variables};
use super::{Class, body, classify};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, unquoted};
use crate::migration::script::{OnResume, Script};

/// What a statement keeps in its session that another session cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A temporary table.
    TemporaryTable,
    /// A variable whose value was computed: from rows, by a function, from the clock, by a procedure or a trigger; or
    /// one that only the next statement takes, such as `INSERT_ID`.
    ComputedVariable,
    /// What a later statement asks for by `LAST_INSERT_ID()`, `@@identity`, `FOUND_ROWS()`, `ROW_COUNT()`, `LASTVAL()`
    /// or `CONNECTION_ID()`.
    Result,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TemporaryTable => "a temporary table",
            Self::ComputedVariable => "a variable with a computed value",
            Self::Result => "what LAST_INSERT_ID() or its like gives to a later statement",
        })
    }
}

/// Returns what is missing when a script goes on in a new session behind its first `done` statements: the
/// statement that made it, and what it is. `None` if the rest can run, or if nothing is left to run.
pub(crate) fn missing(script: &Script, done: usize) -> Option<(usize, Kept)> {
    missing_of(&Reading::of(script), done)
}

fn missing_of(reading: &Reading, done: usize) -> Option<(usize, Kept)> {
    if !reading.keeps_anything {
        return None;
    }
    let facts = reading.facts.as_slice();
    let done = past_drops_of(facts, done);
    if done >= facts.len() {
        return None;
    }
    if let Some(first) = kept_before(facts, done).first() {
        return Some((first.at, first.what));
    }
    let is_lost = |risk: &&Risk| risk.cause < done && done <= risk.until;
    if let Some(risk) = reading.risks.iter().find(is_lost) {
        return Some((risk.cause, Kept::ComputedVariable));
    }
    if reading.cuts.is_sound(done) {
        return None;
    }
    let rows = |fact: &Facts| matches!(fact.class, Class::Dml | Class::Opaque);
    let given = facts.get(..done)?.iter().rposition(rows)?;
    Some((given, Kept::Result))
}

/// Steps over statements that drop a temporary table which the lost session has taken with it. A second one of
/// the same name drops another table, and so may one behind code that nobody can look into: a procedure, a block.
pub(crate) fn past_drops(script: &Script, done: usize) -> usize {
    past_drops_of(&facts(script), done)
}

fn past_drops_of(facts: &[Facts], done: usize) -> usize {
    let kept = kept_before(facts, done);
    let is_sure = |thing: &Thing<'_>| {
        let behind = facts.get(thing.at + 1..done).unwrap_or(&[]);
        behind.iter().all(|fact| fact.unnamed != Unnamed::ByCode)
    };
    let tables = kept
        .iter()
        .filter_map(|thing| Some((thing.table?, is_sure(thing))));
    let mut gone: BTreeMap<&String, bool> = tables.collect();
    let mut is_gone = |fact: &Facts, name| {
        let sure = gone.remove(name);
        // `DROP TEMPORARY` changes the session only: it drops nothing that lasts.
        sure.is_some_and(|sure| sure || fact.class == Class::Session)
    };
    let rest = facts.iter().skip(done);
    let over =
        rest.take_while(|fact| !fact.drops.is_empty() && fact.drops.iter().all(|name| is_gone(fact, name)));
    done.min(facts.len()) + over.count()
}

/// Returns the statements that made the temporary tables which a script's session has behind its first `done`
/// ones.
pub(crate) fn temporary_tables(script: &Script, done: usize) -> Vec<usize> {
    let facts = facts(script);
    let kept = kept_before(&facts, done);
    let tables = kept.iter().filter(|thing| thing.what == Kept::TemporaryTable);
    tables.map(|thing| thing.at).collect()
}

/// Returns whether a statement makes or drops a temporary table by that word.
pub(crate) fn is_about_temporary_table(statement: &str) -> bool {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if cursor.eat("DROP") {
        return cursor.eat("TEMPORARY");
    }
    made(statement).is_some()
}

/// Returns whether a statement sets variables of the user's and nothing else: such a statement may stand
/// between rows in their transaction.
pub(crate) fn sets_user_variables(statement: &str) -> bool {
    // What a server may skip cannot share a message.
    if classify(statement) != Class::Session || may_be_skipped(statement) {
        return false;
    }
    let mut cursor = Cursor::new(statement, Engine::MySql);
    if !cursor.eat("SET") {
        return cursor.at("SELECT");
    }
    let mut changes = super::SessionChanges::default();
    changes.note(statement);
    changes.system.is_empty() && cursor.eat_symbol(b'@') && !cursor.eat_symbol(b'@')
}

/// Returns the statement on whose account a failure behind it may leave a file that no run can go on with, and
/// what it keeps; `None` if there is none.
pub(crate) fn cannot_go_on(script: &Script) -> Option<(usize, Kept)> {
    let reading = Reading::of(script);
    if !reading.keeps_anything {
        return None;
    }
    let facts = reading.facts.as_slice();
    let (mut rows, mut lasting) = (None, false);
    for (at, fact) in facts.iter().enumerate() {
        // Rows that stand together are rolled back together.
        rows = match fact.class {
            Class::Dml => rows.or(Some((at, lasting))),
            Class::Session if sets_user_variables(script.statement(at)) => rows,
            Class::AtomicDdl { .. }
            | Class::MultiObjectDdl { .. }
            | Class::Repeatable
            | Class::NotRepeatable
            | Class::Opaque
            | Class::Session => None,
        };
        let (base, in_place) = rows.unwrap_or((at, lasting));
        if in_place && let Some(found) = missing_of(&reading, base) {
            return Some(found);
        }
        lasting |= fact.class != Class::Session;
    }
    None
}

/// What matters of one statement.
#[derive(Debug)]
struct Facts {
    class: Class,
    makes: Option<String>,
    drops: Vec<String>,
    /// The tables that may have another name behind it, in lower case.
    renames: Vec<String>,
    is_computed: bool,
    /// Whether a new session runs it again.
    is_replayed: bool,
    /// Whether it is a `SET` for the statement behind it.
    is_for_the_next: bool,
    results: Results,
    variables: Variables,
    unnamed: Unnamed,
}

impl Facts {
    /// Returns whether it may keep something, or ask for what was kept.
    fn keeps_anything(&self) -> bool {
        self.makes.is_some() || self.is_computed || self.is_for_the_next || !self.results.asks.is_empty()
    }
}

/// What a whole script keeps in its session. Reading it takes longer than asking it: read it once.
#[derive(Debug)]
pub(crate) struct Reading {
    facts: Vec<Facts>,
    cuts: Cuts,
    risks: Vec<Risk>,
    keeps_anything: bool,
}

impl Reading {
    /// Returns whether the rest of a script cannot run in a new session behind its first `done` statements.
    pub(crate) fn misses_anything(&self, done: usize) -> bool {
        missing_of(self, done).is_some()
    }

    /// Reads a script.
    pub(crate) fn of(script: &Script) -> Self {
        let facts = facts(script);
        let results: Vec<&Results> = facts.iter().map(|fact| &fact.results).collect();
        let uses = facts.iter().map(|fact| Use {
            variables: &fact.variables,
            unnamed: fact.unnamed,
            is_replayed: fact.is_replayed,
        });
        let risks = risks(&uses.collect::<Vec<_>>());
        Self {
            cuts: Cuts::between(&results),
            keeps_anything: !risks.is_empty() || facts.iter().any(Facts::keeps_anything),
            risks,
            facts,
        }
    }
}

fn facts(script: &Script) -> Vec<Facts> {
    let again = script.directives.on_resume == OnResume::Rerun;
    let of = |at: usize| {
        let text = script.statement(at);
        let class = classify(text);
        let results = results(text, &class);
        let is_replayed = class == Class::Session && !is_about_temporary_table(text);
        // What an earlier statement did cannot be computed anew.
        let is_computed = if is_replayed {
            (!again || results.asks_for_earlier()) && computes(text)
        } else {
            assigns(text, &class)
        };
        Facts {
            makes: made(text),
            drops: dropped(text),
            renames: renamed(text),
            is_computed,
            is_replayed,
            is_for_the_next: is_replayed && is_for_the_next(text),
            results,
            variables: variables(text, &class),
            unnamed: unnamed(text, &class),
            class,
        }
    };
    (0..script.statements.len()).map(of).collect()
}

/// One thing that is kept.
struct Thing<'a> {
    at: usize,
    what: Kept,
    /// The table that a `DROP` of its name takes away; `None` for what is no table, or has another name since.
    table: Option<&'a String>,
}

fn kept_before(facts: &[Facts], until: usize) -> Vec<Thing<'_>> {
    let mut kept: Vec<Thing<'_>> = Vec::new();
    for (at, fact) in facts.iter().enumerate().take(until) {
        let is_gone = |thing: &Thing<'_>| thing.table.is_some_and(|table| fact.drops.contains(table));
        kept.retain(|thing| !is_gone(thing));
        let is_renamed = |table: &String| fact.renames.contains(&table.to_lowercase());
        for thing in &mut kept {
            thing.table = thing.table.filter(|table| !is_renamed(table));
        }
        let mut keep = |what, table| kept.push(Thing { at, what, table });
        if let Some(table) = &fact.makes {
            keep(Kept::TemporaryTable, Some(table));
        }
        let behind = facts.get(at + 1..until).unwrap_or(&[]);
        let is_spent = fact.is_for_the_next && behind.iter().any(|fact| fact.class != Class::Session);
        if fact.is_computed || is_spent {
            keep(Kept::ComputedVariable, None);
        }
    }
    kept
}

/// Returns the temporary table that a statement makes.
fn made(statement: &str) -> Option<String> {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("CREATE") {
        return None;
    }
    cursor.eat_all(&["OR", "REPLACE"]);
    if !cursor.eat("TEMPORARY") || cursor.eat_any(&["TABLE", "SEQUENCE"]).is_none() {
        return None;
    }
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    Some(cursor.qualified()?.name.into_owned())
}

/// Returns the tables that a statement drops.
fn dropped(statement: &str) -> Vec<String> {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    if !cursor.eat("DROP") {
        return Vec::new();
    }
    cursor.eat("TEMPORARY");
    if cursor.eat_any(&["TABLE", "TABLES", "SEQUENCE"]).is_none() {
        return Vec::new();
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    let mut tables = Vec::new();
    while let Some(table) = cursor.qualified() {
        tables.push(table.name.into_owned());
        if !cursor.eat_symbol(b',') {
            break;
        }
    }
    tables
}

/// Returns every name in a statement that renames a table; none if it does not.
fn renamed(statement: &str) -> Vec<String> {
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    let renames = cursor.eat("RENAME") || (cursor.eat("ALTER") && renames_table(cursor.clone()));
    let mut names = Vec::new();
    while renames && let Some(token) = cursor.bump() {
        names.extend(unquoted(token, cursor.text()).map(|name| name.to_lowercase()));
    }
    names
}

fn renames_table(mut cursor: Cursor<'_>) -> bool {
    while cursor.skip_past("RENAME") {
        if cursor.at_any(&["COLUMN", "INDEX", "KEY"]).is_none() {
            return true;
        }
    }
    false
}
