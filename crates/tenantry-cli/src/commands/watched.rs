//! One declaration from a command: signals, and what is shown while it waits.

use tenantry::fleet::FleetError;
use tenantry::run::{Control, Watch};
use tokio::sync::mpsc::unbounded_channel;

use super::{Context, runs};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::interrupt::Asked;
use crate::render::DeclaringView;

/// Carries out work that declares or asks something, stopped by signals as a run is; returns what it made, and the
/// exit code of the first signal if one came. `again` is the command that finishes it.
///
/// # Errors
/// What the work says; TN-4006 if the third signal ended it.
pub(super) async fn watched<T, F>(
    context: &Context,
    project: &Project,
    again: &str,
    work: impl FnOnce(Watch) -> F,
) -> Result<(T, Option<Exit>), CommandError>
where
    F: Future<Output = Result<T, FleetError>>,
{
    let (events, heard) = unbounded_channel();
    let (tell, notices) = unbounded_channel();
    let (control, asked) = (Control::default(), Asked::default());
    let stopping = runs::signals()?.stop(control.clone(), asked.clone(), project.settings.grace, tell);
    let view = DeclaringView::new(&context.globals, &context.canvas);
    let working = async {
        let (made, ()) = tokio::join!(work(Watch { control, events }), view.follow(heard, notices));
        made
    };
    tokio::select! {
        made = working => Ok((made?, asked.exit())),
        exit = stopping => Err(runs::left_at_once(exit)
            .fact("state", "each history says whether it was written; the registry does not know the end")
            .help(format!("the same again finishes it:  {again}"))),
    }
}
