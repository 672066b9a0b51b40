//! Which of a version's files count for one engine.

use super::Found;
use crate::direction::Direction;
use crate::engine::Engine;
use crate::migration::problem::{FileProblem, FileProblemKind as Kind};

/// The files of one migration.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) up: &'a Found<'a>,
    pub(super) down: Option<&'a Found<'a>>,
}

/// Chooses among the files of one version; adds what is wrong, and returns none if nothing can run.
pub(super) fn choose<'a>(
    files: &'a [Found<'a>],
    engine: Engine,
    problems: &mut Vec<FileProblem>,
) -> Option<Pair<'a>> {
    let before = problems.len();
    check_stems(files, problems);
    check_downs(files, problems);
    if problems.len() > before {
        return None;
    }
    let up = pick(files, engine, Direction::Up);
    if let (None, Some(other)) = (up, files.iter().find(|f| f.name.direction == Direction::Up)) {
        let version = other.name.version;
        problems.push(FileProblem::whole(
            &other.path,
            Kind::NotForEngine { version, engine },
        ));
    }
    Some(Pair {
        up: up?,
        down: pick(files, engine, Direction::Down),
    })
}

fn pick<'a>(files: &'a [Found<'a>], engine: Engine, direction: Direction) -> Option<&'a Found<'a>> {
    let of = |wanted| {
        files
            .iter()
            .find(|f| f.name.direction == direction && f.name.engine == wanted)
    };
    of(Some(engine)).or_else(|| of(None))
}

/// All files of a version must carry the same name, zeros before the version included.
fn check_stems(files: &[Found<'_>], problems: &mut Vec<FileProblem>) {
    let mut ups = files.iter().filter(|f| f.name.direction == Direction::Up);
    let Some(first) = ups.next() else {
        return;
    };
    for other in ups.filter(|other| other.name.stem != first.name.stem) {
        let kind = if other.name.stem.eq_ignore_ascii_case(&first.name.stem) {
            Kind::SameButCase(first.path.clone())
        } else {
            Kind::SameVersion {
                version: other.name.version,
                other: first.path.clone(),
            }
        };
        problems.push(FileProblem::whole(&other.path, kind));
    }
}

fn check_downs(files: &[Found<'_>], problems: &mut Vec<FileProblem>) {
    for down in files.iter().filter(|f| f.name.direction == Direction::Down) {
        let has_up = files
            .iter()
            .any(|f| f.name.direction == Direction::Up && f.name.stem == down.name.stem);
        if !has_up {
            problems.push(FileProblem::whole(&down.path, Kind::DownWithoutUp));
        }
    }
}
