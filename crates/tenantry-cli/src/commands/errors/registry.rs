//! What the registry refuses, as messages.

use tenantry::engine::Holder;
use tenantry::registry::{RegistryError, RingOrder};
use tenantry::secret::SecretError;

use super::{bare, meant};
use crate::commands::{again, lifecycle};
use crate::failure::CommandError;

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        of_registry(&error, "nothing was changed")
    }
}

pub(super) fn of_registry(error: &RegistryError, state: &str) -> CommandError {
    let made = meant(bare(error.code(), error).fact("state", state), error.nearest());
    match help_for(error) {
        Some(help) => made.help(help),
        None => made,
    }
}

/// Says how to look at the program that has a file locked: the same command goes through once it has ended.
fn unlocking(file: &str, holders: &[Holder]) -> String {
    let look = match holders.first() {
        Some(holder) => format!("ps -fp {}", holder.pid),
        None => format!("lsof {}", again::quoted(file)),
    };
    format!("when it has ended, the same command again; look at it:  {look}")
}

fn needs_key(error: &RegistryError) -> bool {
    matches!(
        error,
        RegistryError::KeyNeeded { .. }
            | RegistryError::WrongKey { .. }
            | RegistryError::Locked {
                source: SecretError::KeyMissing { .. },
                ..
            }
    )
}

/// Returns what to do about an error of the registry, where that is always the same.
pub(super) fn help_for(error: &RegistryError) -> Option<String> {
    if let RegistryError::Begun { slug, what, has, .. } = error {
        return Some(format!("tenantry tenant create {slug} --{what} {has}"));
    }
    if let RegistryError::SlugTaken { slug, .. }
    | RegistryError::Taken {
        owner: Some(slug), ..
    } = error
    {
        return Some(format!("tenantry tenant show {slug}"));
    }
    if let RegistryError::NotSealing { order, .. } = error {
        return Some(in_order(*order).to_owned());
    }
    if let RegistryError::TenantIs { slug, status } = error {
        return Some(lifecycle::way_out(slug, *status));
    }
    if let RegistryError::ProductLeaves { slug, product } = error {
        return Some(format!("tenantry product restore {product} --tenant {slug}"));
    }
    if let RegistryError::UnderWay { run_id, .. } = error {
        return Some(format!("wait for it, or end it:  tenantry run cancel {run_id}"));
    }
    if let RegistryError::Inherited { variable } = error {
        return Some(format!("unset {variable}"));
    }
    if let RegistryError::FileLocked {
        endpoint, holders, ..
    } = error
    {
        return Some(unlocking(endpoint, holders));
    }
    standing_help(error).map(str::to_owned)
}

/// Returns what to do about an error whose way out is the same whomever it is about.
fn standing_help(error: &RegistryError) -> Option<&'static str> {
    let help = if matches!(error, RegistryError::NotMigrated { .. }) {
        "tenantry migrate central"
    } else if matches!(error, RegistryError::NoFile { .. }) {
        "if it was there before, bring it back; a new, empty one is made by:  tenantry migrate central"
    } else if matches!(error, RegistryError::Unreachable { .. }) {
        "check [central] in tenantry.toml:  tenantry config show --origin"
    } else if needs_key(error) {
        "set DB_ENCRYPTION_KEY, or name the key's file under [key] in tenantry.toml"
    } else if matches!(
        error,
        RegistryError::KeyNotFound { .. } | RegistryError::KeyChanged | RegistryError::KeyDestroyed { .. }
    ) {
        "all of them:  tenantry key list"
    } else if matches!(error, RegistryError::KeyInUse { .. }) {
        "tenantry key rewrap"
    } else if matches!(error, RegistryError::TenantNotFound { .. }) {
        "all of them:  tenantry tenant list"
    } else if matches!(error, RegistryError::SeveralRuns { .. }) {
        "all of them:  tenantry run list --all"
    } else if matches!(error, RegistryError::Ambiguous { .. }) {
        "ids and external ids:  tenantry tenant list --json"
    } else if matches!(
        error,
        RegistryError::ServerNotFound { .. }
            | RegistryError::JurisdictionNotFound { .. }
            | RegistryError::Taken { what: "server", .. }
    ) {
        "all of them:  tenantry server list"
    } else {
        return None;
    };
    Some(help)
}

/// Says how the configured keys come into the registry's order.
fn in_order(order: RingOrder) -> &'static str {
    match order {
        RingOrder::Ahead => "tenantry key rotate        makes the first configured key the one that seals",
        RingOrder::Behind => {
            "bring the keys from where they were rotated last, then look:  tenantry key list"
        }
        RingOrder::Mixed => "put the key that seals before the others, then look:  tenantry key list",
    }
}
