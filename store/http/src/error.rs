//! Error kinds on this wire: HTTP status, `__type`, the body's keys, and back again.
//!
//! Source of prefixes and keys: the service's API model for the kinds it models (their shapes spell `message` or
//! `Message`), observed answers for those of the framework beneath it. Deliberately decides nothing by message.

use api::error::{CancellationCode, CancellationReason};
use api::{Detail, Error, ErrorKind};

use crate::codec;
use crate::json::Reader;

/// The prefix of kinds that the service's own model names.
pub const MODEL_PREFIX: &str = "com.amazonaws.dynamodb.v20120810#";
/// The prefix of kinds that come from the framework beneath the service.
pub const FRAMEWORK_PREFIX: &str = "com.amazon.coral.service#";
/// The prefix of request validation.
pub const VALIDATION_PREFIX: &str = "com.amazon.coral.validate#";

/// How a kind looks on the wire.
struct Look {
    status: u16,
    prefix: &'static str,
    message_key: &'static str,
}

const fn look(kind: ErrorKind) -> Look {
    let modelled = Look { status: 400, prefix: MODEL_PREFIX, message_key: "message" };
    let framework = Look { status: 400, prefix: FRAMEWORK_PREFIX, message_key: "message" };
    match kind {
        ErrorKind::ConditionalCheckFailedException
        | ErrorKind::ItemCollectionSizeLimitExceededException
        | ErrorKind::LimitExceededException
        | ErrorKind::ProvisionedThroughputExceededException
        | ErrorKind::RequestLimitExceeded
        | ErrorKind::ResourceInUseException
        | ErrorKind::ResourceNotFoundException
        | ErrorKind::ThrottlingException
        | ErrorKind::TransactionConflictException => modelled,
        ErrorKind::IdempotentParameterMismatchException
        | ErrorKind::TransactionCanceledException
        | ErrorKind::TransactionInProgressException => Look { message_key: "Message", ..modelled },
        ErrorKind::InternalServerError => Look { status: 500, ..modelled },
        ErrorKind::ServiceUnavailableException => Look { status: 503, ..framework },
        ErrorKind::AccessDeniedException | ErrorKind::SerializationException => {
            Look { message_key: "Message", ..framework }
        }
        ErrorKind::ExpiredTokenException
        | ErrorKind::IncompleteSignatureException
        | ErrorKind::InvalidSignatureException
        | ErrorKind::MissingAuthenticationTokenException
        | ErrorKind::UnknownOperationException
        | ErrorKind::UnrecognizedClientException => framework,
        ErrorKind::ValidationException => Look { prefix: VALIDATION_PREFIX, ..framework },
    }
}

/// The HTTP status of a kind.
pub const fn status(kind: ErrorKind) -> u16 {
    look(kind).status
}

/// Appends the body of an error. Shape: `__type`, then the payload, then the message unless it is empty, in the order the
/// service writes them.
pub fn write_body(error: &Error, out: &mut Vec<u8>) {
    let Look { prefix, message_key, .. } = look(error.kind);
    out.extend_from_slice(b"{\"__type\":\"");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(error.kind.name().as_bytes());
    out.push(b'"');
    match error.detail.as_deref() {
        Some(Detail::Item(item)) => {
            out.extend_from_slice(b",\"Item\":");
            codec::write_item(item, out);
        }
        Some(Detail::Cancellation(reasons)) => {
            out.extend_from_slice(b",\"CancellationReasons\":");
            write_reasons(reasons, out);
        }
        // Said between nodes only.
        Some(Detail::NotPrimary { .. } | Detail::OutcomeUnknown) | None => {}
    }
    if !error.message.is_empty() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(message_key.as_bytes());
        out.extend_from_slice(b"\":");
        codec::write_string(&error.message, out);
    }
    out.push(b'}');
}

fn write_reasons(reasons: &[CancellationReason], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, reason) in reasons.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"Code\":\"");
        out.extend_from_slice(reason.code.map_or("None", CancellationCode::name).as_bytes());
        out.push(b'"');
        if let Some(item) = &reason.item {
            out.extend_from_slice(b",\"Item\":");
            codec::write_item(item, out);
        }
        if let Some(message) = &reason.message {
            out.extend_from_slice(b",\"Message\":");
            codec::write_string(message, out);
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Reads the body of an error that an endpoint answered with. What names no kind we know becomes the kind that its status
/// stands for, so that whether to try again is judged alike.
pub fn read_body(status: u16, body: &[u8]) -> Error {
    match parse(body) {
        Ok(Parsed { kind: Some(kind), message, detail }) => Error { kind, message: message.into(), detail },
        Ok(Parsed { kind: None, message, .. }) => of_status(status, message),
        Err(_) => of_status(status, String::new()),
    }
}

fn of_status(status: u16, message: String) -> Error {
    let kind = match status {
        400..=499 if status != 429 => ErrorKind::ValidationException,
        429 => ErrorKind::ThrottlingException,
        502..=504 => ErrorKind::ServiceUnavailableException,
        _ => ErrorKind::InternalServerError,
    };
    let message =
        if message.is_empty() { format!("The endpoint answered with status {status}.") } else { message };
    Error::new(kind, message)
}

#[derive(Default)]
struct Parsed {
    kind: Option<ErrorKind>,
    message: String,
    detail: Option<Box<Detail>>,
}

fn parse(body: &[u8]) -> Result<Parsed, Error> {
    let mut parsed = Parsed::default();
    let mut reader = Reader::new(body)?;
    reader.members(|reader, name| {
        match &*name {
            "__type" => {
                let name = reader.text()?.unwrap_or_default();
                parsed.kind = ErrorKind::from_name(name.rsplit_once('#').map_or(&*name, |(_, name)| name));
            }
            "message" | "Message" => parsed.message = reader.string()?.unwrap_or_default(),
            "Item" => parsed.detail = Some(Box::new(Detail::Item(codec::read_item(reader)?))),
            "CancellationReasons" => {
                parsed.detail = Some(Box::new(Detail::Cancellation(read_reasons(reader)?)))
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    reader.end()?;
    Ok(parsed)
}

fn read_reasons(reader: &mut Reader<'_>) -> Result<Vec<CancellationReason>, Error> {
    let mut reasons = Vec::new();
    reader.elements(|reader| {
        let mut reason = CancellationReason::default();
        reader.members(|reader, name| {
            match &*name {
                "Code" => reason.code = reader.text()?.and_then(|code| CancellationCode::from_name(&code)),
                "Message" => reason.message = reader.string()?,
                "Item" => reason.item = Some(codec::read_item(reader)?),
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        reasons.push(reason);
        Ok(())
    })?;
    Ok(reasons)
}

#[cfg(test)]
mod tests;
