//! A project whose registry a set of ours is in: what its user's commands cost, from their start to their end.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::program::{At, Program, release};
use super::samples::{Sample, median};
use crate::test::servers::{Engine, Server};

/// The folder of a project, and the command that is given there.
pub(super) struct Project<'a> {
    program: &'a Program<'a>,
    tenantry: PathBuf,
    folder: PathBuf,
}

/// What a command's runs cost.
#[derive(Debug, Default)]
pub(super) struct Cost(Vec<Sample>);

impl Cost {
    /// Adds a run.
    pub(super) fn push(&mut self, run: Sample) {
        self.0.push(run);
    }

    /// Returns the median of the wall milliseconds.
    pub(super) fn wall_ms(&self) -> f64 {
        median(self.0.iter().map(Sample::wall_ms).collect())
    }

    /// Returns the fastest run's wall milliseconds.
    pub(super) fn fastest_ms(&self) -> f64 {
        let fastest = self.0.iter().map(Sample::wall_ms);
        fastest.fold(f64::INFINITY, f64::min)
    }

    /// Returns the median of the command's own CPU milliseconds.
    pub(super) fn cpu_ms(&self) -> f64 {
        median(self.0.iter().map(Sample::cpu_ms).collect())
    }

    /// Returns the highest peak of memory in MiB.
    pub(super) fn peak_mib(&self) -> f64 {
        self.0.iter().map(Sample::peak_mib).fold(0.0, f64::max)
    }
}

impl<'a> Project<'a> {
    /// Writes the configuration of a set's project. Its registry need not be there yet.
    pub(super) fn create(
        program: &'a Program<'a>,
        at: At<'_>,
        set: &str,
        track: &Path,
    ) -> anyhow::Result<Self> {
        let folder = program.folder.join(format!("project-{set}"));
        fs::create_dir(&folder)?;
        write_private(&folder.join("central.url"), &url(program, at, set)?)?;
        let (key, track) = (program.folder.join("key"), track.display());
        let text = format!(
            "[central]\nurl_file = \"central.url\"\n\n[migrations]\ntenant = \"{track}\"\n\
             products = {{ kira = \"{track}\" }}\n\n[key]\nfile = \"{}\"\n",
            key.display()
        );
        fs::write(folder.join("tenantry.toml"), text)?;
        Ok(Self {
            program,
            tenantry: release("tenantry", program.signals)?,
            folder,
        })
    }

    /// Gives a command, and returns what it cost and what it said on stdout; another exit code than 0 is an error.
    pub(super) fn give(&self, arguments: &[&str]) -> anyhow::Result<(Sample, String)> {
        self.give_for(arguments, 0)
    }

    /// The same for a command that is to end with this exit code.
    pub(super) fn give_for(&self, arguments: &[&str], exit: u64) -> anyhow::Result<(Sample, String)> {
        let (output, errors) = (self.folder.join("output"), self.folder.join("errors"));
        let words = std::iter::once(self.tenantry.as_os_str());
        let words: Vec<&OsStr> = words.chain(arguments.iter().map(OsStr::new)).collect();
        let answer = self.program.command(&self.folder, [&output, &errors], &words)?;
        if answer.number("code") != exit {
            let (command, code) = (arguments.join(" "), answer.text("code"));
            bail!(
                "tenantry {command} ended with {code}:\n{}",
                fs::read_to_string(errors)?
            );
        }
        Ok((Sample::of(&answer), fs::read_to_string(output)?))
    }
}

/// Returns the URL of a set's registry.
fn url(program: &Program<'_>, at: At<'_>, set: &str) -> anyhow::Result<String> {
    let at: &Server = match at {
        At::Files => return Ok(format!("sqlite:{}/central-{set}.db", program.folder.display())),
        At::Server(server) | At::ServerWithTls(server) => server,
    };
    let scheme = match at.engine {
        Engine::Postgres => "postgres",
        Engine::MariaDb => "mysql",
    };
    let password = fs::read_to_string(&at.password_file)?;
    Ok(format!(
        "{scheme}://{}:{}@127.0.0.1:{}/central_{set}",
        at.user,
        password.trim(),
        at.port
    ))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
