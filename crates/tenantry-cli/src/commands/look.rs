//! Asking databases before anything runs, with a word every ten seconds: one that is silent takes its time.

use std::time::Instant;

use tenantry::fleet::{Fleet, Selected, Verified};
use tenantry::run::{Control, Preview};
use tokio::time::interval_at;

use super::Context;
use crate::clock::Utc;
use crate::render::{SILENCE, text};

/// Asks every selected database what is pending; writes nothing there.
pub(super) async fn look(context: &Context, fleet: &Fleet, selected: &Selected) -> Vec<Preview> {
    let control = Control::default();
    patiently(context, selected, fleet.preview(selected, &control)).await
}

/// Reads every selected history and compares it with the files and its marker; writes nothing there.
pub(super) async fn verify(context: &Context, fleet: &Fleet, selected: &Selected) -> Vec<Verified> {
    let control = Control::default();
    patiently(context, selected, fleet.verify(selected, &control)).await
}

async fn patiently<T>(context: &Context, selected: &Selected, asking: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut asking = std::pin::pin!(asking);
    let mut silent = interval_at(tokio::time::Instant::now() + SILENCE, SILENCE);
    loop {
        tokio::select! {
            found = &mut asking => return found,
            _ = silent.tick() => context.say(&heartbeat(selected, began)),
        }
    }
}

fn heartbeat(selected: &Selected, began: Instant) -> String {
    format!(
        "{} asking   {}, {}; nothing has begun",
        Utc::now().time_of_day(),
        text::count(selected.jobs.len(), "database"),
        text::elapsed_short(began.elapsed()),
    )
}
