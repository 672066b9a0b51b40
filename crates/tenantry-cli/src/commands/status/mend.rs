//! What has to be mended before a run is worth another try.

use tenantry::Code;
use tenantry::fleet::Fleet;
use tenantry::registry::{FleetStatus, Reason, StatusGroup};
use tenantry::run::Outcome;

use super::gather::{NOT_PROVISIONED, ShownTarget};
use crate::failure::CommandError;
use crate::render::advice::{code_to_explain, is_first_to_mend};

/// Returns what is to be mended first, by name; `None` where a run is all that is needed. Databases that are not named
/// are asked for only if one of them has it.
///
/// # Errors
/// What the registry says.
pub(super) async fn of_fleet(
    fleet: &Fleet,
    status: &FleetStatus,
    named: &[ShownTarget],
) -> Result<Option<Code>, CommandError> {
    let is_named = status.needing() == u64::try_from(named.len()).unwrap_or(u64::MAX);
    let reasons = status.groups.iter().map(StatusGroup::reason);
    let to_mend = reasons.filter(|reason| {
        let left = !reason.outcome.is_some_and(Outcome::is_success);
        left && code_to_explain(reason.outcome, reason.error_code).is_some_and(is_first_to_mend)
    });
    let to_mend: Vec<Reason> = to_mend.collect();
    let first = self::first(named);
    // Those that are not there come behind all others.
    if is_named || to_mend.is_empty() || first.is_some_and(|code| code != NOT_PROVISIONED) {
        return Ok(first);
    }
    let found = fleet.registry.first_left_by(&to_mend).await?;
    Ok(found
        .and_then(|found| code_to_explain(found.outcome, found.error_code))
        .or(first))
}

/// Returns the first code of databases, in this order, that is to be mended before a run; `None` if there is none.
pub(super) fn first(targets: &[ShownTarget]) -> Option<Code> {
    let mut codes = targets.iter().filter_map(|target| target.number);
    codes.find(|code| is_first_to_mend(*code))
}
