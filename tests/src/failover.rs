//! What a failover costs: the primary is killed under load, again and again, and what its clients noticed is measured.
//!
//! Writers ask whichever node answers, each its own keys, and write down what was acknowledged. Readers stay with the nodes that
//! survive and read items that nobody writes, which those nodes have in memory. Writers and readers never pause, so on a machine
//! with few cores they take from each other and from the nodes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::ledger::{Ledger, Mark, Outcome};
use crate::numbers::{get, now, number, put, table};
use crate::wire::Wire;

/// Writers.
const WRITERS: usize = 6;
/// Keys of each.
const KEYS: u64 = 16;
/// Items that are read and not written.
const STILL: u64 = 50;
/// Under load before the kill: first warms up, then is what the failover is compared with.
const BEFORE: Duration = Duration::from_millis(2_000);
/// The part of it that is compared.
const COMPARED: Duration = Duration::from_millis(1_000);
/// Under load after the kill.
const AFTER: Duration = Duration::from_millis(4_000);
/// Reads of a shorter failover are counted for as long as this, so that there are enough.
const DURING_MIN: Duration = Duration::from_millis(500);

/// One failover.
#[derive(Debug, Clone, Copy)]
pub struct Failover {
    /// From the kill until a write was acknowledged that was asked for after it. `None` where none was.
    pub first_write: Option<Duration>,
    /// Cached reads a second on the surviving nodes before the kill.
    pub before: f64,
    /// The same from the kill until that write.
    pub during: f64,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Report {
    /// Every failover.
    pub failovers: Vec<Failover>,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Writes of unknown outcome.
    pub unknown: u64,
    /// What the surviving nodes did not know of acknowledged writes, and what they invented.
    pub faults: Vec<String>,
    /// Reads on surviving nodes that were not answered well.
    pub failed_reads: Vec<String>,
    /// Reads on surviving nodes that were answered from memory.
    pub hits: u64,
    /// Reads on surviving nodes that were answered, and not from memory.
    pub misses: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first: Vec<Duration> = self.failovers.iter().filter_map(|one| one.first_write).collect();
        first.sort();
        let mut ratios: Vec<f64> = self.failovers.iter().map(|one| one.during / one.before).collect();
        ratios.sort_by(f64::total_cmp);
        let middle = |count: usize| count.saturating_sub(1) / 2;
        write!(
            f,
            "{} failovers, {} without a further write; first acknowledged write: median {:?}, worst {:?}; {} acknowledged, {} of unknown \
             outcome, {} faults; reads of surviving nodes: {} from memory, {} not, {} failed; their rate during a failover against \
             before: median {:.2}, least {:.2}",
            self.failovers.len(),
            self.failovers.len() - first.len(),
            first.get(middle(first.len())).copied().unwrap_or_default(),
            first.last().copied().unwrap_or_default(),
            self.acknowledged,
            self.unknown,
            self.faults.len(),
            self.hits,
            self.misses,
            self.failed_reads.len(),
            ratios.get(middle(ratios.len())).copied().unwrap_or_default(),
            ratios.first().copied().unwrap_or_default(),
        )
    }
}

/// So many failovers of a cluster of three.
pub fn run(count: usize) -> Report {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    for still in 0..STILL {
        cluster.ok(0, "PutItem", &put(&format!("still-{still}"), still));
    }
    let mut report = Report::default();
    let mut ledger = Ledger::new();
    for turn in 0..count {
        cluster.wait_until_whole();
        let mut of_turn = one(&mut cluster, turn, &mut report);
        // By those that live on, and by the one that comes back.
        check(&cluster, &of_turn, &mut report);
        cluster.start_all();
        check(&cluster, &of_turn, &mut report);
        let at = cluster.primary();
        of_turn.settle(|key| stands(&cluster, at, key));
        ledger.join(of_turn);
    }
    check(&cluster, &ledger, &mut report);
    report.acknowledged = ledger.acknowledged();
    report.unknown = ledger.unknown();
    report
}

/// Compares what was acknowledged with what every node that runs says.
fn check(cluster: &Cluster, ledger: &Ledger, report: &mut Report) {
    for (at, _) in cluster.running() {
        let faults = ledger.check(|key| stands(cluster, at, key));
        report.faults.extend(faults.iter().map(|fault| format!("as node {at} says: {fault:?}")));
    }
}

fn stands(cluster: &Cluster, at: usize, key: &str) -> Mark {
    number(&cluster.ok(at, "GetItem", &get(key, true))).map_or(Mark::Absent, Mark::Value)
}

/// One failover. Answers what was written.
fn one(cluster: &mut Cluster, turn: usize, report: &mut Report) -> Ledger {
    let primary = cluster.primary();
    let nodes: Vec<SocketAddr> = cluster.running().map(|(_, node)| node.http).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (nodes, stop) = (nodes.clone(), Arc::clone(&stop));
            std::thread::spawn(move || write(&format!("t{turn}-w{writer}"), writer, &nodes, &stop))
        })
        .collect();
    let readers: Vec<_> = (0..nodes.len())
        .filter(|at| *at != primary)
        .map(|at| {
            let (node, stop) = (nodes[at], Arc::clone(&stop));
            std::thread::spawn(move || read(node, &stop))
        })
        .collect();
    std::thread::sleep(BEFORE);
    let killed = now();
    cluster.kill(primary);
    std::thread::sleep(AFTER);
    stop.store(true, Ordering::Relaxed);
    let (mut ledger, mut first_write) = (Ledger::new(), None);
    for writer in writers {
        let written = writer.join().expect("a writer meets nothing but what it expects");
        ledger.join(written.ledger);
        let first = written.acknowledged.iter().filter(|(asked, _)| *asked > killed).map(|(_, at)| *at).min();
        first_write = [first_write, first].into_iter().flatten().min();
    }
    let first_write = first_write.map(|at: Instant| at.duration_since(killed));
    let during = first_write.unwrap_or(AFTER).max(DURING_MIN);
    let (mut before_count, mut during_count) = (0, 0);
    for reader in readers {
        let read = reader.join().expect("a reader meets nothing but what it expects");
        before_count += read.answered.iter().filter(|at| **at > killed - COMPARED && **at <= killed).count();
        during_count += read.answered.iter().filter(|at| **at > killed && **at <= killed + during).count();
        report.hits += read.hits;
        report.misses += read.answered.len() as u64 - read.hits;
        report.failed_reads.extend(read.failed);
    }
    report.failovers.push(Failover {
        first_write,
        before: before_count as f64 / COMPARED.as_secs_f64(),
        during: during_count as f64 / during.as_secs_f64(),
    });
    ledger
}

#[derive(Default)]
struct Written {
    ledger: Ledger,
    /// When each acknowledged write was asked for and acknowledged.
    acknowledged: Vec<(Instant, Instant)>,
}

/// Writes its keys in turn, through whichever node answers. Its keys begin with its name.
fn write(name: &str, first_node: usize, nodes: &[SocketAddr], stop: &AtomicBool) -> Written {
    let mut written = Written::default();
    let (mut mark, mut at) = (0, first_node);
    let mut wire: Option<Wire> = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(connected) = &mut wire else {
            at += 1;
            wire = Wire::connect(nodes[at % nodes.len()]).ok();
            if wire.is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            continue;
        };
        mark += 1;
        let key = format!("{name}-{}", mark % KEYS);
        let asked = now();
        let outcome = match connected.ask("PutItem", &put(&key, mark)) {
            Ok(reply) if reply.status == 200 => {
                written.acknowledged.push((asked, now()));
                Outcome::Acknowledged
            }
            Ok(reply) if reply.status >= 500 => Outcome::Unknown,
            Ok(reply) => panic!("{}", String::from_utf8_lossy(&reply.body)),
            Err(_) => {
                wire = None;
                Outcome::Unknown
            }
        };
        written.ledger.note(&key, Mark::Value(mark), outcome, None);
    }
    written
}

#[derive(Default)]
struct Read {
    answered: Vec<Instant>,
    hits: u64,
    failed: Vec<String>,
}

fn read(node: SocketAddr, stop: &AtomicBool) -> Read {
    let mut read = Read::default();
    let mut wire = Wire::connect(node).expect("it survives");
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let still = turn % STILL;
        match wire.ask("GetItem", &get(&format!("still-{still}"), false)) {
            Ok(reply) if reply.status == 200 && number(&reply.json()) == Some(still) => {
                read.answered.push(now());
                read.hits += u64::from(reply.header(api::token::CACHE_HEADER) == Some("hit"));
            }
            Ok(reply) => read.failed.push(String::from_utf8_lossy(&reply.body).into_owned()),
            Err(why) => {
                read.failed.push(why.to_string());
                wire = Wire::connect(node).expect("it survives");
            }
        }
    }
    read
}
