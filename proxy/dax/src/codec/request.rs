//! Requests of the API's operations, both ways: the values behind the method id.
//!
//! Reading makes a [`Request`] of checked values, in the words of the service where it refuses, and the [`Question`] that its
//! answer will lean on. Tables that are not there are the caller's to refuse, through the schema it is asked for.

pub(super) mod batches;
mod items;
mod pages;
pub(crate) mod transactions;

use api::expr::Projection;
use api::{Error, ErrorKind, OpKind, Request};

pub(crate) use items::PlainGet;

use super::expr;
use super::frame::SERVICE;
use super::item::{ListIds, ListNames};
use super::method::Method;
use super::question::Question;
use super::schema::FindSchema;
use crate::cbor::{Reader, write};

/// What a client means that asks a page for all attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelectAll {
    /// That.
    #[default]
    Meant,
    /// Nothing: it asks so wherever its caller said nothing, beside a projection too.
    Unsaid,
}

impl SelectAll {
    /// What a client of that name means. Source: the sources of its version 1.0.3, and of all other official clients.
    pub fn of(user_agent: Option<&str>) -> SelectAll {
        match user_agent {
            Some(agent) if agent.starts_with("DaxGoV2Client") => SelectAll::Unsaid,
            Some(_) | None => SelectAll::Meant,
        }
    }
}

/// Reads the values of a request, all of `bytes`. Errors: the service's; `SerializationException` for what is malformed.
/// With an attribute list that is not known here, a `ValidationException`.
pub fn read_request(
    op: OpKind,
    bytes: &[u8],
    all: SelectAll,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<(Request, Question), Error> {
    let reader = &mut Reader::new(bytes);
    let read = match op {
        OpKind::GetItem => items::read_get(reader, schemas),
        OpKind::PutItem => items::read_put(reader, schemas, lists),
        OpKind::UpdateItem => items::read_update(reader, schemas),
        OpKind::DeleteItem => items::read_delete(reader, schemas),
        OpKind::Query => pages::read_query(reader, schemas, all),
        OpKind::Scan => pages::read_scan(reader, schemas, all),
        OpKind::BatchGetItem => batches::read_get(reader, schemas),
        OpKind::BatchWriteItem => batches::read_write(reader, schemas, lists),
        OpKind::TransactGetItems => transactions::read_get(reader, schemas),
        OpKind::TransactWriteItems => transactions::read_write(reader, schemas, lists),
        other => Err(not_on_this_wire(other)),
    }?;
    reader.end()?;
    Ok(read)
}

/// Appends a request, header and values. Errors: an operation that this wire lacks, a table that `schemas` does not know, a
/// key that is none of its table. What [`ListIds`] found missing must be defined, and the request written again.
pub fn write_request(
    out: &mut Vec<u8>,
    request: &Request,
    schemas: FindSchema<'_>,
    lists: &mut ListIds<'_>,
) -> Result<(), Error> {
    write_header(out, Method::Operation(request.kind()))?;
    match request {
        Request::GetItem(input) => items::write_get(out, input, schemas),
        Request::PutItem(input) => items::write_put(out, input, schemas, lists),
        Request::UpdateItem(input) => items::write_update(out, input, schemas),
        Request::DeleteItem(input) => items::write_delete(out, input, schemas),
        Request::Query(input) => pages::write_query(out, input, schemas),
        Request::Scan(input) => pages::write_scan(out, input, schemas),
        Request::BatchGetItem(input) => batches::write_get(out, input, schemas),
        Request::BatchWriteItem(input) => batches::write_write(out, input, schemas, lists),
        Request::TransactGetItems(input) => transactions::write_get(out, input, schemas),
        Request::TransactWriteItems(input) => transactions::write_write(out, input, schemas, lists),
        other => Err(not_on_this_wire(other.kind())),
    }
}

/// Appends service id and method id. Errors: the wire lacks the operation.
pub(super) fn write_header(out: &mut Vec<u8>, method: Method) -> Result<(), Error> {
    let id = match (method.id(), method) {
        (Some(id), _) => id,
        (None, Method::Operation(op)) => return Err(not_on_this_wire(op)),
        (None, _) => unreachable!("the wire's own methods have ids"),
    };
    write::unsigned(out, u64::from(SERVICE));
    write::int(out, i64::from(id));
    Ok(())
}

/// Appends a projection, or null where there is none.
fn write_option_projection(out: &mut Vec<u8>, projection: Option<&Projection>) {
    match projection {
        Some(projection) => write::wrapped(out, |out| expr::write_projection(out, projection)),
        None => write::null(out),
    }
}

pub(crate) fn not_on_this_wire(op: OpKind) -> Error {
    Error::new(
        ErrorKind::UnknownOperationException,
        format!("{} is not an operation of DAX; send it to the HTTP endpoint", op.name()),
    )
}
