//! `key …`: the keys that seal passwords in the registry.

mod rewrap;
mod rotate;

use serde::Serialize;
use tenantry::registry::ListedKey;
use tenantry::secret::{KeyFileError, KeyId, remove_key_from_file};

use super::Context;
use super::opened::{self, block_on};
use crate::config::{KEY_VARIABLE, KeySource};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::Table;

pub(super) use self::rewrap::rewrap;
pub(super) use self::rotate::rotate;

#[derive(Serialize)]
struct Shown {
    id: String,
    /// `unknown` if the registry does not know it.
    state: &'static str,
    here: bool,
    secrets: u64,
    created_at: Option<i64>,
    destroyed_at: Option<i64>,
}

impl Shown {
    fn of(key: &ListedKey) -> Self {
        Self {
            id: key.id.to_string(),
            state: key.state.map_or("unknown", |state| state.as_str()),
            here: key.is_here,
            secrets: key.secrets,
            created_at: key.created_at,
            destroyed_at: key.destroyed_at,
        }
    }
}

/// Lists the keys; opens no secret.
///
/// # Errors
/// What the registry says.
pub(super) fn list(context: &Context) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let keys = opened::registry(&project).await?.keys().await?;
        let shown: Vec<Shown> = keys.iter().map(Shown::of).collect();
        let mut table = Table::new(&["KEY", "STATE", "HERE", "SECRETS"]);
        for key in &shown {
            table.row(&[
                key.id.clone(),
                key.state.to_owned(),
                if key.here { "yes" } else { "missing" }.to_owned(),
                key.secrets.to_string(),
            ]);
        }
        let human = if shown.is_empty() {
            context.say("There is no key yet:  tenantry key rotate");
            String::new()
        } else {
            table.draw()
        };
        context.answer_unless_empty(&human, &serde_json::json!({ "items": shown, "next": null }))?;
        Ok(Exit::Done)
    })
}

/// Writes down that a key is destroyed, then takes it off the ring.
///
/// # Errors
/// TN-7006 if it is in use, TN-6010 if nobody knows it, TN-1005 if the file cannot be changed: the same command goes on
/// from there.
pub(super) fn destroy(context: &Context, id: KeyId) -> Result<Exit, CommandError> {
    block_on(async {
        let project = context.project()?;
        let source = &project.settings.key;
        let registry = opened::registry(&project).await?;
        registry.destroy_key(id).await?;
        let next = match source {
            KeySource::File(_) if source.is_absent() => None,
            KeySource::File(path) => {
                remove_key_from_file(path, id).map_err(|error| of_file(&error))?;
                None
            }
            KeySource::Variable(_) | KeySource::Command(_) => Some(format!(
                "take key {id} out of {}, and destroy every copy of it",
                name_of(source)
            )),
        };
        let human = format!(
            "  Destroyed  {id}\n{}",
            next.as_ref().map_or_else(
                || "Next:  destroy your copies of it".to_owned(),
                |next| format!("Next:  {next}")
            )
        );
        context.answer(
            &human,
            &serde_json::json!({ "id": id.to_string(), "state": "destroyed", "next": next }),
        )?;
        Ok(Exit::Done)
    })
}

/// Says why the key file was not changed.
fn of_file(error: &KeyFileError) -> CommandError {
    CommandError::new(Exit::Configuration, error.to_string())
        .code(error.code())
        .causes(error)
        .fact("state", "the key file is as it was")
        .help("tenantry explain TN-1005")
}

/// Returns what people call the source.
fn name_of(source: &KeySource) -> String {
    match source {
        KeySource::Variable(_) => KEY_VARIABLE.to_owned(),
        KeySource::File(path) => path.display().to_string(),
        KeySource::Command(_) => format!("what {source} prints"),
    }
}
