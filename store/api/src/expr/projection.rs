//! The part of an item that a projection keeps.
//!
//! Pure. Maps keep only what was asked for below them; lists too, closed up, in their own order. A path that leads nowhere
//! adds nothing, not even the maps and lists on its way.

use std::collections::BTreeMap;

use super::{Path, Projection, Step};
use crate::item::{EncodedItem, Item, ItemBody};
use crate::value::AttributeValue;

impl Projection {
    /// The projection of top-level attributes, as `AttributesToGet` asks for it.
    pub fn of_attributes(names: impl IntoIterator<Item = String>) -> Projection {
        Projection { paths: names.into_iter().map(Path::attribute).collect() }
    }

    /// What is left of an item.
    pub fn apply(&self, item: &Item) -> Item {
        Selection::new(&self.paths).take_from(item)
    }

    /// What is left of an encoded item. Only the attributes that are asked for are decoded.
    pub fn apply_encoded(&self, item: &EncodedItem) -> Item {
        let attributes = self.paths.iter().map(|path| path.attribute.as_str());
        let mut picked = Item::new();
        for name in attributes {
            if !picked.0.contains_key(name)
                && let Some(value) = item.get(name)
            {
                picked.0.insert(name.to_owned(), value.to_value());
            }
        }
        if self.paths.iter().all(|path| path.steps.is_empty()) { picked } else { self.apply(&picked) }
    }

    /// What is left of an item in whichever form it was found.
    pub fn apply_body(&self, body: &ItemBody) -> Item {
        match body {
            ItemBody::Tree(item) => self.apply(item),
            ItemBody::Encoded(item) => self.apply_encoded(item),
            ItemBody::Ready(ready) => self.apply_encoded(&ready.item),
        }
    }
}

/// Paths as a tree, so that what they share is walked once.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    attributes: BTreeMap<&'a str, Node<'a>>,
}

#[derive(Debug, Default)]
struct Node<'a> {
    /// A path ends here: everything below is taken.
    whole: bool,
    fields: BTreeMap<&'a str, Node<'a>>,
    elements: BTreeMap<u32, Node<'a>>,
}

impl<'a> Selection<'a> {
    pub(super) fn new(paths: impl IntoIterator<Item = &'a Path>) -> Selection<'a> {
        let mut selection = Selection::default();
        for path in paths {
            let mut node = selection.attributes.entry(&path.attribute).or_default();
            for step in &path.steps {
                node = match step {
                    Step::Field(name) => node.fields.entry(name).or_default(),
                    Step::Index(index) => node.elements.entry(*index).or_default(),
                };
            }
            node.whole = true;
        }
        selection
    }

    pub(super) fn take_from(&self, item: &Item) -> Item {
        let attributes = self.attributes.iter().filter_map(|(name, node)| {
            let value = node.take_from(item.get(name)?)?;
            Some(((*name).to_owned(), value))
        });
        Item(attributes.collect())
    }
}

impl Node<'_> {
    /// What is left of a value; `None` where nothing is. As deep as the deepest path at most, and paths are bounded.
    fn take_from(&self, value: &AttributeValue) -> Option<AttributeValue> {
        if self.whole {
            return Some(value.clone());
        }
        match value {
            AttributeValue::M(map) => {
                let taken = self
                    .fields
                    .iter()
                    .filter_map(|(name, node)| Some(((*name).to_owned(), node.take_from(map.get(*name)?)?)));
                let taken: BTreeMap<String, AttributeValue> = taken.collect();
                (!taken.is_empty()).then_some(AttributeValue::M(taken))
            }
            AttributeValue::L(list) => {
                let taken = self
                    .elements
                    .iter()
                    .filter_map(|(index, node)| node.take_from(list.get(usize::try_from(*index).ok()?)?));
                let taken: Vec<AttributeValue> = taken.collect();
                (!taken.is_empty()).then_some(AttributeValue::L(taken))
            }
            _ => None,
        }
    }
}
