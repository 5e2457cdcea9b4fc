//! Indexes hold exactly what the items say, whatever was written and whenever the index was made.

use std::collections::BTreeMap;

use api::op::{BatchWrite, BatchWriteItemInput, IndexUpdate, UpdateTableInput};
use api::schema::Table;
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::db::memory::{CrashTail, MemoryDisk, WriteAheadLog};
use crate::db::{KeyRange, Scan, SharedDb};
use crate::index::{Side, place};
use crate::kv;
use crate::kv::item::StoredItem;

pub(super) type Records = BTreeMap<Vec<u8>, Bytes>;

pub(super) fn records(db: &SharedDb, prefix: &[u8]) -> Records {
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(prefix)));
    let mut records = Records::new();
    while let Some(record) = cursor.advance().unwrap() {
        records.insert(record.key.to_vec(), Bytes::copy_from_slice(record.value));
    }
    records
}

/// Compares every index, counter and collection with what the items alone say. Answers the number of items.
fn check(store: &Embedded, table: &Table) -> usize {
    let db = &store.core.state.shared();
    let items: Vec<StoredItem> = records(db, &kv::item::table_prefix(table.id))
        .values()
        .map(|value| StoredItem::decode(value).unwrap())
        .collect();
    let counters =
        kv::counters::Counters::decode(&db.get(&kv::counters::key(table.id)).unwrap().unwrap()).unwrap();
    assert_eq!(counters.table.items, items.len() as u64);
    assert_eq!(counters.table.bytes, items.iter().map(|item| item.body.billed_size() as u64).sum::<u64>());
    let mut collections: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut grow = |table_key: &api::KeyBytes, bytes: usize| {
        *collections.entry(kv::collection::key(table.id, &table_key.partition())).or_default() +=
            bytes as u64;
    };
    let keyed: Vec<_> =
        items.iter().map(|stored| (table.key_of_item(&stored.body.to_item()).unwrap(), stored)).collect();
    for (table_key, stored) in &keyed {
        grow(table_key, stored.body.billed_size());
    }
    for index in &table.indexes {
        let mut expected = Records::new();
        let mut bytes = 0;
        for (table_key, stored) in &keyed {
            let item = stored.body.to_item();
            if let Some(placed) = place(table, index, table_key, Side { item: &item, body: &stored.body }) {
                bytes += placed.entry.body.billed_size();
                if index.kind == IndexKind::Local {
                    grow(table_key, placed.entry.body.billed_size());
                }
                expected.insert(placed.key, placed.entry.encode());
            }
        }
        let found = records(db, &kv::index_entry::index_prefix(index.kind, index.id));
        assert_eq!(found, expected, "index {}", index.name);
        let size = counters.index(index.id);
        assert_eq!((size.items, size.bytes), (expected.len() as u64, bytes as u64), "index {}", index.name);
    }
    if table.local_indexes().next().is_some() {
        let found: BTreeMap<_, _> = records(db, &kv::collection::table_prefix(table.id))
            .into_iter()
            .map(|(key, value)| (key, kv::collection::decode(&value).unwrap()))
            .collect();
        assert_eq!(found, collections);
    }
    items.len()
}

#[derive(Debug, Clone)]
enum Step {
    Put { partition: u8, sort: i64, g: Option<u8>, l: Option<i64>, a: Option<String> },
    Delete { partition: u8, sort: i64 },
    Update { partition: u8, sort: i64, text: usize },
}

/// Updates that give, alter and take away what indexes are made of.
const UPDATES: [&str; 5] =
    ["SET g = :s, a = :s", "REMOVE g", "SET l = :n", "REMOVE l, a", "SET b = if_not_exists(b, :s)"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let put =
        (0..3_u8, 0..3_i64, any::<Option<bool>>(), any::<Option<bool>>(), proptest::option::of("[a-z]{0,8}"))
            .prop_map(|(partition, sort, g, l, a)| Step::Put {
                partition,
                sort,
                g: g.map(u8::from),
                l: l.map(i64::from),
                a,
            });
    let delete = (0..3_u8, 0..3_i64).prop_map(|(partition, sort)| Step::Delete { partition, sort });
    let update = (0..3_u8, 0..3_i64, 0..UPDATES.len()).prop_map(|(partition, sort, text)| Step::Update {
        partition,
        sort,
        text,
    });
    proptest::collection::vec(prop_oneof![3 => put, 1 => delete, 2 => update], 1..40)
}

async fn take(store: &Embedded, step: Step) {
    match step {
        Step::Put { partition, sort, g, l, a } => {
            let mut item = key(&partition.to_string(), sort);
            item = g.into_iter().fold(item, |item, g| item.with("g", s(&format!("g{g}"))));
            item = l.into_iter().fold(item, |item, l| item.with("l", n(l)));
            item = a.into_iter().fold(item, |item, a| item.with("a", s(&a)));
            store.send(cx(), put(item)).await.unwrap();
        }
        Step::Delete { partition, sort } => {
            store.send(cx(), delete(key(&partition.to_string(), sort))).await.unwrap();
        }
        Step::Update { partition, sort, text } => {
            let text = UPDATES[text];
            let mut values = Vec::new();
            values.extend(text.contains(":s").then(|| (":s", s("new"))));
            values.extend(text.contains(":n").then(|| (":n", n(9))));
            let input = update(key(&partition.to_string(), sort), updating(text, &values));
            store.send(cx(), input).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn indexes_counters_and_collections_are_what_the_items_say(steps in steps()) {
        run(async {
            let store = store();
            store.send(cx(), create_indexed()).await.unwrap();
            active(&store).await;
            store.send(cx(), put(key("0", 0))).await.unwrap();
            for step in steps {
                take(&store, step).await;
            }
            check(&store, &describe(&store).await.unwrap().table);
        });
    }
}

fn adding(new: NewIndex) -> UpdateTableInput {
    UpdateTableInput {
        table: name(),
        attributes: vec![attribute("g", ValueType::S), attribute("l", ValueType::N)],
        billing: None,
        throughput: None,
        index_updates: vec![IndexUpdate::Create(new)],
        deletion_protection: None,
        table_class: None,
    }
}

fn removing(index: &str) -> UpdateTableInput {
    let name = IndexName::new(index).unwrap();
    UpdateTableInput {
        attributes: Vec::new(),
        index_updates: vec![IndexUpdate::Delete(name)],
        ..adding(self::index(index, IndexKind::Global, "g", None, IndexProjection::All))
    }
}

/// Fills a table: every third item is not for the index, every seventh has an attribute of the wrong type for it.
async fn fill(store: &Embedded, items: i64) {
    for from in (0..items).step_by(25) {
        let writes = (from..items.min(from + 25))
            .map(|at| {
                let item = key(&format!("p{}", at % 50), at).with("l", n(at % 4));
                BatchWrite::Put(match at {
                    at if at % 7 == 0 => item.with("g", n(at)),
                    at if at % 3 == 0 => item,
                    at => item.with("g", s(&format!("g{}", at % 5))),
                })
            })
            .collect();
        let batch = BatchWriteItemInput {
            tables: vec![(name(), writes)],
            return_capacity: ReturnConsumedCapacity::None,
            return_collection: ReturnItemCollectionMetrics::None,
        };
        store.send(cx(), batch).await.unwrap();
    }
}

#[test]
fn an_index_is_filled_while_the_table_serves_and_can_be_removed_again() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        fill(&store, 1500).await;
        let new = index("by-gl", IndexKind::Global, "g", Some("l"), IndexProjection::KeysOnly);
        let made = store.send(cx(), adding(new.clone())).await.unwrap().description.table;
        assert_eq!((made.status, made.indexes[0].status), (Status::Updating, Status::Creating));
        assert!(made.indexes[0].backfilling);
        // Writes go on meanwhile, in front of the filling and behind it.
        for at in 0..60 {
            store
                .send(cx(), put(key(&format!("p{at}"), 5000 + at).with("g", s("g1")).with("l", n(1))))
                .await
                .unwrap();
            store.send(cx(), delete(key(&format!("p{}", at % 50), at))).await.unwrap();
        }
        until(&store, |table| table.as_ref().is_ok_and(|table| table.table.status == Status::Active)).await;
        let second =
            store.send(cx(), adding(index("other", IndexKind::Global, "g", None, IndexProjection::All)));
        if let Err(error) = second.await {
            assert_eq!(error.kind, api::ErrorKind::LimitExceededException, "one at a time");
        }
        active(&store).await;
        let table = describe(&store).await.unwrap().table;
        assert_eq!(check(&store, &table), 1500);

        let prefix = kv::index_entry::index_prefix(IndexKind::Global, table.indexes[0].id);
        store.send(cx(), removing("by-gl")).await.unwrap();
        until(&store, |table| {
            table.as_ref().is_ok_and(|table| {
                table.table.status == Status::Active
                    && table.table.indexes.iter().all(|index| index.name.as_str() != "by-gl")
            })
        })
        .await;
        assert!(!records(&store.core.state.shared(), &prefix).is_empty(), "its records go later");
        let dropped = records(&store.core.state.shared(), &kv::dropped::PREFIX);
        assert_eq!(dropped.len(), 1);
        active(&store).await;
        let table = describe(&store).await.unwrap().table;
        check(&store, &table);
        let body =
            crate::command::Body::Purge { id: kv::dropped::id(dropped.keys().next().unwrap()).unwrap() };
        store.core.propose(&cx(), body).await.unwrap();
        assert!(records(&store.core.state.shared(), &prefix).is_empty());
        assert!(records(&store.core.state.shared(), &kv::dropped::PREFIX).is_empty());
    });
}

#[test]
fn filling_an_index_goes_on_after_a_crash_in_the_middle() {
    let (log, state) = (MemoryDisk::new(WriteAheadLog::On), MemoryDisk::new(WriteAheadLog::Off));
    let open = || {
        Embedded::open(
            EmbeddedSettings::default(),
            Arc::new(log.open()),
            Arc::new(state.open()),
            surroundings(Arc::default()),
            Arc::new(()),
        )
        .unwrap()
    };
    run(async {
        let store = open();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        fill(&store, 2000).await;
        let new = index("by-g", IndexKind::Global, "g", None, IndexProjection::All);
        store.send(cx(), adding(new)).await.unwrap();
        let under_way = |db: &SharedDb| !records(db, &[kv::Kind::Backfill as u8]).is_empty();
        for _ in 0..2000 {
            if under_way(&store.core.state.shared()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        log.crash(CrashTail::default());
        state.crash(CrashTail::default());
        drop(store);
        let store = open();
        active(&store).await;
        let table = describe(&store).await.unwrap().table;
        assert_eq!(check(&store, &table), 2000);
        assert!(!under_way(&store.core.state.shared()));
    });
}

#[test]
fn an_index_can_be_dropped_while_it_is_being_filled() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        fill(&store, 2000).await;
        store
            .send(cx(), adding(index("by-g", IndexKind::Global, "g", None, IndexProjection::All)))
            .await
            .unwrap();
        until(&store, |table| table.as_ref().is_ok_and(|table| table.table.status == Status::Active)).await;
        // It may be full by now; dropping it works either way.
        store.send(cx(), removing("by-g")).await.unwrap();
        until(&store, |table| table.as_ref().is_ok_and(|table| table.table.indexes.is_empty())).await;
        until(&store, |table| table.as_ref().is_ok_and(|table| table.table.status == Status::Active)).await;
        let table = describe(&store).await.unwrap().table;
        assert_eq!(check(&store, &table), 2000);
        let declared: Vec<&str> = table.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(declared, ["pk", "sk"], "what only the index declared goes with it");
        assert!(records(&store.core.state.shared(), &[kv::Kind::Backfill as u8]).is_empty());
        assert_eq!(records(&store.core.state.shared(), &kv::dropped::PREFIX).len(), 1);
        // The name is free for another index.
        store
            .send(cx(), adding(index("by-g", IndexKind::Global, "g", Some("l"), IndexProjection::All)))
            .await
            .unwrap();
        active(&store).await;
        check(&store, &describe(&store).await.unwrap().table);
    });
}
