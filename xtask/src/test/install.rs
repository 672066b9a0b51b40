//! Installs missing server programs on Debian and Ubuntu, or says how to.

use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use nix::unistd::geteuid;

use super::programs;
use super::servers::Engine;
use crate::say;

/// What this machine must have the programs of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An engine's server.
    Server(Engine),
    /// PgBouncer, which stands in front of the PostgreSQL server.
    Pooler,
}

impl Wanted {
    fn is_installed(self) -> bool {
        match self {
            Self::Server(engine) => engine.is_installed(),
            Self::Pooler => programs::pgbouncer().is_some(),
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Server(engine) => engine.packages(),
            Self::Pooler => &["pgbouncer"],
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(engine) => engine.fmt(f),
            Self::Pooler => f.write_str("PgBouncer"),
        }
    }
}

/// Returns what has no programs here and could not be given any, each with the reason and the line that
/// would install them.
pub(crate) fn missing(wanted: &[Wanted]) -> Vec<(Wanted, String)> {
    let wanted: Vec<Wanted> = wanted
        .iter()
        .copied()
        .filter(|wanted| !wanted.is_installed())
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let failure = if may_install() {
        install(&wanted).err()
    } else {
        None
    };
    wanted
        .into_iter()
        .filter(|wanted| !wanted.is_installed())
        .map(|wanted| {
            let because = failure
                .as_ref()
                .map_or_else(String::new, |error| format!(" ({error:#})"));
            let line = packages(&[wanted]).join(" ");
            (
                wanted,
                format!("not installed{because}; install it with: sudo apt-get install -y {line}"),
            )
        })
        .collect()
}

fn may_install() -> bool {
    geteuid().is_root() && Path::new("/etc/debian_version").exists() && programs::find("apt-get").is_some()
}

fn packages(wanted: &[Wanted]) -> Vec<&'static str> {
    wanted
        .iter()
        .flat_map(|wanted| wanted.packages())
        .copied()
        .collect()
}

fn install(wanted: &[Wanted]) -> anyhow::Result<()> {
    let packages = packages(wanted);
    say::line(&format!("servers: installing {}", packages.join(" ")));
    let _no_services = NoServices::install()?;
    apt_get(&["update", "-q"])?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)
}

/// Runs apt-get to its end, whatever signal we get: killed half-way it leaves the machine's packages broken.
fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .process_group(0)
        .status()
        .context("cannot start apt-get")?;
    anyhow::ensure!(
        status.success(),
        "apt-get {} ended with {status}",
        arguments.first().unwrap_or(&"")
    );
    Ok(())
}

/// Keeps packages from starting their services while they are installed (Debian policy-rc.d: 101 is "no").
#[derive(Debug)]
struct NoServices {
    /// The file to remove; `None` when the machine has a policy of its own, which is left as it is.
    made: Option<PathBuf>,
}

impl NoServices {
    fn install() -> anyhow::Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self { made: None });
        }
        fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        let guard = Self {
            made: Some(policy.to_path_buf()),
        };
        fs::set_permissions(policy, Permissions::from_mode(0o755))?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.made
            && let Err(error) = fs::remove_file(policy)
        {
            say::line(&format!("servers: cannot remove {}: {error}", policy.display()));
        }
    }
}
