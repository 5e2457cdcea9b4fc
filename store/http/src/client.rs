//! A `DynamoDb` whose store is another endpoint: AWS, Alternator, or a node of ours.
//!
//! Each call is one signed request on a pooled connection. Deliberately retries nothing but a request that provably was
//! never sent; what may be repeated is judged by a layer above, from the error's kind. A request whose answer did not come
//! ends in `InternalServerError`: whether it took effect is not known.
//!
//! Invariant: at most `max_connections` connections; who waits for one waits no longer than its own deadline.

mod error;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpKind, Request, Response, Source, Version, token};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::Full;
use httparse::Header;
use socket::dial::{Dial, Tcp, Tls};

pub use error::HttpDbError;

use crate::codec;
use crate::sigv4::{self, Credentials};
use crate::surroundings::Surroundings;
use pool::Pool;

/// Largest answer that is read: a full batch of binaries, in base64, with room. Unit: bytes.
const ANSWER_BYTES: usize = 64 << 20;

/// Settings of the client.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpDbSettings {
    /// Where to: `http://host[:port]` or `https://host[:port]`.
    pub endpoint: String,
    /// The region signatures name. Default `us-east-1`.
    #[serde(default = "default_region")]
    pub region: String,
    /// Most connections at a time. Default 64.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
    /// How long connecting may take. Default 1,000.
    #[serde(default = "default_connect_timeout_millis")]
    pub connect_timeout_millis: u64,
    /// How long a request may take whose context has no deadline. Default 10,000.
    #[serde(default = "default_request_timeout_millis")]
    pub request_timeout_millis: u64,
}

fn default_region() -> String {
    api::limits::REGION.to_owned()
}

const fn default_max_connections() -> usize {
    64
}

const fn default_connect_timeout_millis() -> u64 {
    1_000
}

const fn default_request_timeout_millis() -> u64 {
    10_000
}

impl HttpDbSettings {
    /// The defaults, for an endpoint.
    pub fn new(endpoint: impl Into<String>) -> HttpDbSettings {
        HttpDbSettings {
            endpoint: endpoint.into(),
            region: default_region(),
            max_connections: default_max_connections(),
            connect_timeout_millis: default_connect_timeout_millis(),
            request_timeout_millis: default_request_timeout_millis(),
        }
    }
}

/// The client. Needs a tokio runtime with its timer and, for its sockets, its driver of I/O.
pub struct HttpDb {
    pool: Pool,
    authority: String,
    settings: HttpDbSettings,
    credentials: Option<Credentials>,
    surroundings: Arc<dyn Surroundings>,
}

impl std::fmt::Debug for HttpDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpDb").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl HttpDb {
    /// A client of the settings' endpoint that connects over TCP. Without credentials requests are not signed; an `https`
    /// endpoint needs `tls`. Nothing is connected yet. Errors: settings that cannot work.
    pub fn new(
        settings: HttpDbSettings,
        credentials: Option<Credentials>,
        tls: Option<Arc<rustls::ClientConfig>>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<HttpDb, HttpDbError> {
        HttpDb::with_dial(settings, credentials, tls, surroundings, Arc::new(Tcp))
    }

    /// The same, connecting by `dial`.
    pub fn with_dial(
        settings: HttpDbSettings,
        credentials: Option<Credentials>,
        tls: Option<Arc<rustls::ClientConfig>>,
        surroundings: Arc<dyn Surroundings>,
        dial: Arc<dyn Dial>,
    ) -> Result<HttpDb, HttpDbError> {
        let bad = || HttpDbError::Endpoint { endpoint: settings.endpoint.clone() };
        let uri: http::Uri = settings.endpoint.parse().map_err(|_| bad())?;
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
        let authority = uri.authority().ok_or_else(bad)?.as_str().to_owned();
        if authority.contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad());
        }
        let (port, tls) = match (uri.scheme_str(), tls) {
            (Some("http"), _) => (uri.port_u16().unwrap_or(80), None),
            (Some("https"), Some(tls)) => {
                let name = rustls::pki_types::ServerName::try_from(host.clone()).map_err(|_| bad())?;
                (uri.port_u16().unwrap_or(443), Some(Tls { config: tls, name }))
            }
            (Some("https"), None) => return Err(HttpDbError::NoTls { endpoint: settings.endpoint.clone() }),
            _ => return Err(bad()),
        };
        if settings.max_connections == 0 {
            return Err(HttpDbError::NoConnections);
        }
        let connect_timeout = Duration::from_millis(settings.connect_timeout_millis);
        let pool = Pool::new(dial, host, port, tls, settings.max_connections, connect_timeout);
        Ok(HttpDb { pool, authority, settings, credentials, surroundings })
    }

    /// The request as it goes out. Errors: none of the service's; values that fit no header.
    fn message(&self, cx: &Context, op: OpKind, body: Bytes) -> Result<http::Request<Full<Bytes>>, Error> {
        let seconds = self.surroundings.wall_millis() / 1000;
        let date = sigv4::time::write(seconds);
        let target = format!("DynamoDB_20120810.{}", op.name());
        let mut version = Vec::with_capacity(token::TOKEN_BYTES);
        let staleness;
        let mut list = vec![
            Header { name: "content-type", value: b"application/x-amz-json-1.0" },
            Header { name: "host", value: self.authority.as_bytes() },
            Header { name: "x-amz-date", value: &date },
            Header { name: "x-amz-target", value: target.as_bytes() },
        ];
        if let Some(floor) = &cx.min_version {
            token::write(floor, &mut version);
            list.push(Header { name: token::MIN_VERSION_HEADER, value: &version });
        }
        if let Some(bound) = cx.max_staleness {
            staleness = bound.as_millis().to_string();
            list.push(Header { name: token::MAX_STALENESS_HEADER, value: staleness.as_bytes() });
        }
        let authorization;
        if let Some(credentials) = &self.credentials {
            if let Some(token) = &credentials.session_token {
                list.push(Header { name: "x-amz-security-token", value: token.as_bytes() });
            }
            let signature = sigv4::sign(
                credentials,
                &self.settings.region,
                "dynamodb",
                seconds,
                "POST",
                "/",
                &list,
                &body,
            );
            authorization = signature.authorization;
            list.push(Header { name: "authorization", value: authorization.as_bytes() });
        }
        let mut headers = HeaderMap::with_capacity(list.len() + 1);
        for header in &list {
            let name =
                HeaderName::from_bytes(header.name.as_bytes()).map_err(|error| error::unsendable(&error))?;
            let value = HeaderValue::from_bytes(header.value).map_err(|error| error::unsendable(&error))?;
            headers.insert(name, value);
        }
        let mut message = http::Request::new(Full::new(body));
        *message.method_mut() = http::Method::POST;
        *message.headers_mut() = headers;
        Ok(message)
    }

    async fn exchange(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let op = request.kind();
        let body = codec::encode_request(&request);
        let message = self.message(&cx, op, body.into())?;
        let now = self.surroundings.monotonic();
        let wait = match cx.deadline {
            Some(deadline) => deadline.saturating_duration_since(now),
            None => Duration::from_millis(self.settings.request_timeout_millis),
        };
        let (head, body) = match tokio::time::timeout(wait, self.pool.exchange(message, ANSWER_BYTES)).await {
            Ok(result) => result?,
            Err(_) => return Err(error::no_answer("the endpoint did not answer in time")),
        };
        read_answer(op, &head, &body)
    }
}

impl DynamoDb for HttpDb {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        self.exchange(cx, request).await
    }
}

fn read_answer(op: OpKind, head: &http::response::Parts, body: &[u8]) -> Result<Answer, Error> {
    if let Some(sum) = text(&head.headers, "x-amz-crc32").and_then(|sum| sum.parse::<u32>().ok())
        && sum != crc32fast::hash(body)
    {
        return Err(error::no_answer("the answer was damaged on its way: its CRC32 does not match"));
    }
    if !head.status.is_success() {
        return Err(crate::error::read_body(head.status.as_u16(), body));
    }
    let response: Response = codec::decode_response(op, body)?;
    let version: Option<Version> =
        head.headers.get(token::VERSION_HEADER).and_then(|value| token::read(value.as_bytes()));
    let source = match text(&head.headers, token::CACHE_HEADER) {
        Some("hit") => Source::Cache,
        Some("mixed") => Source::Mixed,
        _ => Source::Store,
    };
    Ok(Answer { response, version, source })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a caller is told of trouble that is not the service's.
fn internal(message: &'static str) -> Error {
    Error::new(ErrorKind::InternalServerError, message)
}

#[cfg(test)]
mod tests;
