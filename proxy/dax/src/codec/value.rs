//! Attribute values. A value's type is the CBOR type it has; sets are tagged arrays.
//!
//! What is read is checked as the service checks it: exact numbers, sets without repeats and not empty, bounded nesting.

use std::collections::BTreeMap;

use api::item::ValueRef;
use api::limits::{ITEM_BYTES, NESTING_LEVELS};
use api::value::{given, size};
use api::{AttributeValue, Error};
use bytes::Bytes;

use super::malformed;
use super::number::{read_number, write_number};
use crate::cbor::{Kind, Reader, write};

pub(super) const STRING_SET: u64 = 3321;
const NUMBER_SET: u64 = 3322;
const BINARY_SET: u64 = 3323;

/// How much may still be read, in bytes as billed. A list of nulls takes a byte an element on the wire and many in memory;
/// what can't be stored anyway must not be built first.
#[derive(Debug)]
pub struct Room {
    left: usize,
    refusal: fn() -> Error,
}

impl Room {
    /// Room for one item.
    pub fn of_item() -> Room {
        Room { left: ITEM_BYTES, refusal: item_too_large }
    }

    /// Room for so many bytes, and what is said past them.
    pub const fn new(bytes: usize, refusal: fn() -> Error) -> Room {
        Room { left: bytes, refusal }
    }

    /// Takes so much of it.
    pub fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.left = self.left.checked_sub(bytes).ok_or_else(self.refusal)?;
        Ok(())
    }
}

fn item_too_large() -> Error {
    Error::validation("Item size has exceeded the maximum allowed size")
}

/// Appends a value.
pub fn write_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::S(text) => write::text(out, text),
        AttributeValue::N(number) => write_number(out, number),
        AttributeValue::B(bytes) => write::bytes(out, bytes),
        AttributeValue::Bool(value) => write::boolean(out, *value),
        AttributeValue::Null => write::null(out),
        AttributeValue::M(map) => {
            write::map(out, map.len());
            for (name, value) in map {
                write::text(out, name);
                write_value(out, value);
            }
        }
        AttributeValue::L(list) => {
            write::array(out, list.len());
            list.iter().for_each(|value| write_value(out, value));
        }
        AttributeValue::Ss(set) => {
            write_set(out, STRING_SET, set.iter(), |out, text| write::text(out, text));
        }
        AttributeValue::Ns(set) => write_set(out, NUMBER_SET, set.iter(), write_number),
        AttributeValue::Bs(set) => {
            write_set(out, BINARY_SET, set.iter(), |out, bytes| write::bytes(out, bytes));
        }
    }
}

/// Appends a value out of an encoded item, without decoding it first.
pub fn write_value_ref(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::S(text) => write::text(out, text),
        ValueRef::N(number) => write_number(out, &number),
        ValueRef::B(bytes) => write::bytes(out, bytes),
        ValueRef::Bool(value) => write::boolean(out, value),
        ValueRef::Null => write::null(out),
        ValueRef::M(map) => {
            write::map(out, map.len());
            for (name, value) in map {
                write::text(out, name);
                write_value_ref(out, value);
            }
        }
        ValueRef::L(list) => {
            write::array(out, list.len());
            list.for_each(|value| write_value_ref(out, value));
        }
        ValueRef::Ss(set) => write_set(out, STRING_SET, set, write::text),
        ValueRef::Ns(set) => write_set(out, NUMBER_SET, set, |out, number| write_number(out, &number)),
        ValueRef::Bs(set) => write_set(out, BINARY_SET, set, write::bytes),
    }
}

fn write_set<T>(
    out: &mut Vec<u8>,
    tag: u64,
    elements: impl ExactSizeIterator<Item = T>,
    element: fn(&mut Vec<u8>, T),
) {
    write::tag(out, tag);
    write::array(out, elements.len());
    elements.for_each(|each| element(out, each));
}

/// Reads a value. Errors: the service's for what it refuses, `SerializationException` for what is no value.
pub fn read_value(reader: &mut Reader<'_>, room: &mut Room) -> Result<AttributeValue, Error> {
    read_within(reader, room, 1)
}

/// `level` is that of the value itself; the recursion is as deep as documents may be.
fn read_within(reader: &mut Reader<'_>, room: &mut Room, level: usize) -> Result<AttributeValue, Error> {
    if level > NESTING_LEVELS {
        return Err(given::too_deep());
    }
    let value = match reader.kind()? {
        Kind::Text => AttributeValue::S(reader.text()?.to_owned()),
        Kind::Bytes => AttributeValue::B(Bytes::copy_from_slice(reader.bytes()?)),
        Kind::Int | Kind::Double => AttributeValue::N(read_number(reader)?),
        Kind::Bool => AttributeValue::Bool(reader.boolean()?),
        Kind::Null => {
            reader.null()?;
            AttributeValue::Null
        }
        Kind::Array => {
            room.take(size::DOCUMENT_BYTES)?;
            let mut elements = reader.array()?;
            let mut list = Vec::new();
            while elements.more(reader)? {
                room.take(size::ELEMENT_BYTES)?;
                list.push(read_within(reader, room, level + 1)?);
            }
            return Ok(AttributeValue::L(list));
        }
        Kind::Map => {
            room.take(size::DOCUMENT_BYTES)?;
            let mut entries = reader.map()?;
            let mut map = BTreeMap::new();
            while entries.more(reader)? {
                let name = reader.text()?;
                room.take(size::ELEMENT_BYTES + name.len())?;
                map.insert(name.to_owned(), read_within(reader, room, level + 1)?);
            }
            return Ok(AttributeValue::M(map));
        }
        Kind::Tag => {
            let mut after = *reader;
            match after.tag()? {
                STRING_SET => {
                    *reader = after;
                    read_string_set(reader, room)?
                }
                NUMBER_SET => {
                    *reader = after;
                    read_number_set(reader, room)?
                }
                BINARY_SET => {
                    *reader = after;
                    read_binary_set(reader, room)?
                }
                _ => AttributeValue::N(read_number(reader)?),
            }
        }
        Kind::Break | Kind::Other => return Err(malformed("a value of no attribute's type")),
    };
    match &value {
        // Their elements were counted as they came.
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => {}
        scalar => room.take(size::value_bytes(scalar))?,
    }
    Ok(value)
}

/// The elements of a set, in the order given.
fn read_elements<'a, T>(
    reader: &mut Reader<'a>,
    room: &mut Room,
    element: impl Fn(&mut Reader<'a>) -> Result<T, Error>,
    billed: impl Fn(&T) -> usize,
) -> Result<Vec<T>, Error> {
    let mut elements = reader.array()?;
    let mut given = Vec::new();
    while elements.more(reader)? {
        let each = element(reader)?;
        // An empty element weighs nothing, but a set holds only one of them; a byte each bounds the repeats.
        room.take(billed(&each).max(1))?;
        given.push(each);
    }
    Ok(given)
}

fn read_string_set(reader: &mut Reader<'_>, room: &mut Room) -> Result<AttributeValue, Error> {
    let set = read_elements(reader, room, |reader| Ok(reader.text()?.to_owned()), String::len)?;
    given::string_set(set)
}

fn read_number_set(reader: &mut Reader<'_>, room: &mut Room) -> Result<AttributeValue, Error> {
    given::set_of_numbers(read_elements(reader, room, read_number, size::number_bytes)?)
}

fn read_binary_set(reader: &mut Reader<'_>, room: &mut Room) -> Result<AttributeValue, Error> {
    let set = read_elements(reader, room, |reader| Ok(Bytes::copy_from_slice(reader.bytes()?)), Bytes::len)?;
    given::binary_set(set)
}

#[cfg(test)]
mod tests;
