//! One row of the audit, and the hash that ties it to the row before. Pure.

use sha2::{Digest as _, Sha256};

use crate::registry::entities::audit;

/// What is hashed before everything else, so that the hash serves nothing else.
const DOMAIN: &[u8] = b"tenantry/audit/v1";

/// A change as the audit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: 1, 2, 3 … without gaps.
    pub seq: i64,
    /// When it was written, in microseconds since 1970-01-01 UTC by the registry's clock.
    pub changed_at: i64,
    /// Who changed it.
    pub actor: String,
    /// From where.
    pub origin: String,
    /// What was done: the word of an [`Action`](super::Action), or one of a later version.
    pub action: String,
    /// What it was done to, for good: `tenant:<id>`.
    pub object: String,
    /// What people called that at the time.
    pub name: String,
    /// What was so before, as JSON; `None` where there was nothing or it does not matter.
    pub before: Option<String>,
    /// What is so afterwards, as JSON; `None` likewise.
    pub after: Option<String>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
    /// SHA-256 over the hash of the row before and all of this row, in hexadecimal.
    pub hash: String,
}

/// The end of the audit: what somebody keeps elsewhere to notice later that the audit was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The newest row's number; 0 while there is none.
    pub seq: i64,
    /// Its hash; zeros while there is none.
    pub hash: String,
}

impl AuditHead {
    /// Returns the head of an audit without rows.
    pub(super) fn empty() -> Self {
        Self {
            seq: 0,
            hash: "0".repeat(64),
        }
    }
}

impl AuditRow {
    /// Returns the hash that this row must have behind a row with the hash `previous`.
    pub(super) fn hash_behind(&self, previous: &str) -> String {
        let mut digest = Sha256::new_with_prefix(DOMAIN);
        let mut field = |bytes: Option<&[u8]>| {
            // Nothing and an empty text are two things, and no field may hand its last letters to the next one.
            digest.update([u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        field(Some(previous.as_bytes()));
        field(Some(&self.seq.to_be_bytes()));
        field(Some(&self.changed_at.to_be_bytes()));
        for text in [&self.actor, &self.origin, &self.action, &self.object, &self.name] {
            field(Some(text.as_bytes()));
        }
        for text in [&self.before, &self.after, &self.reason] {
            field(text.as_ref().map(String::as_bytes));
        }
        hex::encode(digest.finalize())
    }
}

impl From<audit::Model> for AuditRow {
    fn from(row: audit::Model) -> Self {
        Self {
            seq: row.seq,
            changed_at: row.changed_at,
            actor: row.actor,
            origin: row.origin,
            action: row.action,
            object: row.object,
            name: row.name,
            before: row.state_before,
            after: row.state_after,
            reason: row.reason,
            hash: row.hash,
        }
    }
}

impl From<AuditRow> for audit::Model {
    fn from(row: AuditRow) -> Self {
        Self {
            seq: row.seq,
            changed_at: row.changed_at,
            actor: row.actor,
            origin: row.origin,
            action: row.action,
            object: row.object,
            name: row.name,
            state_before: row.before,
            state_after: row.after,
            reason: row.reason,
            hash: row.hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> AuditRow {
        AuditRow {
            seq: 7,
            changed_at: 1_700_000_000_000_000,
            actor: "ann".to_owned(),
            origin: "ci-7 (pid 12)".to_owned(),
            action: "tenant.create".to_owned(),
            object: "tenant:1".to_owned(),
            name: "acme".to_owned(),
            before: None,
            after: Some("{}".to_owned()),
            reason: None,
            hash: String::new(),
        }
    }

    #[test]
    fn every_field_and_the_row_before_are_part_of_the_hash() {
        let changes: [fn(&mut AuditRow); 11] = [
            |r| r.seq += 1,
            |r| r.changed_at += 1,
            |r| r.actor.push('x'),
            |r| r.origin.push('x'),
            |r| r.action.push('x'),
            |r| r.object.push('x'),
            |r| r.name.push('x'),
            |r| r.before = Some(String::new()),
            |r| r.after = None,
            |r| r.reason = Some(String::new()),
            |r| {
                // The same letters in another field.
                r.origin.insert(0, 'n');
                r.actor.pop();
            },
        ];
        let original = row().hash_behind("00");
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = row();
            change(&mut other);
            assert_ne!(other.hash_behind("00"), original, "change {n}");
        }
        assert_ne!(row().hash_behind("01"), original);
        assert_eq!(row().hash_behind("00"), original);
    }
}
