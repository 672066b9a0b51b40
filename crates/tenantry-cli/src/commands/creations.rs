//! One creation from a command: signals, progress, and how it is continued.

use tenantry::provision::{ProvisionError, ProvisionEvent, Watch};
use tenantry::run::Control;
use tokio::sync::mpsc::unbounded_channel;

use super::{Context, errors, runs};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::interrupt::Asked;
use crate::render::{CreationView, Shown};

/// What is created, and how it is continued.
pub(super) struct Creation<'a> {
    /// What it is: `acme`, `acme/kira`.
    pub(super) label: String,
    /// The command that continues it.
    pub(super) again: String,
    /// Where it happens.
    pub(super) project: &'a Project,
}

/// Carries a creation out and shows its progress; returns what it made and what was told.
///
/// # Errors
/// What a step says. Exit 130 or 143 if a signal ended it: the same command continues.
pub(super) async fn carry_out<T, F>(
    context: &Context,
    creation: &Creation<'_>,
    work: impl FnOnce(Watch) -> F,
) -> Result<(T, Shown), CommandError>
where
    F: Future<Output = Result<T, ProvisionError>>,
{
    let (events, heard) = unbounded_channel::<ProvisionEvent>();
    let (tell, notices) = unbounded_channel();
    let (control, asked) = (Control::default(), Asked::default());
    let grace = creation.project.settings.grace;
    let stopping = runs::signals()?.stop(control.clone(), asked.clone(), grace, tell);
    let view = CreationView::new(&context.globals, &context.canvas, &creation.label);
    let working = async { tokio::join!(work(Watch { control, events }), view.follow(heard, notices)) };
    tokio::select! {
        (made, shown) = working => match made {
            Ok(made) => Ok((made, shown)),
            Err(error) => {
                let exit = asked.exit().unwrap_or(Exit::Stopped);
                let stopped = matches!(error, ProvisionError::Stopped { .. });
                let made = errors::of_provision(error, &creation.again);
                Err(if stopped { CommandError { exit, ..made } } else { made })
            }
        },
        exit = stopping => Err(left_at_once(exit, &creation.again)),
    }
}

fn left_at_once(exit: Exit, again: &str) -> CommandError {
    runs::left_at_once(exit)
        .fact(
            "state",
            "what was made is kept, and the same command continues it",
        )
        .help(format!("then it goes on:  {again}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_that_was_left_at_once_says_what_is_true_now() {
        let left = left_at_once(Exit::Interrupted, "tenantry tenant create acme");
        assert!(left.message.facts.iter().any(|(name, _)| *name == "state"));
        assert!(
            left.message
                .help
                .iter()
                .any(|line| line.contains("tenant create acme"))
        );
    }
}
