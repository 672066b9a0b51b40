//! `tenant import`: registers a fleet that is there, from a list of it.

mod again;
mod baseline;
mod told;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use tenantry::fleet::Fleet;
use tenantry::import::{FILE_MAX, ImportError, Listed, Names, Passwords, PasswordsFile, Rules, Source, read};
use tenantry::registry::{Import, ListedServer};
use tenantry::secret::{KeyFileError, Legacy, LegacyKeyError, read_secret_file};

use super::opened::{self, block_on};
use super::{Context, errors};
use crate::args::{Limits, TenantImport};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// The longest file with a key or a passphrase, in bytes.
const KEY_FILE_MAX: u64 = 64 * 1024;

/// Checks a list, and registers what is new in it.
///
/// # Errors
/// TN-6020 to TN-6023 for a list that is not taken in, TN-7010 for passwords that cannot be read; nothing was written
/// then.
pub(super) fn run(context: &Context, asked: &TenantImport) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let fleet = opened::fleet(&project, &Limits::default()).await?;
        let rules = rules(asked)?;
        let servers = fleet.registry.servers().await?;
        let listed = list(asked, &fleet, &rules, &servers).await?;
        refuse_unknown_products(&fleet, &listed)?;
        let wanted = if asked.dry_run {
            Import::Checks
        } else {
            Import::Writes
        };
        baseline::check(&fleet, &asked.baseline, &listed, &servers)?;
        let done = fleet
            .registry
            .import(&listed.entries, wanted)
            .await
            .map_err(|error| errors::of_import(&error))?;
        let marks = if asked.dry_run {
            Vec::new()
        } else {
            baseline::declare(context, &project, &fleet, (asked, &listed)).await?
        };
        told::tell(
            context,
            &told::Told {
                wanted,
                done,
                listed: &listed,
                marks: &marks,
            },
        )
    })
}

/// Reads the list where it is.
async fn list(
    asked: &TenantImport,
    fleet: &Fleet,
    rules: &Rules,
    servers: &[ListedServer],
) -> Result<Listed, CommandError> {
    let read_as = |source: &Source<'_>| read(source, rules, servers);
    let (listed, file) = if let Some(file) = &asked.from_csv {
        (
            read_as(&Source::Csv(
                &content(file).map_err(|error| errors::of_import(&error))?,
            )),
            Some(file),
        )
    } else if let Some(file) = &asked.from_json {
        (
            read_as(&Source::Json(
                &content(file).map_err(|error| errors::of_import(&error))?,
            )),
            Some(file),
        )
    } else {
        let sql = asked.from_sql.as_deref().unwrap_or_default();
        let answer = fleet
            .registry
            .query(sql)
            .await
            .map_err(|error| errors::of_import(&error))?;
        (read_as(&Source::Query(&answer)), None)
    };
    listed.map_err(|error| match file {
        Some(file) => errors::of_import(&error).file(file),
        None => errors::of_import(&error),
    })
}

/// Reads a file whole, if it is not too long.
fn content(path: &Path) -> Result<Vec<u8>, ImportError> {
    let not_read = |source| ImportError::Read {
        file: text::path(path),
        source,
    };
    let file = File::open(path).map_err(not_read)?;
    let length = file.metadata().map_err(not_read)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(FILE_MAX)).unwrap_or_default());
    // It may be a pipe, whose length nobody knows before.
    if length <= FILE_MAX {
        file.take(FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(not_read)?;
    }
    if length.max(u64::try_from(bytes.len()).unwrap_or(u64::MAX)) > FILE_MAX {
        return Err(ImportError::TooLong {
            limit: format!("{} MiB", FILE_MAX / 1024 / 1024),
        });
    }
    Ok(bytes)
}

fn rules(asked: &TenantImport) -> Result<Rules, CommandError> {
    let file = match &asked.passwords_file {
        Some(path) => {
            let bytes =
                read_secret_file(path, "the passwords file", FILE_MAX).map_err(|e| not_trusted(&e))?;
            PasswordsFile::parse(&bytes).map_err(|error| errors::of_import(&error).file(path))?
        }
        None => PasswordsFile::default(),
    };
    Ok(Rules {
        names: Names::new(asked.map.clone()),
        statuses: asked.status.clone(),
        passwords: Passwords {
            legacy: legacy(asked)?,
            file,
        },
    })
}

fn legacy(asked: &TenantImport) -> Result<Option<Legacy>, CommandError> {
    let (Some(profile), Some(path), Some(form)) = (
        asked.legacy_secrets,
        &asked.legacy_key_file,
        asked.legacy_key_form,
    ) else {
        return Ok(None);
    };
    let key = read_secret_file(path, "the legacy key file", KEY_FILE_MAX).map_err(|e| not_trusted(&e))?;
    let salt = asked.legacy_salt.as_deref().map(str::as_bytes);
    let made = Legacy::new(profile.0, form.0, &key, salt);
    made.map(Some).map_err(|error| no_key(&error).file(path))
}

fn not_trusted(error: &KeyFileError) -> CommandError {
    CommandError::new(Exit::Configuration, error.to_string())
        .code(error.code())
        .causes(error)
        .fact("state", "nothing was changed")
}

fn no_key(error: &LegacyKeyError) -> CommandError {
    let made = CommandError::new(Exit::Refused, error.to_string())
        .code(error.code())
        .fact("state", "nothing was changed");
    match error {
        LegacyKeyError::NoSalt(_) => made.help("name it:  --legacy-salt <text>"),
        LegacyKeyError::Salt(_) => made.help("leave --legacy-salt out"),
        LegacyKeyError::Length { .. } | LegacyKeyError::NoPassphrase(_) | _ => {
            made.help("the forms there are:  tenantry tenant import --help")
        }
    }
}

/// Refuses products that have no folder: nothing could ever be migrated there.
fn refuse_unknown_products(fleet: &Fleet, listed: &Listed) -> Result<(), CommandError> {
    let mut seen = std::collections::BTreeSet::new();
    let databases = listed.entries.iter().flat_map(|entry| &entry.databases);
    for product in databases.filter_map(|database| database.product.as_ref()) {
        if seen.insert(product) {
            fleet.check_product(product)?;
        }
    }
    Ok(())
}
