//! One connection: frames in, answers out.
//!
//! Requests that arrived together are answered together, in one write; nothing of them waits for one that has to. Before it
//! writes, a connection lets the others of its thread go first, so that their answers leave back to back. Between requests it
//! holds no buffer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use api::{DynamoDb, Error, ErrorKind};
use socket::farewell;
use socket::turn::{after_others, poll_once};
use socket::write::Written;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::answer::{self, Framed, Step, Unknown};
use super::farewell::Farewell;
use super::incoming::{Filled, Incoming, Waiting};
use super::outgoing::Outgoing;
use super::{Inner, Reached};
use crate::codec::frame::{Frame, FrameError, FrameScanner};
use crate::codec::handshake::{Preamble, PreambleError};
use crate::connection::Connection;

/// Requests after which a busy connection looks at whether it should stop.
const REQUESTS_PER_STOP_CHECK: u32 = 64;
/// How long past a request's deadline this front still waits, so that the layers below are the ones to judge it.
const DEADLINE_GRACE: std::time::Duration = std::time::Duration::from_millis(500);

pub(super) async fn serve<D: DynamoDb, IO: AsyncRead + AsyncWrite + Unpin>(
    inner: &Inner<D>,
    mut io: IO,
    reached: Reached,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> io::Result<()> {
    let mut incoming = Incoming::new(inner.account.hold());
    let mut out = Outgoing::new(inner.account.hold(), inner.settings.write_timeout());
    let mut scanner = FrameScanner::new();
    let mut connection = Connection::new(inner.surroundings.random());
    let mut waiting = Waiting::Preamble;
    let mut too_late_at = Instant::now() + inner.settings.preamble_timeout();
    let mut served: u32 = 0;
    let mut unknown = Unknown::MayCome;
    let mut parting = Farewell::Idle;
    loop {
        match scanner.next(incoming.unread()) {
            Ok(Some(Frame::Preamble { bytes })) => {
                match Preamble::read(&incoming.unread()[..bytes]) {
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
                incoming.take(bytes);
                waiting = Waiting::Request;
            }
            Ok(Some(Frame::Request { method, header_bytes, bytes })) => {
                let values = &incoming.unread()[header_bytes..bytes];
                let frame = Framed { reached, method, values };
                match answer::begin(inner, &mut connection, frame, unknown, out.end()) {
                    Step::Done => {}
                    Step::Behind => {
                        // Earlier answers must not wait for this one.
                        if out.flush(&mut io).await? == Written::GivenUp {
                            return Ok(());
                        }
                        catch_up(inner).await;
                        // The frame is still there, and is begun again.
                        unknown = Unknown::IsRefused;
                        continue;
                    }
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
                        if asked.changes() {
                            out.is_due();
                        }
                        answer::finish(inner, &mut connection, asked, result, out.end()).await;
                    }
                }
                out.complete();
                incoming.take(bytes);
                (waiting, unknown) = (Waiting::Request, Unknown::MayCome);
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
                // Before others go first, so that they find the buffer that this connection is done with.
                incoming.rest();
                out.rest();
                if !out.is_empty() {
                    after_others().await;
                    if out.flush(&mut io).await? == Written::GivenUp {
                        return Ok(());
                    }
                }
                if waiting == Waiting::Request && !incoming.unread().is_empty() {
                    waiting = Waiting::Rest;
                    too_late_at = Instant::now() + inner.settings.frame_timeout();
                }
                if !incoming.make_room(scanner.least_bytes()) {
                    // Let go of first: what is refused must not take the room that its answer may need.
                    incoming.discard();
                    answer::fail(out.end(), &answer::throttled(), connection.next_request_id());
                    out.complete();
                    return say_and_linger(io, &mut out).await;
                }
                if waiting == Waiting::Preamble && !Preamble::may_begin(incoming.unread()) {
                    inner.complaints.malformed(reached.peer, &PreambleError::NotDax);
                    return say_and_close(io, &mut out).await;
                }
                match incoming.fill(&mut io, stop.as_mut(), waiting, too_late_at).await? {
                    Filled::Some => {}
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

/// Waits until this node knows what others may have known, where there is room for another that waits.
async fn catch_up<D>(inner: &Inner<D>) {
    if let Some(follows) = inner.cluster.follows.as_ref().filter(|_| inner.account.has_room()) {
        let _waiting = inner.account.enter();
        follows.catch_up().await;
    }
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
