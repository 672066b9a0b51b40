//! The bytes of a file as text: UTF-8 and nothing else, so that no name is read as another one.

use super::error::ImportError;
use super::problem::Place;

/// Returns the text of a file, without a byte order mark.
///
/// # Errors
/// [`ImportError::Encoding`], with the line, for anything but UTF-8, and for a zero byte.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ImportError::Encoding {
            at: Place::Line(1),
            what: "is in UTF-16; save it as UTF-8",
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(ImportError::Encoding {
            at: line_of(bytes, at),
            what: "holds a zero byte; save it as UTF-8",
        });
    }
    std::str::from_utf8(bytes).map_err(|error| ImportError::Encoding {
        at: line_of(bytes, error.valid_up_to()),
        what: "is not in UTF-8; save it as UTF-8",
    })
}

fn line_of(bytes: &[u8], offset: usize) -> Place {
    let before = bytes.iter().take(offset).filter(|byte| **byte == b'\n').count();
    Place::Line(u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf_8_is_text_and_a_mark_at_its_beginning_is_none_of_it() {
        assert_eq!(decode("\u{feff}id\nü".as_bytes()).unwrap(), "id\nü");
        let told = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        assert!(told(b"\xff\xfei\0d\0").contains("UTF-16"));
        assert!(told(b"\xfe\xff\0i\0d").contains("UTF-16"));
        assert!(
            told(b"id\nM\xfcller\n").contains("line 2 is not in UTF-8"),
            "{}",
            told(b"id\nM\xfcller\n")
        );
        assert!(told(b"id\n\na\0b").contains("line 3 holds a zero byte"));
    }
}
