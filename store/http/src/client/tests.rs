//! The client against our own server, over pipes instead of sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use api::op::{DescribeEndpointsInput, DescribeLimitsInput, DescribeLimitsOutput};
use parking_lot::Mutex;
use socket::dial::{Dialing, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::server::{HttpServer, HttpSettings};
use crate::sigv4::{Auth, Keyring};

struct Still;

impl Surroundings for Still {
    fn wall_millis(&self) -> u64 {
        1_795_219_200_000
    }
    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
    fn random(&self) -> u128 {
        7
    }
}

const LIMITS: DescribeLimitsOutput = DescribeLimitsOutput {
    account_read_units: 4,
    account_write_units: 3,
    table_read_units: 2,
    table_write_units: 1,
};

/// Answers limits after a while, and fails at everything else.
struct Limits {
    after: Duration,
    asked: Mutex<Vec<Context>>,
}

impl DynamoDb for Limits {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        self.asked.lock().push(cx);
        tokio::time::sleep(self.after).await;
        let Request::DescribeLimits(_) = request else {
            return Err(Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found"));
        };
        let version = Some(Version { incarnation: 9, shard: 0, index: 8 });
        Ok(Answer { response: Response::DescribeLimits(LIMITS), version, source: Source::Store })
    }
}

/// Connects to a server over a pipe, and counts.
struct Pipes {
    server: HttpServer<Arc<Limits>>,
    dialed: AtomicUsize,
    open: Arc<AtomicUsize>,
    most_open: AtomicUsize,
    /// How long a connection lives.
    life: Duration,
}

impl Dial for Pipes {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a> {
        Box::pin(async move {
            self.dialed.fetch_add(1, Ordering::SeqCst);
            let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_open.fetch_max(open, Ordering::SeqCst);
            let (near, far) = tokio::io::duplex(4096);
            let (server, open, life) = (self.server.clone(), Arc::clone(&self.open), self.life);
            tokio::spawn(async move {
                drop(server.serve_connection(far, tokio::time::sleep(life)).await);
                open.fetch_sub(1, Ordering::SeqCst);
            });
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

struct World {
    db: Arc<Limits>,
    pipes: Arc<Pipes>,
    client: Arc<HttpDb>,
}

fn credentials(secret: &str) -> Credentials {
    Credentials { access_key: "AKID".into(), secret_key: secret.into(), session_token: Some("t".into()) }
}

fn world(after: Duration, life: Duration, secret: &str) -> World {
    let db = Arc::new(Limits { after, asked: Mutex::default() });
    let auth = Auth::Keys(Arc::new(Keyring::new([credentials("right")], None)));
    let server = HttpServer::new(Arc::clone(&db), auth, HttpSettings::default(), Arc::new(Still));
    let pipes = Arc::new(Pipes {
        server,
        dialed: AtomicUsize::new(0),
        open: Arc::default(),
        most_open: AtomicUsize::new(0),
        life,
    });
    let settings = HttpDbSettings { max_connections: 3, ..HttpDbSettings::new("http://db.example:8000") };
    let dial: Arc<dyn Dial> = Arc::clone(&pipes) as Arc<dyn Dial>;
    let client = HttpDb::with_dial(settings, Some(credentials(secret)), None, Arc::new(Still), dial).unwrap();
    World { db, pipes, client: Arc::new(client) }
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_signed_request_is_answered_with_its_version_and_passes_its_floor_on() {
    let world = world(Duration::ZERO, LONG, "right");
    let floor = Some(Version { incarnation: 9, shard: 0, index: 5 });
    let max_staleness = Some(Duration::from_millis(40));
    let cx = Context { min_version: floor, max_staleness, ..Context::default() };
    let answer = world.client.call(cx, DescribeLimitsInput.into()).await.unwrap();
    assert_eq!(answer.response, Response::DescribeLimits(LIMITS));
    assert_eq!(answer.version, Some(Version { incarnation: 9, shard: 0, index: 8 }));
    let asked = world.db.asked.lock();
    assert_eq!((asked[0].min_version, asked[0].max_staleness), (floor, max_staleness));
    assert_eq!(asked[0].caller.access_key, "AKID");
}

#[tokio::test(start_paused = true)]
async fn errors_come_back_as_they_were() {
    let good = world(Duration::ZERO, LONG, "right");
    let error = good.client.send(Context::default(), DescribeEndpointsInput).await.unwrap_err();
    assert_eq!(error, Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found"));
    let bad = world(Duration::ZERO, LONG, "wrong");
    let error = bad.client.send(Context::default(), DescribeLimitsInput).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidSignatureException);
}

#[tokio::test(start_paused = true)]
async fn connections_are_few_and_used_again() {
    let world = world(Duration::from_millis(10), LONG, "right");
    let mut tasks = Vec::new();
    for _ in 0..30 {
        let client = Arc::clone(&world.client);
        tasks.push(tokio::spawn(async move { client.send(Context::default(), DescribeLimitsInput).await }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), LIMITS);
    }
    assert_eq!(world.pipes.most_open.load(Ordering::SeqCst), 3);
    assert_eq!(world.pipes.dialed.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let world = world(Duration::ZERO, Duration::from_secs(5), "right");
    for _ in 0..4 {
        assert_eq!(world.client.send(Context::default(), DescribeLimitsInput).await.unwrap(), LIMITS);
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(world.pipes.dialed.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_a_deadline() {
    let world = world(Duration::from_secs(5), LONG, "right");
    let begun = tokio::time::Instant::now();
    let deadline = Some(Still.monotonic() + Duration::from_millis(300));
    let cx = Context { deadline, ..Context::default() };
    let error = world.client.send(cx, DescribeLimitsInput).await.unwrap_err();
    assert!(error.kind == ErrorKind::InternalServerError && error.message.contains("not known"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

/// Answers every connection with these bytes.
struct Canned(&'static str);

impl Dial for Canned {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a> {
        let answer = self.0;
        Box::pin(async move {
            if answer.is_empty() {
                return Err(std::io::ErrorKind::ConnectionRefused.into());
            }
            let (near, mut far) = tokio::io::duplex(65_536);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                drop(far.read(&mut request).await);
                drop(far.write_all(answer.as_bytes()).await);
            });
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_else_an_endpoint_does_is_an_error_of_the_right_kind() {
    let ask = async |answer| {
        let settings = HttpDbSettings::new("http://db.example");
        let dial = Arc::new(Canned(answer));
        let client = HttpDb::with_dial(settings, None, None, Arc::new(Still), dial).unwrap();
        client.send(Context::default(), DescribeLimitsInput).await.unwrap_err()
    };
    assert_eq!(ask("").await.kind, ErrorKind::ServiceUnavailableException);
    let damaged = ask("HTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\ncontent-length: 2\r\n\r\n{}").await;
    assert!(damaged.kind == ErrorKind::InternalServerError && damaged.message.contains("CRC32"), "{damaged}");
    for cut in ["HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}", "HTTP/1.1 200", "nonsense\r\n\r\n"] {
        let error = ask(cut).await;
        assert!(
            error.kind == ErrorKind::InternalServerError && error.message.contains("not known"),
            "{cut} {error}"
        );
    }
    let busy = ask("HTTP/1.1 503 Busy\r\ncontent-length: 6\r\n\r\n<html>").await;
    assert_eq!(busy.kind, ErrorKind::ServiceUnavailableException);
}

#[test]
fn endpoints_that_cannot_work_are_refused() {
    let make = |endpoint: &str| HttpDb::new(HttpDbSettings::new(endpoint), None, None, Arc::new(Still));
    for endpoint in ["", "db.example:8000", "ftp://db.example", "http://a/path", "http://u:p@a", "http://a?b"]
    {
        assert!(matches!(make(endpoint), Err(HttpDbError::Endpoint { .. })), "{endpoint}");
    }
    assert!(matches!(make("https://db.example"), Err(HttpDbError::NoTls { .. })));
    assert!(make("http://[::1]:8000").is_ok() && make("http://127.0.0.1").is_ok());
    let none = HttpDbSettings { max_connections: 0, ..HttpDbSettings::new("http://a") };
    assert!(matches!(HttpDb::new(none, None, None, Arc::new(Still)), Err(HttpDbError::NoConnections)));
}
