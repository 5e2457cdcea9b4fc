//! Document paths: what stands at one.

use super::{Path, Step};
use crate::item::Item;
use crate::value::AttributeValue;

impl Path {
    /// The path of a top-level attribute.
    pub fn attribute(name: impl Into<String>) -> Path {
        Path { attribute: name.into(), steps: Vec::new() }
    }

    /// What stands at the path; `None` where a step leads nowhere.
    pub fn get<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        walk(item, &self.attribute, &self.steps)
    }
}

/// What stands behind some steps from a top-level attribute.
pub(super) fn walk<'a>(item: &'a Item, attribute: &str, steps: &[Step]) -> Option<&'a AttributeValue> {
    steps.iter().try_fold(item.get(attribute)?, step_into)
}

fn step_into<'a>(value: &'a AttributeValue, step: &Step) -> Option<&'a AttributeValue> {
    match (value, step) {
        (AttributeValue::M(map), Step::Field(name)) => map.get(name),
        (AttributeValue::L(list), Step::Index(index)) => list.get(usize::try_from(*index).ok()?),
        _ => None,
    }
}
