//! A `DynamoDb` whose store is a DAX cluster: of ours, or of AWS.
//!
//! `seed` says where a cluster is found, `roster` keeps its nodes and chooses one, `node` keeps connections to it and what was
//! learned of it, `link` is one connection, `signing` says who calls, `failure` what may be asked again.
//!
//! What the wire has no place for: `min_version` and `max_staleness` of a context make reads strongly consistent, but for
//! those of an index, which may have no such reads; the item of a failed condition is not returned; answers have no version.
//! Operations that DAX lacks are refused here. Needs a tokio runtime with its timer and, for its sockets, its driver of I/O.
//!
//! Invariants: a write is never sent twice unless the first provably took no effect or its token makes the two one; at most
//! `max_connections` connections to a node; nobody waits beyond its own deadline.

mod failure;
mod known;
mod link;
mod node;
mod roster;
mod seed;
mod signing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpClass, Request};
use rustls::pki_types::ServerName;
use socket::dial::{self, Dial, Tcp, Tls};

pub use failure::DaxDbError;
pub use signing::Credentials;

use crate::cbor::Reader;
use crate::codec::handshake::{self, Endpoint, Preamble};
use crate::codec::layering::Layering;
use crate::codec::method::Method;
use crate::codec::request::not_on_this_wire;
use crate::error::{read_codes, read_error};
use crate::surroundings::Surroundings;
use failure::{Again, Failed};
use link::Link;
use roster::Roster;
use seed::Seed;

/// How this client calls itself.
const USER_AGENT: &str = concat!("Forebay-", env!("CARGO_PKG_VERSION"));

/// The wait before the second try, doubled with each further one.
const BACKOFF: Duration = Duration::from_millis(70);
/// The longest wait before a further try.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Settings of the client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaxDbSettings {
    /// Where the cluster is found: `dax://host[:port]` or `daxs://host[:port]`, all of one scheme. With TLS certificates are
    /// verified against the first one's name, for every node.
    pub seeds: Vec<String>,
    /// The region signatures name. Default `us-east-1`.
    #[serde(default = "default_region")]
    pub region: String,
    /// Most connections at a time to one node. Default 64.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
    /// Most requests at a time on one connection. Default 1, which is all that a cluster of AWS is known to take; a node of
    /// ours takes any number and answers in order.
    #[serde(default = "default_pipelining")]
    pub pipelining: usize,
    /// How long connecting may take, a TLS handshake included. Default 1,000.
    #[serde(default = "default_connect_timeout_millis")]
    pub connect_timeout_millis: u64,
    /// How long a request may take whose context has no deadline. Default 10,000.
    #[serde(default = "default_request_timeout_millis")]
    pub request_timeout_millis: u64,
    /// How often a request that may be asked again is, beyond the first time. Default 2.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// How old the list of nodes may be before a request has it asked for anew. Default 4,000.
    #[serde(default = "default_refresh_millis")]
    pub refresh_millis: u64,
}

fn default_region() -> String {
    api::limits::REGION.to_owned()
}

const fn default_max_connections() -> usize {
    64
}

const fn default_pipelining() -> usize {
    1
}

const fn default_connect_timeout_millis() -> u64 {
    1_000
}

const fn default_request_timeout_millis() -> u64 {
    10_000
}

const fn default_retries() -> u32 {
    2
}

const fn default_refresh_millis() -> u64 {
    4_000
}

impl DaxDbSettings {
    /// The defaults, for a seed.
    pub fn new(seed: impl Into<String>) -> DaxDbSettings {
        DaxDbSettings {
            seeds: vec![seed.into()],
            region: default_region(),
            max_connections: default_max_connections(),
            pipelining: default_pipelining(),
            connect_timeout_millis: default_connect_timeout_millis(),
            request_timeout_millis: default_request_timeout_millis(),
            retries: default_retries(),
            refresh_millis: default_refresh_millis(),
        }
    }
}

/// The client. Cloning shares it.
#[derive(Clone)]
pub struct DaxDb {
    wiring: Arc<Wiring>,
    roster: Arc<Roster>,
}

impl std::fmt::Debug for DaxDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DaxDb").field("settings", &self.wiring.settings).finish_non_exhaustive()
    }
}

/// How connections to the cluster are made.
struct Wiring {
    settings: DaxDbSettings,
    credentials: Option<Credentials>,
    tls: Option<Tls>,
    dial: Arc<dyn Dial>,
    surroundings: Arc<dyn Surroundings>,
    session: [u8; 16],
}

impl DaxDb {
    /// A client of the settings' cluster that connects over TCP. Without credentials nothing is signed; `daxs` seeds need
    /// `tls`. Nothing is connected yet. Errors: settings that cannot work.
    pub fn new(
        settings: DaxDbSettings,
        credentials: Option<Credentials>,
        tls: Option<Arc<rustls::ClientConfig>>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<DaxDb, DaxDbError> {
        DaxDb::with_dial(settings, credentials, tls, surroundings, Arc::new(Tcp))
    }

    /// The same, connecting by `dial`.
    pub fn with_dial(
        settings: DaxDbSettings,
        credentials: Option<Credentials>,
        tls: Option<Arc<rustls::ClientConfig>>,
        surroundings: Arc<dyn Surroundings>,
        dial: Arc<dyn Dial>,
    ) -> Result<DaxDb, DaxDbError> {
        let seeds: Vec<Seed> =
            settings.seeds.iter().map(|seed| Seed::parse(seed)).collect::<Result<_, _>>()?;
        let first = seeds.first().ok_or(DaxDbError::Seeds)?;
        if seeds.iter().any(|seed| seed.encrypted != first.encrypted) {
            return Err(DaxDbError::Seeds);
        }
        let tls = match (first.encrypted, tls) {
            (false, _) => None,
            (true, None) => return Err(DaxDbError::NoTls),
            (true, Some(tls)) => {
                let name = ServerName::try_from(first.host.clone())
                    .map_err(|_| DaxDbError::Seed { seed: first.host.clone() })?;
                Some(Tls { config: tls, name })
            }
        };
        for (setting, number) in
            [("max_connections", settings.max_connections), ("pipelining", settings.pipelining)]
        {
            if number == 0 {
                return Err(DaxDbError::Zero { setting });
            }
        }
        let session = surroundings.random().to_be_bytes();
        let wiring = Arc::new(Wiring { settings, credentials, tls, dial, surroundings, session });
        let roster = Arc::new(Roster::new(Arc::clone(&wiring), seeds));
        Ok(DaxDb { wiring, roster })
    }

    /// Asks, and asks again what may be.
    async fn attempts(&self, request: &Request) -> Result<Answer, Error> {
        let class = request.kind().class();
        let mut last = None;
        for attempt in 0.. {
            let failed = match self.roster.pick(class, last.as_ref()).await {
                Ok(node) => {
                    let called = node.call(request).await;
                    last = Some(node);
                    match called {
                        Ok(response) => return Ok(Answer::from_store(response, None)),
                        Err(failed) => failed,
                    }
                }
                Err(failed) => failed,
            };
            let may = match failed.again {
                Again::Always => true,
                Again::IfHarmless => is_harmless(request),
                Again::Never => false,
            };
            if !may || attempt >= self.wiring.settings.retries {
                return Err(failed.error);
            }
            // One that another node or connection may answer is asked at once; a cluster that asks for time gets it.
            if !failed.of_node && failed.error.kind == ErrorKind::ServiceUnavailableException {
                tokio::time::sleep((BACKOFF * (1 << attempt.min(8))).min(BACKOFF_MAX)).await;
            }
        }
        Err(Error::new(ErrorKind::InternalServerError, "Internal server error"))
    }
}

/// Whether a request may take effect twice.
fn is_harmless(request: &Request) -> bool {
    match request {
        Request::TransactWriteItems(input) => input.token.is_some(),
        other => other.kind().class() == OpClass::Read,
    }
}

/// The request as it is sent: fresh where the caller bounds how stale an answer may be, since the wire has no such bounds.
fn at_least_as_fresh(cx: &Context, mut request: Request) -> Request {
    if cx.min_version.is_none() && cx.max_staleness.is_none() {
        return request;
    }
    match &mut request {
        Request::GetItem(input) => input.consistent = true,
        Request::BatchGetItem(input) => input.tables.iter_mut().for_each(|table| table.consistent = true),
        Request::Query(input) => input.consistent |= input.index.is_none(),
        Request::Scan(input) => input.consistent |= input.index.is_none(),
        _ => {}
    }
    request
}

impl DynamoDb for DaxDb {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let now = self.wiring.surroundings.monotonic();
        let wait = match cx.deadline {
            Some(deadline) => deadline.saturating_duration_since(now),
            None => Duration::from_millis(self.wiring.settings.request_timeout_millis),
        };
        if request.kind().dax_method().is_none() {
            return Err(not_on_this_wire(request.kind()));
        }
        let request = at_least_as_fresh(&cx, request);
        match tokio::time::timeout(wait, self.attempts(&request)).await {
            Ok(answered) => answered,
            Err(_) => Err(Failed::no_answer(&"it did not answer in time").error),
        }
    }
}

impl Wiring {
    async fn connect(&self, host: &str, port: u16) -> Result<Link, Failed> {
        let limit = Duration::from_millis(self.settings.connect_timeout_millis);
        let io = dial::connect(&*self.dial, host, port, self.tls.as_ref(), limit)
            .await
            .map_err(|error| Failed::not_sent(&error))?;
        let mut preamble = Vec::new();
        Preamble {
            layering: Layering::Plain,
            session: self.session.to_vec(),
            user_agent: Some(USER_AGENT.to_owned()),
        }
        .write(&mut preamble);
        Ok(Link::new(io, preamble, self.settings.pipelining > 1))
    }

    /// Appends who calls, where there is anything to say.
    fn claim(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let now = self.surroundings.wall_millis() / 1000;
        credentials.write_claim(out, &self.settings.region, USER_AGENT, now)
    }

    /// Asks a seed for the nodes, on a connection of its own.
    async fn endpoints(&self, seed: &Seed) -> Result<Vec<Endpoint>, Failed> {
        let link = self.connect(&seed.host, seed.port).await?;
        let mut request = Vec::new();
        handshake::write_endpoints_request(&mut request).map_err(Failed::for_good)?;
        let now = self.surroundings.monotonic();
        let asked = link.exchange(Method::Endpoints, &request, now, |out| self.claim(out));
        let limit = Duration::from_millis(self.settings.connect_timeout_millis);
        let answer = match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer?,
            Err(late) => return Err(Failed::not_sent(&late)),
        };
        let unreadable = |error: Error| Failed::not_sent(&error);
        let mut reader = Reader::new(&answer);
        let codes = read_codes(&mut reader).map_err(unreadable)?;
        if codes.is_empty() {
            return handshake::read_endpoints(reader.rest()).map_err(unreadable);
        }
        let unknown = |_: &str| Err(Error::new(ErrorKind::InternalServerError, "Internal server error"));
        let mut names = crate::codec::item::ListNames::new(&|_| None);
        let error = read_error(&answer, None, &unknown, &mut names).map_err(unreadable)?;
        Err(Failed { error, again: Again::after(&codes), of_node: false })
    }
}
