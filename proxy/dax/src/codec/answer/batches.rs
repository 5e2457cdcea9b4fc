//! BatchGetItem and BatchWriteItem.

use std::sync::Arc;

use api::op::{
    BatchGetItemInput, BatchGetItemOutput, BatchWriteItemOutput, ItemCollectionMetrics, TableKeys,
};
use api::{Error, ItemBody, TableName};

use super::fields::{write_key_of_body, write_one};
use super::mismatched;
use crate::cbor::{Reader, write};
use crate::codec::capacity::{
    read_all, read_collection, read_plain, write_all, write_collection, write_plain,
};
use crate::codec::item::{ListIds, ListNames, read_item, read_projected};
use crate::codec::key::{read_key, write_key};
use crate::codec::malformed;
use crate::codec::question::ItemsOf;
use crate::codec::request::batches::{read_one, read_writes, write_writes};
use crate::codec::schema::{FindSchema, Schema};

/// Appends item collections by table. Errors: metrics of a table that was not asked.
pub(super) fn write_collections(
    out: &mut Vec<u8>,
    schemas: &[Schema],
    collections: &[(TableName, Vec<ItemCollectionMetrics>)],
) -> Result<(), Error> {
    write::map(out, collections.len());
    for (table, metrics) in collections {
        let schema = schemas.iter().find(|schema| schema.name() == table).ok_or_else(mismatched)?;
        write::text(out, table.as_str());
        write::array(out, metrics.len());
        metrics.iter().try_for_each(|each| write_collection(out, schema.key(), each))?;
    }
    Ok(())
}

/// Reads item collections by table.
pub(super) fn read_collections(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<Vec<(TableName, Vec<ItemCollectionMetrics>)>, Error> {
    let mut all = Vec::new();
    if reader.null()? {
        return Ok(all);
    }
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let mut elements = reader.array()?;
        let mut metrics = Vec::new();
        while elements.more(reader)? {
            metrics.extend(read_collection(reader, schema.key())?);
        }
        all.push((schema.name().clone(), metrics));
    }
    Ok(all)
}

pub(super) fn write_get(
    out: &mut Vec<u8>,
    asked: &[ItemsOf],
    output: &BatchGetItemOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write::array(out, 2);
    // Every table that was asked for is listed, also where nothing of it was found.
    write::map(out, asked.len());
    for table in asked {
        let name = table.schema.name();
        write::text(out, name.as_str());
        let found = output.responses.iter().find(|(known, _)| known == name);
        let items = found.map_or(&[][..], |(_, items)| items);
        match &table.projected {
            Some(_) => {
                write::array(out, items.len());
                items.iter().for_each(|item| write_one(out, table, item, lists));
            }
            None => {
                write::array(out, 2 * items.len());
                for item in items {
                    write_key_of_body(out, &table.schema, item)?;
                    write_one(out, table, item, lists);
                }
            }
        }
    }
    write::map(out, output.unprocessed.len());
    for table in &output.unprocessed {
        let of = asked.iter().find(|of| *of.schema.name() == table.table).ok_or_else(mismatched)?;
        write::text(out, table.table.as_str());
        write::array(out, table.keys.len());
        for key in &table.keys {
            write::wrapped(out, |out| write_key(out, of.schema.key(), key))?;
        }
    }
    write_all(out, &output.capacity, write_plain);
    Ok(())
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    input: &BatchGetItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<BatchGetItemOutput, Error> {
    let asked = |name: &TableName| {
        let table = input.tables.iter().find(|table| table.table == *name);
        table.ok_or_else(|| malformed("an answer about a table that was not asked for"))
    };
    let mut parts = reader.array()?;
    if !parts.more(reader)? {
        return Err(malformed("an answer to a batch without items"));
    }
    let mut responses = Vec::new();
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let table = asked(schema.name())?;
        let mut items = Vec::new();
        let mut elements = reader.array()?;
        while elements.more(reader)? {
            let item = match &table.projection {
                Some(projection) => read_projected(reader, projection)?,
                None => {
                    let key = read_key(schema.key(), reader.bytes()?)?;
                    if !elements.more(reader)? {
                        return Err(malformed("a key without its item"));
                    }
                    read_item(reader.bytes()?, key, lists)?
                }
            };
            items.push(ItemBody::Tree(Arc::new(item)));
        }
        responses.push((schema.name().clone(), items));
    }
    if !parts.more(reader)? {
        return Err(malformed("an answer to a batch without unprocessed keys"));
    }
    let mut unprocessed = Vec::new();
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let table = asked(schema.name())?;
        let mut keys = Vec::new();
        let mut elements = reader.array()?;
        while elements.more(reader)? {
            keys.push(read_key(schema.key(), reader.bytes()?)?);
        }
        unprocessed.push(TableKeys {
            table: table.table.clone(),
            keys,
            projection: table.projection.clone(),
            consistent: table.consistent,
        });
    }
    if parts.more(reader)? {
        return Err(malformed("an answer to a batch of too many parts"));
    }
    let capacity = read_all(reader, read_plain)?;
    Ok(BatchGetItemOutput { responses, unprocessed, capacity })
}

pub(super) fn write_write(
    out: &mut Vec<u8>,
    asked: &[Schema],
    output: &BatchWriteItemOutput,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write::map(out, output.unprocessed.len());
    for (table, writes) in &output.unprocessed {
        let schema = asked.iter().find(|schema| schema.name() == table).ok_or_else(mismatched)?;
        write::text(out, table.as_str());
        write_writes(out, schema, writes, lists)?;
    }
    write_all(out, &output.capacity, write_plain);
    write_collections(out, asked, &output.collections)
}

pub(super) fn read_write(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<BatchWriteItemOutput, Error> {
    let mut unprocessed = Vec::new();
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let mut writes = Vec::new();
        read_writes(reader, |key, values| {
            writes.push(read_one(&schema, key, values, lists)?);
            Ok(())
        })?;
        unprocessed.push((schema.name().clone(), writes));
    }
    let capacity = read_all(reader, read_plain)?;
    let collections = read_collections(reader, schemas)?;
    Ok(BatchWriteItemOutput { unprocessed, capacity, collections })
}
