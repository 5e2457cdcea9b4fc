//! The largest things, batches with partial hits, and what is told of capacity.

use std::sync::Arc;

use api::limits::{BATCH_GET_BYTES, ITEM_BYTES};
use api::op::{BatchGetItemInput, Capacity, GetItemInput, ReturnConsumedCapacity, TableKeys};
use api::schema::IndexProjection;
use api::service::Source;
use api::{Context, DynamoDb, Item, Request, Response, TableName, Version, Wire};

use super::world::{World, delete, get, global, key, local, put, query, run, s, scan};
use crate::cache::{CacheSettings, HitCapacity};
use crate::layer::{Cached, Encoders};

/// What a call may be as a future, of which most is the store's.
const CALL_BYTES_MAX: usize = 5 * 1024;

fn name() -> TableName {
    TableName::new("things").unwrap()
}

fn sized(at: Item, bytes: usize) -> Item {
    let without = at.billed_size() + 1;
    at.with("x", s("x".repeat(bytes - without)))
}

fn batch(keys: Vec<Item>) -> BatchGetItemInput {
    BatchGetItemInput {
        tables: vec![TableKeys { table: name(), keys, projection: None, consistent: false }],
        return_capacity: ReturnConsumedCapacity::Indexes,
    }
}

async fn fresh(settings: CacheSettings) -> World {
    let world = World::new(settings);
    world.create(&name(), vec![local(IndexProjection::All), global(IndexProjection::KeysOnly)]).await;
    world
}

#[test]
fn a_batch_takes_what_it_can_from_memory_and_the_rest_from_the_store() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        for sort in 0..6 {
            world.write(put(&name(), key(1, sort).with("v", s("x".repeat(5_000))))).await;
        }
        world.write(delete(&name(), key(1, 4))).await;
        world.cache.clear();
        for sort in [1, 3, 4, 9] {
            world.cached.call(Context::default(), get(&name(), key(1, sort)).into()).await.unwrap();
        }
        let keys: Vec<_> = (0..10).rev().map(|sort| key(1, sort)).collect();
        let answer = world.cached.call(Context::default(), batch(keys.clone()).into()).await.unwrap();
        assert_eq!(answer.source, Source::Mixed);
        assert_eq!(world.cache.statistics().batch_hits.value(), 4);
        assert_eq!(world.cache.statistics().item_negative_hits.value(), 2);
        let (said, from_cache) = world.ask(batch(keys).into()).await.unwrap();
        assert!(from_cache, "the batch filled what it read");
        let Response::BatchGetItem(output) = said.unwrap() else { panic!() };
        assert_eq!(output.responses[0].1.len(), 5);
        assert_eq!(output.capacity[0].total.units, 5.0 * 1.0 + 5.0 * 0.5);
    });
}

#[test]
fn a_batch_that_is_the_stores_to_refuse_counts_nothing() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        world.write(put(&name(), key(1, 1))).await;
        let twice = batch(vec![key(1, 1), key(1, 1)]);
        let (said, _) = world.ask(twice.into()).await.unwrap();
        said.unwrap_err();
        let counts = world.cache.statistics();
        assert_eq!((counts.batch_hits.value(), counts.batch_misses.value()), (0, 0));
    });
}

#[test]
fn a_batch_over_16_mb_leaves_the_same_keys_unprocessed_whatever_is_cached() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        let keys: Vec<_> = (0..45).map(|sort| key(1, sort)).collect();
        for at in &keys {
            world.write(put(&name(), sized(at.clone(), 400_000))).await;
        }
        for cached in [vec![], vec![0, 1, 2], vec![40, 41, 44], (0..45).step_by(2).collect()] {
            world.cache.clear();
            for at in cached {
                world.cached.call(Context::default(), get(&name(), keys[at].clone()).into()).await.unwrap();
            }
            let (said, _) = world.ask(batch(keys.clone()).into()).await.unwrap();
            let Response::BatchGetItem(output) = said.unwrap() else { panic!() };
            assert_eq!(output.responses[0].1.len(), BATCH_GET_BYTES / 400_000);
            assert!(!output.unprocessed.is_empty());
        }
    });
}

#[test]
fn items_of_400_kb_and_pages_of_1_mb_are_hits() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        for sort in 0..4 {
            world.write(put(&name(), sized(key(1, sort), ITEM_BYTES))).await;
        }
        for sort in 0..4 {
            let (_, from_cache) = world.ask(get(&name(), key(1, sort)).into()).await.unwrap();
            assert!(from_cache, "a write puts the item into the cache");
        }
        for again in [false, true] {
            let (said, from_cache) = world.ask(query(&name(), None, "pk", "p1".into()).into()).await.unwrap();
            assert_eq!(from_cache, again);
            let Ok(Response::Query(page)) = said else { panic!() };
            assert_eq!((page.count, page.last_key.is_some()), (3, true));
            let (_, from_cache) = world.ask(scan(&name(), Some("by-l")).into()).await.unwrap();
            assert_eq!(from_cache, again);
        }
    });
}

#[test]
fn absences_and_empty_pages_are_hits_until_somebody_writes_there() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        let asked = [
            Request::from(get(&name(), key(1, 1))),
            query(&name(), None, "pk", "p1".into()).into(),
            query(&name(), Some("by-l"), "pk", "p1".into()).into(),
            scan(&name(), None).into(),
            scan(&name(), Some("by-g")).into(),
        ];
        let count = |said: Response| match said {
            Response::GetItem(output) => u64::from(output.item.is_some()),
            Response::Query(page) | Response::Scan(page) => page.count as u64,
            other => panic!("{other:?}"),
        };
        for again in [false, true, true] {
            for ask in &asked {
                let (said, from_cache) = world.ask(ask.clone()).await.unwrap();
                assert_eq!((count(said.unwrap()), from_cache), (0, again), "{ask:?}");
            }
        }
        let written = key(1, 1).with("l", s("here")).with("g", s("here"));
        world.write(put(&name(), written)).await;
        for ask in &asked {
            let (said, _) = world.ask(ask.clone()).await.unwrap();
            assert_eq!(count(said.unwrap()), 1, "{ask:?}");
        }
    });
}

#[test]
fn capacity_of_a_hit_is_the_stores_or_nothing() {
    run(async {
        let settings = CacheSettings { hit_capacity: HitCapacity::Zero, ..CacheSettings::default() };
        let world = fresh(settings).await;
        world.write(put(&name(), sized(key(1, 1), 9_000))).await;
        world.cache.clear();
        let mut input = query(&name(), None, "pk", "p1".into());
        input.return_capacity = ReturnConsumedCapacity::Indexes;
        let mut units = Vec::new();
        for _ in 0..2 {
            let answer = world.cached.call(Context::default(), input.clone().into()).await.unwrap();
            let Response::Query(page) = answer.response else { panic!() };
            let capacity = page.capacity.unwrap();
            assert_eq!(capacity.own.map(|own| own.units), Some(capacity.total.units));
            units.push(capacity.total.units);
        }
        assert_eq!(units, [1.5, 0.0]);
        let mut input = get(&name(), key(1, 1));
        input.return_capacity = ReturnConsumedCapacity::Total;
        let mut totals = Vec::new();
        for _ in 0..2 {
            let answer = world.cached.call(Context::default(), input.clone().into()).await.unwrap();
            let Response::GetItem(output) = answer.response else { panic!() };
            totals.push(output.capacity.unwrap().total);
        }
        assert_eq!(totals, [Capacity { units: 1.5, ..Capacity::default() }, Capacity::default()]);
    });
}

#[test]
fn a_strong_read_is_the_stores_and_refreshes_only_what_stands() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        world.write(put(&name(), key(1, 1))).await;
        world.cache.clear();
        let strong = api::op::GetItemInput { consistent: true, ..get(&name(), key(1, 1)) };
        for _ in 0..2 {
            let answer = world.cached.call(Context::default(), strong.clone().into()).await.unwrap();
            assert_eq!(answer.source, Source::Store);
        }
        let (_, from_cache) = world.ask(get(&name(), key(1, 1)).into()).await.unwrap();
        assert!(!from_cache, "nobody had read it eventually");
        // What a strong read finds unchanged keeps the form that hits were given.
        let eventual = get(&name(), key(1, 1));
        let json = || Context { wire: Wire::Json, ..Context::default() };
        let ready = async |cx| match world.cached.call(cx, eventual.clone().into()).await.unwrap().response {
            Response::Ready(ready) => ready.bytes.as_ptr(),
            other => panic!("{other:?}"),
        };
        let _made = ready(json()).await;
        let kept = ready(json()).await;
        world.write(put(&name(), key(2, 2))).await;
        world.cached.call(Context::default(), strong.into()).await.unwrap();
        assert_eq!(ready(json()).await, kept);
    });
}

#[test]
fn a_table_made_again_has_nothing_of_the_one_before() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        world.write(put(&name(), key(1, 1))).await;
        let _said = world.ask(query(&name(), None, "pk", "p1".into()).into()).await.unwrap();
        world.write(api::op::DeleteTableInput { table: name() }).await;
        for _ in 0..2_000 {
            if world.cached.call(Context::default(), get(&name(), key(1, 1)).into()).await.is_err()
                && api::service::Catalog::table(&*world.store, &name()).is_none()
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        world.create(&name(), vec![local(IndexProjection::All), global(IndexProjection::All)]).await;
        let (said, from_cache) = world.ask(get(&name(), key(1, 1)).into()).await.unwrap();
        let Ok(Response::GetItem(output)) = said else { panic!() };
        assert!(!from_cache && output.item.is_none());
        let (said, from_cache) = world.ask(query(&name(), None, "pk", "p1".into()).into()).await.unwrap();
        assert!(matches!(said, Ok(Response::Query(page)) if page.count == 0) && !from_cache);
    });
}

#[test]
fn a_hit_at_once_is_the_answer_of_a_call_and_every_read_is_counted_once() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        world.write(put(&name(), key(1, 1))).await;
        let ask = Request::from(get(&name(), key(1, 1)));
        let now = |cx: Context, request: &Request| world.cached.call_now(&mut { cx }, request);
        let counts = || {
            let counts = world.cache.statistics();
            (counts.get_hits.value(), counts.get_misses.value())
        };
        let hit = now(Context::default(), &ask).expect("a write puts the item into the cache");
        assert_eq!(counts(), (1, 0));
        assert_eq!(world.cached.call(Context::default(), ask.clone()).await.unwrap(), hit);
        assert_eq!(counts(), (2, 0));
        let version = hit.version.unwrap();
        let later = Version { index: version.index + 1, ..version };
        assert_eq!(now(Context { min_version: Some(later), ..Context::default() }, &ask), None);
        let strong = GetItemInput { consistent: true, ..get(&name(), key(1, 1)) };
        assert_eq!(now(Context::default(), &strong.into()), None);
        let nowhere = get(&TableName::new("nowhere").unwrap(), key(1, 1));
        assert_eq!(now(Context::default(), &nowhere.into()), None);
        assert_eq!(counts(), (2, 0));
        world.cache.clear();
        assert_eq!(now(Context::default(), &ask), None);
        assert_eq!(counts(), (2, 0));
        world.cached.call(Context::default(), ask.clone()).await.unwrap();
        assert_eq!(counts(), (2, 1));
    });
}

#[test]
fn a_page_at_once_is_the_answer_of_a_call_and_every_read_is_counted_once() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        world.write(put(&name(), key(1, 1))).await;
        let now = |cx: Context, request: &Request| world.cached.call_now(&mut { cx }, request);
        let counts = || {
            let counts = world.cache.statistics();
            let queries = (counts.query_hits.value(), counts.query_misses.value());
            (queries, (counts.scan_hits.value(), counts.scan_misses.value()))
        };
        let pages =
            [Request::from(query(&name(), None, "pk", "p1".into())), Request::from(scan(&name(), None))];
        for ask in &pages {
            assert_eq!(now(Context::default(), ask), None, "nothing is read");
            world.cached.call(Context::default(), ask.clone()).await.unwrap();
        }
        assert_eq!(counts(), ((0, 1), (0, 1)));
        for ask in &pages {
            let hit = now(Context::default(), ask).expect("a read fills the cache");
            assert_eq!(hit.source, Source::Cache);
            assert_eq!(world.cached.call(Context::default(), ask.clone()).await.unwrap(), hit);
            let version = hit.version.unwrap();
            let later = Version { index: version.index + 1, ..version };
            assert_eq!(now(Context { min_version: Some(later), ..Context::default() }, ask), None);
        }
        assert_eq!(counts(), ((2, 1), (2, 1)));
        let mut strong = query(&name(), None, "pk", "p1".into());
        strong.consistent = true;
        assert_eq!(now(Context::default(), &strong.into()), None);
        world.write(put(&name(), key(1, 2))).await;
        for ask in &pages {
            assert_eq!(now(Context::default(), ask), None, "the write voids the page");
        }
        assert_eq!(counts(), ((2, 1), (2, 1)));
    });
}

/// It is moved from layer to layer and then to the heap: at 25 KB that took 6 % of a write's time.
#[test]
fn a_call_takes_little_room() {
    run(async {
        let world = fresh(CacheSettings::default()).await;
        let cached = Cached::new(Arc::clone(&world.store), Arc::clone(&world.cache), Encoders::none());
        let bytes = size_of_val(&cached.call(Context::default(), put(&name(), key(1, 1)).into()));
        assert!(bytes <= CALL_BYTES_MAX, "{bytes} bytes");
    });
}
