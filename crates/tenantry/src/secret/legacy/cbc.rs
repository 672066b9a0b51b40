//! AES-256-CBC with PKCS#7, decrypting only.

use aes::Aes256;
use cbc::cipher::{Block, BlockModeDecrypt as _, KeyIvInit as _};
use zeroize::Zeroizing;

/// The length of a block in bytes.
pub(super) const BLOCK: usize = 16;

/// Decrypts and takes the padding off; `None` if there are no whole blocks, the padding is wrong, or it is no UTF-8.
///
/// The same work is done whichever of the last two it is: nobody shall learn from the time that it took whether the
/// padding was right.
pub(super) fn decrypt(key: &[u8; 32], iv: &[u8; BLOCK], ciphertext: &[u8]) -> Option<Zeroizing<String>> {
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    let mut decryptor = cbc::Decryptor::<Aes256>::new(key.into(), iv.into());
    for block in plain.chunks_exact_mut(BLOCK) {
        let block: &mut Block<Aes256> = block.try_into().ok()?;
        decryptor.decrypt_block(block);
    }
    let (length, is_padded) = unpadded(&plain);
    let text = std::str::from_utf8(plain.get(..length).unwrap_or_default());
    let text = text.map(|text| Zeroizing::new(text.to_owned()));
    text.ok().filter(|_| is_padded)
}

/// Returns the length without padding, and whether the padding is right; looks at the whole last block in any case.
fn unpadded(plain: &[u8]) -> (usize, bool) {
    let count = plain.last().copied().unwrap_or_default();
    let mut wrong = u8::from(count == 0) | u8::from(usize::from(count) > BLOCK);
    for (behind, byte) in plain.iter().rev().take(BLOCK).enumerate() {
        let is_padding = u8::from(behind < usize::from(count));
        wrong |= is_padding & u8::from(*byte != count);
    }
    (plain.len().saturating_sub(usize::from(count)), wrong == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_and_equal_padding_is_right() {
        let mut plain = *b"secret\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a";
        assert_eq!(unpadded(&plain), (6, true));
        plain[7] = 9;
        assert!(!unpadded(&plain).1);
        assert!(unpadded(&[16; 16]).1);
        assert!(!unpadded(&[17; 16]).1);
        assert!(!unpadded(&[0; 16]).1);
    }

    #[test]
    fn what_is_no_whole_number_of_blocks_is_nothing() {
        for length in [0, 1, 15, 17, 31] {
            assert!(
                decrypt(&[7; 32], &[0; 16], &vec![0; length]).is_none(),
                "{length}"
            );
        }
    }
}
