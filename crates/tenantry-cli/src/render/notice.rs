//! What a run answers to a signal and to a key. Pure.

use std::time::Instant;

use super::failure::groups_of;
use super::message::Canvas;
use super::rows;
use super::summary::group_lines;
use super::tally::Tally;
use super::text;
use crate::interrupt::Notice;
use crate::keys::Wish;

/// What the keys do, for who asks.
const HELP: &str = "  t  everything that runs, with its age and what it waits for (so does SIGUSR1)
  f  what has failed so far, by code and place
  p  pause: nothing new starts, what runs is finishing
  +  one more at a time          -  one less
  d  leave a run that another process drives; it goes on
  ?  this list                   Ctrl-C  stop, as a signal does";

/// What becomes of the run by a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing new starts, and the run waits.
    Pause,
    /// One more target at once.
    Faster,
    /// One less.
    Slower,
    /// This process leaves a run that another one drives.
    Leave,
}

/// What is said to a wish, and done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The lines.
    pub(crate) text: String,
    /// What is done; `None` if nothing changes.
    pub(crate) act: Option<Act>,
}

/// Answers a wish.
pub(crate) fn reply(wish: Wish, tally: &Tally, canvas: &Canvas, now: Instant) -> Reply {
    let (text, act) = match (wish, &tally.driver) {
        (Wish::Running, _) => (everything(tally, canvas, now), None),
        (Wish::Failures, _) => (failures(tally, canvas), None),
        (Wish::Keys, _) => (HELP.to_owned(), None),
        (Wish::Pause, None) => (pausing(tally, now), Some(Act::Pause)),
        (Wish::Faster, None) => (speed(tally.concurrency.saturating_add(1)), Some(Act::Faster)),
        (Wish::Slower, None) if tally.concurrency <= 1 => {
            ("1 at a time is the least; p pauses.".to_owned(), None)
        }
        (Wish::Slower, None) => (speed(tally.concurrency - 1), Some(Act::Slower)),
        (Wish::Detach, None) => (
            "This command drives the run itself, and there is nobody to leave it to. p pauses it.".to_owned(),
            None,
        ),
        (Wish::Detach, Some(_)) => (
            format!("Leaving. The run goes on:  tenantry run watch {}", tally.run_id),
            Some(Act::Leave),
        ),
        (Wish::Pause, Some(driver)) => (
            format!("{driver} drives the run:  tenantry run pause {}", tally.run_id),
            None,
        ),
        (Wish::Faster | Wish::Slower, Some(driver)) => {
            let text = format!("{driver} drives the run; how many run at once is set there.");
            (text, None)
        }
    };
    let text = canvas.invocation.fill(&text);
    Reply { text, act }
}

fn speed(most: usize) -> String {
    format!(
        "Up to {} at a time from now on; a server's own limit still holds.",
        text::number(most)
    )
}

fn pausing(tally: &Tally, now: Instant) -> String {
    format!(
        "Pausing. Nothing new starts; {}. Go on afterwards:  tenantry run resume {}",
        finishing(tally, now),
        tally.run_id
    )
}

fn everything(tally: &Tally, canvas: &Canvas, now: Instant) -> String {
    if tally.running.is_empty() {
        return "Nothing runs at the moment.".to_owned();
    }
    let running = tally
        .running
        .iter()
        .map(|target| rows::running(target, canvas, now));
    let head = format!("Running ({}):", text::number(tally.running.len()));
    std::iter::once(head)
        .chain(running)
        .collect::<Vec<_>>()
        .join("\n")
}

fn failures(tally: &Tally, canvas: &Canvas) -> String {
    if tally.failed == 0 {
        return "Nothing has failed so far.".to_owned();
    }
    let groups = groups_of(&tally.failures);
    let lines = groups.iter().flat_map(|group| group_lines(group, canvas));
    let further = tally.failed.saturating_sub(tally.failures.len());
    let further = (further > 0).then(|| {
        let run = &tally.run_id;
        format!(
            "{} more:  tenantry run show {run} --failed",
            text::number(further)
        )
    });
    lines.chain(further).collect::<Vec<_>>().join("\n")
}

/// Says how many are finishing, and how old the oldest is.
fn finishing(tally: &Tally, now: Instant) -> String {
    let verb = if tally.running.len() == 1 { "is" } else { "are" };
    let running = text::number(tally.running.len());
    format!("{running} {verb} finishing{}", longest(tally, now))
}

fn longest(tally: &Tally, now: Instant) -> String {
    tally.oldest(now).map_or(String::new(), |(_, age)| {
        format!(" (longest {})", text::elapsed_short(age))
    })
}

/// Says what a signal leads to.
pub(crate) fn notice_text(notice: Notice, tally: &Tally, now: Instant) -> String {
    let running = text::number(tally.running.len());
    match notice {
        Notice::Draining => format!(
            "Pausing. Nothing new starts; {}. \
             Ctrl-C again stops waiting and cancels their statements.",
            finishing(tally, now)
        ),
        Notice::Closing(grace) => format!(
            "Ending. Nothing new starts; what runs ({running}) has {} to finish{}, then it is cancelled.",
            text::elapsed(grace),
            longest(tally, now)
        ),
        Notice::Cancelling => format!(
            "Cancelling the statements of {running} on their servers. \
             Ctrl-C again leaves at once; the next run finds out how far they came."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Invocation, Paint, sample};
    use std::time::Duration;
    use tenantry::Code;
    use tenantry::run::RunEvent;

    fn canvas() -> Canvas {
        Canvas {
            width: 80,
            paint: Paint::Plain,
            invocation: Invocation::default(),
        }
    }

    fn under_way() -> (Tally, Instant) {
        let begin = Instant::now();
        let mut tally = Tally::new(begin);
        tally.count(&sample::started("run_7f3a", 60, 2), begin);
        tally.count(&sample::begun("initech"), begin);
        (tally, begin + Duration::from_secs(41))
    }

    #[test]
    fn a_driving_command_is_steered() {
        let (mut tally, now) = under_way();
        let ask = |wish| reply(wish, &tally, &canvas(), now);
        assert_eq!(
            ask(Wish::Pause),
            Reply {
                text: "Pausing. Nothing new starts; 1 is finishing (longest 41s). \
                       Go on afterwards:  tenantry run resume run_7f3a"
                    .to_owned(),
                act: Some(Act::Pause),
            }
        );
        assert_eq!(ask(Wish::Faster).act, Some(Act::Faster));
        assert!(ask(Wish::Faster).text.starts_with("Up to 3 at a time"));
        assert_eq!(ask(Wish::Slower).act, Some(Act::Slower));
        let detach = ask(Wish::Detach);
        assert_eq!(detach.act, None);
        assert!(detach.text.contains("p pauses it"), "{detach:?}");
        tally.concurrency = 1;
        assert_eq!(reply(Wish::Slower, &tally, &canvas(), now).act, None);
    }

    #[test]
    fn an_attached_command_leaves_and_steers_nothing() {
        let (mut tally, now) = under_way();
        tally.driver = Some("runner-7 (pid 412)".to_owned());
        for wish in [Wish::Pause, Wish::Faster, Wish::Slower] {
            let said = reply(wish, &tally, &canvas(), now);
            assert_eq!(said.act, None);
            assert!(said.text.starts_with("runner-7 (pid 412) drives"), "{said:?}");
        }
        let said = reply(Wish::Detach, &tally, &canvas(), now);
        assert_eq!(said.act, Some(Act::Leave));
        assert!(said.text.ends_with("tenantry run watch run_7f3a"), "{said:?}");
    }

    #[test]
    fn what_runs_and_what_failed_is_listed() {
        let (mut tally, now) = under_way();
        let said = reply(Wish::Running, &tally, &canvas(), now).text;
        assert_eq!(said, "Running (1):\n  ◐ initech           41s");
        let none = reply(Wish::Failures, &tally, &canvas(), now).text;
        assert_eq!(none, "Nothing has failed so far.");
        for label in ["globex", "wonka"] {
            let failed = sample::failed(label, Code(2003));
            tally.count(&RunEvent::TargetFinished(Box::new(failed)), now);
        }
        insta::assert_snapshot!(reply(Wish::Failures, &tally, &canvas(), now).text);
        for number in 0..1_500 {
            let failed = sample::failed(&format!("t{number}"), Code(2003));
            tally.count(&RunEvent::TargetFinished(Box::new(failed)), now);
        }
        let many = reply(Wish::Failures, &tally, &canvas(), now).text;
        assert!(
            many.ends_with("502 more:  tenantry run show run_7f3a --failed"),
            "{many}"
        );
    }
}
