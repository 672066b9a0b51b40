//! What it costs to replace the key of very many passwords: `key rotate` and `key rewrap`, as whole commands.

use super::program::At;
use super::project::{Cost, Project};
use super::scale::{Scale, verdict};
use super::settle;
use crate::say;
use crate::test::servers::{Engine, Server};

/// Seconds and MiB that both may take with 100,000 passwords.
const GOAL_MS: f64 = 10_000.0;
const GOAL_MIB: f64 = 128.0;

/// Fills a registry on each server that runs, and one in a file, with passwords of databases on a server.
pub(super) fn keys(scale: &Scale<'_>, servers: &[Server]) -> anyhow::Result<()> {
    for server in servers {
        let (name, set) = match server.engine {
            Engine::Postgres => ("PostgreSQL", "keys_postgres"),
            Engine::MariaDb => ("MariaDB", "keys_mariadb"),
        };
        fill(scale, server, "server", set)?;
        on(scale, At::Server(server), name, set)?;
    }
    let Some(server) = servers.first() else {
        return Ok(());
    };
    fill(scale, server, "file", "keys_sqlite")?;
    on(scale, At::Files, "SQLite", "keys_sqlite")
}

fn fill(scale: &Scale<'_>, server: &Server, central: &str, set: &str) -> anyhow::Result<()> {
    let tenants = scale.arguments.tenants;
    say::line(&format!("bench: fills a registry with {tenants} tenants"));
    let arguments = [
        "who=ours".to_owned(),
        format!("set={set}"),
        format!("databases={tenants}"),
        format!("central={central}"),
        format!("migrations={}", scale.migrations.ten.display()),
    ];
    let at = At::Server(server);
    scale.program.run("fill", at, &arguments)?;
    settle(scale.program, at)
}

fn on(scale: &Scale<'_>, at: At<'_>, name: &str, set: &str) -> anyhow::Result<()> {
    let project = Project::create(scale.program, at, set, &scale.migrations.ten)?;
    let (mut rotate, mut rewrap) = (Cost::default(), Cost::default());
    let mut said = String::new();
    for _ in 0..scale.arguments.runs {
        rotate.push(project.give(&["key", "rotate"])?.0);
        let (cost, answer) = project.give(&["key", "rewrap", "--progress", "none"])?;
        rewrap.push(cost);
        said = answer;
    }
    say::answer(&format!(
        "\nA registry in {name}; {} runs; {}",
        scale.arguments.runs,
        said.lines().next().unwrap_or_default().trim()
    ));
    say::answer("wall ms: median (fastest) | CPU ms | peak MiB | command");
    for (cost, command) in [(&rotate, "key rotate"), (&rewrap, "key rewrap")] {
        say::answer(&format!(
            "{:>14.1} ({:>7.1}) | {:>6.1} | {:>8.1} | tenantry {command}",
            cost.wall_ms(),
            cost.fastest_ms(),
            cost.cpu_ms(),
            cost.peak_mib(),
        ));
    }
    let what = format!("rotate and rewrap in {name}");
    verdict(&what, rotate.wall_ms() + rewrap.wall_ms(), GOAL_MS, "ms");
    verdict(&what, rotate.peak_mib().max(rewrap.peak_mib()), GOAL_MIB, "MiB");
    Ok(())
}
