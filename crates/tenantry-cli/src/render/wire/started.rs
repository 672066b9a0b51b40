//! What a run is about, as JSON.

use serde::Serialize;
use tenantry::run::Start;

/// What a run is about: the first event of its stream.
#[derive(Debug, Serialize)]
pub(crate) struct Started {
    run: String,
    /// The track, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tracks: Vec<String>,
    direction: String,
    targets: usize,
    #[serde(skip_serializing_if = "is_zero")]
    done: usize,
    #[serde(skip_serializing_if = "is_zero")]
    current: usize,
    #[serde(skip_serializing_if = "is_zero")]
    skipped: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<String>,
    concurrency: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_failures: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<Wave>,
    #[serde(skip_serializing_if = "String::is_empty")]
    actor: String,
}

/// A wave and how many targets it has.
#[derive(Debug, Serialize)]
struct Wave {
    name: String,
    targets: usize,
}

impl Started {
    /// Converts what a run tells when it begins.
    pub(crate) fn of(start: &Start) -> Self {
        let tracks: Vec<String> = start.tracks.iter().map(ToString::to_string).collect();
        let waves = start.waves.iter().map(|(name, targets)| Wave {
            name: name.clone(),
            targets: *targets,
        });
        Self {
            run: start.run_id.clone(),
            track: match tracks.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
            tracks,
            direction: start.direction.to_string(),
            targets: start.targets,
            done: start.done.0,
            current: start.current,
            skipped: start.skipped,
            migrations: start.migrations.iter().map(ToString::to_string).collect(),
            concurrency: start.concurrency,
            max_failures: start.max_failures,
            waves: waves.collect(),
            actor: start.actor.clone(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}
