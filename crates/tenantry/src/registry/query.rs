//! One question to the central database about the platform's own tables there.

use sea_orm::{DbErr, RuntimeErr};
use zeroize::Zeroizing;

use super::{Registry, connect};
use crate::import::{FILE_MAX, ImportError, ROWS_MAX};
use crate::migration::split;

/// The answer of a query, every value as text. It may hold passwords: `Debug` shows its size only.
#[derive(Default)]
pub struct Answer {
    /// The names of its columns; empty if there is no row.
    pub columns: Vec<String>,
    /// Its rows; `None` for NULL.
    pub rows: Vec<Vec<Option<Zeroizing<String>>>>,
    bytes: u64,
    is_cut: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Answer({} columns, {} rows)",
            self.columns.len(),
            self.rows.len()
        )
    }
}

impl Answer {
    /// Takes a row; returns whether there is room for another one.
    pub(super) fn take(&mut self, values: Vec<Option<Zeroizing<String>>>) -> bool {
        let bytes: usize = values.iter().flatten().map(|value| value.len()).sum();
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.is_cut = self.rows.len() >= ROWS_MAX || self.bytes > FILE_MAX;
        if !self.is_cut {
            self.rows.push(values);
        }
        !self.is_cut
    }
}

impl Registry {
    /// Carries out one SELECT in the central database, in a transaction that cannot write, on a connection of its own.
    ///
    /// # Errors
    /// [`ImportError::NoSelect`] for anything but one statement that begins with SELECT or WITH;
    /// [`ImportError::Query`] if the database refuses it; [`ImportError::TooLong`] if it answers more than is taken in
    /// at once.
    pub async fn query(&self, sql: &str) -> Result<Answer, ImportError> {
        let statements = split(sql, self.engine).map_err(|_| ImportError::NoSelect)?;
        let first = sql.split_whitespace().next().unwrap_or_default();
        let is_select = ["select", "with"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word));
        if statements.len() != 1 || !is_select {
            return Err(ImportError::NoSelect);
        }
        let answer = connect::answer(&self.db, self.engine, sql)
            .await
            .map_err(|error| {
                ImportError::Query(self.refused(&DbErr::Query(RuntimeErr::SqlxError(error.into()))))
            })?;
        if answer.is_cut {
            return Err(ImportError::TooLong {
                limit: format!("{ROWS_MAX} rows, {} MiB", FILE_MAX / 1024 / 1024),
            });
        }
        Ok(answer)
    }
}
