//! What a rollback of a run leaves in place: the databases of products that were not asked for.

use std::collections::BTreeSet;

use tenantry::TrackName;
use tenantry::fleet::Fleet;
use tenantry::plan::Goal;

use super::Context;
use crate::args::Back;
use crate::failure::CommandError;

/// Says which products keep what the run applied to their databases, and the command that takes that back.
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
    if !back.selection.product.is_empty() || back.central {
        return Ok(());
    }
    let mut products = BTreeSet::new();
    for run in chain {
        let targets = fleet.registry.targets_of(run).await?;
        products.extend(targets.into_iter().filter_map(|target| match target.track {
            TrackName::Product(product) if target.migrations > 0 => Some(product),
            TrackName::Product(_) | TrackName::Tenant | TrackName::Central | TrackName::Registry => None,
        }));
    }
    if products.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = products.iter().map(tenantry::ProductType::as_str).collect();
    context.say(&format!(
        "What it applied to the databases of {} stays:  tenantry {command} --product {}",
        names.join(", "),
        names.join(",")
    ));
    Ok(())
}
