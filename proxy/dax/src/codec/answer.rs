//! Answers of the API's operations, both ways: everything behind the empty array that says success.
//!
//! | operation | payload |
//! |---|---|
//! | GetItem, PutItem, UpdateItem, DeleteItem, Query, Scan | a map from number to field; null where a write has nothing to say |
//! | BatchGetItem | an array of items and unprocessed keys; capacity stands behind it |
//! | BatchWriteItem | three values |
//! | transactions | an array of two or three |
//!
//! What is written is the least that every client takes: no field that its operation does not have, definite lengths but for
//! the field map, the map of a part of an item and that of a transaction's capacity, which the Java client takes in no other
//! form, and no null where a field can be left out.

mod batches;
mod fields;
mod transactions;

use api::{Error, ErrorKind, OpKind, Request, Response, Wire};

use super::item::{ListIds, ListNames};
use super::question::{ItemsOf, PageOf, Question};
use super::schema::FindSchema;
use crate::cbor::Reader;

/// The array of codes of an answer that is none of an error.
pub const SUCCESS: u8 = 0x80;

/// Appends an answer. Errors: one that belongs to another question, which no layer makes. What [`ListIds`] found missing must
/// be defined, and the answer written again.
pub fn write_answer(
    out: &mut Vec<u8>,
    question: &Question,
    response: &Response,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    if let Response::Ready(ready) = response {
        if ready.wire != Wire::Dax {
            return Err(mismatched());
        }
        out.extend_from_slice(&ready.bytes);
        return Ok(());
    }
    out.push(SUCCESS);
    match (question, response) {
        (Question::GetItem(items), Response::GetItem(output)) => {
            fields::write_get(out, items, output, lists);
            Ok(())
        }
        (Question::PutItem(schema), Response::PutItem(output)) => {
            fields::write_put(out, schema, output, lists)
        }
        (Question::UpdateItem { schema, returns }, Response::UpdateItem(output)) => {
            fields::write_update(out, schema, *returns, output, lists)
        }
        (Question::DeleteItem(schema), Response::DeleteItem(output)) => {
            fields::write_delete(out, schema, output, lists)
        }
        (Question::Query(page), Response::Query(output)) | (Question::Scan(page), Response::Scan(output)) => {
            fields::write_page(out, page, output, lists)
        }
        (Question::BatchGetItem(items), Response::BatchGetItem(output)) => {
            batches::write_get(out, items, output, lists)
        }
        (Question::BatchWriteItem(schemas), Response::BatchWriteItem(output)) => {
            batches::write_write(out, schemas, output, lists)
        }
        (Question::TransactGetItems(items), Response::TransactGetItems(output)) => {
            transactions::write_get(out, items, output, lists)
        }
        (Question::TransactWriteItems(schemas), Response::TransactWriteItems(output)) => {
            transactions::write_write(out, schemas, output)
        }
        _ => Err(mismatched()),
    }
}

/// Reads an answer, all of `bytes`, which begin behind the empty array of codes. `request` is what was asked; what clients
/// add from it is added. Errors: what is no answer to it.
pub fn read_answer(
    bytes: &[u8],
    request: &Request,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<Response, Error> {
    let reader = &mut Reader::new(bytes);
    let response = match request {
        Request::GetItem(input) => fields::read_get(reader, input, lists).map(Response::GetItem),
        Request::PutItem(input) => fields::read_put(reader, input, schemas, lists).map(Response::PutItem),
        Request::UpdateItem(input) => {
            fields::read_update(reader, input, schemas, lists).map(Response::UpdateItem)
        }
        Request::DeleteItem(input) => {
            fields::read_delete(reader, input, schemas, lists).map(Response::DeleteItem)
        }
        Request::Query(input) => {
            let schema = schemas(input.table.as_str())?;
            fields::read_page(reader, &schema, input.index.is_some(), &input.select, lists)
                .map(Response::Query)
        }
        Request::Scan(input) => {
            let schema = schemas(input.table.as_str())?;
            fields::read_page(reader, &schema, input.index.is_some(), &input.select, lists)
                .map(Response::Scan)
        }
        Request::BatchGetItem(input) => {
            batches::read_get(reader, input, schemas, lists).map(Response::BatchGetItem)
        }
        Request::BatchWriteItem(_) => {
            batches::read_write(reader, schemas, lists).map(Response::BatchWriteItem)
        }
        Request::TransactGetItems(input) => {
            transactions::read_get(reader, input, lists).map(Response::TransactGetItems)
        }
        Request::TransactWriteItems(_) => {
            transactions::read_write(reader, schemas).map(Response::TransactWriteItems)
        }
        _ => Err(mismatched()),
    }?;
    reader.end()?;
    Ok(response)
}

/// The bytes of an answer that a cache may keep and this front sends as they are: a single item, or a page. `items` is what the
/// service was asked for of each item. `None` where the answer is of another kind, where a list of its attributes has no id
/// yet, and where it has one that need not last.
pub fn ready(
    items: ItemsOf,
    of_index: bool,
    response: &Response,
    mut lists: ListIds<'_>,
) -> Option<api::operation::Ready> {
    let question = match response {
        Response::GetItem(_) => Question::GetItem(items),
        Response::Query(_) => Question::Query(PageOf { items, of_index }),
        Response::Scan(_) => Question::Scan(PageOf { items, of_index }),
        _ => return None,
    };
    let mut out = Vec::with_capacity(READY_BYTES);
    write_answer(&mut out, &question, response, &mut lists).ok()?;
    if !lists.all_lasting() {
        return None;
    }
    let bytes = bytes::Bytes::from(out);
    Some(api::operation::Ready { wire: Wire::Dax, crc32: crc32fast::hash(&bytes), bytes })
}

/// Room made for a ready answer before it is written.
const READY_BYTES: usize = 512;

fn mismatched() -> Error {
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}

/// The operation of a request, as far as this wire has it.
pub const fn has_operation(op: OpKind) -> bool {
    op.dax_method().is_some()
}
