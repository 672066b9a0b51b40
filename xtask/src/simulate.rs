//! `cargo xtask simulate`: runs under a simulated clock, network, registry and databases.

use std::process::ExitCode;

use anyhow::bail;

use crate::flags::number;
use crate::signals::Signals;
use crate::{process, test};

/// What is simulated.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    first: u64,
    seeds: u64,
    targets: u64,
    drivers: u64,
}

impl Wanted {
    /// What every test does.
    const USUAL: Self = Self {
        first: 0,
        seeds: 10_000,
        targets: 30,
        drivers: 5,
    };

    fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut wanted = Self::USUAL;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seeds" => wanted.seeds = number(word, words.next())?,
                "--targets" => wanted.targets = number(word, words.next())?,
                "--drivers" => wanted.drivers = number(word, words.next())?,
                "--seed" => (wanted.first, wanted.seeds) = (number(word, words.next())?, 1),
                "--large" => (wanted.seeds, wanted.targets, wanted.drivers) = (1, 100_000, 20),
                _ => bail!("simulate: `{word}` is not known"),
            }
        }
        Ok(wanted)
    }
}

/// Builds the simulator and lets it pass worlds; returns its exit code.
pub(crate) fn run(arguments: &[String], signals: &Signals) -> anyhow::Result<ExitCode> {
    let wanted = Wanted::parse(arguments)?;
    let mut command = test::cargo();
    // The development profile optimises the library, and what it stands on is compiled already.
    command.args([
        "run",
        "--quiet",
        "--package=simulated",
        "--features=simulation",
        "--",
    ]);
    for number in [wanted.first, wanted.seeds, wanted.targets, wanted.drivers] {
        command.arg(number.to_string());
    }
    let status = process::run(&mut command, signals)?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn a_seed_is_one_and_large_is_the_issues() {
        let parse = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Wanted::parse(&words)
        };
        assert_eq!(parse("").unwrap(), Wanted::USUAL);
        let one = parse("--seed 7 --targets 9").unwrap();
        assert_eq!((one.first, one.seeds, one.targets), (7, 1, 9));
        let large = parse("--large").unwrap();
        assert_eq!((large.seeds, large.targets, large.drivers), (1, 100_000, 20));
        assert!(parse("--size 3").is_err());
    }
}
