//! `server drain`, and which new databases a server takes.

use tenantry::registry::Draining;
use tenantry::{Intake, ServerName};

use super::super::Context;
use super::super::opened::{self, block_on};
use super::Shown;
use crate::args::{Accepted, Limits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// Lets a server take no new databases, or new ones again.
///
/// # Errors
/// TN-6010 for an unknown server; what the registry says.
pub(crate) fn drain(context: &Context, name: &ServerName, draining: Draining) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let known = fleet.registry.listed_server(name.as_str()).await?;
        let counts = fleet.registry.database_counts().await?;
        let databases = text::count(counts.get(&known.id).copied().unwrap_or(0), "database");
        let listed = fleet.registry.drain(name.as_str(), draining).await?;
        let human = match draining {
            Draining::Begins => format!(
                " Draining  {name}: it takes no new databases, and goes on with {databases}\nUndo:  tenantry server drain {name} --undo"
            ),
            Draining::Ends => format!("    Takes  {name} takes new databases again"),
        };
        context.answer(&text::printable(&human), &Shown::of(&listed))?;
        Ok(Exit::Done)
    })
}

/// Returns on which tracks a server takes databases; `None` for all.
pub(super) fn accepts_of(words: &[Accepted]) -> Option<Vec<tenantry::TrackName>> {
    let mut tracks = Vec::new();
    for word in words {
        match word {
            Accepted::All => return None,
            Accepted::Track(track) if tracks.contains(track) => {}
            Accepted::Track(track) => tracks.push(track.clone()),
        }
    }
    (!tracks.is_empty()).then_some(tracks)
}

/// Returns how many databases a server has, of how many, and which it takes, for people.
pub(super) fn intake_words(intake: &Intake, databases: usize) -> (String, String) {
    let load = match intake.capacity {
        Some(capacity) => format!("{databases} of {capacity}"),
        None => databases.to_string(),
    };
    let takes = match (&intake.drains_since, &intake.accepts) {
        (Some(_), _) => "none, it is drained".to_owned(),
        (None, None) => "all".to_owned(),
        (None, Some(tracks)) => {
            let words: Vec<String> = tracks.iter().map(Intake::word).collect();
            words.join(", ")
        }
    };
    (load, takes)
}
