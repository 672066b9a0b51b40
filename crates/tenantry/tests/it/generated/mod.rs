//! Random scripts that also run on a real server, with the statements that they were made of.
//!
//! A script may be run in an empty database: its first statement makes what the others need, and each of
//! them names objects of its own number and seed, so that another script's do not stand in its way. The
//! statements run one by one on PostgreSQL, MariaDB and SQLite, and PostgreSQL's and SQLite's clients run the
//! text. MySQL's client does not: it keeps a body whole only under `DELIMITER`, and we keep it whole without.

mod mysql;
mod postgres;
mod sqlite;

use proptest::prelude::*;
use tenantry::engine::Engine;

/// A script and the statements that it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The whole text, delimiters and comments included.
    pub(crate) text: String,
    /// The statements in order, without delimiters.
    pub(crate) statements: Vec<String>,
}

/// The parts that a dialect gives.
pub(crate) struct Fragments {
    /// The statement that makes what the others need.
    first: &'static str,
    /// Templates: `@` is an expression, `%` a string, `~` white space or a comment, `#` number and seed.
    statements: &'static [&'static str],
    /// Expressions; `?` is random text without quotes and backslashes.
    expressions: &'static [&'static str],
    /// Strings; `?` likewise.
    strings: &'static [&'static str],
    /// White space and comments.
    gaps: &'static [&'static str],
    /// Delimiters that can be set.
    delimiters: &'static [&'static str],
}

/// Returns scripts of an engine with up to nine statements.
pub(crate) fn script(engine: Engine) -> impl Strategy<Value = Script> {
    let fragments = match engine {
        Engine::Postgres => &postgres::FRAGMENTS,
        Engine::MySql => &mysql::FRAGMENTS,
        Engine::Sqlite => &sqlite::FRAGMENTS,
    };
    proptest::collection::vec(any::<u64>(), 0..8).prop_map(|seeds| build(fragments, &seeds))
}

/// Builds one statement for each seed, so that a failing script shrinks by losing statements.
fn build(fragments: &Fragments, seeds: &[u64]) -> Script {
    let mut script = Script {
        text: format!("{};", fragments.first),
        statements: vec![fragments.first.to_owned()],
    };
    for (number, seed) in seeds.iter().enumerate() {
        let mut choices = Choices(*seed);
        let template = choices.one(fragments.statements);
        let name = format!("{number}_{seed}");
        let statement = fill(template, fragments, &mut choices).replace('#', &name);
        let statement = statement.replace('\u{1}', "#");
        let before = gaps(fragments, &mut choices);
        let after = gaps(fragments, &mut choices);
        let wrapped = match choices.below(fragments.delimiters.len() + 3) {
            0..=2 => format!("{before}{statement}{after};{after}"),
            n => {
                let delimiter = fragments.delimiters.get(n - 3).unwrap_or(&";");
                format!("{before}\nDELIMITER {delimiter}\n{statement}{after}{delimiter}\nDELIMITER ;\n")
            }
        };
        script.text.push_str(&wrapped);
        script.statements.push(statement);
    }
    script
}

fn gaps(fragments: &Fragments, choices: &mut Choices) -> String {
    (0..choices.below(3))
        .map(|_| choices.one(fragments.gaps))
        .collect()
}

fn fill(template: &str, fragments: &Fragments, choices: &mut Choices) -> String {
    let mut filled = String::new();
    for c in template.chars() {
        match c {
            '@' => filled.push_str(&with_text(choices.one(fragments.expressions), choices)),
            '%' => filled.push_str(&with_text(choices.one(fragments.strings), choices)),
            '~' => filled.push_str(&choices.one(fragments.gaps).replace('#', "\u{1}")),
            other => filled.push(other),
        }
    }
    filled
}

fn with_text(template: &str, choices: &mut Choices) -> String {
    const CHARACTERS: [&str; 16] = [
        "a", ";", ";", "$", "{", "}", "[", "(", ")", "/*", "*/", "--", " ", "\n", "é", "\u{1} ",
    ];
    let mut filled = String::new();
    for c in template.chars() {
        if c == '?' {
            (0..choices.below(6)).for_each(|_| filled.push_str(choices.one(&CHARACTERS)));
        } else {
            filled.push(c);
        }
    }
    filled
}

/// A stream of choices from one seed (splitmix64).
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed >> 33) % limit as u64).unwrap_or(0)
    }

    fn one(&mut self, list: &[&'static str]) -> &'static str {
        list.get(self.below(list.len())).unwrap_or(&" ")
    }
}
