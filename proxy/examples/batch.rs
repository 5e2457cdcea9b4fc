//! What a BatchGetItem of hits costs, in nanoseconds: a whole connection of each front, fed from memory.
//!
//! Run: `cargo run --release -p forebay-proxy --example batch`. 100,000 items of 500 bytes, keys drawn at random, one thread;
//! the median of several rounds of the thread's processor time, which Linux says. The store behind refuses, so that a miss would
//! show.

#[path = "../tests/fixture/feed.rs"]
mod feed;
#[path = "../tests/fixture/things.rs"]
mod things;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use api::op::{BatchGetItemInput, ReturnConsumedCapacity, TableKeys};
use api::{Item, Request, Shared, Table};
use dax::attribute_lists::{AttributeLists, Demand, VolatileLists};
use dax::codec::item::ListIds;
use dax::codec::request::write_request;
use dax::codec::schema::Schema;
use feed::Feed;
use forebay_proxy::front;
use forebay_proxy::layer::Encoders;
use forebay_proxy::surroundings::System;
use host::clock::SystemClock;
use http_front::server::{HttpServer, HttpSettings};
use http_front::sigv4::Auth;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: u64 = 100_000;
/// Keys asked for in a round, in batches of whatever size.
const KEYS: u64 = 400_000;
const ROUNDS: usize = 5;
const BATCHES: usize = 4_000;

fn draw(n: u64) -> usize {
    n as usize % BATCHES
}

/// The `n`th of the batches: keys spread over all there are, no two equal.
fn batch(table: &Table, n: u64, keys: u64) -> BatchGetItemInput {
    let key = |at: u64| -> Item {
        things::key((n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at * 7_919)) % ITEMS)
    };
    BatchGetItemInput {
        tables: vec![TableKeys {
            table: table.name.clone(),
            keys: (0..keys).map(key).collect(),
            projection: None,
            consistent: false,
        }],
        return_capacity: ReturnConsumedCapacity::None,
    }
}

/// Processor time of this thread. Source: Linux, *Scheduler Statistics*, `/proc/<pid>/schedstat`.
fn processor_nanos() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanos = said.split_whitespace().next().and_then(|text| text.parse().ok());
    nanos.expect("the first number is the time on a processor")
}

/// Rounds of a whole connection; what is asked first makes the answers ready.
fn measure(name: &str, keys: u64, mut serve: impl FnMut(u64, &Rc<Cell<u64>>)) {
    let answered = Rc::new(Cell::new(0));
    let requests = KEYS / keys;
    serve(BATCHES as u64, &answered);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            answered.set(0);
            let began = processor_nanos();
            serve(requests, &answered);
            let nanos = (processor_nanos() - began) as f64 / requests as f64;
            assert!(answered.get() / requests > keys * 480, "each answer has all its items");
            nanos
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let median = rounds[ROUNDS / 2];
    println!(
        "{name:<28} {median:9.0} ns a batch, {:6.0} ns an item (fastest round {:.0})",
        median / keys as f64,
        rounds[0]
    );
}

fn main() {
    let clock = SystemClock::new();
    let table = things::table();
    let cache = feed::cache_of(ITEMS, 480, &table, clock);
    let lists = Arc::new(VolatileLists::new(1));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let defined = lists.define(Arc::from(["x".to_owned()]), Demand::Write);
    runtime.block_on(defined).expect("there is room for one");
    let kept = Encoders {
        json: Some(Arc::new(front::http::Encoder)),
        dax: Some(Arc::new(front::dax::Encoder::new(Arc::clone(&lists) as _))),
    };
    // Without encoders the cache keeps no ready form, and the fronts encode each item for each answer.
    for (how, encoders) in [("encoded anew", Encoders::none()), ("ready", kept)] {
        let stack = feed::stack(&cache, &table, encoders, clock);
        for keys in [25, 100] {
            over_dax(&clock, &runtime, &stack, &table, &lists, (keys, how));
            over_http(&clock, &runtime, &stack, &table, (keys, how));
        }
    }
}

fn over_dax(
    clock: &SystemClock,
    runtime: &Runtime,
    stack: &Shared,
    table: &Arc<Table>,
    lists: &Arc<VolatileLists>,
    (keys, how): (u64, &str),
) {
    let schemas = |_: &str| Ok(Schema::Table(Arc::clone(table)));
    let frame = |n| {
        let mut frame = Vec::new();
        let request = Request::from(batch(table, n, keys));
        write_request(&mut frame, &request, &schemas, &mut ListIds::new(&|_| None)).expect("the wire has it");
        frame
    };
    let frames: Rc<[Vec<u8>]> = (0..BATCHES as u64).map(frame).collect();
    let server = feed::dax_server(stack, table, Arc::clone(lists) as _, *clock);
    measure(&format!("DAX, {keys} keys, {how}"), keys, |requests, answered| {
        let feed = Feed::new(feed::PREAMBLE, &frames, draw, requests, 1, answered);
        let served = server.serve_connection(feed, feed::reached(), std::future::pending());
        runtime.block_on(served).expect("the feed ends");
    });
}

fn over_http(
    clock: &SystemClock,
    runtime: &Runtime,
    stack: &Shared,
    table: &Table,
    (keys, how): (u64, &str),
) {
    let frame = |n| {
        let body = http_front::codec::encode_request(&Request::from(batch(table, n, keys)));
        let mut frame = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n\
             x-amz-target: DynamoDB_20120810.BatchGetItem\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        frame.extend_from_slice(&body);
        frame
    };
    let frames: Rc<[Vec<u8>]> = (0..BATCHES as u64).map(frame).collect();
    let system = Arc::new(System::new(Arc::new(*clock)));
    let server = HttpServer::new(stack.clone(), Auth::Any, HttpSettings::default(), system as _);
    measure(&format!("HTTP, {keys} keys, {how}"), keys, |requests, answered| {
        let feed = Feed::new(b"", &frames, draw, requests, 1, answered);
        runtime.block_on(server.serve_connection(feed, std::future::pending())).expect("the feed ends");
    });
}
