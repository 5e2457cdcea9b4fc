//! HTTP/1.1 as SDKs speak it, read and written by hand: requests with a `Content-Length`, in chunks or without a body, with
//! or without `Expect: 100-continue`.
//!
//! Whatever is well formed but out of that ordinary (HEAD, HTTP/1.0 and HTTP/2) is handed over to hyper with the
//! bytes read so far, for the rest of the connection. `docs/adr` holds the measurement behind this. A wish to go on in another
//! protocol (`Upgrade`, as Java's own client sends with every request) is passed over, as a server may.
//!
//! Invariants: one read and one write per request on the good path; answers to pipelined requests leave together; the
//! buffer grows with bytes that came, never with a length that was announced.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use api::DynamoDb;
use api::limits::REQUEST_BYTES;
use bytes::Bytes;
use httparse::{EMPTY_HEADER, Header, Request, Status};
use socket::farewell;
use socket::turn::{after_others, poll_once};
use socket::write::Written;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Inner;
use super::answer;
use super::chunks::{Chunks, Progress};
use super::connection::ConnectionState;
use super::date::Date;
use super::head::Head;
use super::outgoing::Outgoing;
use super::watch::{Phase, Watch};

/// The read buffer a connection keeps. Holds an ordinary request whole.
const BUFFER_BYTES: usize = 8 * 1024;
/// Largest buffer kept between requests; a larger one is given back.
const KEPT_BUFFER_BYTES: usize = 16 * 1024;
/// Longest head of a request.
pub(super) const HEAD_BYTES: usize = 32 * 1024;
/// Most headers of a request.
pub(super) const HEADERS: usize = 100;
/// Requests after which a busy connection looks at whether it should stop.
const REQUESTS_PER_STOP_CHECK: u32 = 64;

/// How long a connection that waits for a request when the server stops is given for a last one. A client that was just
/// answered may be asking again already, and can't know that nobody read what it sent. So busy ones are told with an answer
/// that there will be no more, and only those that lie idle are closed without a word, as at the end of their time.
pub(super) const LAST_REQUEST_WAIT: Duration = Duration::from_millis(500);

/// How serving ended.
pub(super) enum End<IO> {
    /// The connection is over.
    Closed,
    /// The connection goes on in a way this loop does not speak; `unread` comes before what `io` has.
    Other {
        /// The connection.
        io: IO,
        /// Bytes read and not answered yet.
        unread: Bytes,
        /// Whether the server has begun to stop; who asks whether it does is not to be asked again.
        parting: bool,
    },
}

/// What the unread bytes begin with.
enum Found<'h, 'b> {
    /// A request with a body of a known length, whole.
    Whole { request: Request<'h, 'b>, head_bytes: usize, body_bytes: usize },
    /// A request whose body comes in chunks, of which nothing has been looked at.
    InChunks { request: Request<'h, 'b>, head_bytes: usize },
    /// A part of a head.
    PartOfHead,
    /// A head, and a part of a body; this many bytes make it whole, or are the most it may take.
    PartOfBody { whole_bytes: usize, asks_first: bool },
    /// A head that announces a body over the limit.
    TooLarge,
    /// Something for hyper.
    Other,
    /// Nothing that can be understood; the status line that says so.
    Malformed(&'static [u8]),
}

/// How HTTP/2 begins, as a request line. What this loop reads of it is handed over.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request";
const HEAD_TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large";
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout";
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What came of waiting for bytes.
enum Filled {
    Some(usize),
    End,
    TooLate,
    Stop,
}

pub(super) async fn serve<D: DynamoDb, IO: AsyncRead + AsyncWrite + Unpin>(
    inner: &Inner<D>,
    mut io: IO,
    connection: &ConnectionState,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> io::Result<End<IO>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut start, mut end) = (0, 0);
    let mut out = Outgoing::new(inner.account.hold(), inner.settings.write_timeout());
    let mut watch = Watch::new(&inner.settings);
    let mut body_bytes_held = inner.account.hold();
    let mut date = Date::default();
    let mut served: u32 = 0;
    // The server stops: the next answer is the last.
    let mut parting = false;
    // Of the request that `start` is at: its body, if that comes in chunks, and whether it was told to go on.
    let mut chunks: Option<Chunks> = None;
    let mut told_to_go_on = false;
    loop {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS];
        let mut none = [EMPTY_HEADER; 0];
        let found = match &mut chunks {
            Some(chunks) if !chunks.is_whole() => {
                let (progress, bytes) = chunks.advance(&mut buffer[start..end]);
                end = start + bytes;
                match progress {
                    Progress::Whole => continue,
                    Progress::Part => {
                        Found::PartOfBody { whole_bytes: chunks.bytes_max(), asks_first: false }
                    }
                    Progress::TooLarge => Found::TooLarge,
                    Progress::Malformed => Found::Malformed(BAD_REQUEST),
                }
            }
            _ => match (find(&buffer[start..end], &mut slots, &mut none), &chunks) {
                (Found::InChunks { request, head_bytes }, Some(chunks)) => {
                    Found::Whole { request, head_bytes, body_bytes: chunks.body_bytes() }
                }
                (Found::InChunks { request, head_bytes }, None) => {
                    if asks_first(&request) {
                        out.push(GO_ON);
                    }
                    chunks = Some(Chunks::new(head_bytes));
                    continue;
                }
                (found, _) => found,
            },
        };
        let (wanted, waiting) = match found {
            Found::Whole { request, head_bytes, body_bytes } => {
                let head = Head::new(
                    request.method.unwrap_or_default(),
                    request.path.unwrap_or_default(),
                    request.headers,
                );
                let body_start = start + head_bytes;
                let whole_end = body_start + body_bytes;
                let mut last = says_close(&head) || parting;
                let mut reply = {
                    let mut answer =
                        pin!(answer::answer(inner, &head, &buffer[body_start..whole_end], connection));
                    match poll_once(answer.as_mut()).await {
                        Poll::Ready(reply) => reply,
                        Poll::Pending => {
                            // Earlier answers must not wait for this one.
                            if out.flush(&mut io, &[]).await? == Written::GivenUp {
                                return Ok(End::Closed);
                            }
                            answer.await
                        }
                    }
                };
                served = served.wrapping_add(1);
                if !parting && served.is_multiple_of(REQUESTS_PER_STOP_CHECK) {
                    last |= poll_once(stop.as_mut()).await.is_ready();
                }
                reply.close |= last;
                let rest = out.push_reply(&reply, date.text(inner.surroundings.wall_millis() / 1000));
                start = whole_end;
                (chunks, told_to_go_on) = (None, false);
                if start == end {
                    (start, end) = (0, 0);
                    body_bytes_held.release();
                    if buffer.len() > KEPT_BUFFER_BYTES {
                        buffer = vec![0; BUFFER_BYTES];
                    }
                }
                watch.restart(Phase::Idle);
                let gathered = start < end && rest.is_empty() && !reply.close && out.has_room();
                if !gathered {
                    after_others().await;
                    if out.flush(&mut io, rest).await? == Written::GivenUp {
                        return Ok(End::Closed);
                    }
                }
                if reply.close {
                    return closed(io).await;
                }
                continue;
            }
            Found::InChunks { .. } => unreachable!("its chunks were looked at above"),
            Found::PartOfHead if end - start >= HEAD_BYTES => {
                return refuse(io, &mut out, HEAD_TOO_LARGE).await;
            }
            Found::Malformed(status_line) => return refuse(io, &mut out, status_line).await,
            Found::PartOfHead => (end - start + 1, Phase::Head),
            Found::PartOfBody { whole_bytes, asks_first } => {
                if asks_first && !told_to_go_on {
                    told_to_go_on = true;
                    out.push(GO_ON);
                }
                (whole_bytes, Phase::Body)
            }
            Found::TooLarge => {
                out.push_reply(
                    &answer::too_large(connection),
                    date.text(inner.surroundings.wall_millis() / 1000),
                );
                return say_and_close(io, &mut out).await;
            }
            // Of these only HTTP/2 can say that there will be no more.
            Found::Other if parting && !buffer[start..end].starts_with(HTTP2) => return closed(io).await,
            Found::Other => {
                if out.flush(&mut io, &[]).await? == Written::GivenUp {
                    return Ok(End::Closed);
                }
                let unread = Bytes::copy_from_slice(&buffer[start..end]);
                return Ok(End::Other { io, unread, parting });
            }
        };
        if out.flush(&mut io, &[]).await? == Written::GivenUp {
            return Ok(End::Closed);
        }
        // Move what is there to the front; grow by doubling, and only once the buffer is full of bytes that came.
        if start > 0 {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
        }
        if end == buffer.len() {
            let grown = (buffer.len() * 2).min(wanted.max(HEAD_BYTES));
            if grown > HEAD_BYTES && !body_bytes_held.grow(grown) {
                out.push_reply(
                    &answer::no_room(connection),
                    date.text(inner.surroundings.wall_millis() / 1000),
                );
                return say_and_close(io, &mut out).await;
            }
            buffer.resize(grown, 0);
        }
        // What is missing is said by what was found, not by how much: a body may lack a single byte, and has no line end.
        let mut phase = if end == 0 { Phase::Idle } else { waiting };
        // A head ends with a line end: without one in what is new, parsing again would only let a dripping peer spend our
        // time. Chunks go on where they were, so each look at them is as short as what is new.
        loop {
            watch.enter(phase);
            let before = end;
            let idle = phase == Phase::Idle;
            let filling = fill(&mut io, &mut buffer[end..], &mut watch, stop.as_mut(), idle && !parting);
            let filled = match idle && parting {
                false => filling.await?,
                true => match tokio::time::timeout(LAST_REQUEST_WAIT, filling).await {
                    Ok(filled) => filled?,
                    Err(_) => return closed(io).await,
                },
            };
            match filled {
                Filled::Some(bytes) => end += bytes,
                Filled::End => return Ok(End::Closed),
                Filled::Stop => {
                    parting = true;
                    continue;
                }
                Filled::TooLate if phase == Phase::Idle => return closed(io).await,
                Filled::TooLate => {
                    return refuse(io, &mut out, TOO_LATE).await;
                }
            }
            let enough = match phase {
                Phase::Body => chunks.is_some() || end >= wanted,
                _ => buffer[before..end].contains(&b'\n'),
            };
            if enough || end == buffer.len() {
                break;
            }
            if phase == Phase::Idle {
                phase = Phase::Head;
            }
        }
    }
}

fn find<'h, 'b>(
    unread: &'b [u8],
    slots: &'h mut [MaybeUninit<Header<'b>>],
    none: &'h mut [Header<'b>],
) -> Found<'h, 'b> {
    if unread.is_empty() {
        return Found::PartOfHead;
    }
    let mut request = Request::new(none);
    let head_bytes = match request.parse_with_uninit_headers(unread, slots) {
        Ok(Status::Complete(head_bytes)) => head_bytes,
        Ok(Status::Partial) => return Found::PartOfHead,
        Err(httparse::Error::Version) if HTTP2.starts_with(&unread[..unread.len().min(HTTP2.len())]) => {
            return Found::Other;
        }
        Err(httparse::Error::TooManyHeaders) => return Found::Malformed(HEAD_TOO_LARGE),
        Err(_) => return Found::Malformed(BAD_REQUEST),
    };
    match body_of(&request) {
        Announced::Otherwise => Found::Other,
        Announced::Nonsense => Found::Malformed(BAD_REQUEST),
        Announced::Chunks => Found::InChunks { request, head_bytes },
        Announced::Bytes(announced) if !answer::fits(announced) => Found::TooLarge,
        Announced::Bytes(announced) => {
            let body_bytes = announced as usize;
            let whole_bytes = head_bytes + body_bytes;
            if unread.len() >= whole_bytes {
                Found::Whole { request, head_bytes, body_bytes }
            } else {
                Found::PartOfBody { whole_bytes, asks_first: asks_first(&request) }
            }
        }
    }
}

/// What a head says of the body behind it.
enum Announced {
    /// This many bytes.
    Bytes(u64),
    /// Chunks, and no length.
    Chunks,
    /// Something that this loop does not speak.
    Otherwise,
    /// Two lengths, one that is no number, or a length beside chunks: how requests are smuggled.
    Nonsense,
}

fn body_of(request: &Request<'_, '_>) -> Announced {
    let (mut length, mut chunks) = (None, false);
    let mut otherwise = request.version != Some(1) || matches!(request.method, Some("HEAD" | "CONNECT"));
    for header in request.headers.iter() {
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => match digits(header.value) {
                Some(bytes) if length.is_none() => length = Some(bytes),
                _ => return Announced::Nonsense,
            },
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                if chunks || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    otherwise = true;
                }
                chunks = true;
            }
            6 if header.name.eq_ignore_ascii_case("expect") => otherwise |= !is_continue(header.value),
            _ => {}
        }
    }
    match (chunks, length) {
        (true, Some(_)) => Announced::Nonsense,
        _ if otherwise => Announced::Otherwise,
        (true, None) => Announced::Chunks,
        (false, length) => Announced::Bytes(length.unwrap_or(0)),
    }
}

fn is_continue(expectation: &[u8]) -> bool {
    expectation.trim_ascii().eq_ignore_ascii_case(b"100-continue")
}

/// Whether the client waits for a word before it sends the body.
fn asks_first(request: &Request<'_, '_>) -> bool {
    request
        .headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("expect") && is_continue(header.value))
}

/// A number of plain digits, few enough not to overflow.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter()
        .try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

fn says_close(head: &Head<'_>) -> bool {
    head.headers
        .iter()
        .filter(|header| header.name.len() == 10 && header.name.eq_ignore_ascii_case("connection"))
        .flat_map(|header| header.value.split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

async fn fill<IO: AsyncRead + Unpin>(
    io: &mut IO,
    into: &mut [u8],
    watch: &mut Watch,
    mut stop: Pin<&mut impl Future<Output = ()>>,
    may_stop: bool,
) -> io::Result<Filled> {
    let mut into = ReadBuf::new(into);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(read) = Pin::new(&mut *io).poll_read(cx, &mut into) {
            read?;
            let bytes = into.filled().len();
            return Poll::Ready(Ok(if bytes == 0 { Filled::End } else { Filled::Some(bytes) }));
        }
        if may_stop && stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(Filled::Stop));
        }
        watch.poll_over(cx).map(|()| Ok(Filled::TooLate))
    })
    .await
}

/// Ends a connection that owes no answer.
async fn closed<IO: AsyncWrite + Unpin>(mut io: IO) -> io::Result<End<IO>> {
    farewell::close(&mut io).await;
    Ok(End::Closed)
}

/// Answers with a bare status and closes.
async fn refuse<IO: AsyncRead + AsyncWrite + Unpin>(
    io: IO,
    out: &mut Outgoing,
    status_line: &[u8],
) -> io::Result<End<IO>> {
    out.push(status_line);
    out.push(b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    say_and_close(io, out).await
}

/// Says what there is to say to a peer that may still be sending, and closes.
async fn say_and_close<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    out: &mut Outgoing,
) -> io::Result<End<IO>> {
    if out.flush(&mut io, &[]).await? == Written::All {
        farewell::linger(&mut io).await;
    }
    Ok(End::Closed)
}

/// A whole request must fit the buffer's arithmetic.
const _: () = assert!(REQUEST_BYTES + HEAD_BYTES < usize::MAX / 4);
