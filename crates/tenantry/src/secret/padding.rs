//! Padding to 64-byte steps, so that an envelope's length does not tell the password's.

use zeroize::Zeroizing;

/// The step in bytes.
pub(super) const STEP: usize = 64;

/// Marks where the text ends; only zeros follow (ISO/IEC 7816-4, "padding").
const END: u8 = 0x80;

/// Returns the length of a text of `len` bytes once it is padded.
pub(super) const fn padded_len(len: usize) -> usize {
    (len / STEP + 1) * STEP
}

/// Returns the text with its padding; there is always at least one byte of it.
pub(super) fn pad(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let padded = padded_len(text.len());
    // The full capacity at once: a growing buffer would leave copies behind that nobody wipes.
    let mut buffer = Zeroizing::new(Vec::with_capacity(padded));
    buffer.extend_from_slice(text);
    buffer.push(END);
    buffer.resize(padded, 0);
    buffer
}

/// Returns the text without its padding; `None` if the padding is not as [`pad`] makes it.
pub(super) fn strip(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|&byte| byte != 0)?;
    let (text, padding) = padded.split_at_checked(end)?;
    (padding.first() == Some(&END) && padded_len(text.len()) == padded.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_its_padding() {
        for len in 0..=200 {
            for fill in [0_u8, END, b'x'] {
                let text = vec![fill; len];
                let padded = pad(&text);
                assert_eq!(padded.len() % STEP, 0, "{len}");
                assert_eq!(strip(&padded), Some(text.as_slice()), "{len} of {fill}");
            }
        }
    }

    #[test]
    fn foreign_padding_is_refused() {
        for padded in [
            vec![],
            vec![0; 64],
            vec![b'x'; 64],
            [pad(b"x").as_slice(), &[0; 64]].concat(),
        ] {
            assert_eq!(strip(&padded), None, "{padded:?}");
        }
    }
}
