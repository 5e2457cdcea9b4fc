//! TransactWriteItems and TransactGetItems: all or nothing, reasons, tokens.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{INDEXED, NUMBERS, PLAIN};

cases![
    four_actions_in_one,
    the_reasons_stand_in_the_order_of_the_actions,
    a_reason_carries_the_item_where_asked,
    a_cancelled_transaction_touches_no_index,
    an_item_may_appear_only_once,
    a_token_makes_a_retry_idempotent,
    a_token_of_another_request_is_refused,
    a_transaction_reads_one_moment,
    a_transaction_reads_projected,
    more_than_a_hundred_are_refused,
    an_action_must_be_one_thing,
    an_update_in_a_transaction_is_an_update,
];

async fn read(db: &Ask, p: &str) -> Value {
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": p}}})).await;
    got.get("Item").cloned().unwrap_or(Value::Null)
}

async fn put(db: &Ask, p: &str, v: &str) {
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": p}, "v": {"N": v}}})).await;
}

/// Put, Update, Delete and ConditionCheck.
async fn four_actions_in_one(db: Ask) {
    put(&db, "transact-four-2", "1").await;
    put(&db, "transact-four-3", "1").await;
    put(&db, "transact-four-4", "1").await;
    let body = json!({"TransactItems": [
        {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "transact-four-1"}}}},
        {"Update": {"TableName": PLAIN, "Key": {"p": {"S": "transact-four-2"}}, "UpdateExpression": "ADD v :v",
                    "ExpressionAttributeValues": {":v": {"N": "5"}}}},
        {"Delete": {"TableName": PLAIN, "Key": {"p": {"S": "transact-four-3"}}}},
        {"ConditionCheck": {"TableName": PLAIN, "Key": {"p": {"S": "transact-four-4"}}, "ConditionExpression": "v = :v",
                            "ExpressionAttributeValues": {":v": {"N": "1"}}}},
    ]});
    assert_eq!(db.ok("TransactWriteItems", body).await, json!({}));
    assert_eq!(read(&db, "transact-four-1").await, json!({"p": {"S": "transact-four-1"}}));
    assert_eq!(read(&db, "transact-four-2").await["v"], json!({"N": "6"}));
    assert_eq!(read(&db, "transact-four-3").await, Value::Null);
    assert_eq!(read(&db, "transact-four-4").await["v"], json!({"N": "1"}));
}

/// Clients find by position which action stood in the way.
async fn the_reasons_stand_in_the_order_of_the_actions(db: Ask) {
    put(&db, "transact-reasons", "1").await;
    let check = |condition: &str| json!({"ConditionCheck": {"TableName": PLAIN, "Key": {"p": {"S": "transact-reasons"}}, "ConditionExpression": condition}});
    let put = |p: &str, condition: &str| json!({"Put": {"TableName": PLAIN, "Item": {"p": {"S": p}}, "ConditionExpression": condition}});
    let body = json!({"TransactItems": [
        put("transact-reasons-1", "attribute_not_exists(p)"),
        check("attribute_not_exists(p)"),
        put("transact-reasons-3", "attribute_exists(p)"),
    ]});
    let refusal = db.refused("TransactWriteItems", body).await;
    assert_eq!(refusal.kind, "TransactionCanceledException");
    assert_eq!(
        refusal.message,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, \
         ConditionalCheckFailed]"
    );
    let failed = json!({"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"});
    assert_eq!(refusal.body["CancellationReasons"], json!([{"Code": "None"}, failed, failed]));
    assert_eq!(read(&db, "transact-reasons-1").await, Value::Null);
}

/// ReturnValuesOnConditionCheckFailure, per action.
async fn a_reason_carries_the_item_where_asked(db: Ask) {
    put(&db, "transact-item", "7").await;
    let body = json!({"TransactItems": [
        {"Update": {"TableName": PLAIN, "Key": {"p": {"S": "transact-item"}}, "UpdateExpression": "SET w = :v",
                    "ConditionExpression": "v > :v", "ExpressionAttributeValues": {":v": {"N": "7"}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
    ]});
    let refusal = db.refused("TransactWriteItems", body).await;
    let reason = &refusal.body["CancellationReasons"][0];
    assert_eq!(reason["Code"], "ConditionalCheckFailed");
    assert_eq!(reason["Item"], json!({"p": {"S": "transact-item"}, "v": {"N": "7"}}));
}

/// Not even an index entry of the actions that would have passed.
async fn a_cancelled_transaction_touches_no_index(db: Ask) {
    let query = json!({"TableName": INDEXED, "IndexName": "global-all", "KeyConditionExpression": "g = :g",
                       "ExpressionAttributeValues": {":g": {"S": "transact-index"}}});
    assert_eq!(db.ok("Query", query.clone()).await["Count"], 0);
    let item = json!({"p": {"S": "transact-index"}, "s": {"S": "1"}, "g": {"S": "transact-index"}});
    let body = |condition: &str| {
        json!({"TransactItems": [
            {"Put": {"TableName": INDEXED, "Item": item}},
            {"ConditionCheck": {"TableName": PLAIN, "Key": {"p": {"S": "transact-index"}}, "ConditionExpression": condition}},
        ]})
    };
    db.refused("TransactWriteItems", body("attribute_exists(p)")).await;
    assert_eq!(db.ok("Query", query.clone()).await["Count"], 0);
    db.ok("TransactWriteItems", body("attribute_not_exists(p)")).await;
    assert_eq!(db.ok("Query", query).await["Count"], 1);
}

/// Two actions on one item have no order.
async fn an_item_may_appear_only_once(db: Ask) {
    let body = json!({"TransactItems": [
        {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "transact-twice"}}}},
        {"Delete": {"TableName": PLAIN, "Key": {"p": {"S": "transact-twice"}}}},
    ]});
    let message = "Transaction request cannot include multiple operations on one item";
    db.invalid("TransactWriteItems", body, message).await;
}

/// A retry with the token of a done transaction does nothing and succeeds.
async fn a_token_makes_a_retry_idempotent(db: Ask) {
    let token = format!("transact-token-{}", db.name());
    let body = json!({"ClientRequestToken": token, "TransactItems": [
        {"Update": {"TableName": PLAIN, "Key": {"p": {"S": "transact-token"}}, "UpdateExpression": "ADD v :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}}}},
    ]});
    for _ in 0..3 {
        db.ok("TransactWriteItems", body.clone()).await;
    }
    assert_eq!(read(&db, "transact-token").await["v"], json!({"N": "1"}));
}

/// A token names one request.
async fn a_token_of_another_request_is_refused(db: Ask) {
    let token = format!("transact-other-{}", db.name());
    let body = |v: &str| {
        json!({"ClientRequestToken": token, "TransactItems": [
            {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "transact-mismatch"}, "v": {"N": v}}}},
        ]})
    };
    db.ok("TransactWriteItems", body("1")).await;
    let refusal = db.refused("TransactWriteItems", body("2")).await;
    assert_eq!(refusal.kind, "IdempotentParameterMismatchException");
    assert_eq!(read(&db, "transact-mismatch").await["v"], json!({"N": "1"}));
}

/// Answers stand in the order of the request, an absent item as an empty one.
async fn a_transaction_reads_one_moment(db: Ask) {
    put(&db, "transact-get", "1").await;
    let get = |p: &str| json!({"Get": {"TableName": PLAIN, "Key": {"p": {"S": p}}}});
    let body = json!({"TransactItems": [get("transact-nobody"), get("transact-get")]});
    let got = db.ok("TransactGetItems", body).await;
    assert_eq!(got, json!({"Responses": [{}, {"Item": {"p": {"S": "transact-get"}, "v": {"N": "1"}}}]}));
}

/// Each action has its own projection.
async fn a_transaction_reads_projected(db: Ask) {
    put(&db, "transact-project", "1").await;
    let body = json!({"TransactItems": [
        {"Get": {"TableName": PLAIN, "Key": {"p": {"S": "transact-project"}}, "ProjectionExpression": "#v",
                 "ExpressionAttributeNames": {"#v": "v"}}},
    ]});
    assert_eq!(db.ok("TransactGetItems", body).await, json!({"Responses": [{"Item": {"v": {"N": "1"}}}]}));
}

/// A hundred pass, one more does not.
async fn more_than_a_hundred_are_refused(db: Ask) {
    let puts = |count: u32| -> Vec<Value> {
        (0..count)
            .map(|n| json!({"Put": {"TableName": NUMBERS, "Item": {"p": {"S": "transact-100"}, "s": {"N": n.to_string()}}}}))
            .collect()
    };
    db.ok("TransactWriteItems", json!({"TransactItems": puts(100)})).await;
    let refusal = db.refused("TransactWriteItems", json!({"TransactItems": puts(101)})).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.contains("Member must have length less than or equal to 100"),
        "{}",
        refusal.message
    );
    let query = json!({"TableName": NUMBERS, "KeyConditionExpression": "p = :p", "Select": "COUNT",
                       "ExpressionAttributeValues": {":p": {"S": "transact-100"}}});
    assert_eq!(db.ok("Query", query).await["Count"], 100);
}

/// None or two of Put, Update, Delete, ConditionCheck in one action.
async fn an_action_must_be_one_thing(db: Ask) {
    let put = json!({"TableName": PLAIN, "Item": {"p": {"S": "transact-one"}}});
    let delete = json!({"TableName": PLAIN, "Key": {"p": {"S": "transact-one"}}});
    for action in [json!({}), json!({"Put": put, "Delete": delete})] {
        let refusal = db.refused("TransactWriteItems", json!({"TransactItems": [action]})).await;
        assert_eq!(refusal.kind, "ValidationException", "{}", refusal.message);
    }
    let refusal = db.refused("TransactWriteItems", json!({"TransactItems": []})).await;
    assert_eq!(refusal.kind, "ValidationException");
}

/// Its faults against the item are reasons too.
async fn an_update_in_a_transaction_is_an_update(db: Ask) {
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "transact-fault"}, "v": {"S": "text"}}}))
        .await;
    let body = json!({"TransactItems": [
        {"Put": {"TableName": PLAIN, "Item": {"p": {"S": "transact-fault-2"}}}},
        {"Update": {"TableName": PLAIN, "Key": {"p": {"S": "transact-fault"}}, "UpdateExpression": "ADD v :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}}}},
    ]});
    let refusal = db.refused("TransactWriteItems", body).await;
    assert_eq!(refusal.kind, "TransactionCanceledException");
    assert_eq!(refusal.body["CancellationReasons"][0]["Code"], "None");
    assert_eq!(refusal.body["CancellationReasons"][1]["Code"], "ValidationError");
    assert_eq!(
        refusal.body["CancellationReasons"][1]["Message"],
        "An operand in the update expression has an incorrect data type"
    );
    assert_eq!(read(&db, "transact-fault-2").await, Value::Null);
}
