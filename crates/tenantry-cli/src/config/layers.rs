//! Which value of a key is in force, and where it came from: environment, `.env`, file, default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::environment::{Environment, Layer};
use super::file::{self, nearest};
use super::snippet::may_be_shown;
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// Every key with a fixed name, and its default.
pub(crate) const KEYS: [(&str, Option<&str>); 28] = [
    ("central.url", None),
    ("central.url_file", None),
    ("central.url_env", None),
    ("central.domains", None),
    ("migrations.central", Some("migrations/central")),
    ("migrations.tenant", Some("migrations/tenant")),
    ("naming.tenant", Some("tenant_{id}_shared")),
    ("naming.product", Some("tenant_{id}_{product}")),
    ("run.concurrency", None),
    ("run.per_server", None),
    ("run.transaction", Some("migration")),
    ("run.lock_timeout", Some("3s")),
    ("run.lock_window", Some("5m")),
    ("run.grace", Some("30s")),
    ("run.connect_timeout", Some("10s")),
    ("run.idle_timeout", Some("50s")),
    ("run.progress_timeout", Some("1m")),
    ("run.target_timeout", None),
    ("run.per_jurisdiction", None),
    ("run.registry_window", Some("1m")),
    ("rollout.canary", None),
    ("rollout.max_failures", None),
    ("rollout.same_error", Some("3")),
    ("key.file", Some(".tenantry/key")),
    ("key.command", None),
    ("network.jurisdictions", None),
    ("storage.path", None),
    ("storage.platform", None),
];

/// What the key of a product's folder begins with.
pub(crate) const PRODUCTS: &str = "migrations.products.";

/// Names that existing platforms use for the central database's URL, the more precise one first.
const URL_ALIASES: [&str; 2] = ["CENTRAL_DATABASE_URL", "DATABASE_URL"];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A variable of the environment.
    Environment(String),
    /// A variable of `.env`.
    Dotenv(String),
    /// The configuration file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Where the value begins, in bytes.
        offset: usize,
    },
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Dotenv(name) => write!(f, ".env {name}"),
            Self::File { path, line, .. } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                write!(f, "{}:{line}", Path::new(name).display())
            }
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The value as text.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// The text of the configuration file and every value in force. `Debug` shows none: they hold secrets.
#[derive(Clone)]
pub(crate) struct Layers {
    path: PathBuf,
    text: String,
    values: BTreeMap<String, Setting>,
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Layers {
    /// Returns the waves that the file describes, in order.
    pub(crate) fn waves(&self) -> Vec<file::Wave> {
        file::waves(&self.text)
    }

    /// Returns the words of the key's command; `None` if there is none. In the environment commas stand between them.
    pub(crate) fn key_command(&self) -> Option<Vec<String>> {
        let setting = self.find("key.command")?;
        match setting.origin {
            Origin::File { .. } => file::key_command(&self.text),
            Origin::Environment(_) | Origin::Dotenv(_) | Origin::Default => {
                Some(setting.value.split(',').map(str::to_owned).collect())
            }
        }
    }

    /// Puts the layers on top of each other.
    ///
    /// # Errors
    /// TN-1003 for an unknown key, in the file or in the environment.
    pub(crate) fn read(path: &Path, text: String, environment: &Environment) -> Result<Self, CommandError> {
        let mut values = BTreeMap::new();
        for (key, default) in KEYS {
            if let Some(default) = default {
                let origin = Origin::Default;
                let value = default.to_owned();
                values.insert(key.to_owned(), Setting { value, origin });
            }
        }
        let mut layers = Self {
            path: path.to_owned(),
            values,
            text,
        };
        let entries = file::entries(path, &layers.text)?;
        let entries = entries.into_iter().map(|entry| {
            let origin = layers.in_file(entry.offset);
            (
                entry.key,
                Setting {
                    value: entry.value,
                    origin,
                },
            )
        });
        let entries: BTreeMap<_, _> = entries.collect();
        layers.lay(entries)?;
        layers.lay(of_environment(environment, Layer::File)?)?;
        layers.lay(of_environment(environment, Layer::Process)?)?;
        Ok(layers)
    }

    /// Returns a value in force; `None` if nobody set it and it has no default.
    pub(crate) fn find(&self, key: &str) -> Option<&Setting> {
        self.values.get(key)
    }

    /// Returns every value in force whose key begins with a prefix, and the rest of the key.
    pub(crate) fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &Setting)> {
        self.values
            .iter()
            .filter_map(move |(key, setting)| Some((key.strip_prefix(prefix)?, setting)))
    }

    /// Says that a value cannot be used, and where it stands.
    pub(crate) fn refuse(&self, key: &str, why: &str) -> CommandError {
        let error =
            CommandError::new(Exit::Configuration, format!("{key} cannot be used: {why}")).code(Code(1007));
        let error = match self.find(key).map(|setting| &setting.origin) {
            Some(Origin::File { path, offset, .. }) => self.placed(error, path, *offset),
            Some(origin @ (Origin::Environment(_) | Origin::Dotenv(_))) => {
                error.fact("set in", origin.to_string())
            }
            Some(Origin::Default) | None => error,
        };
        error
            .fact("state", "nothing ran")
            .help("tenantry config show --origin        says where each value comes from")
    }

    /// Says the same about a value that must not be shown, not even in a snippet.
    pub(crate) fn refuse_secret(&self, key: &str, why: &str) -> CommandError {
        let mut error = self.refuse(key, why);
        error.message.snippet = None;
        error
    }

    /// Adds the place of a value, and its line where that may be shown.
    fn placed(&self, error: CommandError, path: &Path, offset: usize) -> CommandError {
        let mut error = error.place(path, &self.text, offset);
        let shown = error.message.snippet.take();
        error.message.snippet = shown.filter(|snippet| may_be_shown(&self.text, snippet));
        error
    }

    fn in_file(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or_default();
        Origin::File {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            offset,
        }
    }

    /// Lays values over those that are there. The ways to give the same thing replace each other.
    fn lay(&mut self, over: BTreeMap<String, Setting>) -> Result<(), CommandError> {
        const URLS: &[&str] = &["central.url", "central.url_file", "central.url_env"];
        const SAME: [&[&str]; 2] = [URLS, &["key.file", "key.command"]];
        let given = SAME.map(|ways| {
            ways.iter()
                .filter(|key| over.contains_key(**key))
                .collect::<Vec<_>>()
        });
        for (ways, given) in SAME.iter().zip(&given) {
            if !given.is_empty() {
                self.values.retain(|key, _| !ways.contains(&key.as_str()));
            }
        }
        self.values.extend(over);
        for given in given {
            if let [first, second, ..] = given.as_slice() {
                return Err(self.refuse_secret(second, &format!("{first} is given as well")));
            }
        }
        Ok(())
    }
}

/// Returns the settings that one layer of the environment holds.
fn of_environment(
    environment: &Environment,
    layer: Layer,
) -> Result<BTreeMap<String, Setting>, CommandError> {
    let mut found = BTreeMap::new();
    let mut put = |key: &str, name: &str| {
        let origin = match layer {
            Layer::Process => Origin::Environment(name.to_owned()),
            Layer::File => Origin::Dotenv(name.to_owned()),
        };
        if let Some(value) = environment.in_layer(name, layer) {
            let value = value.to_owned();
            found.insert(key.to_owned(), Setting { value, origin });
        }
    };
    let alias = URL_ALIASES
        .into_iter()
        .find(|name| environment.in_layer(name, layer).is_some());
    if let Some(alias) = alias {
        put("central.url", alias);
    }
    for name in environment.names(layer).filter(|name| is_ours(name)) {
        match key_of(name) {
            Some(key) => put(&key, name),
            None => return Err(unknown_variable(name)),
        }
    }
    Ok(found)
}

/// Returns whether a variable means a key of the file: `TENANTRY_<SECTION>__<KEY>`, or the same with one
/// underscore, which is refused like every other that is misspelt.
fn is_ours(name: &str) -> bool {
    let single = |name: &str| name.replace("__", "_");
    let is_near = || KEYS.iter().any(|(key, _)| single(&variable_of(key)) == name);
    name.strip_prefix("TENANTRY_")
        .is_some_and(|rest| rest.contains("__") || is_near())
}

/// Returns the variable that sets a key.
fn variable_of(key: &str) -> String {
    format!("TENANTRY_{}", key.replace('.', "__").to_uppercase())
}

fn key_of(name: &str) -> Option<String> {
    let fixed = KEYS
        .iter()
        .map(|(key, _)| *key)
        .find(|key| variable_of(key) == name);
    fixed.map(str::to_owned).or_else(|| {
        let product = name.strip_prefix(&variable_of(PRODUCTS))?;
        (!product.is_empty()).then(|| format!("{PRODUCTS}{}", product.to_lowercase()))
    })
}

fn unknown_variable(name: &str) -> CommandError {
    let known: Vec<String> = KEYS.iter().map(|(key, _)| variable_of(key)).collect();
    let title = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("unknown variable {name}, did you mean {near}?"),
        None => format!("unknown variable {name}"),
    };
    CommandError::new(Exit::Configuration, title)
        .code(Code(1003))
        .fact("rule", "TENANTRY_<SECTION>__<KEY> sets a key of tenantry.toml")
        .fact("state", "nothing ran")
        .help("tenantry config schema        prints every key that is possible")
}
