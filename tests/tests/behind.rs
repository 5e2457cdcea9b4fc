//! Nodes that lack the latest write, and are asked in ways that let them answer nothing else: a primary that is none any more and does not
//! know it (P2), a replica that lags and is shown a token (P6), or has acknowledged the write itself (P1).
//!
//! What makes the difference is shown beside each: what the same node has in memory, and answers to whoever asks for no more.

use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, Request, Shared, Source, Version, token};
use forebay_tests::ask::{Ask, Refusal};
use forebay_tests::clients::Clients;
use forebay_tests::cluster::Cluster;
use forebay_tests::node::Node;
use forebay_tests::numbers::now;
use forebay_tests::seen::{Read, put, seen, table};
use tokio::runtime::Runtime;

/// Times a primary is put to sleep.
const SLEEPS: u64 = 4;
/// Strong reads of each kind and protocol that wait for it to wake up.
const WAITING: usize = 3;
/// By then what was asked has been sent.
const SENT: Duration = Duration::from_millis(100);
/// How late a replica hears of a write: longer than a read waits for a version, shorter than what a follower takes for silence.
const LAG: Duration = Duration::from_millis(200);
/// Writes that a replica hears of late: twice each read over each protocol.
const LATE_WRITES: usize = 12;
/// Longest until a node that reaches nobody says so, as in `no_majority.rs`.
const REFUSED_MAX: Duration = Duration::from_secs(5);
/// A cluster that has not come back to itself by then has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    // Its threads are started here, so they are in the network that the calling thread is in.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

/// Asks for no less than a version.
struct Floored {
    db: Shared,
    version: Option<Version>,
}

impl DynamoDb for Floored {
    async fn call(&self, mut cx: Context, request: Request) -> Result<Answer, Error> {
        cx.min_version = self.version;
        self.db.call(cx, request).await
    }
}

/// Somebody who reads over one protocol.
fn ask(protocol: &'static str, db: Shared, version: Option<Version>) -> Ask {
    Ask::through_trait(protocol, Shared::new(Floored { db, version }))
}

/// The number, and where the answer came from.
async fn read(ask: &Ask, read: &Read) -> (Result<u64, Refusal>, Source) {
    let (answer, source) = ask.ask(read.op, read.body.clone()).await;
    (answer.map(|answer| read.number(&answer)), source)
}

/// Clients over the protocols that have a place for a token.
fn with_tokens(node: &Node) -> Vec<(&'static str, Shared)> {
    Clients::of(node).each().into_iter().filter(|(protocol, _)| *protocol != "dax").collect()
}

fn may_be_tried_again(refusal: &Refusal) -> bool {
    matches!(refusal.kind.as_str(), "ServiceUnavailableException" | "InternalServerError")
}

/// Writes the number until that is acknowledged. Answers the token.
fn write(node: &Node, n: u64) -> Version {
    let begun = now();
    loop {
        let reply = node.connect().ask("PutItem", &put(n)).expect("the node answers");
        if reply.status == 200 {
            let version = reply.header(token::VERSION_HEADER).expect("a write has a version");
            return token::read(version.as_bytes()).expect("a token");
        }
        assert!(
            reply.status >= 500 && begun.elapsed() < PATIENCE,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
    }
}

/// Waits until a node answers from memory, and that this is the number.
fn wait_until_in_memory(runtime: &Runtime, node: &Node, n: u64) {
    let begun = now();
    while !Read::eventual().iter().all(|wanted| remembers(runtime, node, wanted) == Some(n)) {
        assert!(begun.elapsed() < PATIENCE, "it does not have {n} in memory: {:?}", seen(node));
    }
}

/// What a node answers from memory to somebody who has seen nothing.
fn remembers(runtime: &Runtime, node: &Node, wanted: &Read) -> Option<u64> {
    let ask = ask("http", Shared::new(Clients::of(node).http), None);
    match runtime.block_on(read(&ask, wanted)) {
        (Ok(number), Source::Cache) => Some(number),
        _ => None,
    }
}

#[test]
fn a_primary_that_slept_through_its_succession_answers_no_strong_read_with_what_was_before() {
    let cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let runtime = runtime();
    let (mut n, mut answered, mut refused) = (0, 0, 0);
    for _ in 0..SLEEPS {
        let old = cluster.primary();
        n += 1;
        write(cluster.node(old), n);
        // Connected, and answered once, so that what they ask next is in its sockets and nowhere else.
        let clients = (0..WAITING).flat_map(|_| {
            let reads = Read::strong().into_iter();
            reads.flat_map(|read| {
                Clients::of(cluster.node(old)).each().map(|(name, db)| (ask(name, db, None), read.clone()))
            })
        });
        let clients: Vec<(Ask, Read)> = clients.collect();
        for (ask, wanted) in &clients {
            assert_eq!(runtime.block_on(read(ask, wanted)).0, Ok(n), "{} {}", ask.name(), wanted.op);
        }
        let paused = cluster.pause(old);
        let next = cluster.primary_besides(Some(old));
        n += 1;
        write(cluster.node(next), n);
        // The first that it answers when it wakes up.
        let waiting: Vec<_> = clients
            .into_iter()
            .map(|(ask, wanted)| {
                runtime.spawn(async move {
                    let found = read(&ask, &wanted).await.0;
                    (ask.name(), wanted.op, found)
                })
            })
            .collect();
        std::thread::sleep(SENT);
        drop(paused);
        for reading in waiting {
            match runtime.block_on(reading).expect("a reader does not panic") {
                (_, _, Ok(found)) if found == n => answered += 1,
                (_, _, Err(refusal)) if may_be_tried_again(&refusal) => refused += 1,
                (protocol, op, found) => panic!("{op} over {protocol}: {found:?}, and {n} was acknowledged"),
            }
        }
        // It is a replica now, and passes them on.
        let begun = now();
        for wanted in Read::strong() {
            loop {
                let reply =
                    cluster.node(old).connect().ask(wanted.op, &wanted.body).expect("the node answers");
                if reply.status == 200 {
                    assert_eq!(wanted.number(&reply.json()), n, "{}", wanted.op);
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&reply.body));
            }
        }
    }
    println!("{answered} answered, {refused} refused");
}

#[test]
fn a_replica_that_lags_answers_whoever_shows_a_token_with_what_it_names() {
    let cluster = Cluster::in_network(3, "");
    cluster.node(0).create_table(&table());
    let runtime = runtime();
    let (primary, replica) = (cluster.primary(), cluster.replica());
    write(cluster.node(primary), 0);
    cluster.delay_to(replica, LAG);
    let mut lagged = 0;
    for round in 0..LATE_WRITES {
        let n = 1 + round as u64;
        wait_until_in_memory(&runtime, cluster.node(replica), n - 1);
        let version = write(cluster.node(primary), n);
        let wanted = &Read::eventual()[round % 3];
        lagged += usize::from(remembers(&runtime, cluster.node(replica), wanted) == Some(n - 1));
        let (protocol, db) = with_tokens(cluster.node(replica)).swap_remove(round % 2);
        let found = runtime.block_on(read(&ask(protocol, db, Some(version)), wanted)).0;
        assert_eq!(found, Ok(n), "{} over {protocol}, with the token of {n}", wanted.op);
    }
    println!("{lagged} of {LATE_WRITES} times the node had the last one in memory");
    assert!(lagged >= LATE_WRITES / 2, "the node does not lag");
}

#[test]
fn a_replica_that_is_cut_off_refuses_whoever_shows_a_token_of_what_it_lacks() {
    let mut cluster = Cluster::in_network(3, "max_replica_lag = \"60s\"");
    cluster.node(0).create_table(&table());
    let runtime = runtime();
    let (primary, replica) = (cluster.primary(), cluster.replica());
    write(cluster.node(primary), 1);
    wait_until_in_memory(&runtime, cluster.node(replica), 1);
    cluster.network().expect("it has one").isolate(replica).expect("it can be cut off");
    let version = write(cluster.node(primary), 2);
    for wanted in Read::eventual() {
        for (protocol, db) in with_tokens(cluster.node(replica)) {
            let asked = now();
            let found = runtime.block_on(read(&ask(protocol, db, Some(version)), &wanted)).0;
            let took = asked.elapsed();
            let refusal = found.expect_err("it can't know");
            println!("{} over {protocol}: {} after {took:?}", wanted.op, refusal.kind);
            assert!(may_be_tried_again(&refusal), "{refusal:?}");
            assert!(took < REFUSED_MAX, "{} over {protocol}: {took:?}", wanted.op);
            // The token is what it was refused for.
            assert_eq!(remembers(&runtime, cluster.node(replica), &wanted), Some(1), "{}", wanted.op);
        }
    }
    cluster.network().expect("it has one").heal().expect("it heals");
    cluster.wait_until_whole();
    // It calls itself ready for as long as it may lag, whether or not it hears of anybody again.
    wait_until_in_memory(&runtime, cluster.node(replica), 2);
    for wanted in Read::eventual() {
        for (protocol, db) in with_tokens(cluster.node(replica)) {
            let found = runtime.block_on(read(&ask(protocol, db, Some(version)), &wanted)).0;
            assert_eq!(found, Ok(2), "{} over {protocol}", wanted.op);
        }
    }
}

#[test]
fn a_replica_that_lags_shows_what_it_has_acknowledged() {
    let cluster = Cluster::in_network(3, "");
    cluster.node(0).create_table(&table());
    let runtime = runtime();
    let replica = cluster.replica();
    let owed = || cluster.node(replica).metric("forebay_writes_owed_total").unwrap_or(0.0);
    write(cluster.node(replica), 0);
    cluster.delay_to(replica, LAG);
    let before = owed();
    for round in 0..LATE_WRITES {
        let n = 1 + round as u64;
        wait_until_in_memory(&runtime, cluster.node(replica), n - 1);
        // The primary and the third node have it; this one hears of it later.
        write(cluster.node(replica), n);
        let wanted = &Read::eventual()[round % 3];
        for (protocol, db) in Clients::of(cluster.node(replica)).each() {
            let found = runtime.block_on(read(&ask(protocol, db, None), wanted)).0;
            assert_eq!(found, Ok(n), "{} over {protocol}, which it has acknowledged", wanted.op);
        }
    }
    let owed = owed() - before;
    println!("{owed} of {LATE_WRITES} times it acknowledged what it had not applied");
    assert!(owed >= LATE_WRITES as f64 / 2.0, "the node does not lag");
}
