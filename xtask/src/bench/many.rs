//! The memory of one run over very many targets: everything to do, a failure everywhere, and nothing to do.

use std::fs;

use super::program::At;
use super::project::Project;
use super::scale::{Scale, verdict};
use super::settle;
use crate::say;

const TARGETS: usize = 100_000;
const GOAL_MIB: f64 = 256.0;
const SET: &str = "many";
const AT_ONCE: &str = "8";

/// Creates SQLite files, gives whole commands over all of them, and says how much memory each held at most.
pub(super) fn many(scale: &Scale<'_>) -> anyhow::Result<()> {
    let targets = scale.arguments.databases_or(TARGETS);
    let track = scale.migrations.ten.with_file_name("small");
    fs::create_dir_all(&track)?;
    fs::write(
        track.join("20260401000000_things.sql"),
        "CREATE TABLE things (id INTEGER PRIMARY KEY);\n",
    )?;
    say::line(&format!("bench: creates {targets} files"));
    let arguments = [
        "who=ours".to_owned(),
        format!("set={SET}"),
        format!("databases={targets}"),
        "central=file".to_owned(),
        format!("migrations={}", track.display()),
    ];
    scale.program.run("create", At::Files, &arguments)?;
    settle(scale.program, At::Files)?;
    let project = Project::create(scale.program, At::Files, SET, &track)?;
    let all = ["migrate", "all-tenants", "--json", "-j", AT_ONCE];
    measure(&project, "all to do", targets, &all, 0)?;
    measure(&project, "nothing to do", targets, &all, 0)?;
    fs::write(
        track.join("20260402000000_wrong.sql"),
        "INSERT INTO nowhere VALUES (1);\n",
    )?;
    let bearing = [
        &all[..],
        &["--canary", "0", "--max-failures", "all", "--same-error", "off"],
    ]
    .concat();
    measure(&project, "a failure everywhere", targets, &bearing, 20)
}

fn measure(
    project: &Project<'_>,
    what: &str,
    targets: usize,
    command: &[&str],
    code: u64,
) -> anyhow::Result<()> {
    let (cost, _) = project.give_for(command, code)?;
    let what = format!(
        "peak memory, {targets} SQLite files in one command, {what} ({:.0} s)",
        cost.wall_ms() / 1e3
    );
    verdict(&what, cost.peak_mib(), GOAL_MIB, "MiB");
    Ok(())
}
