//! The admin port: is the process well, is it ready, what does it count, what is it set to.
//!
//! `GET /health` (the process answers, or 503 where only a restart helps), `/ready` (200, or 503 with the reasons), `/metrics` (Prometheus text), `/settings` (effective,
//! secrets masked), `/` (an index of all of these and of whatever the binary adds with [`Admin::route`]). Nothing here is on
//! a request's way, so it is plain HTTP/1.1 with small bounds. It authenticates nobody: bind it where only operators reach it.

mod readiness;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::metrics::Registry;
use crate::shutdown::Shutdown;

pub use readiness::{Readiness, Requirement};

/// Open connections to the admin port; one more waits until another closes.
pub const MAX_ADMIN_CONNECTIONS: usize = 64;
/// A request body larger than this is refused with 413.
pub const MAX_ADMIN_BODY_BYTES: usize = 1024 * 1024;
/// A request whose headers or body have not arrived by then is given up.
pub const ADMIN_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A request to the admin port, read whole.
#[derive(Debug, Clone)]
pub struct AdminRequest {
    /// The method.
    pub method: Method,
    /// The path, as routed.
    pub path: String,
    /// What stands after `?`, undecoded.
    pub query: Option<String>,
    /// The body, at most [`MAX_ADMIN_BODY_BYTES`].
    pub body: Bytes,
}

/// What the admin port answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAnswer {
    /// The status.
    pub status: StatusCode,
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl AdminAnswer {
    /// Plain text.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        AdminAnswer { status, content_type: "text/plain; charset=utf-8", body: text.into() }
    }

    /// JSON, given as text.
    pub fn json(status: StatusCode, json: impl Into<Bytes>) -> Self {
        AdminAnswer { status, content_type: "application/json", body: json.into() }
    }
}

type Answering = Pin<Box<dyn Future<Output = AdminAnswer> + Send>>;
type Handler = Arc<dyn Fn(AdminRequest) -> Answering + Send + Sync>;

struct Route {
    about: &'static str,
    handler: Handler,
}

/// The admin port, before it is bound.
pub struct Admin {
    routes: BTreeMap<&'static str, Route>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("routes", &self.routes.keys()).finish()
    }
}

impl Admin {
    /// The port with its own endpoints. `settings` is the effective settings as text, see [`crate::settings::print`].
    pub fn new(registry: Registry, readiness: Readiness, settings: String) -> Self {
        let mut admin = Admin { routes: BTreeMap::new() };
        let alive = readiness.clone();
        admin.route(
            "/health",
            "whether the process answers; 503 with the reasons where only a restart helps",
            move |_| {
                let answer = health_answer(&alive.losses());
                async { answer }
            },
        );
        admin.route("/ready", "whether requests are served; 503 with the reasons while not", move |_| {
            let answer = readiness_answer(&readiness.reasons());
            async { answer }
        });
        admin.route("/metrics", "all metrics, Prometheus text format", move |_| {
            let text = registry.prometheus();
            async {
                AdminAnswer {
                    status: StatusCode::OK,
                    content_type: "text/plain; version=0.0.4; charset=utf-8",
                    body: text.into(),
                }
            }
        });
        let settings = Bytes::from(settings);
        admin.route("/settings", "effective settings, TOML, secrets masked", move |_| {
            let settings = settings.clone();
            async { AdminAnswer { status: StatusCode::OK, content_type: "application/toml", body: settings } }
        });
        admin
    }

    /// Adds an endpoint, or replaces one. `path` is matched whole; `about` stands beside it in the index. The handler gets every
    /// method but HEAD, which is answered from it without a body.
    pub fn route<H, F>(&mut self, path: &'static str, about: &'static str, handler: H)
    where
        H: Fn(AdminRequest) -> F + Send + Sync + 'static,
        F: Future<Output = AdminAnswer> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        self.routes.insert(path, Route { about, handler });
    }

    /// Binds the port; port 0 picks a free one. Must be called within a runtime. Errors: the address cannot be bound.
    pub async fn bind(self, address: SocketAddr) -> std::io::Result<BoundAdmin> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(BoundAdmin { listener, address, routes: Arc::new(self.routes) })
    }
}

/// The admin port, bound but not served yet.
pub struct BoundAdmin {
    listener: TcpListener,
    address: SocketAddr,
    routes: Arc<BTreeMap<&'static str, Route>>,
}

impl std::fmt::Debug for BoundAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundAdmin").field("address", &self.address).finish_non_exhaustive()
    }
}

impl BoundAdmin {
    /// The real address, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the drain is over: health and metrics stay readable while the process stops. Spawn it on the runtime it
    /// was bound on.
    pub async fn serve(self, shutdown: Shutdown) {
        let slots = Arc::new(Semaphore::new(MAX_ADMIN_CONNECTIONS));
        let end = shutdown.drained();
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                () = &mut end => return,
                accepted = accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, slot)) => {
                    let routes = self.routes.clone();
                    tokio::spawn(async move {
                        serve_connection(stream, routes).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin port cannot accept a connection");
                    tokio::time::sleep(crate::runtime::ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.expect("nobody closes this semaphore");
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn serve_connection(stream: tokio::net::TcpStream, routes: Arc<BTreeMap<&'static str, Route>>) {
    let service = hyper::service::service_fn(move |request| {
        let routes = routes.clone();
        async move { Ok::<_, Infallible>(respond(&routes, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an admin connection ended badly");
    }
}

async fn respond(
    routes: &BTreeMap<&'static str, Route>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    // A body that announces too great a length is not waited for.
    let too_long = hyper::body::Body::size_hint(&body).lower() > MAX_ADMIN_BODY_BYTES as u64;
    let answer = if too_long {
        payload_too_large()
    } else {
        let read = Limited::new(body, MAX_ADMIN_BODY_BYTES).collect();
        match tokio::time::timeout(ADMIN_READ_TIMEOUT, read).await {
            Err(_) => AdminAnswer::text(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time\n"),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => payload_too_large(),
            Ok(Err(error)) => {
                AdminAnswer::text(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}\n"))
            }
            Ok(Ok(body)) => {
                let request = AdminRequest {
                    method: head.method.clone(),
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().map(str::to_owned),
                    body: body.to_bytes(),
                };
                dispatch(routes, request).await
            }
        }
    };
    let length = answer.body.len();
    let body = if head.method == Method::HEAD { Bytes::new() } else { answer.body };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn payload_too_large() -> AdminAnswer {
    AdminAnswer::text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("a body has at most {MAX_ADMIN_BODY_BYTES} bytes\n"),
    )
}

async fn dispatch(routes: &BTreeMap<&'static str, Route>, request: AdminRequest) -> AdminAnswer {
    match routes.get(request.path.as_str()) {
        Some(route) => (route.handler)(request).await,
        None if request.path == "/" => index(routes, StatusCode::OK, "Forebay, admin port"),
        None => index(routes, StatusCode::NOT_FOUND, "there is no such page; there are"),
    }
}

fn index(routes: &BTreeMap<&'static str, Route>, status: StatusCode, title: &str) -> AdminAnswer {
    let width = routes.keys().map(|path| path.len()).max().unwrap_or(0);
    let mut text = format!("{title}\n\n");
    for (path, route) in routes {
        text.push_str(&format!("{path:width$}  {}\n", route.about));
    }
    AdminAnswer::text(status, text)
}

fn readiness_answer(reasons: &[(String, String)]) -> AdminAnswer {
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    AdminAnswer::json(status, format!("{{\"ready\":{ready},\"waiting_for\":[{}]}}\n", listed(reasons)))
}

fn health_answer(losses: &[(String, String)]) -> AdminAnswer {
    if losses.is_empty() {
        return AdminAnswer::json(StatusCode::OK, "{\"status\":\"ok\"}\n");
    }
    let text = format!("{{\"status\":\"to be restarted\",\"lost\":[{}]}}\n", listed(losses));
    AdminAnswer::json(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn listed(reasons: &[(String, String)]) -> String {
    let each = |(what, why): &(String, String)| {
        format!("{{\"what\":{},\"why\":{}}}", json_string(what), json_string(why))
    };
    reasons.iter().map(each).collect::<Vec<_>>().join(",")
}

/// A JSON string literal. Here because it is all the JSON this crate writes.
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
