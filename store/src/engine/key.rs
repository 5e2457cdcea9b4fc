//! Keys out of items and requests, judged by the schema.
//!
//! The texts and their order are the service's: type before emptiness before size, partition key before sort key, the
//! table's key before those of its indexes.

use api::limits::{PARTITION_KEY_BYTES, SORT_KEY_BYTES};
use api::schema::{Index, KeyAttribute, KeySchema, Table};
use api::value::{ValueType, order};
use api::{AttributeValue, Error, Item, KeyBytes};

/// Which part of a key an attribute is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Partition,
    Sort,
}

/// What every request is told whose key is not that of the schema.
pub fn mismatch() -> Error {
    Error::validation("The provided key element does not match the schema")
}

/// The primary key of an item to be put.
pub fn of_item(table: &Table, item: &Item) -> Result<KeyBytes, Error> {
    checked(&table.key, |attribute, part| {
        let KeyAttribute { name, value_type } = attribute;
        let value = item.get(name).ok_or_else(|| {
            Error::validation(format!(
                "One or more parameter values were invalid: Missing the key {name} in the item"
            ))
        })?;
        if value.value_type() != *value_type {
            return Err(Error::validation(format!(
                "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: {}",
                value_type.name(),
                value.value_type().name()
            )));
        }
        if is_empty(value) {
            return Err(Error::validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty {} value. Key: {name}",
                type_word(*value_type)
            )));
        }
        check_size(value, part)?;
        Ok(value)
    })
}

/// The primary key of a request that names an item by its key alone.
pub fn of_key(table: &Table, key: &Item) -> Result<KeyBytes, Error> {
    if key.0.len() != table.key.attributes().count() {
        return Err(mismatch());
    }
    checked(&table.key, |attribute, part| {
        let KeyAttribute { name, value_type } = attribute;
        let value = key.get(name).filter(|value| value.value_type() == *value_type).ok_or_else(mismatch)?;
        if is_empty(value) {
            return Err(Error::validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty {} value. Key: {name}",
                type_word(*value_type)
            )));
        }
        check_size(value, part)?;
        Ok(value)
    })
}

/// The key under which an index holds an item; `None` where the item lacks a key attribute of the index, or has it of
/// another type, so that the index does not hold it.
pub fn of_index(index: &Index, item: &Item) -> Option<KeyBytes> {
    let form = |attribute: &KeyAttribute| {
        let value = item.get(&attribute.name)?;
        if value.value_type() != attribute.value_type || is_empty(value) {
            return None;
        }
        order::encode(value)
    };
    let partition = form(&index.key.partition)?;
    let sort = match &index.key.sort {
        Some(sort) => Some(form(sort)?),
        None => None,
    };
    Some(KeyBytes::new(&partition, sort.as_deref()))
}

/// The key attributes of an item, and nothing else of it.
pub fn attributes(key: &KeySchema, item: &Item) -> Item {
    let pick = |attribute: &KeyAttribute| Some((attribute.name.clone(), item.get(&attribute.name)?.clone()));
    Item(key.attributes().filter_map(pick).collect())
}

/// Judges what an item to be put has for the keys of indexes.
pub fn check_indexes(table: &Table, item: &Item) -> Result<(), Error> {
    for_index_attributes(table, |index, attribute, part| {
        let name = &attribute.name;
        let Some(value) = item.get(name) else { return Ok(()) };
        if value.value_type() != attribute.value_type {
            return Err(type_mismatch(index, attribute, value.value_type()));
        }
        if is_empty(value) {
            return Err(empty_index_key(index, attribute));
        }
        check_size(value, part)
    })
}

/// Judges what an update has left for the keys of indexes.
pub fn check_indexes_after_update(table: &Table, item: &Item) -> Result<(), Error> {
    for_index_attributes(table, |index, attribute, part| {
        let Some(value) = item.get(&attribute.name) else { return Ok(()) };
        if value.value_type() != attribute.value_type {
            return Err(Error::validation(
                "The update expression attempted to update the secondary index key to unsupported type",
            ));
        }
        if is_empty(value) {
            return Err(empty_index_key(index, attribute));
        }
        if check_size(value, part).is_err() {
            return Err(Error::validation(
                "The update expression attempted to update the secondary index key beyond allowed size limits",
            ));
        }
        Ok(())
    })
}

/// What a value of the wrong type for an index's key is told.
pub fn type_mismatch(index: &Index, attribute: &KeyAttribute, actual: ValueType) -> Error {
    Error::validation(format!(
        "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} Actual: {} IndexName: {}",
        attribute.name,
        attribute.value_type.name(),
        actual.name(),
        index.name
    ))
}

/// Visits the key attributes of indexes in the order the service judges them: global indexes first.
pub fn for_each_index_attribute(
    table: &Table,
    mut visit: impl FnMut(&Index, &KeyAttribute) -> Result<(), Error>,
) -> Result<(), Error> {
    for_index_attributes(table, |index, attribute, _| visit(index, attribute))
}

fn for_index_attributes(
    table: &Table,
    mut visit: impl FnMut(&Index, &KeyAttribute, Part) -> Result<(), Error>,
) -> Result<(), Error> {
    for index in table.global_indexes().chain(table.local_indexes()) {
        visit(index, &index.key.partition, Part::Partition)?;
        if let Some(sort) = &index.key.sort {
            visit(index, sort, Part::Sort)?;
        }
    }
    Ok(())
}

fn checked<'i>(
    key: &KeySchema,
    mut value_of: impl FnMut(&KeyAttribute, Part) -> Result<&'i AttributeValue, Error>,
) -> Result<KeyBytes, Error> {
    let form = |value| order::encode(value).ok_or_else(mismatch);
    let partition = value_of(&key.partition, Part::Partition)?;
    let sort = key.sort.as_ref().map(|sort| value_of(sort, Part::Sort)).transpose()?;
    let sort = sort.map(form).transpose()?;
    Ok(KeyBytes::new(&form(partition)?, sort.as_deref()))
}

fn empty_index_key(index: &Index, attribute: &KeyAttribute) -> Error {
    Error::validation(format!(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
         AttributeValue for a key attribute cannot contain an empty {} value. IndexName: {}, IndexKey: {}",
        type_word(attribute.value_type),
        index.name,
        attribute.name
    ))
}

fn is_empty(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::S(text) => text.is_empty(),
        AttributeValue::B(bytes) => bytes.is_empty(),
        _ => false,
    }
}

fn type_word(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::B => "binary",
        _ => "string",
    }
}

fn check_size(value: &AttributeValue, part: Part) -> Result<(), Error> {
    let bytes = match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.len(),
        _ => return Ok(()),
    };
    match part {
        // The missing space is the service's.
        Part::Partition if bytes > PARTITION_KEY_BYTES => Err(Error::validation(format!(
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit \
             of{PARTITION_KEY_BYTES} bytes"
        ))),
        Part::Sort if bytes > SORT_KEY_BYTES => Err(Error::validation(format!(
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit \
             of {SORT_KEY_BYTES} bytes"
        ))),
        Part::Partition | Part::Sort => Ok(()),
    }
}
