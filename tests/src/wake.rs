//! Primaries that sleep through their succession, and wake up with requests in their sockets.
//!
//! One of three nodes, the primary, is stopped (SIGSTOP) while writes are on their way to the others, and goes on when another has
//! acknowledged newer ones. It finds in its sockets what the others answered before they followed somebody else, and what clients have asked since.
//! It must not take the former for a sign that it may answer the latter. In the time of a few milliseconds it could do so, and who comes
//! first is the scheduler's choice. So relays deliver those answers just after it goes on, one peer's after the other's, and later still
//! that the peers follow somebody else, all of which a network may do; and hundreds of requests wait for it.
//!
//! What is judged: an answer is an error, or at least as new as what had been acknowledged before it was asked for, by anybody (strong
//! reads: P2; eventual ones where writes are seen everywhere), or as far as the reader shows a token of it (P6). And what the one that
//! woke up acknowledged itself is there afterwards (P11).

use std::time::Duration;

use api::token;
use tokio::runtime::{Builder, Runtime};

use crate::ask::{Ask, Refusal};
use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::node::Node;
use crate::numbers::{self, now};
use crate::seen::{Read, put, seen, table};
use crate::wire::{Wire, request};

/// Writes on their way when the primary is stopped, each on a connection of its own.
const WRITES: usize = 32;
/// How late the primary's messages to the others are then, ...
const ON_THE_WAY: Duration = Duration::from_millis(20);
/// ... so that it has sent all of them, and has heard nothing, when it is stopped so long after the writes were asked for.
const STOPPED_AFTER: Duration = Duration::from_millis(10);
/// By then the others have answered them.
const ANSWERED: Duration = Duration::from_millis(100);
/// How late these answers are: the primary goes on a moment before. An election, a lease and a write fit in. A leader that no quorum
/// answers sends heartbeats only now and then, and none at this age, so that nobody tells it in reply who leads.
const HELD: Duration = Duration::from_millis(2_400);
/// How much later those of the second of the others are.
const APART: Duration = Duration::from_millis(10);
/// How late the others' own messages to it are. The first that matters is sent when they miss it, about half a second after it was stopped.
const LATE: Duration = Duration::from_millis(2_100);
/// Reads of each kind over HTTP that wait for the primary, each on a connection of its own.
const STRONG: usize = 60;
/// The same of those with a token, and of those that ask for nothing.
const EVENTUAL: usize = 10;
/// Strong reads of each kind that wait over each further protocol.
const OTHER_PROTOCOLS: usize = 2;
/// By then what was asked through a client has been sent.
const SENT: Duration = Duration::from_millis(100);
/// Requests for metrics that wait too. They keep the thread that would tell the fronts of a change of the role.
const SCRAPES: usize = 100;
/// A cluster that has not come back to itself by then has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Times a primary was put to sleep.
    pub sleeps: u64,
    /// Of those, the ones after which something old was answered.
    pub with_stale: u64,
    /// Answers that were as new as they must be.
    pub answered: u64,
    /// Errors that may be retried.
    pub refused: u64,
    /// Answers that were older.
    pub stale: Vec<String>,
    /// Writes that were on their way, and acknowledged.
    pub acknowledged: u64,
    /// Of those, the ones that were not there afterwards.
    pub lost: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} sleeps; reads that waited: {} answered, {} refused, {} stale after {} of the sleeps; writes that waited: {} acknowledged, {} lost",
            self.sleeps,
            self.answered,
            self.refused,
            self.stale.len(),
            self.with_stale,
            self.acknowledged,
            self.lost.len()
        )
    }
}

/// What a read may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// It is strongly consistent.
    Strength,
    /// It shows a token.
    Token,
    /// Writes are seen everywhere.
    Visibility,
}

/// A read over HTTP, on a connection of its own.
struct Reader {
    wire: Wire,
    read: Read,
    by: By,
}

impl Reader {
    /// Connected, and answered once, so that what it asks next is in the node's socket and nowhere else.
    fn new(node: &Node, read: &Read, by: By) -> Reader {
        let mut wire = node.connect();
        let reply = wire.ask(read.op, &read.body).expect("the node answers");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        Reader { wire, read: read.clone(), by }
    }

    fn all(node: &Node, visible_everywhere: bool) -> Vec<Reader> {
        let new = |read: &Read, by| Reader::new(node, read, by);
        let strong = (0..STRONG).flat_map(|_| Read::strong().map(|read| new(&read, By::Strength)));
        let mut all: Vec<Reader> = strong.collect();
        for _ in 0..EVENTUAL {
            all.extend(Read::eventual().map(|read| new(&read, By::Token)));
            if visible_everywhere {
                all.extend(Read::eventual().map(|read| new(&read, By::Visibility)));
            }
        }
        all
    }

    fn send(&mut self, token: &str) {
        let headers = [(token::MIN_VERSION_HEADER, token)];
        let headers = if self.by == By::Token { &headers[..] } else { &[] };
        let body = self.read.body.to_string();
        self.wire.send(&request(self.read.op, body.as_bytes(), headers)).expect("it fits into the socket");
    }

    fn found(&mut self) -> Result<u64, Refusal> {
        let reply = self.wire.reply().expect("the node answers");
        match reply.status {
            200 => Ok(self.read.number(&reply.json())),
            _ => Err(Refusal { kind: reply.kind(), message: reply.message(), body: reply.json() }),
        }
    }
}

/// So many sleeps, in a cluster of three. As root.
pub fn run(sleeps: u64, visible_everywhere: bool) -> Report {
    let settings = if visible_everywhere { "write_visibility = \"all\"" } else { "" };
    let cluster = Cluster::in_network(3, settings);
    cluster.node(0).create_table(&table());
    cluster.node(0).create_table(&numbers::table());
    // Its threads are started here, so they are in the network that the calling thread is in.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let mut report = Report::default();
    for turn in 0..sleeps {
        let before = report.stale.len();
        sleep(&cluster, &runtime, turn, visible_everywhere, &mut report);
        report.sleeps += 1;
        report.with_stale += u64::from(report.stale.len() > before);
    }
    report
}

fn sleep(cluster: &Cluster, runtime: &Runtime, turn: u64, visible_everywhere: bool, report: &mut Report) {
    cluster.wait_until_whole();
    let old = cluster.primary();
    let node = cluster.node(old);
    let (known, newer) = (2 * turn + 1, 2 * turn + 2);
    cluster.ok(old, "PutItem", &put(known));
    let mut readers = Reader::all(node, visible_everywhere);
    let clients = strong_clients(runtime, node);
    let mut writers: Vec<Wire> = (0..WRITES).map(|writer| writer_of(node, writer, turn)).collect();
    let scrapes = (0..SCRAPES).map(|_| Wire::connect(node.admin).expect("it listens"));
    let mut scrapes: Vec<Wire> = scrapes.collect();

    let replicas: Vec<usize> = (0..cluster.count()).filter(|at| *at != old).collect();
    replicas.iter().for_each(|at| cluster.delay_to(*at, ON_THE_WAY));
    // That they vote, and that another leads, is told later than what they answer.
    cluster.delay_to(old, LATE);
    let asked = now();
    for (writer, wire) in writers.iter_mut().enumerate() {
        let body = numbers::put(&key(writer), mark(turn)).to_string();
        wire.send(&request("PutItem", body.as_bytes(), &[])).expect("it is sent");
    }
    std::thread::sleep(STOPPED_AFTER.saturating_sub(asked.elapsed()));
    let paused = cluster.pause(old);
    let stopped = now();
    for (at, apart) in replicas.iter().zip([Duration::ZERO, APART]) {
        cluster.delay_to(*at, HELD + apart);
    }
    std::thread::sleep(ANSWERED);
    replicas.iter().for_each(|at| cluster.delay_to(*at, Duration::ZERO));

    let next = cluster.primary_besides(Some(old));
    let reply = cluster.node(next).connect().ask("PutItem", &put(newer)).expect("the node answers");
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let version = reply.header(token::VERSION_HEADER).expect("a write has a version");
    let asking = clients.into_iter().map(|(ask, read)| {
        runtime.spawn(async move {
            let found = ask.ask(read.op, read.body.clone()).await.0;
            (format!("{} over {}", read.op, ask.name()), found.map(|answer| read.number(&answer)))
        })
    });
    let asking: Vec<_> = asking.collect();
    std::thread::sleep(SENT);
    readers.iter_mut().for_each(|reader| reader.send(version));
    for scrape in &mut scrapes {
        let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        scrape.send(request).expect("it fits into the socket");
    }
    std::thread::sleep(HELD.saturating_sub(stopped.elapsed()));
    drop(paused);
    cluster.delay_to(old, Duration::ZERO);

    for reader in &mut readers {
        report.note(newer, &format!("{} by {:?}", reader.read.op, reader.by), reader.found());
    }
    for reading in asking {
        let (what, found) = runtime.block_on(reading).expect("a reader does not panic");
        report.note(newer, &what, found);
    }
    for (writer, wire) in writers.iter_mut().enumerate() {
        let reply = wire.reply().expect("the node answers");
        assert!(reply.status == 200 || reply.status >= 500, "{}", String::from_utf8_lossy(&reply.body));
        if reply.status == 200 {
            report.acknowledged += 1;
            let found = numbers::number(&cluster.ok(next, "GetItem", &numbers::get(&key(writer), true)));
            if found != Some(mark(turn)) {
                report.lost.push(format!("{}: {found:?} instead of {}", key(writer), mark(turn)));
            }
        }
    }
    // What is late is not overtaken by what comes after.
    std::thread::sleep(LATE);
    let begun = now();
    while !cluster.running().all(|(_, node)| seen(node) == [newer; 3]) {
        assert!(begun.elapsed() < PATIENCE, "not all nodes have heard of the last write");
    }
}

fn key(writer: usize) -> String {
    format!("writer-{writer}")
}

/// What is written while it falls asleep; what was there before is less.
fn mark(turn: u64) -> u64 {
    2 * turn + 1
}

/// A connection on which something was written.
fn writer_of(node: &Node, writer: usize, turn: u64) -> Wire {
    let mut wire = node.connect();
    let reply = wire.ask("PutItem", &numbers::put(&key(writer), 2 * turn)).expect("the node answers");
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    wire
}

/// Clients of the other protocols, each with what it is to ask: connected, and answered once.
fn strong_clients(runtime: &Runtime, node: &Node) -> Vec<(Ask, Read)> {
    let clients = (0..OTHER_PROTOCOLS).flat_map(|_| {
        Read::strong().into_iter().flat_map(|read| {
            let clients = Clients::of(node).each().into_iter().filter(|(protocol, _)| *protocol != "http");
            clients.map(move |(protocol, db)| (Ask::through_trait(protocol, db), read.clone()))
        })
    });
    let clients: Vec<(Ask, Read)> = clients.collect();
    for (ask, read) in &clients {
        runtime.block_on(ask.ask(read.op, read.body.clone())).0.expect("the primary answers");
    }
    clients
}

impl Report {
    fn note(&mut self, newer: u64, what: &str, found: Result<u64, Refusal>) {
        match found {
            Ok(number) if number >= newer => self.answered += 1,
            Ok(number) => self.stale.push(format!("{what}: {number}, and {newer} was acknowledged")),
            Err(refusal) => {
                let kind = refusal.kind.as_str();
                let may_be_retried = matches!(kind, "ServiceUnavailableException" | "InternalServerError");
                assert!(may_be_retried, "{what}: {refusal:?}");
                self.refused += 1;
            }
        }
    }
}
