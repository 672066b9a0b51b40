//! A statement that was cut off and whose effect cannot be seen: what is known of it, for whoever decides.

use super::apply::{Worker, lost_or_refused};
use super::checkpoint::Open;
use super::fingerprint::{ABSENT, Fingerprints, of_objects};
use crate::engine::error::ApplyError;
use crate::engine::evidence::evidence;
use crate::history::{Applied, OpenStatement, Settled};
use crate::migration::mysql_class::{Class, Object};
use crate::plan::Step;

impl Worker<'_> {
    /// Returns the statement that somebody has to decide about; `None` if the next run goes on by itself.
    /// Writes nothing.
    pub(super) async fn open_statement(&mut self) -> Result<Option<OpenStatement>, ApplyError> {
        let Some(step) = self.steps().first() else {
            return Ok(None);
        };
        let Some(row) = &step.interrupted else {
            return Ok(None);
        };
        let error = match self.find_next(0, step, row).await {
            Ok(found) => {
                self.go_on(0, step, found.next)?;
                return Ok(None);
            }
            Err(error) => error,
        };
        let ApplyError::Ambiguous {
            statement,
            statements,
            reason,
            evidence,
            ..
        } = error
        else {
            return Err(error);
        };
        let columns = self.writer.columns;
        let behind = |next| Settled::Behind {
            next,
            pre_fp: columns.write(step.script(), next, &Open::Nothing),
        };
        Ok(Some(OpenStatement {
            statement,
            statements,
            reason,
            evidence,
            if_applied: behind(statement + 1),
            if_not_applied: behind(statement),
        }))
    }

    /// Returns the error of a row whose open statement cannot be told to be applied or not.
    pub(super) async fn ambiguous(
        &mut self,
        (index, step): (usize, &Step),
        row: &Applied,
        why: &str,
    ) -> Result<ApplyError, ApplyError> {
        let at = row.next_stmt;
        let column = row.pre_fp.as_deref().unwrap_or_default();
        let (mut now, mut seen) = (String::new(), String::new());
        if let Class::AtomicDdl { objects } | Class::MultiObjectDdl { objects } =
            self.class(index, at).clone()
        {
            let looks = of_objects(self.conn, self.writer.names, &objects).await;
            let looks = looks.map_err(lost_or_refused)?;
            seen = sight(&objects, column, &looks);
            now = looks.to_text();
        }
        Ok(ApplyError::Ambiguous {
            step: index,
            statement: at,
            statements: step.script().statements.len(),
            reason: format!("{why}{seen}"),
            evidence: evidence(step, at, &[column, &now]),
        })
    }
}

/// Says of each object whether it is there, and whether it looks as it did before the statement.
fn sight(objects: &[Object], column: &str, now: &Fingerprints) -> String {
    let noted = column.strip_prefix("v1:").and_then(|rest| rest.rsplit_once(':'));
    let before = noted.and_then(|(looks, _)| Fingerprints::from_text(looks));
    let before = before.filter(|before| before.look == now.look && before.objects.len() == objects.len());
    let word = |(at, object): (usize, &Object)| {
        let now = now.objects.get(at)?;
        let before = before.as_ref().and_then(|before| before.objects.get(at));
        let is = match (before, now.as_str()) {
            (Some(before), ABSENT) if before == ABSENT => "is not there, as before",
            (Some(_), ABSENT) => "was there and is gone",
            (None, ABSENT) => "is not there",
            (None, _) => "is there",
            (Some(before), _) if before == ABSENT => "was not there and is now",
            (Some(before), now) if before == now => "is as it was",
            (Some(_), _) => "has changed",
        };
        Some(format!("`{}` {is}", object.name.escape_debug()))
    };
    let words: Vec<String> = objects.iter().enumerate().filter_map(word).collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}
