//! BatchGetItem and BatchWriteItem: maps from a table's name to what is asked of it.

use api::op::{BatchGetItemInput, BatchWrite, BatchWriteItemInput, DistinctKeys, TableKeys};
use api::{Error, Request, TableName, limits};

use super::write_option_projection;
use crate::cbor::{Reader, write};
use crate::codec::expr::{self, read_projection};
use crate::codec::item::{ListIds, ListNames, read_item, write_tree};
use crate::codec::key::{read_key, write_key, write_key_alone};
use crate::codec::malformed;
use crate::codec::options::{Options, OptionsWriter};
use crate::codec::question::{self, Question};
use crate::codec::schema::{FindSchema, Schema};

/// Refuses a table that is named again.
fn once<'t>(mut known: impl Iterator<Item = &'t TableName>, table: &TableName) -> Result<(), Error> {
    if known.any(|known| known == table) {
        return Err(Error::validation(format!(
            "One or more parameter values were invalid: the table {table} is named more than once in RequestItems"
        )));
    }
    Ok(())
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<(Request, Question), Error> {
    let room = &mut expr::room_of_request();
    let mut tables: Vec<TableKeys> = Vec::new();
    let mut questions = Vec::new();
    let mut count = 0;
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let table = schema.name().clone();
        once(tables.iter().map(|keys| &keys.table), &table)?;
        let mut parts = reader.array()?;
        let mut part = |reader: &mut Reader<'_>| match parts.more(reader)? {
            true => Ok(()),
            false => Err(malformed("keys of a table without all their parts")),
        };
        part(reader)?;
        let consistent = !reader.null()? && reader.boolean()?;
        part(reader)?;
        let projection = if reader.null()? { None } else { Some(read_projection(reader.bytes()?, room)?) };
        part(reader)?;
        let mut elements = reader.array()?;
        let mut keys = DistinctKeys::default();
        while elements.more(reader)? {
            count += 1;
            if count > limits::BATCH_GET_KEYS {
                return Err(Error::validation("Too many items requested for the BatchGetItem call"));
            }
            keys.add(read_key(schema.key(), reader.bytes()?)?)?;
        }
        if parts.more(reader)? {
            return Err(malformed("keys of a table with too many parts"));
        }
        let keys = keys.into_keys();
        if keys.is_empty() {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '[]' at 'requestItems.{table}.member.keys' failed to satisfy \
                 constraint: Member must have length greater than or equal to 1"
            )));
        }
        let (projection, items) = question::ask(schema, projection);
        tables.push(TableKeys { table, keys, projection, consistent });
        questions.push(items);
    }
    let options = Options::read(reader)?;
    if tables.is_empty() {
        return Err(Error::validation("The requestItems parameter is required for BatchGetItem"));
    }
    let input = BatchGetItemInput { tables, return_capacity: options.return_capacity };
    Ok((input.into(), Question::BatchGetItem(questions)))
}

pub(super) fn write_get(
    out: &mut Vec<u8>,
    input: &BatchGetItemInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    write::map(out, input.tables.len());
    for table in &input.tables {
        let schema = schemas(table.table.as_str())?;
        write::text(out, table.table.as_str());
        write::array(out, 3);
        write::boolean(out, table.consistent);
        write_option_projection(out, table.projection.as_ref());
        write::array(out, table.keys.len());
        for key in &table.keys {
            write::wrapped(out, |out| write_key_alone(out, schema.key(), key))?;
        }
    }
    let mut options = OptionsWriter::open(out);
    options.capacity(input.return_capacity);
    options.close();
    Ok(())
}

pub(super) fn read_write(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<(Request, Question), Error> {
    let mut tables: Vec<(TableName, Vec<BatchWrite>)> = Vec::new();
    let mut questions: Vec<Schema> = Vec::new();
    let mut count = 0;
    let mut entries = reader.map()?;
    while entries.more(reader)? {
        let schema = schemas(reader.text()?)?;
        let table = schema.name().clone();
        once(tables.iter().map(|(known, _)| known), &table)?;
        let mut writes = Vec::new();
        read_writes(reader, |key, values| {
            count += 1;
            if count > limits::BATCH_WRITE_ITEMS {
                return Err(Error::validation("Too many items requested for the BatchWriteItem call"));
            }
            writes.push(read_one(&schema, key, values, lists)?);
            Ok(())
        })?;
        if writes.is_empty() {
            return Err(Error::validation(format!(
                "1 validation error detected: Value '{{{table}=[0 WriteRequest]}}' at 'requestItems' failed to satisfy \
                 constraint: Map value must satisfy constraint: [Member must have length less than or equal to {}, \
                 Member must have length greater than or equal to 1]",
                limits::BATCH_WRITE_ITEMS
            )));
        }
        tables.push((table, writes));
        questions.push(schema);
    }
    let options = Options::read(reader)?;
    lists.all_known()?;
    if tables.is_empty() {
        return Err(Error::validation("The requestItems parameter is required for BatchWriteItem"));
    }
    let input = BatchWriteItemInput {
        tables,
        return_capacity: options.return_capacity,
        return_collection: options.return_collection,
    };
    Ok((input.into(), Question::BatchWriteItem(questions)))
}

/// Reads the writes of one table: keys and values in turn, null values for a delete.
pub(in crate::codec) fn read_writes<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        let key = reader.bytes()?;
        if !elements.more(reader)? {
            return Err(malformed("a write of a key without values or null"));
        }
        let values = if reader.null()? { None } else { Some(reader.bytes()?) };
        each(key, values)?;
    }
    Ok(())
}

/// Reads one write. A put is judged for its size.
pub(in crate::codec) fn read_one(
    schema: &Schema,
    key: &[u8],
    values: Option<&[u8]>,
    lists: &mut ListNames<'_>,
) -> Result<BatchWrite, Error> {
    let key = read_key(schema.key(), key)?;
    let Some(values) = values else { return Ok(BatchWrite::Delete(key)) };
    let item = read_item(values, key, lists)?;
    item.check_size()?;
    Ok(BatchWrite::Put(item))
}

pub(super) fn write_write(
    out: &mut Vec<u8>,
    input: &BatchWriteItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write::map(out, input.tables.len());
    for (table, writes) in &input.tables {
        let schema = schemas(table.as_str())?;
        write::text(out, table.as_str());
        write_writes(out, &schema, writes, lists)?;
    }
    let mut options = OptionsWriter::open(out);
    options.capacity(input.return_capacity);
    options.collection(input.return_collection);
    options.close();
    Ok(())
}

/// Appends the writes of one table.
pub(in crate::codec) fn write_writes(
    out: &mut Vec<u8>,
    schema: &Schema,
    writes: &[BatchWrite],
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write::array(out, 2 * writes.len());
    for each in writes {
        match each {
            BatchWrite::Put(item) => {
                write::wrapped(out, |out| write_key(out, schema.key(), item))?;
                write::wrapped(out, |out| write_tree(out, schema.key(), item, lists));
            }
            BatchWrite::Delete(key) => {
                write::wrapped(out, |out| write_key_alone(out, schema.key(), key))?;
                write::null(out);
            }
        }
    }
    Ok(())
}
