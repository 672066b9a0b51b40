//! A fleet's list as JSON: a list of tenants, each an object.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::error::ImportError;
use super::field::{Field, Names};
use super::problem::Place;
use super::row::{Row, Values};

/// The most products that one tenant may have.
const PRODUCTS_MAX: usize = 1_000;

/// Reads a JSON list item by item until `each` has enough; returns the keys whose values go nowhere.
///
/// # Errors
/// [`ImportError::Malformed`] if it is no list, [`ImportError::NoSuchColumn`] for a mapped name that no item has.
pub(super) fn read(
    text: &str,
    names: &Names,
    each: impl FnMut(Row) -> ControlFlow<()>,
) -> Result<Vec<String>, ImportError> {
    let items = Items {
        names,
        each: RefCell::new(each),
        keys: RefCell::default(),
        is_over: Cell::new(false),
    };
    let mut from = serde_json::Deserializer::from_str(text);
    let read = from.deserialize_seq(&items).and_then(|()| from.end());
    if let Err(error) = read
        && !items.is_over.get()
    {
        let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
        return Err(ImportError::Malformed {
            at: (line > 0).then_some(Place::Line(line)),
            what: "is no JSON list of objects".to_owned(),
        });
    }
    let keys = items.keys.into_inner();
    if let Some(theirs) = names.unused(|theirs| items.is_over.get() || keys.contains(theirs)) {
        return Err(ImportError::NoSuchColumn {
            given: theirs.to_owned(),
            columns: keys.into_iter().collect(),
        });
    }
    Ok(keys.into_iter().filter(|key| names.slot(key).is_none()).collect())
}

/// Takes a list's items one after the other: no more than one of them is in memory.
struct Items<'a, F> {
    names: &'a Names,
    each: RefCell<F>,
    keys: RefCell<BTreeSet<String>>,
    is_over: Cell<bool>,
}

impl<'de, F: FnMut(Row) -> ControlFlow<()>> Visitor<'de> for &Items<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tenants")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(mut item) = list.next_element::<Value>()? {
            let row = self.row(Place::Item(index), &item);
            wipe(&mut item);
            if (self.each.borrow_mut())(row).is_break() {
                self.is_over.set(true);
                return Ok(());
            }
            index += 1;
        }
        Ok(())
    }
}

impl<F> Items<'_, F> {
    fn row(&self, at: Place, item: &Value) -> Row {
        let mut row = Row::new(at);
        let Value::Object(object) = item else {
            row.refuse("the item", "is no object");
            return row;
        };
        let mut keys = self.keys.borrow_mut();
        for (key, value) in object {
            if !keys.contains(key) {
                keys.insert(key.clone());
            }
            let Some(slot) = self.names.slot(key) else {
                continue;
            };
            if slot.field == Field::Products && slot.product.is_none() {
                products(&mut row, value, self.names);
                continue;
            }
            match scalar(value, slot.field) {
                Ok(Some(text)) => row.set(&slot, &text),
                Ok(None) => {}
                Err(what) => row.refuse(slot.to_string(), what),
            }
        }
        row
    }
}

/// Reads a cell of a table that holds the tenant's products.
pub(super) fn read_products(row: &mut Row, text: &str, names: &Names) {
    if text.is_empty() {
        return;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            products(row, &value, names);
            wipe(&mut value);
        }
        Err(_) => row.refuse("products", "is no JSON list of objects"),
    }
}

fn products(row: &mut Row, value: &Value, names: &Names) {
    match value {
        Value::Null => {}
        // As databases give columns of JSON out.
        Value::String(text) => read_products(row, text, names),
        Value::Array(items) if items.len() > PRODUCTS_MAX => {
            row.refuse("products", format!("are more than {PRODUCTS_MAX}"));
        }
        Value::Array(items) => items.iter().for_each(|item| product(row, item, names)),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            row.refuse("products", "is no JSON list of objects");
        }
    }
}

fn product(row: &mut Row, item: &Value, names: &Names) {
    let Value::Object(object) = item else {
        row.refuse("products", "is no JSON list of objects");
        return;
    };
    let mut values = Values::default();
    for (key, value) in object {
        let Some(slot) = names.slot(key).filter(|slot| slot.product.is_none()) else {
            continue;
        };
        match scalar(value, slot.field) {
            Ok(Some(text)) => values.set(slot.field, &text),
            Ok(None) => {}
            Err(what) => row.refuse(format!("products.{}", slot.field.as_str()), what),
        }
    }
    row.products.push(values);
}

/// Returns a value as text; `None` for null.
fn scalar(value: &Value, field: Field) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(word) => Ok(Some(word.to_string())),
        Value::Array(words) if field == Field::Domain => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            words
                .map(|words| Some(words.join(",")))
                .ok_or("is no list of texts")
        }
        Value::Array(_) => Err("is a list"),
        Value::Object(_) => Err("is an object"),
    }
}

/// Overwrites the texts of a value: one of them may be a password.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(object) => Map::values_mut(object).for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
