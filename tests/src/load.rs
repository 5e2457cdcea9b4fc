//! Clients that are there all the time while a cluster is changed: each writes and reads keys of its own through one node, and none of its
//! requests may fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::numbers::{get, now, number, put};
use crate::wire::Wire;

/// Clients of each node.
const CLIENTS: usize = 2;
/// Keys of each.
const KEYS: u64 = 8;
/// The pause of a client between two requests: the tests want clients that are there all the time, not a full machine.
const PAUSE: Duration = Duration::from_millis(2);

/// The nodes that new connections go to, as a load balancer has it.
#[derive(Clone, Default)]
pub struct Open(Arc<Mutex<BTreeMap<usize, SocketAddr>>>);

impl Open {
    /// All that run.
    pub fn of(cluster: &Cluster) -> Open {
        let open = Open::default();
        cluster.running().for_each(|(at, node)| open.take(at, node.http));
        open
    }

    /// One more, or one that is back.
    pub fn take(&self, at: usize, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(at, address);
    }

    /// One less.
    pub fn leave(&self, at: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&at);
    }

    /// A connection to a node, or to another where that is closed.
    pub fn connect(&self, home: usize) -> Option<Wire> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (own, others) = (open.get(&home), open.values());
        own.into_iter().chain(others).find_map(|address| Wire::connect(*address).ok())
    }
}

/// What became of a client's requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were answered well.
    pub answered: u64,
    /// Those that were not, and answers that were wrong.
    pub failed: Vec<String>,
    /// The longest that a write took.
    pub slowest_write: Duration,
    /// The longest that a read took.
    pub slowest_read: Duration,
}

/// Writes and reads its own keys through a node until it is told to stop: each strong read, and each eventual one on the
/// connection of the write, must give what was written last.
fn client(home: usize, name: &str, open: &Open, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut written: BTreeMap<String, u64> = BTreeMap::new();
    let (mut round, mut wire, mut wrote_here) = (0, None, false);
    while !stop.load(Ordering::Relaxed) {
        let Some(connected) = &mut wire else {
            (wire, wrote_here) = (open.connect(home), false);
            if wire.is_none() {
                std::thread::sleep(PAUSE);
            }
            continue;
        };
        round += 1;
        let key = format!("{name}-{}", round / 3 % KEYS);
        let (op, body) = match round % 3 {
            0 => ("PutItem", put(&key, round)),
            1 => ("GetItem", get(&key, true)),
            _ => ("GetItem", get(&key, false)),
        };
        let begun = now();
        let asked = connected.ask(op, &body);
        let took = begun.elapsed();
        let closing = match asked {
            Ok(reply) if reply.status == 200 => {
                tally.answered += 1;
                if op == "PutItem" {
                    written.insert(key, round);
                    (wrote_here, tally.slowest_write) = (true, tally.slowest_write.max(took));
                } else {
                    tally.slowest_read = tally.slowest_read.max(took);
                    let strong = round % 3 == 1;
                    let (found, last) =
                        (number(&reply.json()).unwrap_or(0), written.get(&key).copied().unwrap_or(0));
                    if (strong || wrote_here) && found != last {
                        tally
                            .failed
                            .push(format!("{name}: {key} is {found} and not {last}, strong: {strong}"));
                    }
                }
                reply.header("connection") == Some("close")
            }
            Ok(reply) => {
                let said = String::from_utf8_lossy(&reply.body).into_owned();
                tally.failed.push(format!("{name}: {op}: {} {said} after {took:?}", reply.status));
                false
            }
            Err(error) => {
                tally.failed.push(format!("{name}: {op}: {error} after {took:?}"));
                true
            }
        };
        if closing {
            wire = None;
        }
        std::thread::sleep(PAUSE);
    }
    tally
}

/// Clients of all nodes.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// `prefix` is what the keys begin with, which are nobody else's.
    pub fn begin(nodes: usize, prefix: &str, open: &Open) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..nodes * CLIENTS).map(|client_at| {
            let (open, stop, name) = (open.clone(), Arc::clone(&stop), format!("{prefix}{client_at}"));
            std::thread::spawn(move || client(client_at % nodes, &name, &open, &stop))
        });
        Load { clients: clients.collect(), stop }
    }

    /// What became of all requests; none has failed.
    pub fn end(self, what: &str) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            let tally = client.join().expect("a client meets nothing but what it counts");
            all.answered += tally.answered;
            all.failed.extend(tally.failed);
            all.slowest_write = all.slowest_write.max(tally.slowest_write);
            all.slowest_read = all.slowest_read.max(tally.slowest_read);
        }
        println!(
            "{what}: {} answered, {} failed, slowest write {:?}, slowest read {:?}",
            all.answered,
            all.failed.len(),
            all.slowest_write,
            all.slowest_read
        );
        assert_eq!(all.failed, Vec::<String>::new(), "{what}");
        all
    }
}
