//! What a rollback of a run leaves in place: the central database, and those of products that were not asked for.

use std::collections::BTreeSet;

use tenantry::TrackName;
use tenantry::fleet::Fleet;
use tenantry::plan::Goal;

use super::Context;
use crate::args::Back;
use crate::failure::CommandError;

/// Says that the central database or which products keep what the run applied there, and the commands that take
/// that back.
///
/// # Errors
/// What the registry says.
pub(super) async fn tell(
    context: &Context,
    fleet: &Fleet,
    back: &Back,
    (goal, command): (&Goal, &str),
) -> Result<(), CommandError> {
    let Goal::BackRuns(chain) = goal else {
        return Ok(());
    };
    if !back.whom.selection.product.is_empty() || back.whom.central {
        return Ok(());
    }
    let mut tracks = BTreeSet::new();
    for run in chain {
        let targets = fleet.registry.targets_of(run).await?;
        let changed = targets.into_iter().filter(|target| target.migrations > 0);
        tracks.extend(changed.map(|target| target.track));
    }
    if let (true, Some(first)) = (tracks.contains(&TrackName::Central), chain.first()) {
        context.say(&format!(
            "What it applied to the central database stays:  tenantry migrate rollback --central --run {first}"
        ));
    }
    let products = tracks.iter().filter_map(|track| match track {
        TrackName::Product(product) => Some(product),
        TrackName::Tenant | TrackName::Central | TrackName::Registry => None,
    });
    let names: Vec<&str> = products.map(tenantry::ProductType::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    context.say(&format!(
        "What it applied to the databases of {} stays:  tenantry {command} --product {}",
        names.join(", "),
        names.join(",")
    ));
    Ok(())
}
