//! The front over streams in memory: what it answers, what it believes of whom, what it refuses.

mod farewell;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use api::op::*;
use api::service::Caller;
use api::{
    Answer, AttributeValue, Context, DynamoDb, Error, ErrorKind, Item, Request, Response, Source, TableName,
    Version,
};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tonic::{Code, Status};

use super::*;
use crate::authorize::{Call, Signers};
use crate::peer::{Demand, Granting};
use crate::{codec, error, frame};

/// A world that stands still but for its monotonic clock.
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

/// Notes what it is asked, and answers what it was told to.
#[derive(Default)]
struct Scripted {
    asked: Mutex<Vec<(Context, Request)>>,
    version: Mutex<u64>,
    ready: bool,
    slow: bool,
    /// Whether it is asked for a put; how long the item is that it answers.
    puts: bool,
    bytes: usize,
}

impl Scripted {
    fn answer(&self) -> Answer {
        let version = Version { incarnation: 1, shard: 0, index: *self.version.lock().unwrap() };
        let old = || Item::new().with("a", AttributeValue::B(vec![0; self.bytes].into()));
        let response = match self.puts {
            true => Response::PutItem(PutItemOutput { attributes: Some(old()), ..PutItemOutput::default() }),
            false if self.bytes > 0 => {
                let item = Some(api::ItemBody::Tree(Arc::new(old())));
                Response::GetItem(GetItemOutput { item, capacity: None })
            }
            false => Response::GetItem(GetItemOutput::default()),
        };
        Answer { response, version: Some(version), source: Source::Cache }
    }
}

impl DynamoDb for Scripted {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let table = match &request {
            Request::GetItem(input) => input.table.to_string(),
            _ => String::new(),
        };
        self.asked.lock().unwrap().push((cx, request));
        if self.slow {
            std::future::pending::<()>().await;
        }
        if table == "missing" {
            return Err(Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found"));
        }
        Ok(self.answer())
    }

    fn call_now(&self, _: &mut Context, _: &Request) -> Option<Answer> {
        self.ready.then(|| self.answer())
    }
}

struct OnlyKim;

impl Signers for OnlyKim {
    fn verify(&self, call: &Call<'_>) -> Result<Arc<Caller>, Error> {
        assert_eq!((call.path, call.authority), ("/forebay.dynamodb.v1.DynamoDb/GetItem", "node:1"));
        match call.metadata.get("authorization") {
            Some(who) if who == "kim" => Ok(Arc::new(Caller { access_key: "kim".to_owned() })),
            _ => Err(Error::new(
                ErrorKind::MissingAuthenticationTokenException,
                "Request is missing Authentication Token",
            )),
        }
    }
}

struct Ids;

impl PeerService for Ids {
    fn define_attribute_list<'a>(&'a self, _: Context, names: Vec<String>, demand: Demand) -> Granting<'a> {
        assert_eq!(demand, Demand::Client);
        Box::pin(async move { Ok(names.len() as u64) })
    }
    fn take_passing_ids<'a>(&'a self, cx: Context) -> Granting<'a> {
        assert_eq!(cx.hops, 1);
        Box::pin(async { Ok(1 << 32) })
    }
    fn read_index<'a>(&'a self, _: Context) -> Granting<'a> {
        Box::pin(async { Ok(9) })
    }
}

type Sender = http2::SendRequest<Full<Bytes>>;

/// A connection to a front.
async fn connected<D: DynamoDb>(server: GrpcServer<D>) -> Sender {
    stoppable(server, std::future::pending()).await
}

async fn stoppable<D: DynamoDb>(
    server: GrpcServer<D>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Sender {
    let (near, far) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move { server.serve_connection(far, stop).await });
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn clients(db: &Arc<Scripted>) -> GrpcServer<Arc<Scripted>> {
    GrpcServer::new(Arc::clone(db), Auth::Any, GrpcSettings::default(), Arc::new(World))
}

fn peers(db: &Arc<Scripted>) -> GrpcServer<Arc<Scripted>> {
    GrpcServer::trusting(Arc::clone(db), Arc::new(Ids), GrpcSettings::default(), Arc::new(World))
}

fn get(table: &str) -> Bytes {
    let input = GetItemInput {
        table: TableName::new(table).unwrap(),
        key: Item::new().with("pk", AttributeValue::S("a".to_owned())),
        projection: None,
        consistent: false,
        return_capacity: ReturnConsumedCapacity::None,
    };
    let mut out = frame::open(0);
    codec::encode_request(&input.into(), &mut out);
    frame::close(out).unwrap()
}

struct Got {
    headers: HeaderMap,
    body: Bytes,
    status: Status,
}

async fn ask(sender: &mut Sender, path: &str, metadata: &[(&'static str, &str)], body: Bytes) -> Got {
    let mut request =
        http::Request::post(format!("http://node:1{path}")).header("content-type", "application/grpc");
    for (name, value) in metadata {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&trailers));
    Got {
        headers: head.headers,
        body: collected.to_bytes(),
        status: status.expect("every answer has a status"),
    }
}

const GET_ITEM: &str = "/forebay.dynamodb.v1.DynamoDb/GetItem";

#[tokio::test]
async fn an_answer_has_a_message_a_version_and_a_source() {
    for ready in [false, true] {
        let db = Arc::new(Scripted { ready, version: Mutex::new(16), ..Scripted::default() });
        let mut sender = connected(clients(&db)).await;
        let got = ask(&mut sender, GET_ITEM, &[("x-forebay-max-staleness", "30")], get("orders")).await;
        assert_eq!(got.status.code(), Code::Ok);
        assert_eq!(got.headers["x-forebay-version"], "1.1.0.10");
        assert_eq!(got.headers["x-forebay-cache"], "hit");
        assert_eq!(frame::message(got.body).unwrap(), Bytes::new());
        assert_eq!(db.asked.lock().unwrap().len(), usize::from(!ready));
    }
}

#[tokio::test]
async fn a_write_that_was_made_is_answered_though_there_is_no_room_and_a_read_is_not() {
    let settings = GrpcSettings { max_message_bytes_in_flight: 3000, ..GrpcSettings::default() };
    let put = PutItemInput {
        table: TableName::new("orders").unwrap(),
        item: Item::new().with("pk", AttributeValue::S("a".to_owned())),
        condition: None,
        return_values: ReturnOld::AllOld,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    };
    let mut message = frame::open(0);
    codec::encode_request(&put.into(), &mut message);
    let message = frame::close(message).unwrap();
    for (puts, path, message) in
        [(false, GET_ITEM, get("orders")), (true, "/forebay.dynamodb.v1.DynamoDb/PutItem", message)]
    {
        let db = Arc::new(Scripted { puts, bytes: 4000, ..Scripted::default() });
        let clients = GrpcServer::new(Arc::clone(&db), Auth::Any, settings.clone(), Arc::new(World));
        let peers = GrpcServer::trusting(Arc::clone(&db), Arc::new(Ids), settings.clone(), Arc::new(World));
        for server in [clients, peers] {
            let account = Arc::clone(&server.0.account);
            let mut sender = connected(server).await;
            let got = ask(&mut sender, path, &[], message.clone()).await;
            let code = if puts { Code::Ok } else { Code::ResourceExhausted };
            assert_eq!((got.status.code(), got.body.len() > 4000), (code, puts), "{path}: {}", got.status);
            drop(got);
            while account.held_bytes() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(db.asked.lock().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn reads_of_a_connection_do_not_fall_behind_what_it_saw_and_a_token_stands() {
    let db = Arc::new(Scripted { version: Mutex::new(9), ..Scripted::default() });
    let mut sender = connected(clients(&db)).await;
    ask(&mut sender, GET_ITEM, &[], get("orders")).await;
    ask(&mut sender, GET_ITEM, &[], get("orders")).await;
    ask(&mut sender, GET_ITEM, &[("x-forebay-min-version", "1.1.0.a")], get("orders")).await;
    let floors: Vec<_> =
        db.asked.lock().unwrap().iter().map(|(cx, _)| cx.min_version.map(|version| version.index)).collect();
    assert_eq!(floors, [None, Some(9), Some(10)]);
}

#[tokio::test]
async fn a_client_is_not_believed_what_a_peer_is() {
    let said = [
        ("x-forebay-caller", "kim"),
        ("x-forebay-hops", "1"),
        ("x-forebay-request-id", "ff"),
        ("grpc-timeout", "50m"),
    ];
    let db = Arc::new(Scripted::default());
    let mut sender = connected(clients(&db)).await;
    assert_eq!(ask(&mut sender, GET_ITEM, &said, get("orders")).await.status.code(), Code::Ok);
    let mut sender = connected(peers(&db)).await;
    assert_eq!(ask(&mut sender, GET_ITEM, &said, get("orders")).await.status.code(), Code::Ok);
    assert_eq!(ask(&mut sender, GET_ITEM, &said, get("orders")).await.status.code(), Code::Ok);
    let asked = db.asked.lock().unwrap();
    let of: Vec<_> =
        asked.iter().map(|(cx, _)| (cx.caller.access_key.as_str(), cx.hops, cx.request_id == 0xff)).collect();
    assert_eq!(of, [("", 0, false), ("kim", 1, true), ("kim", 1, true)]);
    // A lane of a peer carries many callers: none is held to what another saw.
    assert_eq!(asked[2].0.min_version, None);
    assert!(asked[2].0.deadline.unwrap() - World.monotonic() <= Duration::from_millis(50));
}

#[tokio::test]
async fn peers_ask_for_ids_and_clients_may_not() {
    let db = Arc::new(Scripted::default());
    let path = "/forebay.peer.v1.Peer/TakePassingIds";
    let mut sender = connected(clients(&db)).await;
    assert_eq!(
        ask(&mut sender, path, &[], frame::close(frame::open(0)).unwrap()).await.status.code(),
        Code::Unimplemented
    );
    let mut sender = connected(peers(&db)).await;
    let got = ask(&mut sender, path, &[("x-forebay-hops", "1")], frame::close(frame::open(0)).unwrap()).await;
    assert_eq!(crate::peer::decode_number(frame::message(got.body).unwrap()), Ok(1 << 32));
}

#[tokio::test]
async fn where_there_are_keys_a_call_must_be_signed() {
    let db = Arc::new(Scripted::default());
    let auth = Auth::Keys(Arc::new(OnlyKim));
    let server = GrpcServer::new(Arc::clone(&db), auth, GrpcSettings::default(), Arc::new(World));
    let mut sender = connected(server).await;
    let got = ask(&mut sender, GET_ITEM, &[], get("orders")).await;
    assert_eq!(got.status.code(), Code::Unauthenticated);
    assert_eq!(error::of_status(&got.status).kind, ErrorKind::MissingAuthenticationTokenException);
    assert_eq!(
        ask(&mut sender, GET_ITEM, &[("authorization", "kim")], get("orders")).await.status.code(),
        Code::Ok
    );
    assert_eq!(db.asked.lock().unwrap()[0].0.caller.access_key, "kim");
}

#[tokio::test]
async fn an_error_is_a_status_or_a_message_as_the_client_wants() {
    let db = Arc::new(Scripted::default());
    let mut sender = connected(clients(&db)).await;
    let got = ask(&mut sender, GET_ITEM, &[], get("missing")).await;
    assert_eq!((got.status.code(), got.status.message()), (Code::NotFound, "Requested resource not found"));
    assert_eq!(error::of_status(&got.status).kind, ErrorKind::ResourceNotFoundException);
    let got = ask(&mut sender, GET_ITEM, &[("x-forebay-errors", "message")], get("missing")).await;
    assert_eq!(got.status.code(), Code::Ok);
    assert_eq!(got.headers["x-forebay-error"], "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_no_call_of_ours_is_refused() {
    let db = Arc::new(Scripted::default());
    let mut sender = connected(clients(&db)).await;
    for path in ["/forebay.dynamodb.v1.DynamoDb/Nothing", "/other.Service/GetItem", "/", "/GetItem"] {
        assert_eq!(
            ask(&mut sender, path, &[], get("orders")).await.status.code(),
            Code::Unimplemented,
            "{path}"
        );
    }
    type Metadata = &'static [(&'static str, &'static str)];
    let bad: [(Metadata, Bytes, Code); 6] = [
        (&[], Bytes::new(), Code::InvalidArgument),
        (&[], Bytes::from_static(b"\x01\x00\x00\x00\x00"), Code::Unimplemented),
        (&[], Bytes::from_static(b"\x00\x00\x00\x00\x02\x0a\xff"), Code::InvalidArgument),
        (&[("x-forebay-min-version", "soon")], get("orders"), Code::InvalidArgument),
        (&[("x-forebay-max-staleness", "-1")], get("orders"), Code::InvalidArgument),
        (&[], Bytes::from(vec![0; codec::REQUEST_BYTES + 6]), Code::ResourceExhausted),
    ];
    for (metadata, body, code) in bad {
        assert_eq!(ask(&mut sender, GET_ITEM, metadata, body).await.status.code(), code);
    }
    assert!(db.asked.lock().unwrap().is_empty());
    assert_eq!(ask(&mut sender, GET_ITEM, &[], get("orders")).await.status.code(), Code::Ok);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_was_said() {
    let db = Arc::new(Scripted { slow: true, ..Scripted::default() });
    let mut sender = connected(clients(&db)).await;
    let began = tokio::time::Instant::now();
    let got = ask(&mut sender, GET_ITEM, &[("grpc-timeout", "2S")], get("orders")).await;
    assert_eq!(got.status.code(), Code::Internal);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn overload_is_answered() {
    let db = Arc::new(Scripted { slow: true, ..Scripted::default() });
    let settings = GrpcSettings { max_requests_in_flight: 1, ..GrpcSettings::default() };
    let server = GrpcServer::new(Arc::clone(&db), Auth::Any, settings, Arc::new(World));
    let mut sender = connected(server).await;
    let mut waiting = sender.clone();
    tokio::spawn(async move { ask(&mut waiting, GET_ITEM, &[], get("orders")).await });
    while db.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let got = ask(&mut sender, GET_ITEM, &[], get("orders")).await;
    assert_eq!(error::of_status(&got.status).kind, ErrorKind::ThrottlingException);
}

#[tokio::test]
async fn a_stopping_front_ends_its_watchers_and_answers_who_waits() {
    let db = Arc::new(Scripted::default());
    let server = clients(&db);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut sender = stoppable(server.clone(), async move { drop(stopped.await) }).await;
    let mut watching = sender.clone();
    let watch = tokio::spawn(async move {
        ask(&mut watching, "/grpc.health.v1.Health/Watch", &[], Bytes::from_static(&[0; 5])).await
    });
    // The watch is there once something after it was answered.
    assert_eq!(ask(&mut sender, GET_ITEM, &[], get("orders")).await.status.code(), Code::Ok);
    server.stopping().await;
    stop.send(()).unwrap();
    let got = tokio::time::timeout(Duration::from_secs(5), watch).await.expect("it ends").unwrap();
    assert_eq!(got.status.code(), Code::Unavailable);
    // `status: NOT_SERVING` came before the end.
    assert!(got.body.ends_with(b"\x08\x02"), "{:x?}", got.body);
}

#[tokio::test]
async fn an_answer_of_health_that_is_all_status_ends_with_its_headers() {
    let db = Arc::new(Scripted::default());
    let mut sender = connected(clients(&db)).await;
    // `service: "x"`. Clients of gRPC's own take anything behind such headers for a broken stream.
    let body = Bytes::from_static(b"\x00\x00\x00\x00\x03\x0a\x01x");
    let request = http::Request::post("http://node:1/grpc.health.v1.Health/Check");
    let request = request.header("content-type", "application/grpc").body(Full::new(body)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(Status::from_header_map(response.headers()).unwrap().code(), Code::NotFound);
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn reflection_shows_clients_what_is_theirs() {
    let files = prost_types::FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap().file;
    assert_eq!(files.iter().map(|file| file.package()).collect::<Vec<_>>(), ["forebay.dynamodb.v1"]);
    let methods: Vec<_> = files[0].service[0].method.iter().map(|method| method.name()).collect();
    let operations: Vec<_> = api::OpKind::ALL.iter().map(|op| op.name()).collect();
    assert_eq!(methods, operations);
}
