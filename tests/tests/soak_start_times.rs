//! How long a node takes until it is ready, with `FOREBAY_GIGABYTES` of items (1 unless said otherwise): after a clean stop,
//! and after `kill -9` in the middle of writes. Bounds, and what is asserted: under a second, under five seconds.
//!
//! The kills come at different times after the last flush of the state, so that what has to be brought up from the log is
//! now little, now as much as there can be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay_tests::contract::tables::key;
use forebay_tests::directory::Directory;
use forebay_tests::node::Node;
use forebay_tests::random::Random;
use forebay_tests::wire::Wire;
use serde_json::{Value, json};

const TABLE: &str = "start-times";
const CLEAN_STOP_BOUND: Duration = Duration::from_secs(1);
const KILL_BOUND: Duration = Duration::from_secs(5);
/// Bytes of an item.
const ITEM_BYTES: std::ops::Range<u64> = 500..4_000;
/// Concurrent writers, each on a connection of its own.
const WRITERS: u64 = 8;
/// Items of one request.
const BATCH: u64 = 25;
const CLEAN_STOPS: usize = 5;
/// How long each killed node had been writing. Unit: milliseconds.
const KILLED_AFTER_MILLIS: [u64; 8] = [300, 700, 1_100, 1_500, 2_000, 2_600, 3_300, 5_000];

/// What all writers share.
struct Load {
    next: AtomicU64,
    bytes: AtomicU64,
    items: AtomicU64,
    stop: AtomicBool,
}

#[test]
fn a_node_with_much_data_is_ready_soon() {
    let gigabytes: f64 = match std::env::var("FOREBAY_GIGABYTES") {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("FOREBAY_GIGABYTES is {text:?}, which is no number"))
        }
        Err(_) => 1.0,
    };
    let bytes = (gigabytes * (1u64 << 30) as f64) as u64;
    let directory = Directory::new("start-times");
    let load = Arc::new(Load {
        next: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        items: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let mut node = Node::on(directory.path());
    node.create_table(&json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": key("p", None),
    }));
    for writer in write(node.http, &load, bytes) {
        writer.join().expect("a writer meets nothing but what it expects");
    }
    println!(
        "{} items, {} MiB",
        load.items.load(Ordering::Relaxed),
        load.bytes.load(Ordering::Relaxed) >> 20
    );

    let mut worst_clean = Duration::ZERO;
    for _ in 0..CLEAN_STOPS {
        assert!(node.stop().success());
        node = Node::on(directory.path());
        println!("ready {:?} after a clean stop", node.ready_after);
        worst_clean = worst_clean.max(node.ready_after);
        check(&node, &load);
        // So that each stop has something to make durable.
        for writer in write(node.http, &load, 8 << 20) {
            writer.join().expect("a writer meets nothing but what it expects");
        }
    }
    let mut worst_kill = Duration::ZERO;
    for millis in KILLED_AFTER_MILLIS {
        load.stop.store(false, Ordering::Relaxed);
        let before = load.bytes.load(Ordering::Relaxed);
        let writers = write(node.http, &load, u64::MAX);
        std::thread::sleep(Duration::from_millis(millis));
        node.kill();
        load.stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("a writer meets nothing but what it expects");
        }
        node = Node::on(directory.path());
        let written = load.bytes.load(Ordering::Relaxed) - before;
        println!("ready {:?} after a kill, {} MiB after the start before", node.ready_after, written >> 20);
        worst_kill = worst_kill.max(node.ready_after);
        check(&node, &load);
    }
    println!("worst: {worst_clean:?} after a clean stop, {worst_kill:?} after a kill");
    assert!(worst_clean < CLEAN_STOP_BOUND && worst_kill < KILL_BOUND);
}

/// Starts writers that write so many bytes of new items together, or until they are told to stop or the node is gone.
fn write(address: SocketAddr, load: &Arc<Load>, bytes: u64) -> Vec<std::thread::JoinHandle<()>> {
    let until = load.bytes.load(Ordering::Relaxed).saturating_add(bytes);
    let one = |writer: u64| {
        let load = Arc::clone(load);
        std::thread::spawn(move || {
            let Ok(mut wire) = Wire::connect(address) else { return };
            while !load.stop.load(Ordering::Relaxed) && load.bytes.load(Ordering::Relaxed) < until {
                let first = load.next.fetch_add(BATCH, Ordering::Relaxed);
                let mut random = Random::new(first ^ writer << 48);
                let mut bytes = 0;
                let puts: Vec<Value> = (first..first + BATCH)
                    .map(|number| {
                        let size = ITEM_BYTES.start + random.below(ITEM_BYTES.end - ITEM_BYTES.start);
                        bytes += size;
                        json!({"PutRequest": {"Item": item(number, size, &mut random)}})
                    })
                    .collect();
                match wire.ask("BatchWriteItem", &json!({"RequestItems": {TABLE: puts}})) {
                    Ok(reply) if reply.status == 200 => {
                        load.bytes.fetch_add(bytes, Ordering::Relaxed);
                        load.items.fetch_add(BATCH, Ordering::Relaxed);
                    }
                    // It may say so when it is behind with earlier writes, or is going down.
                    Ok(reply) if reply.status >= 500 || reply.kind() == "ThrottlingException" => {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    Ok(reply) => panic!("{}", String::from_utf8_lossy(&reply.body)),
                    Err(_) => return,
                }
            }
        })
    };
    (0..WRITERS).map(one).collect()
}

/// Text that compresses no better than that of people.
fn item(number: u64, bytes: u64, random: &mut Random) -> Value {
    let mut text = String::with_capacity(bytes as usize);
    while (text.len() as u64) < bytes {
        text.push_str(&format!("{:07x} ", random.below(1 << 28)));
    }
    json!({"p": {"S": format!("key-{number:012}")}, "v": {"S": text}})
}

/// Every acknowledged item is counted, and one is read.
fn check(node: &Node, load: &Load) {
    let table = node.ok("DescribeTable", &json!({"TableName": TABLE}));
    let items = table["Table"]["ItemCount"].as_u64().expect("a number of items");
    let acknowledged = load.items.load(Ordering::Relaxed);
    assert!(items >= acknowledged, "{items} items of {acknowledged} acknowledged");
    let got = node.ok("GetItem", &json!({"TableName": TABLE, "Key": {"p": {"S": "key-000000000007"}}}));
    assert!(got["Item"].is_object());
}
