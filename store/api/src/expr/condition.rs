//! Whether a condition holds of an item.
//!
//! Pure. Values of different types are never equal and have no order; only strings, numbers and binaries have one. An
//! operand that leads nowhere makes a comparison false, except `<>`, which is the opposite of `=` throughout.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::check::TREE_DEPTH;
use super::{Comparator, Condition, Operand, Path};
use crate::error::Error;
use crate::item::Item;
use crate::value::{AttributeValue, Number};

impl Condition {
    /// All of the conditions: no AND stands directly within an AND, and one condition stays as it is.
    pub fn all(conditions: Vec<Condition>) -> Condition {
        let mut terms = Vec::with_capacity(conditions.len());
        for condition in conditions {
            match condition {
                Condition::And(inner) => terms.extend(inner),
                other => terms.push(other),
            }
        }
        one_or(terms, Condition::And)
    }

    /// Any of the conditions: no OR stands directly within an OR, and one condition stays as it is.
    pub fn any(conditions: Vec<Condition>) -> Condition {
        let mut terms = Vec::with_capacity(conditions.len());
        for condition in conditions {
            match condition {
                Condition::Or(inner) => terms.extend(inner),
                other => terms.push(other),
            }
        }
        one_or(terms, Condition::Or)
    }

    /// The opposite of a condition.
    pub fn negated(self) -> Condition {
        Condition::Not(Box::new(self))
    }

    /// Whether the condition holds of an item. Errors: a tree deeper than any that passes `validate`.
    pub fn holds(&self, item: &Item) -> Result<bool, Error> {
        holds(self, item, TREE_DEPTH)
    }

    /// Whether the condition holds of what stands there; where nothing does, of an item without attributes.
    pub fn holds_of(&self, item: Option<&Item>) -> Result<bool, Error> {
        match item {
            Some(item) => self.holds(item),
            None => self.holds(&Item::new()),
        }
    }

    /// The paths that the condition reads, in the order of the text.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        let mut pending = vec![self];
        while let Some(condition) = pending.pop() {
            match condition {
                Condition::And(terms) | Condition::Or(terms) => pending.extend(terms.iter().rev()),
                Condition::Not(term) => pending.push(term),
                leaf => paths.extend(super::check::leaf_paths(leaf)),
            }
        }
        paths
    }
}

fn one_or(mut terms: Vec<Condition>, kind: fn(Vec<Condition>) -> Condition) -> Condition {
    if terms.len() == 1 { terms.remove(0) } else { kind(terms) }
}

fn holds(condition: &Condition, item: &Item, depth: usize) -> Result<bool, Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::validation("The condition is nested too deeply; join fewer conditions"));
    };
    Ok(match condition {
        Condition::And(terms) => {
            for term in terms {
                if !holds(term, item, depth)? {
                    return Ok(false);
                }
            }
            true
        }
        Condition::Or(terms) => {
            for term in terms {
                if holds(term, item, depth)? {
                    return Ok(true);
                }
            }
            false
        }
        Condition::Not(term) => !holds(term, item, depth)?,
        Condition::Compare(comparator, first, second) => {
            compare(*comparator, value_of(first, item).as_deref(), value_of(second, item).as_deref())
        }
        Condition::Between(value, lower, upper) => {
            let (value, lower, upper) = (value_of(value, item), value_of(lower, item), value_of(upper, item));
            compare(Comparator::Ge, value.as_deref(), lower.as_deref())
                && compare(Comparator::Le, value.as_deref(), upper.as_deref())
        }
        Condition::In(value, list) => {
            let value = value_of(value, item);
            list.iter()
                .any(|other| compare(Comparator::Eq, value.as_deref(), value_of(other, item).as_deref()))
        }
        Condition::AttributeExists(path) => path.get(item).is_some(),
        Condition::AttributeNotExists(path) => path.get(item).is_none(),
        Condition::AttributeType(path, value_type) => {
            path.get(item).is_some_and(|value| value.value_type() == *value_type)
        }
        Condition::BeginsWith(first, second) => match (value_of(first, item), value_of(second, item)) {
            (Some(value), Some(prefix)) => begins_with(&value, &prefix),
            _ => false,
        },
        Condition::Contains(first, second) => match (value_of(first, item), value_of(second, item)) {
            (Some(value), Some(part)) => contains(&value, &part),
            _ => false,
        },
    })
}

/// What an operand stands for; `None` where a path leads nowhere, and for the size of what has none.
fn value_of<'a>(operand: &'a Operand, item: &'a Item) -> Option<Cow<'a, AttributeValue>> {
    match operand {
        Operand::Path(path) => path.get(item).map(Cow::Borrowed),
        Operand::Value(value) => Some(Cow::Borrowed(value)),
        // `size` of a `size` is refused wherever trees are made, so this goes one level down.
        Operand::Size(inner) => match &**inner {
            Operand::Path(path) => path.get(item).and_then(size),
            Operand::Value(value) => size(value),
            Operand::Size(_) => None,
        }
        .map(Cow::Owned),
    }
}

/// The size of a value as `size` reports it: bytes of a binary, elements of a collection.
fn size(value: &AttributeValue) -> Option<AttributeValue> {
    let size = match value {
        AttributeValue::S(text) => string_size(text),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::M(map) => map.len(),
        AttributeValue::L(list) => list.len(),
        AttributeValue::Ss(set) => set.len(),
        AttributeValue::Ns(set) => set.len(),
        AttributeValue::Bs(set) => set.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    };
    Number::from_parts(size as i128, 0).ok().map(AttributeValue::N)
}

/// The size of a string: bytes of its UTF-8 form.
fn string_size(text: &str) -> usize {
    text.len()
}

/// Whether two values compare so; `None` is an operand that leads nowhere.
pub(super) fn compare(
    comparator: Comparator,
    first: Option<&AttributeValue>,
    second: Option<&AttributeValue>,
) -> bool {
    let equal = || first.is_some() && first == second;
    let ordered = |wanted: fn(Ordering) -> bool| {
        first.zip(second).and_then(|(first, second)| order(first, second)).is_some_and(wanted)
    };
    match comparator {
        Comparator::Eq => equal(),
        Comparator::Ne => !equal(),
        Comparator::Lt => ordered(Ordering::is_lt),
        Comparator::Le => ordered(Ordering::is_le),
        Comparator::Gt => ordered(Ordering::is_gt),
        Comparator::Ge => ordered(Ordering::is_ge),
    }
}

/// The order of two values; `None` where the service knows none.
pub(super) fn order(first: &AttributeValue, second: &AttributeValue) -> Option<Ordering> {
    match (first, second) {
        (AttributeValue::S(first), AttributeValue::S(second)) => Some(first.cmp(second)),
        (AttributeValue::N(first), AttributeValue::N(second)) => Some(first.cmp(second)),
        (AttributeValue::B(first), AttributeValue::B(second)) => Some(first.cmp(second)),
        _ => None,
    }
}

/// Whether a string begins with a string, or a binary with a binary.
pub(super) fn begins_with(value: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (value, prefix) {
        (AttributeValue::S(value), AttributeValue::S(prefix)) => value.starts_with(prefix.as_str()),
        (AttributeValue::B(value), AttributeValue::B(prefix)) => value.starts_with(prefix),
        _ => false,
    }
}

/// Whether a string or binary has a part, or a set or list an element.
fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(value), AttributeValue::S(part)) => value.contains(part.as_str()),
        (AttributeValue::B(value), AttributeValue::B(part)) => memchr::memmem::find(value, part).is_some(),
        (AttributeValue::Ss(set), AttributeValue::S(element)) => set.contains(element),
        (AttributeValue::Ns(set), AttributeValue::N(element)) => set.contains(element),
        (AttributeValue::Bs(set), AttributeValue::B(element)) => set.contains(element),
        (AttributeValue::L(list), element) => list.contains(element),
        _ => false,
    }
}
