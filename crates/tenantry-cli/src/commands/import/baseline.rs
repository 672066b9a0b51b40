//! `--baseline`: what was imported counts as migrated up to a version; histories are written, nothing runs.

use std::collections::{BTreeSet, HashSet};

use tenantry::fleet::{Declarer, Fleet, FleetError, Selected, Tiers};
use tenantry::import::Listed;
use tenantry::mark::{Mark, Older};
use tenantry::migration::Version;
use tenantry::plan::Goal;
use tenantry::registry::ListedServer;
use tenantry::run::{Declaration, Says, new_mark_id};
use tenantry::{Selection, TrackName, nearest};

use super::super::watched::watched;
use super::super::{Context, declared, opened};
use super::again::again;
use crate::args::TenantImport;
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;

/// Why, as the registry keeps it.
const REASON: &str = "taken in at this version by tenant import";

/// What became of a baseline.
pub(super) struct Marked {
    pub(super) exit: Exit,
    pub(super) lines: Vec<String>,
    pub(super) shown: serde_json::Value,
}

/// Returns what the flag was given.
pub(super) fn word(track: &TrackName, version: Version) -> String {
    match track {
        TrackName::Product(product) => format!("{product}={version}"),
        TrackName::Tenant | TrackName::Central | TrackName::Registry => version.to_string(),
    }
}

/// Refuses a version that its track does not have, before anything is imported.
///
/// # Errors
/// TN-4008; a file that must not run.
pub(super) fn check(
    fleet: &Fleet,
    baselines: &[(TrackName, Version)],
    listed: &Listed,
    servers: &[ListedServer],
) -> Result<(), CommandError> {
    for (track, version) in baselines {
        let on_track = listed.entries.iter().flat_map(|entry| &entry.databases);
        let on_track = on_track.filter(|one| one.product.as_ref() == product_of(track));
        let names: BTreeSet<_> = on_track.map(|one| &one.server).collect();
        for server in servers.iter().filter(|server| names.contains(&server.name)) {
            let read = fleet.folders.read(track, server.engine)?;
            if read.find(*version).is_none() {
                let known: Vec<String> = read.migrations.iter().map(|m| m.version.to_string()).collect();
                return Err(FleetError::UnknownVersion {
                    version: *version,
                    track: track.clone(),
                    nearest: nearest(&version.to_string(), known.iter().map(String::as_str)),
                }
                .into());
            }
        }
    }
    Ok(())
}

fn product_of(track: &TrackName) -> Option<&tenantry::ProductType> {
    match track {
        TrackName::Product(product) => Some(product),
        TrackName::Tenant | TrackName::Central | TrackName::Registry => None,
    }
}

/// Declares each baseline in all databases of the list, also in those that were there before: the same command
/// finishes what failed. The import stays whatever becomes of it.
///
/// # Errors
/// What the registry says; TN-4006 if a signal ended it.
pub(super) async fn declare(
    context: &Context,
    project: &Project,
    fleet: &Fleet,
    (asked, listed): (&TenantImport, &Listed),
) -> Result<Vec<Marked>, CommandError> {
    let again = again(asked);
    let mut done = Vec::new();
    for (track, version) in &asked.baseline {
        let mut selected = select(fleet, track, listed).await?;
        if selected.is_settled() {
            continue;
        }
        selected.aim(&Goal::UpTo(*version))?;
        let declaration = Declaration {
            id: new_mark_id(),
            version: *version,
            says: Says::Mark(Mark::Applied(Older::Included)),
            decided: HashSet::new(),
        };
        let declarer = Declarer {
            command: format!("tenant import --baseline {}", word(track, *version)),
            actor: opened::actor(&project.environment),
            reason: REASON.to_owned(),
        };
        let left_out = selected.left_out.clone();
        let (marked, ended) = watched(context, project, &again, |watch| {
            fleet.declare(selected, &declaration, &declarer, watch)
        })
        .await?;
        let told = declared::Told {
            declaration: &declaration,
            reason: REASON,
            left_out: &left_out,
            again: again.clone(),
            asked: ended,
        };
        let account = declared::account(context, &marked, &told);
        done.push(Marked {
            exit: account.exit,
            lines: account.lines,
            shown: serde_json::to_value(&account.shown).unwrap_or_default(),
        });
        if ended.is_some() {
            break;
        }
    }
    Ok(done)
}

/// Chooses the databases of a track that are in the list.
async fn select(fleet: &Fleet, track: &TrackName, listed: &Listed) -> Result<Selected, CommandError> {
    let (products, tiers) = match product_of(track) {
        Some(product) => (vec![product.clone()], Tiers::Products),
        None => (Vec::new(), Tiers::Tenant),
    };
    let selection = Selection {
        products,
        ..Selection::default()
    };
    let mut selected = fleet.select(&selection, tiers).await?;
    let ids: HashSet<&str> = listed.entries.iter().map(|entry| entry.id.as_str()).collect();
    selected.retain(|job| {
        let owner = job.target.owner.as_ref();
        owner.is_some_and(|owner| ids.contains(owner.id.as_str()))
    });
    let slugs: HashSet<&str> = listed.entries.iter().map(|entry| entry.slug.as_str()).collect();
    selected.left_out.retain(|target| {
        let slug = target
            .label
            .split_once('/')
            .map_or(target.label.as_str(), |(slug, _)| slug);
        slugs.contains(slug)
    });
    Ok(selected)
}
