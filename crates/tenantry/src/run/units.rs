//! Steps to units: what goes into one transaction. Pure.

use super::options::TransactionScope;
use crate::plan::{Plan, Step};

/// Groups a plan's steps. A step outside a transaction is always alone; a unit has one direction.
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

fn may_join(last: &Step, next: &Step) -> bool {
    let alone = |step: &Step| step.script().directives.no_transaction || step.interrupted.is_some();
    last.direction == next.direction && !alone(last) && !alone(next)
}
