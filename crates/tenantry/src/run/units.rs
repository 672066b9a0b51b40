//! Steps to units: what goes into one transaction. Pure.

use super::options::TransactionScope;
use crate::plan::{Plan, Step};

/// Groups a plan's steps. A step outside a transaction is always alone, and so is one that needs a session of its
/// own; a unit has one direction.
///
/// A database to which nothing was ever applied takes everything together: there is nothing that a
/// shorter transaction would protect, and it saves a commit for each migration.
pub(super) fn units(plan: Plan, scope: TransactionScope) -> Vec<Vec<Step>> {
    let together = plan.fresh || scope == TransactionScope::Target;
    let mut units: Vec<Vec<Step>> = Vec::new();
    for step in plan.steps {
        match units.last_mut() {
            Some(unit) if together && unit.last().is_some_and(|last| may_join(last, &step)) => {
                unit.push(step);
            }
            Some(_) | None => units.push(vec![step]),
        }
    }
    units
}

/// Returns whether a unit must not share its session with another.
pub(super) fn needs_own_session(unit: &[Step]) -> bool {
    unit.iter().any(|step| step.script().own_session)
}

fn may_join(last: &Step, next: &Step) -> bool {
    let alone = |step: &Step| {
        let script = step.script();
        script.directives.no_transaction || script.own_session || step.interrupted.is_some()
    };
    last.direction == next.direction && !alone(last) && !alone(next)
}

#[cfg(test)]
mod tests {
    use super::{needs_own_session, units};
    use crate::engine::Engine;
    use crate::history::History;
    use crate::migration::Track;
    use crate::plan::{Goal, plan};
    use crate::run::TransactionScope;
    use crate::target::TrackName;

    const FILES: [(&str, &str); 5] = [
        ("1_a.sql", "CREATE TABLE a (n INT)"),
        ("2_b.sql", "CREATE TABLE b (n INT)"),
        ("3_c.sql", "CREATE TEMPORARY TABLE c (n INT)"),
        ("4_d.sql", "CREATE TABLE d (n INT)"),
        ("5_e.sql", "CREATE TABLE e (n INT)"),
    ];

    /// Returns how many steps each unit has, and whether it needs a session of its own.
    fn cut(engine: Engine, scope: TransactionScope) -> Vec<(usize, bool)> {
        let track = Track::from_files(TrackName::Tenant, engine, &FILES).unwrap();
        let mut plan = plan(&track, &History::default(), &Goal::Head).unwrap();
        plan.fresh = scope == TransactionScope::Migration;
        let units = units(plan, scope);
        units
            .iter()
            .map(|unit| (unit.len(), needs_own_session(unit)))
            .collect()
    }

    #[test]
    fn a_step_that_needs_a_session_of_its_own_is_a_unit_of_its_own() {
        for scope in [TransactionScope::Migration, TransactionScope::Target] {
            let expect = [(2, false), (1, true), (2, false)];
            assert_eq!(cut(Engine::MySql, scope), expect);
            assert_eq!(cut(Engine::Postgres, scope), [(5, false)]);
            assert_eq!(cut(Engine::Sqlite, scope), [(5, false)]);
        }
    }
}
