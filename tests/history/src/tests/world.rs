//! A world that keeps its promises, run on a clock of its own: a primary, two replicas that lag, clients of three protocols,
//! answers that do not come. What it records must be accepted; with a [`Fault`] in it, the judge has something to find.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use api::Version;

use crate::operation::{Action, Found, Mode, Operation, Origin, Outcome, Protocol, Scope, Told, Write};
use crate::record::History;
use crate::state::{Cell, Condition, Effect, Item};

/// What may be wrong with a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    LostWrite,
    StaleStrongRead,
    GoingBack,
    AppliedTwice,
    OldVersion,
    Resurrected,
    StalePage,
    HalfTransaction,
}

impl Fault {
    pub const ALL: [Fault; 8] = [
        Fault::LostWrite,
        Fault::StaleStrongRead,
        Fault::GoingBack,
        Fault::AppliedTwice,
        Fault::OldVersion,
        Fault::Resurrected,
        Fault::StalePage,
        Fault::HalfTransaction,
    ];
}

/// How large a world is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub clients: u32,
    pub operations: usize,
    pub partitions: u64,
    pub keys: u64,
}

const NODES: u32 = 3;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    fn in_hundred(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

struct World {
    random: Random,
    size: Size,
    fault: Option<Fault>,
    /// Every committed change of each key, by its place in the log.
    log: BTreeMap<String, Vec<(u64, Cell)>>,
    end_of_log: u64,
    applied: [u64; NODES as usize],
    /// The highest version each connection was given.
    given: HashMap<u64, u64>,
    history: History,
    next_tag: u64,
    next_connection: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(u32),
    Take(usize),
    Answer(usize),
}

/// A world's history. Ends with strong reads of everything.
pub fn run(seed: u64, size: Size, fault: Option<Fault>) -> History {
    let mut world = World {
        random: Random(seed),
        size,
        fault,
        log: BTreeMap::new(),
        end_of_log: 0,
        applied: [0; NODES as usize],
        given: HashMap::new(),
        history: History::default(),
        next_tag: 0,
        next_connection: u64::from(size.clients),
    };
    let mut connections: Vec<u64> = (0..u64::from(size.clients)).collect();
    let mut events = BinaryHeap::new();
    for client in 0..size.clients {
        events.push(Reverse((world.random.below(50), Event::Ask(client))));
    }
    let mut last = 0;
    while let Some(Reverse((now, event))) = events.pop() {
        last = last.max(now);
        match event {
            Event::Ask(client) => {
                if world.history.operations.len() >= size.operations {
                    continue;
                }
                let place = world.ask(client, connections[client as usize], now);
                events.push(Reverse((now + world.random.below(40), Event::Take(place))));
            }
            Event::Take(place) => {
                if world.history.operations[place].end.is_some() {
                    // Given up long ago; it takes effect all the same.
                    world.take(place);
                    continue;
                }
                let client = world.history.operations[place].origin.client;
                if world.random.in_hundred(6) {
                    let operation = &mut world.history.operations[place];
                    operation.end = Some(now + 5);
                    operation.outcome = Outcome::Unknown("no answer".into());
                    connections[client as usize] = world.next_connection;
                    world.next_connection += 1;
                    // Never, later, or now.
                    match world.random.below(3) {
                        0 => {}
                        1 => events.push(Reverse((now + world.random.below(2_000), Event::Take(place)))),
                        _ => world.take(place),
                    }
                    events.push(Reverse((now + 6 + world.random.below(30), Event::Ask(client))));
                } else {
                    if world.random.in_hundred(3) {
                        world.history.operations[place].outcome = Outcome::Failed("throttled".into());
                    } else {
                        world.take(place);
                    }
                    events.push(Reverse((now + world.random.below(40), Event::Answer(place))));
                }
            }
            Event::Answer(place) => {
                world.answer(place, now);
                let client = world.history.operations[place].origin.client;
                events.push(Reverse((now + world.random.below(30), Event::Ask(client))));
            }
        }
    }
    world.read_all(last + 10);
    world.history
}

impl World {
    fn key(&mut self) -> String {
        let partition = self.random.below(self.size.partitions);
        format!("p{partition}/k{}", self.random.below(self.size.keys))
    }

    fn pair(&mut self) -> Vec<String> {
        let partition = self.random.below(self.size.partitions);
        vec![format!("p{partition}/k0"), format!("p{partition}/k1")]
    }

    fn write(&mut self, key: String, conditional: bool) -> Write {
        self.next_tag += 1;
        let tag = self.next_tag;
        let effect = match self.random.below(8) {
            0..=3 => Effect::Put(Item { tag, count: 0, group: self.random.below(3) as u32 }),
            4 | 5 => Effect::Add { tag, by: 1 + self.random.below(3) as i64 },
            _ => Effect::Delete,
        };
        let condition = match self.random.below(6) {
            _ if !conditional => Condition::Always,
            0 => Condition::Absent,
            1 => Condition::Present,
            2 => Condition::Tag(self.now(&key).map_or(0, |item| item.tag)),
            _ => Condition::Always,
        };
        Write { key, effect, condition }
    }

    fn ask(&mut self, client: u32, connection: u64, now: u64) -> usize {
        let key = self.key();
        let action = match self.random.below(20) {
            0..=6 => Action::Write { writes: vec![self.write(key, true)], whole: true },
            7 | 8 => {
                let keys = self.pair();
                let writes = keys.into_iter().map(|key| self.write(key, true)).collect();
                Action::Write { writes, whole: true }
            }
            9 => {
                let keys = self.pair();
                Action::Write {
                    writes: keys.into_iter().map(|key| self.write(key, false)).collect(),
                    whole: false,
                }
            }
            10..=12 => Action::Read { keys: vec![key], mode: Mode::Strong },
            13 => Action::Read { keys: self.pair(), mode: Mode::Snapshot },
            14..=16 => Action::Read { keys: vec![key], mode: Mode::Eventual },
            17 => Action::Page { of: Scope::Group(1), after: None, limit: None, strong: false },
            18 => {
                let partition = format!("p{}", self.random.below(self.size.partitions));
                let after = self.random.in_hundred(30).then(|| format!("{partition}/k0"));
                let strong = self.random.in_hundred(40);
                Action::Page { of: Scope::Partition(partition), after, limit: Some(2), strong }
            }
            _ => Action::Read { keys: self.pair(), mode: Mode::Eventual },
        };
        let protocol = if client.is_multiple_of(3) { Protocol::Dax } else { Protocol::Http };
        let strong = matches!(action, Action::Write { .. });
        let token = (protocol == Protocol::Http && !strong && self.random.in_hundred(20))
            .then(|| version(self.random.below(self.end_of_log + 1)));
        self.history.operations.push(Operation {
            id: self.history.operations.len() as u64,
            origin: Origin { client, node: client % NODES, protocol },
            start: now,
            end: None,
            connection: Some(connection),
            token,
            action,
            outcome: Outcome::Refused,
        });
        self.history.operations.len() - 1
    }

    fn cell_at(&self, key: &str, index: u64) -> Cell {
        let changes = self.log.get(key)?;
        let count = changes.partition_point(|(at, _)| *at <= index);
        changes[..count].last().and_then(|(_, cell)| *cell)
    }

    fn now(&self, key: &str) -> Cell {
        self.cell_at(key, u64::MAX)
    }

    fn commit(&mut self, key: &str, cell: Cell) {
        self.log.entry(key.to_owned()).or_default().push((self.end_of_log, cell));
    }

    /// The operation happens, whether or not anybody will learn of it.
    fn take(&mut self, place: usize) {
        let operation = self.history.operations[place].clone();
        let node = operation.origin.node as usize;
        let outcome = match &operation.action {
            Action::Write { writes, .. } => self.do_write(writes),
            Action::Read { keys, mode } => {
                let (said, looked) = self.read_version(&operation, node, *mode != Mode::Eventual, false);
                let cells = keys.iter().map(|key| self.cell_at(key, looked)).collect();
                Outcome::Done { version: Some(version(said)), found: Found::Cells(cells) }
            }
            Action::Page { of, after, limit, strong } => {
                let (said, looked) = self.read_version(&operation, node, *strong, true);
                let mut rows = Vec::new();
                for key in self.log.keys() {
                    let cell = self.cell_at(key, looked);
                    if let Some(item) = cell.filter(|_| of.holds(key, cell) == Some(true))
                        && after.as_deref().is_none_or(|after| key.as_str() > after)
                    {
                        rows.push((key.clone(), item));
                    }
                }
                let full = limit.is_some_and(|limit| rows.len() >= limit as usize);
                rows.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
                let last = if full { rows.last().map(|(key, _)| key.clone()) } else { None };
                Outcome::Done { version: Some(version(said)), found: Found::Page { rows, last } }
            }
        };
        let operation = &mut self.history.operations[place];
        if operation.end.is_none() {
            operation.outcome = outcome;
        }
    }

    fn do_write(&mut self, writes: &[Write]) -> Outcome {
        if !writes.iter().all(|write| write.condition.holds(self.now(&write.key))) {
            return Outcome::Refused;
        }
        self.end_of_log += 1;
        let mut told = Vec::new();
        let rarely = self.random.in_hundred(10);
        for (number, write) in writes.iter().enumerate() {
            let before = self.now(&write.key);
            let mut after = write.effect.on(before);
            match self.fault.filter(|_| rarely) {
                Some(Fault::LostWrite) => after = before,
                Some(Fault::HalfTransaction) if number > 0 => after = before,
                Some(Fault::AppliedTwice) => after = write.effect.on(after),
                Some(Fault::Resurrected) if after.is_none() => after = before,
                _ => {}
            }
            self.commit(&write.key, after);
            told.push(match write.effect {
                Effect::Add { .. } if self.random.in_hundred(70) => Told::Image(after),
                _ => Told::Done,
            });
        }
        let told_version = if rarely && self.fault == Some(Fault::OldVersion) {
            self.end_of_log.saturating_sub(6)
        } else {
            self.end_of_log
        };
        Outcome::Done { version: Some(version(told_version)), found: Found::Written(told) }
    }

    /// The version a read names, and the one it really looks at.
    fn read_version(&mut self, operation: &Operation, node: usize, strong: bool, page: bool) -> (u64, u64) {
        let rarely = self.random.in_hundred(20);
        if strong {
            let stale = rarely && self.fault == Some(Fault::StaleStrongRead);
            let looked = if stale { self.end_of_log.saturating_sub(5) } else { self.end_of_log };
            return (looked, looked);
        }
        let given =
            operation.connection.and_then(|connection| self.given.get(&connection)).copied().unwrap_or(0);
        let floor = operation.token.map_or(0, |token| token.index).max(given);
        let behind = self.end_of_log - self.applied[node];
        // A node applies what it likes, but no less than it is asked for.
        self.applied[node] = (self.applied[node] + self.random.below(behind + 1)).max(floor);
        let applied = self.applied[node];
        if rarely && self.fault == Some(Fault::GoingBack) {
            return (applied.saturating_sub(8), applied.saturating_sub(8));
        }
        if rarely && page && self.fault == Some(Fault::StalePage) {
            return (applied, applied.saturating_sub(8));
        }
        // The version is taken before the state is looked at.
        (floor + self.random.below(applied - floor + 1), applied)
    }

    fn answer(&mut self, place: usize, now: u64) {
        let operation = &mut self.history.operations[place];
        operation.end = Some(now);
        let written = operation.is_acknowledged_write();
        let connection = operation.connection;
        if let Outcome::Done { version, .. } = &mut operation.outcome
            && let Some(at) = version.map(|version| version.index)
        {
            if let Some(connection) = connection {
                let given = self.given.entry(connection).or_default();
                *given = at.max(*given);
            }
            let applied = &mut self.applied[operation.origin.node as usize];
            if written {
                // The node that answers has applied it.
                *applied = at.max(*applied);
            }
            if operation.origin.protocol == Protocol::Dax {
                *version = None;
            }
        }
    }

    fn read_all(&mut self, mut now: u64) {
        let keys: Vec<String> = self.log.keys().cloned().collect();
        for key in keys {
            for node in 0..NODES {
                let cell = self.now(&key);
                self.history.operations.push(Operation {
                    id: self.history.operations.len() as u64,
                    origin: Origin { client: 1_000, node, protocol: Protocol::Http },
                    start: now,
                    end: Some(now + 1),
                    connection: None,
                    token: None,
                    action: Action::Read { keys: vec![key.clone()], mode: Mode::Strong },
                    outcome: Outcome::Done {
                        version: Some(version(self.end_of_log)),
                        found: Found::Cells(vec![cell]),
                    },
                });
                now += 2;
            }
        }
    }
}

fn version(index: u64) -> Version {
    Version { incarnation: 7, shard: 0, index }
}
