//! Free when there is nothing to do: each server is asked once about its databases, instead of each database.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::{join, join_all};

use super::{Fleet, Selected};
use crate::engine::{
    self, Address, Asked, Done, Engine, Expects, IDLE_TIMEOUT, Marker, NetworkAddress, OpenOptions, Survey,
    Whose,
};
use crate::migration::Track;
use crate::plan::Goal;
use crate::run::{Ask, Job, Outcome, RunOptions, TargetReport};
use crate::target::{Target, TrackName};

/// Asking the server for fewer saves nothing, where its word is believed.
const WORTH_IT: usize = 2;
/// The same where it saves a part of the question to each database.
const WORTH_A_PART: usize = 10;

/// A server as addresses lead to it: host and port.
type Endpoint = (String, u16);

impl Fleet {
    /// Moves the jobs out of a selection whose databases are at their goal by their server's word, to
    /// [`Selected::settled`]: nobody connects to them. One connection for each server: to one of its databases, where
    /// they keep markers, or as its administrator, who reads their histories. Nothing is moved where nobody answers, or
    /// with [`Ask::Databases`]: then the jobs only learn which marker their database has. Writes nothing.
    ///
    /// A marker is believed where it is exactly the one of that database, registry, track and files, and where the
    /// registry remembers the same: whatever does not fit is asked itself.
    pub async fn shorten(&self, selected: &mut Selected) {
        match self.options.ask {
            Ask::Servers => {
                let (servers, wanted) = selected.servers(WORTH_IT, remembers);
                let (mut says, histories) =
                    join(surveys(&servers, &self.options), self.histories(&servers)).await;
                says.extend(histories);
                let settled: Vec<(Key, TargetReport)> = fitting(&servers, &says, &wanted)
                    .map(|(job, marker)| (key(&job.target), current(&job.target, marker)))
                    .collect();
                tracing::debug!(databases = settled.len(), "current by their servers' word");
                selected.settle(settled);
            }
            Ask::Databases => {
                let (servers, wanted) = selected.servers(WORTH_A_PART, |_, _| true);
                let says = surveys(&servers, &self.options).await;
                let marked = fitting(&servers, &says, &wanted)
                    .map(|(job, _)| key(&job.target))
                    .collect();
                selected.note(&marked, wanted);
            }
        }
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
    /// Returns the servers of the jobs with a marker to look for, those with so many at least, and these markers.
    fn servers(
        &self,
        least: usize,
        counts: impl Fn(&Target, &Done) -> bool,
    ) -> (BTreeMap<Endpoint, Vec<&Job>>, BTreeMap<Key, Marker>) {
        let on_servers = |job: &&Job| matches!(job.target.address, Address::Network(_));
        let wanted = wanted(self.jobs.iter().filter(on_servers), counts);
        let worth = |job: &&Job| wanted.contains_key(&key(&job.target));
        let mut servers = by_server(self.jobs.iter().filter(worth));
        servers.retain(|_, jobs| jobs.len() >= least);
        (servers, wanted)
    }

    fn settle(&mut self, settled: Vec<(Key, TargetReport)>) {
        let (keys, reports): (HashSet<Key>, Vec<TargetReport>) = settled.into_iter().unzip();
        self.retain(|job| !keys.contains(&key(&job.target)));
        self.settled.extend(reports);
    }

    /// Notes the wanted marker in each job whose database has it.
    fn note(&mut self, has: &HashSet<Key>, mut wanted: BTreeMap<Key, Marker>) {
        for job in &mut self.jobs {
            let key = key(&job.target);
            let marker = wanted.remove(&key).filter(|_| has.contains(&key));
            job.marker = marker.map(Box::new);
        }
    }
}

/// Returns the jobs whose database has the wanted marker, by what their servers say.
fn fitting<'a>(
    servers: &'a BTreeMap<Endpoint, Vec<&'a Job>>,
    says: &'a BTreeMap<Endpoint, Survey>,
    wanted: &'a BTreeMap<Key, Marker>,
) -> impl Iterator<Item = (&'a Job, &'a Marker)> {
    let asked = says.iter().flat_map(|(at, survey)| {
        servers
            .get(at)
            .into_iter()
            .flatten()
            .map(move |job| (*job, survey))
    });
    asked.filter_map(|(job, survey)| {
        let wanted = wanted.get(&key(&job.target))?;
        let found = survey.marker(job.target.address.database(), &job.target.track);
        (found == Some(wanted)).then_some((job, wanted))
    })
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

/// Returns whether the registry remembers that a target is there, and that its last run ended well.
fn remembers(target: &Target, done: &Done) -> bool {
    target.known_version == Some(done.version()) && target.known_outcome.is_some_and(Outcome::is_success)
}

/// Returns the marker that each job's database must have to be at its goal; none for a job that does not count.
fn wanted<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    counts: impl Fn(&Target, &Done) -> bool,
) -> BTreeMap<Key, Marker> {
    let mut known: Vec<(&Arc<Track>, &Goal, Option<Done>)> = Vec::new();
    let mut wanted = BTreeMap::new();
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
        let marker = done
            .filter(|done| counts(target, done))
            .and_then(|done| done.by(Whose::of(target)));
        wanted.extend(marker.map(|marker| (key(target), marker)));
    }
    wanted
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
        expects: Expects::Tables,
    }
}
