//! Sessions that are in the way of failed targets, as facts of their message.

use tenantry::engine::{Certainty, Holder};
use tenantry::run::TargetReport;

use super::text;

/// How many targets have a line of their own before "and N more".
const TARGETS: usize = 5;

/// Returns who is in the way of targets that failed in the same way: at length where it is the same for all of
/// them, otherwise a line for each of the first five.
pub(super) fn facts(targets: &[&TargetReport]) -> Vec<(&'static str, String)> {
    let Some((first, others)) = targets.split_first() else {
        return Vec::new();
    };
    let is_alike = |other: &&TargetReport| other.server == first.server && holders(other) == holders(first);
    if others.iter().all(is_alike) {
        let all = holders(first).iter();
        return all
            .map(|holder| (in_the_way(holder.certainty), at_length(holder)))
            .collect();
    }
    let of = |certainty| Some((in_the_way(certainty), by_target(targets, certainty)?));
    [Certainty::Holds, Certainty::MayHold]
        .into_iter()
        .filter_map(of)
        .collect()
}

fn holders(target: &TargetReport) -> &[Holder] {
    target.failure.as_ref().map_or(&[], |failure| &failure.holders)
}

fn in_the_way(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Holds => "blocked by",
        Certainty::MayHold => "perhaps by",
    }
}

/// Writes a line for each target that has such holders; `None` if none has.
fn by_target(targets: &[&TargetReport], certainty: Certainty) -> Option<String> {
    let line = |target: &&TargetReport| {
        let mut held = holders(target)
            .iter()
            .filter(|holder| holder.certainty == certainty);
        let first = held.next()?;
        let others = match held.count() {
            0 => String::new(),
            more => format!(" and {} more", text::number(more)),
        };
        let parts = [who(first), does(first)];
        let told: Vec<&str> = parts
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        Some(format!("{}: {}{others}", target.label, told.join(" · ")))
    };
    let mut lines: Vec<String> = targets.iter().filter_map(line).collect();
    let more = lines.len().saturating_sub(TARGETS);
    lines.truncate(TARGETS);
    if more > 0 {
        lines.push(format!("… and {} more", text::number(more)));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Writes what the server shows of a session: of another role's it may be no more than the name.
fn at_length(holder: &Holder) -> String {
    let parts = [who(holder), does(holder), holder.statement.clone()];
    let told: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    told.join("\n")
}

fn who(holder: &Holder) -> String {
    let known = [
        Some(format!("pid {}", holder.pid)),
        named("", &holder.application),
        Some(format!("user {}", holder.user)),
        named("from ", &holder.from),
    ];
    known.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn does(holder: &Holder) -> String {
    let known = [named("", &holder.state), named("since ", &holder.since)];
    known.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn named(name: &str, value: &str) -> Option<String> {
    (!value.is_empty()).then(|| format!("{name}{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use tenantry::Code;

    fn holder(pid: i64) -> Holder {
        Holder {
            certainty: Certainty::Holds,
            pid,
            application: "psql".to_owned(),
            user: "app".to_owned(),
            from: "10.0.0.5:40332".to_owned(),
            state: "idle in transaction".to_owned(),
            since: "2026-03-14T09:30:00Z".to_owned(),
            statement: "SELECT 1".to_owned(),
        }
    }

    fn blocked(label: &str, by: &[Holder]) -> TargetReport {
        let mut target = sample::failed(label, Code(4001));
        by.clone_into(&mut target.failure.as_mut().unwrap().holders);
        target
    }

    fn facts_of(targets: &[TargetReport]) -> Vec<(&'static str, String)> {
        facts(&targets.iter().collect::<Vec<_>>())
    }

    #[test]
    fn who_is_in_the_way_is_told_in_short_lines() {
        let mut holder = holder(7);
        assert_eq!(
            at_length(&holder),
            "pid 7 · psql · user app · from 10.0.0.5:40332\n\
             idle in transaction · since 2026-03-14T09:30:00Z\n\
             SELECT 1"
        );
        for unknown in [
            &mut holder.application,
            &mut holder.from,
            &mut holder.state,
            &mut holder.since,
            &mut holder.statement,
        ] {
            unknown.clear();
        }
        assert_eq!(at_length(&holder), "pid 7 · user app");
    }

    #[test]
    fn the_same_session_in_the_way_of_all_is_told_once() {
        let told = facts_of(&[blocked("acme", &[holder(7)]), blocked("globex", &[holder(7)])]);
        assert_eq!(told, [("blocked by", at_length(&holder(7)))]);
    }

    #[test]
    fn different_sessions_are_told_of_each_target() {
        let may = Holder {
            certainty: Certainty::MayHold,
            ..holder(9)
        };
        let told = facts_of(&[
            blocked("acme", &[holder(7)]),
            blocked("globex", &[holder(8), holder(10)]),
            blocked("initech", &[may]),
            blocked("umbrella", &[]),
        ]);
        let rest = "psql · user app · from 10.0.0.5:40332 · idle in transaction · since 2026-03-14T09:30:00Z";
        assert_eq!(
            told,
            [
                (
                    "blocked by",
                    format!("acme: pid 7 · {rest}\nglobex: pid 8 · {rest} and 1 more")
                ),
                ("perhaps by", format!("initech: pid 9 · {rest}")),
            ]
        );
    }

    #[test]
    fn one_pid_on_two_servers_is_two_sessions() {
        let mut other = blocked("globex", &[holder(7)]);
        other.server = "us-db-1".parse().ok();
        let told = facts_of(&[blocked("acme", &[holder(7)]), other]);
        assert!(told[0].1.starts_with("acme: pid 7 ·"), "{told:?}");
    }

    #[test]
    fn only_the_first_targets_have_a_line() {
        let all: Vec<TargetReport> = (1..=8).map(|n| blocked(&format!("t{n}"), &[holder(n)])).collect();
        let told = facts_of(&all);
        let lines: Vec<&str> = told[0].1.lines().collect();
        assert_eq!((told.len(), lines.len()), (1, 6));
        assert_eq!(lines[5], "… and 3 more");
    }
}
