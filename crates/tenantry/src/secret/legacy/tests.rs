//! Records that OpenSSL and Node wrote are read here, and nothing that was changed is; `vectors/` holds the scripts.

use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::*;

/// The key of many a README: 30 characters where AES takes 32 bytes.
const SAMPLE: &[u8] = b"your-32-char-encryption-key-01";

#[derive(Deserialize)]
struct Vector {
    profile: String,
    form: String,
    given: String,
    salt: Option<String>,
    record: String,
    plain: String,
}

impl Vector {
    fn reader(&self) -> Legacy {
        let profile = Profile::ALL
            .into_iter()
            .find(|p| p.as_str() == self.profile)
            .unwrap();
        let form = KeyForm::ALL
            .into_iter()
            .find(|f| f.as_str() == self.form)
            .unwrap();
        let salt = self.salt.as_deref().map(str::as_bytes);
        Legacy::new(profile, form, self.given.as_bytes(), salt).unwrap()
    }
}

fn vectors() -> Vec<Vector> {
    let mut all: Vec<Vector> = serde_json::from_str(include_str!("vectors/node.json")).unwrap();
    let openssl: Vec<Vector> = serde_json::from_str(include_str!("vectors/openssl.json")).unwrap();
    all.extend(openssl);
    all
}

#[test]
fn what_others_wrote_is_read_in_every_form() {
    let all = vectors();
    for vector in &all {
        let opened = vector.reader().open(&vector.record).unwrap();
        assert_eq!(
            opened.expose_secret(),
            vector.plain,
            "{} {}",
            vector.profile,
            vector.form
        );
    }
    for profile in Profile::ALL {
        assert!(all.iter().any(|v| v.profile == profile.as_str()), "{profile:?}");
    }
    for form in KeyForm::ALL {
        assert!(all.iter().any(|v| v.form == form.as_str()), "{form:?}");
    }
}

#[test]
fn a_key_of_30_characters_is_read_padded_or_derived_or_counted() {
    for form in [
        KeyForm::ZeroPadded,
        KeyForm::Sha256,
        KeyForm::EvpMd5,
        KeyForm::EvpSha256,
    ] {
        assert!(
            Legacy::new(Profile::IvHex, form, SAMPLE, None).is_ok(),
            "{form:?}"
        );
    }
    assert!(Legacy::new(Profile::IvHex, KeyForm::Scrypt, SAMPLE, Some(b"salt")).is_ok());
    for form in [KeyForm::Raw, KeyForm::Hex, KeyForm::Base64] {
        let told = Legacy::new(Profile::IvHex, form, SAMPLE, None)
            .unwrap_err()
            .to_string();
        assert!(told.starts_with("30 bytes came as the legacy key"), "{told}");
        assert!(!told.contains("encryption-key"), "{told}");
    }
}

#[test]
fn a_key_is_refused_with_what_its_form_takes() {
    let refused = |profile, form, given: &[u8], salt: Option<&[u8]>| {
        Legacy::new(profile, form, given, salt).unwrap_err()
    };
    let scrypt = refused(Profile::IvHex, KeyForm::Scrypt, SAMPLE, None);
    assert_eq!(scrypt, LegacyKeyError::NoSalt(KeyForm::Scrypt));
    let sha = refused(Profile::IvHex, KeyForm::Sha256, SAMPLE, Some(b"salt"));
    assert_eq!(sha, LegacyKeyError::Salt(KeyForm::Sha256));
    let evp = refused(Profile::IvHex, KeyForm::EvpMd5, SAMPLE, Some(b"salt"));
    assert_eq!(evp, LegacyKeyError::Salt(KeyForm::EvpMd5));
    let salted = refused(Profile::Salted, KeyForm::Sha256, SAMPLE, None);
    assert_eq!(salted, LegacyKeyError::NoPassphrase(Profile::Salted));
    for (form, given) in [
        (KeyForm::Raw, &[7; 31][..]),
        (KeyForm::Raw, &[7; 33]),
        (KeyForm::ZeroPadded, &[b'x'; 33]),
        (KeyForm::Sha256, b"\n"),
        (KeyForm::Hex, b"zz"),
    ] {
        let error = refused(Profile::IvHex, form, given, None);
        assert!(
            matches!(error, LegacyKeyError::Length { .. }),
            "{form:?} {error:?}"
        );
    }
}

#[test]
fn one_line_ending_behind_a_key_is_none_of_it() {
    let vector = vectors()
        .into_iter()
        .find(|v| v.form == "sha256" && v.profile == "iv-hex")
        .unwrap();
    for ending in ["\n", "\r\n"] {
        let given = format!("{}{ending}", vector.given);
        let reader = Legacy::new(Profile::IvHex, KeyForm::Sha256, given.as_bytes(), None).unwrap();
        assert_eq!(reader.open(&vector.record).unwrap().expose_secret(), vector.plain);
    }
}

#[test]
fn every_way_to_fail_is_the_same_error() {
    let hex = vectors()
        .into_iter()
        .find(|v| v.form == "hex" && v.profile == "iv-hex")
        .unwrap();
    let other = Legacy::new(Profile::IvHex, KeyForm::Raw, &[7; 32], None).unwrap();
    let (iv, cipher) = hex.record.split_once(':').unwrap();
    let records = [
        hex.record.clone(),
        String::new(),
        ":".to_owned(),
        format!("{iv}:"),
        format!("{iv}:{}", &cipher[..30]),
        format!("{}:{cipher}", &iv[..30]),
        format!("{iv}:{cipher}:{cipher}"),
        "x".repeat(1024 * 1024),
    ];
    for record in records {
        assert_eq!(other.open(&record).unwrap_err(), LegacyError::Unreadable);
    }
    assert!(!format!("{other:?}").contains('7'));
}

#[test]
fn what_opens_to_a_control_character_is_not_taken() {
    // A flipped bit of the vector flips the same bit of the first block: CBC lets whoever can write it choose that.
    let vector = vectors()
        .into_iter()
        .find(|v| v.form == "hex" && v.profile == "iv-hex" && v.plain == "s3cret");
    let vector = vector.unwrap();
    let (iv, cipher) = vector.record.split_once(':').unwrap();
    let mut flipped = hex::decode(iv).unwrap();
    flipped[0] ^= b's' ^ 0x1b;
    let record = format!("{}:{cipher}", hex::encode(&flipped));
    assert_eq!(
        vector.reader().open(&record).unwrap_err(),
        LegacyError::Unreadable
    );
}

#[test]
fn no_bit_of_an_authenticated_record_can_be_changed() {
    let engine = &base64::engine::general_purpose::STANDARD;
    for vector in vectors()
        .iter()
        .filter(|v| v.profile.starts_with("laravel") && v.plain.len() < 100)
    {
        let reader = vector.reader();
        let json = base64::Engine::decode(engine, &vector.record).unwrap();
        for bit in 0..json.len() * 8 {
            let mut changed = json.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let record = base64::Engine::encode(engine, &changed);
            // A letter of the MAC may change its case, and the tag means nothing to this cipher.
            if let Ok(opened) = reader.open(&record) {
                assert_eq!(opened.expose_secret(), vector.plain);
            }
        }
    }
}

#[test]
fn no_bit_of_a_bare_record_yields_what_could_not_be_a_password() {
    for vector in vectors()
        .iter()
        .filter(|v| v.profile == "prefix-hex" && v.plain.len() < 100)
    {
        let reader = vector.reader();
        let bytes = hex::decode(&vector.record).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(opened) = reader.open(&hex::encode(&changed)) {
                let text = opened.expose_secret();
                assert_ne!(text, vector.plain);
                assert!(!text.is_empty() && !text.chars().any(char::is_control));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(record in ".{0,200}") {
        for profile in Profile::ALL {
            let form = if profile == Profile::Salted { KeyForm::EvpMd5 } else { KeyForm::Sha256 };
            let reader = Legacy::new(profile, form, SAMPLE, None).unwrap();
            drop(reader.open(&record));
        }
    }
}
