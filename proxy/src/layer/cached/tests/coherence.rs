//! Random tables, writes and reads: whatever the cache answers is what the store answers at that moment (P5, P12), and the
//! generator is proven to find bugs: without any one kind of stamps it fails.

use std::cell::{Cell, RefCell};

use api::expr::{
    Comparator, Condition, Operand, Path, Projection, SetOperand, SetValue, Update, UpdateAction,
};
use api::op::{
    BatchGetItemInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOnFailure, ReturnValues,
    Segment, Select, TableKeys, UpdateItemInput,
};
use api::schema::IndexProjection;
use api::{Item, Request, Response, TableName};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::world::{World, delete, get, global, key, local, put, query, run, s, scan};
use crate::cache::{CacheSettings, Off};

const PARTITIONS: u8 = 3;
const SORTS: u8 = 4;

#[derive(Debug, Clone)]
struct Case {
    local: u8,
    global: u8,
    reads: Vec<Read>,
    actions: Vec<Action>,
}

#[derive(Debug, Clone)]
enum Action {
    Put {
        at: (u8, u8),
        l: Option<u8>,
        g: Option<u8>,
        v: u8,
    },
    Delete {
        at: (u8, u8),
    },
    /// Sets what no index has in its key.
    Touch {
        at: (u8, u8),
        v: u8,
    },
    Read(prop::sample::Index),
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Table,
    Local,
    Global,
}

#[derive(Debug, Clone)]
enum Read {
    Get { at: (u8, u8), projected: bool, capacity: u8 },
    Batch { keys: Vec<(u8, u8)>, projected: bool, capacity: u8 },
    Query { of: Of, partition: u8, page: PageOf, forward: bool },
    Scan { of: Of, page: PageOf, segment: Option<(u32, u32)> },
}

#[derive(Debug, Clone)]
struct PageOf {
    select: u8,
    filtered: bool,
    limit: Option<u32>,
    capacity: u8,
}

fn at() -> impl Strategy<Value = (u8, u8)> {
    (0..PARTITIONS, 0..SORTS)
}

fn page_of() -> impl Strategy<Value = PageOf> {
    let limit = prop_oneof![3 => Just(None), 1 => (1..4u32).prop_map(Some)];
    (0..5u8, prop::bool::weighted(0.25), limit, 0..4u8)
        .prop_map(|(select, filtered, limit, capacity)| PageOf { select, filtered, limit, capacity })
}

fn of() -> impl Strategy<Value = Of> {
    prop_oneof![Just(Of::Table), Just(Of::Local), Just(Of::Global)]
}

fn read() -> impl Strategy<Value = Read> {
    let keys = prop::collection::btree_set(at(), 1..6).prop_map(|keys| keys.into_iter().collect());
    let segment = prop_oneof![
        2 => Just(None),
        1 => (1..3u32).prop_flat_map(|total| (0..total, Just(total))).prop_map(Some),
    ];
    prop_oneof![
        2 => (at(), any::<bool>(), 0..4u8)
            .prop_map(|(at, projected, capacity)| Read::Get { at, projected, capacity }),
        1 => (keys, any::<bool>(), 0..4u8)
            .prop_map(|(keys, projected, capacity)| Read::Batch { keys, projected, capacity }),
        4 => (of(), 0..PARTITIONS, page_of(), any::<bool>())
            .prop_map(|(of, partition, page, forward)| Read::Query { of, partition, page, forward }),
        2 => (of(), page_of(), segment).prop_map(|(of, page, segment)| Read::Scan { of, page, segment }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let value = || prop_oneof![2 => (0..3u8).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        3 => (at(), value(), value(), 0..6u8).prop_map(|(at, l, g, v)| Action::Put { at, l, g, v }),
        1 => at().prop_map(|at| Action::Delete { at }),
        1 => (at(), 0..6u8).prop_map(|(at, v)| Action::Touch { at, v }),
        12 => any::<prop::sample::Index>().prop_map(Action::Read),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let reads = prop::collection::vec(read(), 4..10);
    let actions = prop::collection::vec(action(), 20..120);
    (0..3u8, 0..3u8, reads, actions).prop_map(|(local, global, reads, actions)| Case {
        local,
        global,
        reads,
        actions,
    })
}

fn projection_of(kind: u8) -> IndexProjection {
    match kind {
        0 => IndexProjection::All,
        1 => IndexProjection::KeysOnly,
        _ => IndexProjection::Include(vec!["v".into()]),
    }
}

fn capacity_of(kind: u8) -> ReturnConsumedCapacity {
    match kind {
        0 => ReturnConsumedCapacity::Total,
        1 => ReturnConsumedCapacity::Indexes,
        _ => ReturnConsumedCapacity::None,
    }
}

fn path(name: &str) -> Path {
    Path { attribute: name.into(), steps: vec![] }
}

fn only(names: &[&str]) -> Projection {
    Projection { paths: names.iter().map(|name| path(name)).collect() }
}

fn select_of(kind: u8, default: Select) -> Select {
    match kind {
        0 => Select::Count,
        1 => Select::Specific(only(&["v", "sk"])),
        2 => Select::AllAttributes,
        _ => default,
    }
}

fn filter() -> Condition {
    Condition::Compare(Comparator::Ge, Operand::Path(path("v")), Operand::Value(s("v3")))
}

/// The request of a read, for a page from where the one before it ended.
fn request(table: &TableName, read: &Read, start: Option<Item>) -> Request {
    match read {
        Read::Get { at, projected, capacity } => {
            let mut input = get(table, key(at.0, at.1));
            input.projection = projected.then(|| only(&["v", "nothing"]));
            input.return_capacity = capacity_of(*capacity);
            input.into()
        }
        Read::Batch { keys, projected, capacity } => BatchGetItemInput {
            tables: vec![TableKeys {
                table: table.clone(),
                keys: keys.iter().map(|at| key(at.0, at.1)).collect(),
                projection: projected.then(|| only(&["pk", "v"])),
                consistent: false,
            }],
            return_capacity: capacity_of(*capacity),
        }
        .into(),
        Read::Query { of, partition, page, forward } => {
            let mut input = match of {
                Of::Table => query(table, None, "pk", format!("p{partition}")),
                Of::Local => query(table, Some("by-l"), "pk", format!("p{partition}")),
                Of::Global => query(table, Some("by-g"), "g", format!("g{partition}")),
            };
            input.select = select_of(page.select, input.select);
            input.filter = page.filtered.then(filter);
            input.limit = page.limit;
            input.return_capacity = capacity_of(page.capacity);
            input.forward = *forward;
            input.start = start;
            input.into()
        }
        Read::Scan { of, page, segment } => {
            let mut input = match of {
                Of::Table => scan(table, None),
                Of::Local => scan(table, Some("by-l")),
                Of::Global => scan(table, Some("by-g")),
            };
            input.select = select_of(page.select, input.select);
            input.filter = page.filtered.then(filter);
            input.limit = page.limit;
            input.return_capacity = capacity_of(page.capacity);
            input.segment = segment.map(|(number, total)| Segment { number, total });
            input.start = start;
            input.into()
        }
    }
}

#[derive(Default)]
struct Tally {
    tables: Cell<u32>,
    answers: Cell<u64>,
    from_cache: Cell<u64>,
    refused: Cell<u64>,
}

async fn play(world: &World, tally: &Tally, case: Case) -> Result<(), TestCaseError> {
    let number = tally.tables.get();
    tally.tables.set(number + 1);
    let table = TableName::new(&format!("table-{number}")).unwrap();
    world.create(&table, vec![local(projection_of(case.local)), global(projection_of(case.global))]).await;
    for action in case.actions {
        match action {
            Action::Put { at, l, g, v } => {
                let mut item = key(at.0, at.1).with("v", s(format!("v{v}"))).with("w", s(format!("w{v}")));
                if let Some(l) = l {
                    item = item.with("l", s(format!("l{l}")));
                }
                if let Some(g) = g {
                    item = item.with("g", s(format!("g{g}")));
                }
                world.write(put(&table, item)).await;
            }
            Action::Delete { at } => world.write(delete(&table, key(at.0, at.1))).await,
            Action::Touch { at, v } => {
                let value = SetValue::Operand(SetOperand::Value(s(format!("v{v}"))));
                let update = UpdateItemInput {
                    table: table.clone(),
                    key: key(at.0, at.1),
                    update: Update { actions: vec![UpdateAction::Set(path("v"), value)] },
                    condition: None,
                    return_values: ReturnValues::None,
                    return_on_failure: ReturnOnFailure::None,
                    return_capacity: ReturnConsumedCapacity::None,
                    return_collection: ReturnItemCollectionMetrics::None,
                };
                world.write(update).await;
            }
            Action::Read(which) => {
                let read = which.get(&case.reads);
                let mut start = None;
                // A limited page is followed to its end, as a client does.
                for _ in 0..16 {
                    let asked = world.ask(request(&table, read, start.take())).await;
                    let (said, from_cache) = asked.map_err(TestCaseError::fail)?;
                    tally.answers.set(tally.answers.get() + 1);
                    tally.from_cache.set(tally.from_cache.get() + u64::from(from_cache));
                    tally.refused.set(tally.refused.get() + u64::from(said.is_err()));
                    match said {
                        Ok(Response::Query(page) | Response::Scan(page)) if page.last_key.is_some() => {
                            start = page.last_key;
                        }
                        _ => break,
                    }
                }
            }
        }
    }
    Ok(())
}

fn play_all(world: &World, tally: &Tally, cases: u32, shrink: u32) -> Result<(), TestError<Case>> {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..ProptestConfig::default()
    };
    let runtime =
        RefCell::new(tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));
    TestRunner::new(config).run(&case(), |case| runtime.borrow_mut().block_on(play(world, tally, case)))
}

#[test]
fn whatever_the_cache_answers_is_what_the_store_answers() {
    let world = World::new(CacheSettings::default());
    let tally = Tally::default();
    // The long form plays more tables.
    let cases =
        std::env::var("FOREBAY_CASES").map_or(150, |cases| cases.parse().expect("FOREBAY_CASES is a number"));
    if let Err(error) = play_all(&world, &tally, cases, 200) {
        panic!("{error}");
    }
    let share = tally.from_cache.get() as f64 / tally.answers.get() as f64;
    let counts = world.cache.statistics();
    let (voided, unchanged) = (counts.pages_voided.value(), counts.pages_voided_unchanged.value());
    println!(
        "answers {}, refused {}, from cache {:.0} %; pages voided {voided}, of them unchanged {unchanged}: precision {:.0} %",
        tally.answers.get(),
        tally.refused.get(),
        100.0 * share,
        100.0 * (voided - unchanged) as f64 / voided.max(1) as f64,
    );
    assert!(share > 0.3, "never caching proves nothing: {share}");
    assert!(counts.query_hits.value() > 100 && counts.scan_hits.value() > 50 && counts.get_hits.value() > 50);
    assert!(voided > 100, "pages must have been voided for their voiding to be proven: {voided}");
    run(world.store.close()).expect("a clean stop");
}

#[test]
fn without_the_stamps_of_indexes_a_stale_page_is_found() {
    is_found(Off::Indexes);
}

#[test]
fn without_the_stamps_of_scans_a_stale_page_is_found() {
    is_found(Off::Scans);
}

#[test]
fn without_the_stamps_of_deletes_a_stale_page_is_found() {
    is_found(Off::Deletes);
}

fn is_found(off: Off) {
    let world = World::new(CacheSettings::default());
    world.cache.switch_off(Some(off));
    let found = play_all(&world, &Tally::default(), 200, 0);
    assert!(matches!(found, Err(TestError::Fail(..))), "{off:?} went unnoticed");
    run(world.store.close()).expect("a clean stop");
}
