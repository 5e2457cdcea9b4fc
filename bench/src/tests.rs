//! The generator against a DAX front over a small service, and against its own echo.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::dax::attribute_lists::{AttributeLists, Defining, Demand, FIRST, ListId, Names};
use ::dax::authorize::{Signed, Signers};
use ::dax::client::Credentials;
use ::dax::codec::handshake::Endpoint;
use ::dax::server::{Auth, Cluster, Complaints, Nodes, Reached, Transport};
use ::dax::{DaxServer, DaxSettings, Surroundings};
use api::expr::KeyTest;
use api::op::{GetItemOutput, Page, PutItemOutput};
use api::schema::{BillingMode, KeyAttribute, KeySchema, Status, Table, TableId, TableName, Throughput};
use api::service::{Caller, Catalog};
use api::value::ValueType;
use api::{
    Answer, AttributeValue, Context, DynamoDb, Error, ErrorKind, Item, ItemBody, Number, Request, Response,
    Source,
};

use crate::item::{PARTED_TABLE, PARTITION_ITEMS, TABLE};
use crate::paced::Pace;
use crate::scenario::{Load, Scenario};
use crate::{BenchError, Target, connect, drive, echo, idle, item, paced};

const VALUE_BYTES: usize = 100;

/// How the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Sound,
    /// Answers reads with the item of the next key.
    Mistaken,
    /// Has no items.
    Empty,
    /// Refuses everything.
    Throttling,
}

struct Service {
    manner: Manner,
    written: Mutex<HashMap<String, Item>>,
    calls: AtomicU64,
}

fn made(key: u64) -> Item {
    Item::new()
        .with("pk", AttributeValue::S(item::name(key)))
        .with("payload", AttributeValue::S(item::payload(key, VALUE_BYTES)))
}

fn parted(key: u64) -> Item {
    let place = Number::from_parts(i128::from(key % PARTITION_ITEMS), 0).unwrap();
    Item::new()
        .with("pk", AttributeValue::S(item::partition_name(key)))
        .with("sk", AttributeValue::N(place))
        .with("payload", AttributeValue::S(item::payload(key, VALUE_BYTES)))
}

/// The number in a key, or in a partition's.
fn number(value: Option<&AttributeValue>) -> u64 {
    let Some(AttributeValue::S(name)) = value else { panic!("a key is a text: {value:?}") };
    name.split_once('-').unwrap().1.parse().unwrap()
}

fn body(item: Item) -> ItemBody {
    ItemBody::Tree(Arc::new(item))
}

impl DynamoDb for Service {
    async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.manner == Manner::Throttling {
            return Err(Error::new(ErrorKind::ThrottlingException, "Not now."));
        }
        let off = u64::from(self.manner == Manner::Mistaken);
        let response = match request {
            Request::GetItem(input) => {
                let found = made(number(input.key.get("pk")) + off);
                let item = (self.manner != Manner::Empty).then(|| body(found));
                Response::GetItem(GetItemOutput { item, capacity: None })
            }
            Request::PutItem(input) => {
                assert_eq!(input.item, made(number(input.item.get("pk"))));
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                written.insert(item::name(number(input.item.get("pk"))), input.item);
                Response::PutItem(PutItemOutput::default())
            }
            Request::Query(input) => {
                let KeyTest::Compare(_, partition) = &input.key_condition.tests[0].1 else {
                    panic!("{input:?}")
                };
                let first = (number(Some(partition)) + off) * PARTITION_ITEMS;
                let items = (first..first + PARTITION_ITEMS).map(|key| body(parted(key))).collect();
                let (count, scanned_count) = (PARTITION_ITEMS as u32, PARTITION_ITEMS as u32);
                Response::Query(Page { items: Some(items), count, scanned_count, ..Page::default() })
            }
            other => panic!("{other:?}"),
        };
        Ok(Answer { response, version: None, source: Source::Store })
    }
}

struct Tables;

impl Catalog for Tables {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        let part = |name: &str, value_type| KeyAttribute { name: name.into(), value_type };
        let sort = (name.as_str() == PARTED_TABLE).then(|| part("sk", ValueType::N));
        [TABLE, PARTED_TABLE].contains(&name.as_str()).then(|| {
            Arc::new(Table {
                id: TableId(1),
                name: name.clone(),
                generation: 1,
                status: Status::Active,
                key: KeySchema { partition: part("pk", ValueType::S), sort },
                attributes: Vec::new(),
                indexes: Vec::new(),
                billing: BillingMode::PayPerRequest,
                throughput: Throughput::default(),
                deletion_protection: false,
                table_class: None,
                tags: Default::default(),
                created_millis: 0,
                uuid: 0,
            })
        })
    }
}

/// Knows the list of the items, by an id that is not the first.
struct OneList;

const LIST: ListId = ListId(FIRST.0 + 300);

impl AttributeLists for OneList {
    fn id(&self, names: &[&str], _: Demand) -> Option<ListId> {
        (names == ["payload"]).then_some(LIST)
    }

    fn names(&self, id: ListId) -> Option<Names> {
        (id == LIST).then(|| ["payload".to_owned()].into())
    }

    fn define(&self, names: Names, _: Demand) -> Defining<'_> {
        panic!("no item has these attributes: {names:?}")
    }
}

struct NoNodes;

impl Nodes for NoNodes {
    fn endpoints(&self, _: Reached) -> Vec<Endpoint> {
        Vec::new()
    }
}

/// Takes every signature of one key for right; what is signed, the front judges.
struct OneKey;

impl Signers for OneKey {
    fn verify(&self, signed: Signed<'_>) -> Result<Arc<Caller>, Error> {
        if signed.access_key == "known" {
            Ok(Arc::new(Caller { access_key: "known".into() }))
        } else {
            Err(Error::new(ErrorKind::UnrecognizedClientException, "not known"))
        }
    }
}

struct World;

impl Surroundings for World {
    fn wall_millis(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_millis() as u64
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn random(&self) -> u128 {
        7
    }
}

impl Complaints for World {
    fn malformed(&self, peer: SocketAddr, what: &dyn std::fmt::Display) {
        panic!("the generator speaks DAX, and {peer} sent what does not: {what}")
    }
}

/// Serves on a thread of its own, as long as the tests run.
fn serve(manner: Manner, auth: Auth) -> (Target, Arc<Service>) {
    let service = Arc::new(Service { manner, written: Mutex::default(), calls: AtomicU64::new(0) });
    let cluster = Cluster {
        catalog: Arc::new(Tables),
        lists: Arc::new(OneList),
        nodes: Arc::new(NoNodes),
        follows: None,
    };
    let settings = DaxSettings::default();
    let server =
        DaxServer::new(Arc::clone(&service), cluster, auth, settings, Arc::new(World), Arc::new(World));
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let local = listener.local_addr().unwrap();
    std::thread::spawn(move || accept(listener, server, local));
    (target("dax", local), service)
}

fn accept(listener: TcpListener, server: DaxServer<Arc<Service>>, local: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((io, peer)) = listener.accept().await {
            io.set_nodelay(true).unwrap();
            let server = server.clone();
            let reached = Reached { local, peer, transport: Transport::Plain };
            tokio::spawn(async move { server.serve_connection(io, reached, std::future::pending()).await });
        }
    });
}

fn target(scheme: &str, at: SocketAddr) -> Target {
    format!("t={scheme}://{at}#{}", std::process::id()).parse().unwrap()
}

fn load(scenario: Scenario) -> Load {
    Load {
        scenario,
        connections: 3,
        pipeline: 1,
        keys: 1000,
        value_bytes: VALUE_BYTES,
        seed: 1,
        time: Duration::from_millis(200),
        credentials: None,
    }
}

#[test]
fn every_scenario_runs_over_dax_and_every_answer_counts() {
    for scenario in [Scenario::GetItem, Scenario::GetItemStrong, Scenario::PutItem, Scenario::Query] {
        for pipeline in [1, 16] {
            let (target, service) = serve(Manner::Sound, Auth::Any);
            let measured = drive::run(&target, &Load { pipeline, ..load(scenario) }, 0).unwrap();
            assert!(measured.answers > 100, "{scenario:?}: {}", measured.answers);
            assert_eq!(measured.answers, service.calls.load(Ordering::Relaxed), "{scenario:?}");
            let written = service.written.lock().unwrap().len();
            assert_eq!(written > 10, scenario == Scenario::PutItem, "{scenario:?}: {written}");
        }
    }
}

#[test]
fn what_is_not_the_right_answer_ends_the_run() {
    let ends = |manner, scenario, pipeline, shown: &str| {
        let (target, _) = serve(manner, Auth::Any);
        match drive::run(&target, &Load { pipeline, ..load(scenario) }, 0) {
            Err(error @ BenchError::Answer { .. }) => {
                let text = error.to_string();
                assert!(text.contains(shown), "{text}");
            }
            other => panic!("{manner:?} {scenario:?}: {:?}", other.map(|measured| measured.answers)),
        }
    };
    for pipeline in [1, 4] {
        ends(Manner::Mistaken, Scenario::GetItem, pipeline, "get-item of key");
        ends(Manner::Mistaken, Scenario::Query, pipeline, "query of key");
        ends(Manner::Empty, Scenario::GetItem, pipeline, "get-item of key");
        ends(Manner::Throttling, Scenario::GetItem, pipeline, "ThrottlingException");
        ends(Manner::Throttling, Scenario::PutItem, pipeline, "ThrottlingException");
    }
}

#[test]
fn an_echo_is_driven_like_what_it_stands_for() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let local = listener.local_addr().unwrap();
    std::thread::spawn(move || echo::serve_on(&listener));
    for scheme in ["echo", "echo-dax"] {
        for pipeline in [1, 16] {
            let load = Load { pipeline, ..load(Scenario::GetItem) };
            let measured = drive::run(&target(scheme, local), &load, 0).unwrap();
            assert!(measured.answers > 100, "{scheme}: {}", measured.answers);
        }
    }
}

#[test]
fn a_pace_is_kept_and_writes_are_among_the_reads() {
    let (target, service) = serve(Manner::Sound, Auth::Any);
    let pace = Pace { rate: Some(2000.0), share: 1.0, writes_percent: 5 };
    let began = Instant::now();
    paced::run(&[target], &load(Scenario::GetItem), pace, 2).unwrap();
    // 400 in 200 ms, twice; no faster than planned.
    assert!(began.elapsed() >= Duration::from_millis(390), "{:?}", began.elapsed());
    assert_eq!(service.calls.load(Ordering::Relaxed), 800);
    let written = service.written.lock().unwrap().len();
    assert!((10..100).contains(&written), "{written}");
}

fn signed(access_key: &str) -> Option<Credentials> {
    Some(Credentials { access_key: access_key.into(), secret_key: "secret".into(), session_token: None })
}

#[test]
fn connections_are_authorised_where_that_is_asked() {
    let (target, service) = serve(Manner::Sound, Auth::Keys(Arc::new(OneKey)));
    let with = |access_key: &str| Load { credentials: signed(access_key), ..load(Scenario::GetItem) };
    connect::run(&target, &with("known"), 500.0).unwrap();
    assert_eq!(service.calls.load(Ordering::Relaxed), 100);
    let refused = connect::run(&target, &with("stranger"), 500.0).unwrap_err().to_string();
    assert!(refused.contains("UnrecognizedClientException"), "{refused}");
    let unsigned = connect::run(&target, &load(Scenario::GetItem), 500.0).unwrap_err().to_string();
    assert!(unsigned.contains("MissingAuthenticationTokenException"), "{unsigned}");
    idle::run(&target, &Load { connections: 300, ..with("known") }).unwrap();
    assert_eq!(service.calls.load(Ordering::Relaxed), 100 + 600);
}

#[test]
fn connections_that_come_to_nothing_are_an_error() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    // Redis needs nothing learned before.
    let failed = connect::run(&target("redis", closed), &load(Scenario::GetItem), 500.0).unwrap_err();
    assert!(matches!(failed, BenchError::Connections { failed: 100, .. }), "{failed}");
}
