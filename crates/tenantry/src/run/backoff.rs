//! How long to wait before a target is tried again. Pure: the randomness is given.

use std::time::Duration;

/// The pause behind the first attempt, in milliseconds.
const FIRST_MS: u64 = 500;
/// How often it doubles: up to 8 s.
const DOUBLINGS: usize = 4;

/// Returns the pause behind attempt number `attempts`, counted from 1: it doubles from 0.5 s to 8 s, and
/// `random` takes up to a half away, so that targets which failed together do not come back together.
pub(super) fn pause(attempts: usize, random: u16) -> Duration {
    let full = FIRST_MS << attempts.saturating_sub(1).min(DOUBLINGS);
    let half = full / 2;
    Duration::from_millis(half + half * u64::from(random) / u64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_eight_seconds() {
        let longest = [1, 2, 3, 4, 5, 6, 99].map(|attempts| pause(attempts, u16::MAX).as_millis());
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }

    #[test]
    fn chance_takes_up_to_a_half_away() {
        assert_eq!(pause(3, 0), Duration::from_secs(1));
        let mut between: Vec<Duration> = (0..16).map(|n| pause(3, n * 4096)).collect();
        assert!(between.iter().all(|p| (1000..2000).contains(&p.as_millis())));
        between.dedup();
        assert_eq!(between.len(), 16, "everybody waits for another time");
    }
}
