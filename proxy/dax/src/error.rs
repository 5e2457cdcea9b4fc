//! Error kinds on this wire: a sequence of codes, a message, and a detail with the kind's name and status.
//!
//! Clients decide by the sequence, some by the name or the status, so all three are always sent. Names that the sequence can't
//! tell apart come back by the name. Deliberately decides nothing by message.

use api::error::{CancellationCode, CancellationReason, Fault};
use api::{Detail, Error, ErrorKind, Request};

use crate::cbor::{FRAME_DEPTH, Kind, Reader, write};
use crate::codec::item::{ListIds, ListNames, read_item, write_tree};
use crate::codec::key::key_attributes;
use crate::codec::malformed;
use crate::codec::question::Question;
use crate::codec::request::transactions::key_of;
use crate::codec::schema::FindSchema;

/// A table that the cluster does not know, as it is said of its key schema.
pub const UNKNOWN_TABLE: &[u8] = &[4, 23, 24];

/// The connection, or the request, is not authorised: sign, and try again.
const UNAUTHORIZED: &[u8] = &[4, 23, 31, 33];

/// The sequence of codes of a kind.
pub const fn codes(kind: ErrorKind) -> &'static [u8] {
    match kind {
        ErrorKind::AccessDeniedException => &[4, 37, 38, 42],
        ErrorKind::ConditionalCheckFailedException => &[4, 37, 38, 39, 43],
        // The one of the three codes for authentication that makes every client sign anew.
        ErrorKind::ExpiredTokenException
        | ErrorKind::IncompleteSignatureException
        | ErrorKind::InvalidSignatureException
        | ErrorKind::MissingAuthenticationTokenException
        | ErrorKind::UnrecognizedClientException => UNAUTHORIZED,
        ErrorKind::IdempotentParameterMismatchException => &[4, 37, 38, 39, 60],
        ErrorKind::InternalServerError => &[4, 37, 38, 39, 47],
        ErrorKind::ItemCollectionSizeLimitExceededException => &[4, 37, 38, 39, 48],
        ErrorKind::LimitExceededException => &[4, 37, 38, 39, 49],
        ErrorKind::ProvisionedThroughputExceededException => &[4, 37, 38, 39, 40],
        ErrorKind::RequestLimitExceeded => &[4, 37, 38, 39, 61],
        ErrorKind::ResourceInUseException => &[4, 37, 38, 39, 45],
        ErrorKind::ResourceNotFoundException => &[4, 37, 38, 39, 41],
        ErrorKind::SerializationException | ErrorKind::ValidationException => &[4, 37, 38, 39, 46],
        // A write may have happened: clients repeat reads, and writes only where that does no harm.
        ErrorKind::ServiceUnavailableException => &[1, 37, 38, 53],
        ErrorKind::ThrottlingException => &[4, 37, 38, 39, 50],
        ErrorKind::TransactionCanceledException => &[4, 37, 38, 39, 58],
        ErrorKind::TransactionConflictException => &[4, 37, 38, 39, 57],
        ErrorKind::TransactionInProgressException => &[4, 37, 38, 39, 59],
        ErrorKind::UnknownOperationException => &[4, 37, 38, 44],
    }
}

/// The kind that a sequence stands for. What is not known becomes the kind of its class.
pub fn kind_of(codes: &[i64]) -> ErrorKind {
    match codes {
        [_, 23, 24, ..] => ErrorKind::ResourceNotFoundException,
        [_, 23, 35, ..] => ErrorKind::ResourceInUseException,
        [_, 23, 31, ..] => ErrorKind::MissingAuthenticationTokenException,
        [_, 37, _, 39, 40, ..] => ErrorKind::ProvisionedThroughputExceededException,
        [_, 37, _, 39, 41, ..] => ErrorKind::ResourceNotFoundException,
        [_, 37, _, 39, 43, ..] => ErrorKind::ConditionalCheckFailedException,
        [_, 37, _, 39, 45, ..] => ErrorKind::ResourceInUseException,
        [_, 37, _, 39, 46, ..] => ErrorKind::ValidationException,
        [_, 37, _, 39, 47, ..] => ErrorKind::InternalServerError,
        [_, 37, _, 39, 48, ..] => ErrorKind::ItemCollectionSizeLimitExceededException,
        [_, 37, _, 39, 49, ..] => ErrorKind::LimitExceededException,
        [_, 37, _, 39, 50, ..] => ErrorKind::ThrottlingException,
        [_, 37, _, 39, 57, ..] => ErrorKind::TransactionConflictException,
        [_, 37, _, 39, 58, ..] => ErrorKind::TransactionCanceledException,
        [_, 37, _, 39, 59, ..] => ErrorKind::TransactionInProgressException,
        [_, 37, _, 39, 60, ..] => ErrorKind::IdempotentParameterMismatchException,
        [_, 37, _, 39, 61, ..] => ErrorKind::RequestLimitExceeded,
        [_, 37, _, 42, ..] => ErrorKind::AccessDeniedException,
        [_, 37, _, 44, ..] => ErrorKind::UnknownOperationException,
        [1 | 2, ..] => ErrorKind::ServiceUnavailableException,
        [4, ..] => ErrorKind::ValidationException,
        _ => ErrorKind::InternalServerError,
    }
}

/// The status of a kind, as HTTP would have it.
pub const fn status(kind: ErrorKind) -> u16 {
    match (kind, kind.fault()) {
        (ErrorKind::ServiceUnavailableException, _) => 503,
        (_, Fault::Server) => 500,
        (_, Fault::Client) => 400,
    }
}

/// Appends an error: codes, message, detail. `question` is what was asked, where it got that far; of a cancelled transaction
/// it tells which attributes of the items are keys.
pub fn write_error(
    out: &mut Vec<u8>,
    error: &Error,
    request_id: &str,
    question: Option<&Question>,
    lists: &mut ListIds<'_>,
) {
    write_with_codes(out, codes(error.kind), error, request_id, question, lists);
}

/// As [`write_error`], with another sequence than the kind's.
pub fn write_with_codes(
    out: &mut Vec<u8>,
    codes: &[u8],
    error: &Error,
    request_id: &str,
    question: Option<&Question>,
    lists: &mut ListIds<'_>,
) {
    write::array(out, codes.len());
    codes.iter().for_each(|code| write::unsigned(out, u64::from(*code)));
    write::text(out, &error.message);
    let reasons = match error.detail.as_deref() {
        Some(Detail::Cancellation(reasons)) => Some(reasons),
        // There is no place for the item of a failed condition on this wire.
        Some(Detail::Item(_) | Detail::NotPrimary { .. } | Detail::OutcomeUnknown) | None => None,
    };
    write::array(out, 3 + usize::from(reasons.is_some()));
    write::text(out, request_id);
    write::text(out, error.kind.name());
    write::unsigned(out, u64::from(status(error.kind)));
    if let Some(reasons) = reasons {
        write_reasons(out, reasons, question, lists);
    }
}

fn write_reasons(
    out: &mut Vec<u8>,
    reasons: &[CancellationReason],
    question: Option<&Question>,
    lists: &mut ListIds<'_>,
) {
    let schemas = match question {
        Some(Question::TransactWriteItems(schemas)) => schemas.as_slice(),
        _ => &[],
    };
    write::array(out, 3 * reasons.len());
    for (at, reason) in reasons.iter().enumerate() {
        write::text(out, reason.code.map_or(NO_REASON, CancellationCode::name));
        write::text_or_null(out, reason.message.as_deref());
        match (&reason.item, schemas.get(at)) {
            (Some(item), Some(schema)) => {
                write::wrapped(out, |out| write_tree(out, schema.key(), item, lists));
            }
            _ => write::null(out),
        }
    }
}

/// The code of an action that did not stand in the way.
const NO_REASON: &str = "None";

/// Most codes that are read of a sequence.
const CODES: usize = 16;

/// Reads the codes an answer begins with; none of a success. Errors: what is no array of numbers.
pub(crate) fn read_codes(reader: &mut Reader<'_>) -> Result<Vec<i64>, Error> {
    let mut codes: Vec<i64> = Vec::new();
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        let code = reader.int_as()?;
        if codes.len() < CODES {
            codes.push(code);
        }
    }
    Ok(codes)
}

/// Reads an error, all of `bytes`, from its codes on. `request` is what was asked, where it was one of the API's. Errors:
/// what is no error of this wire.
pub fn read_error(
    bytes: &[u8],
    request: Option<&Request>,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<Error, Error> {
    let reader = &mut Reader::new(bytes);
    let codes = read_codes(reader)?;
    let message = if reader.null()? { String::new() } else { reader.text()?.to_owned() };
    let mut kind = kind_of(&codes);
    let mut reasons = None;
    if !reader.null()? {
        let mut parts = reader.array()?;
        for part in 0.. {
            if !parts.more(reader)? {
                break;
            }
            match part {
                1 if reader.kind()? == Kind::Text => {
                    kind = ErrorKind::from_name(reader.text()?).unwrap_or(kind);
                }
                3 if reader.kind()? == Kind::Array => {
                    reasons = Some(read_reasons(reader, request, schemas, lists)?);
                }
                _ => {
                    reader.raw(FRAME_DEPTH)?;
                }
            }
        }
    }
    reader.end()?;
    let error = Error::new(kind, message);
    Ok(match reasons {
        Some(reasons) => error.with(Detail::Cancellation(reasons)),
        None => error,
    })
}

fn read_reasons(
    reader: &mut Reader<'_>,
    request: Option<&Request>,
    schemas: FindSchema<'_>,
    lists: &mut ListNames<'_>,
) -> Result<Vec<CancellationReason>, Error> {
    let actions = match request {
        Some(Request::TransactWriteItems(input)) => input.actions.as_slice(),
        _ => &[],
    };
    let mut reasons: Vec<CancellationReason> = Vec::new();
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        let code = if reader.null()? { None } else { CancellationCode::from_name(reader.text()?) };
        let mut part = |reader: &mut Reader<'_>| match elements.more(reader)? {
            true => Ok(()),
            false => Err(malformed("a cancellation reason without all its parts")),
        };
        part(reader)?;
        let message = if reader.null()? { None } else { Some(reader.text()?.to_owned()) };
        part(reader)?;
        let mut item = None;
        if !reader.null()? {
            let values = reader.bytes()?;
            let action = actions
                .get(reasons.len())
                .ok_or_else(|| malformed("more cancellation reasons than the transaction has actions"))?;
            let schema = schemas(action.table.as_str())?;
            let key = key_attributes(schema.key(), key_of(&action.action));
            item = Some(read_item(values, key, lists)?);
        }
        reasons.push(CancellationReason { code, message, item });
    }
    Ok(reasons)
}

#[cfg(test)]
mod tests;
