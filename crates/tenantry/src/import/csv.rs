//! A fleet's list as CSV: a line of names, then a line for each tenant.

use std::ops::ControlFlow;

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::error::ImportError;
use super::field::Names;
use super::problem::Place;
use super::row::Row;
use super::table::Columns;

/// Reads a CSV file row by row until `each` has enough; returns the columns whose values go nowhere. A cell is text
/// as it stands there, whatever a spreadsheet would make of it.
///
/// # Errors
/// [`ImportError::Malformed`] with the line if it is no such file; what [`Columns::read`] says of its names.
pub(super) fn read(
    text: &str,
    names: &Names,
    mut each: impl FnMut(Row) -> ControlFlow<()>,
) -> Result<Vec<String>, ImportError> {
    let mut reader = ReaderBuilder::new().from_reader(text.as_bytes());
    let titles = reader.headers().map_err(|error| malformed(&error))?.clone();
    let columns = Columns::read(titles.iter(), names)?;
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| malformed(&error))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let row = columns.row(Place::Line(line), record.iter(), names);
        if each(row).is_break() {
            break;
        }
    }
    Ok(columns.ignored)
}

/// Says where and why it is no CSV, without any of its values.
pub(super) fn malformed(error: &csv::Error) -> ImportError {
    let line = error.position().map_or(1, csv::Position::line);
    let what = if let ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        format!("has {len} values, and the first line has {expected_len} names")
    } else {
        "is no line of CSV".to_owned()
    };
    ImportError::Malformed {
        at: Some(Place::Line(line)),
        what,
    }
}
