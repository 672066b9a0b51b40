//! Every setting in force as a typed value, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tenantry::engine::Address;
use tenantry::provision::{Naming, NamingError, StoragePath};
use tenantry::run::{Ask, Canary, Policy, RunOptions, TransactionScope, WhenHeld};
use tenantry::{Jurisdiction, ProductType};

use super::environment::Environment;
use super::key::KeySource;
use super::layers::{Layers, PRODUCTS};
use super::rollout;
use super::url;
use crate::args::{Bounds, IDLE, Limits, WAIT, WHOLE, WINDOW, parallel, within};
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// What the central database's URL looks like.
const URL_FORMS: &str =
    "it is  postgres://<user>:<password>@<host>/<database>  or  mysql://…  or  sqlite:<path>";

/// The folders of migrations, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The central track.
    pub(crate) central: PathBuf,
    /// The track of every tenant.
    pub(crate) tenant: PathBuf,
    /// The track of each product.
    pub(crate) products: BTreeMap<ProductType, PathBuf>,
}

/// The central database's address, and the same as it may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Central {
    /// The address.
    pub(crate) address: Address,
    /// The URL with `***` for the password.
    pub(crate) shown: String,
}

/// Every setting.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The central database; `None` if nobody named it. Only some commands need it, so that they complain.
    central: Result<Option<Central>, CommandError>,
    /// The folders of migrations.
    pub(crate) folders: Folders,
    /// How databases are called.
    pub(crate) naming: Naming,
    /// The jurisdictions whose servers may be opened; empty for all.
    pub(crate) jurisdictions: Vec<Jurisdiction>,
    /// Limits and clocks of runs.
    pub(crate) run: RunOptions,
    /// How long running targets may finish after SIGTERM.
    pub(crate) grace: Duration,
    /// Where the keys are.
    pub(crate) key: KeySource,
}

impl Settings {
    /// Checks every value in force. `folder` is what relative paths start from.
    ///
    /// # Errors
    /// TN-1007 for the first value that cannot be used.
    pub(super) fn read(
        layers: &Layers,
        folder: &Path,
        environment: &Environment,
    ) -> Result<Self, CommandError> {
        let folders = folders(layers, folder)?;
        check_domains(layers)?;
        Ok(Self {
            central: central(layers, folder, environment),
            naming: naming(layers, &folders)?,
            jurisdictions: jurisdictions(layers)?,
            folders,
            run: run(layers)?,
            grace: time(layers, "run.grace", WINDOW)?,
            key: KeySource::find(layers, folder, environment)?,
        })
    }

    /// Returns how a run goes: the flags of the command line over the settings.
    pub(crate) fn run_with(&self, limits: &Limits) -> RunOptions {
        let run = &self.run;
        let policy = Policy {
            canary: limits.canary.map_or(run.policy.canary, Canary::Count),
            max_failures: limits.max_failures.unwrap_or(run.policy.max_failures),
            same_error: limits.same_error.map_or(run.policy.same_error, |same| same.0),
            waves: run.policy.waves.clone(),
        };
        RunOptions {
            policy,
            when_held: if limits.wait {
                WhenHeld::Wait
            } else {
                WhenHeld::Refuse
            },
            concurrency: limits.concurrency.or(run.concurrency),
            per_server: limits.per_server.or(run.per_server),
            lock_timeout: limits.lock_timeout.unwrap_or(run.lock_timeout),
            ask: if limits.live { Ask::Databases } else { run.ask },
            ..run.clone()
        }
    }

    /// Returns the central database.
    ///
    /// # Errors
    /// TN-1007 if nobody named it, or if its URL cannot be used.
    pub(crate) fn central(&self) -> Result<&Central, CommandError> {
        let named = self.central.as_ref().map_err(Clone::clone)?;
        named.as_ref().ok_or_else(|| {
            CommandError::new(Exit::Configuration, "the central database is not named")
                .code(Code(1007))
                .fact("state", "nothing ran")
                .help("set url under [central] in tenantry.toml, or CENTRAL_DATABASE_URL in the environment")
                .help(URL_FORMS)
        })
    }
}

fn central(
    layers: &Layers,
    folder: &Path,
    environment: &Environment,
) -> Result<Option<Central>, CommandError> {
    let of = |key: &'static str| layers.find(key).map(|setting| (key, &setting.value));
    let found = of("central.url")
        .or_else(|| of("central.url_file"))
        .or_else(|| of("central.url_env"));
    let Some((key, value)) = found else {
        return Ok(None);
    };
    let refuse = |why: &str| layers.refuse_secret(key, why);
    let text = match key {
        "central.url_file" => {
            let path = folder.join(value);
            std::fs::read_to_string(&path)
                .map_err(|error| refuse(&format!("{} cannot be read: {error}", path.display())))?
        }
        "central.url_env" => {
            let Some((text, _)) = environment.find(value) else {
                let why = format!("the variable {} is not set", value.escape_debug());
                return Err(refuse(&why).help(URL_FORMS));
            };
            text.to_owned()
        }
        _ => value.clone(),
    };
    let text = text.trim_end_matches(['\n', '\r']);
    let address = url::parse(text, folder).map_err(|why| refuse(&why))?;
    let shown = url::masked(text, folder);
    Ok(Some(Central { address, shown }))
}

fn folders(layers: &Layers, folder: &Path) -> Result<Folders, CommandError> {
    let path = |key: &str| {
        let value = layers.find(key).map_or("", |setting| setting.value.as_str());
        if value.is_empty() {
            return Err(layers.refuse(key, "it is empty"));
        }
        Ok(folder.join(value))
    };
    let mut products = found_products(&folder.join("migrations/products"));
    for (name, setting) in layers.with_prefix(PRODUCTS) {
        let key = format!("{PRODUCTS}{name}");
        let product: ProductType = name
            .parse()
            .map_err(|error: tenantry::NameError| layers.refuse(&key, &error.to_string()))?;
        products.insert(product, folder.join(&setting.value));
    }
    Ok(Folders {
        central: path("migrations.central")?,
        tenant: path("migrations.tenant")?,
        products,
    })
}

/// Returns the folders whose names are product types; none if there is no such folder.
fn found_products(folder: &Path) -> BTreeMap<ProductType, PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let product = |entry: std::fs::DirEntry| {
        let product = entry.file_name().to_str()?.parse().ok()?;
        entry.path().is_dir().then(|| (product, entry.path()))
    };
    entries.flatten().filter_map(product).collect()
}

/// The HTTP side will read them; a value that can be no host name is refused from the start.
fn check_domains(layers: &Layers) -> Result<(), CommandError> {
    let value = layers.find("central.domains").map_or("", |s| s.value.as_str());
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    match value
        .split(',')
        .map(str::trim)
        .find(|domain| !domain.bytes().all(plain))
    {
        Some(bad) => {
            let why = format!("`{}` is not a host name", bad.escape_debug());
            Err(layers.refuse("central.domains", &why))
        }
        None => Ok(()),
    }
}

fn jurisdictions(layers: &Layers) -> Result<Vec<Jurisdiction>, CommandError> {
    const KEY: &str = "network.jurisdictions";
    let value = layers.find(KEY).map_or("", |setting| setting.value.as_str());
    let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse().map_err(|_| {
                let why = format!("`{}` is no jurisdiction", word.escape_debug());
                layers.refuse(KEY, &why)
            })
        })
        .collect()
}

fn naming(layers: &Layers, folders: &Folders) -> Result<Naming, CommandError> {
    let text = |key| layers.find(key).map_or("", |setting| setting.value.as_str());
    let refuse = |key, error: &NamingError| layers.refuse(key, &error.to_string());
    let naming = Naming::default()
        .with_tenant(text("naming.tenant"))
        .map_err(|error| refuse("naming.tenant", &error))?
        .with_product(text("naming.product"))
        .map_err(|error| refuse("naming.product", &error))?;
    naming
        .check_products(folders.products.keys())
        .map_err(|error| refuse("naming.product", &error))?;
    let Some(path) = layers.find("storage.path") else {
        return Ok(naming);
    };
    let storage = StoragePath::new(&path.value, text("storage.platform"))
        .map_err(|error| refuse("storage.path", &error))?;
    Ok(naming.with_storage(storage))
}

fn run(layers: &Layers) -> Result<RunOptions, CommandError> {
    let transaction = match layers.find("run.transaction").map(|s| s.value.as_str()) {
        Some("migration") | None => TransactionScope::Migration,
        Some("target") => TransactionScope::Target,
        Some(_) => return Err(layers.refuse("run.transaction", "it is neither `migration` nor `target`")),
    };
    Ok(RunOptions {
        concurrency: count(layers, "run.concurrency")?,
        per_server: count(layers, "run.per_server")?,
        transaction,
        ask: Ask::default(),
        connect_timeout: time(layers, "run.connect_timeout", WAIT)?,
        lock_timeout: time(layers, "run.lock_timeout", WAIT)?,
        lock_window: time(layers, "run.lock_window", WINDOW)?,
        idle_timeout: time(layers, "run.idle_timeout", IDLE)?,
        progress_timeout: time(layers, "run.progress_timeout", IDLE)?,
        target_timeout: match layers.find("run.target_timeout") {
            Some(_) => Some(time(layers, "run.target_timeout", WHOLE)?),
            None => None,
        },
        per_jurisdiction: count(layers, "run.per_jurisdiction")?,
        registry_window: time(layers, "run.registry_window", WINDOW)?,
        when_held: WhenHeld::Refuse,
        policy: rollout::policy(layers)?,
    })
}

fn count(layers: &Layers, key: &str) -> Result<Option<usize>, CommandError> {
    let parse = |text: &str| parallel(text).map_err(|why| layers.refuse(key, &why));
    layers.find(key).map(|setting| parse(&setting.value)).transpose()
}

fn time(layers: &Layers, key: &str, bounds: Bounds) -> Result<Duration, CommandError> {
    let text = layers.find(key).map_or("", |setting| setting.value.as_str());
    within(text, bounds).map_err(|why| layers.refuse(key, &why))
}
