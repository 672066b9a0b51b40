//! `server set`: a server's own endpoint beside the pooler's that it is known by, and which databases it takes.

use tenantry::Server;
use tenantry::engine::{DirectEndpoint, Engine, Place, Tls};
use tenantry::provision::administration;
use tenantry::registry::ListedServer;

use super::super::Context;
use super::super::opened::{self, block_on};
use super::intake::accepts_of;
use super::{Shown, describe_ways, is_loopback, no_pooler, not_reached, unprotected};
use crate::args::{Capacity, Limits, ServerSet};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

const UNCHANGED: &str = "the server is known as before";

/// Writes what was said of a server into the registry; connects to an endpoint before.
///
/// # Errors
/// TN-6002 for an unknown server, wrong flags, an endpoint that does not answer, what the registry says.
pub(crate) fn set(context: &Context, set: &ServerSet) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let name = set.name.as_str();
        let mut listed = fleet.registry.listed_server(name).await?;
        if set.direct_host.is_some() || set.no_direct_host {
            let direct = direct(set, &listed)?;
            if direct.is_some() {
                let server = fleet.registry.find_server_with(name, direct.clone()).await?;
                check(&server).await?;
            }
            listed = fleet.registry.set_direct(name, direct).await?;
        }
        if !set.accepts.is_empty() || set.capacity.is_some() {
            let mut intake = listed.intake.clone();
            if !set.accepts.is_empty() {
                intake.accepts = accepts_of(&set.accepts);
            }
            if let Some(Capacity(capacity)) = set.capacity {
                intake.capacity = capacity;
            }
            listed = fleet.registry.set_intake(name, intake).await?;
        }
        let shown = Shown::of(&listed);
        let human = format!("      Set  {} at {}", shown.name, shown.place());
        context.answer(&text::printable(&human), &shown)?;
        Ok(Exit::Done)
    })
}

/// Returns the endpoint that was asked for; `None` where there is to be none.
fn direct(set: &ServerSet, known: &ListedServer) -> Result<Option<DirectEndpoint>, CommandError> {
    let help = "tenantry server set --help";
    let (Engine::Postgres, Place::Network { tls, .. }) = (known.engine, &known.place) else {
        return Err(no_pooler().help(help));
    };
    let Some(host) = &set.direct_host else {
        return Ok(None);
    };
    let unverified = matches!(tls, Tls::Require | Tls::Disable);
    if unverified && !is_loopback(host) && known.insecure_reason.is_none() {
        return Err(unprotected(host)
            .fact("state", UNCHANGED)
            .help("register the server anew, with the reason or with --tls:  tenantry server add --help"));
    }
    let usual = Engine::Postgres.default_port().unwrap_or_default();
    Ok(Some(DirectEndpoint {
        host: host.clone(),
        port: set.direct_port.unwrap_or(usual),
    }))
}

async fn check(server: &Server) -> Result<(), CommandError> {
    match describe_ways(&administration(server)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(not_reached(&error, server)
            .fact("state", UNCHANGED)
            .help("correct --direct-host or --direct-port, and give the command again")),
    }
}
