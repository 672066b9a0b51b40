//! `key rewrap`: every secret under the key that seals.

use std::time::{Duration, Instant};

use serde::Serialize;
use tenantry::Code;
use tenantry::registry::{RewrapProgress, Rewrapped, Unopened};

use super::super::opened::{self, block_on};
use super::super::{Context, Format};
use crate::args::Progress;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{out, text};

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(1);

/// What is said of secrets that stay under an older key.
const LEFT: Code = Code(7007);

#[derive(Serialize)]
struct Answer {
    active: String,
    renewed: u64,
    unopened: Vec<Left>,
}

#[derive(Serialize)]
struct Left {
    of: String,
    code: String,
    reason: String,
}

impl Left {
    fn of(unopened: &Unopened) -> Self {
        Self {
            of: unopened.of.clone(),
            code: unopened.code.to_string(),
            reason: unopened.reason.clone(),
        }
    }
}

/// Seals every secret anew; says how far it is on stderr.
///
/// # Errors
/// TN-1005 without the keys, TN-7005 if the ring is out of order. Secrets that do not open are named in the answer, and
/// give exit 20.
pub(crate) fn rewrap(context: &Context) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let registry = opened::registry(&project).await?;
        let mut last = Instant::now();
        let mut tell = |progress: RewrapProgress| {
            if last.elapsed() >= EVERY && context.globals.progress != Some(Progress::None) {
                last = Instant::now();
                context.say(&format!(
                    "  Rewrapped  {} of {}",
                    number(progress.done),
                    number(progress.of)
                ));
            }
        };
        let done = registry.rewrap(&mut tell).await?;
        let answer = Answer {
            active: registry.first_key()?.to_string(),
            renewed: done.renewed,
            unopened: done.unopened.iter().map(Left::of).collect(),
        };
        let named = named(&done);
        if context.globals.quiet && context.format == Format::Human {
            for line in &named {
                out::say(line);
            }
        }
        context.answer(&human(&answer, &named), &answer)?;
        Ok(if done.unopened.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    })
}

fn number(n: u64) -> String {
    text::number(usize::try_from(n).unwrap_or(usize::MAX))
}

fn human(answer: &Answer, named: &[String]) -> String {
    let renewed = number(answer.renewed);
    let mut lines = vec![format!("  Rewrapped  {renewed} secrets under {}", answer.active)];
    lines.extend_from_slice(named);
    lines.push(if named.is_empty() {
        "Next:  tenantry key list        an older key that no secret needs can be destroyed".to_owned()
    } else {
        format!("Next:  tenantry explain {LEFT}")
    });
    lines.join("\n")
}

/// Returns a line for each secret that stays as it is, behind one that counts them.
fn named(done: &Rewrapped) -> Vec<String> {
    if done.unopened.is_empty() {
        return Vec::new();
    }
    let lines = done
        .unopened
        .iter()
        .map(|left| text::printable(&format!("✗ {}  {}  {}", left.of, left.code, left.reason)));
    let count = format!(
        "error[{LEFT}]: secrets that do not open, and stay as they are: {}",
        done.unopened.len()
    );
    std::iter::once(count).chain(lines).collect()
}
