//! Answers that were handed to hyper and are not on the wire yet, of one connection.
//!
//! hyper takes an answer whole and writes it as the peer makes room, which a peer may put off for ever: by not reading, or by
//! keeping an HTTP/2 stream's window shut while the connection looks alive. So each answer is charged to the front's memory
//! for bodies and has one write timeout. Invariant: both last until the last byte is written or the answer is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::Full;
use parking_lot::Mutex;
use socket::Held;
use tokio::time::Instant;

/// The answers of a connection, by the order in which they were made. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Unwritten(Arc<Mutex<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    made: u64,
    since: BTreeMap<u64, Instant>,
}

impl Unwritten {
    /// A body that counts as unwritten until it is gone. `charged` must already hold its length.
    pub(super) fn add(&self, bytes: Bytes, charged: Held) -> Full<Piece> {
        let mut answers = self.0.lock();
        let number = answers.made;
        answers.made += 1;
        answers.since.insert(number, Instant::now());
        drop(answers);
        Full::new(Piece { bytes, _charged: charged, _mark: Mark { answers: self.clone(), number } })
    }

    /// Whether one has waited for longer than `limit`.
    pub(super) fn overdue(&self, limit: Duration) -> bool {
        let oldest = self.0.lock().since.first_key_value().map(|(_, since)| *since);
        oldest.is_some_and(|since| since.elapsed() > limit)
    }
}

/// The bytes of an answer.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    _charged: Held,
    _mark: Mark,
}

#[derive(Debug)]
struct Mark {
    answers: Unwritten,
    number: u64,
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.answers.0.lock().since.remove(&self.number);
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
