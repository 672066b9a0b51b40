//! Checksums over normalised text, so that an editor's line endings do not make a file modified.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// SHA-256 over a file's text with its byte order mark stripped and CRLF and CR turned into LF.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Computes the checksum of a file's text.
    pub fn of(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut hasher = Sha256::new();
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|b| *b == b'\r') {
            let (line, tail) = rest.split_at(at);
            hasher.update(line);
            hasher.update(b"\n");
            rest = tail
                .strip_prefix(b"\r\n")
                .or_else(|| tail.strip_prefix(b"\r"))
                .unwrap_or(tail);
        }
        hasher.update(rest);
        Self(hasher.finalize().into())
    }

    /// Reads 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    #[test]
    fn line_endings_and_byte_order_mark_do_not_count() {
        let unix = Checksum::of("a\nb\n\nc\n");
        for same in ["a\r\nb\r\n\r\nc\r\n", "a\rb\r\rc\r", "\u{feff}a\nb\r\n\rc\n"] {
            assert_eq!(Checksum::of(same), unix, "{same:?}");
        }
        assert_ne!(Checksum::of("a\nb\n\nc"), unix);
    }

    #[test]
    fn it_is_plain_sha_256() {
        assert_eq!(
            Checksum::of("abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            Checksum::from_hex(&Checksum::of("abc").to_string()),
            Some(Checksum::of("abc"))
        );
    }
}
