//! What a hit costs, in nanoseconds: the lookup alone, the layer with a typed answer, the layer with ready bytes, the whole
//! stack as a front calls it; then the steps of the DAX front, up to a whole connection that is fed from memory.
//!
//! Run: `cargo run --release -p forebay-proxy --example hit`. 100,000 items of 500 bytes, keys drawn at random, one thread;
//! the median of several rounds. The store behind refuses, so that a miss would show.

#[path = "../tests/fixture/feed.rs"]
mod feed;
#[path = "../tests/fixture/things.rs"]
mod things;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use api::op::{GetItemInput, ReturnConsumedCapacity};
use api::operation::Ready;
use api::service::{Caller, Peek, Tables};
use api::{Context, DynamoDb, KeyBytes, Request, Response, Shared, Table, Wire};
use bytes::Bytes;
use dax::attribute_lists::VolatileLists;
use dax::codec::frame::FrameScanner;
use dax::codec::item::ListIds;
use dax::codec::item::ListNames;
use dax::codec::request::{SelectAll, read_request, write_request};
use dax::codec::schema::Schema;
use feed::{Feed, Refuses};
use forebay_proxy::cache::item::ItemFound;
use forebay_proxy::layer::{Asked, Cached, Encoders, WireEncoder};
use host::clock::{Clock, SystemClock};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: u64 = 100_000;
const HITS: u64 = 1_000_000;
const ROUNDS: usize = 5;

/// Stands for a front's encoder: bytes of about the size of the item in its form.
struct Fixed(Wire, usize);

impl WireEncoder for Fixed {
    fn encode(&self, _: Asked<'_>, _: &Response) -> Option<Ready> {
        Some(Ready { wire: self.0, bytes: Bytes::from(vec![b'x'; self.1]), crc32: 0 })
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
    let table = things::table();
    let cache = feed::cache_of(ITEMS, 480, &table, clock);
    let mut keys = Vec::new();
    let mut requests = Vec::new();
    for n in 0..ITEMS {
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
    let encoders = || Encoders {
        json: Some(Arc::new(Fixed(Wire::Json, 560))),
        dax: Some(Arc::new(Fixed(Wire::Dax, 500))),
    };
    let cached = Cached::new(Refuses, Arc::clone(&cache), encoders());
    let stack = feed::stack(&cache, &table, encoders(), clock);

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

    dax_steps(&clock, &table, &keys, &requests, &stack);
}

/// The DAX front's part, step by step and as a whole.
fn dax_steps(
    clock: &SystemClock,
    table: &Arc<Table>,
    keys: &[KeyBytes],
    requests: &[GetItemInput],
    stack: &Shared,
) {
    let schemas = |_: &str| Ok(Schema::Table(Arc::clone(table)));
    let frames: Rc<[Vec<u8>]> = requests
        .iter()
        .map(|input| {
            let mut frame = Vec::new();
            let mut lists = ListIds::new(&|_| None);
            write_request(&mut frame, &input.clone().into(), &schemas, &mut lists).expect("the wire has it");
            frame
        })
        .collect();
    // Made ready for the wire, each once.
    for input in requests {
        let mut cx = Context { wire: Wire::Dax, ..Context::default() };
        assert!(stack.call_now(&mut cx, &input.clone().into()).is_some(), "it is in the cache");
    }
    measure(clock, "DAX: the frame's end found", |n| {
        let mut scanner = FrameScanner::new();
        scanner.next(feed::PREAMBLE).expect("a preamble");
        assert!(matches!(scanner.next(&frames[n]), Ok(Some(_))));
    });
    let header_bytes = 6;
    measure(clock, "DAX: read into a request (not done for a hit)", |n| {
        let lists = |_| None;
        let mut names = ListNames::new(&lists);
        let values = &frames[n][header_bytes..];
        let read = read_request(api::OpKind::GetItem, values, SelectAll::Meant, &schemas, &mut names);
        assert!(read.is_ok());
    });
    let caller = Arc::new(Caller::default());
    let mut out = Vec::new();
    measure(clock, "DAX: stack, peek, answer copied", |n| {
        out.clear();
        let read =
            Peek { caller: &caller, table, key: keys[n].as_bytes(), min_version: None, wire: Wire::Dax };
        assert!(stack.peek(&read, &mut out).is_some());
    });
    let server = feed::dax_server(stack, table, Arc::new(VolatileLists::new(1)), *clock);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    for (name, batch) in
        [("DAX: connection, one at a time, no socket", 1), ("DAX: connection, 16 deep, no socket", 16)]
    {
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let answered = Rc::new(Cell::new(0));
                let feed = Feed::new(feed::PREAMBLE, &frames, draw, HITS, batch, &answered);
                let began = clock.monotonic_nanos();
                let served = server.serve_connection(feed, feed::reached(), std::future::pending());
                runtime.block_on(served).expect("the feed ends");
                (clock.monotonic_nanos() - began) as f64 / HITS as f64
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("{name:<44} {:7.1} ns (fastest round {:.1})", rounds[ROUNDS / 2], rounds[0]);
    }
}
