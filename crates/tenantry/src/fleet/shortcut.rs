//! Free when there is nothing to do: each server is asked once for its databases' markers, instead of each database.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::{Fleet, Selected};
use crate::engine::{self, Address, Done, IDLE_TIMEOUT, Marker, OpenOptions, Survey, Whose};
use crate::migration::Track;
use crate::plan::Goal;
use crate::run::{Ask, Job, Outcome, RunOptions, TargetReport};
use crate::target::{Target, TrackName};

/// Asking the server for fewer saves nothing.
const WORTH_IT: usize = 2;

/// A server as addresses lead to it: host and port.
type Endpoint = (String, u16);

impl Fleet {
    /// Moves the jobs out of a selection whose databases are at their goal by their server's word, to
    /// [`Selected::settled`]: nobody connects to them. One question for each server that keeps markers; nothing is
    /// moved with [`Ask::Databases`], or where nobody answers. Writes nothing.
    ///
    /// A marker is believed where it is exactly the one of that database, registry, track and files, and where the
    /// registry remembers the same: whatever does not fit is asked itself.
    pub async fn shorten(&self, selected: &mut Selected) {
        if self.options.ask == Ask::Databases {
            return;
        }
        let expected = expected(&selected.jobs);
        let worth = |job: &&Job| expected.contains_key(&key(&job.target));
        let mut servers = by_server(selected.jobs.iter().filter(worth));
        servers.retain(|_, jobs| jobs.len() >= WORTH_IT);
        let says = surveys(&servers, &self.options).await;
        let settled: Vec<(Key, TargetReport)> = says
            .iter()
            .flat_map(|(at, survey)| {
                servers
                    .get(at)
                    .into_iter()
                    .flatten()
                    .map(move |job| (job, survey))
            })
            .filter_map(|(job, survey)| {
                let wanted = expected.get(&key(&job.target))?;
                let found = survey.marker(job.target.address.database(), &job.target.track);
                (found == Some(wanted)).then(|| (key(&job.target), current(&job.target, wanted)))
            })
            .collect();
        tracing::debug!(databases = settled.len(), "current by their servers' word");
        selected.settle(settled);
    }
}

impl Selected {
    fn settle(&mut self, settled: Vec<(Key, TargetReport)>) {
        let (keys, reports): (HashSet<Key>, Vec<TargetReport>) = settled.into_iter().unzip();
        self.retain(|job| !keys.contains(&key(&job.target)));
        self.settled.extend(reports);
    }
}

/// One database on one track.
type Key = (String, TrackName);

fn key(target: &Target) -> Key {
    (target.database_id.clone(), target.track.clone())
}

fn current(target: &Target, marker: &Marker) -> TargetReport {
    TargetReport {
        from: Some(marker.version),
        to: Some(marker.version),
        ..TargetReport::untried(target, Outcome::Current, None)
    }
}

/// Returns the marker that each job's database must have to be at its goal; none for a job that the registry does not
/// remember there, or whose last run did not end well.
fn expected(jobs: &[Job]) -> BTreeMap<Key, Marker> {
    let mut known: Vec<(&Arc<Track>, &Goal, Option<Done>)> = Vec::new();
    let mut expected = BTreeMap::new();
    for job in jobs {
        let is_known = |(track, goal, _): &&(&Arc<Track>, &Goal, _)| {
            Arc::ptr_eq(track, &job.track) && **goal == job.goal
        };
        let found = known.iter().find(is_known).map(|(_, _, done)| done.clone());
        let done = found.unwrap_or_else(|| {
            let done = Done::of_goal(&job.track, &job.goal);
            known.push((&job.track, &job.goal, done.clone()));
            done
        });
        let target = &job.target;
        let fits = |done: &Done| {
            target.known_version == Some(done.version())
                && target.known_outcome.is_some_and(Outcome::is_success)
        };
        let marker = done.filter(fits).and_then(|done| done.by(Whose::of(target)));
        expected.extend(marker.map(|marker| (key(target), marker)));
    }
    expected
}

/// Sorts jobs by the server that they stand on; files have none.
pub(super) fn by_server<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<Endpoint, Vec<Job>> {
    let mut servers: BTreeMap<Endpoint, Vec<Job>> = BTreeMap::new();
    for job in jobs {
        if let Address::Network(network) = &job.target.address {
            let at = (network.host.clone(), network.port);
            servers.entry(at).or_default().push(job.clone());
        }
    }
    servers
}

/// Asks every server at once; those that do not answer, or keep no markers, are missing.
pub(super) async fn surveys(
    servers: &BTreeMap<Endpoint, Vec<Job>>,
    options: &RunOptions,
) -> BTreeMap<Endpoint, Survey> {
    let open = open_options(options);
    let asking = servers.iter().map(|(at, jobs)| {
        let addresses: Vec<&Address> = jobs.iter().map(|job| &job.target.address).collect();
        let open = &open;
        async move { Some((at.clone(), engine::survey(&addresses, open).await?)) }
    });
    join_all(asking).await.into_iter().flatten().collect()
}

/// No database's own: the question is about all of them.
fn open_options(options: &RunOptions) -> OpenOptions {
    OpenOptions {
        application_name: "tenantry survey".to_owned(),
        connect_timeout: options.connect_timeout,
        lock_timeout: options.lock_timeout,
        lock_window: options.lock_window,
        idle_timeout: IDLE_TIMEOUT,
        database_id: String::new(),
        tenant_id: String::new(),
        registry_id: String::new(),
        expects_tables: true,
    }
}
