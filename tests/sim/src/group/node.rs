//! One node of a world: its disks, which outlive it, and, while it is up, a runtime of its own with the shipped store on it.
//!
//! The runtime is of this thread and its time stands still but for what the world grants it, so a node that is not given a tick does
//! nothing. Dropping the runtime is how a node dies: whatever it was doing ends where it stood.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, Request, Shared};
use host::admin::Readiness;
use host::metrics::{Registry, Value, names};
use host::settings::ByteSize;
use parking_lot::Mutex;
use proxy::cache::{Cache, CacheSettings, LeaseUse};
use proxy::cluster::member::OwnStore;
use proxy::cluster::upkeep;
use proxy::layer::{Encoders, LimitSettings};
use proxy::stack;
use raft::{Bootstrap, Leadership, Member, Pace, Peers, RaftSettings, Work};
use store::db::memory::{CrashTail, Fault, MemoryDisk, MemoryHome, WriteAheadLog};
use store::embedded::{SeededEntropy, Surroundings};
use store::{Embedded, EmbeddedSettings, OpenError};
use tokio::runtime::{Builder, RngSeed, Runtime};

use super::net::Net;
use super::planted::{self, Bug};
use super::way::{Call, Way};
use super::{MILLIS_PER_TICK, NODES, NodeId, Tick, address_of};
use crate::oracle::replicas::Told;
use crate::random::Random;

/// Milliseconds since the epoch where every world begins.
const BEGINNING_MILLIS: u64 = 1_700_000_000_000;

/// A node's clocks. The wall's may jump.
#[derive(Default)]
pub struct Clock {
    monotonic_millis: AtomicU64,
    wall_offset_millis: AtomicU64,
}

impl Clock {
    fn set(&self, now: Tick) {
        self.monotonic_millis.store(now * MILLIS_PER_TICK, Ordering::Relaxed);
    }

    /// The wall clock jumps ahead, or back to where it was.
    pub fn jump(&self, offset_millis: u64) {
        self.wall_offset_millis.store(offset_millis, Ordering::Relaxed);
    }
}

impl raft::Clock for Clock {
    fn now_millis(&self) -> u64 {
        BEGINNING_MILLIS + self.monotonic_millis() + self.wall_offset_millis.load(Ordering::Relaxed)
    }

    fn monotonic_millis(&self) -> u64 {
        self.monotonic_millis.load(Ordering::Relaxed)
    }
}

impl host::clock::Clock for Clock {
    fn wall_millis(&self) -> u64 {
        raft::Clock::now_millis(self)
    }

    fn monotonic_nanos(&self) -> u64 {
        raft::Clock::monotonic_millis(self) * 1_000_000
    }
}

/// How long a node's disk and processor take, as the seed says; longer while the world lets them stand.
struct Machine {
    random: Mutex<Random>,
    clock: Arc<Clock>,
    stands_until_millis: AtomicU64,
}

impl Pace for Machine {
    fn of(&self, work: Work) -> Duration {
        let mut random = self.random.lock();
        let millis = match (work, random.below(50)) {
            (Work::Log | Work::State, 0) => 5 + random.below(40),
            (Work::Log, _) => random.below(3),
            (Work::Apply, 0) => random.below(80),
            (Work::Apply, _) => random.below(2),
            (Work::State, _) => random.below(10),
        };
        let until = self.stands_until_millis.load(Ordering::Relaxed);
        let stands = until.saturating_sub(raft::Clock::monotonic_millis(&*self.clock));
        Duration::from_millis(millis + stands)
    }
}

/// A node.
pub struct Node {
    /// Which.
    pub id: NodeId,
    /// Where the disk of its state is, and those that come from other nodes.
    pub home: MemoryHome,
    log: MemoryDisk,
    /// Whether a disk has been bad since it was turned on.
    bad_disk: bool,
    /// Its clocks.
    pub clock: Arc<Clock>,
    seed: u64,
    lives: u64,
    flush_after_log_bytes: u64,
    keep_log_bytes: u64,
    max_lag: Duration,
    bug: Bug,
    /// Reads of earlier lives that memory answered.
    hits: u64,
    life: Option<Life>,
}

/// A node that is up, or opens.
struct Life {
    runtime: Runtime,
    machine: Arc<Machine>,
    registry: Registry,
    opening: Arc<Mutex<Option<Result<Open, OpenError>>>>,
    open: Option<Open>,
}

/// A node that has opened.
#[derive(Clone)]
pub struct Open {
    /// Its store.
    pub store: Arc<Embedded>,
    /// The whole stack.
    pub db: Shared,
}

impl Node {
    /// A node that was never up, and that answers nothing older than `max_lag`.
    pub fn new(id: NodeId, seed: u64, max_lag: Duration, bug: Bug) -> Node {
        let mut random = Random::new(seed ^ (id << 32));
        Node {
            id,
            log: MemoryDisk::new(WriteAheadLog::On),
            bad_disk: false,
            home: MemoryHome::new(MemoryDisk::new(WriteAheadLog::Off)),
            clock: Arc::default(),
            seed: random.draw(),
            lives: 0,
            // From a state that is flushed all the time to one that never is.
            flush_after_log_bytes: [2_000, 20_000, u64::MAX][random.below(3) as usize],
            // Whoever comes back after a while is brought up by the log, or by a state from a peer.
            keep_log_bytes: [2_000, u64::MAX][random.below(2) as usize],
            max_lag,
            bug,
            hits: 0,
            life: None,
        }
    }

    /// Whether it has its power.
    pub fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Counts the times it was turned on.
    pub fn life(&self) -> u64 {
        self.lives
    }

    /// Reads that its caches have answered, in all its lives.
    pub fn hits(&self) -> u64 {
        let families = self.life.as_ref().map(|life| life.registry.read()).unwrap_or_default();
        let of_caches = families
            .iter()
            .filter(|read| [names::ITEM_CACHE_HITS, names::QUERY_CACHE_HITS].contains(&read.family));
        let counts = of_caches.flat_map(|read| &read.series).map(|series| match series.value {
            Value::Count(count) => count,
            Value::Number(_) | Value::Distribution(_) => 0,
        });
        self.hits + counts.sum::<u64>()
    }

    /// The node, where it has opened.
    pub fn open(&self) -> Option<&Open> {
        self.life.as_ref()?.open.as_ref()
    }

    /// Whether it leads and knows that a quorum follows.
    pub fn leads(&self) -> bool {
        self.open()
            .is_some_and(|open| matches!(*open.store.log().leadership().borrow(), Leadership::Leader { .. }))
    }

    /// Turns it on. `told` is what the world notes of every change it applies.
    pub fn start(&mut self, net: &Net, told: Arc<Told>, now: Tick) {
        self.lives += 1;
        self.clock.set(now);
        let seed = self.seed ^ self.lives;
        let mut random = Random::new(seed);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .rng_seed(RngSeed::from_bytes(&random.draw().to_be_bytes()))
            .build()
            .expect("a runtime starts");
        let log = planted::log(self.log.open(), self.bug);
        let state = planted::state(self.home.current().open(), self.bug);
        let machine = Arc::new(Machine {
            random: Mutex::new(Random::new(random.draw())),
            clock: Arc::clone(&self.clock),
            stands_until_millis: AtomicU64::new(0),
        });
        let members = (1..=NODES).map(|id| (id, Member::new(address_of(id)))).collect();
        let raft = RaftSettings {
            node_id: self.id,
            address: address_of(self.id),
            bootstrap: Bootstrap::Members(members),
            flush_after_log_bytes: self.flush_after_log_bytes,
            keep_log_bytes: self.keep_log_bytes,
            life: random.draw(),
            ..RaftSettings::default()
        };
        let network = Some(Peers::new(net.join(self.id)));
        let settings = EmbeddedSettings { raft, network, ..EmbeddedSettings::default() };
        let surroundings = Surroundings {
            clock: Arc::clone(&self.clock) as Arc<dyn raft::Clock>,
            entropy: Arc::new(SeededEntropy::new(random.draw())),
        };
        let caches = CacheSettings { cache_bytes: ByteSize::mib(16), ..CacheSettings::default() };
        let clock = Arc::clone(&self.clock) as Arc<dyn host::clock::Clock>;
        let registry = Registry::new();
        let cache = Cache::new(caches, Arc::clone(&clock), random.draw(), 1, &registry);
        let cache = cache.expect("the settings are sound");
        let sink = planted::sink(told, Arc::clone(&cache), self.bug);
        let opening = Arc::new(Mutex::new(None));
        let (slot, pace, bug) = (Arc::clone(&opening), Arc::clone(&machine) as Arc<dyn Pace>, self.bug);
        let (way, max_lag, home) = (Way::new(net, self.id), self.max_lag, Arc::new(self.home.clone()));
        let metrics = registry.clone();
        runtime.spawn(async move {
            let opened = Embedded::open_as_tasks(settings, log, state, home, surroundings, sink, pace).await;
            *slot.lock() = Some(opened.map(|store| {
                let store = Arc::new(store);
                // As a node of a cluster does when its store is there.
                cache.follow(Arc::clone(&clock), max_lag, LeaseUse::None);
                let ready = Readiness::default().require("cluster", "it has just been turned on");
                let (of_upkeep, cache_of_upkeep) = (Arc::clone(&store), Arc::clone(&cache));
                tokio::spawn(upkeep::follow(of_upkeep, cache_of_upkeep, max_lag, ready, registry.clone()));
                let member = planted::Store { own: OwnStore::new(Arc::clone(&store), None), bug };
                let parts = stack::Parts {
                    cache,
                    encoders: Encoders::none(),
                    limits: &LimitSettings::default(),
                    clock,
                    registry: &registry,
                };
                let catalog = store.catalog();
                let db = stack::build_routed(Arc::new(member), catalog, way, max_lag, parts);
                Open { store, db }
            }));
        });
        self.life = Some(Life { runtime, machine, registry: metrics, opening, open: None });
    }

    /// Lets it run for a tick. Errors: it does not open.
    pub fn tick(&mut self, now: Tick) -> Result<(), OpenError> {
        self.clock.set(now);
        let Some(life) = &mut self.life else { return Ok(()) };
        let tick = Duration::from_millis(MILLIS_PER_TICK);
        life.runtime.block_on(async { tokio::time::sleep(tick).await });
        if life.open.is_none()
            && let Some(opened) = life.opening.lock().take()
        {
            life.open = Some(opened?);
        }
        Ok(())
    }

    /// Something goes wrong with a disk, that of the log or that of the state, after so many operations that pass.
    pub fn order_fault(&mut self, of_log: bool, passing: u64, fault: Fault) {
        self.bad_disk = true;
        let disk = if of_log { self.log.clone() } else { self.home.current() };
        disk.order_fault(passing, fault);
    }

    /// Whether a disk has been bad since the node was turned on: then it need not open, or stay up.
    pub fn has_bad_disk(&self) -> bool {
        self.bad_disk
    }

    /// Nothing goes wrong any more that has not yet.
    pub fn clear_faults(&self) {
        self.log.clear_faults();
        self.home.current().clear_faults();
    }

    /// Its disk and its processor stand still until then.
    pub fn stand(&self, until: Tick) {
        if let Some(life) = &self.life {
            life.machine.stands_until_millis.store(until * MILLIS_PER_TICK, Ordering::Relaxed);
        }
    }

    /// Asks it something. The answer is noted when the node has run; never, where it dies before.
    pub fn ask(&self, cx: Context, patience: Duration, request: Request, answer: Pending) {
        let Some((life, open)) = self.life.as_ref().zip(self.open()) else { return };
        let db = open.db.clone();
        life.runtime.spawn(async move {
            let deadline = tokio::time::Instant::now() + patience;
            let cx = Context { deadline: Some(deadline.into_std()), ..cx };
            let answered = db.call(cx, request).await;
            *answer.lock() = Some(answered);
        });
    }

    /// Answers what another node passes on.
    pub fn serve(&self, net: &Net, call: Call) {
        let Some((life, open)) = self.life.as_ref().zip(self.open()) else { return call.refuse(net) };
        let (db, net) = (open.db.clone(), net.clone());
        life.runtime.spawn(async move { call.serve(&net, &db).await });
    }

    /// Does something on it that nobody waits for.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(life) = &self.life {
            life.runtime.spawn(work);
        }
    }

    /// It is killed: what it has written stays.
    pub fn kill(&mut self, net: &Net) {
        net.leave(self.id, true);
        self.end();
    }

    /// Its power goes, and of what was not synced only `tail` stays.
    pub fn cut_power(&mut self, net: &Net, tail: CrashTail) {
        net.leave(self.id, false);
        self.log.crash(tail);
        self.home.current().crash(CrashTail::default());
        self.end();
    }

    fn end(&mut self) {
        self.clear_faults();
        self.bad_disk = false;
        self.hits = self.hits();
        if let Some(Life { runtime, open, .. }) = self.life.take() {
            drop(runtime);
            drop(open);
        }
    }
}

/// Where an answer is put.
pub type Pending = Arc<Mutex<Option<Result<Answer, Error>>>>;
