//! Several nodes in a world that a seed decides: when their power goes, what their disks forget, what the network does to them.
//!
//! The nodes are the shipped ones: [`store::Embedded`] over the Raft log, with the caches before it. Each has a tokio runtime of its
//! own, all on one thread, whose time stands still but for the ticks that the world grants, node after node. Between two ticks the
//! world moves what is under way on the network, lets clients ask and take answers, and draws what happens next. So everything,
//! down to the order in which tasks are woken, follows from the seed, and a seed that fails fails again, to the byte.
//!
//! The map: [`net`] streams between nodes; [`node`] a node and its disks; [`trouble`] what happens to them; [`clients`] who asks,
//! and what becomes of it; [`way`] what nodes pass on; [`planted`] bugs that the oracles must find. The oracles are files of [`crate::oracle`].

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use api::{Context, OpKind};
use history::operation::{Action, Mode, Scope};
use history::record::History;
use history::workload::Shape;
use serde_json::json;

pub mod clients;
pub mod net;
pub mod node;
pub mod planted;
pub mod trouble;
pub mod way;

use crate::oracle::replicas::{Chronicle, Told};
use crate::oracle::{self, Evidence};
use crate::random::Random;
use clients::{Client, Played};
use net::{Net, Weather};
use node::{Node, Pending};
pub use planted::Bug;
use trouble::{Off, Troubles};

/// The world's time. Unit: ticks since it began.
pub type Tick = u64;
/// Which node, from 1.
pub type NodeId = u64;

/// Milliseconds that each node is granted in turn.
pub const MILLIS_PER_TICK: u64 = 2;
/// Nodes of a world.
pub const NODES: u64 = 3;
/// The one table.
pub const TABLE: &str = "sim";

/// Milliseconds after which a group that was left alone must have a primary.
const PRIMARY_WITHIN_MILLIS: u64 = 10_000;
/// Milliseconds during which there are troubles, at least.
const TROUBLED_MILLIS: u64 = 1_500;
/// And at most so much longer.
const TROUBLED_MORE_MILLIS: u64 = 2_500;
/// Milliseconds after the last trouble by which all must be as one again.
const SETTLED_WITHIN_MILLIS: u64 = 20_000;

/// How old a world's nodes may answer.
const MAX_LAG_MILLIS: [u64; 3] = [600, 2_000, 10_000];

/// A node's address.
pub fn address_of(node: NodeId) -> String {
    format!("node-{node}:1")
}

/// Whose address it is.
pub fn node_at(address: &str) -> Option<NodeId> {
    (1..=NODES).find(|node| address_of(*node) == address)
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that happened, line by line, ending with a number that every byte on the network has decided. The same for the
    /// same seed.
    pub transcript: String,
    /// What was wrong.
    pub faults: Vec<String>,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Reads that were answered.
    pub reads: usize,
    /// What the caches have answered from memory.
    pub hits: u64,
    /// States that nodes have begun to take from another.
    pub states: u64,
    /// Changes of the log.
    pub changes: usize,
    /// Times that a node was turned off.
    pub offs: usize,
    /// Bytes that the network carried.
    pub carried_bytes: u64,
}

/// Lives a seed's world through.
pub fn run(seed: u64, bug: Bug) -> Report {
    raft::seed_thread(seed);
    let mut world = World::new(seed, bug);
    if let Err(fault) = world.live() {
        world.fault(fault);
    }
    world.report()
}

/// A world.
pub struct World {
    seed: u64,
    now: Tick,
    random: Random,
    max_lag: Duration,
    net: Net,
    nodes: Vec<Node>,
    chronicle: Arc<Chronicle>,
    told: Vec<Arc<Told>>,
    clients: Vec<Client>,
    played: Played,
    report: Report,
}

impl World {
    fn new(seed: u64, bug: Bug) -> World {
        let mut random = Random::new(seed);
        let max_lag = Duration::from_millis(MAX_LAG_MILLIS[random.below(3) as usize]);
        World {
            seed,
            now: 0,
            net: Net::new(random.draw()),
            nodes: (1..=NODES).map(|id| Node::new(id, random.draw(), max_lag, bug)).collect(),
            max_lag,
            random,
            chronicle: Arc::default(),
            told: Vec::new(),
            clients: Vec::new(),
            played: Played::default(),
            report: Report::default(),
        }
    }

    fn live(&mut self) -> Result<(), String> {
        for node in 1..=NODES {
            self.turn_on(node);
        }
        self.run_until(PRIMARY_WITHIN_MILLIS, "no primary", |world| world.primary().is_some())?;
        self.create_table()?;
        let shape = Shape { partitions: 2, keys: 6, groups: 2 };
        let clients = 2 + self.random.below(4) as u32;
        self.clients = (1..=clients).map(|number| Client::new(number, self.seed, shape, self.now)).collect();
        let pause_max = 4 + self.random.below(20);
        let end = self.now + (TROUBLED_MILLIS + self.random.below(TROUBLED_MORE_MILLIS)) / MILLIS_PER_TICK;
        let mut troubles = Troubles::new(self.random.draw(), self.now);
        while self.now < end {
            troubles.tick(self);
            self.let_clients_ask(pause_max);
            self.tick()?;
        }
        self.settle()?;
        self.ask_everything(shape)
    }

    /// Ends all troubles, and waits until the nodes are as one again.
    fn settle(&mut self) -> Result<(), String> {
        self.note("the troubles end".to_owned());
        self.net.heal();
        self.net.set_weather(Weather::FAIR);
        for node in 1..=NODES {
            self.node(node).stand(0);
            let failed = self.node(node).open().is_some_and(|open| open.store.ready().is_err());
            self.node(node).clear_faults();
            if failed {
                self.turn_off(node, Off::Killed);
            }
            self.turn_on(node);
        }
        self.run_until(SETTLED_WITHIN_MILLIS, "the nodes do not become as one", |world| {
            let versions: Vec<_> = world.opened().map(|open| open.store.version()).collect();
            versions.len() == NODES as usize
                && world.primary().is_some()
                && versions.windows(2).all(|pair| pair[0] == pair[1])
                && world.clients.iter().all(|client| !client.is_busy())
        })
    }

    /// Asks the primary for every key, strongly, and then every node for what it has.
    fn ask_everything(&mut self, shape: Shape) -> Result<(), String> {
        let keys = shape.all_keys();
        let mut actions: Vec<Action> =
            keys.iter().map(|key| Action::Read { keys: vec![key.clone()], mode: Mode::Strong }).collect();
        for group in 1..=shape.groups {
            actions.push(Action::Page { of: Scope::Group(group), after: None, limit: None, strong: false });
        }
        for partition in 0..shape.partitions {
            let of = Scope::Partition(format!("p{partition}"));
            actions.push(Action::Page { of, after: None, limit: None, strong: false });
        }
        actions.extend(keys.into_iter().map(|key| Action::Read { keys: vec![key], mode: Mode::Eventual }));
        let last = self.clients.len() as u32 + 1;
        let strangers = (0..NODES as u32).map(|number| {
            let mut client = Client::new(last + number, self.seed, shape, self.now);
            client.stay_at(1 + u64::from(number));
            client
        });
        self.clients = strangers.collect();
        for action in actions {
            for client in &mut self.clients {
                client.begin(&mut self.played, &self.nodes, self.now, action.clone());
            }
            let all_answered = |world: &World| world.clients.iter().all(|client| !client.is_busy());
            self.run_until(SETTLED_WITHIN_MILLIS, "no answer at the end", all_answered)?;
        }
        (1..=NODES).for_each(|node| self.look_at(node));
        Ok(())
    }

    fn create_table(&mut self) -> Result<(), String> {
        let body = json!({
            "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "S"},
                {"AttributeName": "g", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-g", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
            }],
        });
        let op = OpKind::from_name("CreateTable").ok_or("no such operation")?;
        let request = http_front::codec::decode_request(op, body.to_string().as_bytes())
            .map_err(|error| format!("the table is not accepted: {error}"))?;
        let answer = Pending::default();
        let primary = self.primary().ok_or("the primary is gone")?;
        self.node(primary).ask(
            Context::default(),
            Duration::from_millis(PRIMARY_WITHIN_MILLIS),
            request,
            Arc::clone(&answer),
        );
        self.run_until(PRIMARY_WITHIN_MILLIS, "the table is not made", |_| answer.lock().is_some())?;
        if let Some(Err(error)) = answer.lock().take() {
            return Err(format!("no table: {error}"));
        }
        let name = api::TableName::new(TABLE).ok_or("no such name")?;
        self.run_until(PRIMARY_WITHIN_MILLIS, "the table does not become usable everywhere", |world| {
            let usable = |open: &node::Open| {
                let table = open.store.catalog().table(&name);
                table.is_some_and(|table| table.status == api::schema::Status::Active)
            };
            world.opened().filter(|open| usable(open)).count() == NODES as usize
        })
    }

    fn let_clients_ask(&mut self, pause_max: Tick) {
        for client in &mut self.clients {
            client.ask(&mut self.played, &self.nodes, self.now, pause_max);
        }
    }

    /// Everybody runs for a tick.
    fn tick(&mut self) -> Result<(), String> {
        for (to, call) in self.net.tick(self.now) {
            self.nodes[to as usize - 1].serve(&self.net, call);
        }
        // Who comes first is nobody's right.
        let (first, mut unopened) = (self.random.below(NODES), Vec::new());
        for turn in 0..NODES {
            let node = &mut self.nodes[((first + turn) % NODES) as usize];
            if let Err(error) = node.tick(self.now) {
                if !node.has_bad_disk() {
                    return Err(format!("P1: node {} does not open: {error}", node.id));
                }
                unopened.push(node.id);
            }
        }
        for node in unopened {
            // Whoever looks after it tries again.
            self.turn_off(node, Off::Killed);
            self.turn_on(node);
        }
        for client in &mut self.clients {
            if let Some(operation) = client.take(&mut self.played, &self.nodes, self.now) {
                let operation = &self.played.operations[operation];
                // Writing to a string does not fail.
                let _ = writeln!(self.report.transcript, "{:>6} {operation}", self.now);
            }
        }
        self.now += 1;
        Ok(())
    }

    fn run_until(
        &mut self,
        within_millis: u64,
        otherwise: &str,
        is_so: impl Fn(&World) -> bool,
    ) -> Result<(), String> {
        let end = self.now + within_millis / MILLIS_PER_TICK;
        while !is_so(self) {
            if self.now >= end {
                self.note_standing();
                return Err(format!("P11: {otherwise} within {within_millis} ms"));
            }
            self.tick()?;
        }
        Ok(())
    }

    /// Notes how each node stands, for whoever looks into why they do not become as one.
    fn note_standing(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let standing = node.open().map_or("not open".to_owned(), |open| {
                let log = open.store.log();
                format!(
                    "version {:?}, {:?}, applied {}, ready {:?}, {:?}",
                    open.store.version(),
                    log.leadership().borrow(),
                    log.applied(),
                    open.store.ready(),
                    log.progress(),
                )
            });
            self.note(format!("node {} stands so: {standing}", node.id));
        }
    }

    fn node(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node as usize - 1]
    }

    fn opened(&self) -> impl Iterator<Item = &node::Open> {
        self.nodes.iter().filter_map(Node::open)
    }

    fn primary(&self) -> Option<NodeId> {
        self.nodes.iter().find(|node| node.leads()).map(|node| node.id)
    }

    /// Turns a node on. One that is up and whose disk has failed is turned off before.
    fn turn_on(&mut self, node: NodeId) {
        if self.node(node).is_up() {
            let failed = self.node(node).open().is_some_and(|open| open.store.ready().is_err());
            if !failed {
                return;
            }
            self.turn_off(node, Off::Killed);
        }
        self.note(format!("node {node} is turned on"));
        let told = Told::new(node, &self.chronicle);
        self.told.push(Arc::clone(&told));
        let (net, now) = (self.net.clone(), self.now);
        self.node(node).start(&net, told, now);
    }

    /// A node whose disks are sound takes writes, unless it has found out that its state is not the primary's.
    fn look_at(&mut self, node: NodeId) {
        let sound = !self.node(node).has_bad_disk();
        if let Some(Err(error)) = self.node(node).open().map(|open| open.store.ready())
            && sound
        {
            self.fault(format!("P11: node {node} has failed: {error}"));
        }
    }

    fn turn_off(&mut self, node: NodeId, how: Off) {
        self.look_at(node);
        self.note(format!("node {node}: {how:?}"));
        self.report.offs += 1;
        let net = self.net.clone();
        match how {
            Off::Killed => self.node(node).kill(&net),
            Off::PowerCut(tail) => self.node(node).cut_power(&net, tail),
        }
    }

    /// The primary hands over, if there is one.
    fn transfer(&mut self, to: NodeId) {
        let Some(primary) = self.primary() else { return };
        self.note(format!("node {primary} is to hand over to node {to}"));
        let Some(open) = self.node(primary).open() else { return };
        let store = Arc::clone(&open.store);
        self.node(primary).spawn(async move {
            // Whether it comes to that is part of the trouble.
            let _ = store.log().transfer_leadership(to).await;
        });
    }

    fn note(&mut self, line: String) {
        // Writing to a string does not fail.
        let _ = writeln!(self.report.transcript, "{:>6} {line}", self.now);
    }

    fn fault(&mut self, fault: String) {
        self.note(fault.clone());
        self.report.faults.push(fault);
    }

    fn report(mut self) -> Report {
        let evidence = Evidence {
            history: History { operations: std::mem::take(&mut self.played.operations) },
            chronicle: Arc::clone(&self.chronicle),
            told: std::mem::take(&mut self.told),
            max_lag: self.max_lag,
        };
        let judged = oracle::judge(&evidence);
        judged.faults.into_iter().for_each(|fault| self.fault(fault));
        let (digest, carried_bytes) = self.net.carried();
        self.note(format!("{carried_bytes} bytes were carried, {digest:016x}"));
        Report {
            acknowledged: judged.acknowledged,
            reads: judged.reads,
            hits: self.nodes.iter().map(Node::hits).sum(),
            states: self.nodes.iter().map(|node| node.home.begun()).sum(),
            changes: self.chronicle.len(),
            carried_bytes,
            ..self.report
        }
    }
}
