//! Every history is read, and compared with the files and with its marker.

use std::collections::BTreeMap;

use super::shortcut::{by_server, surveys};
use super::{Fleet, Selected};
use crate::code::Code;
use crate::engine::{Address, Marker, Survey, Whose};
use crate::run::{Control, Failure, Outcome, Preview, TargetReport, preview};

/// A migration is half-way.
const HALF_WAY: Code = Code(3010);
/// A marker says otherwise than the history.
const STALE: Code = Code(3108);

/// What one database's history is worth.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What its history says against the files.
    pub preview: Preview,
    /// The marker in its comment that its history contradicts; `None` if there is none, or if they agree, or if
    /// one of them could not be read.
    pub stale: Option<Marker>,
}

impl Verified {
    /// Returns what is wrong there, as a run would report it that met the same: nothing if all agrees, also where
    /// migrations are pending; why it could not be asked, if that is so.
    pub fn findings(&self) -> Vec<TargetReport> {
        let target = &self.preview.target;
        let found =
            |outcome, code, what| TargetReport::untried(target, outcome, Some(Failure::bare(code, what)));
        let plan = self.preview.planned.as_ref().ok().map(|(plan, _)| plan);
        let mut steps = plan.into_iter().flat_map(|plan| &plan.steps);
        let half_way = steps.find(|step| step.interrupted.is_some()).map(|step| {
            let what = format!("{} is half-way", step.migration.label());
            found(Outcome::Interrupted, HALF_WAY, what)
        });
        let stale = self.stale.as_ref().map(|marker| {
            let history = self.preview.history();
            let current = history.and_then(|history| history.current(&target.track));
            let current = current.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
            let says = if current == marker.version.to_string() {
                "other migrations below it".to_owned()
            } else {
                current
            };
            let what = format!("its marker says {}, its history says {says}", marker.version);
            found(Outcome::Failed, STALE, what)
        });
        self.preview
            .report()
            .into_iter()
            .chain(half_way)
            .chain(stale)
            .collect()
    }
}

impl Fleet {
    /// Reads every selected database's history, and each server's markers before and behind that. In the order of the
    /// jobs; targets that a stop kept from being asked are missing. Takes no lock, writes nothing.
    ///
    /// A marker and its history change in one transaction, so that one that is the same before and behind the look, and
    /// says something else, is wrong.
    pub async fn verify(&self, selected: &Selected, control: &Control) -> Vec<Verified> {
        let servers = by_server(selected.jobs.iter());
        let before = surveys(&servers, &self.options).await;
        let previews = preview(selected.jobs.clone(), &self.options, control).await;
        let after = surveys(&servers, &self.options).await;
        let verified = |preview: Preview| {
            let marker = of(&before, &preview).filter(|marker| of(&after, &preview) == Some(*marker));
            let stale = marker.filter(|marker| contradicts(marker, &preview)).cloned();
            Verified { preview, stale }
        };
        previews.into_iter().map(verified).collect()
    }
}

fn of<'a>(surveys: &'a BTreeMap<(String, u16), Survey>, preview: &Preview) -> Option<&'a Marker> {
    let Address::Network(network) = &preview.target.address else {
        return None;
    };
    let survey = surveys.get(&(network.host.clone(), network.port))?;
    survey.marker(&network.database, &preview.target.track)
}

fn contradicts(marker: &Marker, preview: &Preview) -> bool {
    let target = &preview.target;
    let history = preview.history();
    history.is_some_and(|history| {
        Marker::of_history(Whose::of(target), &target.track, history).as_ref() != Some(marker)
    })
}
