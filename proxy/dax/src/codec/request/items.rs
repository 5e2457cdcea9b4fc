//! GetItem, PutItem, UpdateItem, DeleteItem.

use api::expr::{Condition, ExpressionKind, Update};
use api::op::{
    DeleteItemInput, GetItemInput, PutItemInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
    ReturnOld, ReturnOnFailure, ReturnValues, UpdateItemInput,
};
use api::{Error, Request};

use crate::cbor::{Reader, write};
use crate::codec::expr::{self, read_condition, read_projection, read_update as read_update_tree};
use crate::codec::item::{ListIds, ListNames, read_item, write_tree};
use crate::codec::key::{read_key, write_key_alone, write_key_of_put};
use crate::codec::malformed;
use crate::codec::options::{Options, OptionsWriter, return_values, utf8};
use crate::codec::question::{self, Question, Returns};
use crate::codec::schema::{FindSchema, Schema};

/// Table and key, the first two values of all four.
fn read_table_and_key<'a>(
    reader: &mut Reader<'a>,
    schemas: FindSchema<'_>,
) -> Result<(Schema, api::Item), Error> {
    let schema = schemas(utf8(reader.bytes()?)?)?;
    let key = read_key(schema.key(), reader.bytes()?)?;
    Ok((schema, key))
}

fn write_table_and_key(out: &mut Vec<u8>, schema: &Schema, key: &api::Item) -> Result<(), Error> {
    write::bytes(out, schema.name().as_str().as_bytes());
    write::wrapped(out, |out| write_key_alone(out, schema.key(), key))
}

/// A GetItem of a whole item, eventually consistent, that wants nothing told besides; borrowed from its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlainGet<'a> {
    /// The name of the table, as it came.
    pub(crate) table: &'a str,
    /// The content of the key.
    pub(crate) key: &'a [u8],
}

impl<'a> PlainGet<'a> {
    /// Reads the values of a GetItem, all of `bytes`. `None` where it asks for anything else or is malformed:
    /// [`super::read_request`] says what it is.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<PlainGet<'a>> {
        let mut reader = Reader::new(bytes);
        let table = utf8(reader.bytes().ok()?).ok()?;
        let key = reader.bytes().ok()?;
        let options = Options::read(&mut reader).ok()?;
        let plain = options.projection.is_none()
            && !options.consistent
            && options.return_capacity == ReturnConsumedCapacity::None;
        (plain && reader.is_empty()).then_some(PlainGet { table, key })
    }
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<(Request, Question), Error> {
    let (schema, key) = read_table_and_key(reader, schemas)?;
    let options = Options::read(reader)?;
    let projection =
        options.projection.map(|bytes| read_projection(bytes, &mut expr::room_of_request())).transpose()?;
    let table = schema.name().clone();
    let (projection, items) = question::ask(schema, projection);
    let input = GetItemInput {
        table,
        key,
        projection,
        consistent: options.consistent,
        return_capacity: options.return_capacity,
    };
    Ok((input.into(), Question::GetItem(items)))
}

pub(super) fn write_get(
    out: &mut Vec<u8>,
    input: &GetItemInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    write_table_and_key(out, &schemas(input.table.as_str())?, &input.key)?;
    let mut options = OptionsWriter::open(out);
    if input.consistent {
        options.consistent();
    }
    options.capacity(input.return_capacity);
    if let Some(projection) = &input.projection {
        options.projection(|out| expr::write_projection(out, projection));
    }
    options.close();
    Ok(())
}

pub(super) fn read_put(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<(Request, Question), Error> {
    let (schema, key) = read_table_and_key(reader, schemas)?;
    let values = reader.bytes()?;
    let options = Options::read(reader)?;
    let item = read_item(values, key, lists)?;
    lists.all_known()?;
    let return_values = read_return_old(&options)?;
    item.check_size()?;
    let input = PutItemInput {
        table: schema.name().clone(),
        item,
        condition: read_option_condition(&options)?,
        return_values,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: options.return_capacity,
        return_collection: options.return_collection,
    };
    Ok((input.into(), Question::PutItem(schema)))
}

pub(super) fn write_put(
    out: &mut Vec<u8>,
    input: &PutItemInput,
    schemas: FindSchema<'_>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    let schema = schemas(input.table.as_str())?;
    write::bytes(out, schema.name().as_str().as_bytes());
    write::wrapped(out, |out| write_key_of_put(out, schema.key(), &input.item))?;
    write::wrapped(out, |out| write_tree(out, schema.key(), &input.item, lists));
    let condition = input.condition.as_ref();
    write_options(out, input.return_values, input.return_capacity, input.return_collection, condition);
    Ok(())
}

pub(super) fn read_delete(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<(Request, Question), Error> {
    let (schema, key) = read_table_and_key(reader, schemas)?;
    let options = Options::read(reader)?;
    let input = DeleteItemInput {
        table: schema.name().clone(),
        key,
        return_values: read_return_old(&options)?,
        condition: read_option_condition(&options)?,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: options.return_capacity,
        return_collection: options.return_collection,
    };
    Ok((input.into(), Question::DeleteItem(schema)))
}

pub(super) fn write_delete(
    out: &mut Vec<u8>,
    input: &DeleteItemInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    write_table_and_key(out, &schemas(input.table.as_str())?, &input.key)?;
    let condition = input.condition.as_ref();
    write_options(out, input.return_values, input.return_capacity, input.return_collection, condition);
    Ok(())
}

pub(super) fn read_update(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<(Request, Question), Error> {
    let (schema, key) = read_table_and_key(reader, schemas)?;
    let options = Options::read(reader)?;
    let return_values = match options.return_values {
        None | Some(return_values::NONE) => ReturnValues::None,
        Some(return_values::ALL_OLD) => ReturnValues::AllOld,
        Some(return_values::UPDATED_OLD) => ReturnValues::UpdatedOld,
        Some(return_values::ALL_NEW) => ReturnValues::AllNew,
        Some(return_values::UPDATED_NEW) => ReturnValues::UpdatedNew,
        Some(_) => return Err(malformed("a ReturnValues that is none")),
    };
    let room = &mut expr::room_of_request();
    let update = match options.update {
        Some(bytes) => read_update_tree(bytes, room)?,
        None => Update::default(),
    };
    let condition =
        options.condition.map(|bytes| read_condition(ExpressionKind::Condition, bytes, room)).transpose()?;
    let returns = match return_values {
        ReturnValues::UpdatedOld | ReturnValues::UpdatedNew => Returns::Touched,
        ReturnValues::None | ReturnValues::AllOld | ReturnValues::AllNew => Returns::Whole,
    };
    let input = UpdateItemInput {
        table: schema.name().clone(),
        key,
        update,
        condition,
        return_values,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: options.return_capacity,
        return_collection: options.return_collection,
    };
    Ok((input.into(), Question::UpdateItem { schema, returns }))
}

pub(super) fn write_update(
    out: &mut Vec<u8>,
    input: &UpdateItemInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    write_table_and_key(out, &schemas(input.table.as_str())?, &input.key)?;
    let mut options = OptionsWriter::open(out);
    match input.return_values {
        ReturnValues::None => {}
        ReturnValues::AllOld => options.return_values(return_values::ALL_OLD),
        ReturnValues::UpdatedOld => options.return_values(return_values::UPDATED_OLD),
        ReturnValues::AllNew => options.return_values(return_values::ALL_NEW),
        ReturnValues::UpdatedNew => options.return_values(return_values::UPDATED_NEW),
    }
    options.capacity(input.return_capacity);
    options.collection(input.return_collection);
    write_option_condition(&mut options, input.condition.as_ref());
    if !input.update.actions.is_empty() {
        options.update(|out| expr::write_update(out, &input.update));
    }
    options.close();
    Ok(())
}

fn read_return_old(options: &Options<'_>) -> Result<ReturnOld, Error> {
    match options.return_values {
        None | Some(return_values::NONE) => Ok(ReturnOld::None),
        Some(return_values::ALL_OLD) => Ok(ReturnOld::AllOld),
        Some(_) => Err(Error::validation("ReturnValues can only be ALL_OLD or NONE")),
    }
}

fn write_return_old(options: &mut OptionsWriter<'_>, asked: ReturnOld) {
    match asked {
        ReturnOld::None => {}
        ReturnOld::AllOld => options.return_values(return_values::ALL_OLD),
    }
}

fn read_option_condition(options: &Options<'_>) -> Result<Option<Condition>, Error> {
    let room = &mut expr::room_of_request();
    options.condition.map(|bytes| read_condition(ExpressionKind::Condition, bytes, room)).transpose()
}

/// Appends the options of PutItem or DeleteItem.
fn write_options(
    out: &mut Vec<u8>,
    return_values: ReturnOld,
    return_capacity: ReturnConsumedCapacity,
    return_collection: ReturnItemCollectionMetrics,
    condition: Option<&Condition>,
) {
    let mut options = OptionsWriter::open(out);
    write_return_old(&mut options, return_values);
    options.capacity(return_capacity);
    options.collection(return_collection);
    write_option_condition(&mut options, condition);
    options.close();
}

fn write_option_condition(options: &mut OptionsWriter<'_>, condition: Option<&Condition>) {
    if let Some(condition) = condition {
        options.condition(|out| expr::write_condition(out, condition));
    }
}
