//! How long the rest of a run will take: by what its targets took before, else by how many end in a second. Pure.

use std::time::{Duration, Instant};

use tenantry::run::Expected;

use super::tally::Tally;

/// Returns how many targets have ended per second since this process began; 0 before the first.
pub(crate) fn rate(tally: &Tally, now: Instant) -> f64 {
    let seconds = now.duration_since(tally.began).as_secs_f64();
    if seconds > 0.0 {
        float(ended(tally)) / seconds
    } else {
        0.0
    }
}

/// Returns how long the rest will take; `None` before the first target has ended.
pub(crate) fn left(tally: &Tally, now: Instant) -> Option<Duration> {
    if ended(tally) == 0 {
        return None;
    }
    let (done, whole) = weights(tally).unwrap_or_else(|| {
        let open = tally.total.saturating_sub(tally.done_before);
        (float(ended(tally)), float(open))
    });
    let elapsed = now.duration_since(tally.began).as_secs_f64();
    let rest = elapsed * ((whole - done).max(0.0) / done);
    let rest = rest.is_finite().then(|| Duration::from_secs_f64(rest.min(1e9)))?;
    // However many run beside it, the longest one has to end.
    Some(rest.max(longest(tally, now)))
}

fn ended(tally: &Tally) -> usize {
    tally.done.saturating_sub(tally.done_before)
}

/// Returns how much of the expected work is done, and how much there is, in milliseconds. `None` if it is not known of at
/// least every second target: then the rest would be a guess from a few.
fn weights(tally: &Tally) -> Option<(f64, f64)> {
    let open = tally.total.saturating_sub(tally.done_before);
    let Expected { targets, ms } = tally.expected;
    if targets == 0 || targets * 2 < open {
        return None;
    }
    let usual = whole(ms) / float(targets);
    let unknown = |all: usize, known: usize| float(all.saturating_sub(known)) * usual;
    let over = tally.expected_done;
    // How far the running ones are nobody knows: this time they may take longer.
    let done = whole(over.ms) + unknown(ended(tally), over.targets);
    (done > 0.0).then(|| (done, whole(ms) + unknown(open, targets)))
}

/// Returns how long the running target that needs longest will still need.
fn longest(tally: &Tally, now: Instant) -> Duration {
    let left = tally.running.iter().map(|target| {
        let age = now.duration_since(target.since);
        Duration::from_millis(target.expected_ms).saturating_sub(age)
    });
    left.max().unwrap_or_default()
}

fn float(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

fn whole(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use tenantry::run::RunEvent;

    /// Two of four targets have ended after ten seconds.
    fn half(expected: [u64; 4]) -> (Tally, Instant) {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        let known = expected.iter().filter(|ms| **ms > 0);
        tally.count(&sample::started("run_7f3a", 4, 1), begin);
        tally.expected = Expected {
            targets: known.clone().count(),
            ms: known.sum(),
        };
        let now = begin + Duration::from_secs(10);
        for (label, expected_ms) in ["a", "b"].into_iter().zip(expected) {
            let mut event = sample::begun(label);
            if let RunEvent::TargetStarted(begun) = &mut event {
                begun.expected_ms = expected_ms;
            }
            tally.count(&event, begin);
            let ended = RunEvent::TargetFinished(Box::new(sample::applied(label)));
            tally.count(&ended, now);
        }
        (tally, now)
    }

    #[test]
    fn what_took_long_before_weighs_more() {
        let (tally, now) = half([8_000, 2_000, 500, 500]);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(1)));
        let (tally, now) = half([500, 500, 2_000, 8_000]);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(100)));
    }

    #[test]
    fn one_of_which_nothing_is_known_is_like_the_others() {
        let (tally, now) = half([1_000, 1_000, 1_000, 0]);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn where_little_is_known_they_are_counted() {
        let (tally, now) = half([0, 0, 0, 60_000]);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(10)));
        let (tally, now) = half([0; 4]);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn the_rest_takes_as_long_as_its_longest_target() {
        let (mut tally, now) = half([9_000, 9_000, 9_000, 9_000]);
        let mut event = sample::begun("long");
        if let RunEvent::TargetStarted(begun) = &mut event {
            begun.expected_ms = 600_000;
        }
        tally.count(&event, now);
        assert_eq!(left(&tally, now), Some(Duration::from_mins(10)));
    }

    #[test]
    fn what_had_ended_before_this_process_took_over_says_nothing_about_its_pace() {
        let (mut tally, now) = half([0; 4]);
        (tally.total, tally.done, tally.done_before) = (102, 100, 98);
        assert!((rate(&tally, now) - 0.2).abs() < 1e-9);
        assert_eq!(left(&tally, now), Some(Duration::from_secs(10)));
    }
}
