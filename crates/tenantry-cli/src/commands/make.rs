//! `migrate make`: new migration files that follow the folder they come into.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tenantry::TrackName;

use super::files::not_written;
use super::{Context, usage};
use crate::args::Make;
use crate::clock::Utc;
use crate::config::{Project, nearest};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;
use tenantry::Code;

/// How many digits a timestamp version has.
const TIMESTAMP: usize = 14;

/// The longest name: file names have at most 200 bytes, endings included.
const LONGEST: usize = 150;

#[derive(Serialize)]
struct Made {
    track: String,
    version: String,
    files: Vec<String>,
}

/// What the newest migration of a folder looks like.
#[derive(Debug, PartialEq, Eq)]
struct Newest {
    number: u64,
    digits: usize,
    has_down: bool,
}

/// Makes the files. The last line on stdout is the path of the way forwards.
///
/// # Errors
/// A name that is none, a product without a folder, a file that is there already.
pub(super) fn run(context: &Context, make: &Make) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let name = checked_name(&make.name)?;
    let (track, folder) = track_of(&project, make)?;
    fs::create_dir_all(&folder).map_err(|error| not_written(&folder, &error))?;
    let newest = newest(&folder).map_err(|error| not_written(&folder, &error))?;
    let version = next_version(newest.as_ref(), &Utc::now().version());
    let up = folder.join(format!("{version}_{name}.sql"));
    write_new(&up, &format!("-- {name}: what changes, and why.\n\n"))?;
    let mut files = vec![up];
    let wants_down = make.down || (!make.no_down && newest.is_none_or(|newest| newest.has_down));
    if wants_down {
        let down = folder.join(format!("{version}_{name}.down.sql"));
        write_new(&down, &format!("-- {name}: takes it back.\n\n"))?;
        files.push(down);
    }
    let files: Vec<String> = files.iter().map(|path| text::path(path)).collect();
    let human: Vec<&str> = files.iter().rev().map(String::as_str).collect();
    let track = track.to_string();
    context.answer(
        &human.join("\n"),
        &Made {
            track,
            version,
            files: files.clone(),
        },
    )?;
    let them = if files.len() == 1 { "it" } else { "them" };
    context.say(&format!("Next:  edit {them}, then  tenantry migrate plan"));
    Ok(Exit::Done)
}

/// Turns words into a name: spaces become underscores, capitals small letters.
fn checked_name(given: &str) -> Result<String, CommandError> {
    let name = given.trim().to_lowercase().replace(' ', "_");
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.len() <= LONGEST && name.bytes().all(fits) {
        return Ok(name);
    }
    let title = format!("`{}` is no name for a migration", text::printable(given));
    Err(usage(title)
        .fact("rule", "letters, digits, _ and -, at most 150 of them")
        .fact("state", "nothing was written")
        .help("tenantry migrate make add_invoices"))
}

fn track_of(project: &Project, make: &Make) -> Result<(TrackName, PathBuf), CommandError> {
    let folders = &project.settings.folders;
    if make.central {
        return Ok((TrackName::Central, folders.central.clone()));
    }
    let Some(product) = &make.product else {
        return Ok((TrackName::Tenant, folders.tenant.clone()));
    };
    if let Some(folder) = folders.products.get(product) {
        return Ok((TrackName::Product(product.clone()), folder.clone()));
    }
    let title = format!("no product `{product}`");
    let mut error = CommandError::new(Exit::NotFound, title).code(Code(6005));
    let known: Vec<&str> = folders
        .products
        .keys()
        .map(tenantry::ProductType::as_str)
        .collect();
    if let Some(near) = nearest(product.as_str(), known.iter().copied()) {
        error = error.help(format!("tenantry migrate make {} --product {near}", make.name));
    }
    if !known.is_empty() {
        error = error.fact("products", text::names(known));
    }
    let folder = text::path(&project.folder.join("migrations/products").join(product.as_str()));
    Err(error
        .fact("state", "nothing was written")
        .help(format!("mkdir -p {folder}        begins a new product")))
}

/// Returns the newest migration of a folder; `None` if it has none. Other files are none of our business.
fn newest(folder: &Path) -> std::io::Result<Option<Newest>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    let is_sql = |name: &&String| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "sql");
    let prefix = |name: &str| {
        let (number, _) = name.split_once('_')?;
        Some((number.parse::<u64>().ok()?, number.len()))
    };
    let numbers = names.iter().filter(is_sql).filter_map(|name| prefix(name));
    Ok(numbers.max().map(|(number, digits)| Newest {
        number,
        digits,
        has_down: names
            .iter()
            .any(|name| name.ends_with(".down.sql") && prefix(name).is_some_and(|(n, _)| n == number)),
    }))
}

/// Returns the next version: the present moment, or the next number if the folder counts.
///
/// A folder whose newest timestamp lies ahead of our clock still gets a higher one.
fn next_version(newest: Option<&Newest>, now: &str) -> String {
    match newest {
        None => now.to_owned(),
        Some(newest) if newest.digits == TIMESTAMP => {
            let now = now.parse().unwrap_or(0);
            now.max(newest.number + 1).to_string()
        }
        Some(newest) => format!("{:0digits$}", newest.number + 1, digits = newest.digits),
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), CommandError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| not_written(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(number: u64, digits: usize) -> Newest {
        Newest {
            number,
            digits,
            has_down: true,
        }
    }

    #[test]
    fn the_next_version_follows_the_folder() {
        let now = "20260314093000";
        assert_eq!(next_version(None, now), now);
        assert_eq!(next_version(Some(&newest(20_260_101_000_000, 14)), now), now);
        let ahead = newest(20_270_101_000_000, 14);
        assert_eq!(next_version(Some(&ahead), now), "20270101000001");
        assert_eq!(next_version(Some(&newest(9, 3)), now), "010");
        assert_eq!(next_version(Some(&newest(9, 1)), now), "10");
    }

    #[test]
    fn words_become_a_name() {
        assert_eq!(checked_name("Add Invoices").unwrap(), "add_invoices");
        for bad in ["", "a/b", "../x", "é", "a.b", &"a".repeat(151)] {
            assert_eq!(checked_name(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
