//! The front over a pipe and a small store, byte by byte where the wire says so.

mod bad_input;
mod farewell;
mod fuzz;
mod headed;
mod hits;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::op::{GetItemOutput, PutItemOutput};
use api::operation::Ready;
use api::schema::{BillingMode, KeyAttribute, KeySchema, Status, Table, TableId, TableName, Throughput};
use api::service::{Peek, Source};
use api::value::ValueType;
use api::{
    Answer, AttributeValue, Context, DynamoDb, Error, ErrorKind, Item, ItemBody, Request, Response, Version,
    Wire,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::attribute_lists::{AttributeLists, Demand, VolatileLists};
use crate::authorize::tests::{ACCESS_KEY, OneKey, claim_frame};
use crate::codec::handshake::Role;
use crate::codec::tests::{hex, unhex};

const PREAMBLE: &str = "674a37796e65354700f6a000";
const ENDPOINTS: &str = "011a1b2bcf02";
const NODE: &str = "8081a70001016e6e6f6465302e66616b652e64617802447f00000103191faf0401056161 0600";

/// A key-value store of the table `Hash`, and what it was asked for last.
#[derive(Default)]
pub(crate) struct Store {
    items: Mutex<HashMap<String, Item>>,
    version: AtomicU64,
    floor: Mutex<Option<Version>>,
    /// Answered by a plain call, and by a future.
    now: AtomicUsize,
    called: AtomicUsize,
    /// Answered without a request, and for whom last.
    peeked: AtomicUsize,
    caller: Mutex<Option<String>>,
}

impl Store {
    fn answer(&self, cx: &Context, request: Request) -> Result<Answer, Error> {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner) = cx.min_version;
        let key = |item: &Item| match item.get("pk") {
            Some(AttributeValue::S(key)) => key.clone(),
            other => panic!("a key of Hash is a string: {other:?}"),
        };
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let response = match request {
            Request::PutItem(input) => {
                self.version.fetch_add(1, Ordering::Relaxed);
                items.insert(key(&input.item), input.item);
                Response::PutItem(PutItemOutput::default())
            }
            Request::GetItem(input) => match &*key(&input.key) {
                "ready" => {
                    let bytes = bytes::Bytes::from_static(b"\x80\xbf\x00\x41\x01\xff");
                    Response::Ready(Ready { wire: cx.wire, bytes, crc32: 0 })
                }
                "json" => Response::Ready(Ready { wire: Wire::Json, bytes: bytes::Bytes::new(), crc32: 0 }),
                key => {
                    let item = items.get(key).map(|item| ItemBody::Tree(Arc::new(item.clone())));
                    Response::GetItem(GetItemOutput { item, capacity: None })
                }
            },
            other => {
                return Err(Error::new(ErrorKind::UnknownOperationException, other.kind().name()));
            }
        };
        let version = Version { incarnation: 1, shard: 0, index: self.version.load(Ordering::Relaxed) };
        Ok(Answer { response, version: Some(version), source: Source::Store })
    }
}

/// The store, which takes its time for the key `slow` and never answers for `never`. What it is told that begins with `hit` it
/// knows by heart; of `peek` it has the bytes ready.
pub(crate) struct Db(Arc<Store>);

impl DynamoDb for Db {
    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        hits::peek(&self.0, read, out)
    }

    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        let Request::GetItem(input) = request else { return None };
        let Some(AttributeValue::S(key)) = input.key.get("pk") else { return None };
        if !key.starts_with("hit") {
            return None;
        }
        assert_eq!(cx.deadline, None, "nobody waits for it");
        self.0.now.fetch_add(1, Ordering::Relaxed);
        Some(hits::answer(&self.0, cx, input))
    }

    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        self.0.called.fetch_add(1, Ordering::Relaxed);
        if let Request::GetItem(input) = &request {
            match input.key.get("pk") {
                Some(AttributeValue::S(key)) if key == "slow" => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Some(AttributeValue::S(key)) if key == "never" => std::future::pending().await,
                _ => {}
            }
        }
        self.0.answer(&cx, request)
    }
}

pub(crate) fn hash_table() -> Table {
    Table {
        id: TableId(1),
        name: TableName::new("Hash").unwrap(),
        generation: 1,
        status: Status::Active,
        key: KeySchema {
            partition: KeyAttribute { name: "pk".into(), value_type: ValueType::S },
            sort: None,
        },
        attributes: Vec::new(),
        indexes: Vec::new(),
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Default::default(),
        created_millis: 0,
        uuid: 0,
    }
}

struct OneTable(Arc<Table>);

impl Catalog for OneTable {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        (*name == self.0.name).then(|| Arc::clone(&self.0))
    }
}

struct OneNode;

impl Nodes for OneNode {
    fn endpoints(&self, reached: Reached) -> Vec<Endpoint> {
        vec![Endpoint {
            node: 1,
            host: "node0.fake.dax".into(),
            address: reached.local.ip(),
            port: reached.local.port(),
            role: Role::Leader,
            zone: "a".into(),
            leader_session: 0,
        }]
    }
}

/// The wall clock of the tests' claims.
const SIGNED_AT: &str = "20240102T030405Z";
const SIGNED_SECONDS: u64 = 1_704_164_645;

#[derive(Default)]
pub(crate) struct World {
    malformed: AtomicUsize,
    /// How much later it is than when the tests' claims were signed.
    late_seconds: AtomicU64,
}

impl Surroundings for World {
    fn wall_millis(&self) -> u64 {
        (SIGNED_SECONDS + self.late_seconds.load(Ordering::Relaxed)) * 1000
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn random(&self) -> u128 {
        7
    }
}

impl Complaints for World {
    fn malformed(&self, peer: SocketAddr, what: &dyn std::fmt::Display) {
        assert_eq!(peer, REACHED.peer);
        assert!(!what.to_string().is_empty());
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct Front {
    pub(crate) server: DaxServer<Db>,
    store: Arc<Store>,
    world: Arc<World>,
}

pub(crate) fn front_with(auth: Auth, settings: DaxSettings) -> Front {
    front_of(Arc::new(VolatileLists::new(100)), None, auth, settings)
}

fn front_of(
    lists: Arc<VolatileLists>,
    follows: Option<Arc<dyn Follows>>,
    auth: Auth,
    settings: DaxSettings,
) -> Front {
    let (store, world) = (Arc::new(Store::default()), Arc::new(World::default()));
    let catalog = Arc::new(OneTable(Arc::new(hash_table())));
    let cluster = Cluster { catalog, lists, nodes: Arc::new(OneNode), follows };
    let surroundings: Arc<dyn Surroundings> = world.clone();
    let server = DaxServer::new(Db(Arc::clone(&store)), cluster, auth, settings, surroundings, world.clone());
    Front { server, store, world }
}

fn front() -> Front {
    front_with(Auth::Any, DaxSettings::default())
}

pub(crate) const REACHED: Reached = Reached {
    local: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8111),
    peer: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000),
    transport: Transport::Plain,
};

/// A client's end of a connection that is being served.
struct Peer {
    io: DuplexStream,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Front {
    fn connect(&self) -> Peer {
        let (io, far) = tokio::io::duplex(1 << 20);
        let server = self.server.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let stop = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            server.serve_connection(far, REACHED, stop).await
        });
        Peer { io, served, stop }
    }
}

impl Peer {
    async fn send(&mut self, bytes: &str) {
        self.io.write_all(&unhex(&bytes.replace(' ', ""))).await.unwrap();
    }

    async fn expect(&mut self, answer: &str) {
        let answer = answer.replace(' ', "");
        let mut bytes = vec![0; answer.len() / 2];
        self.io.read_exact(&mut bytes).await.unwrap();
        assert_eq!(hex(&bytes), answer);
    }

    /// All that comes until the connection ends.
    async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.io.read_to_end(&mut rest).await.unwrap();
        self.served.await.unwrap().unwrap();
        rest
    }
}

/// A getItem of `Hash` without options.
fn get(key: &str) -> String {
    format!("011a0fb0cc6a 4448617368 {:02x}{} f6", 0x40 + key.len(), hex(key.as_bytes()))
}

/// Each connection is one of these for as long as it lives, idle or not.
#[tokio::test]
async fn the_future_of_a_connection_takes_little_room() {
    let front = front();
    let (_near, far) = tokio::io::duplex(64);
    let bytes = size_of_val(&front.server.serve_connection(far, REACHED, std::future::pending()));
    println!("{bytes} bytes");
    assert!(bytes <= 4096, "{bytes} bytes");
}

#[tokio::test]
async fn a_client_is_let_through_step_by_step() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {ENDPOINTS}")).await;
    peer.expect(NODE).await;
    // defineKeySchema, defineAttributeListId, putItem, getItem, defineAttributeList.
    peer.send("013a2c43e27e4448617368").await;
    peer.expect("80a162706b6153").await;
    peer.send("013a495927bb816176").await;
    peer.expect("8002").await;
    peer.send("013a7d8e7e56444861736842633142020abf0300ff").await;
    peer.expect("80f6").await;
    peer.send("011a0fb0cc6a4448617368426331bf0300ff").await;
    peer.expect("80bf0042020aff").await;
    peer.send("011a27f9bd7102").await;
    peer.expect("80816176").await;
    // The same list again, and the empty one, which is fixed.
    peer.send("013a495927bb816176 013a495927bb80 011a27f9bd7101").await;
    peer.expect("8002 8001 8080").await;
    peer.send(&get("nope")).await;
    peer.expect("80bfff").await;
    drop(peer.io);
    peer.served.await.unwrap().unwrap();
    assert_eq!(front.world.malformed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_not_there_is_said_so_and_the_connection_goes_on() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} 013a2c43e27e444e6f7065 011a27f9bd7109 {ENDPOINTS}")).await;
    let mut answers = vec![0; 4096];
    let read = peer.io.read(&mut answers).await.unwrap();
    let text = hex(&answers[..read]);
    assert!(text.starts_with("8304171818"), "{text}");
    assert!(text.contains(&hex(b"ResourceNotFoundException")));
    assert!(text.contains("8504182518261827182e"), "{text}");
    assert!(text.contains(&hex(b"The attribute list 9 is not known")), "{text}");
    assert!(text.ends_with(&NODE.replace(' ', "")));
}

/// Hears of one list when it catches up.
struct Late {
    lists: Arc<VolatileLists>,
    caught_up: AtomicUsize,
}

impl Follows for Late {
    fn catch_up(&self) -> CatchingUp {
        self.caught_up.fetch_add(1, Ordering::Relaxed);
        let lists = Arc::clone(&self.lists);
        Box::pin(async move {
            tokio::task::yield_now().await;
            lists.define(vec!["v".to_owned()].into(), Demand::Write).await.unwrap();
        })
    }
}

#[tokio::test]
async fn what_other_nodes_may_know_is_caught_up_with_before_it_is_refused() {
    let lists = Arc::new(VolatileLists::new(100));
    let late = Arc::new(Late { lists: Arc::clone(&lists), caught_up: AtomicUsize::new(0) });
    let front = front_of(lists, Some(Arc::clone(&late) as _), Auth::Any, DaxSettings::default());
    let mut peer = front.connect();
    // A write with a list that another node gave a number to: putItem as above.
    peer.send(&format!("{PREAMBLE} {ENDPOINTS} 013a7d8e7e56444861736842633142020abf0300ff")).await;
    peer.expect(NODE).await;
    peer.expect("80f6").await;
    assert_eq!(late.caught_up.load(Ordering::Relaxed), 1);
    // What is known does not wait, what nobody knows is refused after one wait, and what comes behind it is answered in order.
    peer.send(&format!("011a27f9bd7102 013a2c43e27e444e6f7065 {ENDPOINTS}")).await;
    peer.expect("80816176").await;
    let mut answers = vec![0; 4096];
    let mut text = String::new();
    while !text.ends_with(&NODE.replace(' ', "")) {
        let read = peer.io.read(&mut answers).await.unwrap();
        text += &hex(&answers[..read]);
    }
    assert!(text.starts_with("8304171818") && text.contains(&hex(b"ResourceNotFoundException")), "{text}");
    assert_eq!(late.caught_up.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn requests_that_arrive_together_are_answered_together_and_in_order() {
    let front = front();
    let mut peer = front.connect();
    let requests = get("nope").repeat(100) + &get("ready") + ENDPOINTS;
    peer.send(&format!("{PREAMBLE} {requests}")).await;
    let answers = "80bfff".repeat(100) + "80bf004101ff" + NODE;
    let mut bytes = vec![0; 1 << 16];
    // One read gets what one write gave.
    let read = peer.io.read(&mut bytes).await.unwrap();
    assert_eq!(hex(&bytes[..read]), answers.replace(' ', ""));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_its_time_holds_back_none_before_it() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {} {} {}", get("nope"), get("slow"), get("ready"))).await;
    let began = tokio::time::Instant::now();
    peer.expect("80bfff").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    peer.expect("80bfff 80bf004101ff").await;
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_an_error_past_its_deadline() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("never"))).await;
    peer.expect("8504182518261827182f").await;
}

#[tokio::test]
async fn a_slow_sender_is_served_a_byte_at_a_time() {
    let front = front();
    let mut peer = front.connect();
    for byte in unhex(&format!("{PREAMBLE} {}", get("ready")).replace(' ', "")) {
        peer.io.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    peer.expect("80bf004101ff").await;
}

#[tokio::test]
async fn the_version_of_every_answer_is_the_floor_of_the_next_request_on_the_connection() {
    let front = front();
    let mut peer = front.connect();
    let floor = || front.store.floor.lock().unwrap().map(|version| version.index);
    peer.send(&format!("{PREAMBLE} {}", get("nope"))).await;
    peer.expect("80bfff").await;
    assert_eq!(floor(), None);
    peer.send("013a7d8e7e5644486173684263314101f6").await;
    peer.expect("80f6").await;
    assert_eq!(floor(), Some(0));
    peer.send(&get("nope")).await;
    peer.expect("80bfff").await;
    assert_eq!(floor(), Some(1));
    let mut other = front.connect();
    other.send(&format!("{PREAMBLE} {}", get("nope"))).await;
    other.expect("80bfff").await;
    assert_eq!(floor(), None);
}

#[tokio::test]
async fn an_item_whose_attributes_have_no_list_yet_gets_one_with_its_answer() {
    let front = front();
    let item = Item::new()
        .with("pk", AttributeValue::S("x".into()))
        .with("b", AttributeValue::Bool(true))
        .with("a", AttributeValue::Null);
    front.store.items.lock().unwrap().insert("x".into(), item);
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {} 011a27f9bd7102", get("x"))).await;
    peer.expect("80bf004302f6f5ff 8082 6161 6162").await;
}

#[tokio::test]
async fn ready_bytes_of_another_wire_are_an_internal_error() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("json"))).await;
    peer.expect("8504182518261827182f").await;
}

#[tokio::test]
async fn who_calls_is_asked_for_where_keys_are_known() {
    let front = front_with(Auth::Keys(Arc::new(OneKey)), DaxSettings::default());
    let unauthorized = "840417181f1821";
    let mut peer = front.connect();
    let error = async |peer: &mut Peer, kind: &str| {
        peer.expect(unauthorized).await;
        let mut bytes = vec![0; 4096];
        let read = peer.io.read(&mut bytes).await.unwrap();
        let text = hex(&bytes[..read]);
        assert!(text.contains(&hex(kind.as_bytes())), "{kind}: {text}");
    };
    peer.send(&format!("{PREAMBLE} {ENDPOINTS}")).await;
    error(&mut peer, "MissingAuthenticationTokenException").await;
    // A wrong claim has no answer of its own; the next request has, once.
    peer.io.write_all(&claim_frame(SIGNED_AT, false)).await.unwrap();
    peer.send(ENDPOINTS).await;
    error(&mut peer, "InvalidSignatureException").await;
    peer.send(ENDPOINTS).await;
    error(&mut peer, "MissingAuthenticationTokenException").await;
    peer.io.write_all(&claim_frame("20240102T031000Z", true)).await.unwrap();
    peer.send(ENDPOINTS).await;
    error(&mut peer, "InvalidSignatureException").await;
    // And a right one lets everything through, also if it comes again between requests.
    for _ in 0..2 {
        peer.io.write_all(&claim_frame(SIGNED_AT, true)).await.unwrap();
        peer.send(ENDPOINTS).await;
        peer.expect(NODE).await;
    }
    peer.send(&get("ready")).await;
    peer.expect("80bf004101ff").await;
}

#[tokio::test(start_paused = true)]
async fn an_authorisation_that_ran_out_is_asked_for_again() {
    let front = front_with(Auth::Keys(Arc::new(OneKey)), DaxSettings::default());
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    peer.io.write_all(&claim_frame(SIGNED_AT, true)).await.unwrap();
    peer.send(&get("ready")).await;
    peer.expect("80bf004101ff").await;
    tokio::time::sleep(Duration::from_secs(301)).await;
    peer.send(&get("ready")).await;
    peer.expect("80bf004101ff").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    peer.send(&get("ready")).await;
    peer.expect("840417181f1821").await;
}

#[tokio::test]
async fn what_has_no_end_is_answered_and_the_connection_closed() {
    // createTable, whose layout nobody knows; another service; an 8-byte length; a reserved head.
    for (bytes, codes) in [
        ("013a12ae9a75 a0", "840418251826182c"),
        ("021a1b2bcf02", "840418251826182c"),
        ("011a0fb0cc6a 5bffffffffffffffff", "8504182518261827182e"),
        ("011a0fb0cc6a 1c", "8504182518261827182e"),
    ] {
        let front = front();
        let mut peer = front.connect();
        peer.send(&format!("{PREAMBLE} {bytes}")).await;
        peer.io.shutdown().await.unwrap();
        let answer = hex(&peer.rest().await);
        assert!(answer.starts_with(codes), "{bytes}: {answer}");
        assert_eq!(front.world.malformed.load(Ordering::Relaxed), 1);
    }
    // What does not even begin as a connection of this wire is told nothing.
    for bytes in
        ["474554202f20485454502f312e31", "674a37796e65354800f6a000", "674a37796e65354702f6a000", "ff"]
    {
        let front = front();
        let mut peer = front.connect();
        peer.send(bytes).await;
        peer.io.shutdown().await.unwrap();
        assert_eq!(hex(&peer.rest().await), "", "{bytes}");
        assert_eq!(front.world.malformed.load(Ordering::Relaxed), 1, "{bytes}");
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_inside_is_answered_and_the_connection_goes_on() {
    let front = front();
    let mut peer = front.connect();
    // A table name that is a number; a key that is not UTF-8; a put of a list nobody registered.
    for bytes in [
        "011a0fb0cc6a 00 4161 f6",
        "011a0fb0cc6a 4448617368 41ff f6",
        "013a7d8e7e56 4448617368 4161 420901 f6",
    ] {
        peer.send(&format!(
            "{} {bytes} {ENDPOINTS}",
            if bytes.starts_with("011a0fb0cc6a 00") { PREAMBLE } else { "" }
        ))
        .await;
        let mut answers = vec![0; 4096];
        let read = peer.io.read(&mut answers).await.unwrap();
        let text = hex(&answers[..read]);
        assert!(text.starts_with("8504182518261827182e"), "{bytes}: {text}");
        assert!(text.ends_with(&NODE.replace(' ', "")), "{bytes}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_request_and_then_silence_ends_the_connection_and_idleness_never_does() {
    let front = front();
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    tokio::time::sleep(Duration::from_secs(7 * 24 * 3600)).await;
    peer.send(&get("ready")).await;
    peer.expect("80bf004101ff").await;
    tokio::time::sleep(Duration::from_secs(7 * 24 * 3600)).await;
    let began = tokio::time::Instant::now();
    // Dripping bytes does not make the time any longer.
    peer.send("011a0fb0cc6a4448617368").await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    peer.send("44").await;
    assert!(peer.rest().await.is_empty());
    assert!(began.elapsed() >= Duration::from_secs(60) && began.elapsed() < Duration::from_secs(62));
    let began = tokio::time::Instant::now();
    let mut silent = front.connect();
    silent.send("67").await;
    assert!(silent.rest().await.is_empty());
    assert!(began.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_answer_is_let_go() {
    let front = front();
    let (mut io, far) = tokio::io::duplex(64);
    let server = front.server.clone();
    let served =
        tokio::spawn(async move { server.serve_connection(far, REACHED, std::future::pending()).await });
    let requests = unhex(&format!("{PREAMBLE}{}", get("nope").repeat(10)).replace(' ', ""));
    io.write_all(&requests).await.unwrap();
    let more = unhex(&get("nope").replace(' ', "").repeat(100));
    let began = tokio::time::Instant::now();
    // The peer goes on asking and never reads: at some point it can't even ask.
    let _ = tokio::time::timeout(Duration::from_secs(100), io.write_all(&more)).await;
    served.await.unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_secs(30));
}

/// A client's end that holds little, of a connection that is being served.
fn narrow(front: &Front) -> (DuplexStream, tokio::task::JoinHandle<std::io::Result<()>>) {
    let (io, far) = tokio::io::duplex(64);
    let server = front.server.clone();
    let served =
        tokio::spawn(async move { server.serve_connection(far, REACHED, std::future::pending()).await });
    (io, served)
}

#[tokio::test(start_paused = true)]
async fn all_that_is_under_way_to_a_peer_has_one_write_timeout_however_slowly_it_reads() {
    let front = front();
    let (mut io, served) = narrow(&front);
    let requests = unhex(&format!("{PREAMBLE}{}", get("nope").repeat(100)).replace(' ', ""));
    let (mut read, mut write) = tokio::io::split(&mut io);
    let began = tokio::time::Instant::now();
    let ask = async {
        // The front hangs up before it has taken all.
        let _ = write.write_all(&requests).await;
        let _ = write.shutdown().await;
        std::future::pending::<()>().await;
    };
    let sip = async {
        let mut taken = 0;
        while read.read(&mut [0; 1]).await.unwrap() > 0 {
            taken += 1;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        taken
    };
    let taken = tokio::select! { () = ask => 0, taken = sip => taken };
    served.await.unwrap().unwrap();
    assert!(taken > 0 && taken < 300, "{taken}");
    assert!(began.elapsed() >= Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn answers_that_wait_are_charged_to_the_memory_of_all_connections() {
    let settings = DaxSettings { max_frame_bytes_in_flight: 1 << 20, ..DaxSettings::default() };
    let front = front_with(Auth::Any, settings);
    let item = Item::new()
        .with("pk", AttributeValue::S("x".into()))
        .with("a", AttributeValue::B(vec![0; 350 << 10].into()));
    front.store.items.lock().unwrap().insert("x".into(), item);
    let ask = unhex(&format!("{PREAMBLE}{}", get("x")).replace(' ', ""));
    let began = tokio::time::Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (mut io, served) = narrow(&front);
        io.write_all(&ask).await.unwrap();
        tokio::task::yield_now().await;
        waiting.push((io, served));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(waiting.iter().all(|(_, served)| !served.is_finished()));
    // The third does not fit any more: it is given up at once, not after its time.
    let (mut io, served) = narrow(&front);
    io.write_all(&ask).await.unwrap();
    served.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    // And once those that waited are gone, there is room again.
    for (io, served) in waiting {
        drop(io);
        assert!(served.await.unwrap().is_err());
    }
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("x"))).await;
    let mut answer = vec![0; 350 << 10];
    peer.io.read_exact(&mut answer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn writes_that_were_made_are_answered_though_there_is_no_room() {
    let front =
        front_with(Auth::Any, DaxSettings { max_frame_bytes_in_flight: 100, ..DaxSettings::default() });
    let mut others = front.server.0.account.hold();
    assert!(others.grow(90));
    let (io, served) = narrow(&front);
    // A list of names, then as many puts as the pipe can't take the answers of.
    let put = "013a7d8e7e56444861736842633142020abf0300ff";
    let ask = unhex(&format!("{PREAMBLE}013a495927bb816176{}", put.repeat(100)));
    let mut answers = vec![0; 202];
    let (mut reads, mut writes) = tokio::io::split(io);
    let (asked, answered) = tokio::join!(writes.write_all(&ask), reads.read_exact(&mut answers));
    asked.unwrap();
    answered.unwrap();
    assert_eq!(hex(&answers), format!("8002{}", "80f6".repeat(100)));
    assert_eq!(front.store.version.load(Ordering::Relaxed), 100);
    drop((reads, writes));
    served.await.unwrap().unwrap();
    assert_eq!(front.server.0.account.held_bytes(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_an_idle_connection_and_not_a_request() {
    let front = front();
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("slow"))).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let Peer { mut io, served, stop } = peer;
    stop.send(()).unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    assert_eq!(hex(&answer), "80bfff");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_busy_connection_stops_too() {
    let front = front();
    let mut peer = front.connect();
    peer.send(PREAMBLE).await;
    let stop = std::mem::replace(&mut peer.stop, tokio::sync::oneshot::channel().0);
    stop.send(()).unwrap();
    let all = unhex(&get("nope").replace(' ', "").repeat(1000));
    let _ = peer.io.write_all(&all).await;
    let answers = peer.rest().await.len() / 3;
    assert!(answers < 1000, "{answers}");
}

#[tokio::test]
async fn memory_for_large_requests_is_bounded_over_all_connections() {
    let settings = DaxSettings { max_frame_bytes_in_flight: 1 << 20, ..DaxSettings::default() };
    let front = front_with(Auth::Any, settings);
    let mut peer = front.connect();
    // A put of two megabytes, of which the second never gets in.
    peer.send(&format!("{PREAMBLE} 013a7d8e7e56 4448617368 4161 5a00200000")).await;
    let part = vec![0; 64 << 10];
    for _ in 0..32 {
        // The front may have hung up before it has all.
        let _ = peer.io.write_all(&part).await;
    }
    peer.io.shutdown().await.unwrap();
    let answer = hex(&peer.rest().await);
    assert!(answer.starts_with("85041825182618271832"), "{answer}");
    // And what it held is free again.
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("ready"))).await;
    peer.expect("80bf004101ff").await;
}

/// A front that lets one request wait, and the peer whose slow one does.
async fn full() -> (Front, Peer) {
    let settings = DaxSettings { max_requests_in_flight: 1, ..DaxSettings::default() };
    let front = front_with(Auth::Any, settings);
    let mut waiting = front.connect();
    waiting.send(&format!("{PREAMBLE} {}", get("slow"))).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    (front, waiting)
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_bounded_over_all_connections() {
    let (front, mut waiting) = full().await;
    let mut peer = front.connect();
    peer.send(&format!("{PREAMBLE} {}", get("nope"))).await;
    peer.expect("85041825182618271832").await;
    waiting.expect("80bfff").await;
}

/// Both ends of TLS with a certificate for 127.0.0.1.
pub(crate) fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn tls_carries_the_same_bytes() {
    let (config, client) = tls();
    let front = front();
    let (near, far) = tokio::io::duplex(1 << 16);
    let server = front.server.clone();
    let served =
        tokio::spawn(async move { server.serve_tls(far, REACHED, config, std::future::pending()).await });
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut io = tokio_rustls::TlsConnector::from(client).connect(name, near).await.unwrap();
    io.write_all(&unhex(&format!("{PREAMBLE}{ENDPOINTS}"))).await.unwrap();
    let mut answer = vec![0; NODE.replace(' ', "").len() / 2];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(hex(&answer), NODE.replace(' ', ""));
    io.shutdown().await.unwrap();
    drop(io);
    served.await.unwrap().unwrap();
}
