//! Free when there is nothing to do: each server is asked once about its databases, instead of each database.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::{join, join_all};

use super::{Fleet, Selected};
use crate::engine::{
    self, Address, Asked, Done, Engine, IDLE_TIMEOUT, Marker, NetworkAddress, OpenOptions, Survey, Whose,
};
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
    /// [`Selected::settled`]: nobody connects to them. One connection for each server: to one of its databases, where
    /// they keep markers, or as its administrator, who reads their histories. Nothing is moved with [`Ask::Databases`],
    /// or where nobody answers. Writes nothing.
    ///
    /// A marker is believed where it is exactly the one of that database, registry, track and files, and where the
    /// registry remembers the same: whatever does not fit is asked itself.
    pub async fn shorten(&self, selected: &mut Selected) {
        if self.options.ask == Ask::Databases {
            return;
        }
        let on_servers = |job: &&Job| matches!(job.target.address, Address::Network(_));
        let expected = expected(selected.jobs.iter().filter(on_servers));
        if expected.is_empty() {
            return;
        }
        let worth = |job: &&Job| expected.contains_key(&key(&job.target));
        let mut servers = by_server(selected.jobs.iter().filter(worth));
        servers.retain(|_, jobs| jobs.len() >= WORTH_IT);
        let (mut says, histories) = join(surveys(&servers, &self.options), self.histories(&servers)).await;
        says.extend(histories);
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

    /// Asks every server without markers at once for the histories of these jobs' databases; those that cannot be asked
    /// are missing.
    async fn histories(&self, servers: &BTreeMap<Endpoint, Vec<&Job>>) -> BTreeMap<Endpoint, Survey> {
        let open = &open_options(&self.options);
        let asking = servers.iter().map(|(at, jobs)| async move {
            let server = self.administration(jobs.first()?).await?;
            let asked: Vec<Asked<'_>> = jobs.iter().map(|job| asked(&job.target)).collect();
            let survey = engine::survey_histories(&server, &asked, open).await;
            Some((at.clone(), survey))
        });
        join_all(asking).await.into_iter().flatten().collect()
    }

    /// Returns how the administrator gets to the server that a job's database stands on; `None` where markers are kept,
    /// or if there is no administrator whose password opens.
    async fn administration(&self, job: &Job) -> Option<Address> {
        let Address::Network(network) = &job.target.address else {
            return None;
        };
        match network.engine {
            Engine::MySql => {}
            Engine::Postgres | Engine::Sqlite => return None,
        }
        let found = self
            .registry
            .find_server(job.target.server.as_ref()?.as_str())
            .await;
        let server = found
            .inspect_err(|error| tracing::debug!(%error, "a server's administrator is not known"))
            .ok()?;
        Some(Address::Network(NetworkAddress {
            login: server.admin?,
            ..network.clone()
        }))
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

fn asked(target: &Target) -> Asked<'_> {
    Asked {
        database: target.address.database(),
        whose: Whose::of(target),
        tenant_id: target.owner.as_ref().map_or("", |owner| owner.id.as_str()),
    }
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
fn expected<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<Key, Marker> {
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
pub(super) fn by_server<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<Endpoint, Vec<&'a Job>> {
    let mut servers: BTreeMap<Endpoint, Vec<&Job>> = BTreeMap::new();
    for job in jobs {
        if let Address::Network(network) = &job.target.address {
            let at = (network.host.clone(), network.port);
            servers.entry(at).or_default().push(job);
        }
    }
    servers
}

/// Asks every server at once; those that do not answer, or keep no markers, are missing.
pub(super) async fn surveys(
    servers: &BTreeMap<Endpoint, Vec<&Job>>,
    options: &RunOptions,
) -> BTreeMap<Endpoint, Survey> {
    let open = open_options(options);
    let asking = servers.iter().map(|(at, jobs)| {
        let addresses = with_different_logins(jobs);
        let open = &open;
        async move { Some((at.clone(), engine::survey(&addresses, open).await?)) }
    });
    join_all(asking).await.into_iter().flatten().collect()
}

/// Returns the addresses of jobs, one for each login: what refuses one is not tried with it again.
fn with_different_logins<'a>(jobs: &[&'a Job]) -> Vec<&'a Address> {
    let mut logins = HashSet::new();
    let mut differs = |job: &&'a Job| match &job.target.address {
        Address::Network(network) => logins.insert(network.login.user.as_str()),
        Address::Sqlite(_) => false,
    };
    let addresses = jobs.iter().copied().filter(|job| differs(job));
    addresses.map(|job| &job.target.address).collect()
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
