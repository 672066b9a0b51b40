//! Asking for a text that shows that somebody knows what they are about to lose.

use std::io::IsTerminal as _;

use super::Context;
use crate::exit::Exit;
use crate::failure::CommandError;

/// What is lost, and the text that has to be typed for it.
#[derive(Debug)]
pub(super) struct Confirmation<'a> {
    /// The text.
    pub(super) wanted: &'a str,
    /// The text that a flag gave.
    pub(super) given: Option<&'a str>,
    /// The question on a terminal, without the text.
    pub(super) question: &'a str,
    /// What is refused where nobody can be asked, and no flag gave a text.
    pub(super) missing: String,
    /// What is lost, a line each.
    pub(super) loses: Vec<String>,
    /// What is true if it is refused.
    pub(super) state: &'static str,
}

impl Confirmation<'_> {
    /// Asks on a terminal unless the flag gave a text.
    ///
    /// # Errors
    /// TN-4004 if the text is another one, or nobody can be asked.
    pub(super) fn require(self, context: &Context) -> Result<(), CommandError> {
        let wanted = self.wanted;
        let given = match self.given {
            Some(text) => Some(text.to_owned()),
            None if context.globals.no_input || !std::io::stdin().is_terminal() => None,
            None => {
                for lost in &self.loses {
                    context.say(&crate::render::text::printable(&format!("  {lost}")));
                }
                dialoguer::Input::<String>::new()
                    .with_prompt(format!("{} Type  {wanted}  to go on", self.question))
                    .allow_empty(true)
                    .interact_text()
                    .ok()
            }
        };
        if given.as_deref() == Some(wanted) {
            return Ok(());
        }
        let title = match given {
            Some(_) => "the confirmation is not the text that was asked for".to_owned(),
            None => self.missing,
        };
        let mut error = CommandError::new(Exit::Refused, title).code(tenantry::Code(4004));
        for lost in self.loses.into_iter().take(5) {
            error = error.fact("loses", lost);
        }
        Err(error
            .fact("state", self.state)
            .help(format!("the same command with  --confirm \"{wanted}\"")))
    }
}
