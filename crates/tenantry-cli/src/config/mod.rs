//! The project: where its configuration is, and every setting in force as a typed value.

mod environment;
mod file;
mod key;
mod key_command;
mod layers;
mod rollout;
mod settings;
mod snippet;
mod url;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use environment::DotenvError;
pub(crate) use environment::{Environment, Layer};
pub(crate) use file::{ConfigFile, nearest};
pub(crate) use key::{KeySource, VARIABLE as KEY_VARIABLE};
pub(crate) use layers::{KEYS, Layers};
pub(crate) use settings::Settings;

use crate::args::Globals;
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// The name of the configuration file.
pub(crate) const FILE_NAME: &str = "tenantry.toml";

/// A project on disk.
#[derive(Debug)]
pub(crate) struct Project {
    /// The folder of the configuration file; relative paths in it start here.
    pub(crate) folder: PathBuf,
    /// The configuration file.
    pub(crate) file: PathBuf,
    /// The environment, `.env` included.
    pub(crate) environment: Environment,
    /// Every value in force, as text.
    pub(crate) layers: Layers,
    /// Every value in force, as what it means.
    pub(crate) settings: Settings,
}

impl Project {
    /// Finds and reads the project. Nothing is written, nobody is connected to.
    ///
    /// # Errors
    /// TN-1001 if there is no configuration, TN-1003 or TN-1007 if it cannot be used.
    pub(crate) fn load(globals: &Globals, environment: Environment) -> Result<Self, CommandError> {
        let file = find(globals)?;
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        let environment = environment
            .with_dotenv(&folder)
            .map_err(|why| bad_dotenv(&folder, &why))?;
        let layers = Layers::read(&file, text, &environment)?;
        let settings = Settings::read(&layers, &folder, &environment)?;
        Ok(Self {
            folder,
            file,
            environment,
            layers,
            settings,
        })
    }
}

/// Returns the absolute path of the configuration file.
fn find(globals: &Globals) -> Result<PathBuf, CommandError> {
    let start = globals.dir.as_deref().unwrap_or(Path::new("."));
    let start = std::path::absolute(start).map_err(|error| unreadable(start, &error))?;
    // An empty TENANTRY_CONFIG counts as unset, like every empty variable.
    let named = globals
        .config
        .as_ref()
        .filter(|file| !file.as_os_str().is_empty());
    if let Some(file) = named {
        let file = start.join(file);
        return if file.is_file() {
            Ok(file)
        } else {
            Err(missing(format!("there is no file {}", file.display())))
        };
    }
    if !start.is_dir() {
        return Err(missing(format!("there is no folder {}", start.display())));
    }
    let mut folders = start.ancestors();
    if let Some(folder) = folders.find(|folder| folder.join(FILE_NAME).is_file()) {
        return Ok(folder.join(FILE_NAME));
    }
    let mut error = missing(format!(
        "there is no {FILE_NAME} in {}, nor above it",
        start.display()
    ));
    let searched: Vec<_> = start.ancestors().map(|f| f.display().to_string()).collect();
    error.message.facts.insert(0, ("searched", searched.join("  ")));
    Err(error)
}

fn missing(title: String) -> CommandError {
    CommandError::new(Exit::Configuration, title)
        .code(Code(1001))
        .fact("state", "nothing ran")
        .help("tenantry init        sets a project up here; -C <path> names another folder")
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    let title = format!("{} cannot be read", path.display());
    CommandError::new(Exit::Configuration, title)
        .code(Code(1001))
        .fact("cause", error.to_string())
        .fact("state", "nothing ran")
}

fn bad_dotenv(folder: &Path, why: &DotenvError) -> CommandError {
    let path = folder.join(".env");
    let shown = path.display();
    let (code, title) = match why {
        DotenvError::NotAssignment(line) => (1003, format!("line {line} of {shown} is not NAME=value")),
        DotenvError::NotUtf8(line) => (1003, format!("line {line} of {shown} is not UTF-8")),
        DotenvError::Unreadable(_) => (1001, format!("{shown} cannot be read")),
    };
    let made = CommandError::new(Exit::Configuration, title).code(Code(code));
    let made = match why {
        DotenvError::Unreadable(cause) => made.fact("cause", cause.clone()),
        DotenvError::NotAssignment(_) | DotenvError::NotUtf8(_) => made,
    };
    made.file(path).fact("state", "nothing ran")
}
