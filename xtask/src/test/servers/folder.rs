//! The temporary folder of one run's servers, and the sweeping up after runs that were killed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tempfile::TempDir;

use super::account::Account;
use crate::process::{LOOK_AGAIN, signal_group};
use crate::say;

const PREFIX: &str = "tenantry-servers-";
/// Says which process made the folder, and in each server's folder which process is the server.
const MARKER: &str = "process";

/// The folder that holds everything of one run's servers; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: TempDir,
}

impl Folder {
    /// Makes the folder and marks it as ours.
    pub(crate) fn create() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .context("cannot make a temporary folder")?;
        mark(dir.path(), std::process::id())?;
        Ok(Self { dir })
    }

    /// Returns the folder's path.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a folder inside that only `account` (or we) may read.
    pub(crate) fn private(&self, name: &str, account: Option<Account>) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        if let Some(account) = account {
            account.own(&path)?;
        }
        Ok(path)
    }
}

/// Writes a file that only `account` (or we) may read.
pub(crate) fn write_private(path: &Path, text: &str, account: Option<Account>) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    if let Some(account) = account {
        account.own(path)?;
    }
    Ok(())
}

/// Notes in `folder` that process `pid` belongs to it.
pub(crate) fn mark(folder: &Path, pid: u32) -> anyhow::Result<()> {
    let text = Identity::of(pid).map_or_else(String::new, |identity| identity.to_line());
    fs::write(folder.join(MARKER), text)?;
    Ok(())
}

/// Ends the servers and removes the folders of earlier runs that were killed before they could.
///
/// Only folders are touched that this user made, whose marker names a process that is no longer there.
pub(crate) fn sweep() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in entries
        .map(|entry| entry.path())
        .filter(|path| is_abandoned(path))
    {
        say::line(&format!(
            "servers: removing {}, left by a run that was killed",
            folder.display()
        ));
        let servers = fs::read_dir(&folder).into_iter().flatten().flatten();
        for server in servers.filter_map(|entry| Identity::read(&entry.path())) {
            server.end();
        }
        if let Err(error) = fs::remove_dir_all(&folder) {
            say::line(&format!("servers: cannot remove {}: {error}", folder.display()));
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let is_named_so = folder
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(PREFIX));
    let is_our_own = folder
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == geteuid().as_raw());
    is_named_so && is_our_own && Identity::read(folder).is_some_and(|owner| owner.is_gone())
}

/// What tells one process from a later one with the same number: its start, and its pid namespace.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    pid: u32,
    started: String,
    namespace: String,
}

impl Identity {
    /// Returns the identity of a running process; `None` if there is none, or no `/proc`.
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold spaces. proc(5): the start time is field 22, the state after
        // the name is field 3; `Z` is a process that is over.
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        let started = fields.nth(18)?.to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned();
        Some(Self {
            pid,
            started,
            namespace,
        })
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(MARKER)).ok()?;
        let mut words = text.split_whitespace();
        Some(Self {
            pid: words.next()?.parse().ok()?,
            started: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
        })
    }

    fn to_line(&self) -> String {
        format!("{} {} {}\n", self.pid, self.started, self.namespace)
    }

    /// Returns whether the process has ended; a process of another namespace cannot be seen from here.
    fn is_gone(&self) -> bool {
        let here = fs::read_link("/proc/self/ns/pid").ok();
        here.as_deref().and_then(Path::to_str) == Some(self.namespace.as_str())
            && Self::of(self.pid).as_ref() != Some(self)
    }

    fn end(&self) {
        for signal in [Signal::SIGQUIT, Signal::SIGKILL] {
            if Self::of(self.pid).as_ref() != Some(self) {
                return;
            }
            signal_group(self.pid, signal);
            let deadline = Instant::now() + Duration::from_secs(5);
            while Self::of(self.pid).as_ref() == Some(self) && Instant::now() < deadline {
                thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, Identity, MARKER, is_abandoned};
    use std::fs;

    #[test]
    fn the_folder_of_a_running_process_is_left_alone() {
        let folder = Folder::create().unwrap();
        assert!(!is_abandoned(folder.path()));
    }

    #[test]
    fn the_folder_of_a_process_with_another_start_is_abandoned() {
        let folder = Folder::create().unwrap();
        let mut owner = Identity::of(std::process::id()).unwrap();
        owner.started.push('0');
        fs::write(folder.path().join(MARKER), owner.to_line()).unwrap();
        assert!(is_abandoned(folder.path()));
    }

    #[test]
    fn the_folder_of_a_process_we_cannot_see_is_left_alone() {
        let folder = Folder::create().unwrap();
        fs::write(folder.path().join(MARKER), "1 0 pid:[0]\n").unwrap();
        assert!(!is_abandoned(folder.path()));
    }
}
