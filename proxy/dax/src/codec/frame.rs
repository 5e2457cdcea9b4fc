//! Where a frame ends. A connection begins with five values; then come requests, each a service id, a method id and as many
//! values as the method has. Answers are an array of error codes and as many values as the method, or an error, has.
//!
//! A frame that is not all there yet is kept in the walk of its [`Scanner`]: whoever reads the connection keeps the bytes and
//! asks again when more came.

use super::method::Method;
use crate::cbor::{CborError, FRAME_DEPTH, Reader, Scanner};

/// Largest frame of a request. Unit: bytes. Source: the API's largest request.
pub const REQUEST_FRAME_BYTES: usize = api::limits::REQUEST_BYTES;

/// Largest preamble: a session id and a user agent. Unit: bytes.
pub const PREAMBLE_BYTES: usize = 8 * 1024;

/// The only service there is.
pub(super) const SERVICE: u8 = 1;

/// Values of the preamble.
const PREAMBLE_VALUES: u64 = 5;

/// Service id and method id.
const HEADER_VALUES: u64 = 2;

/// Why no frame can begin like the bytes do. What follows can't be found any more, so the connection must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is not CBOR of the allowed form and size.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Another service.
    #[error("service id {0} is not known")]
    Service(i64),
    /// A method whose number of values is not known.
    #[error("method id {0} is not known")]
    Method(i64),
}

/// The walk over the frame that arrives.
#[derive(Debug)]
pub struct FrameScanner {
    scanner: Scanner,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preamble,
    Header,
    Request { method: Method, header_bytes: usize },
}

/// A frame that is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The five values a connection begins with.
    Preamble {
        /// How long it is. Unit: bytes.
        bytes: usize,
    },
    /// A request.
    Request {
        /// What it asks for.
        method: Method,
        /// Where its own values begin. Unit: bytes.
        header_bytes: usize,
        /// How long it is, header included. Unit: bytes.
        bytes: usize,
    },
}

impl Default for FrameScanner {
    fn default() -> FrameScanner {
        FrameScanner::new()
    }
}

impl FrameScanner {
    /// For a connection that begins.
    pub const fn new() -> FrameScanner {
        FrameScanner {
            scanner: Scanner::new(PREAMBLE_VALUES, FRAME_DEPTH, PREAMBLE_BYTES),
            phase: Phase::Preamble,
        }
    }

    /// Looks on. `bytes` is all that has arrived since the end of the frame before. `None` while the frame is not all
    /// there; after `Some`, the next call is about the next frame.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        let Some(end) = self.scanner.scan(bytes)? else { return Ok(None) };
        match self.phase {
            Phase::Preamble => {
                self.scanner = Scanner::new(HEADER_VALUES, FRAME_DEPTH, REQUEST_FRAME_BYTES);
                self.phase = Phase::Header;
                Ok(Some(Frame::Preamble { bytes: end }))
            }
            Phase::Header => {
                let mut header = Reader::new(&bytes[..end]);
                let service: i64 = header.int_as()?;
                if service != i64::from(SERVICE) {
                    return Err(FrameError::Service(service));
                }
                let id: i64 = header.int_as()?;
                let method = Method::from_id(id).ok_or(FrameError::Method(id))?;
                self.scanner.want(method.request_values());
                self.phase = Phase::Request { method, header_bytes: end };
                self.next(bytes)
            }
            Phase::Request { method, header_bytes } => {
                self.scanner.restart(HEADER_VALUES);
                self.phase = Phase::Header;
                Ok(Some(Frame::Request { method, header_bytes, bytes: end }))
            }
        }
    }

    /// The least length of the frame that arrives, from what was seen of it. Unit: bytes.
    pub const fn least_bytes(&self) -> usize {
        self.scanner.least_bytes()
    }
}

/// The walk over the answer that arrives.
#[derive(Debug)]
pub struct AnswerScanner {
    scanner: Scanner,
    codes_seen: bool,
    values: u64,
}

/// Values of an error behind its codes: message and detail.
const ERROR_VALUES: u64 = 2;

impl AnswerScanner {
    /// For the answer to a request of `method`, of at most `bytes_max` bytes.
    pub const fn new(method: Method, bytes_max: usize) -> AnswerScanner {
        AnswerScanner {
            scanner: Scanner::new(1, FRAME_DEPTH, bytes_max),
            codes_seen: false,
            values: method.answer_values(),
        }
    }

    /// Looks on. `bytes` is all of the answer that has arrived. `None` while it is not all there; then its length.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, CborError> {
        let Some(end) = self.scanner.scan(bytes)? else { return Ok(None) };
        if self.codes_seen {
            return Ok(Some(end));
        }
        self.codes_seen = true;
        let mut reader = Reader::new(&bytes[..end]);
        let failed = reader.array()?.more(&mut reader)?;
        self.scanner.want(if failed { ERROR_VALUES } else { self.values });
        self.next(bytes)
    }
}

#[cfg(test)]
mod tests;
