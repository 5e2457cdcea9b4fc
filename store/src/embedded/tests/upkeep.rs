//! The store's own work: where the feed begins, tokens that are forgotten, records that are purged.

use std::sync::Mutex;

use api::op::{
    DeleteTableInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOnFailure, TransactAction,
    TransactWrite, TransactWriteItemsInput,
};
use api::{Change, ChangeSink, DynamoDb, Table, Version};

use super::*;
use crate::db::memory::{CrashTail, MemoryDisk, WriteAheadLog};
use crate::db::{KeyRange, Scan, SharedDb};
use crate::kv;

/// What a consumer of the feed is told of positions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Gap(Version),
    Published(Version),
}

#[derive(Default)]
struct Positions(Mutex<Vec<Told>>);

impl ChangeSink for Positions {
    fn raise(&self, _: &[Change]) {}
    fn publish(&self, _: &[Change], applied: Version) {
        self.0.lock().unwrap().push(Told::Published(applied));
    }
    fn table_changed(&self, _: &Arc<Table>, _: bool) {}
    fn gap(&self, applied: Version) {
        // Long enough for whatever runs beside it to be told of first.
        std::thread::sleep(Duration::from_millis(30));
        self.0.lock().unwrap().push(Told::Gap(applied));
    }
}

struct Disks {
    log: MemoryDisk,
    state: MemoryDisk,
}

impl Disks {
    fn new() -> Disks {
        Disks { log: MemoryDisk::new(WriteAheadLog::On), state: MemoryDisk::new(WriteAheadLog::Off) }
    }

    fn open(&self, clock: &Arc<HandClock>, sink: Arc<dyn ChangeSink>) -> Embedded {
        let (log, state) = (Arc::new(self.log.open()), Arc::new(self.state.open()));
        Embedded::open(EmbeddedSettings::default(), log, state, surroundings(Arc::clone(clock)), sink)
            .unwrap()
    }

    fn crash(&self) {
        self.log.crash(CrashTail::default());
        self.state.crash(CrashTail::default());
    }
}

fn named(name: &str) -> TableName {
    TableName::new(name).unwrap()
}

fn records(db: &SharedDb, prefix: &[u8]) -> usize {
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(prefix)));
    let mut count = 0;
    while cursor.advance().unwrap().is_some() {
        count += 1;
    }
    count
}

async fn wait_for(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to that: {what}");
}

fn transaction(token: Option<String>, actions: Vec<TransactWrite>) -> TransactWriteItemsInput {
    TransactWriteItemsInput {
        actions,
        token,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

fn action(table: &str, action: TransactAction, condition: Option<Condition>) -> TransactWrite {
    TransactWrite { table: named(table), action, condition, return_on_failure: ReturnOnFailure::None }
}

#[test]
fn the_feed_begins_with_where_the_store_stands_and_goes_on_in_order() {
    let disks = Disks::new();
    run(async {
        for round in 0..6 {
            let positions = Arc::new(Positions::default());
            let sink = Arc::clone(&positions) as Arc<dyn ChangeSink>;
            let store = disks.open(&Arc::default(), sink);
            if round > 0 {
                active(&store).await;
                store.send(cx(), DeleteTableInput { table: name() }).await.unwrap();
                until(&store, Result::is_err).await;
            }
            // Left behind in the making, so that there is work to do as soon as it is opened again.
            store.send(cx(), create()).await.unwrap();
            disks.crash();
            let told = positions.0.lock().unwrap().clone();
            let gaps = told.iter().filter(|told| matches!(told, Told::Gap(_))).count();
            assert_eq!(gaps, 1, "{told:?}");
            let begin = told.iter().position(|told| matches!(told, Told::Gap(_))).unwrap();
            let Told::Gap(start) = told[begin] else { unreachable!() };
            let index = |told: &Told| match told {
                Told::Gap(version) | Told::Published(version) => version.index,
            };
            assert_ne!(start.incarnation, 0, "a new store has begun by then");
            assert!(told[..begin].iter().all(|told| index(told) <= start.index), "{told:?}");
            assert!(told[begin + 1..].iter().all(|told| index(told) > start.index), "{told:?}");
        }
    });
}

#[test]
fn tokens_are_forgotten_once_their_window_has_passed_and_not_before() {
    run(async {
        let clock = Arc::new(HandClock::default());
        let store = store_with(Arc::clone(&clock), Arc::new(()));
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let write = async |at: i64| {
            let put = action("things", TransactAction::Put(key("a", at)), None);
            store.send(cx(), transaction(Some(format!("token-{at}")), vec![put])).await.unwrap();
        };
        let count = || {
            let db = &store.core.state.shared();
            (records(db, &[kv::Kind::Token as u8]), records(db, &[kv::Kind::TokenTime as u8]))
        };
        // More than one command takes, of one and the same time.
        for at in 0..250 {
            write(at).await;
        }
        clock.0.fetch_add(10 * 60 * 1000 - 1, Ordering::SeqCst);
        write(900).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(count(), (251, 251), "still within the window");
        clock.0.fetch_add(1, Ordering::SeqCst);
        // Used again after its window: it must outlive the record of its first use.
        write(7).await;
        wait_for("all but two tokens are gone", || count() == (2, 2)).await;
        write(7).await;
        assert_eq!(count(), (2, 2), "a repetition is known as such");
    });
}

#[test]
fn a_purge_that_a_crash_overtakes_changes_no_outcome_of_before() {
    let disks = Disks::new();
    let clock = Arc::new(HandClock::default());
    run(async {
        let store = disks.open(&clock, Arc::new(()));
        let other = CreateTableInput { table: named("others"), ..create() };
        for table in [create(), other] {
            store.send(cx(), table).await.unwrap();
        }
        active(&store).await;
        store.send(cx(), put(key("a", 1))).await.unwrap();
        // The item is flushed; the transaction that looks at it is not.
        store.close().await.unwrap();
        drop(store);
        let store = disks.open(&clock, Arc::new(()));
        let there = Some(condition("attribute_exists(pk)", &[]));
        let actions = vec![
            action("things", TransactAction::ConditionCheck(key("a", 1)), there),
            action("others", TransactAction::Put(key("b", 1)), None),
        ];
        store.send(cx(), transaction(None, actions)).await.unwrap();
        store.send(cx(), DeleteTableInput { table: name() }).await.unwrap();
        until(&store, Result::is_err).await;
        clock.0.fetch_add(61_000, Ordering::SeqCst);
        let items = [kv::Kind::Item as u8];
        wait_for("the record is purged", || records(&store.core.state.shared(), &items) == 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        disks.crash();
        let store = disks.open(&clock, Arc::new(()));
        let input = GetItemInput { table: named("others"), ..get(key("b", 1), true) };
        assert!(store.send(cx(), input).await.unwrap().item.is_some(), "an acknowledged write is gone");
        assert_eq!(records(&store.core.state.shared(), &items), 1, "and the purge is done");
    });
}
