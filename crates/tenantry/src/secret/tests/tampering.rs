//! Tests that an envelope which was changed, cut or moved stays closed.

use super::*;

/// A small generator with a fixed seed (xorshift64), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Flips one of the seven low bits of one character: ASCII stays ASCII.
    fn flip(&mut self, text: &mut String) {
        let mut bytes = std::mem::take(text).into_bytes();
        let at = self.below(bytes.len());
        bytes[at] ^= 1 << self.below(7);
        *text = String::from_utf8(bytes).unwrap();
    }
}

/// How many fields [`change_field`] can change.
const FIELDS: usize = 16;

/// Changes one bit of one field of the binding; an engine becomes another one.
fn change_field(binding: &mut Binding, field: usize, dice: &mut Dice) {
    let endpoint = &mut binding.endpoint;
    let text = match field {
        0 => return binding.secret_version ^= 1 << dice.below(64),
        1 => return endpoint.port ^= 1 << dice.below(16),
        2 => return endpoint.engine = [Engine::MySql, Engine::Sqlite][dice.below(2)],
        3 => {
            let mut id = binding.tenant_id.take().unwrap().as_str().to_owned();
            dice.flip(&mut id);
            return binding.tenant_id = Some(TenantId::from_text(id));
        }
        4 => return binding.tenant_id = None,
        5 => &mut binding.registry_id,
        6 => &mut binding.table,
        7 => &mut binding.row_id,
        8 => binding.database_id.as_mut().unwrap(),
        9 => &mut binding.field,
        10 => &mut binding.purpose,
        11 => &mut endpoint.host,
        12 => endpoint.database.as_mut().unwrap(),
        13 => &mut endpoint.user,
        14 => &mut endpoint.tls_mode,
        _ => endpoint.ca_fingerprint.as_mut().unwrap(),
    };
    dice.flip(text);
}

/// Flips bits of many envelopes and of what each is bound to; nothing that comes out of it may open.
fn flip(seed: u64, rounds: usize) {
    let keys = KeyRing::new(fixed_key());
    let mut dice = Dice(seed);
    let mut envelope = Vec::new();
    for round in 0..rounds {
        if round % 500 == 0 {
            envelope = sealed(&"correct horse battery staple".repeat(1 + round / 500 % 3)).into_bytes();
            assert!(open(&keys, &binding(), &envelope).is_ok());
        }
        let (byte, bit) = (dice.below(envelope.len()), dice.below(8));
        envelope[byte] ^= 1 << bit;
        let opened = open(&keys, &binding(), &envelope);
        assert!(opened.is_err(), "bit {bit} of byte {byte}");
        envelope[byte] ^= 1 << bit;

        let mut moved = binding();
        change_field(&mut moved, round % FIELDS, &mut dice);
        let opened = open(&keys, &moved, &envelope).map(|_| ());
        assert_eq!(opened, Err(SecretError::Unavailable), "{moved:?}");
    }
}

#[test]
fn none_of_a_million_flipped_bits_of_envelope_or_binding_is_accepted() {
    const SHARES: u64 = 4;
    const ROUNDS: usize = 125_000;
    std::thread::scope(|scope| {
        for share in 1..=SHARES {
            scope.spawn(move || flip(0x9e37_79b9_7f4a_7c15 ^ (share << 32), ROUNDS));
        }
    });
}

#[test]
fn a_field_cannot_hand_letters_to_its_neighbour() {
    let mut shifted = binding();
    let letter = shifted.table.pop().unwrap();
    shifted.row_id.insert(0, letter);
    let result = open(&fixed_key().into(), &shifted, sealed("x").as_bytes());
    assert_eq!(result.map(|_| ()), Err(SecretError::Unavailable));
}

#[test]
fn a_changed_host_needs_the_password_again() {
    let mut moved = binding();
    moved.endpoint.host = "evil.example".into();
    let error = open(&fixed_key().into(), &moved, sealed("x").as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code(7004));
    assert_eq!(error.to_string(), "the secret cannot be opened");
}

#[test]
fn every_truncation_is_refused() {
    for envelope in [sealed("x").into_bytes(), sealed(&"x".repeat(200)).into_bytes()] {
        for len in 0..envelope.len() {
            assert_eq!(opened(&envelope[..len]), Err(SecretError::Unavailable), "{len}");
        }
    }
    let envelope = sealed("x").into_bytes();
    for len in 0..envelope.len() {
        assert!(Envelope::parse(&envelope[..len]).is_err(), "{len}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let envelope = sealed("x").into_bytes();
    for extra in 1..=200 {
        let longer = [envelope.as_slice(), &vec![0; extra]].concat();
        assert_eq!(opened(&longer), Err(SecretError::Unavailable), "{extra}");
        assert_eq!(Envelope::parse(&longer).is_err(), extra % 64 != 0, "{extra}");
    }
}

#[test]
fn an_envelope_beyond_the_limit_is_refused_before_its_key_is_looked_up() {
    let mut envelope = sealed(&"x".repeat(SECRET_MAX)).into_bytes();
    assert!(Envelope::parse(&envelope).is_ok());
    envelope.extend_from_slice(&[0; 64]);
    let bytes = envelope.len();
    assert_eq!(Envelope::parse(&envelope), Err(EnvelopeError::Length { bytes }));
}

#[test]
fn unknown_formats_and_algorithms_are_refused_by_number() {
    let with = |at: usize, value: u8| {
        let mut envelope = sealed("x").into_bytes();
        envelope[at] = value;
        Envelope::parse(&envelope).unwrap_err()
    };
    assert_eq!(with(0, b't'), EnvelopeError::Magic);
    for value in (0..=255).filter(|&value| value != 1) {
        assert_eq!(with(3, value), EnvelopeError::Format { format: value });
        assert_eq!(with(4, value), EnvelopeError::Algorithm { algorithm: value });
    }
}

#[test]
fn only_the_exact_text_form_is_read() {
    let text = sealed("x").to_text();
    let body = text.strip_prefix(TEXT_PREFIX).unwrap();
    let refused = [
        String::new(),
        body.to_owned(),
        format!("tmc2.{body}"),
        format!("TMC1.{body}"),
        format!("{text}="),
        format!("{text}\n"),
        format!(" {text}"),
        format!("{text}+/"),
    ];
    for text in refused {
        assert_eq!(Envelope::from_text(&text), Err(EnvelopeError::Text), "{text:?}");
    }
    assert!(matches!(
        Envelope::from_text(&text[..text.len() - 3]),
        Err(EnvelopeError::Length { .. })
    ));
}
