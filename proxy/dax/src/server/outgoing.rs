//! What a connection has to say and has not said yet.
//!
//! What a peer that does not read costs is [`socket::write`]'s to bound.

use std::io;
use std::time::Duration;

use socket::write::Written;
use socket::{Held, write};
use tokio::io::AsyncWrite;

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

    /// Writes what was gathered, and forgets it. [`Written::GivenUp`] ends the connection.
    pub(super) async fn flush<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO) -> io::Result<Written> {
        let written = if self.bytes.is_empty() {
            Written::All
        } else {
            write::all(io, &self.bytes, &[], &mut self.charged, self.timeout).await?
        };
        self.begun = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        Ok(written)
    }
}
