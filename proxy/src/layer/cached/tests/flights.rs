//! Misses at the same time, before a store that answers when it is told to.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;

use api::item::ItemBody;
use api::op::{
    BatchGetItemInput, BatchGetItemOutput, GetItemOutput, Page, ReturnConsumedCapacity, TableKeys,
};
use api::service::Tables;
use api::{
    Answer, ChangeSink, Context, DynamoDb, EncodedItem, Error, ErrorKind, Item, Request, Response, TableName,
    Version,
};
use host::clock::ManualClock;
use host::metrics::Registry;
use tokio::sync::Semaphore;

use super::world::{get, key, query, s};
use crate::cache::{Cache, CacheSettings};
use crate::layer::cached::TRIES_MAX;
use crate::layer::{Cached, Encoders};

/// Answers one request for each permit, with the version it has by then. Refuses, as the store does, what asks for a version
/// it does not have, and batches that name a key outside its one partition.
struct Told {
    go: Semaphore,
    version: AtomicU64,
    asked: AtomicUsize,
    fails: AtomicBool,
}

impl DynamoDb for Told {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let index = self.version.load(Ordering::SeqCst);
        self.go.acquire().await.expect("never closed").forget();
        let fails = self.fails.load(Ordering::SeqCst);
        if fails || cx.min_version.is_some_and(|min| min.index > index) {
            return Err(Error::new(ErrorKind::InternalServerError, "told to"));
        }
        let item = Item::new().with("pk", s("p1")).with("sk", s("s1")).with("v", s(format!("{index}")));
        let body = ItemBody::Encoded(EncodedItem::encode(&item));
        let response = match request {
            Request::GetItem(_) => Response::GetItem(GetItemOutput { item: Some(body), capacity: None }),
            Request::BatchGetItem(batch) => {
                if batch.tables[0].keys.iter().any(|key| key.get("pk") != Some(&s("p1"))) {
                    return Err(Error::validation("no such partition"));
                }
                let responses = vec![(batch.tables[0].table.clone(), vec![body])];
                Response::BatchGetItem(BatchGetItemOutput { responses, ..Default::default() })
            }
            _ => Response::Query(Page {
                items: Some(vec![body]),
                count: 1,
                scanned_count: 1,
                ..Page::default()
            }),
        };
        Ok(Answer::from_store(response, Some(Version { incarnation: 1, shard: 0, index })))
    }
}

struct Scene {
    cache: Arc<Cache>,
    told: Arc<Told>,
    cached: Cached<Arc<Told>>,
    table: Arc<api::Table>,
}

fn scene(fails: bool) -> Scene {
    let clock = Arc::new(ManualClock::at(0));
    let cache = Cache::new(CacheSettings::default(), clock, 3, 2, &Registry::new()).unwrap();
    cache.gap(Version { incarnation: 1, shard: 0, index: 0 });
    let told = Arc::new(Told {
        go: Semaphore::new(0),
        version: AtomicU64::new(1),
        asked: AtomicUsize::new(0),
        fails: AtomicBool::new(fails),
    });
    let cached = Cached::new(Arc::clone(&told), Arc::clone(&cache), Encoders::none());
    Scene { cache, told, cached, table: crate::cache::tests::table(1) }
}

impl Scene {
    fn cx(&self) -> Context {
        let mut tables = Tables::default();
        tables.add(Arc::clone(&self.table));
        Context { tables, ..Context::default() }
    }

    fn get(&self) -> Request {
        get(&self.table.name, key(1, 1)).into()
    }

    fn batch(&self, keys: Vec<Item>) -> Request {
        let table = self.table.name.clone();
        let tables = vec![TableKeys { table, keys, projection: None, consistent: false }];
        BatchGetItemInput { tables, return_capacity: ReturnConsumedCapacity::None }.into()
    }

    fn query(&self) -> Request {
        query(&self.table.name, None, "pk", "p1".into()).into()
    }

    /// A write of another value to the key, acknowledged.
    fn write(&self, index: u64) {
        let table = Arc::clone(&self.table);
        let bytes = table.key_of_key(&key(1, 1)).unwrap();
        let image = |v: &str| api::Image::Present(EncodedItem::encode(&key(1, 1).with("v", s(v))));
        let change = api::Change {
            table,
            key: bytes,
            old: image("old"),
            new: image("new"),
            indexes: vec![],
            version: Version { incarnation: 1, shard: 0, index },
            ordinal: 0,
            log_time_millis: 0,
            origin_region: 0,
            cause: api::service::Cause::User,
        };
        self.cache.raise(std::slice::from_ref(&change));
        self.told.version.store(index, Ordering::SeqCst);
        self.cache.publish(&[change], Version { incarnation: 1, shard: 0, index });
    }
}

async fn is_pending<T>(future: &mut std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> bool {
    std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task).is_pending())).await
}

#[tokio::test]
async fn concurrent_misses_of_one_key_or_page_are_one_read() {
    for page in [false, true] {
        let scene = scene(false);
        let ask = || scene.cached.call(scene.cx(), if page { scene.query() } else { scene.get() });
        let (mut first, mut second, mut third) = (pin!(ask()), pin!(ask()), pin!(ask()));
        assert!(
            is_pending(&mut first).await && is_pending(&mut second).await && is_pending(&mut third).await
        );
        scene.told.go.add_permits(1);
        let answers = (first.await.unwrap(), second.await.unwrap(), third.await.unwrap());
        assert_eq!(scene.told.asked.load(Ordering::SeqCst), 1);
        assert_eq!(answers.0.response, answers.1.response);
        assert_eq!(answers.1.response, answers.2.response);
        let counts = scene.cache.statistics();
        assert_eq!(counts.item_coalesced.value() + counts.query_coalesced.value(), 2);
        // And now it is a hit.
        assert_eq!(ask().await.unwrap().source, api::service::Source::Cache);
        assert_eq!(scene.told.asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn one_who_comes_after_an_acknowledged_write_does_not_get_the_read_from_before_it() {
    let scene = scene(false);
    let (mut before, mut joined) = (
        pin!(scene.cached.call(scene.cx(), scene.query())),
        pin!(scene.cached.call(scene.cx(), scene.query())),
    );
    assert!(is_pending(&mut before).await && is_pending(&mut joined).await);
    scene.write(5);
    let mut after = pin!(scene.cached.call(scene.cx(), scene.query()));
    assert!(is_pending(&mut after).await);
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2);
    scene.told.go.add_permits(2);
    assert_eq!(before.await.unwrap().version.unwrap().index, 1);
    assert_eq!(joined.await.unwrap().version.unwrap().index, 1);
    assert_eq!(after.await.unwrap().version.unwrap().index, 5);
    // The read from before the write was not kept.
    let hit = scene.cached.call(scene.cx(), scene.query()).await.unwrap();
    assert_eq!((hit.source, hit.version.unwrap().index), (api::service::Source::Cache, 5));
}

#[tokio::test]
async fn a_write_voids_an_item_fill_in_flight() {
    let scene = scene(false);
    let mut before = pin!(scene.cached.call(scene.cx(), scene.get()));
    assert!(is_pending(&mut before).await);
    scene.write(5);
    scene.told.go.add_permits(1);
    before.await.unwrap();
    let hit = scene.cached.call(scene.cx(), scene.get()).await.unwrap();
    let Response::GetItem(output) = hit.response else { panic!() };
    assert_eq!(output.item.unwrap().to_item().get("v"), Some(&s("new")));
    assert_eq!(scene.cache.statistics().item_voided_fills.value(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_read_to_one_who_waits() {
    let scene = scene(false);
    let mut waiting = pin!(scene.cached.call(scene.cx(), scene.get()));
    {
        let mut leading = pin!(scene.cached.call(scene.cx(), scene.get()));
        assert!(is_pending(&mut leading).await);
        assert!(is_pending(&mut waiting).await);
        assert_eq!(scene.told.asked.load(Ordering::SeqCst), 1);
    }
    assert!(is_pending(&mut waiting).await);
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2);
    scene.told.go.add_permits(1);
    assert!(waiting.await.is_ok());
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let scene = scene(true);
    let (mut first, mut second) =
        (pin!(scene.cached.call(scene.cx(), scene.get())), pin!(scene.cached.call(scene.cx(), scene.get())));
    assert!(is_pending(&mut first).await && is_pending(&mut second).await);
    scene.told.go.add_permits(1);
    assert!(first.await.is_err() && second.await.is_err());
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 1);
    scene.told.go.add_permits(1);
    assert!(scene.cached.call(scene.cx(), scene.get()).await.is_err());
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_who_asks_for_a_version_the_node_lacks_fails_alone() {
    for page in [false, true] {
        let scene = scene(false);
        let request = || if page { scene.query() } else { scene.get() };
        let min_version = Some(Version { incarnation: 1, shard: 0, index: 9 });
        let mut asks_too_much = pin!(scene.cached.call(Context { min_version, ..scene.cx() }, request()));
        assert!(is_pending(&mut asks_too_much).await);
        let mut other = pin!(scene.cached.call(scene.cx(), request()));
        assert!(is_pending(&mut other).await);
        scene.told.go.add_permits(2);
        assert!(asks_too_much.await.is_err());
        assert!(other.await.is_ok(), "its read was not the other's");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_fails_alone() {
    let scene = scene(false);
    let mut refused = pin!(scene.cached.call(scene.cx(), scene.batch(vec![key(1, 1), key(2, 1)])));
    assert!(is_pending(&mut refused).await);
    let mut single = pin!(scene.cached.call(scene.cx(), scene.get()));
    let mut batch = pin!(scene.cached.call(scene.cx(), scene.batch(vec![key(1, 1)])));
    assert!(is_pending(&mut single).await && is_pending(&mut batch).await);
    scene.told.go.add_permits(1);
    assert_eq!(refused.await.unwrap_err().kind, ErrorKind::ValidationException);
    // One of those who waited reads for both.
    assert!(is_pending(&mut single).await && is_pending(&mut batch).await);
    scene.told.go.add_permits(1);
    assert!(single.await.is_ok() && batch.await.is_ok());
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2);
}

impl Scene {
    /// GetItems of one key whose callers have so many milliseconds each.
    async fn crowd(&self, millis: impl Iterator<Item = u64>) -> Vec<Waiting<'_>> {
        let now = tokio::time::Instant::now();
        let mut crowd = Vec::new();
        for millis in millis {
            let deadline = Some((now + std::time::Duration::from_millis(millis)).into_std());
            let mut asked: Waiting<'_> =
                Box::pin(self.cached.call(Context { deadline, ..self.cx() }, self.get()));
            assert!(is_pending(&mut asked.as_mut()).await);
            crowd.push(asked);
        }
        crowd
    }
}

type Waiting<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Answer, Error>> + 'a>>;

#[tokio::test]
async fn a_leader_out_of_time_does_not_fail_those_with_more() {
    let scene = scene(true);
    let mut crowd = scene.crowd([0, 60_000, 60_001].into_iter()).await;
    scene.told.go.add_permits(1);
    assert!(crowd.remove(0).await.is_err());
    scene.told.fails.store(false, Ordering::SeqCst);
    for one in &mut crowd {
        assert!(is_pending(&mut one.as_mut()).await);
    }
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2, "one of them reads for both");
    scene.told.go.add_permits(1);
    for one in crowd {
        assert!(one.await.is_ok());
    }
}

#[tokio::test]
async fn a_failing_store_is_asked_a_few_times_for_a_crowd_not_once_for_each() {
    let scene = scene(true);
    // Those who would lead next have run out of time as well when they do.
    let mut crowd = scene.crowd((0..50).map(|n| if n < 10 { n } else { 60_000 })).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    for _ in 0..TRIES_MAX {
        scene.told.go.add_permits(1);
        let mut left = Vec::new();
        for mut one in crowd {
            if is_pending(&mut one.as_mut()).await {
                left.push(one);
            }
        }
        crowd = left;
    }
    assert!(crowd.is_empty(), "{} still wait", crowd.len());
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), TRIES_MAX);
}

#[tokio::test]
async fn a_caller_who_asks_for_a_later_version_is_not_answered_from_memory() {
    let scene = scene(false);
    scene.told.go.add_permits(1);
    scene.cached.call(scene.cx(), scene.get()).await.unwrap();
    let asks = |incarnation, index| {
        let min_version = Some(Version { incarnation, shard: 0, index });
        scene.cached.call(Context { min_version, ..scene.cx() }, scene.get())
    };
    assert_eq!(asks(1, 1).await.unwrap().source, api::service::Source::Cache);
    scene.told.version.store(2, Ordering::SeqCst);
    for (incarnation, index) in [(1, 2), (2, 0)] {
        let mut asked = pin!(asks(incarnation, index));
        assert!(is_pending(&mut asked).await);
        scene.told.go.add_permits(1);
        assert_eq!(asked.await.unwrap().source, api::service::Source::Store);
    }
}

#[tokio::test]
async fn what_is_not_resolved_is_passed_on() {
    let scene = scene(false);
    scene.told.go.add_permits(2);
    for _ in 0..2 {
        let other = get(&TableName::new("unknown").unwrap(), key(1, 1));
        scene.cached.call(Context::default(), other.into()).await.unwrap();
    }
    assert_eq!(scene.told.asked.load(Ordering::SeqCst), 2);
}
