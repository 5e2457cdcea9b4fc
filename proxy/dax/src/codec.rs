//! Requests and answers as frames of this wire, both ways. A server reads requests and writes answers, a client the other way
//! round; both use the same rooms, so that what one writes the other reads.
//!
//! [`frame`] finds where a frame ends, [`layering`] is what stands around answers; [`method`] is what may be asked; [`handshake`] the wire's own methods; [`request`] and
//! [`answer`] those of the API, [`question`] what an answer leans on; [`item`], [`key`], [`value`], [`number`], [`expr`] the
//! parts they are made of. Errors have a room of their own, [`crate::error`].
//!
//! Deliberately knows no socket and keeps no state: schemas and attribute lists are asked for where they are needed. What is
//! written is deterministic. Nothing panics, whatever the bytes.

pub mod answer;
mod capacity;
pub mod expr;
pub mod frame;
pub mod handshake;
pub mod item;
pub mod key;
pub mod layering;
pub mod method;
pub mod number;
mod options;
pub mod question;
pub mod request;
pub mod schema;
pub mod value;

#[cfg(test)]
pub(crate) mod tests;

use api::{Error, ErrorKind};

use crate::cbor::CborError;

/// What is said of bytes that are CBOR, but not what belongs in their place.
pub(crate) fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::SerializationException, format!("The request holds {what}"))
}

impl From<CborError> for Error {
    fn from(error: CborError) -> Error {
        Error::new(ErrorKind::SerializationException, format!("The request can't be read: {error}"))
    }
}
