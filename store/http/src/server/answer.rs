//! From a request to its answer, in the order in which DynamoDB looks at one: cross-origin preflight, health text, method
//! and content type, JSON, target, signature, then the operation's own checks.
//!
//! Of an answer that is ready at once nothing is spawned, counted or timed. A panic below is not caught here.

use std::pin::pin;
use std::task::Poll;

use api::limits::{REGION, REQUEST_BYTES};
use api::operation::Ready;
use api::service::Tables;
use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpClass, OpKind, Request, Response, Wire, token};
use bytes::Bytes;
use socket::Due;
use socket::turn::poll_once;
use tracing::Instrument;

use super::connection::ConnectionState;
use super::cors::Preflight;
use super::encoding::{self, Requested, Unfold};
use super::head::Head;
use super::reply::{Content, Reply};
use super::targets::{self, Target};
use super::{Inner, request_id};
use crate::{codec, error, json};

/// How long past a request's deadline this front still waits, so that the layers below are the ones to judge it.
const DEADLINE_GRACE: std::time::Duration = std::time::Duration::from_millis(500);

/// The body of what is not a request of this API at all.
const NOT_A_REQUEST: &[u8] = b"<UnknownOperationException/>\n";

/// A request that is ready to be called.
struct Begun {
    op: OpKind,
    cx: Context,
    request: Request,
    content: Content,
}

/// Answers a request. `body` is as it was sent. A read that others of the connection overtook is asked once more, so that
/// what the connection is given does not go back, also where its requests run side by side.
pub(super) async fn answer<D: DynamoDb>(
    inner: &Inner<D>,
    head: &Head<'_>,
    body: &[u8],
    connection: &ConnectionState,
) -> Reply {
    let request_id = connection.next_request_id();
    let mut asked_again = false;
    let mut reply = loop {
        let Begun { op, mut cx, request, content } = match begin(inner, head, body, connection, request_id) {
            Ok(begun) => begun,
            Err(reply) => break *reply,
        };
        let span = tracing::debug_span!(
            target: "forebay::http",
            "request",
            operation = op.name(),
            request_id = %RequestIdText(request_id),
            status = tracing::field::Empty,
        );
        let asked = cx.min_version;
        let result = match span.in_scope(|| inner.db.call_now(&mut cx, &request)) {
            Some(answer) => Ok(answer),
            None => {
                // Only what may wait needs a deadline, and a clock read for it.
                cx.deadline = Some(inner.surroundings.monotonic() + inner.settings.request_timeout());
                call(inner, cx, request, &span).await
            }
        };
        if let Ok(Answer { version: Some(version), .. }) = &result
            && let Some(later) = connection.saw(*version)
            && op.class() == OpClass::Read
            && asked.is_none_or(|asked| asked.at_least(&later) == Some(false))
            && !std::mem::replace(&mut asked_again, true)
        {
            // Another stream of the connection was given something later meanwhile. Asked again, at that version or later.
            continue;
        }
        let mut reply = finish(head, op, content, request_id, result);
        reply.due = match op.class() {
            OpClass::Read | OpClass::Describe => Due::IfRoom,
            OpClass::Write | OpClass::Control => Due::Always,
        };
        span.record("status", reply.status);
        break compressed(inner, head, reply);
    };
    reply.cross_origin = head.origin.is_some();
    reply
}

/// The answer to a body over the limit: a status and nothing else; the connection can't be used further, since the rest
/// of the body may still be on its way.
pub(super) fn too_large(connection: &ConnectionState) -> Reply {
    let mut reply = bare(connection, 413);
    reply.close = true;
    reply
}

/// A status and nothing else, to what never became a request.
pub(super) fn bare(connection: &ConnectionState, status: u16) -> Reply {
    Reply::new(connection.next_request_id(), status, Content::Bare, Bytes::new())
}

/// The answer to a body for which there is no memory left.
pub(super) fn no_room(connection: &ConnectionState) -> Reply {
    let mut reply = failed(Content::Json10, connection.next_request_id(), &throttled());
    reply.close = true;
    reply
}

struct RequestIdText(u128);

impl std::fmt::Display for RequestIdText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&request_id::text(self.0)))
    }
}

fn throttled() -> Error {
    Error::new(ErrorKind::ThrottlingException, "Rate of requests exceeds the allowed throughput.")
}

fn media_type<'a>(head: &Head<'a>) -> &'a [u8] {
    let all = head.content_type.unwrap_or_default();
    all.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn content_of(head: &Head<'_>) -> Content {
    if media_type(head).eq_ignore_ascii_case(b"application/x-amz-json-1.0") {
        Content::Json10
    } else {
        Content::Json
    }
}

fn failed(content: Content, request_id: u128, error: &Error) -> Reply {
    let mut body = Vec::with_capacity(192);
    error::write_body(error, &mut body);
    Reply::new(request_id, error::status(error.kind), content, body).summed()
}

/// Everything up to the call. Errors: the answer. Boxed, since it is far larger than what it stands in for.
fn begin<D: DynamoDb>(
    inner: &Inner<D>,
    head: &Head<'_>,
    body: &[u8],
    connection: &ConnectionState,
    request_id: u128,
) -> Result<Begun, Box<Reply>> {
    if head.method != "POST" {
        return Err(Box::new(not_post(head, request_id)));
    }
    let media_type = media_type(head);
    let content = content_of(head);
    let typed = content == Content::Json10 || media_type.eq_ignore_ascii_case(b"application/json");
    if !typed && !body.is_empty() {
        return Err(Box::new(Reply::new(request_id, 404, Content::Bare, NOT_A_REQUEST).summed()));
    }
    let fail = |error: &Error| Box::new(failed(content, request_id, error));
    if !inner.account.has_room() {
        return Err(fail(&throttled()));
    }
    let unfolded;
    let plain = match encoding::of_request(head.content_encoding) {
        Requested::Plain => body,
        Requested::Unsupported => return Err(fail(&json::read::malformed())),
        Requested::Coded(coding) => {
            unfolded = encoding::unfold(coding, body).map_err(|why| match why {
                Unfold::Malformed => fail(&json::read::malformed()),
                Unfold::TooLarge => Box::new(too_large(connection)),
            })?;
            &unfolded
        }
    };
    // What is no JSON is told so even if it also names no operation or is not signed. Only the refused pay for the look.
    let refuse = |error: Error| match syntax(plain) {
        Err(syntax) if !plain.is_empty() => fail(&syntax),
        _ => fail(&error),
    };
    let target = targets::target(head.target.unwrap_or_default());
    if target == Target::Unknown {
        return Err(refuse(Error::new(ErrorKind::UnknownOperationException, "")));
    }
    // The signature covers the body as it was sent.
    let caller = match inner.auth.check(head, body, inner.surroundings.as_ref(), &inner.anyone) {
        Ok(caller) => caller,
        Err(error) => return Err(refuse(error)),
    };
    let op = match target {
        Target::Operation(op) => op,
        Target::NotYet(_) | Target::Unknown => {
            let name = String::from_utf8_lossy(head.target.unwrap_or_default());
            let message = format!("{name} is an operation of DynamoDB that Forebay does not support yet.");
            return Err(refuse(Error::new(ErrorKind::UnknownOperationException, message)));
        }
    };
    if plain.is_empty() {
        return Err(fail(&json::read::malformed()));
    }
    let request = codec::decode_request(op, plain).map_err(|error| fail(&error))?;
    let asked = match head.min_version {
        None => None,
        Some(text) => match token::read(text.trim_ascii()) {
            Some(version) => Some(version),
            None => {
                return Err(fail(&bad_header(token::MIN_VERSION_HEADER, "a token from x-forebay-version")));
            }
        },
    };
    let max_staleness = match head.max_staleness {
        None => None,
        Some(text) => match std::str::from_utf8(text.trim_ascii()).ok().and_then(|text| text.parse().ok()) {
            Some(millis) => Some(std::time::Duration::from_millis(millis)),
            None => return Err(fail(&bad_header(token::MAX_STALENESS_HEADER, "a number of milliseconds"))),
        },
    };
    let cx = Context {
        request_id,
        caller,
        deadline: None,
        min_version: connection.floor(asked),
        max_staleness,
        wire: Wire::Json,
        // Said one by one: the default context would make a caller, only to throw it away.
        hops: 0,
        tables: Tables::default(),
    };
    Ok(Begun { op, cx, request, content })
}

fn bad_header(name: &str, wanted: &str) -> Error {
    Error::validation(format!("The header {name} must hold {wanted}."))
}

/// Whether a body is JSON at all.
fn syntax(body: &[u8]) -> Result<(), Error> {
    let mut reader = json::Reader::new(body)?;
    reader.skip()?;
    reader.end()
}

/// What is answered to any other method: a preflight, the health text, or that this is nothing.
fn not_post(head: &Head<'_>, request_id: u128) -> Reply {
    match head.method {
        "OPTIONS" if head.origin.is_some() => {
            let mut reply = Reply::new(request_id, 200, Content::Bare, Bytes::new());
            reply.preflight = Some(Box::new(Preflight {
                headers: head.header("access-control-request-headers").map(<[u8]>::to_vec),
                method: head.header("access-control-request-method").map(<[u8]>::to_vec),
            }));
            reply
        }
        // The blank at its end is the service's own.
        "GET" | "HEAD" => {
            Reply::new(request_id, 200, Content::Bare, format!("healthy: dynamodb.{REGION}.amazonaws.com "))
                .summed()
        }
        _ => Reply::new(request_id, 404, Content::Bare, NOT_A_REQUEST).summed(),
    }
}

async fn call<D: DynamoDb>(
    inner: &Inner<D>,
    cx: Context,
    request: Request,
    span: &tracing::Span,
) -> Result<Answer, Error> {
    let mut call = pin!(inner.db.call(cx, request).instrument(span.clone()));
    if let Poll::Ready(result) = poll_once(call.as_mut()).await {
        return result;
    }
    let _waiting = inner.account.enter();
    match tokio::time::timeout(inner.settings.request_timeout() + DEADLINE_GRACE, call).await {
        Ok(result) => result,
        Err(_) => {
            span.in_scope(|| {
                tracing::warn!("no answer by the deadline; whether a write took effect is not known")
            });
            Err(Error::new(ErrorKind::InternalServerError, "Internal server error"))
        }
    }
}

fn finish(
    head: &Head<'_>,
    op: OpKind,
    content: Content,
    request_id: u128,
    result: Result<Answer, Error>,
) -> Reply {
    let Answer { mut response, version, source } = match result {
        Ok(answer) => answer,
        Err(error) => return failed(content, request_id, &error),
    };
    if let Response::DescribeEndpoints(output) = &mut response {
        let host = String::from_utf8_lossy(head.host.unwrap_or_default());
        for endpoint in output.endpoints.iter_mut().filter(|endpoint| endpoint.address.is_empty()) {
            endpoint.address = host.clone().into_owned();
        }
    }
    let mut reply = match response {
        Response::Ready(Ready { wire: Wire::Json, bytes, crc32 }) => {
            let mut reply = Reply::new(request_id, 200, content, bytes);
            reply.crc32 = Some(crc32);
            reply
        }
        Response::Ready(Ready { wire: wire @ (Wire::Dax | Wire::None), .. }) => {
            tracing::error!(?wire, operation = op.name(), "an answer came in a form that was not asked for");
            let error = Error::new(ErrorKind::InternalServerError, "Internal server error");
            return failed(content, request_id, &error);
        }
        typed => match codec::encode_response(&typed) {
            Ok(body) => Reply::new(request_id, 200, content, body).summed(),
            Err(error) => return failed(content, request_id, &error),
        },
    };
    reply.version = version;
    reply.source = (op.class() == OpClass::Read).then_some(source);
    reply
}

/// The answer in the coding the request accepts, where it is large enough to be worth it. The checksum is of what is sent.
fn compressed<D>(inner: &Inner<D>, head: &Head<'_>, mut reply: Reply) -> Reply {
    let Some(accepted) = head.accept_encoding else { return reply };
    if reply.body.len() < inner.settings.compress_from_bytes {
        return reply;
    }
    let Some(coding) = encoding::for_answer(accepted) else { return reply };
    reply.body = encoding::fold(coding, &reply.body).into();
    reply.coding = Some(coding);
    reply.summed()
}

/// Whether a body of that announced length may be read at all.
pub(super) fn fits(announced_bytes: u64) -> bool {
    announced_bytes <= REQUEST_BYTES as u64
}
