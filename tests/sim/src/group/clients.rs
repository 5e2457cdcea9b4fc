//! Clients of a world: each asks one thing at a time of one node, as a front would pass it on, and remembers what it was told.

use std::sync::Arc;
use std::time::Duration;

use api::{Context, Version};
use history::operation::{Action, Found, Operation, Origin, Outcome, Protocol};
use history::player;
use history::workload::{Shape, Workload};

use super::node::{Node, Pending};
use super::{MILLIS_PER_TICK, NODES, NodeId, TABLE, Tick};
use crate::random::Random;

/// How long a request may take. Unit: milliseconds.
const PATIENCE_MILLIS: u64 = 1_500;
/// How much longer than the request's own deadline a client waits.
const GRACE: Tick = 100 / MILLIS_PER_TICK;

/// A client.
pub struct Client {
    number: u32,
    random: Random,
    workload: Workload,
    /// The node it asks.
    home: NodeId,
    connections: Vec<Connection>,
    /// The highest version it was told, to be carried to another node.
    token: Option<Version>,
    next_at: Tick,
    busy: Option<Busy>,
}

/// What a front knows of a connection.
#[derive(Clone, Copy)]
struct Connection {
    number: u64,
    /// The life of the node it is to.
    life: u64,
    floor: Option<Version>,
}

struct Busy {
    operation: usize,
    node: NodeId,
    life: u64,
    action: Action,
    until: Tick,
    answer: Pending,
}

/// What all clients of a world share.
pub struct Played {
    /// Every operation.
    pub operations: Vec<Operation>,
    next_connection: u64,
}

impl Default for Played {
    fn default() -> Played {
        Played { operations: Vec::new(), next_connection: 1 }
    }
}

/// The moment a tick begins, in the history's time.
fn begins(now: Tick) -> u64 {
    now * MILLIS_PER_TICK * 1_000_000
}

/// The moment before the next tick begins.
fn ends(now: Tick) -> u64 {
    begins(now + 1) - 1
}

impl Client {
    /// A client that begins now.
    pub fn new(number: u32, seed: u64, shape: Shape, now: Tick) -> Client {
        let mut random = Random::new(seed ^ u64::from(number) << 40);
        let home = 1 + random.below(NODES);
        Client {
            number,
            workload: Workload::new(seed, number, shape),
            home,
            connections: vec![Connection { number: 0, life: 0, floor: None }; NODES as usize],
            token: None,
            next_at: now + random.below(20),
            busy: None,
            random,
        }
    }

    /// From now on it asks this node, until the node is gone.
    pub fn stay_at(&mut self, node: NodeId) {
        self.home = node;
    }

    /// Whether it waits for an answer.
    pub fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Asks what is next, where it is time. `pause_max`: ticks between two things, at most.
    pub fn ask(&mut self, played: &mut Played, nodes: &[Node], now: Tick, pause_max: Tick) {
        if self.busy.is_some() || now < self.next_at {
            return;
        }
        self.next_at = now + 1 + self.random.below(pause_max);
        if self.random.below(40) == 0 {
            self.home = 1 + self.random.below(NODES);
        }
        let action = self.workload.draw();
        self.begin(played, nodes, now, action);
    }

    /// Asks for this. Nothing comes of it where the node is not there.
    pub fn begin(&mut self, played: &mut Played, nodes: &[Node], now: Tick, action: Action) {
        let node_id = self.home;
        let node = &nodes[node_id as usize - 1];
        if node.open().is_none() {
            self.home = 1 + node_id % NODES;
            return;
        }
        let connection = &mut self.connections[node_id as usize - 1];
        if connection.life != node.life() {
            *connection = Connection { number: played.next_connection, life: node.life(), floor: None };
            played.next_connection += 1;
        }
        let token = self.token.filter(|_| self.random.below(4) == 0);
        let Ok(request) = player::request(TABLE, &action) else { return };
        let answer = Pending::default();
        let cx = Context { min_version: later(connection.floor, token), ..Context::default() };
        node.ask(cx, Duration::from_millis(PATIENCE_MILLIS), request, Arc::clone(&answer));
        let operation = played.operations.len();
        played.operations.push(Operation {
            id: operation as u64,
            origin: Origin { client: self.number, node: node_id as u32, protocol: Protocol::Grpc },
            start: begins(now),
            end: None,
            connection: Some(connection.number),
            token,
            action: action.clone(),
            outcome: Outcome::Unknown("it was never answered".to_owned()),
        });
        let until = now + PATIENCE_MILLIS / MILLIS_PER_TICK + GRACE;
        self.busy = Some(Busy { operation, node: node_id, life: node.life(), action, until, answer });
    }

    /// Takes the answer, where there is one, or gives up. Answers which operation has ended.
    pub fn take(&mut self, played: &mut Played, nodes: &[Node], now: Tick) -> Option<usize> {
        let busy = self.busy.as_ref()?;
        let node = &nodes[busy.node as usize - 1];
        let answered = busy.answer.lock().take();
        let gone = !node.is_up() || node.life() != busy.life;
        if answered.is_none() && !gone && now < busy.until {
            return None;
        }
        let Busy { operation, node, action, .. } = self.busy.take()?;
        let outcome = match answered {
            Some(answered) => player::outcome(&action, answered),
            None if gone => Outcome::Unknown("the node is gone".to_owned()),
            None => Outcome::Unknown("nothing came in time".to_owned()),
        };
        if let Outcome::Done { version, found } = &outcome {
            let connection = &mut self.connections[node as usize - 1];
            connection.floor = later(connection.floor, *version);
            self.token = later(self.token, *version);
            let seen = match found {
                Found::Cells(cells) => cells.iter().flatten().next().copied(),
                Found::Page { rows, .. } => rows.first().map(|(_, item)| *item),
                Found::Written(_) => None,
            };
            if let Some(item) = seen {
                self.workload.saw(item);
            }
        }
        let done = &mut played.operations[operation];
        done.end = Some(ends(now));
        done.outcome = outcome;
        Some(operation)
    }
}

/// The later of two versions; of two that can't be compared the second, which is the newer.
fn later(one: Option<Version>, other: Option<Version>) -> Option<Version> {
    match (one, other) {
        (Some(one), Some(other)) if one.at_least(&other) == Some(true) => Some(one),
        (one, other) => other.or(one),
    }
}
