//! The arguments of `cargo xtask torture`, and the list of its rows.

use anyhow::{Context as _, bail};

/// Something that is done to the product again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its word.
    pub(crate) name: &'static str,
    /// What happens.
    pub(crate) what: &'static str,
    /// What the names of its tests have in common.
    pub(crate) filter: &'static str,
}

/// Every row, in the order in which they are done.
const ROWS: [Row; 8] = [
    Row {
        name: "kills",
        what: "deployers are killed at random, often two at once",
        filter: "kill::deployers::",
    },
    Row {
        name: "sessions",
        what: "the server ends sessions of ours at random",
        filter: "kill::sessions::",
    },
    Row {
        name: "servers",
        what: "the server is killed and started again",
        filter: "kill::servers::",
    },
    Row {
        name: "cuts",
        what: "the connection is cut behind each byte",
        filter: "kill::cuts::",
    },
    Row {
        name: "frozen",
        what: "a deployer is frozen and wakes up later",
        filter: "kill::frozen::",
    },
    Row {
        name: "queue",
        what: "readers while an ALTER waits for a long SELECT",
        filter: "kill::queue::",
    },
    Row {
        name: "disk",
        what: "the disk is full",
        filter: "kill::disk::",
    },
    Row {
        name: "input",
        what: "files that must be refused",
        filter: "e2e::bad_input::",
    },
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The rows, in their order; each once.
    pub(crate) rows: Vec<&'static Row>,
    /// The seed to repeat; `None` is a new one for each row.
    pub(crate) seed: Option<u64>,
    /// What no row's count may exceed; `None` is the whole.
    most: Option<u64>,
}

impl Arguments {
    /// Reads them; with no row it is all of them.
    pub(crate) fn parse(given: &[String]) -> anyhow::Result<Self> {
        let (mut words, mut seed, mut most) = (Vec::new(), None, None);
        let mut given = given.iter();
        while let Some(word) = given.next() {
            match word.as_str() {
                "--seed" => seed = Some(number(word, given.next())?),
                "--most" => most = Some(number(word, given.next())?),
                word if ROWS.iter().any(|row| row.name == word) => words.push(word),
                word => bail!("torture does not know `{word}`; its rows are {}", names()),
            }
        }
        let is_wanted = |row: &&Row| words.is_empty() || words.contains(&row.name);
        let rows = ROWS.iter().filter(is_wanted).collect();
        Ok(Self { rows, seed, most })
    }

    /// Returns the value of `TENANTRY_TORTURE`.
    pub(crate) fn how_often(&self) -> String {
        self.most.map_or("whole".to_owned(), |most| most.to_string())
    }
}

fn names() -> String {
    ROWS.map(|row| row.name).join(", ")
}

fn number(flag: &str, value: Option<&String>) -> anyhow::Result<u64> {
    let value = value.with_context(|| format!("{flag} needs a number"))?;
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => bail!("{flag}: `{value}` is not a number from 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_row_it_is_all_of_them_as_often_as_can_be() {
        let all = parse("--seed 7").unwrap();
        assert_eq!((all.rows.len(), all.seed), (ROWS.len(), Some(7)));
        assert_eq!(all.how_often(), "whole");
    }

    #[test]
    fn rows_keep_their_order_and_are_there_once() {
        let some = parse("cuts kills cuts --most 20").unwrap();
        let names: Vec<&str> = some.rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["kills", "cuts"]);
        assert_eq!(some.how_often(), "20");
    }

    #[test]
    fn what_is_no_row_and_a_seed_that_is_no_number_are_refused() {
        for line in ["fire", "--seed", "--seed x", "--most 0"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
