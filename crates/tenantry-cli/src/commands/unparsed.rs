//! Command lines that cannot be understood, and the help and version that the parser prints itself.

use clap::error::ErrorKind;
use tenantry::Code;

use super::{Context, Format, document};
use crate::argv;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{self, out};

/// Answers what clap did not accept, and the help and version that it prints itself.
pub(super) fn answer(context: &Context, error: &clap::Error) -> Result<Exit, CommandError> {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let name = if error.kind() == ErrorKind::DisplayHelp {
            "help"
        } else {
            "version"
        };
        asked(context, name, text.trim_end())?;
        return Ok(Exit::Done);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        out::say(text.trim_end());
        let missing = usage("there is no command");
        return if context.format == Format::Human {
            Ok(Exit::Usage)
        } else {
            Err(missing)
        };
    }
    Err(refused_by_parser(&text))
}

/// Prints help or version; with `--json` as the one field of a document, because stdout is nothing but JSON
/// then.
fn asked(context: &Context, name: &str, text: &str) -> Result<(), CommandError> {
    match context.format {
        Format::Human => document(text),
        Format::Json | Format::Ndjson => {
            let text = text.strip_prefix("tenantry ").unwrap_or(text);
            document(&render::json(&serde_json::json!({ name: text })))
        }
    }
}

/// Takes the parser's text apart: its first line, what it says of the right form, and whose help to read.
fn refused_by_parser(text: &str) -> CommandError {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let title = lines.next().unwrap_or_default();
    let mut title = title.strip_prefix("error: ").unwrap_or(title).to_owned();
    let mut facts = Vec::new();
    let mut help = "tenantry --help".to_owned();
    for line in lines.filter(|line| !line.starts_with("For more information")) {
        if let Some(form) = line.strip_prefix("Usage: ") {
            let command = form
                .split([' ', '\n'])
                .take_while(|w| !w.starts_with(['[', '<', '-']));
            help = format!("{} --help", command.collect::<Vec<_>>().join(" "));
            facts.push(("usage", form.to_owned()));
        } else if let Some(tip) = line.strip_prefix("tip: ") {
            facts.push(("tip", tip.to_owned()));
        } else if let Some(values) = line.strip_prefix("[possible values: ") {
            facts.push(("values", values.trim_end_matches(']').to_owned()));
        } else {
            title = format!("{title} {line}");
        }
    }
    let made = facts
        .into_iter()
        .fold(usage(title), |made, (name, text)| made.fact(name, text));
    made.help(help)
}

/// The command line is not one that we understand.
pub(super) fn usage(title: impl Into<String>) -> CommandError {
    CommandError::new(Exit::Usage, title).code(Code(1011))
}

/// A word of another tool.
pub(super) fn foreign(word: &str) -> CommandError {
    let title = format!(
        "no command \"{word}\". In tenantry this is:  {}",
        argv::MIGRATE_EVERYONE
    );
    usage(title).help(argv::MIGRATE_EVERYONE)
}
