//! The message about a run whose outcomes the registry does not have.

use tenantry::run::{RunReport, Unrecorded};

use super::text;
use crate::failure::Message;

/// Says what the registry does not have of a run. `again` are the commands that tell it.
pub(super) fn message(report: &RunReport, unrecorded: &Unrecorded, again: &[String]) -> Message {
    let title = match unrecorded.outcomes {
        0 => format!("the registry could not be told that {} has ended", report.run_id),
        1 => format!("the registry does not have 1 outcome of {}", report.run_id),
        n => format!(
            "the registry does not have {} outcomes of {}",
            text::number(n),
            report.run_id
        ),
    };
    Message {
        code: Some(unrecorded.code),
        title,
        facts: vec![
            ("cause", unrecorded.reason.clone()),
            (
                "state",
                "every database is as this report says, and its own history says the same; \
                 only what the registry shows of it is old"
                    .to_owned(),
            ),
        ],
        help: again.to_vec(),
        ..Message::default()
    }
}
