//! The figures of a status: from what the registry remembers, or from what every database answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use tenantry::engine::Engine;
use tenantry::fleet::{Fleet, Selected};
use tenantry::migration::{Track, Version};
use tenantry::registry::{Named, NotCurrent, NotProvisioned};
use tenantry::run::{Outcome, Preview, TargetReport};
use tenantry::{Code, Selection, Standing, TrackName};

use super::super::Context;
use super::super::look::look;
use super::super::planned::failed;
use super::super::resume;
use super::mend;
use crate::failure::CommandError;
use crate::render::advice::code_to_explain;
use crate::render::text;

/// There is no database where one is expected.
pub(super) const NOT_PROVISIONED: Code = Code(6013);

/// How the fleet stands.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) tracks: Vec<ShownTrack>,
    pub(super) not_current: Vec<ShownTarget>,
    /// How many tenants have which status.
    pub(super) tenants: BTreeMap<&'static str, u64>,
    /// Files that hold no statement yet: runs forwards are refused until they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unfinished: Vec<String>,
    pub(super) live: bool,
    /// How many databases need somebody; as many are in `not_current`, or only the first.
    #[serde(skip)]
    pub(super) needing: u64,
    /// What is to be mended first of all: the code of the first database by name that has such a one.
    #[serde(skip)]
    pub(super) mend: Option<Code>,
    /// The commands that go on with what failed, where the registry knows of it.
    #[serde(skip)]
    pub(super) again: Vec<String>,
    /// Whether there is a server that a database could stand on.
    #[serde(skip)]
    pub(super) has_server: bool,
}

/// How the databases of one track stand.
#[derive(Debug, Default, Serialize)]
pub(super) struct ShownTrack {
    pub(super) track: String,
    pub(super) head: Option<String>,
    pub(super) total: u64,
    pub(super) current: u64,
    pub(super) behind: u64,
    pub(super) ahead: u64,
    pub(super) failed: u64,
    by_version: BTreeMap<String, u64>,
}

/// A database that needs somebody.
#[derive(Debug, Serialize)]
pub(super) struct ShownTarget {
    pub(super) target: String,
    track: String,
    pub(super) server: String,
    version: Option<String>,
    pub(super) outcome: Option<&'static str>,
    pub(super) code: Option<String>,
    #[serde(skip)]
    pub(super) number: Option<Code>,
    reason: Option<String>,
}

impl Shown {
    /// Returns whether a database is not where its track ends.
    pub(super) fn is_behind(&self) -> bool {
        self.tracks.iter().any(|track| track.current < track.total)
    }
}

impl ShownTrack {
    fn add(&mut self, standing: Standing, version: Option<Version>, databases: u64) {
        self.total += databases;
        *match standing {
            Standing::Current => &mut self.current,
            Standing::Behind => &mut self.behind,
            Standing::Ahead => &mut self.ahead,
            Standing::Failed => &mut self.failed,
        } += databases;
        let version = version.map_or_else(|| "none".to_owned(), |v| v.to_string());
        *self.by_version.entry(version).or_default() += databases;
    }
}

/// The tracks of a status by name, the shared databases first: the products' databases wait for them.
#[derive(Debug, Default)]
struct ByTrack(BTreeMap<(bool, String), ShownTrack>);

impl ByTrack {
    fn of(&mut self, name: &TrackName, track: Option<&Track>) -> &mut ShownTrack {
        let key = (*name != TrackName::Tenant, name.to_string());
        self.0.entry(key).or_insert_with(|| ShownTrack {
            track: name.to_string(),
            head: track.and_then(|t| t.migrations.last()).map(|m| m.label()),
            ..ShownTrack::default()
        })
    }
}

/// Returns what the registry remembers of everybody, and names those who need somebody; connects to nobody.
///
/// # Errors
/// What the registry says; a file that must not run.
pub(super) async fn remembered(fleet: &Fleet, named: Named) -> Result<Shown, CommandError> {
    let status = fleet.registry.fleet_status_naming(named).await?;
    // Engines that only an unused server has need no files, so that the databases decide which are read.
    let mut read: BTreeMap<(String, Engine), Arc<Track>> = BTreeMap::new();
    let mut tracks = ByTrack::default();
    for group in &status.groups {
        let key = (group.track.to_string(), group.engine);
        let track = match read.get(&key) {
            Some(track) => Arc::clone(track),
            None => Arc::new(fleet.folders.read(&group.track, group.engine)?),
        };
        let standing = Standing::remembered(&track, group.version, group.outcome);
        tracks
            .of(&group.track, Some(&track))
            .add(standing, group.version, group.databases);
        read.insert(key, track);
    }
    for (track, databases) in &status.not_ready {
        tracks.of(track, None).add(Standing::Failed, None, *databases);
    }
    let tenants = status.tenants.iter().map(|(s, count)| (s.as_str(), *count));
    let not_current = status.not_current.iter().map(known);
    let not_current: Vec<_> = not_current
        .chain(status.not_provisioned.iter().map(absent))
        .collect();
    Ok(Shown {
        tracks: tracks.0.into_values().collect(),
        needing: status.needing(),
        mend: mend::of_fleet(fleet, &status, &not_current).await?,
        again: go_on(fleet, &not_current).await?,
        not_current,
        tenants: tenants.collect(),
        unfinished: unfinished(read.values().map(AsRef::as_ref)),
        live: false,
        has_server: !fleet.registry.servers().await?.is_empty(),
    })
}

/// Returns the files of these tracks that hold no statement yet; each once, though several engines read it.
pub(super) fn unfinished<'a>(tracks: impl Iterator<Item = &'a Track>) -> Vec<String> {
    let files = tracks.flat_map(|track| &track.unfinished);
    let paths: BTreeSet<String> = files.map(|file| text::path(file)).collect();
    paths.into_iter().collect()
}

/// Asks every selected database, and returns with it who could not answer.
///
/// # Errors
/// What the registry says.
pub(super) async fn asked(
    context: &Context,
    fleet: &Fleet,
    selection: &Selection,
    selected: &Selected,
) -> Result<(Shown, Vec<TargetReport>), CommandError> {
    let previews = look(context, fleet, selected).await;
    let failed = failed(selected, &previews);
    let half_way = half_way(fleet, &previews).await?;
    let mut tracks = ByTrack::default();
    for preview in &previews {
        let name = &preview.target.track;
        let track = selected.tracks.find(name, preview.target.address.engine());
        let is_this = |found: &NotCurrent| found.database_id == preview.target.database_id;
        let standing = if half_way.iter().any(is_this) {
            Standing::Failed
        } else {
            Standing::of_preview(preview)
        };
        tracks
            .of(name, track.map(AsRef::as_ref))
            .add(standing, version(preview), 1);
    }
    for target in selected.left_out.iter().filter(|target| target.failure.is_some()) {
        tracks.of(&target.track, None).add(Standing::Failed, None, 1);
    }
    let mut tenants: BTreeMap<&'static str, u64> = BTreeMap::new();
    for tenant in fleet.registry.tenants(selection).await? {
        *tenants.entry(tenant.status.as_str()).or_default() += 1;
    }
    let half_way: Vec<ShownTarget> = half_way.iter().map(known).collect();
    let again = go_on(fleet, &half_way).await?;
    let not_current: Vec<_> = failed.iter().map(unanswered).chain(half_way).collect();
    let shown = Shown {
        tracks: tracks.0.into_values().collect(),
        needing: u64::try_from(not_current.len()).unwrap_or(u64::MAX),
        mend: mend::first(&not_current),
        again,
        not_current,
        tenants,
        unfinished: Vec::new(),
        live: true,
        has_server: true,
    };
    Ok((shown, failed))
}

/// Returns what the registry remembers of those that a run failed on half-way. Where none did, a run is going on.
async fn half_way(fleet: &Fleet, previews: &[Preview]) -> Result<Vec<NotCurrent>, CommandError> {
    let begun = previews.iter().filter(|preview| preview.is_half_way());
    let begun: BTreeSet<&str> = begun.map(|preview| preview.target.database_id.as_str()).collect();
    if begun.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = fleet.registry.fleet_status().await?.not_current;
    found.retain(|target| {
        let has_failed = target.outcome.is_some_and(Outcome::is_failure);
        has_failed && begun.contains(target.database_id.as_str())
    });
    Ok(found)
}

/// Returns the commands that go on with what failed; none if nothing did.
async fn go_on(fleet: &Fleet, failed: &[ShownTarget]) -> Result<Vec<String>, CommandError> {
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    resume::go_on(fleet).await
}

/// Asks the central database, which has no row in the registry, and adds its track behind all others. Returns
/// why it could not be planned.
pub(super) async fn add_central(
    context: &Context,
    fleet: &Fleet,
    central: &Selected,
    shown: &mut Shown,
) -> Vec<TargetReport> {
    let previews = look(context, fleet, central).await;
    for preview in &previews {
        let track = central
            .tracks
            .find(&preview.target.track, preview.target.address.engine());
        let mut tracks = ByTrack::default();
        tracks.of(&preview.target.track, track.map(AsRef::as_ref)).add(
            Standing::of_preview(preview),
            version(preview),
            1,
        );
        shown.tracks.extend(tracks.0.into_values());
    }
    let failed = failed(central, &previews);
    let more: Vec<ShownTarget> = failed.iter().map(unanswered).collect();
    shown.needing += u64::try_from(more.len()).unwrap_or(u64::MAX);
    shown.mend = shown.mend.or_else(|| mend::first(&more));
    shown.not_current.extend(more);
    failed
}

/// Returns the newest version that a database says it has; of one that did not answer, what is remembered.
fn version(preview: &Preview) -> Option<Version> {
    match &preview.planned {
        Ok((plan, _)) => plan.current,
        Err(_) => preview.target.known_version,
    }
}

fn known(found: &NotCurrent) -> ShownTarget {
    ShownTarget {
        target: found.label.clone(),
        track: found.track.to_string(),
        server: found.server.to_string(),
        version: found.version.map(|v| v.to_string()),
        outcome: found.outcome.map(Outcome::as_str),
        code: found.error_code.map(|code| code.to_string()),
        number: code_to_explain(found.outcome, found.error_code),
        reason: None,
    }
}

fn absent(target: &NotProvisioned) -> ShownTarget {
    ShownTarget {
        target: target.label.clone(),
        track: target.track.to_string(),
        server: String::new(),
        version: None,
        outcome: Some(Outcome::Failed.as_str()),
        code: Some(NOT_PROVISIONED.to_string()),
        number: Some(NOT_PROVISIONED),
        reason: None,
    }
}

fn unanswered(target: &TargetReport) -> ShownTarget {
    let failure = target.failure.as_ref();
    ShownTarget {
        target: target.label.clone(),
        track: target.track.to_string(),
        server: target
            .server
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        version: target.to.map(|v| v.to_string()),
        outcome: Some(target.outcome.as_str()),
        code: failure.map(|failure| failure.code.to_string()),
        number: code_to_explain(Some(target.outcome), failure.map(|failure| failure.code)),
        reason: failure.map(|failure| failure.what.clone()),
    }
}
