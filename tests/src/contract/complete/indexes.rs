//! Local and global indexes: what is in them, what they give back, how they are paged.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::INDEXED;

cases![
    a_projection_decides_what_an_index_gives,
    an_item_without_the_key_is_not_in_the_index,
    an_item_leaves_the_index_with_its_attribute,
    equal_index_keys_stand_side_by_side,
    an_index_is_paged_with_both_keys,
    a_local_index_fetches_what_it_lacks,
    a_global_index_refuses_what_it_lacks,
    a_global_index_is_never_read_strongly,
    an_index_key_of_the_wrong_type_is_refused,
    an_unknown_index_is_refused,
    a_scan_of_an_index_gives_its_items,
    every_way_of_writing_reaches_the_index,
    an_update_of_a_projected_attribute_reaches_the_index,
    an_index_orders_by_its_sort_key,
];

async fn put(db: &Ask, p: &str, s: &str, mut item: Value) -> Value {
    item["p"] = json!({"S": p});
    item["s"] = json!({"S": s});
    db.ok("PutItem", json!({"TableName": INDEXED, "Item": item})).await;
    item
}

fn by_p(index: &str, p: &str) -> Value {
    json!({"TableName": INDEXED, "IndexName": index, "KeyConditionExpression": "p = :p",
           "ExpressionAttributeValues": {":p": {"S": p}}})
}

fn by_g(index: &str, g: &str) -> Value {
    json!({"TableName": INDEXED, "IndexName": index, "KeyConditionExpression": "g = :g",
           "ExpressionAttributeValues": {":g": {"S": g}}})
}

fn by_h(h: &str) -> Value {
    json!({"TableName": INDEXED, "IndexName": "global-some", "KeyConditionExpression": "h = :h",
           "ExpressionAttributeValues": {":h": {"N": h}}})
}

/// ALL, KEYS_ONLY, INCLUDE; table keys are always in.
async fn a_projection_decides_what_an_index_gives(db: Ask) {
    let whole = json!({"l": {"N": "1"}, "g": {"S": "index-projection"}, "h": {"N": "70001"}, "x": {"S": "x"}, "y": {"S": "y"}});
    let whole = put(&db, "index-projection", "1", whole).await;
    let part = |names: &[&str]| {
        Value::Object(names.iter().map(|name| ((*name).to_owned(), whole[*name].clone())).collect())
    };
    for (query, expected) in [
        (by_p("local-all", "index-projection"), whole.clone()),
        (by_p("local-keys", "index-projection"), part(&["p", "s", "l"])),
        (by_p("local-some", "index-projection"), part(&["p", "s", "l", "x"])),
        (by_g("global-all", "index-projection"), whole.clone()),
        (by_g("global-keys", "index-projection"), part(&["p", "s", "g", "h"])),
        (by_h("70001"), part(&["p", "s", "h", "x"])),
    ] {
        for _ in 0..2 {
            assert_eq!(db.ok("Query", query.clone()).await["Items"], json!([expected]), "{query}");
        }
    }
}

/// Sparse indexes: one missing key attribute of two is enough to be left out.
async fn an_item_without_the_key_is_not_in_the_index(db: Ask) {
    put(&db, "index-sparse", "1", json!({"g": {"S": "index-sparse"}})).await;
    put(&db, "index-sparse", "2", json!({"g": {"S": "index-sparse"}, "h": {"N": "1"}})).await;
    put(&db, "index-sparse", "3", json!({"l": {"N": "1"}})).await;
    assert_eq!(db.ok("Query", by_g("global-all", "index-sparse")).await["Count"], 2);
    assert_eq!(db.ok("Query", by_g("global-keys", "index-sparse")).await["Count"], 1);
    assert_eq!(db.ok("Query", by_p("local-all", "index-sparse")).await["Count"], 1);
}

/// REMOVE of an index key takes the entry out, and setting it puts it back.
async fn an_item_leaves_the_index_with_its_attribute(db: Ask) {
    put(&db, "index-leave", "1", json!({"g": {"S": "index-leave"}, "l": {"N": "1"}})).await;
    let update = |expression: &str, values: Option<Value>| {
        let mut body = json!({"TableName": INDEXED, "Key": {"p": {"S": "index-leave"}, "s": {"S": "1"}},
                              "UpdateExpression": expression});
        if let Some(values) = values {
            body["ExpressionAttributeValues"] = values;
        }
        body
    };
    let count = async |expected: u64| {
        assert_eq!(db.ok("Query", by_g("global-all", "index-leave")).await["Count"], expected);
        assert_eq!(db.ok("Query", by_p("local-keys", "index-leave")).await["Count"], expected);
    };
    count(1).await;
    db.ok("UpdateItem", update("REMOVE g, l", None)).await;
    count(0).await;
    let values = json!({":g": {"S": "index-leave"}, ":l": {"N": "2"}});
    db.ok("UpdateItem", update("SET g = :g, l = :l", Some(values))).await;
    count(1).await;
}

/// An index key is not unique.
async fn equal_index_keys_stand_side_by_side(db: Ask) {
    for n in 0..5 {
        put(&db, &format!("index-equal-{n}"), "1", json!({"g": {"S": "index-equal"}, "h": {"N": "1"}})).await;
    }
    assert_eq!(db.ok("Query", by_g("global-all", "index-equal")).await["Count"], 5);
    assert_eq!(db.ok("Query", by_g("global-keys", "index-equal")).await["Count"], 5);
    let delete = json!({"TableName": INDEXED, "Key": {"p": {"S": "index-equal-3"}, "s": {"S": "1"}}});
    db.ok("DeleteItem", delete).await;
    assert_eq!(db.ok("Query", by_g("global-all", "index-equal")).await["Count"], 4);
}

/// The start key of an index names index key and table key, so that equal index keys page too.
async fn an_index_is_paged_with_both_keys(db: Ask) {
    for n in 0..7 {
        put(
            &db,
            &format!("index-page-{n}"),
            "1",
            json!({"g": {"S": "index-page"}, "h": {"N": (n / 3).to_string()}}),
        )
        .await;
    }
    let mut found = std::collections::BTreeSet::new();
    let mut body = by_g("global-keys", "index-page");
    body["Limit"] = json!(2);
    for _ in 0..10 {
        let got = db.ok("Query", body.clone()).await;
        for item in got["Items"].as_array().expect("a list of items") {
            assert!(found.insert(item["p"]["S"].as_str().expect("a key").to_owned()), "an item came twice");
        }
        let Some(last) = got.get("LastEvaluatedKey") else { break };
        let mut names: Vec<_> = last.as_object().expect("a key").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["g", "h", "p", "s"]);
        body["ExclusiveStartKey"] = last.clone();
    }
    assert_eq!(found.len(), 7);
}

/// A local index reads the table for attributes that are not projected.
async fn a_local_index_fetches_what_it_lacks(db: Ask) {
    let whole = put(&db, "index-fetch", "1", json!({"l": {"N": "1"}, "y": {"S": "y"}})).await;
    let mut body = by_p("local-keys", "index-fetch");
    body["ProjectionExpression"] = json!("y");
    assert_eq!(db.ok("Query", body).await["Items"], json!([{"y": {"S": "y"}}]));
    let mut body = by_p("local-keys", "index-fetch");
    body["Select"] = json!("ALL_ATTRIBUTES");
    assert_eq!(db.ok("Query", body).await["Items"], json!([whole]));
}

/// A global one does not.
async fn a_global_index_refuses_what_it_lacks(db: Ask) {
    let mut body = by_g("global-keys", "index-lacks");
    body["Select"] = json!("ALL_ATTRIBUTES");
    db.invalid(
        "Query",
        body,
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index \
         global-keys because its projection type is not ALL",
    )
    .await;
}

/// Global indexes are eventual by nature.
async fn a_global_index_is_never_read_strongly(db: Ask) {
    let mut body = by_g("global-all", "index-strong");
    body["ConsistentRead"] = json!(true);
    db.invalid("Query", body, "Consistent reads are not supported on global secondary indexes").await;
    let body = json!({"TableName": INDEXED, "IndexName": "global-all", "ConsistentRead": true});
    db.invalid("Scan", body, "Consistent reads are not supported on global secondary indexes").await;
}

/// An index key has a type, and an item may not break it.
async fn an_index_key_of_the_wrong_type_is_refused(db: Ask) {
    let item = json!({"p": {"S": "index-type"}, "s": {"S": "1"}, "g": {"N": "1"}});
    db.invalid(
        "PutItem",
        json!({"TableName": INDEXED, "Item": item}),
        "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: global-all",
    )
    .await;
    let got = db
        .ok("GetItem", json!({"TableName": INDEXED, "Key": {"p": {"S": "index-type"}, "s": {"S": "1"}}}))
        .await;
    assert_eq!(got, json!({}));
}

/// A typing error in an index's name.
async fn an_unknown_index_is_refused(db: Ask) {
    db.invalid("Query", by_p("local-none", "x"), "The table does not have the specified index: local-none")
        .await;
    let body = json!({"TableName": INDEXED, "IndexName": "global-none"});
    db.invalid("Scan", body, "The table does not have the specified index: global-none").await;
}

/// A scan of an index, whole and by pages.
async fn a_scan_of_an_index_gives_its_items(db: Ask) {
    for n in 0..5 {
        put(
            &db,
            "index-scan",
            &n.to_string(),
            json!({"g": {"S": format!("index-scan-{n}")}, "x": {"S": "index-scan"}}),
        )
        .await;
    }
    put(&db, "index-scan", "none", json!({"x": {"S": "index-scan"}})).await;
    for limit in [None, Some(2)] {
        let mut body = json!({"TableName": INDEXED, "IndexName": "global-all", "FilterExpression": "x = :x",
                              "ExpressionAttributeValues": {":x": {"S": "index-scan"}}});
        if let Some(limit) = limit {
            body["Limit"] = json!(limit);
        }
        let mut count = 0;
        for _ in 0..1000 {
            let got = db.ok("Scan", body.clone()).await;
            count += got["Count"].as_u64().expect("a count");
            match got.get("LastEvaluatedKey") {
                Some(key) => body["ExclusiveStartKey"] = key.clone(),
                None => break,
            }
        }
        assert_eq!(count, 5);
    }
}

/// Put, update, batch, transaction, and the delete of each.
async fn every_way_of_writing_reaches_the_index(db: Ask) {
    let item =
        |n: u32| json!({"p": {"S": "index-ways"}, "s": {"S": n.to_string()}, "g": {"S": "index-ways"}});
    let key = |n: u32| json!({"p": {"S": "index-ways"}, "s": {"S": n.to_string()}});
    db.ok("PutItem", json!({"TableName": INDEXED, "Item": item(1)})).await;
    db.ok(
        "UpdateItem",
        json!({"TableName": INDEXED, "Key": key(2), "UpdateExpression": "SET g = :g",
               "ExpressionAttributeValues": {":g": {"S": "index-ways"}}}),
    )
    .await;
    db.ok("BatchWriteItem", json!({"RequestItems": {INDEXED: [{"PutRequest": {"Item": item(3)}}]}})).await;
    db.ok("TransactWriteItems", json!({"TransactItems": [{"Put": {"TableName": INDEXED, "Item": item(4)}}]}))
        .await;
    let count = async || db.ok("Query", by_g("global-all", "index-ways")).await["Count"].clone();
    assert_eq!(count().await, 4);
    db.ok("DeleteItem", json!({"TableName": INDEXED, "Key": key(1)})).await;
    assert_eq!(count().await, 3);
    db.ok("BatchWriteItem", json!({"RequestItems": {INDEXED: [{"DeleteRequest": {"Key": key(2)}}]}})).await;
    assert_eq!(count().await, 2);
    db.ok(
        "TransactWriteItems",
        json!({"TransactItems": [{"Delete": {"TableName": INDEXED, "Key": key(3)}}]}),
    )
    .await;
    assert_eq!(count().await, 1);
    db.ok("PutItem", json!({"TableName": INDEXED, "Item": key(4)})).await;
    assert_eq!(count().await, 0);
}

/// The entry's place stays, its content changes.
async fn an_update_of_a_projected_attribute_reaches_the_index(db: Ask) {
    put(
        &db,
        "index-content",
        "1",
        json!({"g": {"S": "index-content"}, "h": {"N": "70002"}, "x": {"S": "old"}}),
    )
    .await;
    let got = db.ok("Query", by_h("70002")).await;
    assert_eq!(got["Items"][0]["x"], json!({"S": "old"}));
    let update = json!({"TableName": INDEXED, "Key": {"p": {"S": "index-content"}, "s": {"S": "1"}},
                        "UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "new"}}});
    db.ok("UpdateItem", update).await;
    assert_eq!(db.ok("Query", by_h("70002")).await["Items"][0]["x"], json!({"S": "new"}));
    assert_eq!(
        db.ok("Query", by_g("global-all", "index-content")).await["Items"][0]["x"],
        json!({"S": "new"})
    );
}

/// A local index orders its partition by its own sort key, in both directions, with ranges.
async fn an_index_orders_by_its_sort_key(db: Ask) {
    for (s, l) in [("a", "30"), ("b", "-2"), ("c", "5")] {
        put(&db, "index-order", s, json!({"l": {"N": l}})).await;
    }
    let sorts = |page: &Value| {
        let items = page["Items"].as_array().expect("a list of items");
        items.iter().map(|item| item["s"]["S"].as_str().expect("a key").to_owned()).collect::<String>()
    };
    assert_eq!(sorts(&db.ok("Query", by_p("local-all", "index-order")).await), "bca");
    let mut body = by_p("local-all", "index-order");
    body["ScanIndexForward"] = json!(false);
    body["KeyConditionExpression"] = json!("p = :p AND l > :l");
    body["ExpressionAttributeValues"][":l"] = json!({"N": "0"});
    assert_eq!(sorts(&db.ok("Query", body).await), "ac");
}
