//! What a connection has to say and has not said yet.
//!
//! Invariants: answers that the peer does not take in at once are charged to the front's memory bound until they are gone,
//! and are given up where that is full; all of them together have one write timeout, however many small parts of them the
//! peer takes.

use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socket::Held;
use tokio::io::AsyncWrite;
use tokio::time::Sleep;

use crate::codec::layering::{Layering, header};

/// Answers to pipelined requests gathered before they are written.
const GATHERED_BYTES: usize = 64 * 1024;
/// Largest buffer kept between answers; a larger one is given back.
const KEPT_BYTES: usize = 64 * 1024;

/// Answers on their way out.
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Where the answer begins that is not complete yet.
    begun: usize,
    layering: Layering,
    charged: Held,
    timeout: Duration,
}

impl Outgoing {
    /// Nothing yet. What waits is charged to `charged`.
    pub(super) const fn new(charged: Held, timeout: Duration) -> Outgoing {
        Outgoing { bytes: Vec::new(), begun: 0, layering: Layering::Plain, charged, timeout }
    }

    /// Notes what the client wants its answers to stand behind.
    pub(super) const fn stand_behind(&mut self, layering: Layering) {
        self.layering = layering;
    }

    /// Says that what was appended is the whole answer; where nothing was, there is none.
    pub(super) fn complete(&mut self) {
        let answer_bytes = self.bytes.len() - self.begun;
        if self.layering == Layering::Headed && answer_bytes > 0 {
            self.bytes.splice(self.begun..self.begun, header(answer_bytes));
        }
        self.begun = self.bytes.len();
    }

    /// Where the next answer is appended. [`Outgoing::complete`] ends it.
    pub(super) const fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Whether nothing waits to be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether what was gathered should go out before more is added.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= GATHERED_BYTES
    }

    /// Writes what was gathered, and forgets it. `false` if the peer did not take it in time, or too many others don't take
    /// theirs; the connection is of no use then.
    pub(super) async fn flush<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO) -> io::Result<bool> {
        if self.bytes.is_empty() {
            return Ok(true);
        }
        let mut written = 0;
        // Made where the peer first makes us wait; an answer that goes out at once arms no timer.
        let mut limit: Option<Pin<Box<Sleep>>> = None;
        loop {
            let left = &self.bytes[written..];
            let step = std::future::poll_fn(|cx| {
                let io = Pin::new(&mut *io);
                let step = if left.is_empty() {
                    // A socket has nothing to flush; an encrypted stream may hold back what it took.
                    io.poll_flush(cx).map_ok(|()| 0)
                } else {
                    io.poll_write(cx, left)
                };
                if let Poll::Ready(step) = step {
                    return Poll::Ready(step.map(Some));
                }
                if limit.is_none() && !self.charged.grow(self.bytes.len()) {
                    return Poll::Ready(Ok(None));
                }
                let limit = limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
                limit.as_mut().poll(cx).map(|()| Ok(None))
            })
            .await?;
            match step {
                None => return Ok(false),
                Some(_) if written == self.bytes.len() => break,
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(bytes) => written += bytes,
            }
        }
        self.charged.release();
        self.bytes.clear();
        self.begun = 0;
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        Ok(true)
    }
}
