//! The front over the whole stack: a hit gives the bytes that a miss gives (P12), and only such as may be kept are kept.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use api::schema::Status;
use api::service::Catalog;
use api::{ChangeSink, Context, DynamoDb, ItemBody, OpKind, Request, Response, Shared, Wire};
use dax::attribute_lists::{AttributeLists, Defining, Demand, ListId, Names, PASSING, VolatileLists};
use dax::codec::frame::AnswerScanner;
use dax::codec::item::ListIds;
use dax::codec::method::Method;
use dax::codec::request::write_request;
use dax::codec::schema::Schema;
use host::clock::{Clock, SystemClock};
use store::{Embedded, EmbeddedSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::cache::{Cache, CacheSettings};
use crate::layer::{Encoders, LimitSettings, Resolved};
use crate::stack;

const PREAMBLE: &[u8] = b"gJ7yne5G\x00\xf6\xa0\x00";
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A node with its cache, and the same store behind a front without any.
struct World {
    db: Shared,
    cached: DaxServer<Shared>,
    plain: DaxServer<Shared>,
    catalog: Arc<dyn Catalog>,
    lists: Arc<dyn AttributeLists>,
}

impl World {
    fn new(lists: Arc<dyn AttributeLists>) -> World {
        let clock = Arc::new(SystemClock::new());
        let system = Arc::new(System::new(Arc::clone(&clock)));
        let registry = Registry::new();
        let cache =
            Cache::new(CacheSettings::default(), Arc::clone(&clock) as Arc<dyn Clock>, 7, 1, &registry)
                .unwrap();
        let sink = Arc::clone(&cache) as Arc<dyn ChangeSink>;
        let store =
            Embedded::in_memory(EmbeddedSettings::default(), store::Surroundings::system(), sink).unwrap();
        let store = Arc::new(store);
        let encoders = Encoders { json: None, dax: Some(Arc::new(Encoder::new(Arc::clone(&lists)))) };
        let limits = LimitSettings::default();
        let catalog: Arc<dyn Catalog> = store.catalog();
        let parts = stack::Parts { cache, encoders, limits: &limits, clock, registry: &registry };
        let db = stack::build(Arc::clone(&store), parts);
        let front = |db: Shared| {
            let config = Config::default();
            let nodes = one_node(&config, &system);
            let cluster =
                Cluster { catalog: Arc::clone(&catalog), lists: Arc::clone(&lists), nodes, follows: None };
            server(db, cluster, &sigv4::Auth::Any, &config, &system, &registry)
        };
        let plain = Resolved::new(store, Arc::clone(&catalog));
        let (cached, plain) = (front(db.clone()), front(Shared::new(plain)));
        World { db, cached, plain, catalog, lists }
    }

    /// A table with an index of either kind and a few items.
    async fn with_items(lists: Arc<dyn AttributeLists>) -> World {
        let world = World::new(lists);
        world.call(OpKind::CreateTable, TABLE).await;
        let is_active = || {
            let table = world.catalog.table(&api::TableName::new("things").unwrap());
            table.is_some_and(|table| table.status == Status::Active)
        };
        while !is_active() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        for item in ITEMS {
            world.call(OpKind::PutItem, &format!(r#"{{"TableName":"things","Item":{item}}}"#)).await;
        }
        world
    }

    async fn call(&self, op: OpKind, json: &str) -> Response {
        self.db.call(Context::default(), request(op, json)).await.unwrap().response
    }

    /// Whether the node has an answer in ready bytes.
    async fn is_ready(&self, request: &Request) -> bool {
        let cx = Context { wire: Wire::Dax, ..Context::default() };
        let answer = self.db.call(cx, request.clone()).await.unwrap();
        matches!(answer.response, Response::Ready(_))
    }

    fn frame(&self, request: &Request) -> Vec<u8> {
        let find = |names: &[&str]| self.lists.id(names, Demand::Write);
        let schemas = |name: &str| {
            let table = self.catalog.table(&api::TableName::new(name).unwrap());
            Ok(Schema::Table(table.unwrap()))
        };
        let mut frame = Vec::new();
        write_request(&mut frame, request, &schemas, &mut ListIds::new(&find)).unwrap();
        frame
    }
}

fn request(op: OpKind, json: &str) -> Request {
    http_front::codec::decode_request(op, json.as_bytes()).unwrap()
}

/// A client's end of a connection.
struct Peer(DuplexStream);

impl Peer {
    async fn connect(server: &DaxServer<Shared>) -> Peer {
        let (mut io, far) = tokio::io::duplex(1 << 20);
        let server = server.clone();
        tokio::spawn(async move {
            let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let reached = Reached { local: at(8111), peer: at(50_000), transport: Transport::Plain };
            server.serve_connection(far, reached, std::future::pending()).await
        });
        io.write_all(PREAMBLE).await.unwrap();
        Peer(io)
    }

    /// The whole answer, byte for byte.
    async fn ask(&mut self, op: OpKind, frame: &[u8]) -> Vec<u8> {
        self.0.write_all(frame).await.unwrap();
        let mut scanner = AnswerScanner::new(Method::Operation(op), ANSWER_BYTES_MAX);
        let mut answer = Vec::new();
        loop {
            assert!(self.0.read_buf(&mut answer).await.unwrap() > 0, "the connection ended");
            if let Some(bytes) = scanner.next(&answer).unwrap() {
                assert_eq!(bytes, answer.len(), "one answer");
                return answer;
            }
        }
    }
}

const TABLE: &str = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
    "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},
        {"AttributeName":"g","AttributeType":"S"},{"AttributeName":"l","AttributeType":"B"}],
    "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
    "GlobalSecondaryIndexes":[{"IndexName":"by-g","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],
        "Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["a"]}}],
    "LocalSecondaryIndexes":[{"IndexName":"by-l","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},
        {"AttributeName":"l","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}"#;

const ITEMS: [&str; 6] = [
    r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#,
    r#"{"pk":{"S":"p"},"sk":{"N":"2"},"a":{"S":"text"},"g":{"S":"x"},"l":{"B":"AQI="}}"#,
    r#"{"pk":{"S":"p"},"sk":{"N":"-3.5"},"a":{"L":[{"N":"1"},{"M":{"in":{"BOOL":true}}},{"NULL":true}]},"b":{"SS":["x","y"]}}"#,
    r#"{"pk":{"S":"p"},"sk":{"N":"4"},"n":{"NS":["1","-2.50"]},"bs":{"BS":["AA=="]},"g":{"S":"x"},"l":{"B":"AA=="}}"#,
    r#"{"pk":{"S":"q"},"sk":{"N":"1"},"a":{"S":"of another partition"},"g":{"S":"y"}}"#,
    r#"{"pk":{"S":"q"},"sk":{"N":"2"},"b":{"N":"12345678901234567890"}}"#,
];

const KEYS: [&str; 5] = [
    r#"{"pk":{"S":"p"},"sk":{"N":"1"}}"#,
    r#"{"pk":{"S":"p"},"sk":{"N":"2"}}"#,
    r#"{"pk":{"S":"p"},"sk":{"N":"-3.5"}}"#,
    r#"{"pk":{"S":"q"},"sk":{"N":"2"}}"#,
    r#"{"pk":{"S":"nobody"},"sk":{"N":"0"}}"#,
];

/// Whether answers are kept in ready bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Ready,
    Typed,
}

/// What else a read may ask for. Of projections: one path, several in an order of their own, several elements of one list, of
/// which only the whole item tells which are there, and one that is nowhere.
fn asks() -> Vec<(String, Kept)> {
    let mut asks = vec![(String::new(), Kept::Ready)];
    for capacity in ["TOTAL", "INDEXES"] {
        asks.push((format!(r#","ReturnConsumedCapacity":"{capacity}""#), Kept::Typed));
    }
    for projection in ["a", "b, pk, a[1].#in", "a[0], a[2]", "nowhere"] {
        let names =
            if projection.contains('#') { r##","ExpressionAttributeNames":{"#in":"in"}"## } else { "" };
        asks.push((format!(r#","ProjectionExpression":"{projection}"{names}"#), Kept::Typed));
    }
    asks
}

/// Every kind of read, and whether the cache keeps its answer ready.
fn reads() -> Vec<(OpKind, String, Kept)> {
    let mut reads = Vec::new();
    for (ask, kept) in asks() {
        for key in KEYS {
            reads.push((OpKind::GetItem, format!(r#"{{"TableName":"things","Key":{key}{ask}}}"#), kept));
        }
        // What a page has of its items is a part of its key.
        let kept = match ask.contains("Capacity") || ask.contains("a[0], a[2]") {
            true => Kept::Typed,
            false => Kept::Ready,
        };
        for index in [r#""#, r#","IndexName":"by-l""#] {
            for partition in ["p", "q", "nobody"] {
                for more in ["", r#","Limit":2"#, r#","ScanIndexForward":false"#] {
                    let condition = format!(
                        r#""KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{{":p":{{"S":"{partition}"}}}}"#
                    );
                    let query = format!(r#"{{"TableName":"things",{condition}{index}{more}{ask}}}"#);
                    reads.push((OpKind::Query, query, kept));
                }
            }
            for more in ["", r#","Limit":1"#, r#","TotalSegments":2,"Segment":1"#] {
                reads.push((OpKind::Scan, format!(r#"{{"TableName":"things"{index}{more}{ask}}}"#), kept));
            }
        }
        let keys = KEYS.join(",");
        let (ask, capacity) = match ask.contains("Capacity") {
            true => ("", ask.as_str()),
            false => (ask.as_str(), ""),
        };
        let batch = format!(r#"{{"RequestItems":{{"things":{{"Keys":[{keys}]{ask}}}}}{capacity}}}"#);
        reads.push((OpKind::BatchGetItem, batch, Kept::Typed));
    }
    let of_global = r#""KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"x"}}"#;
    for more in ["", r#","Limit":1"#, r#","ProjectionExpression":"a""#, r#","Select":"COUNT""#] {
        let query = format!(r#"{{"TableName":"things","IndexName":"by-g",{of_global}{more}}}"#);
        reads.push((OpKind::Query, query, Kept::Ready));
    }
    reads
}

#[tokio::test]
async fn a_hit_gives_the_bytes_of_a_miss_for_every_read() {
    let world = World::with_items(Arc::new(VolatileLists::new(100))).await;
    let (mut cached, mut plain) = (Peer::connect(&world.cached).await, Peer::connect(&world.plain).await);
    // The items just written are in the cache already; pages are not.
    for (op, json, kept) in reads() {
        let request = request(op, &json);
        let frame = world.frame(&request);
        let of_store = plain.ask(op, &frame).await;
        assert_eq!(of_store[0], 0x80, "{json}: no error");
        for time in ["first", "second", "third"] {
            assert_eq!(cached.ask(op, &frame).await, of_store, "{json}: the {time} time");
        }
        assert_eq!(world.is_ready(&request).await, kept == Kept::Ready, "{json}");
    }
}

#[tokio::test]
async fn what_is_ready_for_whole_items_is_not_given_to_who_wants_parts() {
    let world = World::with_items(Arc::new(VolatileLists::new(100))).await;
    let mut peer = Peer::connect(&world.cached).await;
    let ask = |more: &str| {
        request(OpKind::GetItem, &format!(r#"{{"TableName":"things","Key":{}{more}}}"#, KEYS[2]))
    };
    let whole = world.frame(&ask(""));
    for _ in 0..2 {
        peer.ask(OpKind::GetItem, &whole).await;
    }
    assert!(world.is_ready(&ask("")).await);
    // Elements 0 and 2: a map of two numbers, 1 and null.
    let parts = world.frame(&ask(r#","ProjectionExpression":"a[0], a[2]""#));
    assert_eq!(peer.ask(OpKind::GetItem, &parts).await, b"\x80\xbf\x00\xa2\x00\x01\x01\xf6\xff");
}

#[tokio::test]
async fn the_hits_of_a_batch_go_up_with_what_lies_ready_of_each() {
    let world = World::with_items(Arc::new(VolatileLists::new(100))).await;
    let mut peer = Peer::connect(&world.cached).await;
    let keys = KEYS.join(",");
    for (more, ready) in [
        ("}}", true),
        (r#"}},"ReturnConsumedCapacity":"TOTAL""#, true),
        (r#","ProjectionExpression":"a"}}"#, false),
        (r#","ConsistentRead":true}}"#, false),
    ] {
        let batch = request(
            OpKind::BatchGetItem,
            &format!(r#"{{"RequestItems":{{"things":{{"Keys":[{keys}]{more}}}"#),
        );
        // Their lists of names have ids after the first time.
        peer.ask(OpKind::BatchGetItem, &world.frame(&batch)).await;
        let cx = Context { wire: Wire::Dax, ..Context::default() };
        let Ok(Response::BatchGetItem(output)) = world.db.call(cx, batch).await.map(|answer| answer.response)
        else {
            panic!("a batch is answered by the items of a batch");
        };
        let items = &output.responses[0].1;
        assert_eq!(items.len(), 4);
        for (item, key) in items.iter().zip(KEYS) {
            assert_eq!(matches!(item, ItemBody::Ready(_)), ready, "{more}");
            if let ItemBody::Ready(item) = item {
                let get = request(OpKind::GetItem, &format!(r#"{{"TableName":"things","Key":{key}}}"#));
                assert_eq!(item.answer.bytes, peer.ask(OpKind::GetItem, &world.frame(&get)).await);
            }
        }
    }
}

/// A registry that is full until it is not.
#[derive(Default)]
struct Full(AtomicBool);

const LASTING: ListId = ListId(7);

impl AttributeLists for Full {
    fn id(&self, _: &[&str], _: Demand) -> Option<ListId> {
        Some(if self.0.load(Ordering::Relaxed) { LASTING } else { PASSING })
    }

    fn names(&self, _: ListId) -> Option<Names> {
        None
    }

    fn define(&self, _: Names, _: Demand) -> Defining<'_> {
        Box::pin(async { Ok(LASTING) })
    }
}

#[tokio::test]
async fn bytes_with_an_id_that_need_not_last_are_not_kept() {
    let full = Arc::new(Full::default());
    let world = World::with_items(Arc::clone(&full) as Arc<dyn AttributeLists>).await;
    let mut peer = Peer::connect(&world.cached).await;
    let get = request(OpKind::GetItem, &format!(r#"{{"TableName":"things","Key":{}}}"#, KEYS[3]));
    let scan = request(OpKind::Scan, r#"{"TableName":"things"}"#);
    for (op, read) in [(OpKind::GetItem, &get), (OpKind::Scan, &scan)] {
        let frame = world.frame(read);
        let has = |answer: &[u8], id: &[u8]| answer.windows(id.len()).any(|part| part == id);
        full.0.store(false, Ordering::Relaxed);
        for _ in 0..3 {
            assert!(has(&peer.ask(op, &frame).await, b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00"));
            assert!(!world.is_ready(read).await);
        }
        full.0.store(true, Ordering::Relaxed);
        let lasting = peer.ask(op, &frame).await;
        assert!(!has(&lasting, b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00"));
        assert!(world.is_ready(read).await);
        full.0.store(false, Ordering::Relaxed);
        assert_eq!(peer.ask(op, &frame).await, lasting, "what is kept does not change");
    }
    // A batch has the item as it is kept, and one beside it with an id of the moment.
    let batch = format!(r#"{{"RequestItems":{{"things":{{"Keys":[{},{}]}}}}}}"#, KEYS[1], KEYS[3]);
    let batch = peer.ask(OpKind::BatchGetItem, &world.frame(&request(OpKind::BatchGetItem, &batch))).await;
    let passing = batch.windows(9).filter(|part| part == b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00").count();
    assert_eq!(passing, 1);
}

/// Clients send a request again by themselves whose error tells them that it had no effect.
#[tokio::test]
async fn a_change_that_was_made_is_not_answered_as_one_that_was_not() {
    let world = World::with_items(Arc::new(VolatileLists::new(0))).await;
    let mut peer = Peer::connect(&world.cached).await;
    let has = |answer: &[u8], text: &str| answer.windows(text.len()).any(|part| part == text.as_bytes());
    let get = request(OpKind::GetItem, &format!(r#"{{"TableName":"things","Key":{}}}"#, KEYS[1]));
    let read = peer.ask(OpKind::GetItem, &world.frame(&get)).await;
    assert!(has(&read, "LimitExceededException"), "there is no room for its list of names");
    let delete = format!(r#"{{"TableName":"things","Key":{},"ReturnValues":"ALL_OLD"}}"#, KEYS[1]);
    let told = peer.ask(OpKind::DeleteItem, &world.frame(&request(OpKind::DeleteItem, &delete))).await;
    assert!(has(&told, "InternalServerError") && has(&told, "has taken effect"), "{}", told.escape_ascii());
    assert!(!has(&told, "LimitExceededException"));
    assert!(matches!(world.db.call(Context::default(), get).await.unwrap().response,
        Response::GetItem(output) if output.item.is_none()));
}
