//! Comments that hold code for some MySQL servers, where those which skip them may find another end.

use crate::engine::Engine;
use crate::migration::mysql_class::is_executed_by_all;
use crate::migration::split::{Kind as TokenKind, Lexer};

/// Returns the offset of the first conditional comment of a statement that a server which skips it ends elsewhere
/// than one which runs it; `None` if there is none.
///
/// What is skipped has no strings and no line comments: it ends at its first `*/`, in `/*!` behind a comment that
/// was opened inside ("Comments" in the manual of MySQL, "Comment Syntax" in that of MariaDB).
pub(super) fn ends_elsewhere(statement: &str) -> Option<usize> {
    if !statement.contains("/*!") && !statement.contains("/*M!") {
        return None;
    }
    let mut open = None;
    for token in Lexer::new(statement, Engine::MySql).map_while(Result::ok) {
        match token.kind {
            TokenKind::CodeOpen if open.is_some() => return open,
            TokenKind::CodeOpen if !is_executed_by_all(token.text(statement)) => {
                open = Some(token.start as usize);
            }
            TokenKind::CodeClose => {
                let end = token.end as usize;
                if let Some(start) = open.take()
                    && !is_skipped_to(statement, start, end)
                {
                    return Some(start);
                }
            }
            TokenKind::CodeOpen
            | TokenKind::Word
            | TokenKind::Number
            | TokenKind::Name
            | TokenKind::Text
            | TokenKind::LineComment
            | TokenKind::Delimiter
            | TokenKind::Symbol => {}
        }
    }
    None
}

/// Whether every server that skips the comment at `start` goes on at `end`.
fn is_skipped_to(statement: &str, start: usize, end: usize) -> bool {
    let bytes = statement.as_bytes();
    // To MySQL `/*M!` is a plain comment, in which none is opened.
    let is_plain_to_some = bytes.get(start + 2) == Some(&b'M');
    skipped(bytes, start, Inner::Skipped) == Some(end)
        && (!is_plain_to_some || skipped(bytes, start, Inner::Unseen) == Some(end))
}

/// What a comment that is opened in a skipped one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inner {
    /// A comment of its own, with an end of its own.
    Skipped,
    /// Nothing special.
    Unseen,
}

/// Returns the offset behind a comment that a server skips.
fn skipped(bytes: &[u8], start: usize, inner: Inner) -> Option<usize> {
    let mut at = start + 2;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|byte| matches!(byte, b'*' | b'/'))?;
        match bytes.get(at..at + 2)? {
            b"*/" => return Some(at + 2),
            b"/*" if inner == Inner::Skipped => at = skipped(bytes, at, Inner::Unseen)?,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Engine;
    use crate::migration::{ReadError, Track};
    use crate::target::TrackName;

    fn codes(text: &str) -> Vec<u16> {
        match Track::from_files(TrackName::Tenant, Engine::MySql, &[("1_a.sql", text)]) {
            Ok(_) => Vec::new(),
            Err(ReadError::Files { problems, .. }) => problems.iter().map(|p| p.code().0).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_comment_that_some_server_ends_elsewhere_is_refused() {
        for text in [
            "INSERT INTO a VALUES (1) /*!99999 , ('*/; COMMIT; INSERT INTO a VALUES (2) -- ') */",
            "INSERT INTO a VALUES (1) /*!99999 -- */; COMMIT; INSERT INTO a VALUES (2) /*\n*/",
            "INSERT INTO a VALUES (1) /*!80000 , (\"*/\") */",
            "INSERT INTO a VALUES (1) /*M!100000 , (`*/`) */",
            "INSERT INTO a VALUES (1) /*M! # */\n */",
            "INSERT INTO a VALUES (1) /*!99999 , ('/*') */",
            "INSERT INTO a VALUES (1) /*M!100000 /* b */ , (2) */",
            "INSERT INTO a VALUES (1) /*!99999 , (/*!80000 2 */)",
            "/*!80000 CREATE PROCEDURE p() SELECT '*/' */",
        ] {
            assert_eq!(codes(text), [3037], "{text}");
        }
    }

    #[test]
    fn conditional_comments_of_dumps_are_left_alone() {
        for text in [
            "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW \
             SET NEW.b = '*/', NEW.c = '/*' */",
            "CREATE TABLE a (n INT /*!80023 INVISIBLE */, c TEXT /*!99999 COMMENT 'a -- b' /* c */ */)",
            "/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */; SELECT 1",
            "SELECT '/*!99999 */', `/*M! '*/'` FROM a -- /*!99999 '*/'",
        ] {
            assert_eq!(codes(text), [0; 0], "{text}");
        }
    }
}
