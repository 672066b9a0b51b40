//! Statements that ask what an earlier one of their session did: `LAST_INSERT_ID()` and the like.

use std::collections::BTreeSet;

use super::{Class, body, classify};
use crate::engine::Engine;
use crate::migration::cursor::{Cursor, mentions};
use crate::migration::script::Script;

/// Words without which no statement asks.
const ASKING: [&str; 7] = [
    "LAST_INSERT_ID",
    "IDENTITY",
    "ROW_COUNT",
    "FOUND_ROWS",
    "LASTVAL",
    "PREVIOUS",
    "CONNECTION_ID",
];

const VARIABLES: [&str; 2] = ["LAST_INSERT_ID", "IDENTITY"];

/// What a session can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// The last generated id.
    Id,
    /// How many rows the last statement changed: each statement gives it anew.
    Changed,
    /// How many rows the last query found.
    Found,
    /// The last value of a sequence.
    Sequence(String),
    /// Which connection it is, in a statement that may keep the answer in rows.
    Connection,
}

/// What a statement has to do with the results of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Results {
    /// What it asks for before it gives anything.
    pub(super) asks: BTreeSet<Answer>,
    /// What those behind it ask for no further than this one.
    pub(super) gives: BTreeSet<Answer>,
}

impl Results {
    /// Returns whether it asks for what an earlier statement did.
    pub(super) fn asks_for_earlier(&self) -> bool {
        self.asks.iter().any(|answer| *answer != Answer::Connection)
    }

    fn settles(&self, answer: &Answer) -> bool {
        *answer == Answer::Changed || self.gives.contains(answer)
    }
}

/// Returns what a statement has to do with the results of others. An `INSERT` counts as the one that is asked
/// for its id, although only one that generates an id is; but not one that asks for an id itself.
pub(super) fn results(statement: &str, class: &Class) -> Results {
    let mut found = Results::default();
    let mut cursor = Cursor::new(body(statement), Engine::MySql);
    cursor.eat("ANALYZE");
    let inserts = cursor.at_any(&["INSERT", "REPLACE"]).is_some();
    if cursor.at_any(&["SELECT", "WITH"]).is_some() || cursor.eat_symbol(b'(') {
        found.gives.insert(Answer::Found);
    }
    // A definition only holds such statements.
    let defines = matches!(class, Class::AtomicDdl { .. } | Class::MultiObjectDdl { .. });
    let may_say = |words: &[&str]| words.iter().any(|word| mentions(statement, word));
    if !defines && (may_say(&ASKING) || may_say(&["NEXTVAL", "NEXT"])) {
        while cursor.peek().is_some() {
            step(&mut cursor, &mut found);
        }
    }
    if *class == Class::Session {
        found.asks.remove(&Answer::Connection);
    }
    if inserts && !found.asks.contains(&Answer::Id) {
        found.gives.insert(Answer::Id);
    }
    found
}

/// Steps over one token, or a question with its argument.
fn step(cursor: &mut Cursor<'_>, found: &mut Results) {
    const WORDS: [&str; 8] = [
        "LAST_INSERT_ID",
        "ROW_COUNT",
        "FOUND_ROWS",
        "CONNECTION_ID",
        "LASTVAL",
        "NEXTVAL",
        "PREVIOUS",
        "NEXT",
    ];
    let Some(word) = cursor.eat_any(&WORDS) else {
        let text = cursor.text();
        let marked = cursor.bump().is_some_and(|token| token.is_symbol(text, b'@'));
        if marked && cursor.eat_symbol(b'@') && reads_variable(cursor.clone()) {
            found.asks.insert(Answer::Id);
        }
        return;
    };
    let of_sequence = match word {
        "PREVIOUS" | "NEXT" => cursor.eat_all(&["VALUE", "FOR"]),
        _ => cursor.eat_symbol(b'('),
    };
    if !of_sequence {
        return;
    }
    let plain = cursor.clone().eat_symbol(b')');
    match word {
        // With an argument it sets the answer.
        "LAST_INSERT_ID" if !plain => found.gives.insert(Answer::Id),
        "LAST_INSERT_ID" => found.asks.insert(Answer::Id),
        "ROW_COUNT" => found.asks.insert(Answer::Changed),
        "FOUND_ROWS" => found.asks.insert(Answer::Found),
        "CONNECTION_ID" => found.asks.insert(Answer::Connection),
        word => {
            let name = cursor.clone().qualified();
            let sequence = name.map_or_else(String::new, |name| name.name.to_ascii_lowercase());
            let set = if word.starts_with("NEXT") {
                &mut found.gives
            } else {
                &mut found.asks
            };
            set.insert(Answer::Sequence(sequence))
        }
    };
}

/// Stands behind `@@`.
fn reads_variable(mut cursor: Cursor<'_>) -> bool {
    if cursor.eat_any(&["SESSION", "LOCAL"]).is_some() {
        cursor.eat_symbol(b'.');
    }
    let name = cursor.name();
    name.is_some_and(|name| VARIABLES.iter().any(|known| known.eq_ignore_ascii_case(&name)))
}

/// Where a script can be cut in two sessions, as far as the results of its statements go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cuts {
    /// For each statement whether a cut before it is unsound; empty if none is.
    unsound: Vec<bool>,
}

impl Cuts {
    /// Reads a script.
    pub(crate) fn of(script: &Script) -> Self {
        if !ASKING.iter().any(|word| mentions(&script.text, word)) {
            return Self::default();
        }
        let of = |at: usize| {
            let text = script.statement(at);
            results(text, &classify(text))
        };
        let all: Vec<Results> = (0..script.statements.len()).map(of).collect();
        Self::between(&all.iter().collect::<Vec<_>>())
    }

    /// Reads what the statements of a script have to do with one another.
    pub(super) fn between(all: &[&Results]) -> Self {
        let connected = |results: &&&Results| results.asks.contains(&Answer::Connection);
        let first = all.iter().position(|results| connected(&results));
        let last = all.iter().rposition(|results| connected(&results));
        let mut asked: BTreeSet<&Answer> = BTreeSet::new();
        let mut unsound = vec![false; all.len()];
        for (at, (results, unsound)) in all.iter().zip(&mut unsound).enumerate().rev() {
            asked.retain(|answer| !results.settles(answer));
            asked.extend(
                results
                    .asks
                    .iter()
                    .filter(|answer| **answer != Answer::Connection),
            );
            // Which connection it is matters only if it was asked before.
            let within = first.is_some_and(|first| first < at) && last.is_some_and(|last| at <= last);
            *unsound = within || !asked.is_empty();
        }
        Self { unsound }
    }

    /// Returns whether the script can be cut before a statement.
    pub(crate) fn is_sound(&self, before: usize) -> bool {
        !self.unsound.get(before).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Cuts, Results, results};
    use crate::engine::Engine;
    use crate::migration::Track;
    use crate::migration::mysql_class::classify;
    use crate::target::TrackName;

    #[test]
    fn who_asks_and_who_gives() {
        use Answer::{Changed, Connection, Found, Id};
        let of = |name: &str| Answer::Sequence(name.to_owned());
        for (statement, asks, gives) in [
            ("INSERT INTO c VALUES (LAST_INSERT_ID(), 1)", vec![Id], vec![]),
            ("SET @a = last_insert_id ( )", vec![Id], vec![]),
            (
                "SELECT @@identity, @@SESSION.`last_insert_id`",
                vec![Id],
                vec![Found],
            ),
            ("SELECT FOUND_ROWS()", vec![Found], vec![Found]),
            ("INSERT INTO a VALUES (ROW_COUNT())", vec![Changed], vec![Id]),
            ("UPDATE s SET n = LAST_INSERT_ID(n + 1)", vec![], vec![Id]),
            (
                "SET STATEMENT max_statement_time=1 FOR INSERT INTO a VALUES (1)",
                vec![],
                vec![Id],
            ),
            ("REPLACE INTO a VALUES ('LAST_INSERT_ID()')", vec![], vec![Id]),
            ("UPDATE a SET n = LASTVAL(`S`)", vec![of("s")], vec![]),
            ("UPDATE a SET n = PREVIOUS VALUE FOR d.s", vec![of("s")], vec![]),
            ("DO NEXTVAL(s), NEXT VALUE FOR q", vec![], vec![of("s"), of("q")]),
            (
                "DELETE FROM a WHERE n = CONNECTION_ID()",
                vec![Connection],
                vec![],
            ),
            ("SET @c = CONNECTION_ID()", vec![], vec![]),
            (
                "CREATE PROCEDURE p() INSERT INTO c VALUES (LAST_INSERT_ID())",
                vec![],
                vec![],
            ),
            ("UPDATE a SET previous = next, last_insert_id = 1", vec![], vec![]),
        ] {
            let expect = Results {
                asks: asks.into_iter().collect(),
                gives: gives.into_iter().collect(),
            };
            assert_eq!(results(statement, &classify(statement)), expect, "{statement}");
        }
    }

    fn sound(text: &str) -> Vec<usize> {
        let track = Track::from_files(TrackName::Tenant, Engine::MySql, &[("1_a.sql", text)]).unwrap();
        let script = &track.migrations[0].up;
        let cuts = Cuts::of(script);
        (1..=script.statements.len())
            .filter(|at| cuts.is_sound(*at))
            .collect()
    }

    #[test]
    fn rows_are_not_cut_before_a_statement_that_asks() {
        for (text, expect) in [
            (
                "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); UPDATE a SET n = 3; \
                 INSERT INTO c VALUES (LAST_INSERT_ID()); INSERT INTO a VALUES (4);",
                vec![1, 4, 5],
            ),
            (
                "INSERT INTO a VALUES (1); UPDATE a SET n = 3; INSERT INTO c VALUES (ROW_COUNT()); \
                 UPDATE a SET n = 4; INSERT INTO c VALUES (ROW_COUNT());",
                vec![1, 3, 5],
            ),
            (
                "SELECT 1; UPDATE a SET n = 3; INSERT INTO c VALUES (FOUND_ROWS());",
                vec![3],
            ),
            (
                "SELECT NEXTVAL(s); SELECT NEXTVAL(q); UPDATE a SET n = LASTVAL(s); DELETE FROM a;",
                vec![3, 4],
            ),
            (
                "DELETE FROM a; UPDATE a SET n = CONNECTION_ID(); DELETE FROM b; DO CONNECTION_ID(); DELETE FROM c;",
                vec![1, 4, 5],
            ),
            ("DELETE FROM a; DELETE FROM b;", vec![1, 2]),
        ] {
            assert_eq!(sound(text), expect, "{text}");
        }
    }
}
