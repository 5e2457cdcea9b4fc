//! The front over a store that answers what a test tells it to, without sockets.

mod at_once;
mod bad_input;
mod farewell;
mod floors;
mod front;
mod slow;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::op::{DescribeEndpointsOutput, Endpoint};
use api::operation::Ready;
use api::{Answer, Context, DynamoDb, Error, Request, Response, Source, Version, Wire};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{ConnectionState, HttpServer, HttpSettings};
use crate::sigv4::Auth;
use crate::surroundings::Surroundings;

/// 2026-11-21T00:00:00Z.
pub(super) const NOW_SECONDS: u64 = 1_795_219_200;

/// A world in which it is always the same moment.
pub(super) struct Still;

impl Surroundings for Still {
    fn wall_millis(&self) -> u64 {
        NOW_SECONDS * 1000
    }
    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
    fn random(&self) -> u128 {
        0x0123_4567_89ab_cdef_0123_4567_89ab_cdef
    }
}

/// What the store does with a request.
#[derive(Clone)]
pub(super) enum Act {
    /// Answers with this body, from the cache.
    Json(Bytes),
    /// Names no address.
    Endpoints,
    /// Fails.
    Fail(Error),
    /// Answers after a while.
    Late(Duration),
}

/// A store that does as it is told and remembers what it was asked with.
pub(super) struct Told {
    act: Mutex<Act>,
    version: Mutex<Option<Version>>,
    asked: Mutex<Vec<Context>>,
}

impl Told {
    pub(super) fn new(act: Act) -> Arc<Told> {
        Arc::new(Told { act: Mutex::new(act), version: Mutex::new(None), asked: Mutex::default() })
    }
    fn floors(&self) -> Vec<Option<Version>> {
        self.asked.lock().iter().map(|cx| cx.min_version).collect()
    }
}

impl DynamoDb for Told {
    async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
        self.asked.lock().push(cx);
        let act = self.act.lock().clone();
        let bytes = match act {
            Act::Json(bytes) => bytes,
            Act::Fail(error) => return Err(error),
            Act::Endpoints => {
                let endpoints = vec![Endpoint { address: String::new(), cache_period_minutes: 1440 }];
                return Ok(Answer {
                    response: Response::DescribeEndpoints(DescribeEndpointsOutput { endpoints }),
                    version: None,
                    source: Source::Store,
                });
            }
            Act::Late(by) => {
                tokio::time::sleep(by).await;
                Bytes::from_static(b"{}")
            }
        };
        let crc32 = crc32fast::hash(&bytes);
        Ok(Answer {
            response: Response::Ready(Ready { wire: Wire::Json, bytes, crc32 }),
            version: *self.version.lock(),
            source: Source::Cache,
        })
    }
}

pub(super) fn server(db: &Arc<Told>) -> HttpServer<Arc<Told>> {
    with_settings(db, HttpSettings::default())
}

fn with_settings(db: &Arc<Told>, settings: HttpSettings) -> HttpServer<Arc<Told>> {
    HttpServer::new(Arc::clone(db), Auth::Any, settings, Arc::new(Still))
}

/// An answer taken apart.
pub(super) struct Seen {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Seen {
    async fn of(response: http::Response<Full<Bytes>>) -> Seen {
        Seen::of_body(response).await
    }
    async fn of_body<B: hyper::body::Body<Data = Bytes>>(response: http::Response<B>) -> Seen
    where
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Seen { status: head.status.as_u16(), headers: head.headers, body }
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request as SDKs send it, before a test spoils it.
pub(super) fn get_item() -> http::request::Builder {
    http::Request::post("/")
        .header("host", "db.example:8000")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "DynamoDB_20120810.GetItem")
}

/// A body that any `GetItem` may have.
pub(super) const GET_BODY: &str = r#"{"TableName":"table","Key":{"k":{"S":"a"}}}"#;

async fn handle(server: &HttpServer<Arc<Told>>, request: http::Request<&[u8]>) -> Seen {
    on(server, &server.connection(), request).await
}

async fn on(
    server: &HttpServer<Arc<Told>>,
    connection: &ConnectionState,
    request: http::Request<&[u8]>,
) -> Seen {
    Seen::of(server.handle(request.map(Bytes::copy_from_slice), connection).await).await
}

/// A client's end of a served connection.
fn connect(server: &HttpServer<Arc<Told>>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = server.clone();
    tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
    near
}

/// A request in HTTP/1.1.
fn plain(target: &str, extra: &str, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: db.example\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.{target}\r\n{extra}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one answer in HTTP/1.1.
async fn read_answer(io: &mut DuplexStream) -> Option<(u16, String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.trim().parse().unwrap()];
    io.read_exact(&mut body).await.ok()?;
    Some((status, head, body))
}

/// Sends bytes and reads one answer.
async fn ask(io: &mut DuplexStream, request: &[u8]) -> Option<(u16, String, Vec<u8>)> {
    io.write_all(request).await.ok()?;
    read_answer(io).await
}
