//! One row of a source under our names, before anything of it is believed.

use zeroize::Zeroizing;

use super::field::{Field, Slot};
use super::problem::{Place, RowProblem};
use crate::tenant::ProductType;

/// The values of one tenant, or of one of its products: text as it came. What was empty is not there.
#[derive(Default)]
pub(super) struct Values(Vec<(Field, Zeroizing<String>)>);

impl Values {
    /// Takes a value, unless it is empty.
    pub(super) fn set(&mut self, field: Field, text: &str) {
        if !text.is_empty() {
            self.0.push((field, Zeroizing::new(text.to_owned())));
        }
    }

    /// Returns a value; `None` if none came.
    pub(super) fn find(&self, field: Field) -> Option<&str> {
        let found = self.0.iter().find(|(one, _)| *one == field);
        found.map(|(_, text)| text.as_str())
    }
}

/// One tenant of a source, with its products.
pub(super) struct Row {
    pub(super) at: Place,
    pub(super) tenant: Values,
    pub(super) products: Vec<Values>,
    /// What could not even be taken as a value.
    pub(super) problems: Vec<RowProblem>,
}

impl Row {
    pub(super) fn new(at: Place) -> Self {
        Self {
            at,
            tenant: Values::default(),
            products: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Puts a value where it belongs.
    pub(super) fn set(&mut self, slot: &Slot, text: &str) {
        if text.is_empty() {
            return;
        }
        match &slot.product {
            None => self.tenant.set(slot.field, text),
            Some(product) => self.product(product).set(slot.field, text),
        }
    }

    /// Says what is wrong with a field.
    pub(super) fn refuse(&mut self, field: impl Into<String>, what: impl Into<String>) {
        self.problems.push(RowProblem {
            at: self.at,
            field: field.into(),
            what: what.into(),
        });
    }

    /// Returns the values of a product that has a column of its own.
    fn product(&mut self, product: &ProductType) -> &mut Values {
        let has = |values: &Values| values.find(Field::Type) == Some(product.as_str());
        let at = self.products.iter().position(has).unwrap_or_else(|| {
            let mut values = Values::default();
            values.set(Field::Type, product.as_str());
            self.products.push(values);
            self.products.len() - 1
        });
        &mut self.products[at]
    }
}
