//! What nodes answer from memory, to clients that know of no version: with `write_visibility = "all"` what is acknowledged, and in any
//! case nothing older than `max_replica_lag`.
//!
//! Every read here is eventual, on another connection and another node than the write, and had an older answer in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::numbers::now;
use forebay_tests::seen::{Read, put, seen, table};
use forebay_tests::wire::{Wire, request};

/// Writes of the plain test, each read on every node.
const WRITES: u64 = 300;
/// Times a node is made to stand still.
const PAUSES: u64 = 3;
/// Longer than any lease.
const PAUSE: Duration = Duration::from_millis(2_500);

#[test]
fn a_write_through_any_node_is_seen_on_all_as_soon_as_it_is_acknowledged() {
    let cluster = Cluster::start_with(3, "write_visibility = \"all\"");
    cluster.node(0).create_table(&table());
    let hits = |at: usize| cluster.node(at).metric("forebay_item_cache_hits_total").unwrap_or(0.0);
    let mut took = Vec::new();
    for n in 1..=WRITES {
        let writer = n as usize % 3;
        let begun = now();
        cluster.ok(writer, "PutItem", &put(n));
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
        let reply = wire.ask("PutItem", &put(next)).expect("the node answers");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
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
        let [get, ..] = Read::eventual();
        for wire in &mut waiting {
            wire.send(&request(get.op, get.body.to_string().as_bytes(), &[])).expect("it is sent");
        }
        drop(paused);
        for wire in &mut waiting {
            let reply = wire.reply().expect("an answer").json();
            assert!(get.number(&reply) >= before, "{reply}, and {before} was acknowledged");
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
            cluster.ok(primary, "PutItem", &put(n));
            for (at, node) in cluster.running() {
                assert_eq!(seen(node), [n; 3], "node {at}");
            }
        }
        cluster.kill(primary);
        let next = cluster.primary();
        let begun = now();
        n += 1;
        cluster.ok(next, "PutItem", &put(n));
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
    cluster.ok(replica, "PutItem", &put(1));
    assert_eq!(seen(cluster.node(replica)), [1; 3]);
    cluster.network().expect("it has one").isolate(replica).expect("it can be cut off");
    let cut = now();
    cluster.ok(primary, "PutItem", &put(2));
    let [get, ..] = Read::eventual();
    let (mut answered, mut refused) = (0_u64, None);
    while refused.is_none() {
        let asked = cut.elapsed();
        let reply = cluster.node(replica).connect().ask(get.op, &get.body).expect("an answer");
        if reply.status == 200 {
            assert_eq!(get.number(&reply.json()), 1, "it knows of nothing else");
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
