//! What objects look like before and after a statement: short hashes of `SHOW CREATE`.
//!
//! How a server shows an object depends on its version and on the session: the time zone of a default, the
//! character set of a comment. So a fingerprint says how it was taken, and is compared with its like only.

use mysql_async::{Conn, Row, Value};
use sha2::{Digest as _, Sha256};

use super::error::session_error;
use super::quote::identifier;
use super::tables::{Names, text};
use super::wire::{ALL, Part, Role, send};
use crate::engine::error::SessionError;
use crate::migration::mysql_class::{Object, ObjectKind};

/// How an object that is not there is written.
pub(super) const ABSENT: &str = "0";

/// The question that shows one object; refused by the server if the object is not there.
pub(super) fn probe(names: &Names, object: &Object) -> Part {
    let kind = match object.kind {
        ObjectKind::Table => "TABLE",
        ObjectKind::View => "VIEW",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Event => "EVENT",
    };
    // A name that cannot be is not there, which is what an empty name says too.
    let name = identifier(&object.name).unwrap_or_else(|| "``".to_owned());
    Part::new(Role::Probe, format!("SHOW CREATE {kind} {}.{name}", names.quoted))
}

/// The question for everything that the answer to [`probe`] depends on but the object.
pub(super) fn look() -> Part {
    // A variable that only one of them has stands in a comment to the other.
    Part::new(
        Role::Question,
        format!(
            "SELECT CONCAT_WS('|', VERSION(), @@time_zone, @@system_time_zone, @@sql_mode, \
             @@character_set_results, @@sql_quote_show_create /*M!100300 , @@old_mode */ \
             /*!80013 , @@show_create_table_verbosity */) {ALL}"
        ),
    )
}

/// What the objects of one statement look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprints {
    /// How they were taken, 8 hexadecimal digits.
    pub(super) look: String,
    /// One for each object, in the order of the statement: [`ABSENT`] or 16 hexadecimal digits.
    pub(super) objects: Vec<String>,
    /// Whether a later session can compare its own with them.
    pub(super) lasting: Lasting,
}

/// Whether what is shown of an object says something to a later session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// It does.
    Yes,
    /// A temporary table hides the lasting one, or the definition changes by itself.
    No,
}

impl Fingerprints {
    /// Reads the answers to [`look`] and to a [`probe`] for one object.
    pub(super) fn of_one(look: &[Row], shown: &[Row]) -> Self {
        Self {
            look: short(&hash(look), 4),
            objects: vec![of_rows(shown)],
            lasting: lasting(shown),
        }
    }

    /// Reads what [`Self::to_text`] wrote; `None` if it wrote something else.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (look, objects) = text.split_once('/')?;
        Some(Self {
            look: look.to_owned(),
            objects: objects.split('.').map(str::to_owned).collect(),
            lasting: Lasting::Yes,
        })
    }

    /// Writes `<look>/<object>.<object>…`.
    pub(super) fn to_text(&self) -> String {
        format!("{}/{}", self.look, self.objects.join("."))
    }
}

/// A temporary table is shown like a lasting one of its name, and partitions by system time that come by
/// themselves change the definition whenever somebody writes rows ("System-Versioned Tables").
fn lasting(shown: &[Row]) -> Lasting {
    let text = shown.first().and_then(|row| text(row, 1)).unwrap_or_default();
    let grows = text.contains("PARTITION BY SYSTEM_TIME") && text.contains(" AUTO");
    if text.starts_with("CREATE TEMPORARY") || grows {
        Lasting::No
    } else {
        Lasting::Yes
    }
}

fn of_rows(rows: &[Row]) -> String {
    if rows.is_empty() {
        ABSENT.to_owned()
    } else {
        short(&hash(rows), 8)
    }
}

fn short(hash: &[u8], bytes: usize) -> String {
    hex::encode(hash.get(..bytes).unwrap_or_default())
}

fn hash(rows: &[Row]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for row in rows {
        for at in 0..row.len() {
            if let Some(Value::Bytes(bytes)) = row.as_ref(at) {
                hash_masked(&mut hasher, bytes);
            }
            hasher.update([0]);
        }
    }
    hasher.finalize().to_vec()
}

/// Leaves out the number behind `AUTO_INCREMENT=`, which every insert changes.
fn hash_masked(hasher: &mut Sha256, text: &[u8]) {
    const MARK: &[u8] = b" AUTO_INCREMENT=";
    match text.windows(MARK.len()).position(|window| window == MARK) {
        Some(at) => {
            let (before, after) = text.split_at(at + MARK.len());
            let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
            hasher.update(before);
            hasher.update(after.get(digits..).unwrap_or_default());
        }
        None => hasher.update(text),
    }
}

/// Asks for the fingerprints of several objects.
pub(super) async fn of_objects(
    conn: &mut Conn,
    names: &Names,
    objects: &[Object],
) -> Result<Fingerprints, SessionError> {
    let mut found = Fingerprints {
        look: String::new(),
        objects: Vec::with_capacity(objects.len()),
        lasting: Lasting::Yes,
    };
    for object in objects {
        let sent = send(conn, &[look(), probe(names, object)]).await;
        if let Some(error) = &sent.failure {
            return Err(session_error(error));
        }
        let one = Fingerprints::of_one(sent.rows(0), sent.rows(1));
        found.look = one.look;
        found.objects.extend(one.objects);
        if one.lasting == Lasting::No {
            found.lasting = Lasting::No;
        }
    }
    Ok(found)
}
