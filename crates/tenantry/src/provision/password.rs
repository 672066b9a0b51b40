//! Passwords of the roles that we create.

use secrecy::SecretString;

/// How many random bytes a password is made of: 192 bits.
const BYTES: usize = 24;

/// Makes a password of letters and digits only, so that no client has to quote it.
pub(super) fn generate() -> Result<SecretString, getrandom::Error> {
    let mut random = zeroize::Zeroizing::new([0_u8; BYTES]);
    getrandom::fill(random.as_mut())?;
    Ok(SecretString::from(hex::encode(random.as_ref())))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    #[test]
    fn passwords_are_long_and_differ() {
        let (a, b) = (super::generate().unwrap(), super::generate().unwrap());
        assert_eq!(a.expose_secret().len(), 48);
        assert_ne!(a.expose_secret(), b.expose_secret());
    }
}
