//! `completions`: the script that teaches a shell our commands, colon names included.

use std::io::IsTerminal as _;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Context, Format, document};
use crate::args::Cli;
use crate::argv::ALIASES;
use crate::exit::Exit;
use crate::failure::CommandError;

/// Prints a shell's completion script on stdout.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn run(context: &Context, shell: Shell) -> Result<Exit, CommandError> {
    let mut command = Cli::command();
    let migrate = command.find_subcommand("migrate").cloned();
    for (alias, name) in ALIASES {
        let aliased = migrate.as_ref().and_then(|migrate| migrate.find_subcommand(name));
        if let Some(aliased) = aliased {
            command = command.subcommand(aliased.clone().name(alias));
        }
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "tenantry", &mut script);
    let script = String::from_utf8_lossy(&script);
    if context.format == Format::Human {
        document(script.trim_end())?;
    } else {
        let shown = serde_json::json!({ "shell": shell.to_string(), "script": script });
        context.answer("", &shown)?;
    }
    if std::io::stderr().is_terminal() {
        context.say(&format!(
            "Written for {shell}. Start a new shell, then try:  tenantry migrate <TAB>"
        ));
    }
    Ok(Exit::Done)
}
