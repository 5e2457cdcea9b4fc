//! TransactGetItems and TransactWriteItems.

use std::sync::Arc;

use api::op::{TransactGetItemsInput, TransactGetItemsOutput, TransactWriteItemsOutput};
use api::{Error, ItemBody};

use super::batches::{read_collections, write_collections};
use super::fields::write_one;
use super::mismatched;
use crate::cbor::{FRAME_DEPTH, Reader, write};
use crate::codec::capacity::{read_all, read_extended, write_all, write_extended};
use crate::codec::item::{ListIds, ListNames, read_item, read_projected};
use crate::codec::malformed;
use crate::codec::question::ItemsOf;
use crate::codec::schema::{FindSchema, Schema};

pub(super) fn write_get(
    out: &mut Vec<u8>,
    asked: &[ItemsOf],
    output: &TransactGetItemsOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    if output.items.len() != asked.len() {
        return Err(mismatched());
    }
    write::array(out, 2);
    write::array(out, asked.len());
    for (items, item) in asked.iter().zip(&output.items) {
        match item {
            Some(item) => write_one(out, items, item, lists),
            None => write::null(out),
        }
    }
    write_all(out, &output.capacity, write_extended);
    Ok(())
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    input: &TransactGetItemsInput,
    lists: &mut ListNames<'_>,
) -> Result<TransactGetItemsOutput, Error> {
    let bad = || malformed("an answer to a transaction with another number of items");
    let mut parts = reader.array()?;
    if !parts.more(reader)? {
        return Err(bad());
    }
    let mut items = Vec::with_capacity(input.gets.len());
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        let get = input.gets.get(items.len()).ok_or_else(bad)?;
        let item = match &get.projection {
            _ if reader.null()? => None,
            Some(projection) => Some(read_projected(reader, projection)?),
            None => Some(read_item(reader.bytes()?, get.key.clone(), lists)?),
        };
        items.push(item.map(|item| ItemBody::Tree(Arc::new(item))));
    }
    if items.len() != input.gets.len() || !parts.more(reader)? {
        return Err(bad());
    }
    let capacity = read_all(reader, |reader| read_extended(reader).map(Some))?;
    if parts.more(reader)? {
        return Err(malformed("an answer to a transaction of too many parts"));
    }
    Ok(TransactGetItemsOutput { items, capacity })
}

pub(super) fn write_write(
    out: &mut Vec<u8>,
    asked: &[Schema],
    output: &TransactWriteItemsOutput,
) -> Result<(), Error> {
    write::array(out, 3);
    // Responses of the actions; there are none, and one client reads no more than this head.
    write::array(out, 0);
    write_all(out, &output.capacity, write_extended);
    write_collections(out, asked, &output.collections)
}

pub(super) fn read_write(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<TransactWriteItemsOutput, Error> {
    let mut parts = reader.array()?;
    let mut part = |reader: &mut Reader<'_>, wanted: bool| match parts.more(reader)? == wanted {
        true => Ok(()),
        false => Err(malformed("an answer to a transaction of another number of parts")),
    };
    part(reader, true)?;
    reader.raw(FRAME_DEPTH)?;
    part(reader, true)?;
    let capacity = read_all(reader, |reader| read_extended(reader).map(Some))?;
    part(reader, true)?;
    let collections = read_collections(reader, schemas)?;
    part(reader, false)?;
    Ok(TransactWriteItemsOutput { capacity, collections })
}
