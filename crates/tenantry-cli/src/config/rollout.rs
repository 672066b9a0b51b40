//! `[rollout]`: the waves of a run and when it stops by itself, as checked values.

use std::collections::BTreeSet;

use tenantry::Pattern;
use tenantry::run::{Budget, Canary, Policy, Then, WaveRule};

use super::file;
use super::layers::Layers;
use crate::args::{WINDOW, budget, limit, same_error, within};
use crate::failure::CommandError;

/// The key that waves stand under.
const WAVES: &str = "rollout.wave";
/// The longest name of a wave, in characters.
const NAME_MAX: usize = 40;
/// What names of our own waves are.
const TAKEN: [&str; 3] = ["central", "canary", "rest"];

/// Checks everything under `[rollout]`.
///
/// # Errors
/// TN-1007 for the first value that cannot be used.
pub(super) fn policy(layers: &Layers) -> Result<Policy, CommandError> {
    let value = |key: &str| layers.find(key).map(|setting| setting.value.clone());
    let refuse = |key: &str, why: String| layers.refuse(key, &why);
    let canary = value("rollout.canary").map_or(Ok(Canary::Auto), |text| {
        let count = text.parse().map(Canary::Count);
        count.map_err(|_| refuse("rollout.canary", "it is no number".to_owned()))
    })?;
    let max_failures = value("rollout.max_failures").map_or(Ok(Budget::Usual), |text| {
        budget(&text).map_err(|why| refuse("rollout.max_failures", why))
    })?;
    let same_error = value("rollout.same_error").map_or(Ok(Policy::default().same_error), |text| {
        let read = same_error(&text).map(|same| same.0);
        read.map_err(|why| refuse("rollout.same_error", why))
    })?;
    Ok(Policy {
        canary,
        waves: waves(layers)?,
        max_failures,
        same_error,
    })
}

fn waves(layers: &Layers) -> Result<Vec<WaveRule>, CommandError> {
    let mut names = BTreeSet::from(TAKEN.map(str::to_owned));
    let mut rules = Vec::new();
    for wave in layers.waves() {
        let name = wave.name.clone();
        let rule = rule(wave).map_err(|why| layers.refuse(WAVES, &format!("wave `{name}`: {why}")))?;
        if !names.insert(rule.name.clone()) {
            return Err(layers.refuse(WAVES, &format!("there is a wave `{name}` already")));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(wave: file::Wave) -> Result<WaveRule, String> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
    let is_name = !wave.name.trim().is_empty() && wave.name.chars().count() <= NAME_MAX;
    if !is_name || !wave.name.chars().all(is_plain) {
        return Err("its name must be 1 to 40 letters, digits, spaces, `-`, `_` or `.`".to_owned());
    }
    Ok(WaveRule {
        matches: wave.matches.iter().map(Pattern::new).collect(),
        limit: wave.limit.map(|count| limit(&count.text())).transpose()?,
        then: match wave.then {
            Some(file::Then::Pause) => Then::Pause,
            Some(file::Then::GoOn) | None => Then::GoOn,
        },
        soak: wave
            .soak
            .map_or(Ok(std::time::Duration::ZERO), |text| within(&text, WINDOW))?,
        name: wave.name,
    })
}
