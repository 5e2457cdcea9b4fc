//! The store as a service, over the engine in memory.

mod agreement;
mod attribute_lists;
mod faults;
mod group;
mod indexes;
mod parameters;
mod recovery;
mod tables;
mod transactions;
mod transfer;
mod upkeep;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::expr::{Condition, Update};
use api::expr::{ExpressionKind, Placeholders};
use api::op::{
    CreateTableInput, DeleteItemInput, DescribeTableInput, GetItemInput, NewIndex, PutItemInput,
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure, ReturnValues,
    TableDescription, UpdateItemInput,
};
use api::schema::{
    BillingMode, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status, Throughput,
};
use api::value::ValueType;
use api::{AttributeValue, ChangeSink, Context, DynamoDb, Error, Item, Number, TableName};
use raft::Clock;

use super::{Embedded, EmbeddedSettings, SeededEntropy, Surroundings};

/// A clock that a test moves.
#[derive(Default)]
struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now_millis(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
    fn monotonic_millis(&self) -> u64 {
        self.now_millis()
    }
}

fn surroundings(clock: Arc<HandClock>) -> Surroundings {
    Surroundings { clock, entropy: Arc::new(SeededEntropy::new(7)) }
}

fn store_with(clock: Arc<HandClock>, sink: Arc<dyn ChangeSink>) -> Embedded {
    Embedded::in_memory(EmbeddedSettings::default(), surroundings(clock), sink).unwrap()
}

fn store() -> Embedded {
    store_with(Arc::new(HandClock::default()), Arc::new(()))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn cx() -> Context {
    Context::default()
}

fn name() -> TableName {
    TableName::new("things").unwrap()
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(number: i64) -> AttributeValue {
    AttributeValue::N(Number::from(number))
}

fn attribute(name: &str, value_type: ValueType) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), value_type }
}

/// A table with the key `pk` (S) and `sk` (N).
fn create() -> CreateTableInput {
    let key =
        KeySchema { partition: attribute("pk", ValueType::S), sort: Some(attribute("sk", ValueType::N)) };
    CreateTableInput {
        table: name(),
        attributes: key.attributes().cloned().collect(),
        key,
        indexes: Vec::new(),
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Vec::new(),
    }
}

/// An index on `partition` (S) and, if given, `sort` (N).
fn index(
    name: &str,
    kind: IndexKind,
    partition: &str,
    sort: Option<&str>,
    projection: IndexProjection,
) -> NewIndex {
    NewIndex {
        name: IndexName::new(name).unwrap(),
        kind,
        key: KeySchema {
            partition: attribute(partition, ValueType::S),
            sort: sort.map(|sort| attribute(sort, ValueType::N)),
        },
        projection,
        throughput: Throughput::default(),
    }
}

/// A table with a local index on `pk`, `l` and global ones on `g` and on `g`, `l`.
fn create_indexed() -> CreateTableInput {
    let mut create = create();
    create.attributes.extend([attribute("g", ValueType::S), attribute("l", ValueType::N)]);
    let include = IndexProjection::Include(vec!["a".to_owned()]);
    create.indexes = vec![
        index("by-l", IndexKind::Local, "pk", Some("l"), include),
        index("by-g", IndexKind::Global, "g", None, IndexProjection::KeysOnly),
        index("by-gl", IndexKind::Global, "g", Some("l"), IndexProjection::All),
    ];
    create
}

fn key(partition: &str, sort: i64) -> Item {
    Item::new().with("pk", s(partition)).with("sk", n(sort))
}

fn put(item: Item) -> PutItemInput {
    PutItemInput {
        table: name(),
        item,
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

fn get(key: Item, consistent: bool) -> GetItemInput {
    GetItemInput {
        table: name(),
        key,
        projection: None,
        consistent,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

fn delete(key: Item) -> DeleteItemInput {
    DeleteItemInput {
        table: name(),
        key,
        condition: None,
        return_values: ReturnOld::AllOld,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

fn update(key: Item, update: Update) -> UpdateItemInput {
    UpdateItemInput {
        table: name(),
        key,
        update,
        condition: None,
        return_values: ReturnValues::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

fn placeholders(values: &[(&str, AttributeValue)]) -> Placeholders {
    let values: BTreeMap<String, AttributeValue> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Placeholders::new(None, (!values.is_empty()).then_some(values)).unwrap()
}

fn updating(text: &str, values: &[(&str, AttributeValue)]) -> Update {
    placeholders(values).update(text).unwrap()
}

fn condition(text: &str, values: &[(&str, AttributeValue)]) -> Condition {
    placeholders(values).condition(ExpressionKind::Condition, text).unwrap()
}

async fn describe(store: &Embedded) -> Result<TableDescription, Error> {
    Ok(store.send(cx(), DescribeTableInput { table: name() }).await?.description)
}

/// Waits until a table is as wanted.
async fn until(store: &Embedded, wanted: impl Fn(&Result<TableDescription, Error>) -> bool) {
    for _ in 0..4000 {
        if wanted(&describe(store).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the table did not become as wanted: {:?}", describe(store).await);
}

async fn active(store: &Embedded) {
    until(store, |table| {
        table.as_ref().is_ok_and(|table| {
            table.table.status == Status::Active
                && table.table.indexes.iter().all(|index| index.status == Status::Active)
        })
    })
    .await;
}

async fn item(store: &Embedded, key: Item) -> Option<Item> {
    let found = store.send(cx(), get(key, true)).await.unwrap();
    found.item.map(|body| body.into_item())
}
