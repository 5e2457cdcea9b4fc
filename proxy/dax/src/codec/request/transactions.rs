//! TransactGetItems and TransactWriteItems: arrays beside each other, one element of each for an action.

use api::expr::{Condition, ExpressionKind, Projection, Update};
use api::op::{
    ReturnOnFailure, TransactAction, TransactGet, TransactGetItemsInput, TransactWrite,
    TransactWriteItemsInput,
};
use api::{Error, Item, Request, limits};

use super::write_option_projection;
use crate::cbor::{FRAME_DEPTH, Reader, write};
use crate::codec::expr::{self, read_condition, read_projection, read_update};
use crate::codec::item::{ListIds, ListNames, read_item, write_tree};
use crate::codec::key::{read_key, write_key, write_key_alone};
use crate::codec::malformed;
use crate::codec::options::{Options, OptionsWriter, return_values, utf8};
use crate::codec::question::{self, Question};
use crate::codec::schema::{FindSchema, Schema};

/// Numbers of operations, as far as transactions have them.
mod operation {
    pub const PUT: i64 = 2;
    pub const DELETE: i64 = 7;
    pub const UPDATE: i64 = 9;
    pub const CHECK: i64 = 12;
}

/// Reads the first of the arrays, which says how many actions there are.
fn read_first<'a, T>(
    reader: &mut Reader<'a>,
    class: &str,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut elements = reader.array()?;
    let mut all = Vec::new();
    while elements.more(reader)? {
        if all.len() >= limits::TRANSACT_ITEMS {
            let count = all.len() as u64 + 1 + elements.announced().unwrap_or(0);
            return Err(Error::validation(format!(
                "1 validation error detected: Value '[{count} {class}]' at 'transactItems' failed to satisfy \
                 constraint: Member must have length less than or equal to {}",
                limits::TRANSACT_ITEMS
            )));
        }
        all.push(read(reader)?);
    }
    if all.is_empty() {
        return Err(Error::validation(
            "1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have \
             length greater than or equal to 1",
        ));
    }
    Ok(all)
}

/// Reads another of the arrays: as many elements, each a value or null. All of it may be null.
fn read_beside<'a, T>(
    reader: &mut Reader<'a>,
    count: usize,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<Option<T>>, Error> {
    let mut all: Vec<Option<T>> = Vec::with_capacity(count);
    if !reader.null()? {
        let mut elements = reader.array()?;
        while elements.more(reader)? {
            if all.len() == count {
                return Err(uneven());
            }
            all.push(if reader.null()? { None } else { Some(read(reader)?) });
        }
        if all.len() != count {
            return Err(uneven());
        }
    }
    all.resize_with(count, || None);
    Ok(all)
}

fn uneven() -> Error {
    malformed("a transaction whose arrays differ in length")
}

/// What every action must have.
fn there<T>(value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| malformed("an action of a transaction without all its parts"))
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    Ok(reader.bytes()?)
}

pub(super) fn read_get(
    reader: &mut Reader<'_>,
    schemas: FindSchema<'_>,
) -> Result<(Request, Question), Error> {
    let tables = read_first(reader, "TransactGetItem", bytes)?;
    let keys = read_beside(reader, tables.len(), bytes)?;
    let projections = read_beside(reader, tables.len(), bytes)?;
    let options = Options::read(reader)?;
    let room = &mut expr::room_of_request();
    let mut gets = Vec::with_capacity(tables.len());
    let mut questions = Vec::with_capacity(tables.len());
    for ((table, key), projection) in tables.into_iter().zip(keys).zip(projections) {
        let schema = schemas(utf8(table)?)?;
        let key = read_key(schema.key(), there(key)?)?;
        let projection: Option<Projection> =
            projection.map(|bytes| read_projection(bytes, room)).transpose()?;
        let table = schema.name().clone();
        let (projection, items) = question::ask(schema, projection);
        gets.push(TransactGet { table, key, projection });
        questions.push(items);
    }
    let input = TransactGetItemsInput { gets, return_capacity: options.return_capacity };
    Ok((input.into(), Question::TransactGetItems(questions)))
}

pub(super) fn write_get(
    out: &mut Vec<u8>,
    input: &TransactGetItemsInput,
    schemas: FindSchema<'_>,
) -> Result<(), Error> {
    write::array(out, input.gets.len());
    for get in &input.gets {
        write::bytes(out, get.table.as_str().as_bytes());
    }
    write::array(out, input.gets.len());
    for get in &input.gets {
        let schema = schemas(get.table.as_str())?;
        write::wrapped(out, |out| write_key_alone(out, schema.key(), &get.key))?;
    }
    write::array(out, input.gets.len());
    for get in &input.gets {
        write_option_projection(out, get.projection.as_ref());
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
    let operations = read_first(reader, "TransactWriteItem", |reader| Ok(reader.int_as::<i64>()?))?;
    let count = operations.len();
    let tables = read_beside(reader, count, bytes)?;
    let keys = read_beside(reader, count, bytes)?;
    let values = read_beside(reader, count, bytes)?;
    // Return values of a successful transaction: there are none today.
    reader.raw(FRAME_DEPTH)?;
    let on_failure = read_beside(reader, count, |reader| Ok(reader.int_as::<i64>()?))?;
    let conditions = read_beside(reader, count, bytes)?;
    let updates = read_beside(reader, count, bytes)?;
    let options = Options::read(reader)?;
    let room = &mut expr::room_of_request();
    let mut actions = Vec::with_capacity(count);
    let mut questions: Vec<Schema> = Vec::with_capacity(count);
    let mut transaction_bytes = 0usize;
    for (at, operation) in operations.into_iter().enumerate() {
        let schema = schemas(utf8(there(tables[at])?)?)?;
        let key = read_key(schema.key(), there(keys[at])?)?;
        let action = match operation {
            operation::PUT => {
                let item = read_item(there(values[at])?, key, lists)?;
                item.check_size()?;
                // The store judges the transaction's size; what is far beyond must not be built first.
                transaction_bytes = transaction_bytes.saturating_add(item.billed_size());
                if transaction_bytes > 2 * limits::TRANSACT_BYTES {
                    return Err(Error::validation(
                        "The aggregate size of the items in the transaction exceeds the maximum size of 4 MB",
                    ));
                }
                TransactAction::Put(item)
            }
            operation::DELETE => TransactAction::Delete(key),
            operation::UPDATE => {
                let update = updates[at].map(|bytes| read_update(bytes, room)).transpose()?;
                TransactAction::Update(key, update.unwrap_or_default())
            }
            operation::CHECK => TransactAction::ConditionCheck(key),
            _ => return Err(malformed("an action that transactions do not have")),
        };
        let condition: Option<Condition> =
            conditions[at].map(|bytes| read_condition(ExpressionKind::Condition, bytes, room)).transpose()?;
        if condition.is_none() && matches!(action, TransactAction::ConditionCheck(_)) {
            return Err(Error::validation(format!(
                "1 validation error detected: Value null at 'transactItems.{}.member.conditionCheck.conditionExpression' \
                 failed to satisfy constraint: Member must not be null",
                at + 1
            )));
        }
        actions.push(TransactWrite {
            table: schema.name().clone(),
            action,
            condition,
            return_on_failure: match on_failure[at] {
                None | Some(return_values::NONE) => ReturnOnFailure::None,
                Some(return_values::ALL_OLD) => ReturnOnFailure::AllOld,
                Some(_) => return Err(malformed("a ReturnValuesOnConditionCheckFailure that is none")),
            },
        });
        questions.push(schema);
    }
    lists.all_known()?;
    let input = TransactWriteItemsInput {
        actions,
        token: options.token.map(read_token).transpose()?,
        return_capacity: options.return_capacity,
        return_collection: options.return_collection,
    };
    Ok((input.into(), Question::TransactWriteItems(questions)))
}

fn read_token(token: &str) -> Result<String, Error> {
    let constraint = |token: &str, bound: &str, limit: usize| {
        Err(Error::validation(format!(
            "1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy constraint: Member \
             must have length {bound} than or equal to {limit}"
        )))
    };
    match token.chars().count() {
        0 => constraint(token, "greater", 1),
        1..=limits::TRANSACT_TOKEN_CHARS => Ok(token.to_owned()),
        _ => constraint(token, "less", limits::TRANSACT_TOKEN_CHARS),
    }
}

/// The key attributes of an action, with others where it puts an item.
pub(crate) const fn key_of(action: &TransactAction) -> &Item {
    match action {
        TransactAction::ConditionCheck(key)
        | TransactAction::Put(key)
        | TransactAction::Delete(key)
        | TransactAction::Update(key, _) => key,
    }
}

pub(super) fn write_write(
    out: &mut Vec<u8>,
    input: &TransactWriteItemsInput,
    schemas: FindSchema<'_>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    let actions = &input.actions;
    write::array(out, actions.len());
    for each in actions {
        write::int(
            out,
            match each.action {
                TransactAction::ConditionCheck(_) => operation::CHECK,
                TransactAction::Put(_) => operation::PUT,
                TransactAction::Delete(_) => operation::DELETE,
                TransactAction::Update(..) => operation::UPDATE,
            },
        );
    }
    write::array(out, actions.len());
    for each in actions {
        write::bytes(out, each.table.as_str().as_bytes());
    }
    write::array(out, actions.len());
    for each in actions {
        let schema = schemas(each.table.as_str())?;
        write::wrapped(out, |out| match &each.action {
            TransactAction::Put(item) => write_key(out, schema.key(), item),
            TransactAction::ConditionCheck(_) | TransactAction::Delete(_) | TransactAction::Update(..) => {
                write_key_alone(out, schema.key(), key_of(&each.action))
            }
        })?;
    }
    write::array(out, actions.len());
    for each in actions {
        match &each.action {
            TransactAction::Put(item) => {
                let schema = schemas(each.table.as_str())?;
                write::wrapped(out, |out| write_tree(out, schema.key(), item, lists));
            }
            TransactAction::ConditionCheck(_) | TransactAction::Delete(_) | TransactAction::Update(..) => {
                write::null(out);
            }
        }
    }
    write::null(out);
    write::array(out, actions.len());
    for each in actions {
        write::int(
            out,
            match each.return_on_failure {
                ReturnOnFailure::None => return_values::NONE,
                ReturnOnFailure::AllOld => return_values::ALL_OLD,
            },
        );
    }
    write::array(out, actions.len());
    for each in actions {
        match &each.condition {
            Some(condition) => write::wrapped(out, |out| expr::write_condition(out, condition)),
            None => write::null(out),
        }
    }
    write::array(out, actions.len());
    for each in actions {
        match update_of(&each.action) {
            Some(update) => write::wrapped(out, |out| expr::write_update(out, update)),
            None => write::null(out),
        }
    }
    let mut options = OptionsWriter::open(out);
    options.capacity(input.return_capacity);
    options.collection(input.return_collection);
    if let Some(token) = &input.token {
        options.token(token);
    }
    options.close();
    Ok(())
}

/// The update of an action; one without actions is left out, as the reader takes it.
fn update_of(action: &TransactAction) -> Option<&Update> {
    match action {
        TransactAction::Update(_, update) if !update.actions.is_empty() => Some(update),
        TransactAction::Update(..)
        | TransactAction::ConditionCheck(_)
        | TransactAction::Put(_)
        | TransactAction::Delete(_) => None,
    }
}
