//! The commands that take a decision about a history, for the targets that need one.

use tenantry::TrackName;
use tenantry::engine::StateAfter;
use tenantry::run::{Failure, TargetReport};

/// Returns what to do about a half-way migration that no run goes on with by itself.
pub(super) fn decision(failure: &Failure, targets: &[&TargetReport]) -> Vec<String> {
    if let StateAfter::SessionLost { done } = failure.state {
        let which = match done {
            1 => "statement 1".to_owned(),
            _ => format!("statements 1-{done}"),
        };
        return vec![
            format!(
                "undo by hand what {which} did in this database:  {}",
                mark(failure, targets, "--rolled-back")
            ),
            format!("or do the rest by hand:  {}", mark(failure, targets, "--applied")),
        ];
    }
    let at = failure.statement.map(|(at, _)| at);
    let which = at.map_or_else(|| "the statement".to_owned(), |at| format!("statement {at}"));
    let (Some(at), Some(evidence)) = (at, &failure.evidence) else {
        return vec![format!("decide about {which}:  {}", resolve(failure, targets))];
    };
    let decide = |flag: &str| {
        let command = resolve(failure, targets);
        format!("{command} --statement {at} {flag} --evidence {evidence} --reason \"<why>\"")
    };
    vec![
        format!(
            "look in the database; if {which} took effect:  {}",
            decide("--applied")
        ),
        format!("if it did not:  {}", decide("--not-applied")),
    ]
}

/// Returns what to do about a half-way migration whose file was edited where it has run.
pub(super) fn edited_half_way(failure: &Failure, targets: &[&TargetReport]) -> Vec<String> {
    vec![
        "put the statements that have run back as they were".to_owned(),
        format!(
            "or undo by hand what they did:  {}",
            mark(failure, targets, "--rolled-back")
        ),
    ]
}

/// Returns the line that shows once more what has to be decided.
pub(super) fn look_again(failure: &Failure, targets: &[&TargetReport]) -> String {
    format!("what is known now:  {}", resolve(failure, targets))
}

/// Returns the command that declares something about the migration of a failure.
pub(super) fn mark(failure: &Failure, targets: &[&TargetReport], flags: &str) -> String {
    let (version, whom) = (version(failure), whom(targets));
    format!("tenantry migrate mark {version} {flags} {whom} --reason \"<why>\"")
}

/// Returns the run forwards over these targets that asks each of them itself.
pub(super) fn run_live(targets: &[&TargetReport]) -> String {
    let whom = whom(targets);
    match targets.first().map(|target| &target.track) {
        Some(TrackName::Product(_)) => format!("tenantry migrate products --live {whom}"),
        Some(TrackName::Central | TrackName::Registry) => "tenantry migrate central --live".to_owned(),
        Some(TrackName::Tenant) | None if whom.starts_with("--") => {
            format!("tenantry migrate all-tenants --live {whom}")
        }
        Some(TrackName::Tenant) | None => format!("tenantry migrate tenant {whom} --live"),
    }
}

fn resolve(failure: &Failure, targets: &[&TargetReport]) -> String {
    format!("tenantry migrate resolve {} {}", whom(targets), version(failure))
}

fn version(failure: &Failure) -> &str {
    let label = failure.migration.as_deref().unwrap_or("<version>");
    label.split('_').next().unwrap_or(label)
}

/// Returns the words that choose those of the targets that share the first one's track: each by its name, however
/// many they are, because a decision is about them and nobody else.
fn whom(targets: &[&TargetReport]) -> String {
    let track = targets.first().map(|target| &target.track);
    let slugs: Vec<&str> = targets
        .iter()
        .filter(|target| Some(&target.track) == track)
        .filter_map(|target| target.owner.as_ref())
        .map(|owner| owner.slug.as_str())
        .collect();
    let several = match slugs.as_slice() {
        [] => "<slug>".to_owned(),
        many => many.join(","),
    };
    match (track, slugs.as_slice()) {
        (Some(TrackName::Product(product)), _) => format!("--only {several} --product {product}"),
        (Some(TrackName::Central | TrackName::Registry), _) => "--central".to_owned(),
        (Some(TrackName::Tenant) | None, [] | [_]) => several,
        (Some(TrackName::Tenant) | None, _) => format!("--only {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use tenantry::Code;

    #[test]
    fn targets_are_chosen_by_name_however_many_they_are() {
        let owned = |slug: &str| TargetReport {
            owner: Some(sample::owner(slug).into()),
            ..sample::failed(slug, Code(2011))
        };
        let all: Vec<TargetReport> = (0..12).map(|n| owned(&format!("t{n}"))).collect();
        let all: Vec<&TargetReport> = all.iter().collect();
        assert_eq!(whom(&all[..1]), "t0");
        assert_eq!(whom(&all[..3]), "--only t0,t1,t2");
        assert_eq!(whom(&all), "--only t0,t1,t2,t3,t4,t5,t6,t7,t8,t9,t10,t11");
        let kira = TargetReport {
            track: TrackName::Product("kira".parse().unwrap()),
            ..owned("acme")
        };
        assert_eq!(whom(&[&kira]), "--only acme --product kira");
    }
}
