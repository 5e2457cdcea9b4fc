//! Requests and answers as messages, both ways.
//!
//! A server uses [`decode_request`] and [`encode_response`], a client [`encode_request`] and [`decode_response`]. Requests are
//! checked by the contract's own checks; this room knows shapes and spellings only, and no rule of any operation. Bounded: a
//! message is whole in memory before it is read, items and values end at the limits of [`value`], everything else takes no more
//! than a few times its bytes.

mod answer;
mod ask;
mod read_answer;
mod request;
mod table;
#[cfg(test)]
mod tests;
pub mod value;
mod wire;

pub use answer::encode_response;
pub use ask::encode_request;
pub use read_answer::{Question, decode_response};
pub use request::decode_request;

use api::{Error, ErrorKind};

/// The largest message that is read: the largest request, whose values take no more bytes here than in JSON but for the lengths
/// of tiny ones. Unit: bytes.
pub const REQUEST_BYTES: usize = api::limits::REQUEST_BYTES + (1 << 20);

/// The largest answer that a client reads: a full batch, with room. Unit: bytes.
pub const ANSWER_BYTES: usize = 64 << 20;

/// The error for bytes that are not the message they should be. As with a body that is no JSON, there is no more to say.
pub(crate) fn malformed() -> Error {
    Error::new(ErrorKind::SerializationException, "")
}
