//! Many threads at once: fills and hits race one feed, and no reader ever goes back in time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use api::{ChangeSink, Image};

use super::fixture::{Fixture, item, key, version};
use crate::cache::item::{ItemFound, Read};

const KEYS: u64 = 8;
const WRITES: u64 = 40_000;
const READERS: usize = 4;

/// The store: for each key the index of its last committed write, which is also its value; 0 is none.
struct Store {
    values: Vec<AtomicU64>,
    committed: AtomicU64,
}

#[test]
fn readers_never_go_back_in_time_while_fills_race_writes() {
    let fixture = Fixture::small();
    let store =
        Store { values: (0..KEYS).map(|_| AtomicU64::new(0)).collect(), committed: AtomicU64::new(0) };
    let acknowledged = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let hits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (fixture, store, acknowledged, done, hits) = (&fixture, &store, &acknowledged, &done, &hits);
            scope.spawn(move || {
                let cache = &fixture.cache;
                let mut seen = vec![0u64; KEYS as usize];
                let mut turn = reader as u64;
                while !done.load(Ordering::Relaxed) {
                    turn =
                        turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let n = (turn >> 33) % KEYS;
                    let known = acknowledged.load(Ordering::Acquire);
                    let at = key(n, 0);
                    let item_key = cache.item_key(&fixture.table, at.as_bytes()).unwrap();
                    let view = cache.view().unwrap();
                    let (value, as_of) = match cache.item(&view, &item_key) {
                        ItemFound::Hit(entry, as_of) => {
                            hits.fetch_add(1, Ordering::Relaxed);
                            let value = entry.item().map_or(0, |item| {
                                let text = item.to_item().get("v").cloned();
                                let Some(api::AttributeValue::S(text)) = text else { panic!("{text:?}") };
                                text.parse().unwrap()
                            });
                            (value, as_of.index)
                        }
                        ItemFound::Miss => {
                            let permit = cache.item_permit(&view);
                            // As the store does: the version first, so that it is never ahead of what is read.
                            let read_at = store.committed.load(Ordering::Acquire);
                            let value = store.values[n as usize].load(Ordering::Acquire);
                            if turn & 7 == 0 {
                                std::thread::yield_now();
                            }
                            // The value may be of a write after `read_at`, which then refuses the fill.
                            let body =
                                (value != 0 && !value.is_multiple_of(5)).then(|| item(n, 0, value, 20));
                            let read = Read {
                                item: body.as_ref(),
                                version: version(read_at),
                                ttl_nanos: u64::MAX,
                                refresh: false,
                            };
                            cache.fill_item(&permit, &item_key, read);
                            (if value.is_multiple_of(5) { 0 } else { value }, read_at)
                        }
                    };
                    assert!(as_of >= known, "as of {as_of} after {known} was acknowledged");
                    // A value is the index it was written at; an absence is only as old as the version it is said of.
                    if value != 0 {
                        assert!(value >= seen[n as usize], "{value} after {}", seen[n as usize]);
                        seen[n as usize] = value;
                    }
                    if turn & 63 == 0 {
                        cache.invalidate_item(&fixture.table, &at);
                    }
                    if turn & 0xFFFF == 1 {
                        cache.clear();
                    }
                }
            });
        }
        let (cache, mut old) = (&fixture.cache, vec![Image::Absent; KEYS as usize]);
        for index in 1..=WRITES {
            let n = (index.wrapping_mul(2_654_435_761) >> 7) % KEYS;
            // Every fifth write is a delete.
            let new = match index.is_multiple_of(5) {
                true => Image::Absent,
                false => Image::Present(item(n, 0, index, 20)),
            };
            let change = fixture.change(key(n, 0), old[n as usize].clone(), new.clone(), index, &[]);
            cache.raise(std::slice::from_ref(&change));
            store.values[n as usize].store(index, Ordering::Release);
            store.committed.store(index, Ordering::Release);
            cache.publish(std::slice::from_ref(&change), version(index));
            acknowledged.store(index, Ordering::Release);
            old[n as usize] = new;
            // The next reads see this write or a later one, from the cache as from the store.
            let at = key(n, 0);
            let item_key = cache.item_key(&fixture.table, at.as_bytes()).unwrap();
            if let ItemFound::Hit(entry, as_of) = cache.item(&cache.view().unwrap(), &item_key) {
                assert_eq!(as_of.index, index);
                assert_eq!(entry.is_present(), !index.is_multiple_of(5));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let hits = hits.load(Ordering::Relaxed);
    println!("hits checked: {hits}");
    assert!(hits > 1_000);
}
