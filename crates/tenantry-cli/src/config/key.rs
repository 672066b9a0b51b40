//! Where the keys that open database passwords are, and how they are read.

use std::fmt;
use std::path::{Path, PathBuf};

use tenantry::secret::{KeyRing, read_key_file};

use super::environment::{Environment, Layer};
use super::key_command::KeyCommand;
use super::layers::{Layers, Origin};
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// The variable that holds keys.
pub(crate) const VARIABLE: &str = "DB_ENCRYPTION_KEY";

/// Where the keys are; the keys themselves are read only when they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In the variable `DB_ENCRYPTION_KEY`.
    Variable(Origin),
    /// In a file.
    File(PathBuf),
    /// A command prints them.
    Command(KeyCommand),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(_) => f.write_str("***"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Command(command) => write!(f, "{}", command.program().display()),
        }
    }
}

impl KeySource {
    /// Returns whether the key would be in a file that is not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::File(path) if std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound))
    }

    /// Returns where the variable with the key was set; `None` if the key is in a file.
    pub(crate) fn variable(&self) -> Option<String> {
        match self {
            Self::Variable(origin) => Some(origin.to_string()),
            Self::File(_) | Self::Command(_) => None,
        }
    }

    /// Finds out where the keys are: within one layer the variable outranks a file and a command.
    ///
    /// # Errors
    /// TN-1007 if the command cannot be one.
    pub(super) fn find(
        layers: &Layers,
        folder: &Path,
        environment: &Environment,
    ) -> Result<Self, CommandError> {
        let (file, command) = (layers.find("key.file"), layers.find("key.command"));
        let origin = command.or(file).map(|setting| &setting.origin);
        match environment.find(VARIABLE).map(|(_, layer)| layer) {
            Some(Layer::Process) => {
                return Ok(Self::Variable(Origin::Environment(VARIABLE.to_owned())));
            }
            Some(Layer::File) if !matches!(origin, Some(Origin::Environment(_))) => {
                return Ok(Self::Variable(Origin::Dotenv(VARIABLE.to_owned())));
            }
            Some(Layer::File) | None => {}
        }
        if let Some(words) = layers.key_command() {
            let command = KeyCommand::new(words);
            return command
                .map(Self::Command)
                .map_err(|why| layers.refuse_secret("key.command", why));
        }
        let path = file.map_or(".tenantry/key", |setting| setting.value.as_str());
        Ok(Self::File(folder.join(path)))
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// TN-1005 if there is none or it cannot be trusted, TN-1012 if a command does not print them.
    pub(crate) fn read(&self, environment: &Environment) -> Result<KeyRing, CommandError> {
        let refuse = |error: &dyn std::error::Error| {
            CommandError::new(Exit::Configuration, error.to_string())
                .code(Code(1005))
                .causes(error)
                .fact("state", "nothing ran")
                .help("tenantry explain TN-1005")
        };
        match self {
            Self::Variable(_) => {
                let text = environment.find(VARIABLE).map_or("", |(text, _)| text);
                KeyRing::parse(text.as_bytes()).map_err(|error| refuse(&error).fact("read from", VARIABLE))
            }
            Self::File(path) => read_key_file(path).map_err(|error| refuse(&error)),
            Self::Command(command) => {
                let printed = command.output()?;
                let program = command.program().display().to_string();
                KeyRing::parse(&printed).map_err(|error| refuse(&error).fact("read from", program))
            }
        }
    }
}
