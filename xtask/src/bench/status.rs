//! What a registry of very many tenants costs the commands that read it, as whole commands.

use super::program::At;
use super::project::{Cost, Project};
use super::scale::{Scale, verdict};
use super::settle;
use crate::say;
use crate::test::servers::{Engine, Server};

/// Seconds and MiB that `migrate status` may take with 100,000 tenants.
const STATUS_GOAL_MS: f64 = 1_000.0;
const STATUS_GOAL_MIB: f64 = 128.0;

/// The commands: everything that the registry answers alone, and a run over one tenant among all.
const COMMANDS: [&[&str]; 6] = [
    &["migrate", "status"],
    &["migrate", "status", "--json"],
    &["tenant", "list"],
    &["tenant", "list", "--json"],
    &["tenant", "show", "t000042"],
    &["migrate", "all-tenants", "--only", "t000042"],
];

/// Fills a registry on each server that runs, and one in a file, and gives the commands there.
pub(super) fn status(scale: &Scale<'_>, servers: &[Server]) -> anyhow::Result<()> {
    for server in servers {
        let (name, set) = match server.engine {
            Engine::Postgres => ("PostgreSQL", "postgres"),
            Engine::MariaDb => ("MariaDB", "mariadb"),
        };
        on(scale, At::Server(server), name, set)?;
    }
    on(scale, At::Files, "SQLite", "sqlite")
}

fn on(scale: &Scale<'_>, at: At<'_>, name: &str, set: &str) -> anyhow::Result<()> {
    let tenants = scale.arguments.tenants;
    let track = &scale.migrations.ten;
    say::line(&format!("bench: fills a registry with {tenants} tenants"));
    let central = if matches!(at, At::Files) { "file" } else { "server" };
    let arguments = [
        "who=ours".to_owned(),
        format!("set={set}"),
        format!("databases={tenants}"),
        format!("central={central}"),
        format!("migrations={}", track.display()),
    ];
    scale.program.run("fill", at, &arguments)?;
    settle(scale.program, at)?;
    let project = Project::create(scale.program, at, set, track)?;
    say::answer(&format!(
        "\nA registry of {tenants} tenants in {name}; {} runs of each command",
        scale.arguments.runs
    ));
    say::answer("wall ms: median (fastest) | CPU ms | peak MiB | command");
    for command in COMMANDS {
        let mut cost = Cost::default();
        // What was never asked is read from the disk.
        project.give(command)?;
        for _ in 0..scale.arguments.runs {
            cost.push(project.give(command)?.0);
        }
        say::answer(&format!(
            "{:>14.1} ({:>7.1}) | {:>6.1} | {:>8.1} | tenantry {}",
            cost.wall_ms(),
            cost.fastest_ms(),
            cost.cpu_ms(),
            cost.peak_mib(),
            command.join(" "),
        ));
        if command.starts_with(&["migrate", "status"]) {
            let what = format!("{}, {tenants} tenants", command.join(" "));
            verdict(&what, cost.wall_ms(), STATUS_GOAL_MS, "ms");
            verdict(&what, cost.peak_mib(), STATUS_GOAL_MIB, "MiB");
        }
    }
    Ok(())
}
