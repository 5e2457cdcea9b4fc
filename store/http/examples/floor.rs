//! What the HTTP front costs by itself: a fixed ready answer, against a raw echo of as many bytes, hyper, and Redis.
//!
//! `floor serve front|signed|hyper|echo PORT [REQUEST_BYTES ANSWER_BYTES]` serves on one thread;
//! `floor load http|signed|redis PORT CONNECTIONS SECONDS` asks from one thread and prints one line. Pin each end to a core
//! (`taskset -c`), and interleave the runs: the ratios are what counts. Redis must hold 500 bytes under the key `key`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::operation::Ready;
use api::{Answer, Context, DynamoDb, Error, Request, Response, Source, Wire};
use bytes::Bytes;
use forebay_store_http::{Auth, Credentials, HttpServer, HttpSettings, Keyring, Surroundings, sigv4};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BODY: &str = r#"{"TableName":"benchmark","Key":{"pk":{"S":"user#0000012345"}}}"#;

struct Fixed(Bytes, u32);

impl DynamoDb for Fixed {
    async fn call(&self, _: Context, _: Request) -> Result<Answer, Error> {
        let ready = Ready { wire: Wire::Json, bytes: self.0.clone(), crc32: self.1 };
        Ok(Answer { response: Response::Ready(ready), version: None, source: Source::Cache })
    }
}

struct World;

impl Surroundings for World {
    #[allow(clippy::disallowed_methods, reason = "the outermost place of this program")]
    fn wall_millis(&self) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }
    #[allow(clippy::disallowed_methods, reason = "the outermost place of this program")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn random(&self) -> u128 {
        u128::from(self.wall_millis())
    }
}

fn credentials() -> Credentials {
    Credentials { access_key: "AKIDEXAMPLE".into(), secret_key: "secret".into(), session_token: None }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match (words.first(), words.get(1), number(2)) {
        (Some(&"serve"), Some(kind), Some(port)) => {
            let sizes = (number(3).unwrap_or(400), number(4).unwrap_or(800));
            runtime.block_on(serve(kind, port as u16, sizes))
        }
        (Some(&"load"), Some(kind), Some(port)) => {
            let (connections, seconds) = (number(3).unwrap_or(1), number(4).unwrap_or(3));
            load(&runtime, kind, port as u16, connections, Duration::from_secs(seconds as u64))
        }
        _ => Err(std::io::Error::other("see the head of this file")),
    }
}

async fn serve(kind: &str, port: u16, (request_bytes, answer_bytes): (usize, usize)) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let body = format!(
        "{{\"Item\":{{\"pk\":{{\"S\":\"user#0000012345\"}},\"data\":{{\"S\":\"{}\"}}}}}}",
        "x".repeat(450)
    );
    let crc32 = crc32fast::hash(body.as_bytes());
    let auth = match kind {
        "signed" => Auth::Keys(Arc::new(Keyring::new([credentials()], None))),
        _ => Auth::Any,
    };
    let server = HttpServer::new(Fixed(body.into(), crc32), auth, HttpSettings::default(), Arc::new(World));
    loop {
        let (mut io, _) = listener.accept().await?;
        io.set_nodelay(true)?;
        let server = server.clone();
        match kind {
            "echo" => drop(tokio::spawn(async move {
                let mut request = vec![0; request_bytes];
                let answer = vec![b'x'; answer_bytes];
                while io.read_exact(&mut request).await.is_ok() {
                    if io.write_all(&answer).await.is_err() {
                        break;
                    }
                }
            })),
            "hyper" => drop(tokio::spawn(async move {
                let connection = Arc::new(server.connection());
                let service =
                    hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let (server, connection) = (server.clone(), Arc::clone(&connection));
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await?.to_bytes();
                            let request = http::Request::from_parts(head, body);
                            Ok::<http::Response<Full<Bytes>>, hyper::Error>(
                                server.handle(request, &connection).await,
                            )
                        }
                    });
                let io = hyper_util::rt::TokioIo::new(io);
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .pipeline_flush(true)
                        .serve_connection(io, service)
                        .await,
                );
            })),
            _ => drop(tokio::spawn(async move { server.serve_connection(io, std::future::pending()).await })),
        }
    }
}

fn request(kind: &str) -> Vec<u8> {
    if kind == "redis" {
        return b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".to_vec();
    }
    let seconds = World.wall_millis() / 1000;
    let date = String::from_utf8_lossy(&sigv4::time::write(seconds)).into_owned();
    let headers = [
        ("host", "127.0.0.1:8000"),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", date.as_str()),
        ("x-amz-target", "DynamoDB_20120810.GetItem"),
    ];
    let mut text = String::from("POST / HTTP/1.1\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if kind == "signed" {
        let list = headers.map(|(name, value)| httparse::Header { name, value: value.as_bytes() });
        let body = BODY.as_bytes();
        let signed = sigv4::sign(&credentials(), "us-east-1", "dynamodb", seconds, "POST", "/", &list, body);
        text.push_str(&format!("authorization: {}\r\n", signed.authorization));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{BODY}", BODY.len()));
    text.into_bytes()
}

fn load(
    runtime: &tokio::runtime::Runtime,
    kind: &str,
    port: u16,
    connections: usize,
    lasting: Duration,
) -> std::io::Result<()> {
    let request = request(kind);
    let mut probe = std::net::TcpStream::connect(("127.0.0.1", port))?;
    probe.set_nodelay(true)?;
    probe.write_all(&request)?;
    std::thread::sleep(Duration::from_millis(100));
    let mut answer = vec![0; 65_536];
    let answer_bytes = probe.read(&mut answer)?;
    if kind != "redis" && answer.starts_with(b"HTTP/1.1 4") {
        return Err(std::io::Error::other(String::from_utf8_lossy(&answer[..answer_bytes]).into_owned()));
    }
    answer.truncate(answer_bytes);
    let begun = World.monotonic();
    let mut nanos: Vec<u64> = Vec::with_capacity(1 << 22);
    if connections == 1 {
        while begun.elapsed() < lasting {
            let asked = World.monotonic();
            probe.write_all(&request)?;
            probe.read_exact(&mut answer)?;
            nanos.push(asked.elapsed().as_nanos() as u64);
        }
    } else {
        let request = Arc::new(request);
        nanos = runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..connections {
                let request = Arc::clone(&request);
                tasks.push(tokio::spawn(async move {
                    let mut nanos = Vec::with_capacity(1 << 18);
                    let mut io = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
                    io.set_nodelay(true)?;
                    let mut answer = vec![0; answer_bytes];
                    while begun.elapsed() < lasting {
                        let asked = World.monotonic();
                        io.write_all(&request).await?;
                        io.read_exact(&mut answer).await?;
                        nanos.push(asked.elapsed().as_nanos() as u64);
                    }
                    std::io::Result::Ok(nanos)
                }));
            }
            let mut all = Vec::new();
            for task in tasks {
                all.extend(task.await.map_err(std::io::Error::other)??);
            }
            std::io::Result::Ok(all)
        })?;
    }
    let lasted = begun.elapsed().as_secs_f64();
    nanos.sort_unstable();
    let at = |share: f64| nanos[(nanos.len() as f64 * share) as usize] as f64 / 1000.0;
    println!(
        "{kind:7} connections {connections:3}  request {} B  answer {answer_bytes} B  {:9.0}/s  p50 {:6.1} us  p99 {:6.1} us",
        request_len(kind),
        nanos.len() as f64 / lasted,
        at(0.5),
        at(0.99)
    );
    Ok(())
}

fn request_len(kind: &str) -> usize {
    request(kind).len()
}
