//! `config`: what is in force and where it came from, whether it can be used, what is possible.

use serde::Serialize;

use super::{Context, Format, document};
use crate::config::{ConfigFile, KEYS, Project};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{self, Table, text};
use tenantry::Code;

/// Whether the origin of each value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origins {
    Shown,
    Hidden,
}

impl From<bool> for Origins {
    fn from(asked: bool) -> Self {
        if asked { Self::Shown } else { Self::Hidden }
    }
}

#[derive(Serialize)]
struct Shown {
    file: String,
    values: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    key: String,
    /// `None` where nobody set it and there is no default.
    value: Option<String>,
    origin: Option<String>,
}

/// Prints every value in force; passwords as `***`.
///
/// # Errors
/// What [`Project::load`] says.
pub(super) fn show(context: &Context, origins: Origins) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let values = values(&project);
    let mut table = match origins {
        Origins::Shown => Table::new(&["KEY", "VALUE", "ORIGIN"]),
        Origins::Hidden => Table::new(&["KEY", "VALUE"]),
    };
    for value in &values {
        let shown = value.value.as_deref().unwrap_or("(not set)");
        let mut row = vec![value.key.clone(), shown.to_owned()];
        if origins == Origins::Shown {
            row.push(value.origin.clone().unwrap_or_default());
        }
        table.row(&row);
    }
    let shown = Shown {
        file: project.file.display().to_string(),
        values,
    };
    context.answer(&table.draw(), &shown)?;
    Ok(Exit::Done)
}

fn values(project: &Project) -> Vec<Row> {
    let mut values: Vec<Row> = KEYS.iter().map(|(key, _)| value(project, key)).collect();
    let central = project
        .settings
        .central()
        .ok()
        .map(|central| central.shown.clone());
    for value in &mut values {
        if value.key == "central.url" {
            // A URL that cannot be read could hold a password anywhere.
            let masked = central
                .clone()
                .or_else(|| value.value.as_ref().map(|_| "***".to_owned()));
            value.value = masked;
        } else if value.key == "key.command" {
            // Arguments may hold what opens a key store.
            value.value = value.value.as_ref().map(|words| {
                let program = words.split(',').next().unwrap_or_default();
                format!("{program} ***")
            });
        }
    }
    for (product, folder) in &project.settings.folders.products {
        let mut value = value(project, &format!("migrations.products.{product}"));
        value.value = Some(text::path_from(&project.folder, folder));
        value
            .origin
            .get_or_insert_with(|| "found in migrations/products".to_owned());
        values.push(value);
    }
    if let Some(name) = project.settings.key.variable() {
        values.push(Row {
            key: "key".to_owned(),
            value: Some("***".to_owned()),
            origin: Some(name),
        });
    }
    values
}

fn value(project: &Project, key: &str) -> Row {
    let setting = project.layers.find(key);
    Row {
        key: key.to_owned(),
        value: setting.map(|setting| text::printable(&setting.value)),
        origin: setting.map(|setting| setting.origin.to_string()),
    }
}

#[derive(Serialize)]
struct Checked {
    file: String,
    central: String,
    key: String,
    folders: Vec<String>,
}

/// Reads everything that a run would read from disk, and connects to nobody.
///
/// # Errors
/// The first thing that cannot be used.
pub(super) fn check(context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let settings = &project.settings;
    let central = settings.central()?;
    let keys = settings.key.read(&project.environment)?;
    let folders = &settings.folders;
    let all = [&folders.central, &folders.tenant];
    let all: Vec<_> = all.into_iter().chain(folders.products.values()).collect();
    if let Some(missing) = all.iter().find(|folder| !folder.is_dir()) {
        let title = format!("the folder {} cannot be read", text::path(missing));
        return Err(CommandError::new(Exit::Configuration, title)
            .code(Code(1006))
            .fact("state", "nothing ran")
            .help(format!("mkdir -p {}", text::path(missing))));
    }
    let checked = Checked {
        file: text::path(&project.file),
        central: central.shown.clone(),
        key: keys.active().id().to_string(),
        folders: all.iter().map(|folder| text::path(folder)).collect(),
    };
    let ok = context.canvas.paint.green("ok");
    let human = format!(
        "{ok}  configuration  {}\n{ok}  central        {}\n{ok}  key            id {}\n{ok}  migrations     {}",
        checked.file,
        checked.central,
        checked.key,
        checked.folders.join("  "),
    );
    context.answer(&human, &checked)?;
    Ok(Exit::Done)
}

/// Prints the JSON schema of `tenantry.toml`; on one line where every line is to be JSON.
///
/// # Errors
/// TN-1009 if it cannot be written.
pub(super) fn schema(context: &Context) -> Result<Exit, CommandError> {
    let schema = schemars::schema_for!(ConfigFile);
    document(&match context.format {
        Format::Human | Format::Json => render::json_pretty(&schema),
        Format::Ndjson => render::json(&schema),
    })?;
    Ok(Exit::Done)
}
