//! Finds out who is in the way while a statement waits for a lock.

use std::convert::Infallible;
use std::time::Duration;

use crate::engine::{Certainty, Holder, Onlooker};

/// The shortest time between two looks.
const PACE_MIN: Duration = Duration::from_millis(50);

/// Looks again and again, and keeps in `seen` whom the last look that showed somebody has shown. Never ends by
/// itself; without an onlooker it does nothing.
///
/// A wait ends after `lock_timeout`, so that two looks fall into each.
pub(super) async fn watch(
    onlooker: Option<Onlooker>,
    lock_timeout: Duration,
    seen: &mut Vec<Holder>,
) -> Infallible {
    let Some(onlooker) = onlooker else {
        return std::future::pending().await;
    };
    let pace = (lock_timeout / 3).max(PACE_MIN);
    loop {
        tokio::time::sleep(pace).await;
        let found = onlooker.look().await;
        if !found.is_empty() {
            *seen = found;
        }
    }
}

/// Says in half a sentence who is in the way; empty if nobody was seen.
pub(super) fn words(seen: &[Holder]) -> String {
    let Some(first) = seen.first() else {
        return String::new();
    };
    let others = match seen.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    let may = match first.certainty {
        Certainty::Holds => "in the way",
        Certainty::MayHold => "perhaps in the way",
    };
    format!(
        "; {may}: pid {}, {}, user {}{others}",
        first.pid, first.application, first.user
    )
}
