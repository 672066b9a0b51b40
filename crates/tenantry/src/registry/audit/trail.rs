//! Reading the audit: a page of it, its end, and whether anybody changed it.

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::chain::{AuditHead, AuditRow};
use super::{Action, HEAD};
use crate::registry::entities::audit::{Column, Entity};
use crate::registry::entities::audit_head;
use crate::registry::{Registry, RegistryError};

/// How many rows are read at once.
const PAGE: u64 = 1_000;
/// How many findings are kept; further ones are counted.
const FINDINGS: usize = 100;

/// Which rows of the audit are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// About what: a name at that time, with what belongs to it, or an object such as `tenant:<id>`; `None` is anything.
    pub about: Option<String>,
    /// Further objects that are meant by it, such as those of a tenant that had another name.
    pub objects: Vec<String>,
    /// What was done; `None` is anything.
    pub action: Option<Action>,
    /// By whom; `None` is anybody.
    pub actor: Option<String>,
    /// Older than this number; `None` begins with the newest.
    pub before: Option<i64>,
}

/// Something in the audit that nobody who uses it as it is meant could have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditFinding {
    /// A row does not fit its hash, or the hash not the row before.
    Changed {
        /// Its number.
        seq: i64,
    },
    /// Rows are not there.
    Missing {
        /// The first one's number.
        from: i64,
        /// The last one's.
        to: i64,
    },
    /// The newest row is not the one that was written last.
    End {
        /// The newest row.
        rows: AuditHead,
        /// What was written last, as the registry keeps it beside the rows.
        head: AuditHead,
    },
    /// The row that somebody kept the hash of has another one now, or is not there.
    NotAsKept(AuditHead),
}

/// What came out of a look through the whole audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many rows were read.
    pub rows: u64,
    /// The end of the audit, as its rows have it.
    pub head: AuditHead,
    /// What was found; empty if nobody changed anything. At most 100, the first ones.
    pub findings: Vec<AuditFinding>,
    /// How many there are in all.
    pub found: usize,
}

impl Registry {
    /// Returns at most `limit` rows of the audit, newest first; empty if none fits.
    pub async fn audit(&self, query: &AuditQuery, limit: u64) -> Result<Vec<AuditRow>, RegistryError> {
        let mut condition = Condition::all();
        if let Some(about) = &query.about {
            let any = Condition::any()
                .add(Column::Name.eq(about.as_str()))
                .add(Column::Name.starts_with(format!("{about}/")))
                .add(Column::Object.eq(about.as_str()))
                .add(Column::Object.is_in(query.objects.iter().map(String::as_str)));
            condition = condition.add(any);
        }
        condition = condition
            .add_option(query.action.map(|action| Column::Action.eq(action.as_str())))
            .add_option(query.actor.as_deref().map(|actor| Column::Actor.eq(actor)))
            .add_option(query.before.map(|before| Column::Seq.lt(before)));
        let rows = Entity::find()
            .filter(condition)
            .order_by_desc(Column::Seq)
            .limit(limit)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(rows.into_iter().map(AuditRow::from).collect())
    }

    /// Returns the rows behind a number, oldest first, at most 1,000; empty at the end. From 0 on it is the whole audit,
    /// page by page.
    pub async fn audit_behind(&self, seq: i64) -> Result<Vec<AuditRow>, RegistryError> {
        let rows = Entity::find()
            .filter(Column::Seq.gt(seq))
            .order_by_asc(Column::Seq)
            .limit(PAGE)
            .all(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        Ok(rows.into_iter().map(AuditRow::from).collect())
    }

    /// Reads the whole audit and returns where it does not hold together: with itself, with what the registry keeps
    /// beside it, and with `kept`, a head that somebody wrote down elsewhere.
    ///
    /// Whoever may write to the registry can write all of it anew, hashes included; only a head that was kept
    /// elsewhere shows that. Rows that are written meanwhile are left out.
    pub async fn verify_audit(&self, kept: Option<&AuditHead>) -> Result<Verified, RegistryError> {
        let end = audit_head::Entity::find_by_id(HEAD)
            .one(&self.db)
            .await
            .map_err(|e| self.refused(&e))?;
        let end = end.map_or_else(AuditHead::empty, |row| AuditHead {
            seq: row.seq,
            hash: row.hash,
        });
        let mut look = Look::default();
        loop {
            let page = self.audit_behind(look.last.seq).await?;
            if page.is_empty() || !look.read(page, end.seq, kept) {
                break;
            }
        }
        Ok(look.finish(end, kept))
    }
}

/// A look through the audit, as far as it is.
struct Look {
    last: AuditHead,
    rows: u64,
    findings: Vec<AuditFinding>,
    found: usize,
    /// Whether the row that somebody kept the hash of was met, with that hash.
    as_kept: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            last: AuditHead::empty(),
            rows: 0,
            findings: Vec::new(),
            found: 0,
            as_kept: false,
        }
    }
}

impl Look {
    fn find(&mut self, finding: AuditFinding) {
        self.found += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Takes rows in their order; returns whether there may be more up to `end`.
    fn read(&mut self, rows: Vec<AuditRow>, end: i64, kept: Option<&AuditHead>) -> bool {
        for row in rows {
            // Behind a cut end there may be rows all the same; what was written since we began is not ours to judge.
            if row.seq > end && self.last.seq >= end {
                return false;
            }
            let next = self.last.seq + 1;
            if row.seq > next {
                self.find(AuditFinding::Missing {
                    from: next,
                    to: row.seq - 1,
                });
            } else if row.hash != row.hash_behind(&self.last.hash) {
                self.find(AuditFinding::Changed { seq: row.seq });
            }
            self.last = AuditHead {
                seq: row.seq,
                hash: row.hash,
            };
            if kept == Some(&self.last) {
                self.as_kept = true;
            }
            self.rows += 1;
        }
        true
    }

    fn finish(mut self, end: AuditHead, kept: Option<&AuditHead>) -> Verified {
        if self.last != end {
            let rows = self.last.clone();
            self.find(AuditFinding::End { rows, head: end });
        }
        if let Some(kept) = kept
            && kept.seq > 0
            && !self.as_kept
        {
            self.find(AuditFinding::NotAsKept(kept.clone()));
        }
        Verified {
            rows: self.rows,
            head: self.last,
            findings: self.findings,
            found: self.found,
        }
    }
}
