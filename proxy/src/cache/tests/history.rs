//! Any interleaving of reads, fills, evictions, changes and epochs, against a plain map of versions.
//!
//! The model is the store: a list of versions, each the whole state. A read of the store happens at any version the store
//! has reached, possibly long before it is offered to the cache. What must hold of every hit reported as of R: it is what the
//! store held at R, and R is at or above what the node had applied when it was asked (P3, P4). Of every page: what a fresh
//! read at R would give (P5).

use std::collections::HashMap;

use api::expr::{Comparator, KeyCondition, KeyTest};
use api::item::ItemBody;
use api::op::{Page, QueryInput, ReturnConsumedCapacity, ScanInput, Select};
use api::schema::IndexName;
use api::{ChangeSink, EncodedItem, Image, Version};
use proptest::prelude::*;

use super::fixture::{Fixture, item, key, string, version};
use crate::cache::item::{ItemFound, ItemPermit, Read};
use crate::cache::query::{PageFound, PagePermit};
use crate::cache::stamp::Off;

const PARTITIONS: u64 = 3;
const SORTS: u64 = 2;

type State = HashMap<(u64, u64), u64>;

#[derive(Debug, Clone)]
enum Step {
    /// A batch of writes: stamps raised, committed, published. Reads may begin or land after each of the three.
    Raise(Vec<(u64, u64, Option<u64>)>),
    Commit,
    Publish,
    /// A miss takes its permit and reads the store, at a version that may lag behind by so many.
    BeginItem {
        at: (u64, u64),
        lag: u64,
    },
    LandItem,
    BeginPage {
        page: Asked,
        lag: u64,
    },
    LandPage,
    GetItem(u64, u64),
    GetPage(Asked),
    Evict(u64, u64),
    Gap {
        new_log: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Partition(u64),
    Global(u64),
    Scan,
    ScanGlobal,
}

fn place() -> impl Strategy<Value = (u64, u64)> {
    (0..PARTITIONS, 0..SORTS)
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        (0..PARTITIONS).prop_map(Asked::Partition),
        (0..3u64).prop_map(Asked::Global),
        Just(Asked::Scan),
        Just(Asked::ScanGlobal),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let write = (place(), prop_oneof![2 => (0..50u64).prop_map(Some), 1 => Just(None)]);
    let writes = prop::collection::vec(write.prop_map(|((p, s), v)| (p, s, v)), 1..3);
    prop_oneof![
        4 => writes.prop_map(Step::Raise),
        4 => Just(Step::Commit),
        4 => Just(Step::Publish),
        4 => (place(), 0..3u64).prop_map(|(at, lag)| Step::BeginItem { at, lag }),
        4 => Just(Step::LandItem),
        4 => (asked(), 0..3u64).prop_map(|(page, lag)| Step::BeginPage { page, lag }),
        4 => Just(Step::LandPage),
        12 => place().prop_map(|(p, s)| Step::GetItem(p, s)),
        16 => asked().prop_map(Step::GetPage),
        1 => place().prop_map(|(p, s)| Step::Evict(p, s)),
        1 => prop::bool::weighted(0.3).prop_map(|new_log| Step::Gap { new_log }),
    ]
}

/// What an item of a value holds of the global index: its partition.
fn global_of(value: u64) -> u64 {
    value % 3
}

fn page_of(state: &State, asked: Asked) -> Page {
    let mut found: Vec<_> = state
        .iter()
        .filter(|((partition, _), value)| match asked {
            Asked::Partition(of) => *partition == of,
            Asked::Global(of) => global_of(**value) == of,
            Asked::Scan | Asked::ScanGlobal => true,
        })
        .collect();
    found.sort();
    let items: Vec<_> =
        found.into_iter().map(|((p, s), value)| ItemBody::Encoded(item(*p, *s, *value, 0))).collect();
    let count = items.len() as u32;
    Page { items: Some(items), count, scanned_count: count, last_key: None, capacity: None }
}

fn query(input: &Fixture, index: bool, value: String) -> QueryInput {
    let attribute = if index { "g" } else { "pk" };
    QueryInput {
        table: input.table.name.clone(),
        index: index.then(|| IndexName::new("by-g").unwrap()),
        key_condition: KeyCondition {
            tests: vec![(attribute.into(), KeyTest::Compare(Comparator::Eq, string(value)))],
        },
        filter: None,
        select: Select::AllAttributes,
        limit: None,
        consistent: false,
        forward: true,
        start: None,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

/// Changes whose stamps are raised, and the states they will make.
type Raised = (Vec<api::Change>, Vec<(u64, State)>);

/// A read of an item on its way: whose, with what right, at what version, what it found.
type ItemRead = ((u64, u64), ItemPermit, Version, Option<EncodedItem>);

struct World {
    fixture: Fixture,
    incarnation: u64,
    /// The state at each index of the current log that was committed; the last is the newest.
    committed: Vec<(u64, State)>,
    raised: Option<Raised>,
    uncommitted_publish: Option<(Vec<api::Change>, u64)>,
    next_index: u64,
    applied: u64,
    items: Vec<ItemRead>,
    pages: Vec<(Asked, PagePermit, Version, Page)>,
    hits: usize,
}

impl World {
    fn new(off: Option<Off>) -> World {
        let fixture = Fixture::small();
        *fixture.cache.stamps.off.lock() = off;
        World {
            fixture,
            incarnation: 1,
            committed: vec![(0, State::new())],
            raised: None,
            uncommitted_publish: None,
            next_index: 1,
            applied: 0,
            items: Vec::new(),
            pages: Vec::new(),
            hits: 0,
        }
    }

    fn newest(&self) -> &(u64, State) {
        self.committed.last().expect("there is always the first")
    }

    fn version(&self, index: u64) -> Version {
        Version { incarnation: self.incarnation, ..version(index) }
    }

    fn state_at(&self, index: u64) -> &State {
        let at = self.committed.iter().rposition(|(of, _)| *of <= index);
        &self.committed[at.expect("the first stands at zero")].1
    }

    fn page_key<T>(&self, asked: Asked, work: impl FnOnce(&crate::cache::query::PageKey<'_>) -> T) -> T {
        let mut scratch = Vec::new();
        let cache = &self.fixture.cache;
        let table = &self.fixture.table;
        let scan = |index: Option<&str>| ScanInput {
            table: table.name.clone(),
            index: index.map(|index| IndexName::new(index).unwrap()),
            filter: None,
            select: Select::AllAttributes,
            limit: None,
            consistent: false,
            segment: None,
            start: None,
            return_capacity: ReturnConsumedCapacity::None,
        };
        let key = match asked {
            Asked::Partition(of) => {
                cache.query_key(table, &query(&self.fixture, false, format!("p{of}")), &mut scratch)
            }
            Asked::Global(of) => {
                cache.query_key(table, &query(&self.fixture, true, format!("g{of}")), &mut scratch)
            }
            Asked::Scan => cache.scan_key(table, &scan(None), &mut scratch),
            Asked::ScanGlobal => cache.scan_key(table, &scan(Some("by-g")), &mut scratch),
        };
        work(&key.expect("all of these are cached"))
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        let cache = self.fixture.cache.clone();
        match step {
            Step::Raise(writes) => {
                if self.raised.is_some() || self.uncommitted_publish.is_some() {
                    return Ok(());
                }
                let mut state = self.newest().1.clone();
                let mut changes = Vec::new();
                let mut states = Vec::new();
                for (partition, sort, value) in writes {
                    let index = self.next_index;
                    self.next_index += 1;
                    let image = |value: Option<u64>| match value {
                        Some(value) => Image::Present(item(partition, sort, value, 0)),
                        None => Image::Absent,
                    };
                    let old = state.get(&(partition, sort)).copied();
                    match value {
                        Some(value) => state.insert((partition, sort), value),
                        None => state.remove(&(partition, sort)),
                    };
                    let globals: Vec<_> =
                        old.into_iter().chain(value).map(|value| format!("g{}", global_of(value))).collect();
                    let globals: Vec<_> = globals.iter().map(String::as_str).collect();
                    let mut change =
                        self.fixture.change(key(partition, sort), image(old), image(value), index, &globals);
                    change.version = self.version(index);
                    changes.push(change);
                    states.push((index, state.clone()));
                }
                cache.raise(&changes);
                self.raised = Some((changes, states));
            }
            Step::Commit => {
                if let Some((changes, states)) = self.raised.take() {
                    let last = states.last().expect("at least one write").0;
                    self.committed.extend(states);
                    self.uncommitted_publish = Some((changes, last));
                }
            }
            Step::Publish => {
                if let Some((changes, last)) = self.uncommitted_publish.take() {
                    cache.publish(&changes, self.version(last));
                    self.applied = last;
                }
            }
            Step::BeginItem { at, lag } => {
                let view = cache.view().expect("no gap is under way");
                let permit = cache.item_permit(&view);
                // A batch commits as one: a read is of the newest state, or of an older one that a peer still has.
                let (newest, _) = *self.newest();
                let read = newest.saturating_sub(lag).max(self.committed[0].0);
                let value = self.state_at(read).get(&at).map(|value| item(at.0, at.1, *value, 0));
                self.items.push((at, permit, self.version(read), value));
            }
            Step::LandItem => {
                if !self.items.is_empty() {
                    let (at, permit, version, value) = self.items.remove(0);
                    let bytes = key(at.0, at.1);
                    let key = cache.item_key(&self.fixture.table, bytes.as_bytes()).expect("a short key");
                    let item = value.as_ref();
                    cache.fill_item(
                        &permit,
                        &key,
                        Read { item, version, ttl_nanos: u64::MAX, refresh: false },
                    );
                }
            }
            Step::BeginPage { page, lag } => {
                let view = cache.view().expect("no gap is under way");
                let permit = cache.page_permit(&view, None);
                let (newest, _) = *self.newest();
                let read = newest.saturating_sub(lag).max(self.committed[0].0);
                self.pages.push((page, permit, self.version(read), page_of(self.state_at(read), page)));
            }
            Step::LandPage => {
                if !self.pages.is_empty() {
                    let (asked, permit, version, page) = self.pages.remove(0);
                    self.page_key(asked, |key| cache.fill_page(&permit, key, &page, &version));
                }
            }
            Step::GetItem(partition, sort) => {
                let bytes = key(partition, sort);
                let key = cache.item_key(&self.fixture.table, bytes.as_bytes()).expect("a short key");
                let view = cache.view().expect("no gap is under way");
                if let ItemFound::Hit(entry, as_of) = cache.item(&view, &key) {
                    self.hits += 1;
                    prop_assert_eq!(as_of.incarnation, self.incarnation);
                    prop_assert!(as_of.index >= self.applied, "as of {:?}, applied {}", as_of, self.applied);
                    let state = self.state_at(as_of.index);
                    let value = state.get(&(partition, sort)).map(|value| item(partition, sort, *value, 0));
                    prop_assert_eq!(entry.item(), value, "as of {:?}", as_of);
                }
            }
            Step::GetPage(asked) => {
                let view = cache.view().expect("no gap is under way");
                if let PageFound::Hit(entry, as_of) = self.page_key(asked, |key| cache.page(&view, key)) {
                    self.hits += 1;
                    prop_assert!(as_of.index >= self.applied);
                    prop_assert_eq!(entry.page(), page_of(self.state_at(as_of.index), asked), "{:?}", asked);
                }
            }
            Step::Evict(partition, sort) => {
                cache.invalidate_item(&self.fixture.table, &key(partition, sort));
            }
            Step::Gap { new_log } => {
                // The feed is lost between two batches; the state afterwards is another one altogether.
                if self.raised.is_some() || self.uncommitted_publish.is_some() {
                    return Ok(());
                }
                let state: State = [((0, 0), self.next_index % 50)].into();
                if new_log {
                    self.incarnation += 1;
                    self.next_index = 3;
                }
                let at = self.next_index;
                self.next_index += 1;
                cache.gap(self.version(at));
                self.committed = vec![(at, state)];
                self.applied = at;
            }
        }
        Ok(())
    }
}

fn run(off: Option<Off>, steps: Vec<Step>) -> Result<usize, TestCaseError> {
    let mut world = World::new(off);
    steps.into_iter().try_for_each(|step| world.run(step))?;
    Ok(world.hits)
}

#[test]
fn every_hit_is_what_the_store_held_at_the_version_it_is_said_of() {
    let hits = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&prop::collection::vec(step(), 1..200), |steps| {
            hits.set(hits.get() + run(None, steps)?);
            Ok(())
        })
        .unwrap();
    println!("hits checked: {}", hits.get());
    assert!(hits.get() > 5_000, "a cache that never answers proves nothing: {} hits", hits.get());
}

#[test]
fn without_any_one_kind_of_stamp_the_same_histories_find_a_stale_answer() {
    for off in [Off::Keys, Off::Indexes, Off::Scans, Off::Deletes] {
        let config = ProptestConfig {
            cases: 1_000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..ProptestConfig::default()
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let found =
            runner.run(&prop::collection::vec(step(), 1..200), |steps| run(Some(off), steps).map(drop));
        assert!(found.is_err(), "{off:?} went unnoticed");
    }
}
