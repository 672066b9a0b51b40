//! What must not run, seen before any connection is opened.

use super::problem::FileProblemKind as Kind;
use super::script::Script;
use super::split::SplitErrorKind;
use crate::engine::Engine;

/// Says in a file problem's words why a text cannot be split.
pub(super) fn unsplittable(kind: SplitErrorKind, engine: Engine) -> Kind {
    match kind {
        SplitErrorKind::Unclosed(what) => Kind::Unclosed(what),
        SplitErrorKind::NoDelimiter => Kind::Delimiter(String::new()),
        SplitErrorKind::UnbalancedDelimiter(delimiter) => Kind::Delimiter(delimiter),
        SplitErrorKind::HashComment => Kind::HashComment(engine),
        SplitErrorKind::ClientCommand => Kind::ClientCommand,
        SplitErrorKind::CopyFromStdin => Kind::CopyStream,
    }
}

/// Looks at every statement; adds what must not run, by byte offset.
pub(super) fn check(script: &Script, problems: &mut Vec<(usize, Kind)>) {
    let several = script.statements.get(1);
    if let (Some(second), true) = (several, script.directives.no_transaction) {
        let kind = Kind::SeveralWithoutTransaction(script.statements.len());
        problems.push((second.start as usize, kind));
    }
}
