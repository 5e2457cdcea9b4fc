//! What a connection has to say and has not said yet.
//!
//! Invariants: an answer that the peer does not take in at once is charged to the front's memory for bodies until it is
//! gone, and is given up where that is full; all of it together has one write timeout, however many small parts of it the
//! peer takes.

use std::io;
use std::pin::Pin;
use std::task::Poll;

use socket::Held;
use tokio::io::AsyncWrite;

use super::reply::{Decimal, Reply};
use super::watch::{Phase, Watch};

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
}

impl Outgoing {
    pub(super) fn new(charged: Held) -> Outgoing {
        Outgoing { bytes: Vec::with_capacity(2048), charged }
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

    /// Writes what was added, then `body`. `false` if the peer did not take it in time, or too many others don't take
    /// theirs; the connection is of no use then.
    pub(super) async fn flush<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        body: &[u8],
        watch: &mut Watch,
    ) -> io::Result<bool> {
        if self.bytes.is_empty() && body.is_empty() {
            return Ok(true);
        }
        let (mut head, mut body) = (&self.bytes[..], body);
        let mut waited = false;
        loop {
            let all_written = head.is_empty() && body.is_empty();
            let step = std::future::poll_fn(|cx| {
                let io = Pin::new(&mut *io);
                let step = if all_written {
                    // TLS may hold back what it took.
                    io.poll_flush(cx).map_ok(|()| 0)
                } else if body.is_empty() {
                    io.poll_write(cx, head)
                } else {
                    io.poll_write_vectored(cx, &[io::IoSlice::new(head), io::IoSlice::new(body)])
                };
                match step {
                    Poll::Ready(step) => Poll::Ready(step.map(Some)),
                    Poll::Pending => {
                        if !waited {
                            waited = true;
                            watch.restart(Phase::Write);
                            if !self.charged.grow(head.len() + body.len()) {
                                return Poll::Ready(Ok(None));
                            }
                        }
                        watch.poll_over(cx).map(|()| Ok(None))
                    }
                }
            })
            .await?;
            match step {
                None => return Ok(false),
                Some(_) if all_written => break,
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(written) => {
                    let of_head = written.min(head.len());
                    head = &head[of_head..];
                    body = &body[written - of_head..];
                }
            }
        }
        if waited {
            self.charged.release();
            watch.restart(Phase::Idle);
        }
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes.shrink_to(KEPT_BYTES);
        }
        Ok(true)
    }
}
