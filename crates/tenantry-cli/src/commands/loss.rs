//! What going back loses for good, and the text that has to be typed for it.

use std::collections::BTreeSet;

use serde::Serialize;
use tenantry::TrackName;
use tenantry::migration::destroys_data;
use tenantry::run::Preview;

/// What a way back destroys, or may.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    /// The text that `--confirm` wants.
    pub(super) confirm: String,
    /// Each migration whose way back destroys data, with what it does.
    pub(super) loses: Vec<String>,
}

impl Loss {
    /// Returns what is lost if every target goes back as it was asked; `None` if nothing is.
    pub(super) fn of(previews: &[Preview]) -> Option<Self> {
        let loses = losses(previews);
        let going: Vec<&Preview> = previews
            .iter()
            .filter(|p| matches!(&p.planned, Ok((plan, _)) if !plan.steps.is_empty()))
            .collect();
        let confirm = match going.as_slice() {
            [one] => one.target.label(),
            many => text_for(&many.iter().map(|p| &p.target.track).collect::<Vec<_>>()),
        };
        (!loses.is_empty()).then_some(Self { confirm, loses })
    }
}

/// Returns the text to be typed for several databases, by their tracks.
fn text_for(tracks: &[&TrackName]) -> String {
    let number = tracks.len();
    if tracks.iter().all(|track| **track == TrackName::Tenant) {
        format!("{number} tenants")
    } else {
        format!("{number} databases")
    }
}

/// Returns each migration whose way back destroys data, with what it does.
fn losses(previews: &[Preview]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for preview in previews {
        let Ok((plan, _)) = &preview.planned else { continue };
        for step in &plan.steps {
            let words: BTreeSet<String> = destroys_data(step.script(), preview.target.address.engine())
                .into_iter()
                .map(|destruction| destruction.to_string())
                .collect();
            if !words.is_empty() {
                let words: Vec<String> = words.into_iter().collect();
                found.insert(format!("{}  {}", step.migration.label(), words.join(", ")));
            }
        }
    }
    found.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_the_confirmation_gives_texts_that_are_taken() {
        let page = include_str!("../../../../docs/errors/TN-4004.md");
        let tenants = text_for(&[&TrackName::Tenant; 25]);
        let databases = text_for(&[&TrackName::Central; 25]);
        assert!(page.contains(&format!("--confirm \"{tenants}\"")), "{tenants}");
        assert!(page.contains(&format!("`{databases}`")), "{databases}");
        let asked = page.lines().filter(|line| line.contains("--confirm"));
        for line in asked.filter(|line| !line.contains("acme")) {
            assert!(line.contains(&tenants), "{line}");
        }
    }
}
