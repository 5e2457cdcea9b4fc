//! One connection to a node.
//!
//! Requests go out in the order in which they were added, and each waits for its turn at the answers in the same order: the
//! wire has no ids. Whoever has its turn reads its own answer; nothing runs beside the callers. Requests added while others
//! are about to be written go out with them, in one write.
//!
//! Invariant: a link on which anything went wrong, or whose caller gave up between its request and the end of its answer, is
//! broken for good: nothing tells any more whose bytes come next.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket::dial::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

use super::failure::Failed;
use crate::codec::frame::AnswerScanner;
use crate::codec::method::Method;

/// After so long a connection is authorised anew. Nodes take an authorisation to last twice that.
const AUTHORIZE_EVERY: Duration = Duration::from_secs(150);

/// Largest answer that is read: sixteen megabytes of a batch, with room. Unit: bytes.
const ANSWER_BYTES: usize = 64 << 20;
/// Room made for each read. Unit: bytes.
const READ_BYTES: usize = 8 * 1024;
/// Largest buffer kept between answers.
const KEPT_BYTES: usize = 64 * 1024;

pub(super) struct Link {
    // Held to append a request and queue for its answer, never while waiting.
    sending: Mutex<Sending>,
    writer: tokio::sync::Mutex<WriteHalf<Box<dyn Stream>>>,
    // Its queue is first in, first out: the order of the answers.
    reader: tokio::sync::Mutex<Receiving>,
    broken: AtomicBool,
    /// Requests that were given this link and have not let go of it.
    pub(super) in_use: AtomicUsize,
    /// Whether a request lets those that are about to be added go out with it.
    gathers: bool,
}

struct Sending {
    bytes: Vec<u8>,
    authorized_at: Option<Instant>,
}

struct Receiving {
    io: ReadHalf<Box<dyn Stream>>,
    bytes: Vec<u8>,
}

impl Receiving {
    /// Whether something came though nothing was asked: the end of the connection, an error, or bytes.
    fn is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0; 1];
        !self.bytes.is_empty()
            || Pin::new(&mut self.io).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready()
    }

    async fn receive(&mut self, method: Method) -> Result<Vec<u8>, Failed> {
        let mut scanner = AnswerScanner::new(method, ANSWER_BYTES);
        loop {
            match scanner.next(&self.bytes) {
                Ok(Some(end)) => {
                    let answer = self.bytes[..end].to_vec();
                    self.bytes.drain(..end);
                    if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
                        self.bytes = Vec::new();
                    }
                    return Ok(answer);
                }
                Ok(None) => {
                    self.bytes.reserve(READ_BYTES);
                    match self.io.read_buf(&mut self.bytes).await {
                        Ok(0) => return Err(Failed::no_answer(&"the node closed the connection")),
                        Ok(_) => {}
                        Err(error) => return Err(Failed::no_answer(&error)),
                    }
                }
                Err(error) => return Err(Failed::no_answer(&error)),
            }
        }
    }
}

/// A request between its place in the queue and the end of its answer.
struct UnderWay<'l> {
    link: &'l Link,
    answered: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.link.break_off();
        }
    }
}

impl Link {
    /// A link that has yet to say `preamble`.
    pub(super) fn new(io: Box<dyn Stream>, preamble: Vec<u8>, gathers: bool) -> Link {
        let (read, write) = tokio::io::split(io);
        Link {
            sending: Mutex::new(Sending { bytes: preamble, authorized_at: None }),
            writer: tokio::sync::Mutex::new(write),
            reader: tokio::sync::Mutex::new(Receiving { io: read, bytes: Vec::new() }),
            broken: AtomicBool::new(false),
            in_use: AtomicUsize::new(0),
            gathers,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Marks the link as of no use any more.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Has the next request claim anew who calls.
    pub(super) fn forget_authorization(&self) {
        self.sending().authorized_at = None;
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and reads the answer whole, codes included. `claim` appends who calls, where that is due.
    pub(super) async fn exchange(
        &self,
        method: Method,
        request: &[u8],
        now: Instant,
        claim: impl FnOnce(&mut Vec<u8>) -> Result<(), api::Error>,
    ) -> Result<Vec<u8>, Failed> {
        let mut under_way = UnderWay { link: self, answered: false };
        // Polled once below, it must take its place then: a budget that is used up must not make it wait outside.
        let mut turn = pin!(tokio::task::coop::unconstrained(self.reader.lock()));
        let mut claim = Some(claim);
        let mut first = std::future::poll_fn(|cx| {
            let mut sending = self.sending();
            if self.is_broken() {
                return Poll::Ready(Err(Failed::not_sent(&"the connection broke meanwhile")));
            }
            let mut first = None;
            if let Poll::Ready(mut receiving) = turn.as_mut().poll(cx) {
                if receiving.is_stale(cx) {
                    return Poll::Ready(Err(Failed::not_sent(&"the node had closed the connection")));
                }
                first = Some(receiving);
            }
            let due =
                sending.authorized_at.is_none_or(|at| now.saturating_duration_since(at) >= AUTHORIZE_EVERY);
            if due && let Some(claim) = claim.take() {
                claim(&mut sending.bytes).map_err(Failed::for_good)?;
                sending.authorized_at = Some(now);
            }
            sending.bytes.extend_from_slice(request);
            Poll::Ready(Ok(first))
        })
        .await?;
        // Whoever has its turn must read even while it still has to write, or a node that waits for its answers to be read
        // would read nothing more.
        let receive = async {
            let mut receiving = match first.take() {
                Some(receiving) => receiving,
                None => turn.await,
            };
            if self.is_broken() {
                return Err(Failed::no_answer(&"the connection broke before its turn"));
            }
            receiving.receive(method).await
        };
        let ((), answer) = tokio::try_join!(self.flush(), receive)?;
        under_way.answered = true;
        Ok(answer)
    }

    /// Writes what was added and not written yet, whoever added it.
    async fn flush(&self) -> Result<(), Failed> {
        if self.gathers {
            tokio::task::yield_now().await;
        }
        let mut writer = self.writer.lock().await;
        let bytes = std::mem::take(&mut self.sending().bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        writer.write_all(&bytes).await.map_err(|error| Failed::no_answer(&error))?;
        writer.flush().await.map_err(|error| Failed::no_answer(&error))
    }
}
