//! ReturnConsumedCapacity and ReturnItemCollectionMetrics, as the service charges.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{INDEXED, NUMBERS, PLAIN};

cases![
    a_read_costs_half_a_unit_per_4_kib,
    a_write_costs_a_unit_per_kib_of_the_larger_image,
    a_page_is_charged_as_one,
    index_writes_are_charged_by_index,
    a_batch_is_charged_by_table,
    a_transaction_costs_double,
    what_is_not_asked_is_not_told,
    collections_are_told_where_local_indexes_are,
];

async fn put(db: &Ask, p: &str, bytes: usize) -> Value {
    // The names and the key count: `p` + key + `v`.
    let fill = bytes - 1 - p.len() - 1;
    let body = json!({"TableName": PLAIN, "Item": {"p": {"S": p}, "v": {"S": "x".repeat(fill)}}, "ReturnConsumedCapacity": "TOTAL"});
    db.ok("PutItem", body).await["ConsumedCapacity"].clone()
}

async fn get(db: &Ask, p: &str, consistent: bool) -> Value {
    let body = json!({"TableName": PLAIN, "Key": {"p": {"S": p}}, "ConsistentRead": consistent, "ReturnConsumedCapacity": "TOTAL"});
    db.ok("GetItem", body).await["ConsumedCapacity"].clone()
}

fn total(units: f64) -> Value {
    json!({"TableName": PLAIN, "CapacityUnits": units})
}

/// Strong reads cost double; nothing found costs as little as the smallest; asked twice, so that a cached answer is charged
/// alike.
async fn a_read_costs_half_a_unit_per_4_kib(db: Ask) {
    for (bytes, units) in [(100, 1.0), (4096, 1.0), (4097, 2.0), (12_289, 4.0)] {
        let p = format!("capacity-read-{bytes}");
        put(&db, &p, bytes).await;
        assert_eq!(get(&db, &p, true).await, total(units), "{bytes} bytes, strongly");
        for _ in 0..2 {
            assert_eq!(get(&db, &p, false).await, total(units / 2.0), "{bytes} bytes");
        }
    }
    for _ in 0..2 {
        assert_eq!(get(&db, "capacity-read-nobody", false).await, total(0.5));
    }
    assert_eq!(get(&db, "capacity-read-nobody", true).await, total(1.0));
}

/// A write is charged for what it replaces, too.
async fn a_write_costs_a_unit_per_kib_of_the_larger_image(db: Ask) {
    assert_eq!(put(&db, "capacity-write", 1024).await, total(1.0));
    assert_eq!(put(&db, "capacity-write", 1025).await, total(2.0));
    assert_eq!(put(&db, "capacity-write", 5000).await, total(5.0));
    assert_eq!(put(&db, "capacity-write", 100).await, total(5.0));
    let update = json!({"TableName": PLAIN, "Key": {"p": {"S": "capacity-write"}}, "UpdateExpression": "SET v = :v",
                        "ExpressionAttributeValues": {":v": {"S": "y".repeat(3000)}}, "ReturnConsumedCapacity": "TOTAL"});
    assert_eq!(db.ok("UpdateItem", update).await["ConsumedCapacity"], total(3.0));
    let delete =
        json!({"TableName": PLAIN, "Key": {"p": {"S": "capacity-write"}}, "ReturnConsumedCapacity": "TOTAL"});
    assert_eq!(db.ok("DeleteItem", delete.clone()).await["ConsumedCapacity"], total(3.0));
    assert_eq!(db.ok("DeleteItem", delete).await["ConsumedCapacity"], total(1.0));
}

/// The sum of a page is rounded up once, not item by item; the filter saves nothing.
async fn a_page_is_charged_as_one(db: Ask) {
    for s in 0..10 {
        let item =
            json!({"p": {"S": "capacity-page"}, "s": {"N": s.to_string()}, "v": {"S": "x".repeat(970)}});
        db.ok("PutItem", json!({"TableName": NUMBERS, "Item": item})).await;
    }
    for (consistent, units) in [(false, 1.5), (true, 3.0)] {
        let body = json!({
            "TableName": NUMBERS, "KeyConditionExpression": "p = :p", "FilterExpression": "attribute_not_exists(v)",
            "ExpressionAttributeValues": {":p": {"S": "capacity-page"}}, "ConsistentRead": consistent,
            "ReturnConsumedCapacity": "TOTAL",
        });
        for _ in 0..2 {
            let got = db.ok("Query", body.clone()).await;
            assert_eq!(got["Count"], 0);
            assert_eq!(got["ConsumedCapacity"], json!({"TableName": NUMBERS, "CapacityUnits": units}));
        }
    }
}

/// INDEXES tells the table's share and each index's; an index that is not touched costs nothing.
async fn index_writes_are_charged_by_index(db: Ask) {
    let put = |item: Value| json!({"TableName": INDEXED, "Item": item, "ReturnConsumedCapacity": "INDEXES"});
    let bare = json!({"p": {"S": "capacity-index"}, "s": {"S": "1"}});
    let got = db.ok("PutItem", put(bare)).await["ConsumedCapacity"].clone();
    assert_eq!(got["CapacityUnits"], 1.0);
    assert_eq!(got["Table"]["CapacityUnits"], 1.0);
    assert_eq!(got.get("GlobalSecondaryIndexes"), None);
    let item =
        json!({"p": {"S": "capacity-index"}, "s": {"S": "2"}, "g": {"S": "capacity"}, "l": {"N": "1"}});
    let got = db.ok("PutItem", put(item)).await["ConsumedCapacity"].clone();
    assert_eq!(got["CapacityUnits"], 5.0, "{got}");
    assert_eq!(got["GlobalSecondaryIndexes"]["global-all"]["CapacityUnits"], 1.0);
    assert_eq!(got["GlobalSecondaryIndexes"].as_object().map(|indexes| indexes.len()), Some(1));
    assert_eq!(got["LocalSecondaryIndexes"].as_object().map(|indexes| indexes.len()), Some(3));
    let query = json!({"TableName": INDEXED, "IndexName": "global-all", "KeyConditionExpression": "g = :g",
                       "ExpressionAttributeValues": {":g": {"S": "capacity"}}, "ReturnConsumedCapacity": "INDEXES"});
    for _ in 0..2 {
        let got = db.ok("Query", query.clone()).await["ConsumedCapacity"].clone();
        assert_eq!(got["CapacityUnits"], 0.5);
        assert_eq!(got["GlobalSecondaryIndexes"]["global-all"]["CapacityUnits"], 0.5);
    }
}

/// A list, one entry per table.
async fn a_batch_is_charged_by_table(db: Ask) {
    let item = json!({"p": {"S": "capacity-batch"}});
    let number = json!({"p": {"S": "capacity-batch"}, "s": {"N": "1"}});
    let got = db
        .ok(
            "BatchWriteItem",
            json!({"ReturnConsumedCapacity": "TOTAL", "RequestItems": {
            PLAIN: [{"PutRequest": {"Item": item}}], NUMBERS: [{"PutRequest": {"Item": number}}]}}),
        )
        .await;
    let units = |list: &Value| {
        let mut list: Vec<_> = list
            .as_array()
            .expect("a list of tables")
            .iter()
            .map(|one| (one["TableName"].as_str().unwrap_or("?").to_owned(), one["CapacityUnits"].as_f64()))
            .collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    };
    let both = |each: f64| vec![(NUMBERS.to_owned(), Some(each)), (PLAIN.to_owned(), Some(each))];
    assert_eq!(units(&got["ConsumedCapacity"]), both(1.0));
    let read = json!({"ReturnConsumedCapacity": "TOTAL", "RequestItems": {
        PLAIN: {"Keys": [item]}, NUMBERS: {"Keys": [number]}}});
    for _ in 0..2 {
        assert_eq!(units(&db.ok("BatchGetItem", read.clone()).await["ConsumedCapacity"]), both(0.5));
    }
}

/// Two phases, twice the units.
async fn a_transaction_costs_double(db: Ask) {
    let write = json!({"ReturnConsumedCapacity": "TOTAL", "TransactItems": [
        {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "capacity-transact"}}}}]});
    let got = db.ok("TransactWriteItems", write).await["ConsumedCapacity"].clone();
    assert_eq!(got[0]["TableName"], PLAIN);
    assert_eq!(got[0]["CapacityUnits"], 2.0);
    let read = json!({"ReturnConsumedCapacity": "TOTAL", "TransactItems": [
        {"Get": {"TableName": PLAIN, "Key": {"p": {"S": "capacity-transact"}}}}]});
    assert_eq!(db.ok("TransactGetItems", read).await["ConsumedCapacity"][0]["CapacityUnits"], 2.0);
}

/// NONE and nothing are the same.
async fn what_is_not_asked_is_not_told(db: Ask) {
    for capacity in [None, Some("NONE")] {
        let mut body = json!({"TableName": PLAIN, "Item": {"p": {"S": "capacity-none"}}});
        if let Some(capacity) = capacity {
            body["ReturnConsumedCapacity"] = json!(capacity);
        }
        assert_eq!(db.ok("PutItem", body).await, json!({}));
    }
}

/// SIZE, on a table with local indexes only.
async fn collections_are_told_where_local_indexes_are(db: Ask) {
    let put = |table: &str, item: Value| json!({"TableName": table, "Item": item, "ReturnItemCollectionMetrics": "SIZE"});
    let got =
        db.ok("PutItem", put(INDEXED, json!({"p": {"S": "capacity-collection"}, "s": {"S": "1"}}))).await;
    let metrics = &got["ItemCollectionMetrics"];
    assert_eq!(metrics["ItemCollectionKey"], json!({"p": {"S": "capacity-collection"}}));
    assert_eq!(metrics["SizeEstimateRangeGB"].as_array().map(Vec::len), Some(2));
    let got = db.ok("PutItem", put(PLAIN, json!({"p": {"S": "capacity-collection"}}))).await;
    assert_eq!(got, json!({}));
}
