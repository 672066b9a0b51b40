//! The build with the feature `faults`: what is armed, and what happens when its place is passed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Point, Seed};

/// How long a question is given to reach the server before the process dies.
const ON_ITS_WAY: Duration = Duration::from_millis(10);

static ARMED: OnceLock<Armed> = OnceLock::new();

/// What happens at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The process is gone at once, as by SIGKILL.
    Die,
    /// The process stops until somebody wakes it up, as by SIGSTOP.
    Freeze,
}

/// A word that is no fault.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{word}` is no fault: write kill=<point>:<n>, freeze=<point>:<n> or seed=<defect>, with `;` between"
)]
pub struct UnknownFault {
    /// The word.
    pub word: String,
}

#[derive(Debug)]
struct Armed {
    places: Vec<Place>,
    seeds: Vec<Seed>,
    carry_out: fn(Act),
}

/// What happens when a place is passed for the n-th time.
#[derive(Debug)]
struct Place {
    point: Point,
    act: Act,
    left: AtomicUsize,
}

/// Arms this process for the rest of its life: `kill=<point>:<n>`, `freeze=<point>:<n>` and `seed=<defect>`, as
/// many as wanted with `;` between them; `:<n>` may be left out and means the n-th passing. `carry_out` does
/// what an [`Act`] says. What was armed before stays.
///
/// # Errors
/// [`UnknownFault`]: nothing is armed then.
pub fn arm(faults: &str, carry_out: fn(Act)) -> Result<(), UnknownFault> {
    let mut armed = Armed {
        places: Vec::new(),
        seeds: Vec::new(),
        carry_out,
    };
    for word in faults.split(';').map(str::trim).filter(|word| !word.is_empty()) {
        let unknown = || UnknownFault {
            word: word.to_owned(),
        };
        armed.take(word).ok_or_else(unknown)?;
    }
    ARMED.get_or_init(|| armed);
    Ok(())
}

impl Armed {
    fn take(&mut self, word: &str) -> Option<()> {
        let (what, name) = word.split_once('=')?;
        let act = match what {
            "kill" => Act::Die,
            "freeze" => Act::Freeze,
            "seed" => {
                self.seeds
                    .push(*Seed::ALL.iter().find(|seed| seed.name() == name)?);
                return Some(());
            }
            _ => return None,
        };
        let (name, passing) = name.split_once(':').unwrap_or((name, "1"));
        self.places.push(Place {
            point: *Point::ALL.iter().find(|point| point.name() == name)?,
            act,
            left: AtomicUsize::new(passing.parse().ok().filter(|n| *n > 0)?),
        });
        Some(())
    }

    /// Counts a passing; returns what happens at it.
    fn pass(&self, point: Point) -> Option<Act> {
        let due = |place: &&Place| {
            let less = |left: usize| left.checked_sub(1);
            place.point == point && place.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) == Ok(1)
        };
        self.places.iter().find(due).map(|place| place.act)
    }
}

/// Marks a place: what a test has armed for this passing happens here.
pub(crate) fn point(place: Point) {
    if let Some(armed) = ARMED.get()
        && let Some(act) = armed.pass(place)
    {
        (armed.carry_out)(act);
    }
}

/// Waits for an answer. What a test has armed for this passing happens when the question is on its way, before
/// anybody has looked at the answer.
pub(crate) async fn sent<F: Future>(place: Point, answer: F) -> F::Output {
    let mut answer = std::pin::pin!(answer);
    if let Some(armed) = ARMED.get()
        && let Some(act) = armed.pass(place)
    {
        let early = tokio::time::timeout(ON_ITS_WAY, answer.as_mut()).await;
        (armed.carry_out)(act);
        if let Ok(early) = early {
            return early;
        }
    }
    answer.await
}

/// Returns whether a test has switched the defect on.
pub(crate) fn is_seeded(defect: Seed) -> bool {
    ARMED.get().is_some_and(|armed| armed.seeds.contains(&defect))
}
