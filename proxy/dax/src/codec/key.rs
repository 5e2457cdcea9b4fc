//! Item keys: a byte string whose content the table's key schema tells apart.
//!
//! | key | content |
//! |---|---|
//! | partition key alone, S or B | its bytes |
//! | partition key alone, N | the number as a value |
//! | with a sort key | the partition key as a value, then the sort key: its bytes, or a sortable number |
//!
//! On an index, the place where a page ends has more attributes than a key: it is a map of them.

use api::item::{EncodedItem, ValueRef};
use api::limits::ITEM_BYTES;
use api::schema::{KeyAttribute, KeySchema};
use api::value::{ValueType, order};
use api::{AttributeValue, Error, Item};
use bytes::Bytes;

use super::malformed;
use super::number::{read_number, read_sortable, write_number, write_sortable};
use super::value::{Room, read_value, write_value, write_value_ref};
use crate::cbor::{Reader, write};

fn mismatch() -> Error {
    Error::validation("The provided key element does not match the schema")
}

/// Appends the content of a key. Errors: a key attribute is missing or of another type.
pub fn write_key(out: &mut Vec<u8>, schema: &KeySchema, item: &Item) -> Result<(), Error> {
    let partition = value_of(item, &schema.partition)?;
    match &schema.sort {
        None => write_last(out, partition, write_number),
        Some(sort) => {
            write_value(out, partition);
            write_last(out, value_of(item, sort)?, write_sortable);
        }
    }
    Ok(())
}

/// As [`write_key`], of an item that is put alone. Errors: as there, in the words that the service has for it.
pub fn write_key_of_put(out: &mut Vec<u8>, schema: &KeySchema, item: &Item) -> Result<(), Error> {
    for part in schema.attributes() {
        let wrong = match item.get(&part.name) {
            Some(value) if value.value_type() == part.value_type => continue,
            Some(value) => format!(
                "Type mismatch for key {} expected: {} actual: {}",
                part.name,
                part.value_type.name(),
                value.value_type().name()
            ),
            None => format!("Missing the key {} in the item", part.name),
        };
        return Err(Error::validation(format!("One or more parameter values were invalid: {wrong}")));
    }
    write_key(out, schema, item)
}

/// As [`write_key`], of an item that must be nothing but a key. Errors: as there, or another attribute.
pub fn write_key_alone(out: &mut Vec<u8>, schema: &KeySchema, key: &Item) -> Result<(), Error> {
    if key.0.len() != schema.attributes().count() {
        return Err(mismatch());
    }
    write_key(out, schema, key)
}

/// The value of a key attribute, if it has the schema's type.
pub(super) fn value_of<'i>(item: &'i Item, part: &KeyAttribute) -> Result<&'i AttributeValue, Error> {
    item.get(&part.name).filter(|value| value.value_type() == part.value_type).ok_or_else(mismatch)
}

/// As [`write_key`], of an item as stored, without decoding it.
pub(super) fn write_key_of_encoded(
    out: &mut Vec<u8>,
    schema: &KeySchema,
    item: &EncodedItem,
) -> Result<(), Error> {
    let value = |part: &KeyAttribute| item.get(&part.name).ok_or_else(mismatch);
    let Some(sort) = &schema.sort else {
        return write_last_ref(out, schema.partition.value_type, value(&schema.partition)?, write_number);
    };
    write_value_ref(out, value(&schema.partition)?);
    write_last_ref(out, sort.value_type, value(sort)?, write_sortable)
}

fn write_last(out: &mut Vec<u8>, value: &AttributeValue, number: fn(&mut Vec<u8>, &api::Number)) {
    match value {
        AttributeValue::S(text) => out.extend_from_slice(text.as_bytes()),
        AttributeValue::B(bytes) => out.extend_from_slice(bytes),
        AttributeValue::N(value) => number(out, value),
        // Key attributes are of these three types, and their values were judged against them.
        _ => {}
    }
}

fn write_last_ref(
    out: &mut Vec<u8>,
    value_type: ValueType,
    value: ValueRef<'_>,
    number: fn(&mut Vec<u8>, &api::Number),
) -> Result<(), Error> {
    match (value_type, value) {
        (ValueType::S, ValueRef::S(text)) => out.extend_from_slice(text.as_bytes()),
        (ValueType::B, ValueRef::B(bytes)) => out.extend_from_slice(bytes),
        (ValueType::N, ValueRef::N(value)) => number(out, &value),
        _ => return Err(mismatch()),
    }
    Ok(())
}

/// Reads the content of a key: the key attributes, canonical. Errors: bytes that are no key of the schema.
pub fn read_key(schema: &KeySchema, bytes: &[u8]) -> Result<Item, Error> {
    let mut key = Item::new();
    let Some(sort) = &schema.sort else {
        let value = match schema.partition.value_type {
            ValueType::N => whole(bytes, |reader| read_number(reader).map(AttributeValue::N))?,
            other => read_last(other, bytes)?,
        };
        key.0.insert(schema.partition.name.clone(), value);
        return Ok(key);
    };
    let mut reader = Reader::new(bytes);
    let partition = match schema.partition.value_type {
        ValueType::S => AttributeValue::S(reader.text()?.to_owned()),
        ValueType::B => AttributeValue::B(Bytes::copy_from_slice(reader.bytes()?)),
        ValueType::N => AttributeValue::N(read_number(&mut reader)?),
        _ => return Err(mismatch()),
    };
    let sort_value = match sort.value_type {
        ValueType::N => AttributeValue::N(read_sortable(reader.rest())?),
        other => read_last(other, reader.rest())?,
    };
    key.0.insert(schema.partition.name.clone(), partition);
    key.0.insert(sort.name.clone(), sort_value);
    Ok(key)
}

/// Appends the form that [`api::item::KeyBytes`] has of the key that [`read_key`] reads, without a tree between. `None` where that
/// refuses it; what was appended by then is worth nothing.
pub(crate) fn append_canonical(schema: &KeySchema, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let Some(sort) = &schema.sort else {
        return match schema.partition.value_type {
            ValueType::N => {
                order::encode_number(&read_number(&mut reader).ok()?, out);
                reader.end().ok()
            }
            other => append_last(other, bytes, out),
        };
    };
    match schema.partition.value_type {
        ValueType::S => order::encode_bytes(reader.text().ok()?.as_bytes(), out),
        ValueType::B => order::encode_bytes(reader.bytes().ok()?, out),
        ValueType::N => order::encode_number(&read_number(&mut reader).ok()?, out),
        _ => return None,
    }
    match sort.value_type {
        ValueType::N => {
            order::encode_number(&read_sortable(reader.rest()).ok()?, out);
            Some(())
        }
        other => append_last(other, reader.rest(), out),
    }
}

fn append_last(value_type: ValueType, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match value_type {
        ValueType::S => order::encode_bytes(std::str::from_utf8(bytes).ok()?.as_bytes(), out),
        ValueType::B => order::encode_bytes(bytes, out),
        _ => return None,
    }
    Some(())
}

/// A string or binary that runs to the end.
fn read_last(value_type: ValueType, bytes: &[u8]) -> Result<AttributeValue, Error> {
    match value_type {
        ValueType::S => {
            let text = std::str::from_utf8(bytes).map_err(|_| malformed("a key that is not UTF-8"))?;
            Ok(AttributeValue::S(text.to_owned()))
        }
        ValueType::B => Ok(AttributeValue::B(Bytes::copy_from_slice(bytes))),
        _ => Err(mismatch()),
    }
}

/// Reads one value that all of `bytes` must be.
fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The key attributes alone of an item, as far as it has them.
pub(crate) fn key_attributes(schema: &KeySchema, item: &Item) -> Item {
    let part = |part: &KeyAttribute| Some((part.name.clone(), item.get(&part.name)?.clone()));
    Item(schema.attributes().filter_map(part).collect())
}

/// Appends the place where a page of an index ends: an indefinite map, which is the only form that all clients read.
pub fn write_index_position(out: &mut Vec<u8>, key: &Item) {
    write::open_map(out);
    for (name, value) in &key.0 {
        write::text(out, name);
        write_value(out, value);
    }
    write::close(out);
}

/// Reads the place where a page of an index ends.
pub fn read_index_position(bytes: &[u8]) -> Result<Item, Error> {
    whole(bytes, |reader| {
        let mut entries = reader.map()?;
        let mut room = Room::new(ITEM_BYTES, mismatch);
        let mut key = Item::new();
        while entries.more(reader)? {
            let name = reader.text()?;
            room.take(name.len())?;
            key.0.insert(name.to_owned(), read_value(reader, &mut room)?);
        }
        Ok(key)
    })
}

#[cfg(test)]
mod tests;
