//! What a hit costs, in nanoseconds: the lookup alone, the layer with a typed answer, the layer with ready bytes, the whole
//! stack as a front calls it.
//!
//! Run: `cargo run --release -p forebay-proxy --example hit`. 100,000 items of 500 bytes, keys drawn at random, one thread;
//! the median of several rounds. The store behind refuses, so that a miss would show.

#[path = "../tests/fixture/things.rs"]
mod things;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use api::op::{GetItemInput, ReturnConsumedCapacity};
use api::operation::Ready;
use api::service::{Catalog, Tables};
use api::{Answer, ChangeSink, Context, DynamoDb, Error, Request, Response, Shared, Table, TableName, Wire};
use bytes::Bytes;
use forebay_proxy::cache::item::ItemFound;
use forebay_proxy::cache::{Cache, CacheSettings};
use forebay_proxy::layer::{Asked, Cached, Encoders, LimitSettings, Limited, Resolved, Traced, WireEncoder};
use host::clock::{Clock, CoarseClock, SystemClock};
use host::metrics::Registry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: u64 = 100_000;
const HITS: u64 = 1_000_000;
const ROUNDS: usize = 5;

struct Refuses;

impl DynamoDb for Refuses {
    async fn call(&self, _: Context, _: Request) -> Result<Answer, Error> {
        Err(Error::validation("this was to be a hit"))
    }
}

/// Knows one table, as the store's catalog does: behind a swapped pointer.
struct One(Arc<Table>);

impl Catalog for One {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        (*name == self.0.name).then(|| Arc::clone(&self.0))
    }
}

/// Stands for the front's encoder: bytes of about the size of the item's JSON.
struct Fixed;

impl WireEncoder for Fixed {
    fn encode(&self, _: Asked<'_>, _: &Response) -> Option<Ready> {
        Some(Ready { wire: Wire::Json, bytes: Bytes::from(vec![b'j'; 560]), crc32: 0 })
    }
}

/// A random order that costs nothing to draw.
fn draw(n: u64) -> usize {
    ((n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33) % ITEMS)
        as usize
}

fn measure(clock: &SystemClock, name: &str, mut hit: impl FnMut(usize)) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = clock.monotonic_nanos();
            (0..HITS).for_each(|n| hit(draw(n)));
            (clock.monotonic_nanos() - began) as f64 / HITS as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:<44} {:7.1} ns (fastest round {:.1})", rounds[ROUNDS / 2], rounds[0]);
}

fn main() {
    let clock = SystemClock::new();
    let coarse = CoarseClock::over(Arc::new(clock));
    let cache =
        Cache::new(CacheSettings::default(), Arc::new(coarse), 5, 2, &Registry::new()).expect("sound");
    cache.gap(things::VERSION);
    let table = things::table();
    let mut keys = Vec::new();
    let mut requests = Vec::new();
    for n in 0..ITEMS {
        things::fill(&cache, &table, n, 480);
        keys.push(things::key_bytes(n));
        requests.push(GetItemInput {
            table: table.name.clone(),
            key: things::key(n),
            projection: None,
            consistent: false,
            return_capacity: ReturnConsumedCapacity::None,
        });
    }
    let mut tables = Tables::default();
    tables.add(Arc::clone(&table));
    let over_cache =
        || Cached::new(Refuses, Arc::clone(&cache), Encoders { json: Some(Arc::new(Fixed)), dax: None });
    let cached = over_cache();
    let resolved = Resolved::new(over_cache(), Arc::new(One(Arc::clone(&table))));
    let limited = Limited::new(resolved, &LimitSettings::default());
    let stack = Shared::new(Traced::new(limited, Arc::new(clock), &Registry::new()));

    measure(&clock, "lookup: hash, shard, entry", |n| {
        let key = cache.item_key(&table, keys[n].as_bytes()).expect("a short key");
        let view = cache.view().expect("no gap");
        assert!(matches!(cache.item(&view, &key), ItemFound::Hit(..)));
    });
    measure(&clock, "a request and context made and dropped", |n| {
        let cx = Context { tables: tables.clone(), ..Context::default() };
        std::hint::black_box((cx, Request::GetItem(requests[n].clone())));
    });
    for (name, wire) in [
        ("layer, typed answer (with the request)", Wire::None),
        ("layer, ready bytes (with the request)", Wire::Json),
    ] {
        measure(&clock, name, |n| {
            let cx = Context { tables: tables.clone(), wire, ..Context::default() };
            let call = pin!(cached.call(cx, Request::GetItem(requests[n].clone())));
            let mut task = std::task::Context::from_waker(Waker::noop());
            let Poll::Ready(answer) = call.poll(&mut task) else { panic!("a hit does not wait") };
            assert!(answer.is_ok());
        });
    }
    measure(&clock, "stack, ready bytes (with the request)", |n| {
        let cx = Context { wire: Wire::Json, ..Context::default() };
        let call = pin!(stack.call(cx, Request::GetItem(requests[n].clone())));
        let mut task = std::task::Context::from_waker(Waker::noop());
        let Poll::Ready(answer) = call.poll(&mut task) else { panic!("a hit does not wait") };
        assert!(answer.is_ok());
    });
}
