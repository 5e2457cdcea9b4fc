//! A replica, its cache and its primary: every promise, each over a node that lags for as long as the test wants.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64};

use api::item::ItemBody;
use api::op::{
    GetItemInput, GetItemOutput, Page, PutItemInput, PutItemOutput, ReturnConsumedCapacity,
    ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure, ScanInput, Select,
};
use api::schema::{IndexKind, IndexName, IndexProjection, Status};
use api::service::{Cause, Source};
use api::{AttributeValue, Change, ChangeSink, Detail, EncodedItem, Image, IndexId, Response};
use host::clock::{Clock, ManualClock};
use parking_lot::Mutex;

use super::*;
use crate::cache::tests::{string, table};
use crate::cache::{CacheSettings, LeaseUse};
use crate::layer::{Cached, Encoders};

/// All committed writes, in order: the first is at index 1.
#[derive(Default)]
struct Committed(Mutex<Vec<Item>>);

impl Committed {
    fn end(&self) -> u64 {
        self.0.lock().len() as u64
    }

    fn put(&self, item: Item) -> u64 {
        let mut writes = self.0.lock();
        writes.push(item);
        writes.len() as u64
    }

    /// What the store says of a read, as of an index.
    fn read(&self, request: &Request, index: u64) -> Response {
        let writes = self.0.lock();
        let stands = |key: &Item| {
            let same = |item: &&Item| item.get("pk") == key.get("pk") && item.get("sk") == key.get("sk");
            writes[..index as usize].iter().rev().find(same).cloned()
        };
        let tree = |item: Item| ItemBody::Tree(Arc::new(item));
        match request {
            Request::GetItem(input) => {
                Response::GetItem(GetItemOutput { item: stands(&input.key).map(tree), capacity: None })
            }
            Request::Scan(_) => {
                let items: Vec<ItemBody> = writes[..index as usize].iter().cloned().map(tree).collect();
                let count = items.len() as u32;
                Response::Scan(Page {
                    items: Some(items),
                    count,
                    scanned_count: count,
                    last_key: None,
                    capacity: None,
                })
            }
            _ => panic!("nothing else is asked"),
        }
    }
}

fn version(index: u64) -> Version {
    Version { incarnation: 1, shard: 0, index }
}

fn unknown() -> Error {
    Error::new(ErrorKind::InternalServerError, "?").with(Detail::OutcomeUnknown)
}

/// A node that applies what it is told to.
struct Replica {
    committed: Arc<Committed>,
    cache: Arc<Cache>,
    /// Nothing, before it was given a state.
    incarnation: AtomicU64,
    applied: watch::Sender<u64>,
    role: watch::Sender<Role>,
    age: Mutex<Option<Duration>>,
    unheard: Mutex<Duration>,
    failure: Mutex<Option<Error>>,
    answered: AtomicUsize,
    /// Writes that were to be seen everywhere.
    awaited: Mutex<Vec<u64>>,
    /// What happens while the next read is answered.
    during: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// What becomes of the next request.
    fails: Mutex<Option<Error>>,
}

impl Replica {
    /// It is given a state, of all that was committed up to an index.
    fn install(&self, index: u64) {
        self.cache.gap(version(index));
        self.incarnation.store(1, Ordering::SeqCst);
        self.applied.send_replace(index);
    }

    fn apply(&self, index: u64) {
        let table = table(1);
        for at in *self.applied.borrow() + 1..=index {
            let item = self.committed.0.lock()[at as usize - 1].clone();
            let change = Change {
                key: table.key.key_of(&item).unwrap(),
                table: Arc::clone(&table),
                old: Image::Absent,
                new: Image::Present(EncodedItem::encode(&item)),
                indexes: Vec::new(),
                version: version(at),
                ordinal: 0,
                log_time_millis: 0,
                origin_region: 0,
                cause: Cause::User,
            };
            self.cache.raise(std::slice::from_ref(&change));
            self.cache.publish(&[change], version(at));
        }
        self.applied.send_replace(index);
    }
}

impl DynamoDb for Replica {
    async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
        self.answered.fetch_add(1, Ordering::SeqCst);
        if let Some(happens) = self.during.lock().take() {
            happens();
        }
        if let Some(error) = self.fails.lock().take() {
            return Err(error);
        }
        if *self.role.borrow() == Role::Primary
            && let Request::PutItem(input) = &request
        {
            let index = self.committed.put(input.item.clone());
            self.apply(index);
            return Ok(Answer::from_store(Response::PutItem(PutItemOutput::default()), Some(version(index))));
        }
        assert!(!store::engine::is_strong(&request), "a replica was asked what only the primary may answer");
        let applied = *self.applied.borrow();
        Ok(Answer::from_store(self.committed.read(&request, applied), Some(version(applied))))
    }
}

impl Member for Replica {
    fn role(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }

    fn version(&self) -> Version {
        let incarnation = self.incarnation.load(Ordering::SeqCst);
        Version { incarnation, ..version(*self.applied.borrow()) }
    }

    async fn reached(&self, index: u64) {
        let _ = self.applied.subscribe().wait_for(|applied| *applied >= index).await;
    }

    async fn catch_up(&self, _: &Context) -> Result<(), Error> {
        match *self.age.lock() {
            Some(age) if age <= LAG => Ok(()),
            // Nobody else answers.
            Some(_) | None => Err(not_primary(None)),
        }
    }

    async fn everywhere(&self, index: u64) {
        self.awaited.lock().push(index);
    }

    fn age(&self) -> Option<Duration> {
        *self.age.lock()
    }

    fn unheard(&self) -> Duration {
        *self.unheard.lock()
    }

    fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }
}

/// The primary, as the replica reaches it.
struct Primary {
    committed: Arc<Committed>,
    /// Answers it gives instead of what it knows.
    scripted: Mutex<VecDeque<Error>>,
    /// Nodes that never answer what they are asked next.
    silent: Mutex<BTreeSet<u64>>,
    asked: Mutex<Vec<u64>>,
    /// What it commits, the replica applies at once.
    follows: AtomicBool,
    replica: Arc<Replica>,
}

impl Way for Arc<Primary> {
    async fn ask(&self, node: u64, cx: Context, request: Request) -> Result<Answer, Error> {
        assert_eq!(cx.hops, 1, "what is passed on says so");
        assert!(cx.deadline.is_some(), "nothing is waited for without an end");
        self.asked.lock().push(node);
        if self.silent.lock().remove(&node) {
            std::future::pending::<()>().await;
        }
        if let Some(error) = self.scripted.lock().pop_front() {
            return Err(error);
        }
        if let Request::PutItem(input) = request {
            let index = self.committed.put(input.item);
            if self.follows.load(Ordering::SeqCst) {
                self.replica.apply(index);
            }
            return Ok(Answer::from_store(Response::PutItem(PutItemOutput::default()), Some(version(index))));
        }
        let end = self.committed.end();
        Ok(Answer::from_store(self.committed.read(&request, end), Some(version(end))))
    }
}

struct World {
    replica: Arc<Replica>,
    primary: Arc<Primary>,
    db: Cached<Routed<Replica, Arc<Primary>>>,
    clock: ManualClock,
    registry: Registry,
}

const LAG: Duration = Duration::from_secs(10);

impl World {
    fn new() -> World {
        World::with(LeaseUse::None)
    }

    fn with(leases: LeaseUse) -> World {
        let (clock, registry) = (ManualClock::at(1_000), Registry::new());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let cache = Cache::new(CacheSettings::default(), Arc::clone(&shared), 7, 1, &registry).unwrap();
        cache.gap(version(0));
        cache.follow(shared, LAG, leases);
        cache.confirm(|| Some(Duration::ZERO));
        let committed = Arc::new(Committed::default());
        let replica = Arc::new(Replica {
            committed: Arc::clone(&committed),
            cache: Arc::clone(&cache),
            incarnation: AtomicU64::new(1),
            applied: watch::Sender::new(0),
            role: watch::Sender::new(Role::ReplicaOf(1)),
            age: Mutex::new(Some(Duration::ZERO)),
            unheard: Mutex::default(),
            failure: Mutex::default(),
            answered: AtomicUsize::new(0),
            awaited: Mutex::default(),
            during: Mutex::default(),
            fails: Mutex::default(),
        });
        let primary = Arc::new(Primary {
            committed,
            scripted: Mutex::default(),
            silent: Mutex::default(),
            asked: Mutex::default(),
            follows: AtomicBool::new(true),
            replica: Arc::clone(&replica),
        });
        let way = Arc::clone(&primary);
        let routed = Routed::new(Arc::clone(&replica), way, Arc::clone(&cache), LAG, &registry);
        let db = Cached::new(routed, cache, Encoders { json: None, dax: None });
        World { db, replica, primary, clock, registry }
    }

    fn cx() -> Context {
        let mut cx = Context::default();
        cx.tables.add(table(1));
        cx
    }

    async fn ask(&self, request: impl Into<Request>) -> Result<Answer, Error> {
        self.db.call(Self::cx(), request.into()).await
    }

    async fn put(&self, value: u64) {
        self.ask(put(value)).await.unwrap();
    }

    /// The value that a read answers, and where from.
    async fn get(&self) -> (Option<AttributeValue>, Source) {
        value_of(self.ask(get(false)).await.unwrap())
    }

    fn asked(&self) -> usize {
        self.primary.asked.lock().len()
    }

    /// How many writes were doubted, and whether any of it is in doubt now.
    fn doubts(&self) -> (u64, bool) {
        let doubted = self.registry.counter(names::WRITES_DOUBTED, &[]).value();
        (doubted, self.registry.prometheus().contains("forebay_in_doubt 1\n"))
    }

    /// What is held was all there was a moment ago.
    fn catches_up(&self) {
        self.clock.advance(Duration::from_millis(10));
        self.replica.cache.confirm(|| Some(Duration::ZERO));
    }

    /// From now on what is written is applied here only when the test says so.
    fn lags(&self) {
        self.primary.follows.store(false, Ordering::SeqCst);
    }
}

fn value_of(answer: Answer) -> (Option<AttributeValue>, Source) {
    let Response::GetItem(output) = answer.response else { panic!("another answer") };
    (output.item.and_then(|item| item.to_item().get("v").cloned()), answer.source)
}

fn v(value: u64) -> Option<AttributeValue> {
    Some(string(value.to_string()))
}

fn key() -> Item {
    Item::new().with("pk", string("p")).with("sk", string("s"))
}

fn put(value: u64) -> PutItemInput {
    PutItemInput {
        table: table(1).name.clone(),
        item: key().with("v", string(value.to_string())),
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

fn get(consistent: bool) -> GetItemInput {
    GetItemInput {
        table: table(1).name.clone(),
        key: key(),
        projection: None,
        consistent,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

fn scan() -> ScanInput {
    ScanInput {
        table: table(1).name.clone(),
        index: None,
        filter: None,
        select: Select::AllAttributes,
        limit: None,
        consistent: false,
        segment: None,
        start: None,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

/// Whether just so long has passed. Timers are of milliseconds.
fn took(begun: Instant, wait: Duration) -> bool {
    (wait..wait + Duration::from_millis(5)).contains(&begun.elapsed())
}

async fn items_of(world: &World) -> u32 {
    match world.ask(scan()).await.unwrap().response {
        Response::Scan(page) => page.count,
        _ => panic!("another answer"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_through_a_replica_that_lags_is_followed_by_no_older_answer() {
    let world = World::new();
    world.put(1).await;
    assert_eq!(world.get().await.0, v(1));
    assert_eq!(world.get().await, (v(1), Source::Cache));
    assert_eq!(items_of(&world).await, 1);
    world.lags();
    world.put(2).await;
    // Neither the item nor the page that stand in the cache, nor what the store here holds.
    let before = world.asked();
    assert_eq!(world.get().await.0, v(2));
    assert_eq!(items_of(&world).await, 2);
    assert_eq!(world.asked(), before + 2);
    // Once it is applied, memory answers again.
    world.replica.apply(2);
    let before = world.asked();
    assert_eq!(world.get().await, (v(2), Source::Cache));
    assert_eq!((items_of(&world).await, world.asked()), (2, before));
}

/// Somebody was told by the primary that the index is filled.
#[tokio::test(start_paused = true)]
async fn an_index_that_this_node_does_not_know_to_be_filled_is_read_at_the_primary() {
    let world = World::new();
    world.put(1).await;
    let index = |backfilling, status| Index {
        id: IndexId(9),
        name: IndexName::new("by_v").unwrap(),
        kind: IndexKind::Global,
        key: table(1).key.clone(),
        projection: IndexProjection::All,
        status,
        backfilling,
        throughput: table(1).throughput,
    };
    let mut scan = scan();
    scan.index = Some(index(false, Status::Active).name);
    for (indexes, passed_on) in [
        (vec![], true),
        (vec![index(false, Status::Creating)], true),
        (vec![index(true, Status::Active)], true),
        (vec![index(false, Status::Deleting)], true),
        (vec![index(false, Status::Active)], false),
    ] {
        let mut cx = Context::default();
        cx.tables.add(Arc::new(Table { indexes: indexes.clone(), ..Table::clone(&table(1)) }));
        let before = world.asked();
        let answer = world.db.call(cx, scan.clone().into()).await.unwrap();
        assert!(matches!(answer.response, Response::Scan(Page { count: 1, .. })), "{indexes:?}");
        assert_eq!(world.asked() - before, usize::from(passed_on), "{indexes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_of_one_key_is_not_asked_of_another() {
    let world = World::new();
    world.put(1).await;
    world.lags();
    world.put(2).await;
    let mut other = get(false);
    other.key = Item::new().with("pk", string("other")).with("sk", string("s"));
    let before = world.asked();
    assert_eq!(value_of(world.ask(other).await.unwrap()).0, None);
    assert_eq!(world.asked(), before);
}

#[tokio::test(start_paused = true)]
async fn a_write_through_a_node_that_waits_for_its_first_state_is_not_followed_by_an_older_one() {
    let world = World::new();
    world.lags();
    world.primary.committed.put(put(1).item);
    world.replica.incarnation.store(0, Ordering::SeqCst);
    world.replica.cache.gap(Version::default());
    world.put(2).await;
    // What it is given is from before the write.
    world.replica.install(1);
    assert_eq!(world.get().await.0, v(2));
    assert_eq!(items_of(&world).await, 2);
    world.replica.apply(2);
    world.catches_up();
    let before = world.asked();
    assert_eq!(world.get().await.0, v(2));
    assert_eq!((items_of(&world).await, world.asked()), (2, before));
    assert_eq!(world.get().await, (v(2), Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn after_a_write_of_unknown_outcome_the_primary_is_asked_until_this_node_has_caught_up() {
    let world = World::new();
    world.put(1).await;
    world.get().await;
    assert_eq!(items_of(&world).await, 1);
    world.lags();
    // It is committed, and whoever did that is lost before it answers.
    world.primary.committed.put(put(2).item);
    world.primary.scripted.lock().push_back(unknown());
    assert_eq!(world.doubts(), (0, false));
    assert!(world.ask(put(2)).await.unwrap_err().is_outcome_unknown());
    assert_eq!(world.doubts(), (1, true));
    let before = world.asked();
    assert_eq!(world.get().await.0, v(2));
    assert_eq!(items_of(&world).await, 2);
    assert_eq!(world.asked(), before + 2);
    // Nobody else's business, and nothing that was heard before ends it.
    let mut other = get(false);
    other.key = Item::new().with("pk", string("other")).with("sk", string("s"));
    assert_eq!(value_of(world.ask(other).await.unwrap()).0, None);
    assert_eq!(world.asked(), before + 2);
    world.replica.cache.confirm(|| Some(Duration::ZERO));
    assert_eq!(world.get().await.0, v(2));
    // Where there is nobody to ask, nothing is said.
    world.replica.role.send_replace(Role::Orphan);
    let refused = world.ask(get(false)).await.unwrap_err();
    assert!(refused.is_not_primary() && refused.kind.is_retryable(), "{refused}");
    world.replica.apply(2);
    assert_eq!(world.doubts(), (1, true));
    world.catches_up();
    // Whether anybody asks for it or not.
    assert_eq!(world.doubts(), (1, false));
    assert_eq!(world.get().await, (v(2), Source::Cache));
    assert_eq!(items_of(&world).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_loses_a_write_of_its_own_does_not_say_what_was_before() {
    let world = World::new();
    world.put(1).await;
    world.get().await;
    world.lags();
    world.replica.role.send_replace(Role::Primary);
    *world.replica.fails.lock() = Some(unknown());
    assert!(world.ask(put(2)).await.unwrap_err().is_outcome_unknown());
    // The next one has it.
    world.primary.committed.put(put(2).item);
    world.replica.role.send_replace(Role::ReplicaOf(2));
    assert_eq!(world.get().await.0, v(2));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_acknowledged_once_it_is_applied_here_or_after_the_longest_wait() {
    let world = World::new();
    let begun = Instant::now();
    world.put(1).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    world.lags();
    world.put(2).await;
    assert!(took(begun, CATCH_UP), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn strong_reads_are_the_primarys() {
    let world = World::new();
    world.put(1).await;
    world.lags();
    world.primary.committed.put(put(2).item);
    let before = world.asked();
    assert_eq!(value_of(world.ask(get(true)).await.unwrap()).0, v(2));
    assert_eq!(world.asked(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_asked_for_is_waited_for_briefly_and_then_asked_of_the_primary() {
    let world = World::new();
    world.put(1).await;
    world.lags();
    world.primary.committed.put(put(2).item);
    let asking = Context { min_version: Some(version(2)), ..World::cx() };
    let before = world.asked();
    let answer = world.db.call(asking.clone(), get(false).into()).await.unwrap();
    assert_eq!((value_of(answer).0, world.asked()), (v(2), before + 1));
    // In time, it is answered here.
    let soon = async {
        tokio::time::sleep(CATCH_UP / 2).await;
        world.replica.apply(2);
    };
    let other = Context { min_version: Some(version(2)), ..World::cx() };
    let mut absent = get(false);
    absent.key = Item::new().with("pk", string("q")).with("sk", string("s"));
    let (answer, ()) = tokio::join!(world.db.call(other, absent.into()), soon);
    assert_eq!((answer.unwrap().version, world.asked()), (Some(version(2)), before + 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_may_be_too_old_asks_and_where_nobody_answers_says_so() {
    let world = World::new();
    world.put(1).await;
    assert_eq!(world.get().await.0, v(1));
    assert_eq!(world.get().await, (v(1), Source::Cache));
    world.clock.advance(LAG + Duration::from_millis(1));
    *world.replica.age.lock() = Some(LAG + Duration::from_millis(1));
    let before = world.asked();
    assert_eq!(world.get().await, (v(1), Source::Store));
    assert_eq!(world.asked(), before + 1);
    world.replica.role.send_replace(Role::Orphan);
    let error = world.ask(get(false)).await.unwrap_err();
    assert!(error.kind.is_retryable() && error.is_not_primary());
    // Who is the primary and reaches nobody has nobody to ask.
    world.replica.role.send_replace(Role::Primary);
    assert!(world.ask(get(false)).await.unwrap_err().kind.is_retryable());
    *world.replica.age.lock() = Some(Duration::ZERO);
    world.primary.replica.cache.confirm(|| Some(Duration::ZERO));
    assert_eq!(world.get().await, (v(1), Source::Cache));
}

#[tokio::test(start_paused = true)]
async fn a_caller_may_ask_for_less_staleness_than_the_node_allows() {
    let world = World::new();
    world.put(1).await;
    world.get().await;
    world.clock.advance(Duration::from_secs(2));
    *world.replica.age.lock() = Some(Duration::from_secs(2));
    let strict = Context { max_staleness: Some(Duration::from_secs(1)), ..World::cx() };
    let before = world.asked();
    world.db.call(strict, get(false).into()).await.unwrap();
    assert_eq!(world.asked(), before + 1);
    assert_eq!(world.get().await.1, Source::Cache);
    // The primary asks nobody: it has the others confirm that it is one, which makes it as new as anybody can be.
    world.replica.role.send_replace(Role::Primary);
    let strictest = Context { max_staleness: Some(Duration::ZERO), ..World::cx() };
    let answer = world.db.call(strictest, get(false).into()).await.unwrap();
    assert_eq!((value_of(answer), world.asked()), ((v(1), Source::Store), before + 1));
}

#[tokio::test(start_paused = true)]
async fn what_another_node_passed_on_is_not_passed_on_again() {
    let world = World::new();
    world.put(1).await;
    assert_eq!((world.get().await.0, world.get().await.1), (v(1), Source::Cache));
    let asked = world.asked();
    let passed = || Context { hops: 1, ..World::cx() };
    for role in [Role::ReplicaOf(1), Role::Orphan] {
        world.replica.role.send_replace(role);
        // What this node could answer by itself, too: whoever passed it on may have acknowledged what is not here yet.
        for request in [Request::from(put(1)), get(true).into(), get(false).into(), scan().into()] {
            let begun = Instant::now();
            assert!(world.db.call_now(&mut passed(), &request).is_none());
            assert!(world.db.call(passed(), request).await.unwrap_err().is_not_primary());
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
    }
    world.replica.role.send_replace(Role::Primary);
    assert_eq!(value_of(world.db.call(passed(), get(false).into()).await.unwrap()).0, v(1));
    assert_eq!(world.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_had_no_effect_is_tried_again_and_a_write_of_unknown_outcome_is_not() {
    let world = World::new();
    world.primary.scripted.lock().extend([not_primary(Some(2)), not_primary(None)]);
    world.put(1).await;
    assert_eq!((world.asked(), world.primary.committed.end()), (3, 1));
    world.primary.scripted.lock().push_back(unknown());
    assert!(world.ask(put(2)).await.unwrap_err().is_outcome_unknown());
    assert_eq!((world.asked(), world.primary.committed.end()), (4, 1));
    // A read has no effect to be in doubt of.
    world.primary.scripted.lock().push_back(unknown());
    assert_eq!(value_of(world.ask(get(true)).await.unwrap()).0, v(1));
}

#[tokio::test(start_paused = true)]
async fn without_a_primary_requests_wait_for_one_within_their_deadline_and_so_many_only() {
    let world = World::new();
    world.replica.role.send_replace(Role::Orphan);
    let elected = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.replica.role.send_replace(Role::ReplicaOf(2));
    };
    let (written, ()) = tokio::join!(world.ask(put(1)), elected);
    written.unwrap();
    assert_eq!(*world.primary.asked.lock(), [2]);

    world.replica.role.send_replace(Role::Orphan);
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(3);
    let bounded = Context { deadline: Some(deadline.into_std()), ..World::cx() };
    assert!(world.db.call(bounded, put(2).into()).await.unwrap_err().is_not_primary());
    assert!(took(begun, Duration::from_secs(3)), "{:?}", begun.elapsed());

    let crowd = (0..WAITING_MAX + 5).map(|_| async {
        let begun = Instant::now();
        let error = world.ask(put(3)).await.unwrap_err();
        assert!(error.kind.is_retryable());
        begun.elapsed()
    });
    let waited = futures_util::future::join_all(crowd).await;
    assert_eq!(waited.iter().filter(|waited| waited.is_zero()).count(), 5);
    assert_eq!(world.primary.committed.end(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_this_node_has_not_heard_of_is_the_primarys_to_know() {
    let world = World::new();
    world.lags();
    world.primary.committed.put(put(1).item);
    let answer = world.db.call(Context::default(), get(false).into()).await.unwrap();
    assert_eq!((value_of(answer).0, world.asked()), (v(1), 1));
}

/// What follows is drawn from a seed, so that a failure can be seen again.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// As fronts do it: each read asks for the highest version that the connection was answered with.
#[tokio::test(start_paused = true)]
async fn a_connection_that_keeps_its_floor_never_goes_back_over_hits_misses_and_forwards() {
    let (mut hits, mut stores) = (0, 0);
    for seed in 0..100 {
        let (world, mut drawn) = (World::new(), Drawn(seed));
        world.lags();
        // A little old, so that whoever asks for what is not older at all is passed on.
        world.clock.advance(Duration::from_millis(1));
        *world.replica.age.lock() = Some(Duration::from_millis(1));
        let (mut floor, mut last): (Option<Version>, u64) = (None, 0);
        for step in 0..60 {
            let applied = *world.replica.applied.borrow();
            match drawn.below(8) {
                0 | 1 => {
                    let next = world.primary.committed.end() + 1;
                    world.primary.committed.put(put(next).item);
                }
                2 => {
                    let end = world.primary.committed.end();
                    world.replica.apply(applied + drawn.below(end - applied + 1));
                }
                // All that stood in the cache is gone.
                3 => world.replica.cache.gap(version(applied)),
                kind => {
                    let max_staleness = (kind == 4).then_some(Duration::ZERO);
                    let cx = Context { min_version: floor, max_staleness, ..World::cx() };
                    let answer = world.db.call(cx, get(false).into()).await.unwrap();
                    let read_at = answer.version;
                    let (value, source) = value_of(answer);
                    let value: u64 = match value {
                        Some(AttributeValue::S(text)) => text.parse().unwrap(),
                        _ => 0,
                    };
                    assert!(value >= last, "seed {seed}, step {step}: {value} after {last}");
                    last = value;
                    if read_at.is_some_and(|at| floor.is_none_or(|floor| at.index > floor.index)) {
                        floor = read_at;
                    }
                    match source {
                        Source::Cache => hits += 1,
                        Source::Store | Source::Mixed => stores += 1,
                    }
                }
            }
        }
    }
    assert!(hits > 100 && stores > 100, "{hits} hits, {stores} from a store");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_needs_a_lease_and_has_none_asks_the_primary() {
    let world = World::with(LeaseUse::Required);
    world.put(1).await;
    let cache = Arc::clone(&world.replica.cache);
    cache.permit(world.clock.monotonic_nanos(), Duration::from_millis(100));
    assert_eq!(world.get().await.0, v(1));
    assert_eq!((world.get().await, items_of(&world).await), ((v(1), Source::Cache), 1));
    let (asked, answered) = (world.asked(), world.replica.answered.load(Ordering::SeqCst));
    // Another node's client writes, and this one does not hear of it.
    world.lags();
    world.primary.committed.put(key().with("v", string("2")));
    world.clock.advance(Duration::from_millis(100));
    assert_eq!((world.get().await.0, items_of(&world).await), (v(2), 2));
    assert_eq!(world.asked(), asked + 2);
    assert_eq!(
        world.replica.answered.load(Ordering::SeqCst),
        answered,
        "its own store is as old as its cache"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_of_its_own_store_during_which_a_lease_ends_is_asked_of_the_primary() {
    let world = World::with(LeaseUse::Required);
    world.put(1).await;
    world.lags();
    world.primary.committed.put(key().with("v", string("2")));
    let (cache, clock) = (Arc::clone(&world.replica.cache), world.clock.clone());
    cache.permit(clock.monotonic_nanos(), Duration::from_millis(100));
    // As if the process had been stopped in the middle of it.
    *world.replica.during.lock() = Some(Box::new(move || clock.advance(Duration::from_secs(1))));
    assert_eq!(items_of(&world).await, 2);
    assert_eq!(world.replica.answered.load(Ordering::SeqCst), 1, "it was not its own store that was read");
}

#[tokio::test(start_paused = true)]
async fn the_primary_lets_a_write_wait_until_it_is_seen_everywhere_whoever_passed_it_on() {
    let world = World::new();
    world.replica.role.send_replace(Role::Primary);
    world.put(1).await;
    let mut passed_on = World::cx();
    passed_on.hops = 1;
    world.db.call(passed_on, put(2).into()).await.unwrap();
    assert_eq!(*world.replica.awaited.lock(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_is_cut_off_is_waited_for_until_there_is_another() {
    let world = World::new();
    world.put(1).await;
    let moves = || async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        world.replica.role.send_replace(Role::Orphan);
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.replica.role.send_replace(Role::ReplicaOf(2));
    };
    let begun = Instant::now();
    world.primary.silent.lock().insert(1);
    let (read, ()) = tokio::join!(world.ask(get(true)), moves());
    assert_eq!(value_of(read.unwrap()).0, v(1));
    assert!(took(begun, Duration::from_millis(600)), "{:?}", begun.elapsed());
    // A write may have been committed: its answer is given a while, and then nobody knows.
    world.replica.role.send_replace(Role::ReplicaOf(1));
    world.primary.silent.lock().insert(1);
    let begun = Instant::now();
    let (written, ()) = tokio::join!(world.ask(put(2)), moves());
    assert!(written.unwrap_err().is_outcome_unknown());
    assert!(took(begun, Duration::from_millis(400) + LATE_ANSWER), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_no_primary_was_heard_for_longer_than_an_election_takes_requests_are_refused_soon() {
    let world = World::new();
    world.put(1).await;
    for role in [Role::Orphan, Role::ReplicaOf(1)] {
        world.replica.role.send_replace(role);
        for (unheard, waits) in
            [(PRIMARY_WAIT * 5, LEAST_WAIT), (PRIMARY_WAIT - Duration::from_millis(10), LEAST_WAIT)]
        {
            *world.replica.unheard.lock() = unheard;
            for request in [Request::from(put(2)), get(true).into()] {
                // Whoever was the primary refuses connections.
                world.primary.scripted.lock().extend((0..100).map(|_| not_primary(None)));
                let begun = Instant::now();
                let silenced = async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    *world.replica.unheard.lock() = PRIMARY_WAIT;
                };
                let (refused, ()) = tokio::join!(world.ask(request), silenced);
                let refused = refused.unwrap_err();
                assert!(refused.is_not_primary() && !refused.is_outcome_unknown(), "{refused}");
                assert!(refused.message.contains("forebay status"), "{refused}");
                assert!(took(begun, waits), "{role:?}, {unheard:?}: {:?}", begun.elapsed());
                world.primary.scripted.lock().clear();
            }
        }
    }
    // One that is found in that time answers.
    world.replica.role.send_replace(Role::Orphan);
    let found = async {
        tokio::time::sleep(LEAST_WAIT / 2).await;
        *world.replica.unheard.lock() = Duration::ZERO;
        world.replica.role.send_replace(Role::ReplicaOf(2));
    };
    let (written, ()) = tokio::join!(world.ask(put(3)), found);
    written.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_store_has_failed_says_so_at_once_and_speaks_of_no_majority() {
    let world = World::new();
    world.put(1).await;
    let failure = Error { message: "the disk failed".into(), ..not_primary(None) };
    *world.replica.failure.lock() = Some(failure);
    // Until its log has ended it passes requests on.
    world.ask(put(2)).await.unwrap();
    world.replica.role.send_replace(Role::Orphan);
    for request in [Request::from(put(3)), get(true).into()] {
        let begun = Instant::now();
        let refused = world.ask(request).await.unwrap_err();
        assert!(refused.is_not_primary() && !refused.is_outcome_unknown(), "{refused}");
        assert_eq!(refused.message, "the disk failed");
        assert!(took(begun, Duration::ZERO), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_falls_silent_where_nobody_can_be_elected_is_not_waited_for() {
    let world = World::new();
    world.put(1).await;
    for (request, is_write) in [(Request::from(get(true)), false), (put(2).into(), true)] {
        world.primary.silent.lock().insert(1);
        world.primary.scripted.lock().extend((0..100).map(|_| not_primary(None)));
        *world.replica.unheard.lock() = Duration::ZERO;
        let silenced = async {
            tokio::time::sleep(PRIMARY_WAIT - Duration::from_millis(1)).await;
            *world.replica.unheard.lock() = PRIMARY_WAIT;
        };
        let begun = Instant::now();
        let (refused, ()) = tokio::join!(world.ask(request), silenced);
        let refused = refused.unwrap_err();
        assert_eq!(refused.is_outcome_unknown(), is_write, "{refused}");
        assert!(begun.elapsed() < PRIMARY_WAIT + LATE_ANSWER * 2, "{:?}", begun.elapsed());
        world.primary.scripted.lock().clear();
    }
}
