//! Sessions that are in the way of failed targets, as facts of their message.

use tenantry::engine::{Certainty, Hidden, Holder};
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
    let is_alike = |other: &&TargetReport| other.server == first.server && are_same(other, first);
    if others.iter().all(is_alike) {
        let is_one = others.iter().all(|other| holders(other) == holders(first));
        let whom = if is_one { Whom::Account } else { Whom::Several };
        let all = holders(first).iter();
        return all
            .map(|holder| (in_the_way(holder.certainty), at_length(holder, whom)))
            .collect();
    }
    let of = |label| Some((label, by_target(targets, label)?));
    ["blocked by", "perhaps by"].into_iter().filter_map(of).collect()
}

/// To whom something is not shown.
#[derive(Clone, Copy)]
enum Whom {
    /// The account that the holder tells.
    Account,
    /// The accounts of several tenants.
    Several,
}

/// Whether the same sessions are in the way of both. Each tenant has an account of its own that may not see them.
fn are_same(one: &TargetReport, other: &TargetReport) -> bool {
    let of = |target| {
        let unaccounted = |holder: &Holder| Holder {
            hidden: holder.hidden.as_ref().map(|hidden| Hidden {
                account: String::new(),
                ..hidden.clone()
            }),
            ..holder.clone()
        };
        holders(target).iter().map(unaccounted).collect::<Vec<_>>()
    };
    of(one) == of(other)
}

fn holders(target: &TargetReport) -> &[Holder] {
    target.failure.as_ref().map_or(&[], |failure| &failure.holders)
}

fn in_the_way(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Holds | Certainty::Hidden => "blocked by",
        Certainty::MayHold => "perhaps by",
    }
}

/// Writes a line for each target that has holders under this label; `None` if none has.
fn by_target(targets: &[&TargetReport], label: &str) -> Option<String> {
    let line = |target: &&TargetReport| {
        let mut held = holders(target)
            .iter()
            .filter(|holder| in_the_way(holder.certainty) == label);
        let first = held.next()?;
        let others = match held.count() {
            0 => String::new(),
            more => format!(" and {} more", text::number(more)),
        };
        let parts = [who(first), does(first), unseen(first, Whom::Account)];
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
fn at_length(holder: &Holder, whom: Whom) -> String {
    let parts = [
        who(holder),
        does(holder),
        holder.statement.clone(),
        unseen(holder, whom),
    ];
    let told: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    told.join("\n")
}

/// Says who may not see something of a session, and what would show it; empty if nothing is kept back.
fn unseen(holder: &Holder, whom: Whom) -> String {
    let Some(Hidden { account, right }) = &holder.hidden else {
        return String::new();
    };
    let whom = match whom {
        Whom::Account => account,
        Whom::Several => "the tenants' accounts",
    };
    match holder.certainty {
        Certainty::Hidden => {
            format!("no session here that {whom} may see; GRANT {right} shows those of other accounts")
        }
        Certainty::Holds | Certainty::MayHold => {
            format!("what it does is hidden from {whom}; GRANT {right} shows it")
        }
    }
}

fn who(holder: &Holder) -> String {
    let pid = match holder.certainty {
        Certainty::Holds | Certainty::MayHold => Some(format!("pid {}", holder.pid)),
        Certainty::Hidden => None,
    };
    let known = [
        pid,
        named("", &holder.application),
        named("user ", &holder.user),
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
            hidden: None,
        }
    }

    fn blocked(label: &str, by: &[Holder]) -> TargetReport {
        let mut target = sample::failed(label, Code(4001));
        by.clone_into(&mut std::sync::Arc::make_mut(target.failure.as_mut().unwrap()).holders);
        target
    }

    fn facts_of(targets: &[TargetReport]) -> Vec<(&'static str, String)> {
        facts(&targets.iter().collect::<Vec<_>>())
    }

    #[test]
    fn who_is_in_the_way_is_told_in_short_lines() {
        let mut holder = holder(7);
        assert_eq!(
            at_length(&holder, Whom::Account),
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
        assert_eq!(at_length(&holder, Whom::Account), "pid 7 · user app");
        holder.hidden = Some(Hidden {
            account: "tenant_a".to_owned(),
            right: "pg_read_all_stats".into(),
        });
        assert_eq!(
            at_length(&holder, Whom::Account),
            "pid 7 · user app\nwhat it does is hidden from tenant_a; GRANT pg_read_all_stats shows it"
        );
    }

    #[test]
    fn that_nobody_may_be_seen_is_told_once_for_all_tenants() {
        let nobody = |account: &str| Holder {
            certainty: Certainty::Hidden,
            pid: 0,
            application: String::new(),
            user: String::new(),
            from: String::new(),
            state: String::new(),
            since: String::new(),
            statement: String::new(),
            hidden: Some(Hidden {
                account: account.to_owned(),
                right: "PROCESS".into(),
            }),
        };
        let acme = blocked("acme", &[nobody("tenant_a")]);
        let shows = "may see; GRANT PROCESS shows those of other accounts";
        let one = facts_of(std::slice::from_ref(&acme));
        assert_eq!(
            one,
            [("blocked by", format!("no session here that tenant_a {shows}"))]
        );
        let both = facts_of(&[acme, blocked("globex", &[nobody("tenant_b")])]);
        let expect = format!("no session here that the tenants' accounts {shows}");
        assert_eq!(both, [("blocked by", expect)]);
    }

    #[test]
    fn the_same_session_in_the_way_of_all_is_told_once() {
        let told = facts_of(&[blocked("acme", &[holder(7)]), blocked("globex", &[holder(7)])]);
        assert_eq!(told, [("blocked by", at_length(&holder(7), Whom::Account))]);
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
