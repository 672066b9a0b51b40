//! Which registered server a row means.

use super::field::Field;
use super::problem::told;
use crate::engine::Place;
use crate::registry::ListedServer;
use crate::tenant::ServerName;

/// What a row says of a database's server.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<&'a str>,
}

/// What is wrong with what a row says: the field, and the words behind its name.
type Refusal = (Field, String);

impl Asked<'_> {
    /// Returns whether the row says nothing of it.
    pub(super) fn is_silent(&self) -> bool {
        self.name.is_none() && self.host.is_none() && self.port.is_none()
    }

    /// Finds the server by its name or, without one, by host and port; a host beside a name must be the server's.
    ///
    /// # Errors
    /// The field that leads to none or to several, or contradicts, and what to add.
    pub(super) fn find<'s>(&self, servers: &'s [ListedServer]) -> Result<&'s ListedServer, Refusal> {
        let port = self.port.map(port).transpose()?;
        match (self.name, self.host) {
            (Some(name), _) => {
                let server = by_name(name, servers)?;
                let is_there = stands_at(server, self.host, port);
                is_there.then_some(server).ok_or_else(|| {
                    let field = if self.host.is_some() {
                        Field::DbHost
                    } else {
                        Field::DbPort
                    };
                    (field, format!("is not that of the server `{name}`"))
                })
            }
            (None, Some(host)) => by_place(host, port, servers),
            (None, None) if port.is_some() => Err((Field::DbHost, "is missing beside a port".to_owned())),
            (None, None) => Err((
                Field::Server,
                "is missing: name a registered server, or its db_host and db_port".to_owned(),
            )),
        }
    }
}

fn by_name<'s>(name: &str, servers: &'s [ListedServer]) -> Result<&'s ListedServer, Refusal> {
    let wanted: Option<ServerName> = name.parse().ok();
    let found = servers
        .iter()
        .find(|server| Some(&server.name) == wanted.as_ref());
    found.ok_or_else(|| {
        let what = format!(
            "{} is not registered: add it with `tenantry server add`",
            told(name)
        );
        (Field::Server, what)
    })
}

fn by_place<'s>(
    host: &str,
    port: Option<u16>,
    servers: &'s [ListedServer],
) -> Result<&'s ListedServer, Refusal> {
    let fitting = |server: &&ListedServer| stands_at(server, Some(host), port);
    let mut found = servers.iter().filter(fitting);
    let place = match port {
        Some(port) => told(&format!("{host}:{port}")),
        None => told(host),
    };
    match (found.next(), found.next()) {
        (Some(server), None) => Ok(server),
        (None, _) => Err((
            Field::DbHost,
            format!("{place} is no registered server: add it with `tenantry server add --host`"),
        )),
        (Some(one), Some(other)) => Err((
            Field::DbHost,
            format!(
                "{place} is the server `{}` and the server `{}`: say which in a column `server`",
                one.name, other.name
            ),
        )),
    }
}

/// Returns whether a server stands where a row says; what it does not say is no contradiction.
fn stands_at(server: &ListedServer, host: Option<&str>, port: Option<u16>) -> bool {
    let Place::Network {
        host: own_host,
        port: own_port,
        direct,
        ..
    } = &server.place
    else {
        return host.is_none() && port.is_none();
    };
    let is = |of_server: &str, port_there: u16| {
        host.is_none_or(|host| spelling(host) == spelling(of_server))
            && port.is_none_or(|port| port == port_there)
    };
    is(own_host, *own_port) || direct.as_ref().is_some_and(|at| is(&at.host, at.port))
}

/// Returns a host's one spelling: lower case, no final dot, no brackets, and one word for this machine.
fn spelling(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = bare.unwrap_or(&host);
    let is_loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback());
    if is_loopback {
        "localhost".to_owned()
    } else {
        host.to_owned()
    }
}

/// Reads a port: digits and nothing else.
fn port(text: &str) -> Result<u16, Refusal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u16>().ok().filter(|number| is_plain && *number > 0);
    number.ok_or_else(|| {
        (
            Field::DbPort,
            format!("{} is no port from 1 to 65535", told(text)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for loopback in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.0.0.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(spelling(loopback), "localhost", "{loopback}");
        }
        assert_eq!(spelling("DB.eu.Internal."), "db.eu.internal");
        assert_ne!(spelling("127.0.0.1.example"), "localhost");
    }

    #[test]
    fn a_port_is_digits_within_bounds() {
        assert_eq!(port("5432").unwrap(), 5432);
        for bad in ["0", "65536", "-1", "+5432", "5432 ", "", "0x16", "５４３２"] {
            assert_eq!(port(bad).unwrap_err().0, Field::DbPort, "{bad}");
        }
    }
}
