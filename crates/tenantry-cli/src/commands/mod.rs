//! From arguments to an exit code: parses, dispatches, and says what went wrong.

mod completions;
mod config;
mod explain;
mod init;
mod make;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;
use serde::Serialize;

use crate::args::{Cli, Command, ConfigCommand, Globals, MigrateCommand};
use crate::argv::{self, Argv};
use crate::config::{Environment, Project};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{self, Canvas, Paint, Problem, out};

/// What form the answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// What every command is given besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context {
    /// The flags that all commands take.
    pub(crate) globals: Globals,
    /// The environment of the process.
    pub(crate) environment: Environment,
    /// What stderr is drawn for.
    pub(crate) canvas: Canvas,
    /// What form the answer has.
    pub(crate) format: Format,
}

impl Context {
    fn new(globals: Globals, environment: Environment, format: Format) -> Self {
        let paint = Paint::decide(globals.color.unwrap_or_default(), &environment);
        let canvas = Canvas {
            width: render::width(),
            paint,
        };
        Self {
            globals,
            environment,
            canvas,
            format,
        }
    }

    /// Finds and reads the project.
    ///
    /// # Errors
    /// TN-1001, TN-1003 or TN-1007.
    pub(crate) fn project(&self) -> Result<Project, CommandError> {
        Project::load(&self.globals, self.environment.clone())
    }

    /// Prints the answer: text for people, or the same as JSON.
    pub(crate) fn answer(&self, human: &str, json: &impl Serialize) {
        match self.format {
            Format::Human => out::answer(human),
            Format::Json | Format::Ndjson => out::answer(&render::json(json)),
        }
    }

    /// Says something beside the answer, unless `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.globals.quiet {
            out::say(text);
        }
    }

    fn fail(&self, error: &CommandError) -> Exit {
        out::say(&render::ending(&error.message, error.exit, self.canvas));
        if self.format != Format::Human {
            out::answer(&render::json(&Problem::new(&error.message, error.exit)));
        }
        error.exit
    }
}

/// Carries a command line out. The first argument is the program's name.
pub(crate) fn run(arguments: Vec<OsString>) -> Exit {
    let format = if argv::wants_json(&arguments) {
        Format::Json
    } else {
        Format::Human
    };
    let early = |error: &CommandError| {
        let globals = Globals::default();
        Context::new(globals, Environment::of_process(), format).fail(error)
    };
    match argv::read(arguments) {
        Argv::Foreign(word) => early(&foreign(&word)),
        Argv::ExitCodes => {
            out::answer(&exit_codes());
            Exit::Done
        }
        Argv::Parse(arguments) => match Cli::try_parse_from(arguments) {
            Ok(cli) => parsed(cli),
            Err(error) => unparsed(&error, format),
        },
    }
}

fn parsed(cli: Cli) -> Exit {
    let format = match (cli.globals.json, cli.globals.ndjson) {
        (false, false) => Format::Human,
        (true, _) => Format::Json,
        (false, true) => Format::Ndjson,
    };
    let context = Context::new(cli.globals, Environment::of_process(), format);
    match dispatch(&context, cli.command) {
        Ok(exit) => exit,
        Err(error) => context.fail(&error),
    }
}

fn dispatch(context: &Context, command: Command) -> Result<Exit, CommandError> {
    match command {
        Command::Init { folder, engine } => init::run(context, folder, engine),
        Command::Explain { code } => explain::run(context, &code),
        Command::Completions { shell } => Ok(completions::run(context, shell)),
        Command::Config(ConfigCommand::Show { origin }) => config::show(context, origin.into()),
        Command::Config(ConfigCommand::Check) => config::check(context),
        Command::Config(ConfigCommand::Schema) => Ok(config::schema()),
        Command::Migrate(MigrateCommand::Make(make)) => make::run(context, &make),
        Command::Migrate(_)
        | Command::Demo { .. }
        | Command::Server(_)
        | Command::Tenant(_)
        | Command::Product(_) => {
            let title = "this command is not available in this build";
            Err(CommandError::new(Exit::Internal, title).fact("state", "nothing ran"))
        }
    }
}

/// Answers what clap did not accept, and the help and version that it prints itself.
fn unparsed(error: &clap::Error, format: Format) -> Exit {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        out::answer(text.trim_end());
        return Exit::Done;
    }
    out::say(text.trim_end());
    if format != Format::Human {
        let title = text.lines().next().unwrap_or_default();
        let title = title.strip_prefix("error: ").unwrap_or(title);
        let refused = CommandError::new(Exit::Usage, title).help("tenantry --help");
        out::answer(&render::json(&Problem::new(&refused.message, Exit::Usage)));
    }
    Exit::Usage
}

fn foreign(word: &str) -> CommandError {
    let title = format!(
        "no command \"{word}\". In tenantry this is:  {}",
        argv::MIGRATE_EVERYONE
    );
    CommandError::new(Exit::Usage, title).help(argv::MIGRATE_EVERYONE)
}

fn exit_codes() -> String {
    let row = |exit: Exit| format!("{:>4}  {:14} {}", exit.code(), exit.name(), exit.when());
    let rows: Vec<_> = Exit::ALL.into_iter().map(row).collect();
    format!(
        "Exit codes. Unknown ones must be treated as failure.\n\n{}",
        rows.join("\n")
    )
}
