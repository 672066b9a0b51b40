//! The unprivileged user that a server runs as when we are root: servers refuse to run as root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Gid, Uid, User, chown, geteuid};

/// A user of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Returns whom to run a server as; `None` when we are not root and it runs as ourselves.
    ///
    /// `name` is the user that the server's package makes; without it, it is `nobody`.
    pub(crate) fn for_server(name: &str) -> anyhow::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in [name, "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Some(Self {
                    uid: user.uid,
                    gid: user.gid,
                }));
            }
        }
        anyhow::bail!("there is neither a user {name} nor a user nobody to run the server as")
    }

    /// Makes `command` run as this user, without our supplementary groups.
    pub(crate) fn apply_to(self, command: &mut Command) {
        // The standard library also empties the supplementary groups when root sets a uid.
        command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
    }

    /// Makes this user the owner of a file or folder.
    pub(crate) fn own(self, path: &Path) -> anyhow::Result<()> {
        Ok(chown(path, Some(self.uid), Some(self.gid))?)
    }

    /// Returns `uid:gid`.
    pub(crate) fn ids(self) -> String {
        format!("{}:{}", self.uid, self.gid)
    }
}
