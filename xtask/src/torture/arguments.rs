//! The arguments of `cargo xtask torture`, and the list of its rows.

use anyhow::bail;

use crate::flags::number;

/// Something that is done to the product again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its word.
    pub(crate) name: &'static str,
    /// What happens.
    pub(crate) what: &'static str,
    /// The program that its tests are in.
    pub(crate) program: Program,
    /// What the names of its tests have in common, each with some of them.
    pub(crate) filters: &'static [&'static str],
    /// How many of its tests run at once. They wait more than they work; what is measured runs alone.
    pub(crate) at_once: &'static str,
}

/// A program of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// That of the usual build.
    Cli,
    /// That of the build in which faults can be asked for.
    Faults,
}

impl Program {
    /// Every program.
    pub(crate) const ALL: [Self; 2] = [Self::Cli, Self::Faults];
}

/// Every row, in the order in which they are done.
const ROWS: [Row; 9] = [
    Row {
        name: "kills",
        what: "deployers are killed at random, often two at once",
        program: Program::Cli,
        filters: &["kill::deployers::"],
        at_once: "4",
    },
    Row {
        name: "points",
        what: "a deployer dies at every named step",
        program: Program::Faults,
        filters: &["a_deployer_may_die"],
        at_once: "4",
    },
    Row {
        name: "sessions",
        what: "the server ends sessions of ours at random",
        program: Program::Cli,
        filters: &["kill::sessions::"],
        at_once: "4",
    },
    Row {
        name: "servers",
        what: "the server is killed and started again",
        program: Program::Cli,
        filters: &["kill::servers::"],
        at_once: "4",
    },
    Row {
        name: "cuts",
        what: "the connection is cut behind each byte",
        program: Program::Cli,
        filters: &["kill::cuts::"],
        at_once: "4",
    },
    Row {
        name: "frozen",
        what: "a deployer is frozen and wakes up later",
        program: Program::Cli,
        filters: &["kill::frozen::"],
        at_once: "2",
    },
    Row {
        name: "queue",
        what: "readers while an ALTER waits for a long SELECT",
        program: Program::Cli,
        filters: &["kill::queue::"],
        at_once: "1",
    },
    Row {
        name: "disk",
        what: "the disk is full",
        program: Program::Cli,
        filters: &["kill::disk::"],
        at_once: "1",
    },
    Row {
        name: "input",
        what: "files, histories, servers and words that must be refused",
        program: Program::Cli,
        filters: &[
            "e2e::bad_input::",
            "e2e::corpus::",
            "e2e::histories::",
            "e2e::strangers::",
            "e2e::surroundings::",
            "e2e::unsuitable::",
        ],
        at_once: "2",
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
