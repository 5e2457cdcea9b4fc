//! The canonical encoded form of an item: what is stored, cached and sent between nodes.
//!
//! The invariant: an [`EncodedItem`] holds well-formed canonical bytes. It is made by encoding a tree, or from bytes that
//! were checked whole, so reading one needs no error path, and equal items have equal bytes.
//!
//! Layout. All counts and lengths are minimal LEB128 varints.
//! `format` (1 byte), billed size, number of attributes, then each attribute: name length, name, value. Attributes and
//! map entries stand in order of their names' bytes, set elements in the set's order. A value is a type byte and
//! - string, binary: length, bytes;
//! - number: exponent and mantissa, each zigzag;
//! - boolean, null: nothing;
//! - map, list, set: length of what follows, number of elements, the elements (without type byte in sets).

mod check;
mod reader;

use std::sync::Arc;

use bytes::Bytes;

use super::{Item, ItemBody};
use crate::value::{AttributeValue, Number};
pub use reader::{Attributes, BinarySet, ListValues, NumberSet, StringSet, ValueRef};

/// First byte of the form. Another number means another layout.
const FORMAT: u8 = 1;
/// Deepest nesting that is read. More than any item may have, so that a limit raised later reads old data.
const MAX_DEPTH: usize = 64;

mod tag {
    pub const S: u8 = 1;
    pub const N: u8 = 2;
    pub const B: u8 = 3;
    pub const TRUE: u8 = 4;
    pub const FALSE: u8 = 5;
    pub const NULL: u8 = 6;
    pub const M: u8 = 7;
    pub const L: u8 = 8;
    pub const SS: u8 = 9;
    pub const NS: u8 = 10;
    pub const BS: u8 = 11;
}

/// A whole item in canonical form: equal items have equal bytes. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EncodedItem(Bytes);

/// Bytes that are not the canonical form of any item: damaged, or written by another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded item of format {FORMAT}")]
pub struct NotAnItem;

impl EncodedItem {
    /// Encodes an item.
    pub fn encode(item: &Item) -> EncodedItem {
        let billed = item.billed_size();
        let mut out = Vec::with_capacity(billed + 8 * item.0.len() + 16);
        out.push(FORMAT);
        put_varint(&mut out, billed as u128);
        put_varint(&mut out, item.0.len() as u128);
        for (name, value) in &item.0 {
            put_bytes(&mut out, name.as_bytes());
            put_value(&mut out, value);
        }
        EncodedItem(out.into())
    }

    /// Takes bytes that were encoded before. Checks all of them, once. Errors: anything that [`EncodedItem::encode`]
    /// would not have written.
    pub fn from_bytes(bytes: Bytes) -> Result<EncodedItem, NotAnItem> {
        check::whole(&bytes).ok_or(NotAnItem)?;
        Ok(EncodedItem(bytes))
    }

    /// Takes back bytes that [`EncodedItem::as_bytes`] gave out, copied elsewhere and kept in this process. Not checked:
    /// a cache hit must not cost a walk over the item. Bytes of any other origin go through [`EncodedItem::from_bytes`].
    pub fn from_own_copy(bytes: Bytes) -> EncodedItem {
        debug_assert!(check::whole(&bytes).is_some(), "bytes that no encoded item gave out");
        EncodedItem(bytes)
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Size of the item as billed; kept in the form, not computed. Unit: bytes.
    pub fn billed_size(&self) -> usize {
        reader::Cursor::new(&self.0[1..]).varint().map_or(0, |size| size as usize)
    }

    /// What the billed size of an item can't exceed whose form has so many bytes: for whoever has no reason to look at them. What
    /// is billed most beside what it takes here are elements of lists, each at least a byte here and twice that there.
    pub const fn billed_size_bound(form_bytes: usize) -> usize {
        2 * form_bytes
    }

    /// The attributes in order of their names, borrowed from the encoded bytes.
    pub fn attributes(&self) -> Attributes<'_> {
        reader::attributes(&self.0).unwrap_or_default()
    }

    /// The value of an attribute, borrowed from the encoded bytes. Cost: a walk over the attributes before it.
    pub fn get(&self, name: &str) -> Option<ValueRef<'_>> {
        reader::find(&self.0, name)
    }

    /// Decodes the item. Errors: none for a value of this type; the result is there for callers that propagate.
    pub fn decode(&self) -> Result<Item, NotAnItem> {
        Ok(self.to_item())
    }

    /// Decodes the item.
    pub fn to_item(&self) -> Item {
        Item(self.attributes().map(|(name, value)| (name.to_owned(), value.to_value())).collect())
    }
}

impl std::fmt::Debug for EncodedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EncodedItem").field(&self.to_item().0).finish()
    }
}

impl From<&Item> for EncodedItem {
    fn from(item: &Item) -> EncodedItem {
        EncodedItem::encode(item)
    }
}

impl ItemBody {
    /// The decoded item; decodes where it must.
    pub fn to_item(&self) -> Arc<Item> {
        match self {
            ItemBody::Tree(item) => item.clone(),
            ItemBody::Encoded(item) => Arc::new(item.to_item()),
            ItemBody::Ready(ready) => Arc::new(ready.item.to_item()),
        }
    }

    /// The decoded item, without a copy where nobody shares it.
    pub fn into_item(self) -> Item {
        match self {
            ItemBody::Tree(item) => Arc::unwrap_or_clone(item),
            ItemBody::Encoded(item) => item.to_item(),
            ItemBody::Ready(ready) => ready.item.to_item(),
        }
    }

    /// The encoded form; encodes where it must.
    pub fn to_encoded(&self) -> EncodedItem {
        match self {
            ItemBody::Tree(item) => EncodedItem::encode(item),
            ItemBody::Encoded(item) => item.clone(),
            ItemBody::Ready(ready) => ready.item.clone(),
        }
    }

    /// Size as billed. Unit: bytes.
    pub fn billed_size(&self) -> usize {
        match self {
            ItemBody::Tree(item) => item.billed_size(),
            ItemBody::Encoded(item) => item.billed_size(),
            ItemBody::Ready(ready) => ready.item.billed_size(),
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u128);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, number: &Number) {
    let exponent = i128::from(number.exponent());
    put_varint(out, ((exponent << 1) ^ (exponent >> 127)) as u128);
    let mantissa = number.mantissa();
    put_varint(out, ((mantissa << 1) ^ (mantissa >> 127)) as u128);
}

/// Writes a length-prefixed run of elements.
fn put_elements(out: &mut Vec<u8>, kind: u8, count: usize, elements: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let mut body = Vec::new();
    put_varint(&mut body, count as u128);
    elements(&mut body);
    put_bytes(out, &body);
}

fn put_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::S(text) => {
            out.push(tag::S);
            put_bytes(out, text.as_bytes());
        }
        AttributeValue::N(number) => {
            out.push(tag::N);
            put_number(out, number);
        }
        AttributeValue::B(bytes) => {
            out.push(tag::B);
            put_bytes(out, bytes);
        }
        AttributeValue::Bool(true) => out.push(tag::TRUE),
        AttributeValue::Bool(false) => out.push(tag::FALSE),
        AttributeValue::Null => out.push(tag::NULL),
        AttributeValue::M(map) => put_elements(out, tag::M, map.len(), |out| {
            for (name, value) in map {
                put_bytes(out, name.as_bytes());
                put_value(out, value);
            }
        }),
        AttributeValue::L(list) => put_elements(out, tag::L, list.len(), |out| {
            list.iter().for_each(|value| put_value(out, value));
        }),
        AttributeValue::Ss(set) => put_elements(out, tag::SS, set.len(), |out| {
            set.iter().for_each(|text| put_bytes(out, text.as_bytes()));
        }),
        AttributeValue::Ns(set) => put_elements(out, tag::NS, set.len(), |out| {
            set.iter().for_each(|number| put_number(out, number));
        }),
        AttributeValue::Bs(set) => put_elements(out, tag::BS, set.len(), |out| {
            set.iter().for_each(|bytes| put_bytes(out, bytes));
        }),
    }
}

#[cfg(test)]
mod tests;
