//! What the nodes of a cluster tell DAX clients of each other, and how soon after something becomes of one of them.
//!
//! Each node is asked without rest on a connection that stays, and what it says is kept, so that what is found out later about the moment of
//! a change loses nothing. A time is from the change until the last node tells what is so, with everybody's name, address, zone and role,
//! and stays with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dax::codec::handshake::Role;

use crate::cluster::{Cluster, name, zone};
use crate::dax_wire::DaxWire;
use crate::durations::Durations;
use crate::node::Node;
use crate::numbers::now;

/// The pause before a node is asked again.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// Nodes that do not tell what is so by then have failed, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is told must stand for so long.
const STANDS: Duration = Duration::from_millis(300);

/// A node as it is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    name: String,
    zone: String,
    address: SocketAddr,
    leads: bool,
}

/// What a node tells from a moment on.
#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    nodes: BTreeSet<Told>,
    sessions: BTreeSet<i64>,
}

impl Look {
    fn at(wire: &mut DaxWire) -> Look {
        let endpoints = wire.endpoints();
        let told = endpoints.iter().map(|endpoint| Told {
            name: endpoint.host.clone(),
            zone: endpoint.zone.clone(),
            address: SocketAddr::new(endpoint.address, endpoint.port),
            leads: endpoint.role == Role::Leader,
        });
        let sessions = endpoints.iter().map(|endpoint| endpoint.leader_session).collect();
        Look { nodes: told.collect(), sessions, at: now() }
    }
}

/// All that a node has told, without what it said again.
struct Seen {
    looks: Vec<Look>,
    last: Instant,
}

impl Seen {
    /// Since when what it tells is right, if it has been for long enough.
    fn since(&self, is_right: impl Fn(&Look) -> bool) -> Option<Instant> {
        let since = self.looks.iter().rev().take_while(|look| is_right(look)).last()?.at;
        (self.last.duration_since(since) >= STANDS).then_some(since)
    }
}

/// A node that is asked.
struct Watched {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    asking: Option<JoinHandle<()>>,
}

impl Watched {
    fn begin(address: SocketAddr) -> Watched {
        let mut wire = DaxWire::connect(address).expect("the node listens");
        let first = Look::at(&mut wire);
        let seen = Arc::new(Mutex::new(Seen { last: first.at, looks: vec![first] }));
        let stop = Arc::new(AtomicBool::new(false));
        let asking = {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(ASK_EVERY);
                    let look = Look::at(&mut wire);
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.last = look.at;
                    let known = seen.looks.last().expect("there is a first");
                    if (&known.nodes, &known.sessions) != (&look.nodes, &look.sessions) {
                        seen.looks.push(look);
                    }
                }
            })
        };
        Watched { stop, seen, asking: Some(asking) }
    }

    fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.take().expect("it ends once").join().expect("the node answers until nobody asks");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A cluster of three and one that joins and leaves, all of whose nodes are asked.
struct Run {
    cluster: Cluster,
    watched: BTreeMap<usize, Watched>,
    times: Durations,
    joining: usize,
}

/// So many rounds of all that can become of a node: how long after each change all that run told of it. Where no member has to find
/// something out by itself, the time is from what was asked for; where one starts, from `/ready`.
pub fn run(rounds: usize) -> Durations {
    let mut cluster = Cluster::start_to_grow(3, 4);
    let joining = cluster.place_for_another();
    let mut run = Run { cluster, watched: BTreeMap::new(), times: Durations::default(), joining };
    let begun = now();
    (0..3).for_each(|at| run.watch(at));
    run.told("three nodes begin, from /ready", begun, &[0, 1, 2], None);
    for _ in 0..rounds {
        run.replica_is_killed();
        run.primary_is_killed();
        run.replica_stops();
        run.primary_stops();
        run.leadership_is_transferred();
        run.member_joins_and_is_removed();
    }
    while let Some((_, watched)) = run.watched.pop_first() {
        watched.end();
    }
    run.times
}

impl Run {
    fn watch(&mut self, at: usize) {
        let address = self.cluster.node(at).dax.expect("it serves DAX");
        self.watched.insert(at, Watched::begin(address));
    }

    fn watch_no_more(&mut self, at: usize) {
        self.watched.remove(&at).expect("it was watched").end();
    }

    /// Waits until all tell what is right, and answers since when the last one has.
    fn since(&self, what: &str, is_right: impl Fn(&Look) -> bool) -> Instant {
        let begun = now();
        loop {
            let since = |watched: &Watched| watched.seen(|seen| seen.since(&is_right));
            let all: Option<Vec<Instant>> = self.watched.values().map(since).collect();
            if let Some(last) = all.and_then(|all| all.into_iter().max()) {
                return last;
            }
            if begun.elapsed() > PATIENCE {
                let told = |(at, watched): (&usize, &Watched)| {
                    (*at, watched.seen(|seen| seen.looks.last().cloned()))
                };
                panic!("{what}: they tell of {:#?}", self.watched.iter().map(told).collect::<Vec<_>>());
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Waits until all tell of these and no others, one of them as the leader, in one session; notes how long after a moment that was.
    /// No leader: whichever leads.
    fn told(&mut self, what: &'static str, begun: Instant, nodes: &[usize], leader: Option<usize>) {
        let told = |at: &usize| Told {
            name: name(*at),
            zone: zone(*at),
            address: self.cluster.node(*at).dax.expect("it serves DAX"),
            leads: leader == Some(*at),
        };
        let expected: BTreeSet<Told> = nodes.iter().map(told).collect();
        let is_right = |look: &Look| {
            let leads = look.nodes.iter().filter(|told| told.leads).count();
            let nobody_leads =
                || look.nodes.iter().map(|told| Told { leads: false, ..told.clone() }).collect();
            let nodes = match leader {
                Some(_) => look.nodes == expected,
                None => expected == nobody_leads(),
            };
            nodes && leads == 1 && look.sessions.len() == 1
        };
        let since = self.since(what, is_right);
        self.times.note(what, since.saturating_duration_since(begun));
    }

    /// The leader's session, as all tell it.
    fn session(&self) -> i64 {
        let told =
            |watched: &Watched| watched.seen(|seen| seen.looks.last().map(|look| look.sessions.clone()));
        let begun = now();
        loop {
            let all: BTreeSet<i64> = self.watched.values().filter_map(told).flatten().collect();
            if let (1, Some(session)) = (all.len(), all.first()) {
                return *session;
            }
            assert!(begun.elapsed() < PATIENCE, "they tell of one session: {all:?}");
            std::thread::sleep(ASK_EVERY);
        }
    }

    fn others(&self, than: usize) -> Vec<usize> {
        self.cluster.running().map(|(at, _)| at).filter(|at| *at != than).collect()
    }

    /// Starts a node again, which all tell of once it is ready.
    fn starts(&mut self, what: &'static str, at: usize) {
        self.cluster.start_one(at);
        let ready = now();
        self.watch(at);
        let all: Vec<usize> = self.cluster.running().map(|(at, _)| at).collect();
        self.told(what, ready, &all, None);
    }

    fn replica_is_killed(&mut self) {
        let lost = self.cluster.replica();
        self.watch_no_more(lost);
        let killed = now();
        self.cluster.kill(lost);
        self.told("kill -9 of a replica, from the kill", killed, &self.others(lost), None);
        // Its operator is told as well.
        let heard = now();
        let said = || self.cluster.command(self.cluster.primary(), &["status"]);
        while !said().contains(" entries behind  silent for ") {
            assert!(heard.elapsed() < PATIENCE, "{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        self.starts("a start, from /ready", lost);
    }

    fn primary_is_killed(&mut self) {
        let (primary, session) = (self.cluster.primary(), self.session());
        let others = self.others(primary);
        self.watch_no_more(primary);
        let killed = now();
        self.cluster.kill(primary);
        let (next, elected) = self.elected(primary);
        // Nobody tells of it, least of all as the leader.
        let is_gone = |look: &Look| look.nodes.iter().all(|told| told.name != name(primary));
        let gone = self.since("the primary is gone", is_gone);
        self.times.note("kill -9 of the primary, from the kill, until it is told of no more", gone - killed);
        self.told(
            "kill -9 of the primary, from the election, until the next one is told of",
            elected,
            &others,
            Some(next),
        );
        assert!(self.session() > session, "who leads next leads another session");
        self.starts("a start, from /ready", primary);
    }

    /// Who leads after the primary was lost, and the last moment at which nobody was known to.
    fn elected(&self, before: usize) -> (usize, Instant) {
        let begun = now();
        let mut nobody = begun;
        loop {
            let looked = now();
            let leads =
                |(at, node): &(usize, &Node)| *at != before && node.metric("forebay_is_primary") == Some(1.0);
            if let Some((next, _)) = self.cluster.running().find(leads) {
                return (next, nobody);
            }
            assert!(begun.elapsed() < PATIENCE, "nobody is the primary");
            nobody = looked;
            std::thread::sleep(ASK_EVERY);
        }
    }

    fn replica_stops(&mut self) {
        let replica = self.cluster.replica();
        self.watch_no_more(replica);
        let asked = now();
        self.cluster.stop(replica);
        self.told("a stop of a replica, from SIGTERM", asked, &self.others(replica), None);
        self.starts("a start, from /ready", replica);
    }

    fn primary_stops(&mut self) {
        let (primary, session) = (self.cluster.primary(), self.session());
        self.watch_no_more(primary);
        let asked = now();
        self.cluster.stop(primary);
        let next = self.cluster.primary();
        self.told("a stop of the primary, from SIGTERM", asked, &self.others(primary), Some(next));
        assert!(self.session() > session, "who leads next leads another session");
        self.starts("a start, from /ready", primary);
    }

    fn leadership_is_transferred(&mut self) {
        let (primary, session) = (self.cluster.primary(), self.session());
        let asked = now();
        self.cluster.command(self.cluster.replica(), &["member", "transfer-primary"]);
        let next = self.cluster.primary_besides(Some(primary));
        self.told("a transfer, from the command", asked, &[0, 1, 2], Some(next));
        assert!(self.session() > session, "who leads next leads another session");
    }

    fn member_joins_and_is_removed(&mut self) {
        let (primary, joining) = (self.cluster.primary(), self.joining);
        self.starts("a member joins, from /ready", joining);
        let number = self.cluster.number_of(primary, joining);
        self.watch_no_more(joining);
        let asked = now();
        self.cluster.command(primary, &["member", "remove", &number]);
        self.told("a member is removed, from the command", asked, &[0, 1, 2], None);
        self.cluster.stop(joining);
        // Next time it comes as somebody else.
        std::fs::remove_dir_all(self.cluster.data(joining)).expect("it is ours");
    }
}
