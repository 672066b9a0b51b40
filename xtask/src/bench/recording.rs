//! What recording a run costs: one new migration over many databases, with the registry and with nothing that records.

use std::fs;
use std::path::{Path, PathBuf};

use super::program::At;
use super::samples::{Sample, Samples};
use super::scale::Scale;
use super::settle;
use crate::say;
use crate::test::servers::Server;

const DATABASES: usize = 1_000;
const SET: &str = "recording";
const GOAL: f64 = 1.05;

/// Makes one fleet and gives it one new migration after the other; each recorder has as many, and each is first as often
/// as second.
pub(super) fn recording(scale: &Scale<'_>, server: Option<&Server>) -> anyhow::Result<()> {
    let Some(server) = server else {
        return Ok(());
    };
    let (at, databases) = (At::Server(server), scale.arguments.databases_or(DATABASES));
    let mut track = GrowingTrack::copy(&scale.migrations.ten)?;
    say::line(&format!("bench: creates {databases} databases"));
    let fleet = Fleet { scale, at, databases };
    scale.program.run("create", at, &fleet.arguments(&track))?;
    settle(scale.program, at)?;
    fleet.run("fresh", "registry", &track)?;
    let mut kept = (Samples::new(databases), Samples::new(databases));
    for round in 0..scale.arguments.runs {
        for turn in 0..2 {
            track.grow()?;
            if (round + turn) % 2 == 0 {
                kept.0.push(fleet.run("one", "registry", &track)?);
            } else {
                kept.1.push(fleet.run("one", "null", &track)?);
            }
        }
    }
    report(scale, databases, &kept);
    Ok(())
}

fn report(scale: &Scale<'_>, databases: usize, (recorded, null): &(Samples, Samples)) {
    let ratio = recorded.wall_ms() / null.wall_ms();
    say::answer(&format!(
        "\nOne new over {databases} PostgreSQL databases, {} at once, {} alternating runs, wall ms per database: \
         recorded {:.3} ({:.3}), not recorded {:.3} ({:.3}): {ratio:.3} times, goal {GOAL}",
        scale.arguments.concurrency,
        scale.arguments.runs,
        recorded.wall_ms(),
        recorded.fastest_ms(),
        null.wall_ms(),
        null.fastest_ms(),
    ));
}

/// A folder of migrations that gets one more for every run.
struct GrowingTrack {
    folder: PathBuf,
    files: usize,
}

impl GrowingTrack {
    fn copy(from: &Path) -> anyhow::Result<Self> {
        let folder = from.with_file_name("growing");
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
        Ok(Self { folder, files: 0 })
    }

    fn grow(&mut self) -> anyhow::Result<()> {
        self.files += 1;
        let file = format!("203001010000{:02}_more.sql", self.files);
        let sql = format!(
            "CREATE TABLE more_{} (id BIGINT PRIMARY KEY, said TEXT);\n",
            self.files
        );
        Ok(fs::write(self.folder.join(file), sql)?)
    }
}

/// The databases that are migrated.
struct Fleet<'a> {
    scale: &'a Scale<'a>,
    at: At<'a>,
    databases: usize,
}

impl Fleet<'_> {
    fn arguments(&self, track: &GrowingTrack) -> Vec<String> {
        vec![
            "who=ours".to_owned(),
            format!("set={SET}"),
            format!("databases={}", self.databases),
            "central=server".to_owned(),
            "canary=0".to_owned(),
            format!("concurrency={}", self.scale.arguments.concurrency),
            format!("migrations={}", track.folder.display()),
        ]
    }

    fn run(&self, scenario: &str, recorder: &str, track: &GrowingTrack) -> anyhow::Result<Sample> {
        let mut arguments = self.arguments(track);
        arguments.push(format!("scenario={scenario}"));
        arguments.push(format!("recorder={recorder}"));
        Ok(Sample::of(&self.scale.program.run("run", self.at, &arguments)?))
    }
}
