//! A folder of files to a track, or to every reason why it must not run.

mod error;
mod file;
mod name;
mod pair;

#[cfg(test)]
mod tests;

pub use error::ReadError;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use super::problem::{FileProblem, FileProblemKind as Kind};
use super::script::Script;
use super::{Checksum, Migration, Track, Warning, directive, mysql_class, refuse, split, text, warning};
use crate::engine::Engine;
use crate::target::TrackName;

use name::FileName;
use pair::Pair;

/// A file that was found, with what its name says.
#[derive(Clone, Debug)]
struct Found<'a> {
    path: PathBuf,
    name: FileName,
    content: Content<'a>,
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Disk,
    Binary(&'a str),
}

impl Track {
    /// Reads a folder as one engine sees it: a file for the engine wins over one for all.
    ///
    /// Returns an empty track for a folder without `.sql` files; hidden files and all others are left out.
    /// Opens no connection, writes nothing, follows no link, reads no file over 64 MiB. The error holds
    /// every problem of every file.
    pub fn read(folder: &Path, name: TrackName, engine: Engine) -> Result<Self, ReadError> {
        let mut read = from_disk(folder, engine)?;
        read.refuse_unfinished(folder)?;
        Ok(read.track(folder, name, engine))
    }

    /// Reads a folder as [`Self::read`] does, but leaves out files that hold no statement yet, as a new one
    /// from a template: they are in [`Self::unfinished`]. Such a track is for looking and for going back;
    /// to apply it would pass over a change that was meant.
    pub fn read_finished(folder: &Path, name: TrackName, engine: Engine) -> Result<Self, ReadError> {
        Ok(from_disk(folder, engine)?.track(folder, name, engine))
    }

    /// Takes files that are part of the binary, as pairs of file name and text, by the rules of
    /// [`Self::read`].
    pub fn from_files(name: TrackName, engine: Engine, files: &[(&str, &str)]) -> Result<Self, ReadError> {
        let mut files: Vec<_> = files
            .iter()
            .filter(|(name, _)| !name::is_ignored(name))
            .map(|(name, text)| (PathBuf::from(name), (*name).to_owned(), Content::Binary(text)))
            .collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let folder = Path::new("");
        let mut read = assemble(folder, engine, files)?;
        read.refuse_unfinished(folder)?;
        Ok(read.track(folder, name, engine))
    }
}

fn from_disk(folder: &Path, engine: Engine) -> Result<Assembled, ReadError> {
    let listed = list(folder).map_err(|source| ReadError::Folder {
        folder: folder.to_owned(),
        source,
    })?;
    let files = listed
        .into_iter()
        .map(|(path, name)| (path, name, Content::Disk))
        .collect();
    assemble(folder, engine, files)
}

/// Returns path and name of every file that may be a migration, in path order.
fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>, io::Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name::is_ignored(&name) {
            files.push((entry.path(), name));
        }
    }
    files.sort();
    Ok(files)
}

type Files<'a> = Vec<(PathBuf, String, Content<'a>)>;

/// What was read.
struct Assembled {
    migrations: Vec<Arc<Migration>>,
    warnings: Vec<Warning>,
    /// The files without a statement, where nothing else is wrong.
    unfinished: Vec<FileProblem>,
}

impl Assembled {
    fn refuse_unfinished(&mut self, folder: &Path) -> Result<(), ReadError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        Err(ReadError::Files {
            folder: folder.to_owned(),
            problems: std::mem::take(&mut self.unfinished),
        })
    }

    fn track(self, folder: &Path, name: TrackName, engine: Engine) -> Track {
        Track {
            name,
            engine,
            folder: folder.to_owned(),
            migrations: self.migrations,
            warnings: self.warnings,
            unfinished: self.unfinished.into_iter().map(|problem| problem.path).collect(),
        }
    }
}

fn assemble(folder: &Path, engine: Engine, files: Files<'_>) -> Result<Assembled, ReadError> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut versions: BTreeMap<_, Vec<Found<'_>>> = BTreeMap::new();
    for (path, name, content) in files {
        match name::parse(&name) {
            Ok(name) => versions
                .entry(name.version)
                .or_default()
                .push(Found { path, name, content }),
            Err(kind) => problems.push(FileProblem::whole(&path, kind)),
        }
    }
    let mut migrations = Vec::new();
    for found in versions.values() {
        let pair = pair::choose(found, engine, &mut problems);
        let read = pair.and_then(|pair| migration(&pair, engine, &mut problems));
        if let Some((migration, told)) = read {
            migrations.push(migration);
            warnings.extend(told);
        }
    }
    if engine == Engine::MySql {
        keep_apart(&mut migrations);
    }
    problems.sort_by(|a, b| (&a.path, a.place).cmp(&(&b.path, b.place)));
    let is_unfinished = |problem: &FileProblem| matches!(problem.kind, Kind::NoStatement | Kind::Empty);
    if problems.iter().all(is_unfinished) {
        return Ok(Assembled {
            migrations,
            warnings,
            unfinished: problems,
        });
    }
    Err(ReadError::Files {
        folder: folder.to_owned(),
        problems,
    })
}

/// Gives a session of its own to every file whose rows may run what an earlier file, or the same one, made of a
/// session's things.
fn keep_apart(migrations: &mut [Arc<Migration>]) {
    let makes = |migration: &Arc<Migration>| {
        let scripts = std::iter::once(&migration.up).chain(&migration.down);
        scripts.into_iter().any(mysql_class::makes_session_code)
    };
    let first = migrations.iter().position(makes).unwrap_or(migrations.len());
    for migration in migrations.iter_mut().skip(first) {
        // Nobody else has it yet.
        let Some(migration) = Arc::get_mut(migration) else {
            continue;
        };
        for script in std::iter::once(&mut migration.up).chain(&mut migration.down) {
            script.own_session |= mysql_class::may_fire(script);
        }
    }
}

fn migration(
    pair: &Pair<'_>,
    engine: Engine,
    problems: &mut Vec<FileProblem>,
) -> Option<(Arc<Migration>, Vec<Warning>)> {
    let up = script(pair.up, engine, problems);
    let down = pair.down.and_then(|down| script(down, engine, problems));
    let (up, mut warnings) = up?;
    let down = down.map(|(down, told)| {
        warnings.extend(told);
        down
    });
    let migration = Migration {
        version: pair.up.name.version,
        name: pair.up.name.name().to_owned(),
        up,
        down,
    };
    Some((Arc::new(migration), warnings))
}

/// Reads one file, and what is to be told about it; adds its problems, if any, and then returns none.
fn script(
    found: &Found<'_>,
    engine: Engine,
    problems: &mut Vec<FileProblem>,
) -> Option<(Script, Vec<Warning>)> {
    let bytes = match found.content {
        Content::Binary(text) => Ok(text.as_bytes().to_vec()),
        Content::Disk => file::read(&found.path),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(kind) => {
            problems.push(FileProblem::whole(&found.path, kind));
            return None;
        }
    };
    let line_endings = warning::mixed_line_endings(&bytes);
    match text::decode(bytes) {
        Ok(text) => {
            let script = parse(&found.path, text, engine, problems)?;
            let at = (found.name.version, found.name.direction);
            let warnings = warning::check(&script, line_endings, engine, at);
            Some((script, warnings))
        }
        Err(problem) => {
            problems.push(if matches!(problem.kind, Kind::Empty) {
                FileProblem::whole(&found.path, problem.kind)
            } else {
                FileProblem::at(&found.path, &problem.text, problem.offset, problem.kind)
            });
            None
        }
    }
}

fn needs_own_session(script: &Script, engine: Engine) -> bool {
    match engine {
        Engine::MySql => mysql_class::needs_own_session(script),
        // Their sessions are cleaned as a whole.
        Engine::Postgres | Engine::Sqlite => false,
    }
}

/// Splits a text and looks at every statement.
fn parse(path: &Path, text: String, engine: Engine, problems: &mut Vec<FileProblem>) -> Option<Script> {
    let mut found = Vec::new();
    let parts = match split::parts(&text, engine) {
        Ok(parts) => parts,
        Err(error) => {
            let kind = refuse::unsplittable(error.kind, engine);
            problems.push(FileProblem::at(path, &text, error.offset, kind));
            return None;
        }
    };
    if parts.statements.is_empty() {
        problems.push(FileProblem::whole(path, Kind::NoStatement));
    }
    let directives = directive::read(&text, engine, &parts, &mut found);
    let checksum = Checksum::of(&text);
    let mut script = Script {
        path: path.to_owned(),
        text,
        checksum,
        statements: parts.statements,
        directives,
        own_session: false,
    };
    refuse::check(&script, engine, &mut found);
    if found.is_empty() && !script.statements.is_empty() {
        script.own_session = needs_own_session(&script, engine);
        return Some(script);
    }
    found.sort_by_key(|(offset, _)| *offset);
    problems.extend(
        found
            .into_iter()
            .map(|(offset, kind)| FileProblem::at(path, &script.text, offset, kind)),
    );
    None
}
