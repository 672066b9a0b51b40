//! How long to wait: between two tries for a lock, and for a connection.

use std::time::Duration;

use crate::faults::{Seed, is_seeded};

/// At which refusal it is told who has the lock: the first is mostly over with the first pause.
pub(crate) const TOLD_AT: usize = 2;

/// Sleeps a random 0.2 to 2 s, so that many waiters do not come back together; never longer than `left`.
pub(crate) async fn pause(left: Duration) {
    let millis = 200 + u64::from(random()) * 1800 / u64::from(u16::MAX);
    tokio::time::sleep(Duration::from_millis(millis).min(left)).await;
}

/// Returns how long dialling and logging in may take together.
pub(crate) fn opening_limit(timeout: Duration) -> Duration {
    if is_seeded(Seed::OpeningWithoutEnd) {
        Duration::from_hours(24)
    } else {
        timeout
    }
}

/// Returns a random number of the system's; the middle one if it gives none.
pub(crate) fn random() -> u16 {
    let mut random = [0; 2];
    // Without randomness the waiters merely keep step.
    if getrandom::fill(&mut random).is_err() {
        random = [128, 0];
    }
    u16::from_be_bytes(random)
}
