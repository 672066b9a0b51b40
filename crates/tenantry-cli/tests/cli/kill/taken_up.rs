//! How migrations were taken up that an earlier attempt had left half-way, as the deployers tell it.

use std::ops::AddAssign;

use serde_json::Value;

/// How many were taken up, in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TakenUp {
    /// Their effect was found there, and recorded.
    pub(super) adopted: usize,
    /// What was half made was removed or brought to its end first.
    pub(super) repaired: usize,
    /// They went on where they stood.
    pub(super) resumed: usize,
}

impl TakenUp {
    /// Counts in the stream of a deployer. What it had no time to tell before its death is not in it.
    pub(super) fn in_stream(stdout: &[u8]) -> Self {
        let text = String::from_utf8_lossy(stdout);
        let events: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let finished = events
            .iter()
            .filter(|event| event["type"] == "migration.finished");
        Self::of(finished.filter_map(|event| event["taken_up"].as_str()))
    }

    /// Counts in the answer of a run that came to its end.
    pub(super) fn in_answer(answer: &Value) -> Self {
        let all = answer["taken_up"].as_array().into_iter().flatten();
        Self::of(all.filter_map(|one| one["how"].as_str()))
    }

    /// Counts the words of the stream.
    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut counted = Self::default();
        for word in words {
            match word {
                "adopted" => counted.adopted += 1,
                "repaired" => counted.repaired += 1,
                "resumed" => counted.resumed += 1,
                other => panic!("nobody is taken up in the way `{other}`"),
            }
        }
        counted
    }
}

impl AddAssign for TakenUp {
    fn add_assign(&mut self, other: Self) {
        self.adopted += other.adopted;
        self.repaired += other.repaired;
        self.resumed += other.resumed;
    }
}
