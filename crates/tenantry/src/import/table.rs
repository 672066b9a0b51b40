//! Rows of a table, from a file or a query: a line of names, and values beneath them.

use super::error::ImportError;
use super::field::{Field, Names, Slot};
use super::json;
use super::problem::Place;
use super::row::Row;

/// What a table must have for any row of it to be a tenant.
const NEEDED: [Field; 3] = [Field::Id, Field::Slug, Field::DbName];

/// The columns of a table: where their values go.
pub(super) struct Columns {
    slots: Vec<Option<Slot>>,
    /// Those whose values go nowhere.
    pub(super) ignored: Vec<String>,
}

impl Columns {
    /// Reads the line of names.
    ///
    /// # Errors
    /// [`ImportError::NoSuchColumn`] for a mapped name that is not there, [`ImportError::TwoColumns`] where two mean
    /// the same, [`ImportError::MissingColumns`] without what every tenant needs.
    pub(super) fn read<'a>(
        titles: impl Iterator<Item = &'a str>,
        names: &Names,
    ) -> Result<Self, ImportError> {
        let titles: Vec<&str> = titles.collect();
        if let Some(theirs) = names.unused(|theirs| titles.contains(&theirs)) {
            return Err(ImportError::NoSuchColumn {
                given: theirs.to_owned(),
                columns: titles.iter().map(ToString::to_string).collect(),
            });
        }
        let slots: Vec<Option<Slot>> = titles.iter().map(|title| names.slot(title)).collect();
        for (index, slot) in slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let before = slots
                .iter()
                .take(index)
                .position(|one| one.as_ref() == Some(slot));
            if let Some(before) = before {
                return Err(ImportError::TwoColumns {
                    field: slot.to_string(),
                    columns: [titles[before].to_owned(), titles[index].to_owned()],
                });
            }
        }
        let is_there = |field: &Field| {
            let of_tenant = |slot: &Slot| slot.product.is_none() && slot.field == *field;
            slots.iter().flatten().any(of_tenant)
        };
        let missing: Vec<Field> = NEEDED.into_iter().filter(|field| !is_there(field)).collect();
        if !missing.is_empty() {
            return Err(ImportError::MissingColumns {
                missing,
                columns: titles.iter().map(ToString::to_string).collect(),
            });
        }
        let nowhere = titles.iter().zip(&slots).filter(|(_, slot)| slot.is_none());
        let ignored = nowhere.map(|(title, _)| (*title).to_owned()).collect();
        Ok(Self { slots, ignored })
    }

    /// Puts a line of values under our names.
    pub(super) fn row<'a>(&self, at: Place, values: impl Iterator<Item = &'a str>, names: &Names) -> Row {
        let mut row = Row::new(at);
        for (slot, text) in self.slots.iter().zip(values) {
            match slot {
                Some(slot) if slot.field == Field::Products => json::read_products(&mut row, text, names),
                Some(slot) => row.set(slot, text),
                None => {}
            }
        }
        row
    }
}
