//! A server's row in the registry: written from a new server, read as a list shows it, told to the audit.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::entities::server::Model;
use super::rows::Row;
use super::servers::{ListedServer, NewServer};
use super::{RegistryError, now};
use crate::engine::{DirectEndpoint, Engine, Place, Tls};
use crate::server::Intake;

/// Returns the row of a new server, without its administrator.
pub(super) fn unsealed(id: String, new: &NewServer) -> Result<Model, RegistryError> {
    let (host, port, folder, tls) = match &new.place {
        Place::Network { host, port, tls, .. } => {
            (Some(host.clone()), Some(i32::from(*port)), None, Some(tls))
        }
        Place::Folder(folder) => (None, None, Some(folder_text(folder)?), None),
    };
    let (tls_mode, ca_pem) = match tls {
        None => (None, None),
        Some(Tls::VerifyFull { ca_pem }) => (Some("verify-full"), ca_pem.as_ref()),
        Some(Tls::VerifyCa { ca_pem }) => (Some("verify-ca"), Some(ca_pem)),
        Some(Tls::Require) => (Some("require"), None),
        Some(Tls::Disable) => (Some("disable"), None),
    };
    Ok(Model {
        id,
        name: new.name.to_string(),
        engine: new.engine.as_str().to_owned(),
        jurisdiction: new.jurisdiction.to_string(),
        host,
        port,
        folder,
        tls_mode: tls_mode.map(str::to_owned),
        ca_pem: ca_pem.map(ToString::to_string),
        insecure_reason: new.insecure_reason.clone(),
        admin_user: None,
        admin_secret: None,
        admin_secret_version: 0,
        max_parallel: new.max_parallel.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
        server_version: new.server_version.clone(),
        created_at: now(),
        direct_host: direct_of(&new.place).map(|direct| direct.host.clone()),
        direct_port: direct_of(&new.place).map(|direct| i32::from(direct.port)),
        direct_seal: None,
        accepts: accepts_text(&new.intake),
        capacity: capacity_of(&new.intake),
        drains_since: new.intake.drains_since,
    })
}

pub(super) fn accepts_text(intake: &Intake) -> Option<String> {
    let words = intake.accepts.as_ref()?.iter().map(Intake::word);
    Some(words.collect::<Vec<_>>().join(","))
}

pub(super) fn capacity_of(intake: &Intake) -> Option<i32> {
    intake.capacity.map(|n| i32::try_from(n).unwrap_or(i32::MAX))
}

fn intake_of(row: &Model, at: &Row<'_>) -> Result<Intake, RegistryError> {
    let words = |text: &String| {
        text.split(',')
            .map(|word| Intake::track(word).ok())
            .collect::<Option<Vec<_>>>()
    };
    let accepts = match &row.accepts {
        Some(text) => Some(at.read("accepts", words(text))?),
        None => None,
    };
    Ok(Intake {
        accepts,
        capacity: at.read_opt("capacity", row.capacity, |n| usize::try_from(n).ok())?,
        drains_since: row.drains_since,
    })
}

pub(super) fn direct_of(place: &Place) -> Option<&DirectEndpoint> {
    match place {
        Place::Network { direct, .. } => direct.as_ref(),
        Place::Folder(_) => None,
    }
}

fn folder_text(folder: &std::path::Path) -> Result<String, RegistryError> {
    folder.to_str().map(str::to_owned).ok_or(RegistryError::NotText {
        what: "the server's folder",
    })
}

/// Reads a row; opens nothing.
pub(super) fn listed(row: &Model) -> Result<ListedServer, RegistryError> {
    let at = Row {
        table: "tenantry_servers",
        id: &row.id,
    };
    Ok(ListedServer {
        id: row.id.clone(),
        name: at.read("name", row.name.parse().ok())?,
        engine: at.read("engine", Engine::from_word(&row.engine))?,
        jurisdiction: at.read("jurisdiction", row.jurisdiction.parse().ok())?,
        place: at.read("tls_mode", place(row))?,
        admin_user: row.admin_user.clone(),
        insecure_reason: row.insecure_reason.clone(),
        max_parallel: at.read_opt("max_parallel", row.max_parallel, |n| usize::try_from(n).ok())?,
        intake: intake_of(row, &at)?,
        server_version: row.server_version.clone(),
        created_at: row.created_at,
        direct_seal: row.direct_seal.clone(),
    })
}

fn place(row: &Model) -> Option<Place> {
    if let Some(folder) = &row.folder {
        return Some(Place::Folder(PathBuf::from(folder)));
    }
    let tls = match row.tls_mode.as_deref()? {
        "verify-full" => Tls::VerifyFull {
            ca_pem: row.ca_pem.as_deref().map(Arc::from),
        },
        "verify-ca" => Tls::VerifyCa {
            ca_pem: row.ca_pem.as_deref()?.into(),
        },
        "require" => Tls::Require,
        "disable" => Tls::Disable,
        _ => return None,
    };
    let direct = match (&row.direct_host, row.direct_port) {
        (Some(host), Some(port)) => Some(DirectEndpoint {
            host: host.clone(),
            port: u16::try_from(port).ok()?,
        }),
        (None, None) => None,
        (_, _) => return None,
    };
    Some(Place::Network {
        host: row.host.clone()?,
        port: u16::try_from(row.port?).ok()?,
        tls,
        direct,
    })
}

/// Tells a server to the audit: everything but its secrets, and of its authorities only whether it has some.
pub(super) fn told(row: &Model) -> Value {
    json!({
        "engine": row.engine,
        "jurisdiction": row.jurisdiction,
        "host": row.host,
        "port": row.port,
        "folder": row.folder,
        "tls": row.tls_mode,
        "ca": row.ca_pem.is_some(),
        "insecure_reason": row.insecure_reason,
        "admin_user": row.admin_user,
        "max_parallel": row.max_parallel,
        "direct_host": row.direct_host,
        "direct_port": row.direct_port,
        "accepts": row.accepts,
        "capacity": row.capacity,
        "drains_since": row.drains_since,
    })
}
