//! From a call to its answer: method, room, who calls, the message, the operation's own checks, the operation.
//!
//! Of an answer that is ready at once nothing is spawned, counted or timed. A panic below is not caught here.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use api::service::{Caller, Tables};
use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpClass, OpKind, Response, Wire, token};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, Request};
use socket::Due;
use socket::turn::poll_once;
use tonic::Status;
use tracing::Instrument;

use super::connection::Connection;
use super::extra::ExtraService;
use super::{Inner, Lane};
use crate::authorize::{Auth, Call};
use crate::codec;
use crate::metadata::{self, Freshness};
use crate::peer::{PeerCall, PeerService};
use crate::proto::{PEER_SERVICE, SERVICE};
use crate::{error, frame};

/// How long past a request's deadline this front still waits, so that the layers below are the ones to judge it.
const DEADLINE_GRACE: Duration = Duration::from_millis(500);
/// Room made for an answer before it is written. Most answers of one item fit.
const ANSWER_BYTES: usize = 512;

/// Which method a call is of.
pub(super) enum Method {
    /// An operation.
    Operation(OpKind),
    /// A question of a peer's.
    Peer(Arc<dyn PeerService>, String),
    /// Health or reflection.
    Extra(ExtraService),
}

/// What is asked by a message that is all there.
pub(super) enum Asked {
    /// An operation.
    Operation(OpKind),
    /// A question of a peer's.
    Peer(Arc<dyn PeerService>, String),
}

impl Asked {
    /// When its answer is sent.
    pub(super) fn due(&self) -> Due {
        match self {
            Asked::Operation(op) => match op.class() {
                OpClass::Read | OpClass::Describe => Due::IfRoom,
                OpClass::Write | OpClass::Control => Due::Always,
            },
            // Some change something, and all answers are a few bytes.
            Asked::Peer(..) => Due::Always,
        }
    }
}

/// A message, and what travels beside it.
pub(super) struct Answered {
    pub(super) message: Bytes,
    pub(super) metadata: HeaderMap,
}

/// Finds the method of a call. Errors: what is no gRPC; a service or method that is not here.
pub(super) fn method<D, B>(inner: &Inner<D>, request: &Request<B>) -> Result<Method, Status> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content_type.is_some_and(|text| text.starts_with(b"application/grpc"));
    if request.method() != HttpMethod::POST || !is_grpc {
        return Err(Status::invalid_argument("this port speaks gRPC only"));
    }
    let path = request.uri().path();
    let unknown = || Status::unimplemented(format!("there is no method {path}"));
    let (service, method) =
        path.strip_prefix('/').and_then(|path| path.split_once('/')).ok_or_else(unknown)?;
    if service == SERVICE {
        return OpKind::from_name(method).map(Method::Operation).ok_or_else(unknown);
    }
    match &inner.lane {
        Lane::Clients { extra, .. } => extra.service(service).map(Method::Extra).ok_or_else(unknown),
        Lane::Peers(peers) if service == PEER_SERVICE && PeerCall::is_method(method) => {
            Ok(Method::Peer(Arc::clone(peers), method.to_owned()))
        }
        Lane::Peers(_) => Err(unknown()),
    }
}

pub(super) fn throttled() -> Error {
    Error::new(ErrorKind::ThrottlingException, "Rate of requests exceeds the allowed throughput.")
}

/// Answers a call. Errors: as the client wants them, a message or a status.
pub(super) async fn answer<D: DynamoDb>(
    inner: &Inner<D>,
    asked: Asked,
    head: &Parts,
    body: Bytes,
    connection: &Connection,
) -> Result<Answered, Status> {
    let message = frame::message(body)?;
    let answered = match asked {
        Asked::Operation(op) => operation(inner, op, head, message, connection).await,
        Asked::Peer(service, method) => peer(inner, &*service, &method, head, message, connection).await,
    };
    answered.or_else(|failed| {
        let in_message =
            head.headers.get(metadata::ERRORS).is_some_and(|wanted| wanted == metadata::IN_MESSAGE);
        if !in_message {
            return Err(error::to_status(&failed));
        }
        let mut out = frame::open(ANSWER_BYTES);
        error::encode_error(&failed, &mut out);
        let mut metadata = HeaderMap::with_capacity(2);
        metadata.insert(metadata::ERROR, HeaderValue::from_static(failed.kind.name()));
        Ok(Answered { message: frame::close(out)?, metadata })
    })
}

/// Answers an operation. A read that others of the connection overtook is asked once more, so that what the connection is given
/// does not go back, also where its calls run side by side.
async fn operation<D: DynamoDb>(
    inner: &Inner<D>,
    op: OpKind,
    head: &Parts,
    message: Bytes,
    connection: &Connection,
) -> Result<Answered, Error> {
    if !inner.account.has_room() {
        return Err(throttled());
    }
    let cx = context(inner, head, &message, connection)?;
    let span = tracing::debug_span!(
        target: "forebay::grpc",
        "request",
        operation = op.name(),
        request_id = format_args!("{:032x}", cx.request_id),
    );
    let mut asked_again = false;
    let answer = loop {
        let request = codec::decode_request(op, message.clone(), inner.lane.author())?;
        let mut cx = cx.clone();
        if matches!(inner.lane, Lane::Clients { .. }) {
            cx.min_version = connection.floor(cx.min_version);
        }
        let asked = cx.min_version;
        let answer = match span.in_scope(|| inner.db.call_now(&mut cx, &request)) {
            Some(answer) => answer,
            None => {
                let wait = wait(inner, head);
                // Only what may wait needs a deadline, and a clock read for it.
                cx.deadline = Some(inner.surroundings.monotonic() + wait);
                within(inner, wait, inner.db.call(cx, request).instrument(span.clone())).await?
            }
        };
        if matches!(inner.lane, Lane::Clients { .. })
            && let Some(version) = answer.version
            && let Some(later) = connection.saw(version)
            && op.class() == OpClass::Read
            && asked.is_none_or(|asked| asked.at_least(&later) == Some(false))
            && !std::mem::replace(&mut asked_again, true)
        {
            // Another call of the connection was given something later meanwhile. Asked again, at that version or later.
            continue;
        }
        break answer;
    };
    encode(inner, op, head, answer)
}

fn encode<D>(inner: &Inner<D>, op: OpKind, head: &Parts, answer: Answer) -> Result<Answered, Error> {
    let Answer { mut response, version, source } = answer;
    if let (Response::DescribeEndpoints(output), Lane::Clients { .. }) = (&mut response, &inner.lane) {
        let host = authority(head);
        for endpoint in output.endpoints.iter_mut().filter(|endpoint| endpoint.address.is_empty()) {
            endpoint.address = host.to_owned();
        }
    }
    let mut out = frame::open(ANSWER_BYTES);
    codec::encode_response(&response, &mut out)?;
    let message = frame::close(out).map_err(|_| internal())?;
    let mut metadata = HeaderMap::with_capacity(3);
    if let Some(version) = version {
        metadata.insert(token::VERSION_HEADER, metadata::write_version(&version));
    }
    if op.class() == OpClass::Read {
        metadata.insert(token::CACHE_HEADER, HeaderValue::from_static(metadata::source_name(source)));
    }
    Ok(Answered { message, metadata })
}

fn internal() -> Error {
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}

/// Answers a question of a peer's.
async fn peer<D: DynamoDb>(
    inner: &Inner<D>,
    service: &dyn PeerService,
    method: &str,
    head: &Parts,
    message: Bytes,
    connection: &Connection,
) -> Result<Answered, Error> {
    if !inner.account.has_room() {
        return Err(throttled());
    }
    let mut cx = context(inner, head, &message, connection)?;
    let call = PeerCall::decode(method, message)?;
    let wait = wait(inner, head);
    cx.deadline = Some(inner.surroundings.monotonic() + wait);
    let answer = within(inner, wait, call.answer(service, cx)).await?;
    let mut out = frame::open(answer.len());
    out.extend_from_slice(&answer);
    Ok(Answered { message: frame::close(out).map_err(|_| internal())?, metadata: HeaderMap::new() })
}

/// How long the caller waits, as far as it says, and we let it.
fn wait<D>(inner: &Inner<D>, head: &Parts) -> Duration {
    let own = inner.settings.request_timeout();
    head.headers.get(metadata::TIMEOUT).and_then(metadata::read_timeout).map_or(own, |theirs| theirs.min(own))
}

async fn within<D, T>(
    inner: &Inner<D>,
    wait: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut call = pin!(call);
    if let Poll::Ready(result) = poll_once(call.as_mut()).await {
        return result;
    }
    let _waiting = inner.account.enter();
    match tokio::time::timeout(wait + DEADLINE_GRACE, call).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!("no answer by the deadline; whether a write took effect is not known");
            Err(internal())
        }
    }
}

fn authority(head: &Parts) -> &str {
    let in_uri = head.uri.authority().map(|authority| authority.as_str());
    let in_headers = || head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    in_uri.or_else(in_headers).unwrap_or_default()
}

/// What travels with the request. Errors: nobody that is let in; metadata that can't be read.
fn context<D>(
    inner: &Inner<D>,
    head: &Parts,
    message: &[u8],
    connection: &Connection,
) -> Result<Context, Error> {
    let metadata = &head.headers;
    let (request_id, caller, hops) = match &inner.lane {
        Lane::Clients { auth, .. } => {
            let caller: Arc<Caller> = match auth {
                Auth::Any => Arc::clone(&inner.anyone),
                Auth::Keys(signers) => signers.verify(&Call {
                    path: head.uri.path(),
                    authority: authority(head),
                    metadata,
                    message,
                })?,
            };
            (connection.next_request_id(), caller, 0)
        }
        Lane::Peers(_) => {
            let text = |name: &http::HeaderName| metadata.get(name).and_then(|value| value.to_str().ok());
            let id = text(&metadata::REQUEST_ID).and_then(|id| u128::from_str_radix(id, 16).ok());
            let hops = match text(&metadata::HOPS) {
                None => 0,
                Some(hops) => hops
                    .parse()
                    .map_err(|_| Error::validation("The metadata x-forebay-hops must hold a number."))?,
            };
            let caller = connection.caller(text(&metadata::CALLER).unwrap_or_default());
            (id.unwrap_or_else(|| connection.next_request_id()), caller, hops)
        }
    };
    let Freshness { min_version, max_staleness } = Freshness::of(metadata)?;
    Ok(Context {
        request_id,
        caller,
        deadline: None,
        min_version,
        max_staleness,
        wire: Wire::None,
        hops,
        tables: Tables::default(),
    })
}
