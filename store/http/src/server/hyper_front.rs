//! The ways that hyper speaks for us: HTTP/2, and HTTP/1 out of the ordinary. Also requests without a socket, which come in
//! hyper's types.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use api::DynamoDb;
use api::limits::REQUEST_BYTES;
use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use httparse::Header;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Inner;
use super::answer;
use super::connection::ConnectionState;
use super::head::Head;
use super::http1::{HEAD_BYTES, HEADERS, LAST_REQUEST_WAIT};
use super::reply::Reply;
use socket::body::{Refused, collect};
use socket::farewell;
use socket::lent::{lend, until_stopped};
use socket::preface::{self, Begun, begun};
use socket::rewound::Rewound;
use socket::unwritten::{Piece, Unwritten};

/// How an HTTP/2 connection begins, as far as it could be the request line of another.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// Requests under way on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// How often a silent HTTP/2 peer is asked whether it is there, and how long it has to say so.
const PING_INTERVAL: std::time::Duration = std::time::Duration::from_secs(20);
const PING_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Serves the rest of a connection. No `stop`: it has come already.
pub(super) async fn serve<D: DynamoDb, IO: AsyncRead + AsyncWrite + Unpin + 'static>(
    inner: Arc<Inner<D>>,
    io: IO,
    unread: Bytes,
    connection: Arc<ConnectionState>,
    stop: Option<Pin<&mut impl Future<Output = ()>>>,
) -> io::Result<()> {
    let speaks_http2 = unread.starts_with(HTTP2);
    let head_timeout = inner.settings.head_timeout();
    let write_timeout = inner.settings.write_timeout();
    let unwritten = Unwritten::default();
    let io = Rewound { unread, io };
    let answers = unwritten.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (inner, connection, answers) = (Arc::clone(&inner), Arc::clone(&connection), answers.clone());
        async move { Ok::<_, Infallible>(incoming(&inner, request, &connection, &answers).await) }
    });
    let served = if speaks_http2 {
        let limits = preface::Limits { arrival: head_timeout, last: LAST_REQUEST_WAIT };
        let mut stop = stop;
        let Some(Begun { io, parting }) = begun(io, limits, stop.as_mut().map(Pin::as_mut)).await? else {
            return Ok(());
        };
        let stop = stop.filter(|_| !parting);
        let (io, owed) = lend(io);
        let served = {
            let mut served = pin!(
                http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(STREAMS)
                    .max_header_list_size(HEAD_BYTES as u32)
                    .keep_alive_interval(PING_INTERVAL)
                    .keep_alive_timeout(PING_TIMEOUT)
                    .serve_connection(TokioIo::new(io), service)
            );
            let served = until_stopped(served.as_mut(), stop, http2::Connection::graceful_shutdown);
            unwritten.unless_overdue(served, write_timeout).await
        };
        // A request that crossed our farewell is safe to repeat for who reads there that it was not taken; a reset would keep it
        // from being read. A peer that has gone by itself is not waited for: its end has come already.
        if let (Some(Ok(())), Some(mut io)) = (&served, owed.take()) {
            farewell::linger(&mut io).await;
        }
        served
    } else {
        let mut served = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head_timeout)
                .max_headers(HEADERS)
                .max_header_size(HEAD_BYTES)
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(io), service)
        );
        let served = until_stopped(served.as_mut(), stop, http1::Connection::graceful_shutdown);
        unwritten.unless_overdue(served, write_timeout).await
    };
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

async fn incoming<D: DynamoDb>(
    inner: &Inner<D>,
    request: Request<Incoming>,
    connection: &ConnectionState,
    unwritten: &Unwritten,
) -> Response<Full<Piece>> {
    let (parts, body) = request.into_parts();
    let mut held = inner.account.hold();
    let collected =
        tokio::time::timeout(inner.settings.body_timeout(), collect(body, REQUEST_BYTES, &mut held)).await;
    let reply = match collected {
        Ok(Ok(body)) => reply(inner, &Request::from_parts(parts, body), connection).await,
        Ok(Err(Refused::TooLarge)) => answer::too_large(connection),
        Ok(Err(Refused::NoRoom)) => answer::no_room(connection),
        Ok(Err(Refused::Broken)) => answer::bare(connection, 400),
        Err(_) => answer::bare(connection, 408),
    };
    held.release();
    if held.charge(reply.body.len(), reply.due) {
        return response(reply, |body| Full::new(unwritten.add(body, held)));
    }
    // What is said instead is short, and need not be counted.
    response(answer::no_room(connection), |body| Full::new(unwritten.add(body, held)))
}

/// Answers a request that is all there.
pub(super) async fn handle<D: DynamoDb>(
    inner: &Inner<D>,
    request: Request<Bytes>,
    connection: &ConnectionState,
) -> Response<Full<Bytes>> {
    response(reply(inner, &request, connection).await, Full::new)
}

async fn reply<D: DynamoDb>(
    inner: &Inner<D>,
    request: &Request<Bytes>,
    connection: &ConnectionState,
) -> Reply {
    if !answer::fits(request.body().len() as u64) {
        return answer::too_large(connection);
    }
    let headers = list(request.headers(), request.uri());
    let uri = request.uri().path_and_query().map_or("/", |uri| uri.as_str());
    let head = Head::new(request.method().as_str(), uri, &headers);
    answer::answer(inner, &head, request.body(), connection).await
}

/// Headers as a list. HTTP/2 says the host in the URI, which signatures know as the `host` header.
fn list<'a>(headers: &'a HeaderMap, uri: &'a http::Uri) -> Vec<Header<'a>> {
    let mut list: Vec<Header<'a>> =
        headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() }).collect();
    if let Some(authority) = uri.authority().filter(|_| !headers.contains_key(HOST)) {
        list.push(Header { name: "host", value: authority.as_str().as_bytes() });
    }
    list
}

fn response<B>(reply: Reply, body: impl FnOnce(Bytes) -> B) -> Response<B> {
    let mut response = Response::new(body(reply.body.clone()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    reply.headers(|name, value| {
        // All values are made of visible characters, or were header values when they came.
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    });
    if reply.close {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
