//! `server add | set | drain | list | check`.

mod intake;
mod set;

use std::sync::Arc;

use std::io::Read as _;

use secrecy::SecretString;
use serde::Serialize;
use tenantry::engine::{
    Address, DirectEndpoint, Engine, Login, Place, SessionError, Tls, describe_direct, describe_server,
};
use tenantry::provision::administration;
use tenantry::registry::{ListedServer, NewServer, RegistryError};
use tenantry::{Code, Intake, Server, ServerName};

pub(super) use self::intake::drain;
use self::intake::{accepts_of, intake_words};
pub(super) use self::set::set;
use super::opened::{self, block_on};
use super::{Context, Format, files, usage};
use crate::args::{Limits, ServerAdd, TlsMode};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Table, out, text};

#[derive(Serialize)]
struct Shown {
    name: String,
    engine: &'static str,
    jurisdiction: String,
    place: String,
    direct: Option<String>,
    tls: Option<&'static str>,
    max_parallel: Option<usize>,
    /// What it takes; none for everything.
    accepts: Option<Vec<String>>,
    capacity: Option<usize>,
    /// Whether it takes no new databases.
    drains: bool,
    version: Option<String>,
}

impl Shown {
    fn of(server: &ListedServer) -> Self {
        let (place, direct, tls) = place(&server.place);
        Self {
            name: server.name.to_string(),
            engine: server.engine.as_str(),
            jurisdiction: server.jurisdiction.to_string(),
            place,
            direct,
            tls,
            max_parallel: server.max_parallel,
            accepts: server
                .intake
                .accepts
                .as_ref()
                .map(|tracks| tracks.iter().map(Intake::word).collect()),
            capacity: server.intake.capacity,
            drains: server.intake.drains_since.is_some(),
            version: server.server_version.clone(),
        }
    }

    /// Returns where it is, for people.
    fn place(&self) -> String {
        match &self.direct {
            Some(direct) => format!("{} (direct {direct})", self.place),
            None => self.place.clone(),
        }
    }
}

/// A server in a list.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    shown: Shown,
    /// How many databases stand on it.
    databases: usize,
}

fn place(place: &Place) -> (String, Option<String>, Option<&'static str>) {
    match place {
        Place::Folder(folder) => (folder.display().to_string(), None, None),
        Place::Network {
            host,
            port,
            tls,
            direct,
        } => {
            let direct = direct
                .as_ref()
                .map(|direct| format!("{}:{}", direct.host, direct.port));
            (format!("{host}:{port}"), direct, Some(tls.as_str()))
        }
    }
}

/// Registers a server after having connected to it.
///
/// # Errors
/// Wrong or missing flags, a server that does not answer, a name that is taken.
pub(super) fn add(context: &Context, add: &ServerAdd) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let mut new = NewServer {
            name: add.name.clone(),
            engine: add.engine.into(),
            jurisdiction: add.jurisdiction.clone(),
            place: new_place(add, &project.folder)?,
            admin: admin(add)?,
            insecure_reason: add.insecure_transport.clone(),
            max_parallel: add.max_parallel,
            intake: Intake {
                accepts: accepts_of(&add.accepts),
                capacity: add.capacity.and_then(|capacity| capacity.0),
                drains_since: None,
            },
            server_version: None,
        };
        let what = format!("server `{}`", new.name);
        fleet.registry.check_bound(&what, &new.jurisdiction)?;
        if new.admin.is_some() {
            // Whoever could not seal the password has no reason to try it.
            fleet.registry.first_key()?;
            fleet.registry.check_key().await?;
        }
        new.server_version = Some(describe(&server_of(&new)).await?);
        let listed = fleet.registry.add_server(&new).await?;
        let shown = Shown::of(&listed);
        let human = format!(
            "    Added  {} ({}, {}) at {}\nNext:  tenantry tenant create <slug> --jurisdiction {}",
            shown.name,
            listed.engine,
            shown.jurisdiction,
            shown.place(),
            shown.jurisdiction
        );
        context.answer(&text::printable(&human), &shown)?;
        Ok(Exit::Done)
    })
}

fn server_of(new: &NewServer) -> Server {
    Server {
        id: String::new(),
        name: new.name.clone(),
        engine: new.engine,
        jurisdiction: new.jurisdiction.clone(),
        place: new.place.clone(),
        admin: new.admin.clone(),
        max_parallel: new.max_parallel,
    }
}

async fn describe(server: &Server) -> Result<String, CommandError> {
    describe_ways(&administration(server)).await.map_err(|error| {
        not_reached(&error, server)
            .fact("state", "nothing was added")
            .help("correct --host, --port, --direct-host, --direct-port, --admin-user or the password, and give the command again")
    })
}

fn not_reached(error: &SessionError, server: &Server) -> CommandError {
    CommandError::new(Exit::Failed, error.to_string())
        .code(error.code())
        .causes(error)
        .fact("where", server.name.to_string())
}

/// Connects to the server, on both ways where there are two; returns what it says that it is.
async fn describe_ways(address: &Address) -> Result<String, SessionError> {
    let version = describe_server(address).await?;
    match address.direct() {
        Some(direct) => describe_direct(&direct).await,
        None => Ok(version),
    }
}

fn new_place(add: &ServerAdd, folder: &std::path::Path) -> Result<Place, CommandError> {
    let usage = |title: &str| Err(usage(title).help("tenantry server add --help"));
    let Some(port) = Engine::from(add.engine).default_port() else {
        let Some(path) = &add.path else {
            return usage("an SQLite server needs --path, the folder of its files");
        };
        let path = folder.join(path);
        std::fs::create_dir_all(&path).map_err(|error| files::not_written(&path, &error))?;
        return Ok(Place::Folder(path));
    };
    let Some(host) = &add.host else {
        return usage("a server on the network needs --host");
    };
    if add.admin_user.is_none() {
        return usage("a server on the network needs --admin-user and its password");
    }
    Ok(Place::Network {
        host: host.clone(),
        port: add.port.unwrap_or(port),
        tls: tls(add, host)?,
        direct: direct(add, host, port)?,
    })
}

/// Returns the server's own endpoint; `None` where no other one is named.
fn direct(add: &ServerAdd, pooler: &str, port: u16) -> Result<Option<DirectEndpoint>, CommandError> {
    let Some(host) = &add.direct_host else {
        return Ok(None);
    };
    if Engine::from(add.engine) != Engine::Postgres {
        return Err(no_pooler().help("tenantry server add --help"));
    }
    if tls(add, host)? != tls(add, pooler)? {
        let title = "--tls is to be given where only one of --host and --direct-host is on this machine";
        return Err(usage(title).help("tenantry server add --help"));
    }
    Ok(Some(DirectEndpoint {
        host: host.clone(),
        port: add.direct_port.unwrap_or(port),
    }))
}

fn no_pooler() -> CommandError {
    usage("--direct-host is for PostgreSQL behind a pooler")
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Refuses a connection on which others could read along, and nobody has said why that is accepted.
fn unprotected(host: &str) -> CommandError {
    let title = format!("a connection to {host} without verified encryption needs a reason");
    CommandError::new(Exit::Refused, title).code(Code(5006))
}

/// Loopback needs no TLS; anywhere else an unverified connection needs a reason.
fn tls(add: &ServerAdd, host: &str) -> Result<Tls, CommandError> {
    let loopback = is_loopback(host);
    let ca_pem: Option<Arc<str>> = match &add.ca_file {
        None => None,
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|error| files::not_read(path, &error))?.into())
        }
    };
    let mode = match add.tls {
        Some(mode) => mode,
        None if loopback && ca_pem.is_none() => TlsMode::Disable,
        None => TlsMode::VerifyFull,
    };
    let unverified = matches!(mode, TlsMode::Require | TlsMode::Disable);
    if unverified && !loopback && add.insecure_transport.is_none() {
        return Err(unprotected(host)
            .fact("state", "nothing was added")
            .help("leave --tls out (verify-full), or say why:  --insecure-transport \"<reason>\""));
    }
    match (mode, ca_pem) {
        (TlsMode::VerifyFull, ca_pem) => Ok(Tls::VerifyFull { ca_pem }),
        (TlsMode::VerifyCa, Some(ca_pem)) => Ok(Tls::VerifyCa { ca_pem }),
        (TlsMode::VerifyCa, None) => {
            Err(usage("--tls verify-ca needs --ca-file").help("tenantry server add --help"))
        }
        (TlsMode::Require, _) => Ok(Tls::Require),
        (TlsMode::Disable, _) => Ok(Tls::Disable),
    }
}

/// Reads the administrator's password from a file or from stdin; a final line break does not belong to it.
fn admin(add: &ServerAdd) -> Result<Option<Login>, CommandError> {
    let Some(user) = &add.admin_user else {
        return Ok(None);
    };
    let text = match &add.admin_password_file {
        Some(path) => std::fs::read_to_string(path).map_err(|error| files::not_read(path, &error))?,
        None if add.admin_password_stdin => {
            let mut text = String::new();
            std::io::stdin()
                .take(64 * 1024)
                .read_to_string(&mut text)
                .map_err(|error| files::not_read(std::path::Path::new("stdin"), &error))?;
            text
        }
        None => {
            return Err(usage("the administrator's password is missing")
                .help("--admin-password-file <file>  or  --admin-password-stdin"));
        }
    };
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    Ok(Some(Login {
        user: user.clone(),
        password: SecretString::from(password.to_owned()),
    }))
}

/// Lists the servers.
///
/// # Errors
/// What the registry says.
pub(super) fn list(context: &Context) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let servers = fleet.registry.servers().await?;
        let counts = fleet.registry.database_counts().await?;
        let mut items = Vec::with_capacity(servers.len());
        let header = [
            "NAME",
            "ENGINE",
            "JURISDICTION",
            "PLACE",
            "TLS",
            "MAX",
            "DATABASES",
            "TAKES",
        ];
        let mut table = Table::new(&header);
        for server in &servers {
            let shown = Shown::of(server);
            let databases = counts.get(&server.id).copied().unwrap_or(0);
            let max = server
                .max_parallel
                .map_or_else(|| "-".to_owned(), |n| n.to_string());
            let (load, takes) = intake_words(&server.intake, databases);
            table.row(&[
                shown.name.clone(),
                shown.engine.to_owned(),
                shown.jurisdiction.clone(),
                shown.place(),
                shown.tls.unwrap_or("-").to_owned(),
                max,
                load,
                takes,
            ]);
            items.push(Listed { shown, databases });
        }
        let shown = items;
        if shown.is_empty() {
            context.say("There is no server yet:  tenantry server add --help");
        }
        let human = if shown.is_empty() {
            String::new()
        } else {
            table.draw()
        };
        context.answer_unless_empty(&human, &serde_json::json!({ "items": shown, "next": null }))?;
        Ok(Exit::Done)
    })
}

#[derive(Serialize)]
struct Checked {
    name: String,
    ok: bool,
    version: Option<String>,
    code: Option<String>,
    problem: Option<String>,
}

impl Checked {
    fn new(name: &ServerName, described: Result<String, (Code, String)>) -> Self {
        let (version, refusal) = match described {
            Ok(version) => (Some(version), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let (code, problem) = refusal.unzip();
        Self {
            name: name.to_string(),
            ok: version.is_some(),
            version,
            code: code.map(|code| code.to_string()),
            problem,
        }
    }
}

/// Connects to servers and says what they are.
///
/// # Errors
/// What the registry says; a server that does not answer gives exit 20.
pub(super) fn check(context: &Context, name: Option<&ServerName>) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let names: Vec<ServerName> = match name {
            Some(name) => vec![name.clone()],
            None => fleet
                .registry
                .servers()
                .await?
                .into_iter()
                .filter(|server| fleet.registry.opens(&server.jurisdiction))
                .map(|server| server.name)
                .collect(),
        };
        let mut checked = Vec::new();
        for name in names {
            let described = match fleet.registry.find_server(name.as_str()).await {
                Ok(server) => match describe_ways(&administration(&server)).await {
                    Ok(version) => Ok(version),
                    Err(error) => Err((error.code(), with_causes(&error))),
                },
                // One password that cannot be opened says nothing about the other servers.
                Err(error @ RegistryError::Locked { .. }) => Err((error.code(), with_causes(&error))),
                Err(error) => return Err(error.into()),
            };
            checked.push(Checked::new(&name, described));
        }
        let line = |c: &Checked| {
            text::printable(&match (&c.version, &c.code, &c.problem) {
                (_, Some(code), Some(problem)) => {
                    format!("✗ {}  {code}  {problem}\n  tenantry explain {code}", c.name)
                }
                (version, _, _) => format!("✓ {}  {}", c.name, version.as_deref().unwrap_or("")),
            })
        };
        let human: Vec<String> = checked.iter().map(line).collect();
        let exit = if checked.iter().all(|c| c.ok) {
            Exit::Done
        } else {
            Exit::Failed
        };
        if context.globals.quiet && context.format == Format::Human {
            let failed = checked.iter().filter(|c| !c.ok).map(line);
            failed.for_each(|line| out::say(&line));
        }
        context.answer(&human.join("\n"), &serde_json::json!({ "items": checked }))?;
        Ok(exit)
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        next = cause.source();
    }
    words
}
