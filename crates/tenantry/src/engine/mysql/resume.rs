//! Taking up a step that was cut off: what has run, and whether the open statement took effect.

use std::collections::BTreeSet;
use std::ops::Range;

use mysql_async::consts::ColumnType;
use mysql_async::{Column, Row, Value};

use super::apply::{Ddl, Worker, lost_or_refused};
use super::checkpoint::{self, Open};
use super::fingerprint::{ABSENT, Fingerprints, Lasting, of_objects};
use super::objects::{present, renamed};
use super::queue::{Progress, Queued};
use super::quote::literal;
use super::tables::text;
use super::wire::{ALL, Part, Role, send};
use crate::engine::error::{ApplyError, StateAfter};
use crate::engine::session::TakenUp;
use crate::faults::{Point, Seed, is_seeded, point};
use crate::history::Applied;
use crate::migration::OnResume;
use crate::migration::mysql_class::{
    Class, Object, Parts, body, is_about_temporary_table, missing, past_drops,
};
use crate::plan::Step;

/// Where an interrupted step stands.
pub(super) struct Found {
    /// How many statements are in place.
    pub(super) next: usize,
    /// Of how many of them the settings were set again.
    replayed: usize,
    /// How it goes on.
    taken_up: TakenUp,
}

/// What the objects of an open statement say.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It did not take effect.
    NotApplied,
    /// It did.
    Applied,
    /// Neither can be said.
    Unclear(&'static str),
}

impl Worker<'_> {
    /// Returns the first statement to run, and decides the row's first write.
    pub(super) async fn take_up(&mut self, index: usize, step: &Step) -> Result<usize, ApplyError> {
        let next = match &step.interrupted {
            None => 0,
            Some(row) => self.stand_behind(index, step, row).await?,
        };
        if step.interrupted.is_some() {
            point(Point::MysqlTakenUp);
        }
        self.queue.push(Queued::Begin(Progress {
            step: index,
            next,
            open: Open::Nothing,
        }));
        Ok(next)
    }

    /// Returns where an interrupted step goes on; the session is then as the lost one was there.
    async fn stand_behind(&mut self, index: usize, step: &Step, row: &Applied) -> Result<usize, ApplyError> {
        let found = self.find_next(index, step, row).await?;
        self.taken_up.insert(index, found.taken_up);
        let next = self.go_on(index, step, found.next)?;
        if next < found.replayed {
            self.clean_up(index, step).await?;
        } else if next < step.script().statements.len() {
            // Nothing is left that could need it, and it may not be possible any more.
            self.replay((index, step), row, found.replayed..next).await?;
        }
        Ok(next)
    }

    /// Returns where a new session goes on: behind `next` statements, or at the beginning if they left
    /// nothing that lasts. Refused where the lost session has taken along what the rest may need.
    pub(super) fn go_on(&self, index: usize, step: &Step, next: usize) -> Result<usize, ApplyError> {
        if (0..next).all(|at| *self.class(index, at) == Class::Session) {
            return Ok(0);
        }
        let script = step.script();
        match missing(script, next) {
            None => Ok(past_drops(script, next)),
            Some((statement, kept)) => Err(ApplyError::SessionLost {
                step: index,
                statement,
                statements: script.statements.len(),
                done: next,
                kept,
            }),
        }
    }

    /// Returns how far an interrupted step is; refused where nobody can tell.
    pub(super) async fn find_next(
        &mut self,
        index: usize,
        step: &Step,
        row: &Applied,
    ) -> Result<Found, ApplyError> {
        let script = step.script();
        let next = row.next_stmt;
        let edited = || {
            let state = checkpoint::left(row);
            ApplyError::Edited {
                step: index,
                done: next.saturating_add(usize::from(!matches!(state, StateAfter::HalfWay { .. }))),
                state,
            }
        };
        // The row may say anything, and what it counts is read over.
        if next > script.statements.len() {
            return Err(edited());
        }
        let column = row.pre_fp.as_deref().ok_or_else(edited)?;
        let open = checkpoint::read(column, script, next).ok_or_else(edited)?;
        let mut replayed = 0;
        let verdict = match open {
            Open::Nothing => Verdict::NotApplied,
            Open::Unseen if is_seeded(Seed::MysqlVerifyNotAsked) => Verdict::NotApplied,
            Open::Seen(_) if is_seeded(Seed::MysqlOpenRerun) => Verdict::NotApplied,
            Open::Seen(_) if is_seeded(Seed::MysqlOpenAdopted) => Verdict::Applied,
            Open::Unseen => {
                let why = if *self.class(index, next) == Class::Dml {
                    "it changes rows, and there are tables here that keep theirs at ROLLBACK: they are not InnoDB"
                } else {
                    "its effect leaves nothing that could be compared"
                };
                self.unseen(step, next, why).await?
            }
            Open::Seen(before) => {
                // Objects are shown as the session asks for them, and the file may have changed that.
                self.replay((index, step), row, 0..next).await?;
                replayed = next;
                self.seen(index, step, next, &before).await?
            }
        };
        let found = |next, taken_up| {
            Ok(Found {
                next,
                replayed,
                taken_up,
            })
        };
        let unclear = match verdict {
            Verdict::NotApplied => return found(next, TakenUp::Resumed),
            Verdict::Applied => return found(next + 1, TakenUp::Adopted),
            Verdict::Unclear(reason) => reason,
        };
        if script.directives.on_resume == OnResume::Rerun {
            return found(next, TakenUp::Resumed);
        }
        Err(self.ambiguous((index, step), row, unclear).await?)
    }

    /// A `verify` question speaks for the whole file, so it can only settle the file's last statement.
    async fn unseen(&mut self, step: &Step, next: usize, why: &'static str) -> Result<Verdict, ApplyError> {
        let script = step.script();
        let Some(question) = script.directives.verify.as_deref() else {
            return Ok(Verdict::Unclear(why));
        };
        if next + 1 != script.statements.len() {
            return Ok(Verdict::Unclear(
                "the verify query speaks for the file's last statement only",
            ));
        }
        let sent = send(self.conn, &[Part::new(Role::Question, question)]).await;
        if let Some(error) = &sent.failure {
            return Err(lost_or_refused(super::error::session_error(error)));
        }
        Ok(verified(sent.rows(0).first()))
    }

    async fn seen(
        &mut self,
        index: usize,
        step: &Step,
        next: usize,
        before: &str,
    ) -> Result<Verdict, ApplyError> {
        let class = self.class(index, next).clone();
        let (Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects }) = &class else {
            return Ok(Verdict::Unclear(
                "it is read as another kind of statement than before",
            ));
        };
        let now = of_objects(self.conn, self.writer.names, objects)
            .await
            .map_err(lost_or_refused)?;
        let Some(before) = Fingerprints::from_text(before) else {
            return Ok(Verdict::Unclear("its objects were not noted as they are now"));
        };
        if now.lasting == Lasting::No {
            return Ok(Verdict::Unclear("its objects change by themselves"));
        }
        if before.look != now.look {
            return Ok(Verdict::Unclear(
                "the server shows objects otherwise than then: its version, time zone or sql_mode differs",
            ));
        }
        let text = body(step.script().statement(next));
        let verdict = compare(text, &before.objects, &now.objects, &class);
        if verdict != Verdict::Applied {
            return Ok(verdict);
        }
        if self.around.ddl == Ddl::Divisible {
            return Ok(Verdict::Unclear("this server's DDL is not atomic"));
        }
        self.borne_out(text, objects.last()).await
    }

    /// Somebody else may have changed the table, as a job does that adds partitions: what the statement names
    /// must be there too.
    async fn borne_out(&mut self, statement: &str, table: Option<&Object>) -> Result<Verdict, ApplyError> {
        let parts = Parts::of(statement);
        let Some(table) = table.filter(|_| !parts.is_empty()) else {
            return Ok(Verdict::Applied);
        };
        let of_table = format!(
            "table_schema = {} AND table_name = {} {ALL}",
            self.writer.names.database,
            literal(&table.name)
        );
        let asked = [("column_name", "columns"), ("index_name", "statistics")].map(|(what, from)| {
            let question = format!("SELECT {what} FROM information_schema.{from} WHERE {of_table}");
            Part::new(Role::Question, question)
        });
        let sent = send(self.conn, &asked).await;
        if let Some(error) = &sent.failure {
            return Err(lost_or_refused(super::error::session_error(error)));
        }
        let names = |at| -> BTreeSet<String> {
            let rows = sent.rows(at).iter().filter_map(|row| text(row, 0));
            rows.map(|name| name.to_lowercase()).collect()
        };
        Ok(if parts.columns.fit(&names(0)) && parts.indexes.fit(&names(1)) {
            Verdict::Applied
        } else {
            Verdict::Unclear("its table has changed, but not as the statement would change it")
        })
    }

    /// What the file had set in the session that is gone is set again; temporary tables are gone for good.
    async fn replay(
        &mut self,
        (index, step): (usize, &Step),
        row: &Applied,
        statements: Range<usize>,
    ) -> Result<(), ApplyError> {
        for at in statements {
            let statement = step.script().statement(at);
            if *self.class(index, at) == Class::Session && !is_about_temporary_table(statement) {
                self.unsettled = true;
                let sent = send(self.conn, &[Part::new(Role::Work(at), statement)]).await;
                if let Some(error) = &sent.failure {
                    return Err(self.not_set_again(error, (index, at), checkpoint::left(row)));
                }
            }
        }
        Ok(())
    }
}

/// Returns what the first value of a `verify` query says: no row, NULL and zero are no.
///
/// Whether a text, a date or a time is true, its author and the server may see differently: an ENUM is, the same text is not
/// ("Type Conversion in Expression Evaluation"). So a person is asked.
fn verified(row: Option<&Row>) -> Verdict {
    let Some(Value::Bytes(bytes)) = row.and_then(|row| row.as_ref(0)) else {
        return Verdict::NotApplied;
    };
    let columns = row.map(Row::columns_ref).unwrap_or_default();
    let is_bits = columns.first().map(Column::column_type) == Some(ColumnType::MYSQL_TYPE_BIT);
    let number = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|number| number.is_finite());
    let is_true = match number {
        _ if is_bits => bytes.iter().any(|byte| *byte != 0),
        Some(number) => number != 0.0,
        None if bytes.is_empty() => false,
        None => return Verdict::Unclear("its verify query gives neither a number nor a truth value"),
    };
    if is_true {
        Verdict::Applied
    } else {
        Verdict::NotApplied
    }
}

/// Compares the objects before and after.
///
/// Assumed: only the holder of the migration lock changes these objects, and the intent was the last
/// thing its session committed before the statement; so a change is the statement's own. What the
/// statement must have left behind is checked too: CREATE an object, DROP none.
fn compare(sql: &str, before: &[String], now: &[String], class: &Class) -> Verdict {
    if before.len() != now.len() {
        return Verdict::Unclear("it names other objects than before");
    }
    let first = sql.split_whitespace().next().unwrap_or("").to_ascii_uppercase();
    if first == "ALTER" && before.first().is_some_and(|object| object == ABSENT) {
        return Verdict::Unclear("what it alters was not there before");
    }
    let changed = before.iter().zip(now).filter(|(old, new)| old != new).count();
    if changed == 0 {
        return Verdict::NotApplied;
    }
    if first == "RENAME" {
        return compare_names(before, now, class);
    }
    // An index comes and goes with its table staying.
    let of_index = sql
        .split_whitespace()
        .take(6)
        .any(|word| word.eq_ignore_ascii_case("INDEX"));
    let all_gone = now.iter().all(|object| object == ABSENT);
    if first == "DROP" && !of_index && all_gone {
        return Verdict::Applied;
    }
    if changed < now.len() && matches!(class, Class::MultiObjectDdl { .. }) {
        return Verdict::Unclear("some of its objects have changed and some have not");
    }
    let expected = match (first.as_str(), now) {
        ("CREATE", now) => now.iter().all(|object| object != ABSENT),
        ("DROP", _) => of_index,
        // It gives the table another name.
        ("ALTER", [old, new]) => old == ABSENT && new != ABSENT,
        _ => true,
    };
    if expected {
        Verdict::Applied
    } else {
        Verdict::Unclear("its objects have changed, but not as the statement would change them")
    }
}

/// A renaming shows in which names there are; tables may look the same under each.
fn compare_names(before: &[String], now: &[String], class: &Class) -> Verdict {
    let (Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects }) = class else {
        return Verdict::Unclear("it is read as another kind of statement than before");
    };
    if present(objects, now) == renamed(objects, before) {
        Verdict::Applied
    } else {
        Verdict::Unclear("its objects have changed, but not as the statement would change them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(objects: &str) -> Vec<String> {
        objects.split('.').map(str::to_owned).collect()
    }

    fn one() -> Class {
        Class::AtomicDdl { objects: Vec::new() }
    }

    #[test]
    fn a_changed_object_counts_only_if_it_changed_the_right_way() {
        assert_eq!(
            compare("CREATE TABLE t (a INT)", &looks("0"), &looks("0"), &one()),
            Verdict::NotApplied
        );
        assert_eq!(
            compare("CREATE TABLE t (a INT)", &looks("0"), &looks("ab"), &one()),
            Verdict::Applied
        );
        assert!(matches!(
            compare("CREATE TABLE t (a INT)", &looks("ab"), &looks("0"), &one()),
            Verdict::Unclear(_)
        ));
        assert_eq!(
            compare("DROP TABLE t", &looks("ab"), &looks("0"), &one()),
            Verdict::Applied
        );
        assert!(matches!(
            compare("DROP TABLE t", &looks("ab"), &looks("cd"), &one()),
            Verdict::Unclear(_)
        ));
        assert_eq!(
            compare("DROP INDEX i ON t", &looks("ab"), &looks("cd"), &one()),
            Verdict::Applied
        );
    }

    #[test]
    fn a_renaming_counts_by_the_names_that_are_there() {
        use crate::migration::mysql_class::ObjectKind;
        let table = |name: &str| Object {
            kind: ObjectKind::Table,
            name: name.to_owned(),
        };
        let class = |names: &[&str]| Class::MultiObjectDdl {
            objects: names.iter().map(|name| table(name)).collect(),
        };
        let one = class(&["jobs", "tasks"]);
        let sql = "RENAME TABLE jobs TO tasks";
        assert_eq!(
            compare(sql, &looks("aa.0"), &looks("0.bb"), &one),
            Verdict::Applied
        );
        assert_eq!(
            compare(sql, &looks("aa.0"), &looks("aa.0"), &one),
            Verdict::NotApplied
        );
        // Somebody added a partition.
        assert!(matches!(
            compare(sql, &looks("aa.0"), &looks("cc.0"), &one),
            Verdict::Unclear(_)
        ));
        let chain = class(&["a", "a_old", "a_new", "a"]);
        let sql = "RENAME TABLE a TO a_old, a_new TO a";
        // The new one looks as the old one did.
        let (before, now) = (looks("aa.0.bb.aa"), looks("aa.cc.0.aa"));
        assert_eq!(compare(sql, &before, &now, &chain), Verdict::Applied);
        let half = looks("0.cc.bb.0");
        assert!(matches!(
            compare(sql, &before, &half, &chain),
            Verdict::Unclear(_)
        ));
    }

    #[test]
    fn tables_that_are_all_gone_were_dropped() {
        let many = Class::MultiObjectDdl { objects: Vec::new() };
        let sql = "DROP TABLE IF EXISTS a, b";
        assert_eq!(
            compare(sql, &looks("aa.0"), &looks("0.0"), &many),
            Verdict::Applied
        );
    }

    #[test]
    fn a_statement_over_several_objects_is_unclear_half_way() {
        let many = Class::MultiObjectDdl { objects: Vec::new() };
        assert!(matches!(
            compare("DROP TABLE a, b", &looks("aa.bb"), &looks("0.bb"), &many),
            Verdict::Unclear(_)
        ));
        assert_eq!(
            compare("DROP TABLE a, b", &looks("aa.bb"), &looks("0.0"), &many),
            Verdict::Applied
        );
    }
}
