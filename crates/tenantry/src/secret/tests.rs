//! Tests of the envelope as a whole: what goes in comes out, and nothing else is accepted.

mod key_file;
mod tampering;

use secrecy::{ExposeSecret as _, SecretString};

use super::envelope::Parts;
use super::seal::seal_fixed;
use super::*;
use crate::code::Code;
use crate::engine::{Engine, Tls};
use crate::tenant::TenantId;

/// Computed with AESGCM of the Python package `cryptography` 48.0.0 from [`fixed_key`], [`binding`], the
/// data key 64..96, the nonces 100..112 and 200..212, and the password `s3cret-ünïcode`.
const VECTOR: &str = "\
    544d430101f16c3e3442c6d40a1912840c659485316465666768696a6b6c6d6e6f201e310fd5c7fa3eb01ee5d3\
    5461b673a4ce4a98abb3a156f88bb8a425bcb72c505f8588ad0bcf125579ebad432816d3c8c9cacbcccdcecfd0\
    d1d2d31c800bedcad61338c4c9deb8fb76a4f2e6b85f1b45566b67240d48560b95aad9083815e3c4de9b3330f4\
    5d30afdf97c11f7ec78f528243327a6e57997037bf81b91f6f9fec4ac4673d2f70935bf1d4db";

const VECTOR_PASSWORD: &str = "s3cret-ünïcode";

/// Returns the key 1, 2, … 32.
fn fixed_key() -> Key {
    Key::parse(&counting::<32>(1)).unwrap()
}

fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|i| from + u8::try_from(i).unwrap())
}

fn binding() -> Binding {
    let tls = Tls::VerifyCa { ca_pem: "pem".into() };
    Binding {
        registry_id: "01890000-0000-7000-8000-000000000001".into(),
        table: "tenantry_databases".into(),
        row_id: "01890000-0000-7000-8000-000000000002".into(),
        tenant_id: Some(TenantId::from_text("01890000-0000-7000-8000-000000000003")),
        database_id: Some("01890000-0000-7000-8000-000000000002".into()),
        field: "password".into(),
        secret_version: 3,
        purpose: "tenant-login".into(),
        endpoint: Endpoint::new(Engine::Postgres, "eu-db-1.example", 5432, &tls, "acme_owner")
            .with_database("tenant_acme_shared"),
    }
}

fn sealed(secret: &str) -> Envelope {
    seal(&fixed_key(), &binding(), &SecretString::from(secret)).unwrap()
}

fn opened(envelope: &[u8]) -> Result<String, SecretError> {
    open(&fixed_key().into(), &binding(), envelope).map(|secret| secret.expose_secret().to_owned())
}

#[test]
fn an_independent_implementation_computes_the_same_envelope() {
    let random = (counting(64), counting(100), counting(200));
    let envelope = seal_fixed(&fixed_key(), &binding(), &VECTOR_PASSWORD.into(), random);
    assert_eq!(hex::encode(envelope.as_bytes()), VECTOR);
    assert_eq!(
        opened(&hex::decode(VECTOR).unwrap()).as_deref(),
        Ok(VECTOR_PASSWORD)
    );
}

#[test]
fn every_password_comes_back_as_it_was() {
    let passwords = [
        "",
        "x",
        &"k".repeat(1024),
        &"k".repeat(SECRET_MAX),
        "quote ' double \" back \\ tick ` $1 %s ;--",
        "пароль 密码 🔑 e\u{301}",
        "with\0nul",
        "line\r\nend\n",
        "ends with the padding's mark \u{80}\0\0",
        " spaces ",
    ];
    for password in passwords {
        let envelope = sealed(password);
        assert_eq!(opened(envelope.as_bytes()).as_deref(), Ok(password));
        let text = Envelope::from_text(&envelope.to_text()).unwrap();
        assert_eq!(text, envelope);
    }
}

#[test]
fn a_secret_beyond_the_limit_is_refused() {
    let secret = SecretString::from("k".repeat(SECRET_MAX + 1));
    let error = seal(&fixed_key(), &binding(), &secret).unwrap_err();
    assert!(matches!(error, SealError::TooLong { bytes } if bytes == SECRET_MAX + 1));
}

#[test]
fn an_envelope_hides_the_length_of_its_password() {
    assert_eq!(
        sealed("short").as_bytes().len(),
        sealed(&"l".repeat(60)).as_bytes().len()
    );
}

#[test]
fn equal_passwords_give_different_envelopes() {
    let (one, two) = (sealed("same"), sealed("same"));
    let (one, two) = (
        Parts::split(one.as_bytes()).unwrap(),
        Parts::split(two.as_bytes()).unwrap(),
    );
    assert_ne!(one.kek_nonce, two.kek_nonce);
    assert_ne!(one.data_nonce, two.data_nonce);
    assert_ne!(one.wrapped_dek, two.wrapped_dek);
    assert_ne!(one.ciphertext, two.ciphertext);
}

#[test]
fn a_wrong_key_names_the_key_that_is_needed() {
    let other = Key::generate().unwrap();
    let here = other.id();
    let error = open(&other.into(), &binding(), sealed("x").as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code(1005));
    for id in [fixed_key().id(), here] {
        assert!(error.to_string().contains(&id.to_string()), "{error}");
    }
}

#[test]
fn an_older_key_of_the_ring_still_opens() {
    let ring = KeyRing::new(Key::generate().unwrap()).with_older(fixed_key());
    let secret = open(&ring, &binding(), sealed("x").as_bytes()).unwrap();
    assert_eq!(secret.expose_secret(), "x");
    let renewed = seal(ring.active(), &binding(), &secret).unwrap();
    assert_eq!(renewed.key_id(), ring.active().id());
    assert_eq!(ring.ids().last(), Some(fixed_key().id()));
}

#[test]
fn no_type_shows_a_secret_in_debug() {
    let envelope = sealed("hunter2-canary");
    let ring = KeyRing::new(Key::parse(&[b'K'; 32]).unwrap()).with_older(fixed_key());
    let secret = open(&ring, &binding(), envelope.as_bytes());
    let errors = (
        Key::parse(&[b'K'; 31]),
        Envelope::from_text("tmc1.hunter2-canary"),
        open(&ring, &binding(), b"hunter2-canary"),
    );
    let shown = format!("{ring:?} {envelope:?} {secret:?} {:?} {errors:?}", binding());
    let hex = hex::encode(counting::<32>(1));
    for leak in ["hunter2", "KKKK", "75, 75", "4b4b", "1, 2, 3", &hex[..12]] {
        assert!(!shown.contains(leak), "{leak} in {shown}");
    }
    assert!(shown.contains(&fixed_key().id().to_string()));
}
