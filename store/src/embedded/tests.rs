//! The store as a service, over the engine in memory.

use std::sync::Arc;

use api::op::{
    CreateTableInput, DeleteItemInput, DescribeTableInput, GetItemInput, PutItemInput,
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure,
};
use api::schema::{BillingMode, KeyAttribute, KeySchema, Status, Throughput};
use api::value::ValueType;
use api::{AttributeValue, Context, DynamoDb, ErrorKind, Item, TableName};

use super::{Embedded, EmbeddedSettings, Surroundings};

fn store() -> Embedded {
    Embedded::in_memory(EmbeddedSettings::default(), Surroundings::system(), Arc::new(())).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn name() -> TableName {
    TableName::new("things").unwrap()
}

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn create() -> CreateTableInput {
    let partition = KeyAttribute { name: "pk".into(), value_type: ValueType::S };
    CreateTableInput {
        table: name(),
        attributes: vec![partition.clone()],
        key: KeySchema { partition, sort: None },
        indexes: Vec::new(),
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Vec::new(),
    }
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

fn get(key: &str, consistent: bool) -> GetItemInput {
    GetItemInput {
        table: name(),
        key: Item::new().with("pk", string(key)),
        projection: None,
        consistent,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

fn delete(key: &str) -> DeleteItemInput {
    DeleteItemInput {
        table: name(),
        key: Item::new().with("pk", string(key)),
        condition: None,
        return_values: ReturnOld::AllOld,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

async fn active(store: &Embedded) {
    for _ in 0..500 {
        let described = store.send(Context::default(), DescribeTableInput { table: name() }).await.unwrap();
        if described.description.table.status == Status::Active {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the table did not become active");
}

#[test]
fn a_table_is_made_written_read_and_emptied() {
    run(async {
        let store = store();
        let made = store.send(Context::default(), create()).await.unwrap();
        assert_eq!(made.description.table.status, Status::Creating);
        let early = store.send(Context::default(), put(Item::new().with("pk", string("a")))).await;
        if let Err(error) = early {
            assert_eq!(error.kind, ErrorKind::ResourceNotFoundException);
        }
        active(&store).await;
        let item = Item::new().with("pk", string("a")).with("v", string("1"));
        store.send(Context::default(), put(item.clone())).await.unwrap();
        for consistent in [false, true] {
            let found = store.send(Context::default(), get("a", consistent)).await.unwrap();
            assert_eq!(found.item.unwrap().into_item(), item);
        }
        let described = store.send(Context::default(), DescribeTableInput { table: name() }).await.unwrap();
        assert_eq!(described.description.size.items, 1);
        assert_eq!(described.description.size.bytes, item.billed_size() as u64);
        let deleted = store.send(Context::default(), delete("a")).await.unwrap();
        assert_eq!(deleted.attributes, Some(item));
        assert_eq!(store.send(Context::default(), get("a", false)).await.unwrap().item, None);
        let described = store.send(Context::default(), DescribeTableInput { table: name() }).await.unwrap();
        assert_eq!((described.description.size.items, described.description.size.bytes), (0, 0));
        store.close().await.unwrap();
        let refused =
            store.send(Context::default(), put(Item::new().with("pk", string("a")))).await.unwrap_err();
        assert!(refused.kind.is_retryable());
        store.close().await.unwrap();
    });
}
