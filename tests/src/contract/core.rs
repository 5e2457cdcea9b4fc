//! Core behaviour: what any client needs on its first day.

use serde_json::json;

use super::cases;
use super::tables::{INDEXED, NUMBERS, PLAIN};
use crate::ask::Ask;

cases![
    a_put_item_is_read_back_whole,
    an_absent_item_is_an_answer_without_an_item,
    a_put_replaces_the_whole_item,
    a_deleted_item_is_gone_and_deleting_again_is_fine,
    an_eventual_read_follows_the_write_it_follows,
    an_update_makes_and_changes_items,
    a_failed_condition_changes_nothing,
    a_query_answers_a_partition_in_order,
    a_query_follows_every_write,
    a_query_pages_by_limit,
    a_batch_writes_and_reads,
    a_transaction_is_whole,
    an_index_follows_its_items,
    every_type_of_value_survives,
    an_unknown_table_is_not_found,
    a_table_is_described_and_listed,
];

/// The simplest promise of a database.
async fn a_put_item_is_read_back_whole(db: Ask) {
    let item = json!({"p": {"S": "core-put"}, "v": {"N": "1"}, "t": {"S": "text"}});
    assert_eq!(db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await, json!({}));
    for consistent in [true, false, false] {
        let got = db
            .ok(
                "GetItem",
                json!({"TableName": PLAIN, "Key": {"p": {"S": "core-put"}}, "ConsistentRead": consistent}),
            )
            .await;
        assert_eq!(got, json!({"Item": item}));
    }
}

/// Clients tell absence by the missing member, not by an error.
async fn an_absent_item_is_an_answer_without_an_item(db: Ask) {
    for _ in 0..3 {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "core-absent"}}})).await;
        assert_eq!(got, json!({}));
    }
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "core-absent"}}})).await;
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "core-absent"}}})).await;
    assert_eq!(got, json!({"Item": {"p": {"S": "core-absent"}}}), "an absence that was remembered must go");
}

/// A put is no merge.
async fn a_put_replaces_the_whole_item(db: Ask) {
    let key = json!({"p": {"S": "core-replace"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "core-replace"}, "a": {"S": "1"}}}))
        .await;
    db.ok("GetItem", json!({"TableName": PLAIN, "Key": key})).await;
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "core-replace"}, "b": {"S": "2"}}}))
        .await;
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": key})).await;
    assert_eq!(got["Item"], json!({"p": {"S": "core-replace"}, "b": {"S": "2"}}));
}

/// Deleting is idempotent, so that it can be retried.
async fn a_deleted_item_is_gone_and_deleting_again_is_fine(db: Ask) {
    let key = json!({"p": {"S": "core-delete"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": key})).await;
    db.ok("GetItem", json!({"TableName": PLAIN, "Key": key})).await;
    for _ in 0..2 {
        assert_eq!(db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": key})).await, json!({}));
        assert_eq!(db.ok("GetItem", json!({"TableName": PLAIN, "Key": key})).await, json!({}));
    }
}

/// One node, one caller: what it was acknowledged it sees, also where a cache answers.
async fn an_eventual_read_follows_the_write_it_follows(db: Ask) {
    let key = json!({"p": {"S": "core-follow"}});
    for round in 0..40 {
        let item = json!({"p": {"S": "core-follow"}, "n": {"N": round.to_string()}});
        db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
        for _ in 0..2 {
            assert_eq!(db.ok("GetItem", json!({"TableName": PLAIN, "Key": key})).await["Item"], item);
        }
    }
}

/// Counters are the commonest update.
async fn an_update_makes_and_changes_items(db: Ask) {
    let update = json!({
        "TableName": PLAIN, "Key": {"p": {"S": "core-update"}},
        "UpdateExpression": "ADD #n :one SET t = :t",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":t": {"S": "x"}},
        "ReturnValues": "ALL_NEW",
    });
    for round in 1..=3 {
        let got = db.ok("UpdateItem", update.clone()).await;
        assert_eq!(
            got["Attributes"],
            json!({"p": {"S": "core-update"}, "n": {"N": round.to_string()}, "t": {"S": "x"}})
        );
        let read = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "core-update"}}})).await;
        assert_eq!(read["Item"], got["Attributes"]);
    }
}

/// Optimistic locking stands on it.
async fn a_failed_condition_changes_nothing(db: Ask) {
    let put = |version: &str| {
        json!({
            "TableName": PLAIN, "Item": {"p": {"S": "core-condition"}, "v": {"S": version}},
            "ConditionExpression": "attribute_not_exists(p)",
        })
    };
    db.ok("PutItem", put("first")).await;
    db.refuses("PutItem", put("second"), "ConditionalCheckFailedException", "The conditional request failed")
        .await;
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "core-condition"}}})).await;
    assert_eq!(got["Item"]["v"], json!({"S": "first"}));
}

/// Numbers sort as numbers, and the partition's own order is the answer's.
async fn a_query_answers_a_partition_in_order(db: Ask) {
    for sort in ["10", "9", "-1", "0.5", "1e2", "-1.5"] {
        db.ok("PutItem", json!({"TableName": NUMBERS, "Item": {"p": {"S": "core-order"}, "s": {"N": sort}}}))
            .await;
    }
    let query = |forward: bool| {
        json!({
            "TableName": NUMBERS, "KeyConditionExpression": "p = :p", "ScanIndexForward": forward,
            "ExpressionAttributeValues": {":p": {"S": "core-order"}},
        })
    };
    let sorted = ["-1.5", "-1", "0.5", "9", "10", "100"];
    for _ in 0..2 {
        let got = db.ok("Query", query(true)).await;
        assert_eq!((&got["Count"], &got["ScannedCount"]), (&json!(6), &json!(6)));
        assert_eq!(numbers(&got), sorted);
        let mut backward = numbers(&db.ok("Query", query(false)).await);
        backward.reverse();
        assert_eq!(backward, sorted);
    }
}

/// The page of a partition is never older than an acknowledged write to it: put, update and delete.
async fn a_query_follows_every_write(db: Ask) {
    let query = json!({
        "TableName": NUMBERS, "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "core-query-follow"}},
    });
    assert_eq!(db.ok("Query", query.clone()).await["Count"], 0);
    for round in 1..=10 {
        let key = json!({"p": {"S": "core-query-follow"}, "s": {"N": round.to_string()}});
        db.ok("PutItem", json!({"TableName": NUMBERS, "Item": key})).await;
        for _ in 0..2 {
            assert_eq!(db.ok("Query", query.clone()).await["Count"], round);
        }
        db.ok(
            "UpdateItem",
            json!({"TableName": NUMBERS, "Key": key, "UpdateExpression": "SET a = :r",
                   "ExpressionAttributeValues": {":r": {"N": round.to_string()}}}),
        )
        .await;
        let got = db.ok("Query", query.clone()).await;
        assert_eq!(got["Items"][round - 1]["a"], json!({"N": round.to_string()}));
    }
    db.ok(
        "DeleteItem",
        json!({"TableName": NUMBERS, "Key": {"p": {"S": "core-query-follow"}, "s": {"N": "5"}}}),
    )
    .await;
    assert_eq!(db.ok("Query", query).await["Count"], 9);
}

/// Paging by limit gives every item once, in order, and ends.
async fn a_query_pages_by_limit(db: Ask) {
    for sort in 0..7 {
        db.ok(
            "PutItem",
            json!({"TableName": NUMBERS, "Item": {"p": {"S": "core-page"}, "s": {"N": sort.to_string()}}}),
        )
        .await;
    }
    let mut seen = Vec::new();
    let mut start = None;
    for _ in 0..10 {
        let mut query = json!({
            "TableName": NUMBERS, "KeyConditionExpression": "p = :p", "Limit": 3,
            "ExpressionAttributeValues": {":p": {"S": "core-page"}},
        });
        if let Some(start) = start {
            query["ExclusiveStartKey"] = start;
        }
        let got = db.ok("Query", query).await;
        seen.extend(numbers(&got));
        start = got.get("LastEvaluatedKey").cloned();
        if start.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
    assert_eq!(start, None, "paging ends");
}

/// Batches carry most bulk work.
async fn a_batch_writes_and_reads(db: Ask) {
    let puts: Vec<_> = (0..25)
        .map(|n| json!({"PutRequest": {"Item": {"p": {"S": format!("core-batch-{n}")}, "n": {"N": n.to_string()}}}}))
        .collect();
    let got = db.ok("BatchWriteItem", json!({"RequestItems": {PLAIN: puts}})).await;
    assert_eq!(got, json!({"UnprocessedItems": {}}));
    let keys: Vec<_> = (0..26).map(|n| json!({"p": {"S": format!("core-batch-{n}")}})).collect();
    for _ in 0..2 {
        let got = db.ok("BatchGetItem", json!({"RequestItems": {PLAIN: {"Keys": keys}}})).await;
        assert_eq!(got["UnprocessedKeys"], json!({}));
        let mut found: Vec<u32> = got["Responses"][PLAIN]
            .as_array()
            .expect("a list of items")
            .iter()
            .map(|item| item["n"]["N"].as_str().expect("a number").parse().expect("a small number"))
            .collect();
        found.sort_unstable();
        assert_eq!(found, (0..25).collect::<Vec<_>>(), "the key without an item is left out");
    }
}

/// All of a transaction or nothing.
async fn a_transaction_is_whole(db: Ask) {
    let both = |first: &str, condition: &str| {
        json!({"TransactItems": [
            {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "core-transact-1"}, "v": {"S": first}}}},
            {"Put": {"TableName": NUMBERS, "Item": {"p": {"S": "core-transact-2"}, "s": {"N": "1"}, "v": {"S": first}},
                     "ConditionExpression": condition}},
        ]})
    };
    assert_eq!(db.ok("TransactWriteItems", both("one", "attribute_not_exists(p)")).await, json!({}));
    let refusal = db.refused("TransactWriteItems", both("two", "attribute_not_exists(p)")).await;
    assert_eq!(refusal.kind, "TransactionCanceledException");
    let got = db
        .ok(
            "TransactGetItems",
            json!({"TransactItems": [
                {"Get": {"TableName": PLAIN, "Key": {"p": {"S": "core-transact-1"}}}},
                {"Get": {"TableName": NUMBERS, "Key": {"p": {"S": "core-transact-2"}, "s": {"N": "1"}}}},
            ]}),
        )
        .await;
    assert_eq!(got["Responses"][0]["Item"]["v"], json!({"S": "one"}));
    assert_eq!(got["Responses"][1]["Item"]["v"], json!({"S": "one"}));
}

/// An index entry comes, moves and goes with its item.
async fn an_index_follows_its_items(db: Ask) {
    let query = |value: &str| {
        json!({
            "TableName": INDEXED, "IndexName": "global-all", "KeyConditionExpression": "g = :g",
            "ExpressionAttributeValues": {":g": {"S": value}},
        })
    };
    let key = json!({"p": {"S": "core-index"}, "s": {"S": "1"}});
    let put = json!({"p": {"S": "core-index"}, "s": {"S": "1"}, "g": {"S": "core-index-a"}});
    assert_eq!(db.ok("Query", query("core-index-a")).await["Count"], 0);
    db.ok("PutItem", json!({"TableName": INDEXED, "Item": put})).await;
    assert_eq!(db.ok("Query", query("core-index-a")).await["Items"], json!([put]));
    assert_eq!(db.ok("Query", query("core-index-b")).await["Count"], 0);
    db.ok(
        "UpdateItem",
        json!({"TableName": INDEXED, "Key": key, "UpdateExpression": "SET g = :g",
               "ExpressionAttributeValues": {":g": {"S": "core-index-b"}}}),
    )
    .await;
    assert_eq!(db.ok("Query", query("core-index-a")).await["Count"], 0);
    assert_eq!(db.ok("Query", query("core-index-b")).await["Count"], 1);
    db.ok("DeleteItem", json!({"TableName": INDEXED, "Key": key})).await;
    assert_eq!(db.ok("Query", query("core-index-b")).await["Count"], 0);
}

/// Ten types, nested, exact.
async fn every_type_of_value_survives(db: Ask) {
    let item = json!({
        "p": {"S": "core-types"}, "s": {"S": "žluťoučký 🐎"}, "empty": {"S": ""}, "n": {"N": "-0.0000000000000000000123"},
        "b": {"B": "AAEC/w=="}, "nob": {"B": ""}, "yes": {"BOOL": true}, "no": {"BOOL": false}, "null": {"NULL": true},
        "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["AA==", "AQ=="]},
        "m": {"M": {"l": {"L": [{"S": "x"}, {"M": {}}, {"L": []}, {"NULL": true}]}}},
    });
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    for _ in 0..2 {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "core-types"}}})).await;
        assert_eq!(got["Item"], item);
    }
}

/// The first mistake anyone makes.
async fn an_unknown_table_is_not_found(db: Ask) {
    let key = json!({"p": {"S": "x"}});
    for (op, body) in [
        ("GetItem", json!({"TableName": "core-no-table", "Key": key})),
        ("PutItem", json!({"TableName": "core-no-table", "Item": key})),
        ("UpdateItem", json!({"TableName": "core-no-table", "Key": key})),
        ("DeleteItem", json!({"TableName": "core-no-table", "Key": key})),
        ("Scan", json!({"TableName": "core-no-table"})),
        ("BatchGetItem", json!({"RequestItems": {"core-no-table": {"Keys": [key]}}})),
        ("BatchWriteItem", json!({"RequestItems": {"core-no-table": [{"DeleteRequest": {"Key": key}}]}})),
    ] {
        db.refuses(op, body, "ResourceNotFoundException", "Requested resource not found").await;
    }
    for op in ["DescribeTable", "DeleteTable"] {
        let message = "Requested resource not found: Table: core-no-table not found";
        db.refuses(op, json!({"TableName": "core-no-table"}), "ResourceNotFoundException", message).await;
    }
}

/// What a console or a client's waiter asks first.
async fn a_table_is_described_and_listed(db: Ask) {
    let table = db.ok("DescribeTable", json!({"TableName": NUMBERS})).await["Table"].clone();
    assert_eq!(table["TableName"], NUMBERS);
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["KeySchema"],
        json!([{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}])
    );
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert!(table["TableArn"].as_str().is_some_and(|arn| arn.ends_with(&format!(":table/{NUMBERS}"))));
    assert!(table["TableId"].as_str().is_some_and(|id| id.len() == 36));
    assert!(table["CreationDateTime"].is_number());
    let listed = db.ok("ListTables", json!({})).await;
    assert!(listed["TableNames"].as_array().is_some_and(|names| names.contains(&json!(NUMBERS))));
}

/// The sort keys of a page, in its order.
fn numbers(page: &serde_json::Value) -> Vec<String> {
    let items = page["Items"].as_array().expect("a list of items");
    items.iter().map(|item| item["s"]["N"].as_str().unwrap_or_default().to_owned()).collect()
}
