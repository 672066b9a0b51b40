//! The arguments of `cargo xtask bench`.

use anyhow::{Context as _, bail};

use crate::flags::number;
use crate::test::servers::Engine;

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Floor and ours on a server.
    Server(Engine),
    /// Floor and ours on files.
    Sqlite,
    /// How long the command takes to start.
    Start,
    /// The most memory that big runs hold.
    Memory,
    /// Whether time per database grows with their number.
    Growth,
    /// What a registry of very many tenants costs the commands that read it.
    Status,
    /// What replacing the key of very many passwords costs.
    Keys,
    /// A run with nothing to do, as a whole command.
    Noop,
    /// What recording a run costs it.
    Recording,
    /// The memory of one run over very many targets.
    Many,
    /// What it costs to take in a list of very many tenants.
    Import,
}

/// Whether the connections of an extra no-op row are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsRow {
    /// There is no such row.
    Left,
    /// There is one, on PostgreSQL.
    Asked,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// What to measure, in this order; each once.
    pub(crate) subjects: Vec<Subject>,
    /// How many databases, for the no-op one after the other; empty is each subject's own number.
    pub(crate) databases: Vec<usize>,
    /// How many tenants the registry has whose status is asked for, or whose passwords get another key, and how many a
    /// list that is taken in.
    pub(crate) tenants: usize,
    /// The engine of the databases that a no-op is measured over.
    pub(crate) engine: Engine,
    /// How many SQLite files a no-op is measured over instead of databases on a server.
    pub(crate) sqlite: Option<usize>,
    /// How many at once.
    pub(crate) concurrency: usize,
    /// How many alternating runs.
    pub(crate) runs: usize,
    /// The row with TLS.
    pub(crate) tls: TlsRow,
}

impl Arguments {
    /// Reads them; with no subject it is the three engines.
    pub(crate) fn parse(given: &[String]) -> anyhow::Result<Self> {
        let mut arguments = Self {
            subjects: Vec::new(),
            databases: Vec::new(),
            tenants: 100_000,
            engine: Engine::Postgres,
            sqlite: None,
            concurrency: 5,
            runs: 3,
            tls: TlsRow::Left,
        };
        let mut given = given.iter();
        while let Some(word) = given.next() {
            match word.as_str() {
                "--databases" => arguments.databases = numbers(word, given.next())?,
                "--tenants" => arguments.tenants = number(word, given.next())?,
                "--engine" => arguments.engine = engine(given.next())?,
                "--sqlite" => arguments.sqlite = Some(number(word, given.next())?),
                "--concurrency" => arguments.concurrency = number(word, given.next())?,
                "--runs" => arguments.runs = number(word, given.next())?,
                "--tls" => arguments.tls = TlsRow::Asked,
                _ => arguments.add(word)?,
            }
        }
        if arguments.subjects.is_empty() {
            arguments.add("all")?;
        }
        Ok(arguments)
    }

    /// Returns how many databases one subject is measured over.
    pub(crate) fn databases_or(&self, own: usize) -> usize {
        self.databases.first().copied().unwrap_or(own)
    }

    fn add(&mut self, word: &str) -> anyhow::Result<()> {
        let postgres = Subject::Server(Engine::Postgres);
        let mariadb = Subject::Server(Engine::MariaDb);
        let subjects: &[Subject] = match word {
            "postgres" => &[postgres],
            "mariadb" => &[mariadb],
            "sqlite" => &[Subject::Sqlite],
            "all" => &[postgres, mariadb, Subject::Sqlite],
            "start" => &[Subject::Start],
            "memory" | "--memory" => &[Subject::Memory],
            "growth" | "--growth" => &[Subject::Growth],
            "status" => &[Subject::Status],
            "keys" => &[Subject::Keys],
            "noop" => &[Subject::Noop],
            "recording" => &[Subject::Recording],
            "many" => &[Subject::Many],
            "import" => &[Subject::Import],
            _ => bail!("bench does not know `{word}`"),
        };
        for subject in subjects {
            if !self.subjects.contains(subject) {
                self.subjects.push(*subject);
            }
        }
        Ok(())
    }

    /// Returns the engines that need a server.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let needs = |engine| {
            self.subjects.iter().any(|subject| match subject {
                Subject::Server(own) => *own == engine,
                Subject::Memory | Subject::Recording | Subject::Import => engine == Engine::Postgres,
                Subject::Noop => engine == self.engine && self.sqlite.is_none(),
                Subject::Status | Subject::Keys => true,
                Subject::Sqlite | Subject::Start | Subject::Growth | Subject::Many => false,
            })
        };
        Engine::ALL.into_iter().filter(|engine| needs(*engine)).collect()
    }
}

/// Reads the engine of a server.
fn engine(value: Option<&String>) -> anyhow::Result<Engine> {
    match value.map(String::as_str) {
        Some("postgres") => Ok(Engine::Postgres),
        Some("mariadb") => Ok(Engine::MariaDb),
        Some(_) | None => bail!("--engine needs `postgres` or `mariadb`"),
    }
}

/// Reads numbers with commas between them.
fn numbers(flag: &str, value: Option<&String>) -> anyhow::Result<Vec<usize>> {
    let value = value.with_context(|| format!("{flag} needs a number"))?;
    value
        .split(',')
        .map(|one| number(flag, Some(&one.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_subject_it_is_the_three_engines_and_each_is_there_once() {
        let all = parse("").unwrap();
        assert_eq!(all.subjects.len(), 3);
        assert_eq!(parse("sqlite all").unwrap().subjects.len(), 3);
        assert_eq!((all.concurrency, all.runs, all.databases_or(60)), (5, 3, 60));
    }

    #[test]
    fn a_flag_without_a_number_or_with_none_is_refused() {
        for line in [
            "--runs",
            "--runs 0",
            "--databases many",
            "--databases 1,,2",
            "oracle",
            "noop --engine",
            "noop --engine sqlite",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("postgres --databases 40").unwrap().databases_or(60), 40);
        assert_eq!(parse("noop --databases 100,300").unwrap().databases, [100, 300]);
    }

    #[test]
    fn only_the_servers_that_are_needed_are_started() {
        assert_eq!(parse("sqlite growth start").unwrap().engines(), []);
        assert_eq!(parse("mariadb memory").unwrap().engines(), Engine::ALL);
        assert_eq!(parse("noop --sqlite 10").unwrap().engines(), []);
        assert_eq!(parse("noop").unwrap().engines(), [Engine::Postgres]);
        let mariadb = parse("noop --engine mariadb").unwrap();
        assert_eq!(mariadb.engines(), [Engine::MariaDb]);
    }
}
