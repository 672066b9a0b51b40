//! Whole commands with nothing to do: as by default, with every database asked, and the least that asking costs.

use anyhow::{Context as _, ensure};

use super::program::At;
use super::project::{Cost, Project};
use super::samples::Sample;
use super::scale::Scale;
use super::settle;
use crate::say;
use crate::test::servers::Server;

/// How many databases, one fleet that grows.
const SIZES: [usize; 3] = [100, 300, 1_000];
const SET: &str = "noop";
const DEFAULT: &[&str] = &["migrate", "all-tenants"];
const LIVE: &[&str] = &["migrate", "all-tenants", "--live"];

/// What is compared.
#[derive(Debug, Default)]
struct Costs {
    default: Cost,
    live: Cost,
    floor: Cost,
}

/// Makes a fleet, lets the command migrate it, and then gives it again.
pub(super) fn noop(scale: &Scale<'_>, server: Option<&Server>) -> anyhow::Result<()> {
    let (at, name, sizes) = match (scale.arguments.sqlite, server) {
        (Some(files), _) => (At::Files, "SQLite".to_owned(), vec![files]),
        (None, Some(server)) => (At::Server(server), server.engine.to_string(), sizes(scale)),
        (None, None) => return Ok(()),
    };
    say::answer(&format!(
        "\nNothing to do on {name}, {} at once, registry beside it; {} alternating runs, wall ms: median (fastest)",
        scale.arguments.concurrency, scale.arguments.runs
    ));
    say::answer(
        "databases | default             | --live              | floor               | default/live | live/floor | \
         peak MiB",
    );
    let project = Project::create(scale.program, at, SET, &scale.migrations.ten)?;
    let mut there = 0;
    for size in sizes {
        grow(scale, at, there, size)?;
        project.give(DEFAULT)?;
        settle(scale.program, at)?;
        let costs = measure(scale, at, &project, size)?;
        say::answer(&line(size, &costs));
        there = size;
    }
    Ok(())
}

/// Returns the sizes from small to large: the fleet only grows.
fn sizes(scale: &Scale<'_>) -> Vec<usize> {
    let given = &scale.arguments.databases;
    let mut sizes = if given.is_empty() {
        SIZES.to_vec()
    } else {
        given.clone()
    };
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn grow(scale: &Scale<'_>, at: At<'_>, from: usize, to: usize) -> anyhow::Result<()> {
    say::line(&format!("bench: creates databases until there are {to}"));
    let mut arguments = arguments(scale, at, to);
    arguments.push(format!("from={from}"));
    scale.program.run("create", at, &arguments)?;
    Ok(())
}

fn arguments(scale: &Scale<'_>, at: At<'_>, databases: usize) -> Vec<String> {
    let central = if matches!(at, At::Files) { "file" } else { "server" };
    vec![
        "who=ours".to_owned(),
        "scenario=noop".to_owned(),
        format!("set={SET}"),
        format!("databases={databases}"),
        format!("central={central}"),
        format!("concurrency={}", scale.arguments.concurrency),
        format!("migrations={}", scale.migrations.ten.display()),
    ]
}

fn measure(scale: &Scale<'_>, at: At<'_>, project: &Project<'_>, size: usize) -> anyhow::Result<Costs> {
    let mut costs = Costs::default();
    let arguments = arguments(scale, at, size);
    let at_once = scale.arguments.concurrency.to_string();
    for _ in 0..scale.arguments.runs {
        costs.default.push(idle(project, DEFAULT, &at_once, size)?);
        costs.live.push(idle(project, LIVE, &at_once, size)?);
        costs
            .floor
            .push(Sample::of(&scale.program.run("ask", at, &arguments)?));
    }
    Ok(costs)
}

/// Gives the command, and makes sure that it found every database current.
fn idle(project: &Project<'_>, command: &[&str], at_once: &str, size: usize) -> anyhow::Result<Sample> {
    let limits = ["--json", "--concurrency", at_once, "--per-server", at_once];
    let (cost, said) = project.give(&[command, &limits].concat())?;
    let current = number(&said, "current").context("the answer does not say how many are current")?;
    ensure!(current == size, "{current} of {size} are current:\n{said}");
    Ok(cost)
}

/// Finds a number by its key in a JSON document; `None` if there is none. What this is looked for in is flat.
fn number(json: &str, key: &str) -> Option<usize> {
    let (_, after) = json.split_once(&format!("\"{key}\":"))?;
    let digits: String = after
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

fn line(size: usize, costs: &Costs) -> String {
    let Costs { default, live, floor } = costs;
    let wall = |cost: &Cost| format!("{:>8.1} ({:>8.1})", cost.wall_ms(), cost.fastest_ms());
    format!(
        "{size:>9} | {} | {} | {} | {:>12.2} | {:>10.2} | {:>8.1}",
        wall(default),
        wall(live),
        wall(floor),
        default.wall_ms() / live.wall_ms(),
        live.wall_ms() / floor.wall_ms(),
        default.peak_mib().max(live.peak_mib()),
    )
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_found_by_its_key() {
        let json = "{\n  \"applied\": 0,\n  \"current\": 1000,\n  \"failed\": 2\n}";
        assert_eq!(number(json, "current"), Some(1000));
        assert_eq!(number(json, "skipped"), None);
    }
}
