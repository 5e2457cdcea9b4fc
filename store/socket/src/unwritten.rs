//! Answers that were handed to a library to write and are not on the wire yet, of one connection.
//!
//! hyper takes an answer whole and writes it as the peer makes room, which a peer may put off for ever: by not reading, or by
//! keeping an HTTP/2 stream's window shut while the connection looks alive. So each answer is charged to the front's memory
//! for bodies and has one write timeout. Invariant: both last until the last byte is written or the answer is dropped.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::Held;

/// How often it is looked whether an answer is overdue, within the time an answer has.
const LOOKS_PER_LIMIT: u32 = 4;

/// The answers of a connection, by the order in which they were made. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Unwritten(Arc<Mutex<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    made: u64,
    since: BTreeMap<u64, Instant>,
}

impl Unwritten {
    /// A body that counts as unwritten until it is gone. `charged` must already hold its length.
    pub fn add(&self, bytes: Bytes, charged: Held) -> Piece {
        let mut answers = self.0.lock();
        let number = answers.made;
        answers.made += 1;
        answers.since.insert(number, Instant::now());
        drop(answers);
        Piece { bytes, _charged: charged, _mark: Mark { answers: self.clone(), number } }
    }

    /// Whether one has waited for longer than `limit`.
    fn overdue(&self, limit: Duration) -> bool {
        let oldest = self.0.lock().since.first_key_value().map(|(_, since)| *since);
        oldest.is_some_and(|since| since.elapsed() > limit)
    }

    /// Waits for a connection to end; `None` where its peer did not take in an answer within `limit`, and the connection, with
    /// everything that waits on it, is given up.
    pub async fn unless_overdue<T>(&self, served: impl Future<Output = T>, limit: Duration) -> Option<T> {
        let mut served = pin!(served);
        loop {
            match tokio::time::timeout(limit / LOOKS_PER_LIMIT, served.as_mut()).await {
                Ok(end) => return Some(end),
                Err(_) if self.overdue(limit) => return None,
                Err(_) => {}
            }
        }
    }
}

/// The bytes of an answer.
#[derive(Debug)]
pub struct Piece {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Account;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_given_up_once_an_answer_waited_too_long() {
        let (account, unwritten) = (Account::new(1, 10), Unwritten::default());
        let mut held = account.hold();
        assert!(held.grow(3));
        let piece = unwritten.add(Bytes::from_static(b"abc"), held);
        let (limit, began) = (Duration::from_secs(8), Instant::now());
        assert_eq!(unwritten.unless_overdue(std::future::pending::<()>(), limit).await, None);
        assert!(began.elapsed() > limit && began.elapsed() <= limit + limit / 4);
        drop(piece);
        assert_eq!(account.held_bytes(), 0);
        let idle = tokio::time::sleep(limit * 10);
        assert_eq!(unwritten.unless_overdue(idle, limit).await, Some(()));
    }
}
