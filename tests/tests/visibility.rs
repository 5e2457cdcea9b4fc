//! What nodes answer from memory, to clients that know of no version: with `write_visibility = "all"` what is acknowledged, and in any
//! case nothing older than `max_replica_lag`.
//!
//! Every read here is eventual, on another connection and another node than the write, and had an older answer in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forebay_tests::cluster::Cluster;
use forebay_tests::node::Node;
use forebay_tests::wire::Wire;
use serde_json::{Value, json};

const TABLE: &str = "seen";
/// Writes of the plain test, each read on every node.
const WRITES: u64 = 300;
/// Times a node is made to stand still.
const PAUSES: u64 = 3;
/// Longer than any lease.
const PAUSE: Duration = Duration::from_millis(2_500);

fn table() -> Value {
    json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "S"}
        ],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    })
}

fn put(n: u64) -> Value {
    json!({"TableName": TABLE, "Item": {"p": {"S": "p"}, "s": {"S": "s"}, "n": {"N": n.to_string()}}})
}

fn ok(wire: &mut Wire, op: &str, body: &Value) -> Value {
    let reply = wire.ask(op, body).unwrap_or_else(|error| panic!("{op}: {error}"));
    assert_eq!(reply.status, 200, "{op}: {}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

fn number(item: &Value) -> u64 {
    item["n"]["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What a node says of the item, read by itself, in a query and in a scan. Each on a connection that has seen nothing.
fn seen(node: &Node) -> [u64; 3] {
    let item = ok(
        &mut node.connect(),
        "GetItem",
        &json!({"TableName": TABLE, "Key": {"p": {"S": "p"}, "s": {"S": "s"}}}),
    );
    let query = ok(
        &mut node.connect(),
        "Query",
        &json!({"TableName": TABLE, "KeyConditionExpression": "p = :p",
                "ExpressionAttributeValues": {":p": {"S": "p"}}}),
    );
    let scan = ok(&mut node.connect(), "Scan", &json!({"TableName": TABLE}));
    [number(&item["Item"]), number(&query["Items"][0]), number(&scan["Items"][0])]
}

#[allow(clippy::disallowed_methods, reason = "how long writes are held up is said in the report")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_write_through_any_node_is_seen_on_all_as_soon_as_it_is_acknowledged() {
    let cluster = Cluster::start_with(3, "write_visibility = \"all\"");
    cluster.node(0).create_table(&table());
    let hits = |at: usize| cluster.node(at).metric("forebay_item_cache_hits_total").unwrap_or(0.0);
    let mut took = Vec::new();
    for n in 1..=WRITES {
        let writer = n as usize % 3;
        let begun = now();
        ok(&mut cluster.node(writer).connect(), "PutItem", &put(n));
        took.push(begun.elapsed());
        // Whoever is the slowest to apply is not always the same.
        for at in (0..3).map(|step| (writer + 1 + step) % 3) {
            assert_eq!(seen(cluster.node(at)), [n; 3], "node {at} after write {n} through {writer}");
        }
    }
    for at in 0..3 {
        assert!(hits(at) > 0.0, "node {at} answers nothing from memory");
    }
    took.sort();
    println!("a write took {:?} (median), {:?} (p99)", took[took.len() / 2], took[took.len() * 99 / 100]);
}

/// Writes one more than the last, again and again, until it is told to stop. Answers the longest that one took.
fn write(node: std::net::SocketAddr, last: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Duration {
    let (mut wire, mut longest) = (Wire::connect(node).expect("the node is there"), Duration::ZERO);
    while !stop.load(Ordering::SeqCst) {
        let next = last.load(Ordering::SeqCst) + 1;
        let begun = now();
        ok(&mut wire, "PutItem", &put(next));
        longest = longest.max(begun.elapsed());
        last.store(next, Ordering::SeqCst);
    }
    longest
}

#[test]
fn a_node_that_stood_still_answers_nothing_old_when_it_goes_on() {
    let cluster = Cluster::start_with(3, "write_visibility = \"all\"");
    cluster.node(0).create_table(&table());
    let (primary, replica) = (cluster.primary(), cluster.replica());
    let (last, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writing = {
        let (at, last, stop) = (cluster.node(primary).http, Arc::clone(&last), Arc::clone(&stop));
        std::thread::spawn(move || write(at, last, stop))
    };
    for _ in 0..PAUSES {
        // It has all of it in memory.
        let known = last.load(Ordering::SeqCst);
        assert!(seen(cluster.node(replica)).iter().all(|n| *n >= known));
        let mut waiting: Vec<Wire> = (0..8).map(|_| cluster.node(replica).connect()).collect();
        let paused = faults::process::pause(cluster.node(replica).pid()).expect("it is ours");
        std::thread::sleep(PAUSE);
        let before = last.load(Ordering::SeqCst);
        assert!(before > known, "writes went on without it");
        // Asked while it stands still, so that they are the first that it answers.
        let get = json!({"TableName": TABLE, "Key": {"p": {"S": "p"}, "s": {"S": "s"}}}).to_string();
        for wire in &mut waiting {
            wire.send(&forebay_tests::wire::request("GetItem", get.as_bytes(), &[])).expect("it is sent");
        }
        drop(paused);
        for wire in &mut waiting {
            let reply = wire.reply().expect("an answer").json();
            assert!(number(&reply["Item"]) >= before, "{reply}, and {before} was acknowledged");
        }
        // It gets its lease back.
        let begun = now();
        let hits = || cluster.node(replica).metric("forebay_item_cache_hits_total").unwrap_or(0.0);
        let had = hits();
        while hits() == had {
            seen(cluster.node(replica));
            assert!(begun.elapsed() < Duration::from_secs(20), "it asks the primary for ever");
        }
    }
    stop.store(true, Ordering::SeqCst);
    let longest = writing.join().expect("no write failed");
    println!("the longest write took {longest:?}");
    assert!(
        longest < Duration::from_secs(10),
        "a node that stands still holds up writes for its lease: {longest:?}"
    );
}

#[test]
fn a_new_primary_acknowledges_nothing_that_another_node_does_not_see() {
    let mut cluster = Cluster::start_with(3, "write_visibility = \"all\"");
    cluster.node(0).create_table(&table());
    let mut n = 0;
    for round in 0..2 {
        let primary = cluster.primary();
        for _ in 0..20 {
            n += 1;
            ok(&mut cluster.node(primary).connect(), "PutItem", &put(n));
            for (at, node) in cluster.running() {
                assert_eq!(seen(node), [n; 3], "node {at}");
            }
        }
        cluster.kill(primary);
        let next = cluster.primary();
        let begun = now();
        n += 1;
        ok(&mut cluster.node(next).connect(), "PutItem", &put(n));
        println!("round {round}: first write {:?} after the next primary was one", begun.elapsed());
        for (at, node) in cluster.running() {
            assert_eq!(seen(node), [n; 3], "node {at} after the primary was lost");
        }
        cluster.start_all();
    }
}

#[test]
fn a_node_that_is_cut_off_answers_nothing_from_memory_that_is_too_old() {
    const MOST: Duration = Duration::from_secs(2);
    let mut cluster = Cluster::in_network(3, "max_replica_lag = \"2s\"");
    cluster.node(0).create_table(&table());
    let (primary, replica) = (cluster.primary(), cluster.replica());
    ok(&mut cluster.node(replica).connect(), "PutItem", &put(1));
    assert_eq!(seen(cluster.node(replica)), [1; 3]);
    cluster.network().expect("it has one").isolate(replica).expect("it can be cut off");
    let cut = now();
    ok(&mut cluster.node(primary).connect(), "PutItem", &put(2));
    let get = json!({"TableName": TABLE, "Key": {"p": {"S": "p"}, "s": {"S": "s"}}});
    let (mut answered, mut refused) = (0_u64, None);
    while refused.is_none() {
        let asked = cut.elapsed();
        let reply = cluster.node(replica).connect().ask("GetItem", &get).expect("an answer");
        if reply.status == 200 {
            assert_eq!(number(&reply.json()["Item"]), 1, "it knows of nothing else");
            assert!(asked <= MOST, "asked {asked:?} after it was cut off, it answered what was before");
            answered += 1;
        } else {
            refused = Some((asked, reply));
        }
    }
    let (asked, reply) = refused.expect("the loop ends with one");
    println!("{answered} reads answered, the first refused one was asked after {asked:?}");
    assert!(answered > 0, "it may answer for {MOST:?}");
    assert!(reply.status >= 500, "one that clients try again: {}", String::from_utf8_lossy(&reply.body));
    cluster.network().expect("it has one").heal().expect("it heals");
    cluster.wait_until_whole();
    assert_eq!(seen(cluster.node(replica)), [2; 3]);
}
