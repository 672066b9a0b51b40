//! The one table of the codes of file problems. A number never changes its meaning.

use super::FileProblemKind as Kind;
use crate::code::Code;

/// Returns the code of a reason.
pub(super) fn code(kind: &Kind) -> Code {
    Code(match kind {
        Kind::SameVersion { .. } => 3004,
        Kind::Empty => 3011,
        Kind::NoStatement => 3012,
        Kind::NotUtf8 { .. } => 3013,
        Kind::NulByte => 3014,
        Kind::CtrlZ => 3015,
        Kind::MarkInside => 3016,
        Kind::Bidi(_) => 3017,
        Kind::Invisible(_) => 3018,
        Kind::FileName => 3019,
        Kind::VersionOutOfRange(_) => 3020,
        Kind::NameUnprintable | Kind::NameTooLong(_) => 3021,
        Kind::SameButCase(_) => 3022,
        Kind::DownWithoutUp => 3023,
        Kind::NotForEngine { .. } => 3024,
        Kind::SymbolicLink => 3025,
        Kind::NotAFile(_) => 3026,
        Kind::Unreadable(_) => 3027,
        Kind::TooLarge(_) => 3028,
        Kind::StatementTooLarge(_) => 3056,
        Kind::Changed => 3029,
        Kind::Unclosed(_) => 3030,
        Kind::Delimiter(_) => 3031,
        Kind::HashComment(_) => 3032,
        Kind::ClientCommand => 3033,
        Kind::CopyStream => 3034,
        Kind::TransactionControl(_) | Kind::ForeignSavepoint(_) => 3035,
        Kind::SessionChange(_) => 3036,
        Kind::StringRules(_) | Kind::ConditionalComment => 3037,
        Kind::Unlock(_) => 3038,
        Kind::OtherDatabase(_) => 3039,
        Kind::NeedsNoTransaction(_) => 3040,
        Kind::SeveralWithoutTransaction(_) => 3041,
        Kind::ConcurrentlyIfNotExists => 3042,
        Kind::TruncateWithoutRule => 3043,
        Kind::ServerFiles(_) => 3044,
        Kind::ServerWide(_) => 3045,
        Kind::OwnTable(_) => 3046,
        Kind::UnknownDirective { .. } => 3047,
        Kind::DirectiveValue { .. } => 3048,
        Kind::DirectiveNotAtTop => 3049,
        Kind::Placeholder(_) => 3050,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::code::Code;

    #[test]
    fn every_code_of_this_block_has_its_page() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        for code in std::iter::once(1006).chain(3001..=3050).map(Code) {
            let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).expect("a page");
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            assert!(page.contains("\n## What to do\n"), "{code}");
        }
    }
}
