//! What an object looks like before and after a statement: a short hash of `SHOW CREATE`.

use mysql_async::{Conn, Row, Value};
use sha2::{Digest as _, Sha256};

use super::error::session_error;
use super::quote::identifier;
use super::tables::Names;
use super::wire::{Part, Role, send};
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

/// Returns the fingerprint that the rows answering [`probe`] give: [`ABSENT`] or 16 hexadecimal digits.
pub(super) fn of_rows(rows: &[Row]) -> String {
    if rows.is_empty() {
        return ABSENT.to_owned();
    }
    let mut hasher = Sha256::new();
    for row in rows {
        for at in 0..row.len() {
            if let Some(Value::Bytes(bytes)) = row.as_ref(at) {
                hash_masked(&mut hasher, bytes);
            }
            hasher.update([0]);
        }
    }
    hex::encode(hasher.finalize().get(..8).unwrap_or_default())
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

/// Asks for the fingerprints of several objects, joined by dots in their order.
pub(super) async fn of_objects(
    conn: &mut Conn,
    names: &Names,
    objects: &[Object],
) -> Result<String, SessionError> {
    let mut found = Vec::with_capacity(objects.len());
    for object in objects {
        let sent = send(conn, &[probe(names, object)]).await;
        if let Some(error) = &sent.failure {
            return Err(session_error(error));
        }
        found.push(of_rows(sent.rows(0)));
    }
    Ok(found.join("."))
}
