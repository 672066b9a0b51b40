//! Where the key that opens database passwords is, and how it is read.

use std::fmt;
use std::path::{Path, PathBuf};

use tenantry::secret::{Key, read_key_file};

use super::environment::{Environment, Layer};
use super::layers::{Layers, Origin};
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// The variable that holds a key.
const VARIABLE: &str = "DB_ENCRYPTION_KEY";

/// Where the key is; the key itself is read only when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In the variable `DB_ENCRYPTION_KEY`.
    Variable(Origin),
    /// In a file.
    File(PathBuf),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(_) => f.write_str("***"),
            Self::File(path) => write!(f, "{}", path.display()),
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
            Self::File(_) => None,
        }
    }

    /// Finds out where the key is: within one layer the variable outranks a file.
    pub(super) fn find(layers: &Layers, folder: &Path, environment: &Environment) -> Self {
        let setting = layers.find("key.file");
        let file_origin = setting.map_or(&Origin::Default, |setting| &setting.origin);
        let path = folder.join(setting.map_or(".tenantry/key", |setting| setting.value.as_str()));
        match environment.find(VARIABLE).map(|(_, layer)| layer) {
            Some(Layer::Process) => Self::Variable(Origin::Environment(VARIABLE.to_owned())),
            Some(Layer::File) if !matches!(file_origin, Origin::Environment(_)) => {
                Self::Variable(Origin::Dotenv(VARIABLE.to_owned()))
            }
            Some(Layer::File) | None => Self::File(path),
        }
    }

    /// Reads the key.
    ///
    /// # Errors
    /// TN-1005 if there is none or it cannot be trusted.
    pub(crate) fn read(&self, environment: &Environment) -> Result<Key, CommandError> {
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
                Key::parse(text.as_bytes()).map_err(|error| refuse(&error).fact("read from", VARIABLE))
            }
            Self::File(path) => read_key_file(path).map_err(|error| refuse(&error)),
        }
    }
}
