//! An HTTP/2 connection: calls off it, answers onto it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use api::DynamoDb;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket::body::{Refused, collect};
use socket::farewell;
use socket::lent::{lend, until_stopped};
use socket::preface::{self, Begun, begun};
use socket::rewound::Rewound;
use socket::unwritten::Unwritten;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tonic::Status;

use super::answer::{Answered, Method};
use super::connection::Connection;
use super::reply::{self, ReplyBody};
use super::{Inner, answer};
use crate::codec::REQUEST_BYTES;
use crate::error;
use crate::frame::PREFIX_BYTES;

/// The longest message, with what stands before it. Unit: bytes.
const MESSAGE_BYTES: usize = REQUEST_BYTES + PREFIX_BYTES;
/// The most metadata that a request may bring. Unit: bytes as HTTP/2 counts them.
const METADATA_BYTES: u32 = 16 * 1024;
/// How often a silent peer is asked whether it is there, and how long it has to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a peer may take to begin, also where the front stops meanwhile: what is on its way is answered.
const BEGINNING: preface::Limits =
    preface::Limits { arrival: Duration::from_secs(10), last: Duration::from_millis(500) };

/// Serves a connection.
pub(super) async fn serve<D: DynamoDb, IO: AsyncRead + AsyncWrite + Unpin + 'static>(
    inner: &Arc<Inner<D>>,
    io: IO,
    stop: Pin<&mut impl Future<Output = ()>>,
) -> io::Result<()> {
    let connection = Arc::new(Connection::new(inner.surroundings.random()));
    let unwritten = Unwritten::default();
    let (stopping, stopped) = watch::channel(false);
    let answers = unwritten.clone();
    let of_calls = Arc::clone(inner);
    let service = service_fn(move |request: Request<Incoming>| {
        let (inner, connection) = (Arc::clone(&of_calls), Arc::clone(&connection));
        let (answers, stopped) = (answers.clone(), stopped.clone());
        async move { Ok::<_, Infallible>(call(&inner, request, &connection, &answers, stopped).await) }
    });
    let mut stop = Some(stop);
    let io = Rewound { unread: Bytes::new(), io };
    let Some(Begun { io, parting }) = begun(io, BEGINNING, stop.as_mut().map(Pin::as_mut)).await? else {
        return Ok(());
    };
    let stop = stop.filter(|_| !parting);
    let (io, owed) = lend(io);
    let served = {
        let mut served = pin!(
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(inner.settings.max_concurrent_calls)
                .max_header_list_size(METADATA_BYTES)
                .adaptive_window(true)
                .keep_alive_interval(PING_INTERVAL)
                .keep_alive_timeout(PING_TIMEOUT)
                .serve_connection(TokioIo::new(io), service)
        );
        let served = until_stopped(served.as_mut(), stop, |served| {
            stopping.send_replace(true);
            served.graceful_shutdown();
        });
        unwritten.unless_overdue(served, inner.settings.write_timeout()).await
    };
    // A call that crossed our farewell is safe to repeat for who reads there that it was not taken; a reset would keep it from
    // being read. A peer that has gone by itself is not waited for: its end has come already.
    if let (Some(Ok(())), Some(mut io)) = (&served, owed.take()) {
        farewell::linger(&mut io).await;
    }
    match served.and_then(Result::err).and_then(io_error) {
        Some(error) => Err(error),
        // The peer broke off, broke the protocol or a time limit: its own affair, and hyper has answered where it could.
        None => Ok(()),
    }
}

fn io_error(error: hyper::Error) -> Option<io::Error> {
    let source = std::error::Error::source(&error)?.downcast_ref::<io::Error>()?;
    Some(io::Error::new(source.kind(), error.to_string()))
}

async fn call<D: DynamoDb>(
    inner: &Inner<D>,
    request: Request<Incoming>,
    connection: &Connection,
    unwritten: &Unwritten,
    stopped: watch::Receiver<bool>,
) -> Response<ReplyBody> {
    let method = match answer::method(inner, &request) {
        Ok(method) => method,
        Err(status) => return reply::refused(&status),
    };
    let method = match method {
        Method::Extra(service) => {
            let response = service(request).await;
            return reply::streamed(response, stopped, &inner.account, unwritten);
        }
        Method::Operation(op) => answer::Asked::Operation(op),
        Method::Peer(service, method) => answer::Asked::Peer(service, method),
    };
    let due = method.due();
    let (head, body) = request.into_parts();
    let mut held = inner.account.hold();
    let collected =
        tokio::time::timeout(inner.settings.body_timeout(), collect(body, MESSAGE_BYTES, &mut held)).await;
    let body = match collected {
        Ok(Ok(body)) => body,
        Ok(Err(Refused::TooLarge)) => {
            return reply::refused(&Status::resource_exhausted(
                "the message is larger than any request may be",
            ));
        }
        Ok(Err(Refused::NoRoom)) => return reply::refused(&error::to_status(&answer::throttled())),
        Ok(Err(Refused::Broken)) => return reply::refused(&Status::cancelled("the call was broken off")),
        Err(_) => return reply::refused(&Status::deadline_exceeded("the message did not arrive in time")),
    };
    let answered = answer::answer(inner, method, &head, body, connection).await;
    held.release();
    match answered {
        Ok(Answered { message, metadata }) if held.charge(message.len(), due) => {
            reply::answered(unwritten.add(message, held), metadata)
        }
        Ok(_) => reply::refused(&error::to_status(&answer::throttled())),
        Err(status) => reply::refused(&status),
    }
}
