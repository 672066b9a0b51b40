//! A plan's file: read as what anybody may have written, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tenantry::Code;
use tenantry::fleet::{SavedPlan, UnreadablePlan};
use tenantry::migration::Place;

use super::files::{not_read, not_written};
use crate::exit::Exit;
use crate::failure::{CommandError, Location};
use crate::render::text;

/// The largest plan in bytes: 64 MiB, some 700,000 targets.
const LARGEST: u64 = 64 << 20;

/// Reads a plan.
///
/// # Errors
/// TN-1010 if the file cannot be read; TN-4016 if it is no plan that this program can carry out.
pub(super) fn read(path: &Path) -> Result<SavedPlan, CommandError> {
    let found = fs::metadata(path).map_err(|error| not_read(path, &error))?;
    if !found.is_file() {
        return Err(unreadable(path, "it is no ordinary file"));
    }
    let text = text_of(path).map_err(|error| not_read(path, &error))?;
    let text = text.map_err(|why| unreadable(path, why))?;
    SavedPlan::read(&text).map_err(|error| of_unreadable(path, &error))
}

/// Returns a file's text, or why it cannot be a plan's.
fn text_of(path: &Path) -> io::Result<Result<String, &'static str>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Ok(Err("it is larger than 64 MiB"));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text"))
}

/// Checks that a plan may be written here: nothing is there yet, or a plan.
///
/// # Errors
/// TN-4017 if something else is there; TN-1010 if it cannot be looked at, or there is no such folder.
pub(super) fn check_free(path: &Path) -> Result<(), CommandError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::metadata(folder_of(path)) {
                Ok(_) => Ok(()),
                Err(error) => Err(not_written(path, &error)),
            };
        }
        Err(error) => return Err(not_written(path, &error)),
    };
    let is_plan = found.is_file()
        && match text_of(path).map_err(|error| not_written(path, &error))? {
            Ok(text) => SavedPlan::is_plan(&text),
            Err(_) => false,
        };
    if is_plan {
        return Ok(());
    }
    let title = format!("{} is there, and is no plan", text::path(path));
    Err(CommandError::new(Exit::Refused, title)
        .code(Code(4017))
        .fact("state", "it was left as it is; no plan was written")
        .help("choose another name:  tenantry migrate plan --out plan.json"))
}

/// Writes a plan in one step: whoever reads the file finds the old one or the new one.
///
/// # Errors
/// As [`check_free`]; TN-1010 if it cannot be written, and then nothing of it is left.
pub(super) fn write(path: &Path, plan: &SavedPlan) -> Result<(), CommandError> {
    check_free(path)?;
    let beside = beside(path);
    let written = write_beside(&beside, path, plan.text().as_bytes());
    written.map_err(|error| {
        // It may not be there; what went wrong is told either way.
        drop(fs::remove_file(&beside));
        not_written(path, &error)
    })
}

fn write_beside(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    // The new name outlives a crash of the machine, too.
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Returns a name in the same folder that no other process uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.{}.part", std::process::id()))
}

fn unreadable(path: &Path, why: &str) -> CommandError {
    let title = format!("{} is no plan that can be carried out: {why}", text::path(path));
    CommandError::new(Exit::Usage, title)
        .code(Code(4016))
        .fact("state", "nothing ran")
        .help("make a new one:  tenantry migrate plan --out plan.json")
}

fn of_unreadable(path: &Path, error: &UnreadablePlan) -> CommandError {
    let mut made = unreadable(path, &error.to_string());
    if let UnreadablePlan::Json { line, column, .. } = error {
        made.message.at.push(Location {
            path: path.to_owned(),
            place: Some(Place {
                line: *line,
                column: *column,
            }),
        });
    }
    made
}
