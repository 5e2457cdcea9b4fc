//! What a connection has to say and has not said yet.
//!
//! Invariant: a connection that waits for requests holds no buffer. What a peer that does not read costs is [`socket::write`]'s to
//! bound.

use std::io;
use std::time::Duration;

use socket::write::Written;
use socket::{Due, Held, spare, write};
use tokio::io::AsyncWrite;

use crate::codec::layering::{Layering, header};

/// Answers to pipelined requests gathered before they are written.
const GATHERED_BYTES: usize = 64 * 1024;

/// Answers on their way out.
pub(super) struct Outgoing {
    /// Without room where none is held.
    bytes: Vec<u8>,
    /// Where the answer begins that is not complete yet.
    begun: usize,
    layering: Layering,
    charged: Held,
    /// Of all that was gathered.
    due: Due,
    timeout: Duration,
}

impl Outgoing {
    /// Nothing yet. What waits is charged to `charged`.
    pub(super) const fn new(charged: Held, timeout: Duration) -> Outgoing {
        Outgoing {
            bytes: Vec::new(),
            begun: 0,
            layering: Layering::Plain,
            charged,
            due: Due::IfRoom,
            timeout,
        }
    }

    /// Notes what the client wants its answers to stand behind.
    pub(super) const fn stand_behind(&mut self, layering: Layering) {
        self.layering = layering;
    }

    /// Says that what waits has an answer in it that is sent whether there is room for it or not.
    pub(super) const fn is_due(&mut self) {
        self.due = Due::Always;
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
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take_answers();
        }
        &mut self.bytes
    }

    /// Lets go of the buffer if there is nothing in it, as after a request that has no answer.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() {
            spare::give_answers(std::mem::take(&mut self.bytes));
        }
    }

    /// Whether nothing waits to be written.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether what was gathered should go out before more is added.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= GATHERED_BYTES
    }

    /// Writes what was gathered, and forgets it. [`Written::GivenUp`] ends the connection.
    pub(super) async fn flush<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO) -> io::Result<Written> {
        let written = if self.bytes.is_empty() {
            Written::All
        } else {
            write::all(io, &self.bytes, &[], &mut self.charged, self.due, self.timeout).await?
        };
        self.due = Due::IfRoom;
        self.begun = 0;
        spare::give_answers(std::mem::take(&mut self.bytes));
        Ok(written)
    }
}
