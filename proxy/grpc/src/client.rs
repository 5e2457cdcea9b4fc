//! A `DynamoDb` over a gRPC service: of a node, or of a peer in the same group.
//!
//! `links` keeps one HTTP/2 connection for each thread that calls, so that a call hops to no other; `exchange` is one unary call,
//! `error` what can go wrong between us and the endpoint. To a peer the original caller, the request's id and its hops go along.
//! Errors are asked for as messages, so that failed items come whatever their size.
//!
//! Where it is given a [`Signer`], each call is signed, message included: it has the bytes at hand.
//!
//! Deliberately retries nothing but a call that provably never reached the other side's service; what else may be repeated is
//! judged by whoever called. A call whose answer did not come ends in `InternalServerError`: whether it took effect is not known.
//!
//! Invariants: nobody waits beyond its own deadline; a link is dialled by one caller at a time, and after a failure not before a
//! pause is over.

mod error;
mod exchange;
mod links;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, OpKind, Request, Source, token};
use bytes::Bytes;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use socket::dial::{Dial, Tls};

use crate::authorize::{Call, Signer};
use crate::codec::{self, Question};
use crate::frame::{self, PREFIX_BYTES};
use crate::metadata;
use crate::peer::{self, Demand, PeerCall};
use crate::proto::{PEER_SERVICE, SERVICE};
use crate::surroundings::Surroundings;
use links::Links;

/// Room made for a request before it is written.
const REQUEST_BYTES: usize = 512;

/// Settings of the client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcDbSettings {
    /// How long connecting may take, handshakes included. Default 1,000.
    pub connect_timeout_millis: u64,
    /// How long a request may take whose context has no deadline. Default 10,000.
    pub request_timeout_millis: u64,
    /// How often a connection is asked whether its other end is there. Default 2,000.
    pub ping_every_millis: u64,
    /// How long it has to say so before the connection is given up. Default 3,000.
    pub ping_timeout_millis: u64,
}

impl Default for GrpcDbSettings {
    fn default() -> Self {
        GrpcDbSettings {
            connect_timeout_millis: 1_000,
            request_timeout_millis: 10_000,
            ping_every_millis: 2_000,
            ping_timeout_millis: 3_000,
        }
    }
}

/// Where an endpoint is.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Name or address, as [`Dial`] takes it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS on what `Dial` connects, where that is not its own affair. It should offer `h2`.
    pub tls: Option<Tls>,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A node, which lets us in or not.
    Client,
    /// A node of our group on a lane that has authenticated us, which believes what we say of the original caller.
    Peer,
}

/// The client. Cloning shares it. Needs a tokio runtime with its timer and, for sockets, its driver of I/O.
#[derive(Clone)]
pub struct GrpcDb(Arc<Inner>);

struct Inner {
    links: Links,
    lane: Lane,
    signer: Option<Arc<dyn Signer>>,
    settings: GrpcDbSettings,
    surroundings: Arc<dyn Surroundings>,
    /// By [`OpKind::ALL`].
    operations: Vec<Uri>,
    authority: String,
}

impl std::fmt::Debug for GrpcDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcDb").field("authority", &self.0.authority).finish_non_exhaustive()
    }
}

impl GrpcDb {
    /// A client of an endpoint, whose calls are not signed. Nothing is connected yet. Errors: a host that fits into no URI.
    pub fn new(
        endpoint: Endpoint,
        lane: Lane,
        settings: GrpcDbSettings,
        dial: Arc<dyn Dial>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<GrpcDb, InvalidUri> {
        GrpcDb::open(endpoint, lane, None, settings, dial, surroundings)
    }

    /// A client of a node that lets in whom it knows: each call is signed by `signer`. Errors: as there.
    pub fn signed(
        endpoint: Endpoint,
        signer: Arc<dyn Signer>,
        settings: GrpcDbSettings,
        dial: Arc<dyn Dial>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<GrpcDb, InvalidUri> {
        GrpcDb::open(endpoint, Lane::Client, Some(signer), settings, dial, surroundings)
    }

    fn open(
        endpoint: Endpoint,
        lane: Lane,
        signer: Option<Arc<dyn Signer>>,
        settings: GrpcDbSettings,
        dial: Arc<dyn Dial>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<GrpcDb, InvalidUri> {
        let Endpoint { host, port, tls } = &endpoint;
        let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let authority = format!("{scheme}://{shown}:{port}");
        let uri = |op: &OpKind| format!("{authority}/{SERVICE}/{}", op.name()).parse();
        let operations = OpKind::ALL.iter().map(uri).collect::<Result<_, _>>()?;
        let links = Links::new(endpoint, dial, &settings);
        Ok(GrpcDb(Arc::new(Inner { links, lane, signer, settings, surroundings, operations, authority })))
    }

    /// The id of these names in this order, made if there is none. For peers. Errors: the registry's; as of a call.
    pub async fn define_attribute_list(
        &self,
        cx: &Context,
        names: Vec<String>,
        demand: Demand,
    ) -> Result<u64, Error> {
        self.ask(cx, PeerCall::DefineAttributeList { names, demand }).await
    }

    /// The first of a run of ids for lists that are never stored. For peers. Errors: the store's; as of a call.
    pub async fn take_passing_ids(&self, cx: &Context) -> Result<u64, Error> {
        self.ask(cx, PeerCall::TakePassingIds).await
    }

    /// Up to where the log has to be applied for all that was acknowledged before the call to be there. For peers. Errors: those
    /// of a strongly consistent read; as of a call.
    pub async fn read_index(&self, cx: &Context) -> Result<u64, Error> {
        self.ask(cx, PeerCall::ReadIndex).await
    }

    async fn ask(&self, cx: &Context, call: PeerCall) -> Result<u64, Error> {
        let uri = format!("{}/{PEER_SERVICE}/{}", self.0.authority, call.method());
        let uri = uri.parse().map_err(|error| error::unsendable(&error))?;
        let mut out = frame::open(REQUEST_BYTES);
        call.encode(&mut out);
        let (_, message) = self.0.exchange(cx, uri, out).await?;
        peer::decode_number(message)
    }
}

impl Inner {
    /// Sends a message and waits for its answer, no longer than the context says.
    async fn exchange(&self, cx: &Context, uri: Uri, message: Vec<u8>) -> Result<(HeaderMap, Bytes), Error> {
        let message = frame::close(message).map_err(|error| error::unsendable(&error))?;
        let now = self.surroundings.monotonic();
        let wait = match cx.deadline {
            Some(deadline) => deadline.saturating_duration_since(now),
            None => Duration::from_millis(self.settings.request_timeout_millis),
        };
        let mut metadata = self.metadata(cx, wait)?;
        self.sign(&uri, &mut metadata, &message)?;
        match tokio::time::timeout(wait, exchange::exchange(&self.links, uri, metadata, message)).await {
            Ok(answer) => answer,
            Err(_) => Err(error::no_answer("the endpoint did not answer in time")),
        }
    }

    /// Says who calls, where there is anybody to say it for. `message` is framed.
    fn sign(&self, uri: &Uri, metadata: &mut HeaderMap, message: &[u8]) -> Result<(), Error> {
        let Some(signer) = &self.signer else { return Ok(()) };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let message = message.get(PREFIX_BYTES..).unwrap_or_default();
        let call = Call { path: uri.path(), authority, metadata, message };
        for (name, value) in signer.sign(&call, self.surroundings.wall_millis()) {
            let value = HeaderValue::try_from(value).map_err(|error| error::unsendable(&error))?;
            metadata.insert(HeaderName::from_static(name), value);
        }
        Ok(())
    }

    fn metadata(&self, cx: &Context, wait: Duration) -> Result<HeaderMap, Error> {
        let mut metadata = HeaderMap::with_capacity(12);
        metadata.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        metadata.insert(http::header::TE, HeaderValue::from_static("trailers"));
        metadata.insert(metadata::ERRORS, HeaderValue::from_static(metadata::IN_MESSAGE));
        metadata.insert(metadata::TIMEOUT, metadata::write_timeout(wait));
        if let Some(floor) = &cx.min_version {
            metadata.insert(token::MIN_VERSION_HEADER, metadata::write_version(floor));
        }
        if let Some(bound) = cx.max_staleness {
            let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
            metadata.insert(token::MAX_STALENESS_HEADER, HeaderValue::from(millis));
        }
        if self.lane == Lane::Peer {
            let id = HeaderValue::try_from(format!("{:x}", cx.request_id)).expect("hexadecimal digits");
            metadata.insert(metadata::REQUEST_ID, id);
            metadata.insert(metadata::HOPS, HeaderValue::from(u16::from(cx.hops)));
            if !cx.caller.access_key.is_empty() {
                let caller = HeaderValue::try_from(cx.caller.access_key.as_str())
                    .map_err(|error| error::unsendable(&error))?;
                metadata.insert(metadata::CALLER, caller);
            }
        }
        Ok(metadata)
    }
}

impl DynamoDb for GrpcDb {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let question = Question::of(&request);
        let mut out = frame::open(REQUEST_BYTES);
        codec::encode_request(&request, &mut out);
        drop(request);
        // The table of operations and the enum stand in one order.
        let uri = self.0.operations[question.op as usize].clone();
        let (metadata, message) = self.0.exchange(&cx, uri, out).await?;
        let response = codec::decode_response(question, message)?;
        let source = if metadata.contains_key(token::CACHE_HEADER) {
            metadata::read_source(&metadata)
        } else {
            Source::Store
        };
        Ok(Answer { response, version: metadata::read_version(&metadata), source })
    }
}
