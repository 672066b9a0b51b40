//! A list as JSON, written item by item: a fleet's is long.

use std::cell::RefCell;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Everything that a list has, as `{"items": […], "next": null}`.
#[derive(Debug)]
pub(crate) struct Items<I>(RefCell<Option<I>>);

impl<I: Iterator<Item: Serialize>> Items<I> {
    /// Takes what makes the items; each is made when it is written, and there is one writing.
    pub(crate) fn new(items: I) -> Self {
        Self(RefCell::new(Some(items)))
    }
}

impl<I: Iterator<Item: Serialize>> Serialize for Items<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("Items", 2)?;
        list.serialize_field("items", &Sequence(&self.0))?;
        list.serialize_field("next", &None::<()>)?;
        list.end()
    }
}

/// The items alone.
struct Sequence<'a, I>(&'a RefCell<Option<I>>);

impl<I: Iterator<Item: Serialize>> Serialize for Sequence<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.borrow_mut().take().into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::Items;
    use crate::render::json;

    #[test]
    fn a_list_has_its_items_and_nothing_behind_them() {
        assert_eq!(json(&Items::new([1, 2].iter())), r#"{"items":[1,2],"next":null}"#);
        let none: [u8; 0] = [];
        assert_eq!(json(&Items::new(none.iter())), r#"{"items":[],"next":null}"#);
    }
}
