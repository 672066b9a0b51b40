//! What objects look like before and after a statement: short hashes of `SHOW CREATE`.
//!
//! How a server shows an object depends on its version and on the session: the time zone of a default, the
//! character set of a comment. So a fingerprint says how it was taken, and is compared with its like only.

use std::ops::Range;

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

/// Leaves out a table's counter. Every insert changes it, and the first one makes the whole option appear ("SHOW
/// CREATE TABLE").
fn hash_masked(hasher: &mut Sha256, text: &[u8]) {
    match counter(text) {
        Some(counter) => {
            hasher.update(text.get(..counter.start).unwrap_or_default());
            hasher.update(text.get(counter.end..).unwrap_or_default());
        }
        None => hasher.update(text),
    }
}

/// Returns where ` AUTO_INCREMENT=n` stands among a table's options: in the line that closes the columns, before
/// anything in quotes.
fn counter(text: &[u8]) -> Option<Range<usize>> {
    const MARK: &[u8] = b" AUTO_INCREMENT=";
    const CLOSING: &[u8] = b"\n) ";
    if !text.starts_with(b"CREATE TABLE") {
        return None;
    }
    let closing = text
        .windows(CLOSING.len())
        .rposition(|window| window == CLOSING)?;
    let options = text.get(closing..)?;
    let quoted = options.iter().position(|byte| *byte == b'\'');
    let plain = options.get(..quoted.unwrap_or(options.len()))?;
    let start = plain.windows(MARK.len()).position(|window| window == MARK)?;
    let digits = plain.get(start + MARK.len()..)?.iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let start = closing + start;
    Some(start..start + MARK.len() + digits)
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

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::hash_masked;

    fn hashed(text: &str) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hash_masked(&mut hasher, text.as_bytes());
        hasher.finalize().to_vec()
    }

    #[test]
    fn a_tables_counter_does_not_count_wherever_it_stands() {
        let table = |comment: &str, counter: &str| {
            let columns =
                format!("  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `n` int(11) COMMENT '{comment}'");
            hashed(&format!(
                "CREATE TABLE `jobs` (\n{columns}\n) ENGINE=InnoDB{counter} DEFAULT CHARSET=utf8mb4 COMMENT='a \
                 AUTO_INCREMENT=1'"
            ))
        };
        let new = table("", "");
        assert_eq!(table("", " AUTO_INCREMENT=2"), new);
        assert_eq!(table("", " AUTO_INCREMENT=1234"), new);
        let told = table("see AUTO_INCREMENT=", "");
        assert_eq!(table("see AUTO_INCREMENT=", " AUTO_INCREMENT=7"), told);
        assert_ne!(told, new);
        assert_ne!(table("see AUTO_INCREMENT=1", ""), told);
    }

    #[test]
    fn what_is_no_option_of_a_table_counts() {
        let body = |n: u8| {
            hashed(&format!(
                "CREATE PROCEDURE p()\nCREATE TABLE t (\n) AUTO_INCREMENT={n}"
            ))
        };
        assert_ne!(body(1), body(2));
    }
}
