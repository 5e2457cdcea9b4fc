//! The client over fronts and over endpoints that misbehave, on streams in memory.

mod farewell;

use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use api::error::{CancellationCode, CancellationReason};
use api::op::{GetItemInput, GetItemOutput, ReturnConsumedCapacity};
use api::service::Caller;
use api::{AttributeValue, Detail, ErrorKind, Item, Response, Source, TableName, Version};
use socket::dial::{Dialing, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::authorize::Auth;
use crate::peer::{Granting, PeerService};
use crate::server::{GrpcServer, GrpcSettings};

struct World;

impl Surroundings for World {
    fn wall_millis(&self) -> u64 {
        0
    }
    #[allow(clippy::disallowed_methods, reason = "the tests' one clock")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
    fn random(&self) -> u128 {
        7
    }
}

/// What a test does with the other end of a connection.
type Accept = Box<dyn Fn(usize, DuplexStream) -> io::Result<()> + Send + Sync>;

/// Hands the other end of each connection to a test.
struct Wired {
    dialled: AtomicUsize,
    accept: Accept,
}

impl Dial for Wired {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a> {
        assert_eq!((host, port), ("node", 8501));
        let number = self.dialled.fetch_add(1, Ordering::SeqCst);
        let (near, far) = tokio::io::duplex(1 << 16);
        let accepted = (self.accept)(number, far);
        Box::pin(async move { accepted.map(|()| Box::new(near) as Box<dyn Stream>) })
    }
}

fn wired(accept: impl Fn(usize, DuplexStream) -> io::Result<()> + Send + Sync + 'static) -> Arc<Wired> {
    Arc::new(Wired { dialled: AtomicUsize::new(0), accept: Box::new(accept) })
}

fn client(lane: Lane, dial: &Arc<Wired>) -> GrpcDb {
    let endpoint = Endpoint { host: "node".to_owned(), port: 8501, tls: None };
    GrpcDb::new(endpoint, lane, GrpcDbSettings::default(), Arc::clone(dial) as _, Arc::new(World)).unwrap()
}

/// Serves each connection.
fn served<D: DynamoDb>(server: GrpcServer<D>) -> Arc<Wired> {
    wired(move |_, far| {
        let server = server.clone();
        tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
        Ok(())
    })
}

#[derive(Default)]
struct Noting(Mutex<Vec<Context>>);

impl DynamoDb for Noting {
    async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
        self.0.lock().unwrap().push(cx);
        let version = Some(Version { incarnation: 2, shard: 0, index: 5 });
        let response = Response::GetItem(GetItemOutput::default());
        Ok(Answer { response, version, source: Source::Mixed })
    }
}

struct Failing(Error);

impl DynamoDb for Failing {
    async fn call(&self, _: Context, _: Request) -> Result<Answer, Error> {
        Err(self.0.clone())
    }
}

struct Ids;

impl PeerService for Ids {
    fn define_attribute_list<'a>(&'a self, cx: Context, names: Vec<String>, demand: Demand) -> Granting<'a> {
        assert_eq!((cx.hops, names.join(","), demand), (1, "b,a".to_owned(), Demand::Client));
        Box::pin(async { Ok(42) })
    }
    fn take_passing_ids<'a>(&'a self, _: Context) -> Granting<'a> {
        Box::pin(async { Err(Error::new(ErrorKind::ServiceUnavailableException, "not now")) })
    }
    fn read_index<'a>(&'a self, _: Context) -> Granting<'a> {
        Box::pin(async { Ok(77) })
    }
}

fn get() -> Request {
    let key = Item::new().with("pk", AttributeValue::S("a".to_owned()));
    let table = TableName::new("orders").unwrap();
    let return_capacity = ReturnConsumedCapacity::None;
    GetItemInput { table, key, projection: None, consistent: false, return_capacity }.into()
}

fn settings() -> GrpcSettings {
    GrpcSettings::default()
}

#[tokio::test]
async fn to_a_peer_the_context_goes_along_and_its_answer_comes_back_whole() {
    let db = Arc::new(Noting::default());
    let dial = served(GrpcServer::trusting(Arc::clone(&db), Arc::new(Ids), settings(), Arc::new(World)));
    let client = client(Lane::Peer, &dial);
    let cx = Context {
        request_id: 0xabc,
        caller: Arc::new(Caller { access_key: "kim".to_owned() }),
        deadline: Some(World.monotonic() + Duration::from_secs(5)),
        min_version: Some(Version { incarnation: 2, shard: 0, index: 4 }),
        max_staleness: Some(Duration::from_millis(30)),
        hops: 1,
        ..Context::default()
    };
    let answer = client.call(cx.clone(), get()).await.unwrap();
    assert_eq!((answer.version.map(|version| version.index), answer.source), (Some(5), Source::Mixed));
    assert_eq!(client.define_attribute_list(&cx, vec!["b".into(), "a".into()], Demand::Client).await, Ok(42));
    assert_eq!(client.read_index(&cx).await, Ok(77));
    let refused = client.take_passing_ids(&cx).await.unwrap_err();
    assert_eq!((refused.kind, &*refused.message), (ErrorKind::ServiceUnavailableException, "not now"));
    let asked = db.0.lock().unwrap();
    let got = &asked[0];
    assert_eq!((got.request_id, &got.caller, got.hops), (0xabc, &cx.caller, 1));
    assert_eq!((got.min_version, got.max_staleness), (cx.min_version, cx.max_staleness));
    assert!(got.deadline.unwrap() <= cx.deadline.unwrap() + Duration::from_millis(100));
    assert_eq!(dial.dialled.load(Ordering::SeqCst), 1, "one connection for all of them");
}

#[tokio::test]
async fn errors_come_back_as_they_were_whatever_their_size() {
    let large = Item::new().with("pk", AttributeValue::S("x".repeat(300_000)));
    let reason = CancellationReason {
        code: Some(CancellationCode::ConditionalCheckFailed),
        message: Some("The conditional request failed".to_owned()),
        item: Some(large),
    };
    let cancelled = Error::new(ErrorKind::TransactionCanceledException, "Transaction cancelled")
        .with(Detail::Cancellation(vec![reason; 20]));
    let not_primary = Error::new(ErrorKind::ServiceUnavailableException, "not the primary")
        .with(Detail::NotPrimary { primary: Some(2) });
    for error in [cancelled, not_primary, Error::validation("wrong")] {
        let dial = served(GrpcServer::new(Failing(error.clone()), Auth::Any, settings(), Arc::new(World)));
        assert_eq!(client(Lane::Client, &dial).call(Context::default(), get()).await, Err(error));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_be_reached_had_no_effect_and_is_not_hammered() {
    let dial = wired(|_, _| Err(io::ErrorKind::ConnectionRefused.into()));
    let client = client(Lane::Peer, &dial);
    for _ in 0..50 {
        let error = client.call(Context::default(), get()).await.unwrap_err();
        assert_eq!((error.kind, error.is_outcome_unknown()), (ErrorKind::ServiceUnavailableException, false));
    }
    assert_eq!(dial.dialled.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.call(Context::default(), get()).await.unwrap_err();
    assert_eq!(dial.dialled.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_an_unknown_outcome() {
    // Reads the request, then goes.
    let dial = wired(|_, mut far| {
        tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            let mut read = 0;
            while read < 150 {
                read += far.read(&mut bytes).await.unwrap();
            }
        });
        Ok(())
    });
    let error = client(Lane::Peer, &dial).call(Context::default(), get()).await.unwrap_err();
    assert_eq!((error.kind, error.is_outcome_unknown()), (ErrorKind::InternalServerError, true), "{error}");
}

#[tokio::test]
async fn nobody_waits_beyond_its_deadline() {
    let dial = wired(|_, far| {
        tokio::spawn(async move {
            let _held = far;
            std::future::pending::<()>().await;
        });
        Ok(())
    });
    let deadline = World.monotonic() + Duration::from_millis(50);
    let cx = Context { deadline: Some(deadline), ..Context::default() };
    let error = client(Lane::Peer, &dial).call(cx, get()).await.unwrap_err();
    assert!(error.is_outcome_unknown());
    assert!(World.monotonic() < deadline + Duration::from_secs(2));
}

#[tokio::test]
async fn a_connection_that_ended_is_made_anew() {
    let db = Arc::new(Noting::default());
    let server = GrpcServer::new(Arc::clone(&db), Auth::Any, settings(), Arc::new(World));
    let (stop, stopped) = tokio::sync::watch::channel(0usize);
    let dial = wired(move |number, far| {
        let (server, mut stopped) = (server.clone(), stopped.clone());
        let stop = async move { drop(stopped.wait_for(|up_to| *up_to > number).await) };
        tokio::spawn(async move { server.serve_connection(far, stop).await });
        Ok(())
    });
    let client = client(Lane::Client, &dial);
    for round in 1..=5 {
        client.call(Context::default(), get()).await.unwrap();
        stop.send_replace(round);
        // A call that races the end of a connection is put onto the next one.
        client.call(Context::default(), get()).await.unwrap();
    }
    assert!(dial.dialled.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn what_answers_without_speaking_grpc_is_an_error() {
    let dial = wired(|_, mut far| {
        tokio::spawn(async move {
            drop(far.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await);
        });
        Ok(())
    });
    let error = client(Lane::Client, &dial).call(Context::default(), get()).await.unwrap_err();
    assert!(error.kind.is_retryable());
}

#[test]
fn each_thread_has_a_connection_of_its_own() {
    let db = Arc::new(Noting::default());
    let server = GrpcServer::new(Arc::clone(&db), Auth::Any, settings(), Arc::new(World));
    let dial = served(server);
    let client = client(Lane::Client, &dial);
    let call_thrice = |client: GrpcDb| {
        let calls = async move {
            for _ in 0..3 {
                client.call(Context::default(), get()).await.unwrap();
            }
        };
        run(calls);
    };
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn({
                let client = client.clone();
                move || call_thrice(client)
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(dial.dialled.load(Ordering::SeqCst), 3);
    // The runtime that drove the first one is gone, and its connection with it.
    run(async { drop(client.call(Context::default(), get()).await.unwrap()) });
    assert_eq!(dial.dialled.load(Ordering::SeqCst), 4);
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}
