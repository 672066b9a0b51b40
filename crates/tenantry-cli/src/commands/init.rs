//! `init`: sets a project up in an empty folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tenantry::secret::{Key, write_key_file};

use super::files::not_written;
use super::{Context, Format, document};
use crate::args::EngineName;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Invocation, text};
use tenantry::Code;

const CONFIG: &str = include_str!("init/tenantry.toml");
const PRODUCTS_README: &str = include_str!("init/products.md");
const GITIGNORE: &str = "/.tenantry/\n/data/\n/secrets/\n/.env\n";

#[derive(Serialize)]
struct Created {
    created: Vec<String>,
    next: Vec<String>,
}

/// Sets a project up and says what is next.
///
/// # Errors
/// TN-1004 if the folder is not empty, TN-1005 if no key can be made.
pub(super) fn run(
    context: &Context,
    named: Option<PathBuf>,
    engine: EngineName,
) -> Result<Exit, CommandError> {
    let base = context.globals.dir.clone().unwrap_or_default();
    let folder = base.join(named.unwrap_or_else(|| PathBuf::from(".")));
    let created = scaffold(&folder, engine)?;
    report(context, (&folder, engine), &created)?;
    Ok(Exit::Done)
}

/// Writes the files of a new project and returns their paths. Nothing is overwritten, no database is made.
///
/// # Errors
/// TN-1004 if the folder is not empty, TN-1005 if no key can be made.
pub(super) fn scaffold(folder: &Path, engine: EngineName) -> Result<Vec<PathBuf>, CommandError> {
    check_empty(folder)?;
    let files = [
        ("tenantry.toml", CONFIG.replace("{central}", &central(engine))),
        ("migrations/central/.gitkeep", String::new()),
        ("migrations/tenant/.gitkeep", String::new()),
        ("migrations/products/README.md", PRODUCTS_README.to_owned()),
        (".gitignore", GITIGNORE.to_owned()),
    ];
    let mut created = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| not_written(parent, &error))?;
        fs::write(&path, content).map_err(|error| not_written(&path, &error))?;
        created.push(path);
    }
    if engine == EngineName::Sqlite {
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(|error| not_written(&data, &error))?;
    }
    created.push(make_key(folder)?);
    Ok(created)
}

fn central(engine: EngineName) -> String {
    match engine {
        EngineName::Sqlite => "url = \"sqlite:data/central.db\"".to_owned(),
        EngineName::Postgres => {
            "url_env = \"CENTRAL_DATABASE_URL\"        # postgres://user:password@host/database".to_owned()
        }
        EngineName::Mysql => {
            "url_env = \"CENTRAL_DATABASE_URL\"        # mysql://user:password@host/database".to_owned()
        }
    }
}

/// Refuses a folder with anything in it but a fresh version control.
fn check_empty(folder: &Path) -> Result<(), CommandError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(not_written(folder, &error)),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".git")
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    names.sort();
    let title = format!("{} is not empty", text::path(folder));
    Err(CommandError::new(Exit::Refused, title)
        .code(Code(1004))
        .fact("in the way", text::names(names.iter().map(String::as_str)))
        .fact("state", "nothing was written")
        .help("tenantry init <another folder>"))
}

fn make_key(folder: &Path) -> Result<PathBuf, CommandError> {
    let refuse = |error: &dyn std::error::Error| {
        CommandError::new(Exit::Configuration, error.to_string())
            .code(Code(1005))
            .causes(error)
    };
    let home = folder.join(".tenantry");
    fs::create_dir_all(&home).map_err(|error| not_written(&home, &error))?;
    let path = home.join("key");
    let key = Key::generate().map_err(|error| refuse(&error))?;
    write_key_file(&path, &key).map_err(|error| refuse(&error))?;
    Ok(path)
}

/// Returns the line that names the central database, where the configuration reads it from a variable.
fn export(engine: EngineName) -> Option<String> {
    let scheme = match engine {
        EngineName::Sqlite => return None,
        EngineName::Postgres => "postgres",
        EngineName::Mysql => "mysql",
    };
    Some(format!(
        "export CENTRAL_DATABASE_URL='{scheme}://<user>:<password>@<host>/<database>'"
    ))
}

fn report(
    context: &Context,
    (folder, engine): (&Path, EngineName),
    created: &[PathBuf],
) -> Result<(), CommandError> {
    let there = Invocation::in_folder(folder);
    let server = match engine {
        EngineName::Sqlite => "server add local --engine sqlite --jurisdiction uk --path data",
        EngineName::Postgres | EngineName::Mysql => "server add --help",
    };
    // Each works as soon as the one before it did: a new migration has to be written before it can run.
    let commands = [
        "migrate central",
        server,
        "tenant create acme",
        "migrate make first_tables",
    ];
    let commands = commands.map(|command| there.fill(&format!("tenantry {command}")));
    let next: Vec<String> = export(engine).into_iter().chain(commands).collect();
    let created: Vec<String> = created.iter().map(|path| text::path(path)).collect();
    let lines: Vec<String> = created.iter().map(|path| format!("  Created  {path}")).collect();
    let human = format!("{}\n\nNext:  {}", lines.join("\n"), next.join("\n       "));
    // The commands lead into the new folder already, wherever this one was given.
    match context.format {
        Format::Human if context.globals.quiet => Ok(()),
        Format::Human => document(&human),
        Format::Json | Format::Ndjson => context.answer("", &Created { created, next }),
    }
}
