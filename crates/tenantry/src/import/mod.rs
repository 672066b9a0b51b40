//! Takes in the fleet of a platform that is there: reads its list of tenants, and checks every row of it. Pure: what
//! comes out is written by [`Registry::import`](crate::registry::Registry::import).

mod check;
mod csv;
mod entry;
mod error;
mod field;
mod json;
mod passwords;
mod problem;
mod row;
mod server;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::ops::ControlFlow;

pub use entry::{Entry, EntryDatabase};
pub use error::ImportError;
pub use field::{Field, Names, Slot, UnknownField};
pub use passwords::{Passwords, PasswordsFile};
pub use problem::{Place, Problems, RowProblem, SHOWN_MAX};

use crate::registry::{Answer, ListedServer};
use crate::secret::LegacyError;
use crate::tenant::TenantStatus;
use check::{Checked, Checker};
use row::Row;
use table::Columns;

pub(crate) use problem::told;

/// The longest file that is read, in bytes.
pub const FILE_MAX: u64 = 512 * 1024 * 1024;
/// The most tenants that are taken in at once.
pub const ROWS_MAX: usize = 1_000_000;
/// How many encrypted passwords may be unreadable before nobody tries another one: whoever can change the records
/// must not learn from many failures.
const UNREADABLE_MAX: usize = 3;

/// Where a list is.
#[derive(Debug)]
pub enum Source<'a> {
    /// In the bytes of a CSV file.
    Csv(&'a [u8]),
    /// In the bytes of a JSON file.
    Json(&'a [u8]),
    /// In the answer of a query.
    Query(&'a Answer),
}

/// How a list is understood.
#[derive(Debug, Default)]
pub struct Rules {
    /// How it calls the fields.
    pub names: Names,
    /// What its words for a status mean, beside the usual ones.
    pub statuses: Vec<(String, TenantStatus)>,
    /// Where the passwords are.
    pub passwords: Passwords,
}

/// A list that was read: every row of it is fit by itself.
#[derive(Debug)]
pub struct Listed {
    /// The tenants, in the order of the list.
    pub entries: Vec<Entry>,
    /// Columns and keys whose values go nowhere.
    pub ignored: Vec<String>,
}

/// Reads a list and checks each row of it against the servers that there are. Connects to nothing, writes nothing.
///
/// # Errors
/// [`ImportError::Rows`] with the first problems and the count of all; [`ImportError::Legacy`] once three encrypted
/// passwords could not be read; what is wrong with the list as a whole.
pub fn read(source: &Source<'_>, rules: &Rules, servers: &[ListedServer]) -> Result<Listed, ImportError> {
    let mut intake = Intake {
        checker: Checker { servers, rules },
        entries: Vec::new(),
        problems: Problems::default(),
        unreadable: Vec::new(),
        is_full: false,
    };
    let each = |row| intake.take(row);
    let ignored = match source {
        Source::Csv(bytes) => csv::read(text::decode(bytes)?, &rules.names, each)?,
        Source::Json(bytes) => json::read(text::decode(bytes)?, &rules.names, each)?,
        Source::Query(answer) => query(answer, &rules.names, each)?,
    };
    let entries = intake.finish()?;
    Ok(Listed { entries, ignored })
}

fn query(
    answer: &Answer,
    names: &Names,
    mut each: impl FnMut(Row) -> ControlFlow<()>,
) -> Result<Vec<String>, ImportError> {
    // Without a row nobody says what the columns are.
    if answer.rows.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::read(answer.columns.iter().map(String::as_str), names)?;
    for (index, values) in answer.rows.iter().enumerate() {
        let values = values
            .iter()
            .map(|value| value.as_ref().map_or("", |text| text.as_str()));
        if each(columns.row(Place::Row(index + 1), values, names)).is_break() {
            break;
        }
    }
    Ok(columns.ignored)
}

/// What a list has given so far.
struct Intake<'a> {
    checker: Checker<'a>,
    entries: Vec<Entry>,
    problems: Problems,
    unreadable: Vec<Place>,
    is_full: bool,
}

impl Intake<'_> {
    fn take(&mut self, row: Row) -> ControlFlow<()> {
        if self.entries.len() >= ROWS_MAX {
            self.is_full = true;
            return ControlFlow::Break(());
        }
        let at = row.at;
        match self.checker.check(row) {
            // What came before a refused row is not needed any more.
            Checked::Entry(entry) if self.problems.is_empty() => self.entries.push(entry),
            Checked::Entry(_) => {}
            Checked::Refused { problems, unreadable } => {
                for problem in problems {
                    self.problems.add(problem);
                }
                self.unreadable.extend(std::iter::repeat_n(at, unreadable));
            }
        }
        if self.unreadable.len() >= UNREADABLE_MAX {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn finish(mut self) -> Result<Vec<Entry>, ImportError> {
        if self.is_full {
            return Err(ImportError::TooLong {
                limit: format!("{ROWS_MAX} tenants"),
            });
        }
        if self.unreadable.len() >= UNREADABLE_MAX {
            self.unreadable.dedup();
            return Err(ImportError::Legacy {
                places: self.unreadable,
                source: LegacyError::Unreadable,
            });
        }
        if self.problems.is_empty() {
            return Ok(self.entries);
        }
        Err(ImportError::Rows(self.problems))
    }
}
