//! A table, its changes, and a cache over a clock that stands still.

use std::sync::Arc;

use api::schema::{
    BillingMode, Index, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status, Throughput,
};
use api::service::{Cause, IndexPartition};
use api::value::{ValueType, order};
use api::{
    AttributeValue, Change, EncodedItem, Image, IndexId, Item, KeyBytes, Table, TableId, TableName, Version,
};
use bytes::Bytes;
use host::clock::ManualClock;
use host::metrics::Registry;
use host::settings::ByteSize;

use crate::cache::{Cache, CacheSettings};

pub(super) struct Fixture {
    pub(super) cache: Arc<Cache>,
    pub(super) clock: ManualClock,
    pub(super) table: Arc<Table>,
}

fn attribute(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.into(), value_type: ValueType::S }
}

/// A table of partition key `pk`, sort key `sk`, with a global index on `g`.
pub(crate) fn table(id: u64) -> Arc<Table> {
    Arc::new(Table {
        id: TableId(id),
        name: TableName::new(&format!("table-{id}")).unwrap(),
        generation: 1,
        status: Status::Active,
        key: KeySchema { partition: attribute("pk"), sort: Some(attribute("sk")) },
        attributes: vec![attribute("pk"), attribute("sk"), attribute("g")],
        indexes: vec![Index {
            id: IndexId(id + 1000),
            name: IndexName::new("by-g").unwrap(),
            kind: IndexKind::Global,
            key: KeySchema { partition: attribute("g"), sort: None },
            projection: IndexProjection::All,
            status: Status::Active,
            backfilling: false,
            throughput: Throughput::default(),
        }],
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Default::default(),
        created_millis: 0,
        uuid: 0,
    })
}

pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn form(text: &str) -> Bytes {
    order::encode(&string(text)).unwrap().into()
}

pub(super) fn key(partition: u64, sort: u64) -> KeyBytes {
    KeyBytes::new(&form(&format!("p{partition}")), Some(&form(&format!("s{sort}"))))
}

pub(super) fn item(partition: u64, sort: u64, value: u64, padding: usize) -> EncodedItem {
    let item = Item::new()
        .with("pk", string(format!("p{partition}")))
        .with("sk", string(format!("s{sort}")))
        .with("v", string(format!("{value}")))
        .with("x", string("x".repeat(padding)));
    EncodedItem::encode(&item)
}

pub(super) fn version(index: u64) -> Version {
    Version { incarnation: 1, shard: 0, index }
}

impl Fixture {
    pub(super) fn new(settings: CacheSettings) -> Fixture {
        let clock = ManualClock::at(1_000);
        let cache = Cache::new(settings, Arc::new(clock.clone()), 7, 2, &Registry::new()).unwrap();
        api::ChangeSink::gap(&*cache, version(0));
        Fixture { cache, clock, table: table(1) }
    }

    pub(super) fn small() -> Fixture {
        Fixture::new(CacheSettings { cache_bytes: ByteSize::mib(16), ..CacheSettings::default() })
    }

    pub(super) fn change(&self, key: KeyBytes, old: Image, new: Image, index: u64, g: &[&str]) -> Change {
        let indexes = g
            .iter()
            .map(|g| IndexPartition { index: self.table.indexes[0].id, partition: form(g) })
            .collect();
        Change {
            table: self.table.clone(),
            key,
            old,
            new,
            indexes,
            version: version(index),
            ordinal: 0,
            log_time_millis: 0,
            origin_region: 0,
            cause: Cause::User,
        }
    }
}
