//! UpdateItem and the write operations' ReturnValues, clause by clause.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::PLAIN;

cases![
    set_writes_values_and_paths,
    set_reads_the_item_as_it_was,
    arithmetic_is_exact,
    lists_grow_and_shrink,
    remove_takes_attributes_and_elements,
    add_counts_and_joins_sets,
    delete_takes_from_sets_and_drops_empty_ones,
    all_clauses_go_together,
    an_update_without_an_expression_makes_the_item,
    each_return_value_of_an_update,
    each_return_value_of_a_put_and_a_delete,
    a_failed_condition_returns_the_item_where_asked,
    an_update_cannot_change_the_key,
    an_update_of_the_wrong_type_is_refused,
    a_missing_path_is_refused,
    a_refused_update_leaves_no_trace,
    overlapping_paths_are_refused,
];

fn update(key: &str, expression: &str, values: Value) -> Value {
    let mut body = json!({
        "TableName": PLAIN, "Key": {"p": {"S": key}}, "UpdateExpression": expression, "ReturnValues": "ALL_NEW",
    });
    if values != json!({}) {
        body["ExpressionAttributeValues"] = values;
    }
    body
}

async fn put(db: &Ask, key: &str, mut item: Value) {
    item["p"] = json!({"S": key});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
}

async fn read(db: &Ask, key: &str) -> Value {
    let got =
        db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": key}}, "ConsistentRead": true})).await;
    got["Item"].clone()
}

/// SET at the top, in a map, in a list, past a list's end, and by if_not_exists.
async fn set_writes_values_and_paths(db: Ask) {
    put(&db, "update-set", json!({"m": {"M": {"k": {"S": "old"}}}, "l": {"L": [{"N": "0"}, {"N": "1"}]}}))
        .await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-set",
                "SET a = :x, m.k = :x, m.fresh = :x, l[1] = :x, l[9] = :x, b = if_not_exists(b, :x), c = if_not_exists(m.k, :y)",
                json!({":x": {"S": "new"}, ":y": {"S": "unused"}}),
            ),
        )
        .await;
    assert_eq!(
        got["Attributes"],
        json!({
            "p": {"S": "update-set"}, "a": {"S": "new"}, "b": {"S": "new"}, "c": {"S": "old"},
            "m": {"M": {"k": {"S": "new"}, "fresh": {"S": "new"}}},
            "l": {"L": [{"N": "0"}, {"S": "new"}, {"S": "new"}]},
        })
    );
}

/// Every operand is the item before the update, so values can be swapped.
async fn set_reads_the_item_as_it_was(db: Ask) {
    put(&db, "update-swap", json!({"a": {"N": "1"}, "b": {"N": "2"}})).await;
    let got = db.ok("UpdateItem", update("update-swap", "SET a = b, b = a, c = a REMOVE d", json!({}))).await;
    assert_eq!(
        got["Attributes"],
        json!({"p": {"S": "update-swap"}, "a": {"N": "2"}, "b": {"N": "1"}, "c": {"N": "1"}})
    );
}

/// 38 digits, no binary fractions.
async fn arithmetic_is_exact(db: Ask) {
    put(&db, "update-sum", json!({"a": {"N": "0.1"}, "b": {"N": "99999999999999999999999999999999999998"}}))
        .await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-sum",
                "SET a = a + :a, b = b + :b, c = :a - a",
                json!({":a": {"N": "0.2"}, ":b": {"N": "1"}}),
            ),
        )
        .await;
    assert_eq!(got["Attributes"]["a"], json!({"N": "0.3"}));
    assert_eq!(got["Attributes"]["b"], json!({"N": "99999999999999999999999999999999999999"}));
    assert_eq!(got["Attributes"]["c"], json!({"N": "0.1"}));
}

/// list_append on either side.
async fn lists_grow_and_shrink(db: Ask) {
    put(&db, "update-list", json!({"l": {"L": [{"S": "m"}]}})).await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-list",
                "SET l = list_append(:front, l), k = list_append(if_not_exists(k, :none), :front)",
                json!({":front": {"L": [{"S": "f"}]}, ":none": {"L": []}}),
            ),
        )
        .await;
    assert_eq!(got["Attributes"]["l"], json!({"L": [{"S": "f"}, {"S": "m"}]}));
    assert_eq!(got["Attributes"]["k"], json!({"L": [{"S": "f"}]}));
}

/// Elements are taken by the positions they had before.
async fn remove_takes_attributes_and_elements(db: Ask) {
    let list: Vec<_> = (0..5).map(|n| json!({"N": n.to_string()})).collect();
    put(&db, "update-remove", json!({"a": {"S": "x"}, "l": {"L": list}, "m": {"M": {"k": {"S": "x"}}}}))
        .await;
    let got = db
        .ok("UpdateItem", update("update-remove", "REMOVE a, l[0], l[2], l[77], m.k, absent", json!({})))
        .await;
    assert_eq!(
        got["Attributes"],
        json!({"p": {"S": "update-remove"}, "l": {"L": [{"N": "1"}, {"N": "3"}, {"N": "4"}]}, "m": {"M": {}}})
    );
}

/// ADD to nothing, to a number, to each kind of set.
async fn add_counts_and_joins_sets(db: Ask) {
    put(&db, "update-add", json!({"n": {"N": "1"}, "s": {"SS": ["a"]}, "m": {"M": {"n": {"N": "5"}}}})).await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-add",
                "ADD n :two, fresh :two, s :s, ns :ns, bs :bs, m.n :two",
                json!({":two": {"N": "-2"}, ":s": {"SS": ["a", "b"]}, ":ns": {"NS": ["1"]}, ":bs": {"BS": ["AA=="]}}),
            ),
        )
        .await;
    assert_eq!(
        got["Attributes"],
        json!({
            "p": {"S": "update-add"}, "n": {"N": "-1"}, "fresh": {"N": "-2"}, "s": {"SS": ["a", "b"]},
            "ns": {"NS": ["1"]}, "bs": {"BS": ["AA=="]}, "m": {"M": {"n": {"N": "3"}}},
        })
    );
}

/// A set that loses its last element is no attribute any more.
async fn delete_takes_from_sets_and_drops_empty_ones(db: Ask) {
    put(&db, "update-delete", json!({"s": {"SS": ["a", "b"]}, "n": {"NS": ["1"]}})).await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-delete",
                "DELETE s :s, n :n, absent :s",
                json!({":s": {"SS": ["a", "c"]}, ":n": {"NS": ["1.0"]}}),
            ),
        )
        .await;
    assert_eq!(got["Attributes"], json!({"p": {"S": "update-delete"}, "s": {"SS": ["b"]}}));
}

/// The four clauses in one expression, in any order and case.
async fn all_clauses_go_together(db: Ask) {
    put(&db, "update-all", json!({"r": {"S": "x"}, "d": {"SS": ["a", "b"]}})).await;
    let got = db
        .ok(
            "UpdateItem",
            update(
                "update-all",
                "delete d :d remove r add n :n set v = :v",
                json!({":d": {"SS": ["a"]}, ":n": {"N": "7"}, ":v": {"BOOL": true}}),
            ),
        )
        .await;
    assert_eq!(
        got["Attributes"],
        json!({"p": {"S": "update-all"}, "d": {"SS": ["b"]}, "n": {"N": "7"}, "v": {"BOOL": true}})
    );
}

/// An upsert of nothing but the key.
async fn an_update_without_an_expression_makes_the_item(db: Ask) {
    let body = json!({"TableName": PLAIN, "Key": {"p": {"S": "update-bare"}}});
    assert_eq!(db.ok("UpdateItem", body).await, json!({}));
    assert_eq!(read(&db, "update-bare").await, json!({"p": {"S": "update-bare"}}));
}

/// NONE, ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATED_NEW; on an item that is there, and on one that is not.
async fn each_return_value_of_an_update(db: Ask) {
    let ask = |key: &str, values: &str| {
        let mut body = update(key, "SET n = n + :one, m.k = :one REMOVE gone", json!({":one": {"N": "1"}}));
        body["ReturnValues"] = json!(values);
        body
    };
    let before = json!({"n": {"N": "1"}, "m": {"M": {"k": {"N": "0"}, "o": {"N": "9"}}}, "gone": {"S": "g"}, "kept": {"S": "k"}});
    for (values, expected) in [
        ("NONE", json!({})),
        (
            "ALL_OLD",
            json!({"Attributes": {
            "p": {"S": "update-return"}, "n": {"N": "1"}, "m": {"M": {"k": {"N": "0"}, "o": {"N": "9"}}}, "gone": {"S": "g"}, "kept": {"S": "k"}}}),
        ),
        (
            "UPDATED_OLD",
            json!({"Attributes": {"n": {"N": "1"}, "m": {"M": {"k": {"N": "0"}}}, "gone": {"S": "g"}}}),
        ),
        (
            "ALL_NEW",
            json!({"Attributes": {
            "p": {"S": "update-return"}, "n": {"N": "2"}, "m": {"M": {"k": {"N": "1"}, "o": {"N": "9"}}}, "kept": {"S": "k"}}}),
        ),
        ("UPDATED_NEW", json!({"Attributes": {"n": {"N": "2"}, "m": {"M": {"k": {"N": "1"}}}}})),
    ] {
        put(&db, "update-return", before.clone()).await;
        assert_eq!(db.ok("UpdateItem", ask("update-return", values)).await, expected, "{values}");
    }
    for (values, expected) in [
        ("ALL_OLD", json!({})),
        ("UPDATED_OLD", json!({})),
        ("ALL_NEW", json!({"Attributes": {"p": {"S": "update-return-2"}, "v": {"N": "1"}}})),
        ("UPDATED_NEW", json!({"Attributes": {"v": {"N": "1"}}})),
    ] {
        db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "update-return-2"}}})).await;
        let mut body = update("update-return-2", "SET v = :one", json!({":one": {"N": "1"}}));
        body["ReturnValues"] = json!(values);
        assert_eq!(db.ok("UpdateItem", body).await, expected, "{values}");
    }
}

/// Put and delete know NONE and ALL_OLD only.
async fn each_return_value_of_a_put_and_a_delete(db: Ask) {
    let item = json!({"p": {"S": "update-old"}, "v": {"S": "1"}});
    let put = json!({"TableName": PLAIN, "Item": item, "ReturnValues": "ALL_OLD"});
    assert_eq!(db.ok("PutItem", put.clone()).await, json!({}));
    assert_eq!(db.ok("PutItem", put).await, json!({"Attributes": item}));
    let delete = json!({"TableName": PLAIN, "Key": {"p": {"S": "update-old"}}, "ReturnValues": "ALL_OLD"});
    assert_eq!(db.ok("DeleteItem", delete.clone()).await, json!({"Attributes": item}));
    assert_eq!(db.ok("DeleteItem", delete).await, json!({}));
    for values in ["UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"] {
        let put = json!({"TableName": PLAIN, "Item": item, "ReturnValues": values});
        db.invalid("PutItem", put, "ReturnValues can only be ALL_OLD or NONE").await;
        let delete = json!({"TableName": PLAIN, "Key": {"p": {"S": "update-old"}}, "ReturnValues": values});
        db.invalid("DeleteItem", delete, "ReturnValues can only be ALL_OLD or NONE").await;
    }
}

/// ReturnValuesOnConditionCheckFailure saves the read after a lost race.
async fn a_failed_condition_returns_the_item_where_asked(db: Ask) {
    let item = json!({"p": {"S": "update-failed"}, "v": {"N": "3"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    let key = json!({"p": {"S": "update-failed"}});
    for (op, part) in [
        ("PutItem", json!({"Item": item})),
        ("UpdateItem", json!({"Key": key, "UpdateExpression": "SET w = :v"})),
        ("DeleteItem", json!({"Key": key})),
    ] {
        let mut body = part;
        body["TableName"] = json!(PLAIN);
        body["ConditionExpression"] = json!("v < :v");
        body["ExpressionAttributeValues"] = json!({":v": {"N": "3"}});
        let refusal = db.refused(op, body.clone()).await;
        assert_eq!(refusal.kind, "ConditionalCheckFailedException", "{op}");
        assert_eq!(refusal.body.get("Item"), None, "{op}");
        body["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
        let refusal = db.refused(op, body).await;
        assert_eq!(refusal.body["Item"], item, "{op}");
    }
}

/// The key is the identity.
async fn an_update_cannot_change_the_key(db: Ask) {
    db.invalid(
        "UpdateItem",
        update("update-key", "SET p = :v", json!({":v": {"S": "other"}})),
        "One or more parameter values were invalid: Cannot update attribute p. This attribute is part of the key",
    )
    .await;
}

/// An operand of the wrong type, seen only against the item.
async fn an_update_of_the_wrong_type_is_refused(db: Ask) {
    put(&db, "update-type", json!({"t": {"S": "text"}})).await;
    let wrong = "An operand in the update expression has an incorrect data type";
    for expression in ["SET t = t + :n", "ADD t :n"] {
        db.invalid("UpdateItem", update("update-type", expression, json!({":n": {"N": "1"}})), wrong).await;
    }
    db.invalid("UpdateItem", update("update-type", "DELETE t :s", json!({":s": {"SS": ["a"]}})), wrong).await;
}

/// Reading or writing through what is not there.
async fn a_missing_path_is_refused(db: Ask) {
    put(&db, "update-path", json!({"t": {"S": "text"}})).await;
    db.invalid(
        "UpdateItem",
        update("update-path", "SET v = absent", json!({})),
        "The provided expression refers to an attribute that does not exist in the item",
    )
    .await;
    for expression in ["SET absent.k = :v", "SET t.k = :v", "SET t[0] = :v"] {
        db.invalid(
            "UpdateItem",
            update("update-path", expression, json!({":v": {"N": "1"}})),
            "The document path provided in the update expression is invalid for update",
        )
        .await;
    }
}

/// A refusal in the middle of an expression takes back its beginning.
async fn a_refused_update_leaves_no_trace(db: Ask) {
    put(&db, "update-trace", json!({"t": {"S": "text"}})).await;
    let before = read(&db, "update-trace").await;
    db.refused("UpdateItem", update("update-trace", "SET a = :n, b = t + :n", json!({":n": {"N": "1"}})))
        .await;
    assert_eq!(read(&db, "update-trace").await, before);
    db.refused("UpdateItem", update("update-never", "SET a = absent", json!({}))).await;
    assert_eq!(read(&db, "update-never").await, Value::Null);
}

/// Two actions on one place have no order.
async fn overlapping_paths_are_refused(db: Ask) {
    db.invalid(
        "UpdateItem",
        update("update-overlap", "SET m.k = :v REMOVE m", json!({":v": {"N": "1"}})),
        "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; \
         path one: [m, k], path two: [m]",
    )
    .await;
    db.invalid(
        "UpdateItem",
        update("update-overlap", "SET m.k = :v, m[0] = :v", json!({":v": {"N": "1"}})),
        "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; \
         path one: [m, k], path two: [m, [0]]",
    )
    .await;
}
