//! One connection: frames in, answers out.
//!
//! Requests that arrived together are answered together, in one write; nothing of them waits for one that has to. Before it
//! writes, a connection lets the others of its thread go first, so that their answers leave back to back. The buffer grows with bytes that came, never with a length that was announced, and is given back when it is not needed.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use api::{DynamoDb, Error, ErrorKind};
use socket::turn::{after_others, poll_once};
use socket::write::Written;
use socket::{Held, farewell};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::answer::{self, Step};
use super::farewell::Farewell;
use super::outgoing::Outgoing;
use super::{Inner, Reached};
use crate::codec::frame::{Frame, FrameError, FrameScanner, REQUEST_FRAME_BYTES};
use crate::codec::handshake::{Preamble, PreambleError};
use crate::connection::Connection;

/// The read buffer a connection keeps. Holds an ordinary request whole; ten thousand idle ones are 40 MiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// Buffers up to this are no part of the shared account.
const OWN_BYTES: usize = 32 * 1024;
/// Largest buffer kept between requests; a larger one is given back.
const KEPT_BYTES: usize = 64 * 1024;
/// Requests after which a busy connection looks at whether it should stop.
const REQUESTS_PER_STOP_CHECK: u32 = 64;
/// How long past a request's deadline this front still waits, so that the layers below are the ones to judge it.
const DEADLINE_GRACE: std::time::Duration = std::time::Duration::from_millis(500);

/// What came of waiting for bytes.
enum Filled {
    Some(usize),
    End,
    TooLate,
    Stop,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The beginning of the connection.
    Preamble,
    /// A request. For ever, but for a stop.
    Request,
    /// The rest of a request.
    Rest,
}

pub(super) async fn serve<D: DynamoDb, IO: AsyncRead + AsyncWrite + Unpin>(
    inner: &Inner<D>,
    mut io: IO,
    reached: Reached,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut start, mut end) = (0, 0);
    let mut out = Outgoing::new(inner.account.hold(), inner.settings.write_timeout());
    let mut scanner = FrameScanner::new();
    let mut connection = Connection::new(inner.surroundings.random());
    let mut held = inner.account.hold();
    let mut waiting = Waiting::Preamble;
    let mut too_late_at = Instant::now() + inner.settings.preamble_timeout();
    let mut served: u32 = 0;
    let mut parting = Farewell::Idle;
    loop {
        match scanner.next(&buffer[start..end]) {
            Ok(Some(Frame::Preamble { bytes })) => {
                match Preamble::read(&buffer[start..start + bytes]) {
                    Ok(preamble) => {
                        parting = Farewell::to(preamble.user_agent.as_deref());
                        out.stand_behind(preamble.layering);
                        connection.introduced(&preamble);
                    }
                    Err(why) => {
                        inner.complaints.malformed(reached.peer, &why);
                        return Ok(());
                    }
                }
                start += bytes;
                waiting = Waiting::Request;
            }
            Ok(Some(Frame::Request { method, header_bytes, bytes })) => {
                let values = &buffer[start + header_bytes..start + bytes];
                match answer::begin(inner, &mut connection, reached, method, values, out.end()) {
                    Step::Done => {}
                    Step::Define { names, request_id } => {
                        if out.flush(&mut io).await? == Written::GivenUp {
                            return Ok(());
                        }
                        answer::define(inner, names, request_id, out.end()).await;
                    }
                    Step::Unnamed { response, asked } => {
                        // Earlier answers must not wait for this one.
                        if out.flush(&mut io).await? == Written::GivenUp {
                            return Ok(());
                        }
                        answer::written(inner, asked, Ok(response), out.end()).await;
                    }
                    Step::Call { cx, request, asked } => {
                        let mut call = pin!(inner.db.call(cx, request));
                        let result = match poll_once(call.as_mut()).await {
                            Poll::Ready(result) => result,
                            Poll::Pending => {
                                // Earlier answers must not wait for this one.
                                if out.flush(&mut io).await? == Written::GivenUp {
                                    return Ok(());
                                }
                                in_time(inner, call).await
                            }
                        };
                        answer::finish(inner, &mut connection, asked, result, out.end()).await;
                    }
                }
                out.complete();
                start += bytes;
                waiting = Waiting::Request;
                served = served.wrapping_add(1);
                if out.is_full() && out.flush(&mut io).await? == Written::GivenUp {
                    return Ok(());
                }
                // Whoever is closed under a request has one under way at a time, and is asked for it below.
                if parting == Farewell::Idle
                    && served.is_multiple_of(REQUESTS_PER_STOP_CHECK)
                    && poll_once(stop.as_mut()).await.is_ready()
                {
                    return say_and_close(io, &mut out).await;
                }
            }
            Ok(None) => {
                if !out.is_empty() {
                    after_others().await;
                    if out.flush(&mut io).await? == Written::GivenUp {
                        return Ok(());
                    }
                }
                if start == end {
                    (start, end) = (0, 0);
                    held.release();
                    if buffer.len() > KEPT_BYTES {
                        buffer = vec![0; BUFFER_BYTES];
                    }
                }
                if waiting == Waiting::Request && start < end {
                    waiting = Waiting::Rest;
                    too_late_at = Instant::now() + inner.settings.frame_timeout();
                }
                if !make_room(&mut buffer, &mut start, &mut end, &scanner, &mut held) {
                    // Let go of first: what is refused must not take the room that its answer may need.
                    drop(buffer);
                    held.release();
                    answer::fail(out.end(), &answer::throttled(), connection.next_request_id());
                    out.complete();
                    return say_and_linger(io, &mut out).await;
                }
                if waiting == Waiting::Preamble && !Preamble::may_begin(&buffer[start..end]) {
                    inner.complaints.malformed(reached.peer, &PreambleError::NotDax);
                    return say_and_close(io, &mut out).await;
                }
                match fill(&mut io, &mut buffer[end..], stop.as_mut(), waiting, too_late_at).await? {
                    Filled::Some(bytes) => end += bytes,
                    Filled::End => return Ok(()),
                    Filled::Stop => return parting.say(io, inner.settings.farewell_timeout()).await,
                    Filled::TooLate => return say_and_close(io, &mut out).await,
                }
            }
            Err(error) => {
                inner.complaints.malformed(reached.peer, &error);
                if waiting != Waiting::Preamble {
                    answer::fail(out.end(), &refused(error), connection.next_request_id());
                    out.complete();
                }
                return say_and_linger(io, &mut out).await;
            }
        }
    }
}

/// What is said of a frame whose end can't be found, before the connection is closed.
fn refused(error: FrameError) -> Error {
    match error {
        FrameError::Cbor(error) => error.into(),
        FrameError::Service(_) | FrameError::Method(_) => {
            Error::new(ErrorKind::UnknownOperationException, error.to_string())
        }
    }
}

/// Makes room behind the bytes that are there: moves them to the front, and grows the buffer once it is full of them.
/// `false` if all connections together hold too much already.
fn make_room(
    buffer: &mut Vec<u8>,
    start: &mut usize,
    end: &mut usize,
    scanner: &FrameScanner,
    held: &mut Held,
) -> bool {
    if *start > 0 {
        buffer.copy_within(*start..*end, 0);
        (*start, *end) = (0, *end - *start);
    }
    if *end < buffer.len() {
        return true;
    }
    // A frame is no longer than allowed, or the walk over it had refused it; one byte more lets that be seen.
    let wanted = scanner.least_bytes().max(*end + 1).min(REQUEST_FRAME_BYTES + 1);
    let grown = (buffer.len() * 2).min(wanted.max(OWN_BYTES));
    if grown > OWN_BYTES && !held.grow(grown) {
        return false;
    }
    buffer.resize(grown.max(*end + 1), 0);
    true
}

/// Waits for an answer until nobody does any more.
async fn in_time<D>(
    inner: &Inner<D>,
    call: Pin<&mut impl Future<Output = Result<api::Answer, Error>>>,
) -> Result<api::Answer, Error> {
    let _waiting = inner.account.enter();
    match tokio::time::timeout(inner.settings.request_timeout() + DEADLINE_GRACE, call).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!("no answer by the deadline; whether a write took effect is not known");
            Err(Error::new(ErrorKind::InternalServerError, "Internal server error"))
        }
    }
}

/// Waits for bytes. A stop counts before and between requests; only between them there is no limit of time.
async fn fill<IO: AsyncRead + Unpin>(
    io: &mut IO,
    into: &mut [u8],
    mut stop: Pin<&mut impl Future<Output = ()>>,
    waiting: Waiting,
    too_late_at: Instant,
) -> io::Result<Filled> {
    let mut into = ReadBuf::new(into);
    let read = std::future::poll_fn(|cx| {
        if let Poll::Ready(read) = Pin::new(&mut *io).poll_read(cx, &mut into) {
            read?;
            let bytes = into.filled().len();
            return Poll::Ready(Ok(if bytes == 0 { Filled::End } else { Filled::Some(bytes) }));
        }
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

/// Says what there is to say, and ends the connection.
async fn say_and_close<IO: AsyncWrite + Unpin>(mut io: IO, out: &mut Outgoing) -> io::Result<()> {
    if out.flush(&mut io).await? == Written::All {
        farewell::close(&mut io).await;
    }
    Ok(())
}

/// The same to a peer that may still be sending.
async fn say_and_linger<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    out: &mut Outgoing,
) -> io::Result<()> {
    if out.flush(&mut io).await? == Written::All {
        farewell::linger(&mut io).await;
    }
    Ok(())
}
