//! From arguments to an exit code: parses, dispatches, and says what went wrong.

mod again;
mod annotate;
mod audit;
mod completions;
mod config;
mod confirm;
mod creations;
mod declared;
mod demo;
mod errors;
mod explain;
mod files;
mod import;
mod init;
mod kept;
mod key;
mod lifecycle;
mod look;
mod loss;
mod make;
mod mark;
mod migrate;
mod opened;
mod plan_file;
mod planned;
mod plans;
mod product;
mod resolve;
mod resume;
mod rollback;
mod run;
mod runs;
mod saved;
mod secret;
mod server;
mod status;
mod tenant;
mod unparsed;
mod verify;
mod watched;
mod whom;

use std::ffi::OsString;

use clap::Parser as _;
use serde::Serialize;

use tenantry::Code;
use tenantry::fleet::Tiers;
use tenantry::migration::Warning;
use tenantry::registry::{Draining, Which};
use tenantry::run::Wanted;

use crate::args::{
    Chosen, Cli, Command, ConfigCommand, Globals, KeyCommand, Many, MigrateCommand, ProductCommand,
    RunCommand, SecretCommand, ServerCommand, TenantCommand,
};
use crate::argv::{self, Argv};
use crate::config::{Environment, Project};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{self, Answers, Canvas, Invocation, Paint, Problem, out};

use unparsed::usage;

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
            invocation: Invocation::of(&globals, &environment),
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

    /// Prints the answer: text for people unless `--quiet`, or the same as JSON. Commands in the text get
    /// the flags that lead to the project.
    ///
    /// # Errors
    /// TN-1009 if it cannot be written.
    pub(crate) fn answer(&self, human: &str, json: &impl Serialize) -> Result<(), CommandError> {
        match self.format {
            Format::Human if self.globals.quiet => Ok(()),
            Format::Human => document(&self.fill(human)),
            Format::Json | Format::Ndjson => out::answer_json(json).map_err(|error| unwritten(&error)),
        }
    }

    /// Prints the answer of something that took steps: the last line of its stream, if it has one.
    ///
    /// # Errors
    /// TN-1009 if it, or a line before it, cannot be written.
    pub(crate) fn end(
        &self,
        mut stream: Answers,
        human: &str,
        json: &impl Serialize,
    ) -> Result<(), CommandError> {
        if self.format != Format::Ndjson {
            return self.answer(human, json);
        }
        stream.event(json);
        stream.end().map_err(|error| unwritten(&error))
    }

    /// Prints the answer; nothing at all for people where there is nothing to list.
    ///
    /// # Errors
    /// TN-1009 if it cannot be written.
    pub(crate) fn answer_unless_empty(&self, human: &str, json: &impl Serialize) -> Result<(), CommandError> {
        if self.format != Format::Human || !human.is_empty() {
            self.answer(human, json)?;
        }
        Ok(())
    }

    /// The same command as if it had been given with `-C` and this folder.
    pub(crate) fn in_folder(&self, folder: &std::path::Path) -> Self {
        let globals = Globals {
            dir: Some(folder.to_owned()),
            config: None,
            ..self.globals.clone()
        };
        Self::new(globals, self.environment.clone(), self.format)
    }

    /// Puts the flags that lead to the project into the commands of a text.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.canvas.invocation.fill(text)
    }

    /// Says something beside the answer, unless `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.globals.quiet {
            out::say(&self.fill(text));
        }
    }

    /// Says what may not do what its author thinks, unless `--quiet`.
    pub(crate) fn warn(&self, warnings: &[Warning]) {
        if let Some(drawn) = render::warnings(warnings, &self.canvas) {
            self.say(&format!("{drawn}\n"));
        }
    }

    fn fail(&self, error: &CommandError) -> Exit {
        out::say(&render::ending(&error.message, error.exit, &self.canvas));
        if self.format != Format::Human {
            let problem = Problem::new(&error.message, error.exit, &self.canvas.invocation);
            // The message above is on stderr already.
            drop(out::answer(&render::json(&problem)));
        }
        error.exit
    }
}

/// Prints a text that was asked for as it is, `--quiet` or not: a script, a schema, a page.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn document(text: &str) -> Result<(), CommandError> {
    out::answer(text).map_err(|error| unwritten(&error))
}

/// The answer did not reach stdout.
pub(super) fn unwritten(error: &std::io::Error) -> CommandError {
    CommandError::new(Exit::Internal, "the answer cannot be written")
        .code(Code(1009))
        .fact("cause", error.to_string())
        .fact("state", "the command did its work; only its answer is lost")
}

/// Carries a command line out. The first argument is the program's name.
pub(crate) fn run_line(arguments: Vec<OsString>) -> Exit {
    let format = if argv::wants_json(&arguments) {
        Format::Json
    } else {
        Format::Human
    };
    // What can be said before the flags are known.
    let early = || Context::new(Globals::default(), Environment::of_process(), format);
    match argv::read(arguments) {
        Argv::Foreign(word) => early().fail(&unparsed::foreign(&word)),
        Argv::ExitCodes => {
            let context = early();
            finish(&context, exit_codes(&context))
        }
        Argv::Parse(arguments) => match Cli::try_parse_from(arguments) {
            Ok(cli) => parsed(cli),
            Err(error) => {
                let context = early();
                finish(&context, unparsed::answer(&context, &error))
            }
        },
    }
}

fn finish(context: &Context, ended: Result<Exit, CommandError>) -> Exit {
    ended.unwrap_or_else(|error| context.fail(&error))
}

fn parsed(cli: Cli) -> Exit {
    let format = match (cli.globals.json, cli.globals.ndjson) {
        (false, false) => Format::Human,
        (true, _) => Format::Json,
        (false, true) => Format::Ndjson,
    };
    crate::log::begin(cli.globals.verbose);
    let context = Context::new(cli.globals, Environment::of_process(), format);
    finish(&context, dispatch(&context, cli.command))
}

fn dispatch(context: &Context, command: Command) -> Result<Exit, CommandError> {
    match command {
        Command::Init { folder, engine } => init::run(context, folder, engine),
        Command::Explain { code } => explain::run(context, &code),
        Command::Completions { shell } => completions::run(context, shell),
        Command::Config(ConfigCommand::Show { origin }) => config::show(context, origin.into()),
        Command::Config(ConfigCommand::Check) => config::check(context),
        Command::Config(ConfigCommand::Schema) => config::schema(context),
        Command::Demo { folder } => demo::run(context, folder),
        Command::Migrate(command) => migrate(context, command),
        Command::Run(command) => run_command(context, command),
        Command::Server(ServerCommand::Add(add)) => server::add(context, &add),
        Command::Server(ServerCommand::List) => server::list(context),
        Command::Server(ServerCommand::Set(set)) => server::set(context, &set),
        Command::Server(ServerCommand::Drain { name, undo }) => {
            let draining = if undo { Draining::Ends } else { Draining::Begins };
            server::drain(context, &name, draining)
        }
        Command::Server(ServerCommand::Check { name }) => server::check(context, name.as_ref()),
        Command::Tenant(command) => tenant_command(context, command),
        Command::Secret(SecretCommand::Rotate(asked)) => secret::rotate(context, &asked),
        Command::Audit(command) => audit::run(context, &command),
        Command::Key(KeyCommand::List) => key::list(context),
        Command::Key(KeyCommand::Rotate) => key::rotate(context),
        Command::Key(KeyCommand::Rewrap) => key::rewrap(context),
        Command::Key(KeyCommand::Destroy { id }) => key::destroy(context, id),
        Command::Product(ProductCommand::Provision(asked)) => product::provision(context, &asked),
        Command::Product(ProductCommand::List { selection }) => product::list(context, &selection),
        Command::Product(ProductCommand::Delete(asked)) => lifecycle::delete_product(context, &asked),
        Command::Product(ProductCommand::Restore(asked)) => lifecycle::restore_product(context, &asked),
    }
}

fn tenant_command(context: &Context, command: TenantCommand) -> Result<Exit, CommandError> {
    match command {
        TenantCommand::Create(create) => tenant::create(context, &create),
        TenantCommand::Import(asked) => import::run(context, &asked),
        TenantCommand::List { selection } => tenant::list(context, &selection),
        TenantCommand::Show { tenant } => tenant::show(context, &tenant),
        TenantCommand::Ready { tenant, product } => tenant::ready(context, &tenant, product.as_ref()),
        TenantCommand::Suspend(asked) => lifecycle::suspend(context, &asked),
        TenantCommand::Activate(asked) => lifecycle::activate(context, &asked),
        TenantCommand::Rename(asked) => lifecycle::rename(context, &asked),
        TenantCommand::Delete(asked) => lifecycle::delete_tenant(context, &asked),
        TenantCommand::Restore(asked) => lifecycle::restore_tenant(context, &asked),
        TenantCommand::Purge => lifecycle::purge(context),
    }
}

fn migrate(context: &Context, command: MigrateCommand) -> Result<Exit, CommandError> {
    match command {
        MigrateCommand::Make(make) => make::run(context, &make),
        MigrateCommand::Plan {
            selection,
            to,
            live,
            exit_code,
            out,
        } => {
            let tiers = if selection.product.is_empty() {
                Tiers::Both
            } else {
                Tiers::Products
            };
            let question = plans::Question {
                chosen: &selection,
                to,
                tiers,
                live,
                out: out.as_deref(),
            };
            plans::run(context, &question).map(|answer| pending(answer, exit_code.then_some(Exit::Pending)))
        }
        MigrateCommand::Status {
            tenant,
            selection,
            live,
            exit_code,
        } => {
            let question = status::Question {
                tenant: tenant.as_deref(),
                chosen: &selection,
                live,
            };
            status::run(context, &question).map(|answer| pending(answer, exit_code.then_some(Exit::Pending)))
        }
        MigrateCommand::Verify { tenant, selection } => verify::run(context, tenant.as_deref(), &selection),
        MigrateCommand::Tenant { tenant, ahead } => migrate::tenant(context, &tenant, &ahead),
        MigrateCommand::AllTenants(many) => migrate_many(context, &many, Tiers::Tenant),
        MigrateCommand::Products(many) => migrate_many(context, &many, Tiers::Products),
        MigrateCommand::All(many) => migrate_many(context, &many, Tiers::Both),
        MigrateCommand::Central { ahead, plan } => match plan {
            Some(file) => saved::carry_out(context, &file, "central", &ahead.limits),
            None => migrate::central(context, &ahead),
        },
        MigrateCommand::Rollback(back) => rollback::run(context, &back),
        MigrateCommand::Mark(asked) => mark::run(context, &asked),
        MigrateCommand::Resolve(asked) => resolve::run(context, &asked),
        MigrateCommand::Resume {
            run,
            selection,
            limits,
        } => resume::resume(context, run.as_deref(), &selection, &limits),
    }
}

fn migrate_many(context: &Context, many: &Many, tiers: Tiers) -> Result<Exit, CommandError> {
    match &many.plan {
        Some(file) => saved::carry_out(context, file, opened::tier_word(tiers), &many.ahead.limits),
        None => migrate::many(context, &many.selection, &many.ahead, tiers),
    }
}

fn run_command(context: &Context, command: RunCommand) -> Result<Exit, CommandError> {
    match command {
        RunCommand::List { limit, all } => {
            let which = if all { Which::All } else { Which::OverTheFleet };
            run::list(context, which, limit)
        }
        RunCommand::Show { run: id, failed, all } => {
            let detail = match (failed, all) {
                (true, _) => run::Detail::Failed,
                (false, true) => run::Detail::All,
                (false, false) => run::Detail::Groups,
            };
            run::show(context, id.as_deref(), detail)
        }
        RunCommand::Watch { run: id } => run::watch(context, id.as_deref()),
        RunCommand::Pause { run: id } => run::pause(context, &id),
        RunCommand::Resume(asked) => {
            resume::resume(context, asked.run.as_deref(), &Chosen::default(), &asked.limits)
        }
        RunCommand::Cancel { run: id, now } => {
            let how = if now { Wanted::CancelNow } else { Wanted::Cancel };
            run::cancel(context, &id, how)
        }
        RunCommand::Promote(asked) => run::promote(context, &asked),
    }
}

/// Returns `asked` where something is pending and nothing worse happened.
fn pending((exit, is_pending): (Exit, bool), asked: Option<Exit>) -> Exit {
    match (exit, asked) {
        (Exit::Done, Some(code)) if is_pending => code,
        (exit, _) => exit,
    }
}

fn exit_codes(context: &Context) -> Result<Exit, CommandError> {
    let row = |exit: Exit| format!("{:>4}  {:14} {}", exit.code(), exit.name(), exit.when());
    let item =
        |exit: Exit| serde_json::json!({ "code": exit.code(), "name": exit.name(), "when": exit.when() });
    if context.format == Format::Human {
        let rows: Vec<_> = Exit::ALL.into_iter().map(row).collect();
        document(&format!(
            "Exit codes. Unknown ones must be treated as failure.\n\n{}",
            rows.join("\n")
        ))?;
    } else {
        let items: Vec<_> = Exit::ALL.into_iter().map(item).collect();
        context.answer("", &serde_json::json!({ "items": items }))?;
    }
    Ok(Exit::Done)
}
