//! What it costs to take in a list of very many tenants, as a whole command, their passwords sealed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::program::At;
use super::project::{Cost, Project};
use super::scale::{Scale, verdict};
use crate::say;
use crate::test::servers::Server;

/// Seconds that the import of 100,000 tenants may take.
const GOAL_S: f64 = 10.0;
/// One tenant in so many has a product database.
const WITH_PRODUCT: usize = 10;

/// Takes the same list into registries in files and on a server.
pub(super) fn import(scale: &Scale<'_>, server: Option<&Server>) -> anyhow::Result<()> {
    let Some(server) = server else {
        return Ok(());
    };
    let tenants = scale.arguments.tenants;
    let list = scale.program.folder.join("tenants.csv");
    fs::write(&list, csv(tenants)?)?;
    say::answer(&format!(
        "\nImport of {tenants} tenants from CSV ({} MiB); {} runs into an empty registry, then the same list again",
        fs::metadata(&list)?.len() / 1024 / 1024,
        scale.arguments.runs
    ));
    say::answer("registry   |  what  | wall s: median (fastest) | CPU s | peak MiB");
    let on_server = (At::Server(server), "server", "PostgreSQL");
    for (registry, central, name) in [(At::Files, "file", "SQLite"), on_server] {
        let (mut first, mut again) = (Cost::default(), Cost::default());
        for run in 0..scale.arguments.runs {
            let set = format!("import-{central}{run}").replace('-', "_");
            let project = registered(scale, server, (registry, central, &set))?;
            first.push(take_in(&project, &list)?);
            again.push(take_in(&project, &list)?);
        }
        row(name, "first", &first);
        row(name, "again", &again);
        verdict(
            &format!("import of {tenants} tenants, registry in {name}"),
            first.wall_ms() / 1000.0,
            GOAL_S,
            "s",
        );
    }
    Ok(())
}

/// Makes a registry with one server, on which the databases are said to be.
fn registered<'a>(
    scale: &'a Scale<'_>,
    server: &Server,
    (registry, central, set): (At<'_>, &str, &str),
) -> anyhow::Result<Project<'a>> {
    let track = &scale.migrations.ten;
    let arguments = [
        "who=ours".to_owned(),
        format!("set={set}"),
        "databases=1".to_owned(),
        format!("central={central}"),
        format!("migrations={}", track.display()),
    ];
    scale.program.run("create", At::Server(server), &arguments)?;
    Project::create(scale.program, registry, set, track)
}

fn take_in(project: &Project<'_>, list: &Path) -> anyhow::Result<super::samples::Sample> {
    let list = list.display().to_string();
    let (sample, _) = project.give(&["tenant", "import", "--from-csv", &list, "--json"])?;
    Ok(sample)
}

fn row(registry: &str, what: &str, cost: &Cost) {
    say::answer(&format!(
        "{registry:<10} | {what:<6} | {:>15.2} ({:>6.2}) | {:>5.2} | {:>8.1}",
        cost.wall_ms() / 1000.0,
        cost.fastest_ms() / 1000.0,
        cost.cpu_ms() / 1000.0,
        cost.peak_mib(),
    ));
}

/// Writes the list; the databases need not be there.
fn csv(tenants: usize) -> anyhow::Result<String> {
    let mut text = "id,slug,name,domain,external_id,server,db_name,db_username,db_password,\
                    kira.db_name,kira.db_username,kira.db_password\n"
        .to_owned();
    for number in 0..tenants {
        let kira = if number % WITH_PRODUCT == 0 {
            format!("tenant_{number}_kira,tenant_{number}_kira,secret-of-{number}-kira")
        } else {
            ",,".to_owned()
        };
        writeln!(
            text,
            "9b2d6a10-0000-4000-8000-{number:012},list-{number},Tenant {number} Ltd,list-{number}.example.test,\
             crm-list-{number},bench,tenant_{number}_shared,tenant_{number},secret-of-tenant-{number},{kira}"
        )?;
    }
    Ok(text)
}
