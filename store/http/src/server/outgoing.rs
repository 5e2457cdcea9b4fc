//! What a connection has to say and has not said yet.
//!
//! What a peer that does not read costs is [`socket::write`]'s to bound.

use std::io;
use std::time::Duration;

use socket::write::Written;
use socket::{Due, Held, write};
use tokio::io::AsyncWrite;

use super::reply::{Decimal, Reply};

/// Bodies up to this are copied behind their head, so that an answer is one plain write; longer ones are written from
/// where they lie.
const COPIED_BODY_BYTES: usize = 16 * 1024;
/// Answers to pipelined requests gathered before they are written.
const GATHERED_BYTES: usize = 64 * 1024;
/// Largest buffer kept between answers.
const KEPT_BYTES: usize = 2 * COPIED_BODY_BYTES;

pub(super) struct Outgoing {
    bytes: Vec<u8>,
    charged: Held,
    /// Of all that was added.
    due: Due,
    timeout: Duration,
}

impl Outgoing {
    /// Nothing yet. What waits is charged to `charged`.
    pub(super) fn new(charged: Held, timeout: Duration) -> Outgoing {
        Outgoing { bytes: Vec::with_capacity(2048), charged, due: Due::IfRoom, timeout }
    }

    /// Whether answers may still be gathered behind those that are here.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() < GATHERED_BYTES
    }

    /// Adds bytes as they are.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds an answer's head, and its body if that is short enough to copy. What is left of the body is returned, to be
    /// given to [`Outgoing::flush`] at once.
    pub(super) fn push_reply<'a>(&mut self, reply: &'a Reply, date: &[u8]) -> &'a [u8] {
        let copied = reply.body.len() <= COPIED_BODY_BYTES;
        if reply.due == Due::Always {
            self.due = Due::Always;
        }
        let out = &mut self.bytes;
        out.reserve(512 + if copied { reply.body.len() } else { 0 });
        out.extend_from_slice(match reply.status {
            200 => b"HTTP/1.1 200 OK\r\ndate: ",
            400 => b"HTTP/1.1 400 Bad Request\r\ndate: ",
            404 => b"HTTP/1.1 404 Not Found\r\ndate: ",
            413 => b"HTTP/1.1 413 Payload Too Large\r\ndate: ",
            503 => b"HTTP/1.1 503 Service Unavailable\r\ndate: ",
            _ => b"HTTP/1.1 500 Internal Server Error\r\ndate: ".as_slice(),
        });
        out.extend_from_slice(date);
        reply.headers(|name, value| {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
        });
        if reply.close {
            out.extend_from_slice(b"\r\nconnection: close");
        }
        out.extend_from_slice(b"\r\ncontent-length: ");
        out.extend_from_slice(Decimal::new(reply.body.len() as u64).as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        if !copied {
            return &reply.body;
        }
        out.extend_from_slice(&reply.body);
        &[]
    }

    /// Writes what was added, then `body`. [`Written::GivenUp`] ends the connection.
    pub(super) async fn flush<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        body: &[u8],
    ) -> io::Result<Written> {
        if self.bytes.is_empty() && body.is_empty() {
            return Ok(Written::All);
        }
        let written = write::all(io, &self.bytes, body, &mut self.charged, self.due, self.timeout).await?;
        self.due = Due::IfRoom;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes.shrink_to(KEPT_BYTES);
        }
        Ok(written)
    }
}
