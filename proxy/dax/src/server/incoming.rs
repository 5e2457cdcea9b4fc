//! What a connection was sent and has not been answered yet.
//!
//! Invariants: a buffer is held only while there are bytes in it; it grows with bytes that came, never with a length that was
//! announced; what it takes beyond an ordinary buffer is charged to the front's memory bound until it is gone.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use socket::{Held, spare};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use crate::codec::frame::REQUEST_FRAME_BYTES;

/// Buffers up to this are no part of the shared account.
const OWN_BYTES: usize = 32 * 1024;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The beginning of the connection.
    Preamble,
    /// A request. For ever, but for a stop.
    Request,
    /// The rest of a request.
    Rest,
}

/// What came of waiting for bytes.
pub(super) enum Filled {
    Some,
    End,
    TooLate,
    Stop,
}

/// Bytes that were read.
pub(super) struct Incoming {
    /// Empty where none is held.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    charged: Held,
}

impl Incoming {
    /// Nothing yet. What is held is charged to `charged`.
    pub(super) const fn new(charged: Held) -> Incoming {
        Incoming { buffer: Vec::new(), start: 0, end: 0, charged }
    }

    /// All that came since what was taken last.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes so many of the unread bytes away.
    pub(super) const fn take(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Lets go of the buffer if there is nothing in it.
    pub(super) fn rest(&mut self) {
        if self.start == self.end && !self.buffer.is_empty() {
            self.discard();
        }
    }

    /// Lets go of the buffer, whatever is in it.
    pub(super) fn discard(&mut self) {
        (self.start, self.end) = (0, 0);
        spare::give_read(std::mem::take(&mut self.buffer));
        self.charged.release();
    }

    /// Makes room behind the bytes that are there: moves them to the front, and grows the buffer once it is full of them, to
    /// no more than a frame of `least_bytes` needs. `false` if all connections together hold too much already.
    #[must_use]
    pub(super) fn make_room(&mut self, least_bytes: usize) -> bool {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end < self.buffer.len() || self.buffer.is_empty() {
            return true;
        }
        // A frame is no longer than allowed, or the walk over it had refused it; one byte more lets that be seen.
        let wanted = least_bytes.max(self.end + 1).min(REQUEST_FRAME_BYTES + 1);
        let grown = (self.buffer.len() * 2).min(wanted.max(OWN_BYTES));
        if grown > OWN_BYTES && !self.charged.grow(grown) {
            return false;
        }
        self.buffer.resize(grown.max(self.end + 1), 0);
        true
    }

    /// Waits for bytes. There must be room for them. A stop counts before and between requests; only between them there is no
    /// limit of time.
    pub(super) async fn fill<IO: AsyncRead + Unpin>(
        &mut self,
        io: &mut IO,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        waiting: Waiting,
        too_late_at: Instant,
    ) -> io::Result<Filled> {
        let read = std::future::poll_fn(|cx| {
            if self.buffer.is_empty() {
                self.buffer = spare::take_read();
            }
            let mut into = ReadBuf::new(&mut self.buffer[self.end..]);
            if let Poll::Ready(read) = Pin::new(&mut *io).poll_read(cx, &mut into) {
                read?;
                let bytes = into.filled().len();
                self.end += bytes;
                return Poll::Ready(Ok(if bytes == 0 { Filled::End } else { Filled::Some }));
            }
            self.rest();
            if waiting != Waiting::Rest && stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(Filled::Stop));
            }
            Poll::Pending
        });
        match waiting {
            // Most waits are for the next request and arm no timer.
            Waiting::Request => read.await,
            Waiting::Preamble | Waiting::Rest => {
                tokio::time::timeout_at(too_late_at, read).await.unwrap_or(Ok(Filled::TooLate))
            }
        }
    }
}
