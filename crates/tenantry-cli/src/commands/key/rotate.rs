//! `key rotate`: a new key is put before the others where keys are kept, then the registry lets it seal.

use std::path::Path;

use tenantry::Code;
use tenantry::registry::{Registry, Rotation};
use tenantry::secret::{Key, KeyId, add_key_to_file, write_key_file};

use super::super::Context;
use super::super::files::not_written;
use super::super::opened::{self, block_on};
use super::{name_of, of_file};
use crate::config::{KeySource, Project};
use crate::exit::Exit;
use crate::failure::CommandError;

/// Lets a new key seal. Cut off between file and registry, the same command goes on with the key that is in the file.
///
/// # Errors
/// TN-1013 if a key has to be put into a source that we cannot write, TN-7005 or TN-7008 if the ring is out of order.
pub(crate) fn rotate(context: &Context) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let registry = opened::registry(&project).await?;
        let listed = registry.keys().await?;
        let active = if listed.is_empty() {
            first_key(&project, &registry).await?
        } else {
            next_key(&project, &registry).await?
        };
        let older: u64 = listed
            .iter()
            .filter(|key| key.id != active)
            .map(|key| key.secrets)
            .sum();
        let next = if older == 0 {
            "tenantry key list"
        } else {
            "tenantry key rewrap"
        };
        let human =
            format!("    Rotated  {active} seals now; {older} secrets are under older keys\nNext:  {next}");
        context.answer(
            &human,
            &serde_json::json!({ "active": active.to_string(), "to_rewrap": older, "next": next }),
        )?;
        Ok(Exit::Done)
    })
}

/// Makes the first key of an installation that has none and needed none until now.
async fn first_key(project: &Project, registry: &Registry) -> Result<KeyId, CommandError> {
    let KeySource::File(path) = &project.settings.key else {
        return Err(unwritable(&project.settings.key));
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| not_written(folder, &error))?;
    let key = Key::generate()
        .map_err(|error| CommandError::new(Exit::Configuration, error.to_string()).code(error.code()))?;
    write_key_file(path, &key).map_err(|error| of_file(&error))?;
    registry.activate_key(key.id(), None).await?;
    Ok(key.id())
}

/// Puts a new key before the others, unless there is one already, and lets it seal.
async fn next_key(project: &Project, registry: &Registry) -> Result<KeyId, CommandError> {
    let source = &project.settings.key;
    let first = registry.first_key()?;
    match registry.rotation().await? {
        Rotation::Begun { instead_of } => {
            registry.activate_key(first, instead_of).await?;
            Ok(first)
        }
        Rotation::NeedsKey => {
            let KeySource::File(path) = source else {
                return Err(unwritable(source));
            };
            let new = add_key_to_file(path, first).map_err(|error| of_file(&error))?;
            registry.activate_key(new, Some(first)).await?;
            Ok(new)
        }
    }
}

fn unwritable(source: &KeySource) -> CommandError {
    let title = format!("a new key cannot be written into {}", name_of(source));
    CommandError::new(Exit::Configuration, title)
        .code(Code(1013))
        .fact("state", "nothing was changed")
        .help("make a key:  head -c 32 /dev/urandom | base64")
        .help("put it before the others in that source, with a comma or a line end between; then  tenantry key rotate")
}
