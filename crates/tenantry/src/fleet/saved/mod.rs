//! A plan as a file: what a run would do, written down so that a later run does exactly that or nothing.

mod check;
mod fit;
mod read;

use std::collections::{BTreeMap, HashMap};

pub use read::UnreadablePlan;
use serde::{Deserialize, Serialize};

use super::blueprint::{PlannedTrack, tracks_of};
use super::{Fleet, Selected, Tiers};
use crate::migration::Version;
use crate::plan::Goal;
use crate::run::{Preview, TargetReport};
use crate::selection::{Pattern, Selection};
use crate::target::{Target, TrackName};

/// The format that this program writes and reads.
const PLAN_FORMAT: u64 = 1;

/// Which targets a plan is about, and where it leads.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Which tenants.
    pub selection: Selection,
    /// Which of their databases.
    pub tiers: Tiers,
    /// The central database.
    pub central: Central,
    /// Where it leads; forwards.
    pub goal: Goal,
}

/// Whether the central database is among the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Central {
    /// It is, if the platform has migrations of its own for it.
    Included,
    /// It is not.
    LeftOut,
}

/// What a run would do, target by target, and the files that it would do it with. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// The format; the first field, so that a reader knows a plan by it.
    tenantry_plan: u64,
    tool_version: String,
    created_at: String,
    registry: String,
    direction: String,
    goal: String,
    selection: Chosen,
    tracks: Vec<PlannedTrack>,
    /// The targets, those together that are at the same version and have the same migrations before them.
    groups: Vec<Group>,
    /// The tenants that were selected and are not active, by name.
    skipped: Vec<String>,
}

/// A [`Selection`] and its tiers as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// `central`, `tenant`, `products`.
    tiers: Vec<String>,
    only: Vec<String>,
    except: Vec<String>,
    jurisdictions: Vec<String>,
    servers: Vec<String>,
    products: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    track: String,
    /// The newest version that is done; `None` in a fresh database.
    version: Option<String>,
    pending: Vec<String>,
    targets: Vec<Planned>,
}

/// A database, as the registry knows it and as people do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    target: String,
    database: String,
}

/// One database on one track, as a plan names them.
type Key = (String, String);

fn key(target: &Target) -> Key {
    (target.database_id.clone(), target.track.to_string())
}

/// Where one target is, and what is before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    version: Option<String>,
    pending: Vec<String>,
}

/// What a look found of one target.
enum Found {
    /// Where it is.
    At(Position),
    /// It must not go on; why.
    Refused(String),
    /// It could not be asked.
    Silent,
}

/// Returns what a look found, by target: `looked` is what was asked after [`Fleet::shorten`], with the answers.
fn found_in(looked: &Selected, previews: &[Preview]) -> HashMap<Key, Found> {
    let settled = looked.settled.iter().map(|target: &TargetReport| {
        let position = Position {
            version: target.to.as_ref().map(Version::to_string),
            pending: Vec::new(),
        };
        let key = (target.database_id.clone(), target.track.to_string());
        (key, Found::At(position))
    });
    let asked = previews.iter().map(|preview| {
        let found = match (&preview.planned, &preview.refused) {
            (Ok((plan, _)), _) => Found::At(Position {
                version: plan.current.as_ref().map(Version::to_string),
                pending: plan
                    .steps
                    .iter()
                    .map(|s| s.migration.version.to_string())
                    .collect(),
            }),
            (Err(failure), Some(_)) => Found::Refused(failure.what.clone()),
            (Err(_), None) => Found::Silent,
        };
        (key(&preview.target), found)
    });
    settled.chain(asked).collect()
}

impl Fleet {
    /// Writes down what a run would do; `None` if there is a target without a plan, or one that was left out for a
    /// failure.
    ///
    /// `whole` is the selection before [`Fleet::shorten`], `looked` the one after it, with the previews of its jobs.
    /// `created_at` is the time for people. Writes nothing.
    pub fn saved_plan(
        &self,
        (scope, created_at): (&Scope, &str),
        whole: &Selected,
        (looked, previews): (&Selected, &[Preview]),
    ) -> Option<SavedPlan> {
        if whole.failures().next().is_some() {
            return None;
        }
        let found = found_in(looked, previews);
        let mut groups: BTreeMap<(String, Position), Vec<Planned>> = BTreeMap::new();
        for job in &whole.jobs {
            let Some(Found::At(position)) = found.get(&key(&job.target)) else {
                return None;
            };
            let group = groups.entry((job.target.track.to_string(), position.clone()));
            group.or_default().push(Planned {
                target: job.target.label(),
                database: job.target.database_id.clone(),
            });
        }
        Some(SavedPlan {
            tenantry_plan: PLAN_FORMAT,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: created_at.to_owned(),
            registry: self.registry.registry_id().to_owned(),
            direction: scope.goal.direction().to_string(),
            goal: scope.goal.to_string(),
            selection: Chosen::of(scope),
            tracks: tracks_of(whole.jobs.iter()),
            groups: groups.into_iter().map(group_of).collect(),
            skipped: whole.left_out.iter().map(|target| target.label.clone()).collect(),
        })
    }
}

fn group_of(((track, position), mut targets): ((String, Position), Vec<Planned>)) -> Group {
    targets.sort_unstable();
    Group {
        track,
        version: position.version,
        pending: position.pending,
        targets,
    }
}

impl Chosen {
    fn of(scope: &Scope) -> Self {
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(T::to_string).collect()
        }
        let central = (scope.central == Central::Included).then_some(CENTRAL);
        let tiers = match scope.tiers {
            Tiers::Tenant => &[TENANT][..],
            Tiers::Products => &[PRODUCTS],
            Tiers::Both => &[TENANT, PRODUCTS],
        };
        let chosen = &scope.selection;
        Self {
            tiers: texts(&central.iter().chain(tiers).collect::<Vec<_>>()),
            only: texts(&chosen.only),
            except: texts(&chosen.except),
            jurisdictions: texts(&chosen.jurisdictions),
            servers: texts(&chosen.servers),
            products: texts(&chosen.products),
        }
    }

    /// Returns what was chosen.
    ///
    /// # Errors
    /// The field and the value that no program of ours writes.
    fn scope(&self, goal: Goal) -> Result<Scope, UnreadablePlan> {
        let patterns = |texts: &[String]| texts.iter().map(Pattern::new).collect();
        let (tiers, central) = self.tiers()?;
        Ok(Scope {
            selection: Selection {
                ids: Vec::new(),
                only: patterns(&self.only),
                except: patterns(&self.except),
                jurisdictions: read::values("selection.jurisdictions", &self.jurisdictions)?,
                servers: read::values("selection.servers", &self.servers)?,
                products: read::values("selection.products", &self.products)?,
            },
            tiers,
            central,
            goal,
        })
    }

    fn tiers(&self) -> Result<(Tiers, Central), UnreadablePlan> {
        let words: Vec<&str> = self.tiers.iter().map(String::as_str).collect();
        let (central, tiers) = match words.as_slice() {
            [CENTRAL, rest @ ..] => (Central::Included, rest),
            rest => (Central::LeftOut, rest),
        };
        let tiers = match tiers {
            [TENANT] => Tiers::Tenant,
            [PRODUCTS] => Tiers::Products,
            [TENANT, PRODUCTS] => Tiers::Both,
            other => return Err(UnreadablePlan::value("selection.tiers", &other.join(", "))),
        };
        Ok((tiers, central))
    }
}

const CENTRAL: &str = "central";
const TENANT: &str = "tenant";
const PRODUCTS: &str = "products";

impl SavedPlan {
    /// Returns the plan as a text that [`SavedPlan::read`] takes, with a line break at its end.
    pub fn text(&self) -> String {
        // Made of strings alone, it can always be written.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns the tracks that it has targets on, each once and in the order of their names.
    pub fn track_names(&self) -> Vec<TrackName> {
        let mut names: Vec<TrackName> = self
            .groups
            .iter()
            .filter_map(|group| TrackName::from_text(&group.track))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns its targets, each with where it is.
    fn targets(&self) -> impl Iterator<Item = (Key, &Planned, &Group)> {
        self.groups.iter().flat_map(|group: &Group| {
            group
                .targets
                .iter()
                .map(move |planned| ((planned.database.clone(), group.track.clone()), planned, group))
        })
    }
}
