//! Error kinds on this wire: status code, details, and back again.
//!
//! The details are a `google.rpc.Status` that holds one `forebay.dynamodb.v1.Error`, which is what gRPC's own tools unpack. They
//! travel in trailers, which clients bound tightly, so failed items are left out where they do not fit; a client that wants
//! them whatever their size has errors come as messages, see [`encode_error`]. Deliberately decides nothing by message.

use api::error::{CancellationCode, CancellationReason};
use api::{Detail, Error, ErrorKind};
use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

use crate::codec::value::WireItem;
use crate::proto::dynamodb as pb;

/// The most details that are put into trailers. Unit: bytes, before they grow by a third in base64. Clients in C, Python and
/// Ruby take 8 KiB of metadata in all by default and may drop a call past it.
pub const DETAILS_BYTES: usize = 4 * 1024;
/// The longest message that is put into trailers. Unit: bytes.
const MESSAGE_BYTES: usize = 1024;

/// The type of the details.
const TYPE_URL: &str = "type.googleapis.com/forebay.dynamodb.v1.Error";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

/// The status code of a kind.
pub const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::AccessDeniedException => Code::PermissionDenied,
        ErrorKind::ExpiredTokenException
        | ErrorKind::IncompleteSignatureException
        | ErrorKind::InvalidSignatureException
        | ErrorKind::MissingAuthenticationTokenException
        | ErrorKind::UnrecognizedClientException => Code::Unauthenticated,
        ErrorKind::ConditionalCheckFailedException
        | ErrorKind::ItemCollectionSizeLimitExceededException
        | ErrorKind::ResourceInUseException
        | ErrorKind::TransactionCanceledException => Code::FailedPrecondition,
        ErrorKind::IdempotentParameterMismatchException
        | ErrorKind::SerializationException
        | ErrorKind::ValidationException => Code::InvalidArgument,
        ErrorKind::InternalServerError => Code::Internal,
        ErrorKind::LimitExceededException
        | ErrorKind::ProvisionedThroughputExceededException
        | ErrorKind::RequestLimitExceeded
        | ErrorKind::ThrottlingException => Code::ResourceExhausted,
        ErrorKind::ResourceNotFoundException => Code::NotFound,
        ErrorKind::ServiceUnavailableException => Code::Unavailable,
        ErrorKind::TransactionConflictException | ErrorKind::TransactionInProgressException => Code::Aborted,
        ErrorKind::UnknownOperationException => Code::Unimplemented,
    }
}

fn item(item: &api::Item) -> Option<WireItem> {
    Some(item.into())
}

/// An error as a message.
pub fn to_message(error: &Error) -> pb::Error {
    let mut message = pb::Error {
        kind: error.kind.name().to_owned(),
        message: error.message.to_string(),
        ..pb::Error::default()
    };
    match error.detail.as_deref() {
        Some(Detail::Item(failed)) => message.item = item(failed),
        Some(Detail::Cancellation(reasons)) => {
            let reason = |reason: &CancellationReason| pb::CancellationReason {
                code: reason.code.map_or("None", CancellationCode::name).to_owned(),
                message: reason.message.clone(),
                item: reason.item.as_ref().and_then(item),
            };
            message.cancellation_reasons = reasons.iter().map(reason).collect();
        }
        Some(Detail::NotPrimary { primary }) => {
            message.not_primary = Some(pb::NotPrimary { primary: *primary })
        }
        Some(Detail::OutcomeUnknown) => message.outcome_unknown = true,
        None => {}
    }
    message
}

/// Reads an error. One of a kind that nobody knows is of the kind that `code` stands for. Errors within: an item that can't be
/// read is left out.
pub fn of_message(message: pb::Error, code: Code) -> Error {
    let kind = ErrorKind::from_name(&message.kind).unwrap_or_else(|| kind_of(code));
    let failed = |item: Option<WireItem>| item.and_then(|item| item.into_item().ok());
    let detail = if let Some(item) = failed(message.item) {
        Some(Detail::Item(item))
    } else if let Some(pb::NotPrimary { primary }) = message.not_primary {
        Some(Detail::NotPrimary { primary })
    } else if message.outcome_unknown {
        Some(Detail::OutcomeUnknown)
    } else if message.cancellation_reasons.is_empty() {
        None
    } else {
        let reason = |reason: pb::CancellationReason| CancellationReason {
            code: CancellationCode::from_name(&reason.code),
            message: reason.message,
            item: failed(reason.item),
        };
        Some(Detail::Cancellation(message.cancellation_reasons.into_iter().map(reason).collect()))
    };
    Error { kind, message: message.message.into(), detail: detail.map(Box::new) }
}

/// Appends an error as a message in place of an answer.
pub fn encode_error(error: &Error, out: &mut Vec<u8>) {
    to_message(error).encode(out).expect("memory grows as needed");
}

/// An error as a status.
pub fn to_status(error: &Error) -> Status {
    let code = code(error.kind);
    let mut details = to_message(error);
    if details.encoded_len() > DETAILS_BYTES {
        leave_items_out(&mut details);
    }
    let text = shortened(&error.message);
    if details.encoded_len() > DETAILS_BYTES {
        // Only messages are left to be long: of a hundred reasons, or of values that they quote.
        details.message = text.to_owned();
        for reason in &mut details.cancellation_reasons {
            reason.message = None;
        }
    }
    let any = Any { type_url: TYPE_URL.to_owned(), value: details.encode_to_vec().into() };
    let status = RpcStatus { code: code.into(), message: text.to_owned(), details: vec![any] };
    Status::with_details(code, text, status.encode_to_vec().into())
}

fn leave_items_out(error: &mut pb::Error) {
    error.items_left_out = error.item.take().is_some();
    for reason in &mut error.cancellation_reasons {
        error.items_left_out |= reason.item.take().is_some();
    }
}

/// The beginning of a message, which ends between characters.
fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// Reads an error out of a status. One without details becomes the kind that its code stands for, so that whether to try again
/// is judged alike.
pub fn of_status(status: &Status) -> Error {
    let details = RpcStatus::decode(status.details()).ok();
    let any = details.and_then(|status| status.details.into_iter().find(|any| any.type_url == TYPE_URL));
    if let Some(message) = any.and_then(|any| pb::Error::decode(any.value).ok()) {
        return of_message(message, status.code());
    }
    let message = match status.message() {
        "" => format!("The endpoint answered with status {:?}.", status.code()),
        text => text.to_owned(),
    };
    Error::new(kind_of(status.code()), message)
}

const fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::AlreadyExists | Code::FailedPrecondition => {
            ErrorKind::ValidationException
        }
        Code::NotFound => ErrorKind::ResourceNotFoundException,
        Code::PermissionDenied => ErrorKind::AccessDeniedException,
        Code::Unauthenticated => ErrorKind::MissingAuthenticationTokenException,
        Code::ResourceExhausted => ErrorKind::ThrottlingException,
        Code::Aborted => ErrorKind::TransactionConflictException,
        Code::Unimplemented => ErrorKind::UnknownOperationException,
        Code::Unavailable => ErrorKind::ServiceUnavailableException,
        // Whether a write took effect is not known.
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::DataLoss => ErrorKind::InternalServerError,
    }
}

#[cfg(test)]
mod tests;
