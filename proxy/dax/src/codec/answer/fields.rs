//! The six operations whose payload is a map from number to field.

use api::op::{
    ConsumedCapacity, DeleteItemInput, DeleteItemOutput, GetItemInput, GetItemOutput, ItemCollectionMetrics,
    Page, PutItemInput, PutItemOutput, ReturnValues, Select, UpdateItemInput, UpdateItemOutput,
};
use api::operation::Ready;
use api::{Error, Item, ItemBody, Wire};
use std::sync::Arc;

use super::SUCCESS;
use crate::cbor::{Kind, Reader, write};
use crate::codec::capacity::{read_collection, read_plain, write_collection, write_plain};
use crate::codec::item::{
    ListIds, ListNames, read_item, read_part, read_projected, write_item, write_part, write_projected,
    write_tree,
};
use crate::codec::key::{
    key_attributes, read_index_position, read_key, write_index_position, write_key, write_key_of_encoded,
};
use crate::codec::malformed;
use crate::codec::question::{ItemsOf, PageOf, Returns};
use crate::codec::schema::{FindSchema, Schema};

mod field {
    pub const ITEM: u64 = 0;
    pub const CAPACITY: u64 = 1;
    pub const ATTRIBUTES: u64 = 2;
    pub const COLLECTION: u64 = 3;
    pub const ITEMS: u64 = 7;
    pub const COUNT: u64 = 8;
    pub const LAST_KEY: u64 = 9;
    pub const SCANNED_COUNT: u64 = 10;
}

fn write_capacity(out: &mut Vec<u8>, capacity: Option<&ConsumedCapacity>) {
    if let Some(capacity) = capacity {
        write::unsigned(out, field::CAPACITY);
        write_plain(out, capacity);
    }
}

/// Reads the fields of a payload, one by one.
fn read_fields<'a>(
    reader: &mut Reader<'a>,
    mut field: impl FnMut(u64, &mut Reader<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    if reader.null()? {
        return Ok(());
    }
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        field(reader.int_as()?, reader)?;
    }
    Ok(())
}

fn unknown_field() -> Error {
    malformed("an answer with a field that its operation does not have")
}

pub(super) fn write_get(out: &mut Vec<u8>, items: &ItemsOf, output: &GetItemOutput, lists: &mut ListIds<'_>) {
    write::open_map(out);
    write_capacity(out, output.capacity.as_ref());
    if let Some(item) = &output.item {
        write::unsigned(out, field::ITEM);
        write_one(out, items, item, lists);
    }
    write::close(out);
}

/// The item within an answer that has it and nothing else, as [`write_get`] writes one: the value that [`write_one`] would
/// append. `None` for an answer of another wire.
fn one_of_ready(answer: &Ready) -> Option<&[u8]> {
    const BEFORE: [u8; 3] = [SUCCESS, write::OPEN_MAP, field::ITEM as u8];
    let fields = answer.bytes.strip_prefix(&BEFORE)?;
    fields.strip_suffix(&[write::CLOSE]).filter(|_| answer.wire == Wire::Dax)
}

/// Appends an item as a value of its own: a byte string, or a map where it is projected.
pub(super) fn write_one(out: &mut Vec<u8>, items: &ItemsOf, item: &ItemBody, lists: &mut ListIds<'_>) {
    if let Some(projected) = &items.projected {
        return write_projected(out, &projected.projection, item, projected.given);
    }
    if let ItemBody::Ready(ready) = item
        && let Some(value) = one_of_ready(&ready.answer)
    {
        return out.extend_from_slice(value);
    }
    write::wrapped(out, |out| write_item(out, items.schema.key(), item, lists));
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    input: &GetItemInput,
    lists: &mut ListNames<'_>,
) -> Result<GetItemOutput, Error> {
    let mut output = GetItemOutput::default();
    read_fields(reader, |number, reader| {
        match number {
            field::ITEM if reader.null()? => {}
            field::ITEM => {
                let item = match &input.projection {
                    Some(projection) => read_projected(reader, projection)?,
                    None => read_item(reader.bytes()?, input.key.clone(), lists)?,
                };
                output.item = Some(ItemBody::Tree(Arc::new(item)));
            }
            field::CAPACITY => output.capacity = read_plain(reader)?,
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(output)
}

/// What the three writes of one item answer.
struct Written<'o> {
    capacity: Option<&'o ConsumedCapacity>,
    collection: Option<&'o ItemCollectionMetrics>,
    attributes: Option<&'o Item>,
}

fn write_written(
    out: &mut Vec<u8>,
    schema: &Schema,
    returns: Returns,
    written: Written<'_>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    if written.capacity.is_none() && written.collection.is_none() && written.attributes.is_none() {
        write::null(out);
        return Ok(());
    }
    write::open_map(out);
    write_capacity(out, written.capacity);
    if let Some(collection) = written.collection {
        write::unsigned(out, field::COLLECTION);
        write_collection(out, schema.key(), collection)?;
    }
    if let Some(attributes) = written.attributes {
        write::unsigned(out, field::ATTRIBUTES);
        write::wrapped(out, |out| match returns {
            Returns::Whole => write_tree(out, schema.key(), attributes, lists),
            Returns::Touched => write_part(out, attributes, lists),
        });
    }
    write::close(out);
    Ok(())
}

macro_rules! written {
    ($output:expr) => {
        Written {
            capacity: $output.capacity.as_ref(),
            collection: $output.collection.as_ref(),
            attributes: $output.attributes.as_ref(),
        }
    };
}

pub(super) fn write_put(
    out: &mut Vec<u8>,
    schema: &Schema,
    output: &PutItemOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write_written(out, schema, Returns::Whole, written!(output), lists)
}

pub(super) fn write_update(
    out: &mut Vec<u8>,
    schema: &Schema,
    returns: Returns,
    output: &UpdateItemOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write_written(out, schema, returns, written!(output), lists)
}

pub(super) fn write_delete(
    out: &mut Vec<u8>,
    schema: &Schema,
    output: &DeleteItemOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write_written(out, schema, Returns::Whole, written!(output), lists)
}

/// What was read of a write's answer.
#[derive(Default)]
struct WasWritten {
    capacity: Option<ConsumedCapacity>,
    collection: Option<ItemCollectionMetrics>,
    attributes: Option<Item>,
}

/// Reads a write's answer. `key` holds at least the key attributes that the request was about.
fn read_written(
    reader: &mut Reader<'_>,
    schema: &Schema,
    returns: Returns,
    key: &Item,
    lists: &mut ListNames<'_>,
) -> Result<WasWritten, Error> {
    let mut written = WasWritten::default();
    read_fields(reader, |number, reader| {
        match number {
            field::CAPACITY => written.capacity = read_plain(reader)?,
            field::COLLECTION => written.collection = read_collection(reader, schema.key())?,
            field::ATTRIBUTES if reader.null()? => {}
            field::ATTRIBUTES => {
                let bytes = reader.bytes()?;
                written.attributes = Some(match returns {
                    Returns::Whole => read_item(bytes, key_attributes(schema.key(), key), lists)?,
                    Returns::Touched => read_part(bytes, lists)?,
                });
            }
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(written)
}

pub(super) fn read_put(
    reader: &mut Reader<'_>,
    input: &PutItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<PutItemOutput, Error> {
    let schema = schemas(input.table.as_str())?;
    let WasWritten { capacity, collection, attributes } =
        read_written(reader, &schema, Returns::Whole, &input.item, lists)?;
    Ok(PutItemOutput { attributes, capacity, collection })
}

pub(super) fn read_update(
    reader: &mut Reader<'_>,
    input: &UpdateItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<UpdateItemOutput, Error> {
    let schema = schemas(input.table.as_str())?;
    let returns = match input.return_values {
        ReturnValues::UpdatedOld | ReturnValues::UpdatedNew => Returns::Touched,
        ReturnValues::None | ReturnValues::AllOld | ReturnValues::AllNew => Returns::Whole,
    };
    let WasWritten { capacity, collection, attributes } =
        read_written(reader, &schema, returns, &input.key, lists)?;
    Ok(UpdateItemOutput { attributes, capacity, collection })
}

pub(super) fn read_delete(
    reader: &mut Reader<'_>,
    input: &DeleteItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<DeleteItemOutput, Error> {
    let schema = schemas(input.table.as_str())?;
    let WasWritten { capacity, collection, attributes } =
        read_written(reader, &schema, Returns::Whole, &input.key, lists)?;
    Ok(DeleteItemOutput { attributes, capacity, collection })
}

pub(super) fn write_page(
    out: &mut Vec<u8>,
    page: &PageOf,
    output: &Page,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    let key = page.items.schema.key();
    write::open_map(out);
    if let Some(items) = &output.items {
        write::unsigned(out, field::ITEMS);
        write::array(out, items.len());
        for item in items {
            if page.items.projected.is_none() {
                write::array(out, 2);
                write_key_of_body(out, &page.items.schema, item)?;
            }
            write_one(out, &page.items, item, lists);
        }
    }
    // Clients do not count the items themselves.
    write::unsigned(out, field::COUNT);
    write::unsigned(out, u64::from(output.count));
    write::unsigned(out, field::SCANNED_COUNT);
    write::unsigned(out, u64::from(output.scanned_count));
    write_capacity(out, output.capacity.as_ref());
    if let Some(last) = &output.last_key {
        write::unsigned(out, field::LAST_KEY);
        write::wrapped(out, |out| {
            if page.of_index {
                write_index_position(out, last);
                Ok(())
            } else {
                write_key(out, key, last)
            }
        })?;
    }
    write::close(out);
    Ok(())
}

/// Appends the key of an item, as a byte string.
pub(super) fn write_key_of_body(out: &mut Vec<u8>, schema: &Schema, body: &ItemBody) -> Result<(), Error> {
    let key = schema.key();
    match body {
        ItemBody::Tree(item) => write::wrapped(out, |out| write_key(out, key, item)),
        ItemBody::Encoded(item) => write::wrapped(out, |out| write_key_of_encoded(out, key, item)),
        ItemBody::Ready(ready) => write::wrapped(out, |out| write_key(out, key, &ready.key)),
    }
}

pub(super) fn read_page(
    reader: &mut Reader<'_>,
    schema: &Schema,
    of_index: bool,
    select: &Select,
    lists: &mut ListNames<'_>,
) -> Result<Page, Error> {
    let mut page = Page::default();
    read_fields(reader, |number, reader| {
        match number {
            field::ITEMS => {
                let mut elements = reader.array()?;
                let mut items = Vec::new();
                while elements.more(reader)? {
                    let item = match select {
                        Select::Specific(projection) => read_projected(reader, projection)?,
                        Select::AllAttributes | Select::AllProjected | Select::Count => {
                            read_keyed(reader, schema, lists)?
                        }
                    };
                    items.push(ItemBody::Tree(Arc::new(item)));
                }
                page.items = Some(items);
            }
            field::COUNT => page.count = reader.int_as()?,
            field::SCANNED_COUNT => page.scanned_count = reader.int_as()?,
            field::CAPACITY => page.capacity = read_plain(reader)?,
            field::LAST_KEY if reader.kind()? == Kind::Null => {
                reader.null()?;
            }
            field::LAST_KEY => {
                let bytes = reader.bytes()?;
                page.last_key =
                    Some(if of_index { read_index_position(bytes)? } else { read_key(schema.key(), bytes)? });
            }
            _ => return Err(unknown_field()),
        }
        Ok(())
    })?;
    Ok(page)
}

/// An item beside its key.
fn read_keyed(reader: &mut Reader<'_>, schema: &Schema, lists: &mut ListNames<'_>) -> Result<Item, Error> {
    let mut parts = reader.array()?;
    let mut part = |reader: &mut Reader<'_>, wanted: bool| match parts.more(reader)? == wanted {
        true => Ok(()),
        false => Err(malformed("an item that is not a key and its values")),
    };
    part(reader, true)?;
    let key = read_key(schema.key(), reader.bytes()?)?;
    part(reader, true)?;
    let item = read_item(reader.bytes()?, key, lists)?;
    part(reader, false)?;
    Ok(item)
}
