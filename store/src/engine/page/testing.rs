//! A small table with indexes in the in-memory engine, for the tests of reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::expr::Projection;
use api::schema::{
    BillingMode, Index, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status, Throughput,
};
use api::value::ValueType;
use api::{AttributeValue, EncodedItem, IndexId, Item, Number, Table, TableId, TableName, Version};

use crate::db::memory::MemoryDb;
use crate::db::{Batch, Durability, ScanSource, SharedDb};
use crate::engine::view::{TableMap, View};
use crate::index::{Side, place};
use crate::kv::item::{self, StoredItem};

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn n(value: i64) -> AttributeValue {
    AttributeValue::N(Number::from(value))
}

/// The key of an item of the sample table.
pub(crate) fn key(partition: &str, sort: i64) -> Item {
    Item::new().with("pk", s(partition)).with("sk", n(sort))
}

pub(crate) fn projection(names: &[&str]) -> Projection {
    Projection::of_attributes(names.iter().map(|name| (*name).to_owned()))
}

fn part(name: &str, value_type: ValueType) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), value_type }
}

fn index(id: u64, name: &str, kind: IndexKind, key: KeySchema, projection: IndexProjection) -> Index {
    Index {
        id: IndexId(id),
        name: IndexName::new(name).unwrap(),
        kind,
        key,
        projection,
        status: Status::Active,
        backfilling: false,
        throughput: Throughput::default(),
    }
}

/// `things`: `pk` (S), `sk` (N); local `by_date` (`pk`, `date` S; keys only); global `by_owner` (`owner` S, `date` S; with
/// `color`), `by_kind` (`kind` S; all).
pub(crate) fn sample_table() -> Table {
    let string = |name| part(name, ValueType::S);
    let with_date = |name| KeySchema { partition: string(name), sort: Some(string("date")) };
    Table {
        id: TableId(16),
        name: TableName::new("things").unwrap(),
        generation: 1,
        status: Status::Active,
        key: KeySchema { partition: string("pk"), sort: Some(part("sk", ValueType::N)) },
        attributes: vec![],
        indexes: vec![
            index(17, "by_date", IndexKind::Local, with_date("pk"), IndexProjection::KeysOnly),
            index(
                18,
                "by_owner",
                IndexKind::Global,
                with_date("owner"),
                IndexProjection::Include(vec!["color".to_owned()]),
            ),
            index(
                19,
                "by_kind",
                IndexKind::Global,
                KeySchema { partition: string("kind"), sort: None },
                IndexProjection::All,
            ),
        ],
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: BTreeMap::new(),
        created_millis: 0,
        uuid: 0,
    }
}

pub(crate) fn table_of(table: Table) -> Arc<Table> {
    Arc::new(table)
}

/// An engine in memory with the sample table.
pub(crate) struct Fixture {
    db: SharedDb,
    tables: TableMap,
    table: Arc<Table>,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture::of(sample_table())
    }

    pub(crate) fn of(table: Table) -> Fixture {
        let table = table_of(table);
        let tables = TableMap::from([(table.name.clone(), Arc::clone(&table))]);
        Fixture { db: Arc::new(MemoryDb::volatile()), tables, table }
    }

    /// Writes an item that was not there before, with its index entries.
    pub(crate) fn put(&self, item: &Item) {
        let key = self.table.key_of_item(item).unwrap();
        let body = EncodedItem::encode(item);
        let stored = StoredItem {
            version: Version::default(),
            log_time_millis: 0,
            origin_region: 0,
            key_id: 0,
            body: body.clone(),
        };
        let mut batch = Batch::new();
        batch.put(item::key(self.table.id, &key), stored.encode());
        for index in &self.table.indexes {
            if let Some(placed) = place(&self.table, index, &key, Side { item, body: &body }) {
                batch.put(placed.key, placed.entry.encode());
            }
        }
        self.db.write(batch, Durability::Buffered).unwrap();
    }

    /// Removes an item, but none of its index entries.
    pub(crate) fn remove_item_alone(&self, key: &Item) {
        let mut batch = Batch::new();
        batch.delete(item::key(self.table.id, &self.table.key_of_key(key).unwrap()));
        self.db.write(batch, Durability::Buffered).unwrap();
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&View<'_>) -> T) -> T {
        read(&View::new(&self.db, &self.tables, ScanSource::All))
    }
}
