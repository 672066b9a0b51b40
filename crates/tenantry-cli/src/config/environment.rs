//! The environment and the `.env` file beside the configuration: read once, asked often.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// The variables of the process and of `.env`, kept apart. `Debug` shows none of them: they hold secrets.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    process: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// Where a variable was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// In the environment.
    Process,
    /// In `.env`.
    File,
}

/// Why `.env` cannot be used: a command must not go on as if nobody had written one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DotenvError {
    /// The line of this number is no assignment.
    NotAssignment(usize),
    /// The line of this number is not UTF-8.
    NotUtf8(usize),
    /// The file cannot be read, in the system's words.
    Unreadable(String),
}

impl Environment {
    /// Takes the variables of the process; those that are not UTF-8 are left out.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::from_pairs(std::env::vars_os().filter_map(text))
    }

    /// Takes variables as if the process had them.
    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            process: pairs.into_iter().collect(),
            file: BTreeMap::new(),
        }
    }

    /// Adds the variables of `.env` in a folder, where `TENANTRY_ENV` is `development` or unset.
    ///
    /// A missing file adds nothing, nor does a folder of that name.
    ///
    /// # Errors
    /// [`DotenvError`] if there is a file and it cannot be used as a whole.
    pub(crate) fn with_dotenv(mut self, folder: &Path) -> Result<Self, DotenvError> {
        let development = self
            .process
            .get("TENANTRY_ENV")
            .is_none_or(|name| name.is_empty() || name == "development");
        if !development {
            return Ok(self);
        }
        match std::fs::read(folder.join(".env")) {
            Ok(bytes) => self.file = parse_dotenv(utf8(&bytes)?)?,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {}
            Err(error) => return Err(DotenvError::Unreadable(error.to_string())),
        }
        Ok(self)
    }

    /// Returns a variable and where it was set; the process outranks `.env`. Empty ones count as unset.
    pub(crate) fn find(&self, name: &str) -> Option<(&str, Layer)> {
        self.in_layer(name, Layer::Process)
            .map(|value| (value, Layer::Process))
            .or_else(|| self.in_layer(name, Layer::File).map(|value| (value, Layer::File)))
    }

    /// Returns a variable of one layer; `None` if unset or empty.
    pub(crate) fn in_layer(&self, name: &str, layer: Layer) -> Option<&str> {
        self.layer(layer)
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the names of a layer's variables that are not empty.
    pub(crate) fn names(&self, layer: Layer) -> impl Iterator<Item = &str> {
        self.layer(layer)
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name.as_str())
    }

    fn layer(&self, layer: Layer) -> &BTreeMap<String, String> {
        match layer {
            Layer::Process => &self.process,
            Layer::File => &self.file,
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, DotenvError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        DotenvError::NotUtf8(before.split(|byte| *byte == b'\n').count())
    })
}

/// Reads `NAME=value` lines; `#` begins a comment, quotes around a value are taken off, `export ` is
/// allowed. Nothing is expanded.
fn parse_dotenv(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let mut variables = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(DotenvError::NotAssignment(at + 1))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(DotenvError::NotAssignment(at + 1));
        }
        variables.insert(name.to_owned(), dotenv_value(value.trim()).to_owned());
    }
    Ok(variables)
}

fn dotenv_value(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote);
        if let Some((inner, _)) = inner.and_then(|rest| rest.rsplit_once(quote)) {
            return inner;
        }
    }
    // Only ` #` begins a comment: a `#` inside a password is part of it.
    value
        .split_once(" #")
        .map_or(value, |(before, _)| before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_lines_are_read_as_people_write_them() {
        let text = "# top\nA=1\nexport B='two words'\nC=\"x#y\" # why\nD=p#w\nE=v # comment\n\n";
        let read = parse_dotenv(text).unwrap();
        let pairs: Vec<_> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "x#y"),
                ("D", "p#w"),
                ("E", "v")
            ]
        );
        assert_eq!(
            parse_dotenv("A=1\nnonsense\n"),
            Err(DotenvError::NotAssignment(2))
        );
        assert_eq!(parse_dotenv("A B=1"), Err(DotenvError::NotAssignment(1)));
    }

    #[test]
    fn dotenv_is_for_development_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "A=file\nB=file\n").unwrap();
        let pairs =
            |env: &str| [("TENANTRY_ENV", env), ("A", "process")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let development = Environment::from_pairs(pairs(""))
            .with_dotenv(folder.path())
            .unwrap();
        assert_eq!(development.find("A"), Some(("process", Layer::Process)));
        assert_eq!(development.find("B"), Some(("file", Layer::File)));
        let production = Environment::from_pairs(pairs("production"))
            .with_dotenv(folder.path())
            .unwrap();
        assert_eq!(production.find("B"), None);
    }
}
