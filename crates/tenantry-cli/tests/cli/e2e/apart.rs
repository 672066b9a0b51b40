//! A platform whose registry stands elsewhere, with a tenant on a server of its own that may be killed or turned.

use std::io::Write as _;
use std::process::Stdio;

use tenantry::engine::{Address, Engine};

use super::THINGS;
use crate::own_server::OwnServer;
use crate::platform::{Platform, wait};
use crate::{database, stderr};

/// A platform whose registry stands elsewhere, with the tenant `acme` on a server of its own.
pub(super) struct Place {
    pub(super) platform: Platform,
    pub(super) server: OwnServer,
}

impl Place {
    /// Makes both; `None` if there are no programs of a server.
    pub(super) fn with_tenant(engine: Engine) -> Option<Self> {
        let server = OwnServer::start(engine)?;
        let platform = Platform::start(Engine::Sqlite).unwrap();
        let place = Self { platform, server };
        assert_eq!(place.add("there").0, 0);
        place
            .platform
            .write(&format!("migrations/tenant/{}", THINGS.0), THINGS.1);
        place
            .platform
            .ends(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
        Some(place)
    }

    /// Registers the server; returns how that ended and what was said.
    pub(super) fn add(&self, name: &str) -> (i32, String) {
        let at = self.server.place();
        let port = at.port.to_string();
        let words = [
            "server",
            "add",
            name,
            "--engine",
            self.server.engine().as_str(),
            "--jurisdiction",
            "eu",
            "--host",
            &at.host,
            "--port",
            &port,
            "--admin-user",
            &at.user,
            "--admin-password-stdin",
        ];
        let mut child = self
            .platform
            .command(&words)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", at.password).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), stderr(&output))
    }

    /// Says something to one of the server's databases as its administrator.
    pub(super) fn ask(&self, name: &str, sql: &str) -> Vec<Vec<String>> {
        let address = self.server.place().address(self.server.engine(), name);
        wait(database::query(&Address::Network(address), sql))
    }
}
