//! Shapes of values on the wire: what is a value, what is a set, what a client may leave out.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::PLAIN;

cases![
    a_value_has_one_type,
    sets_are_not_empty,
    sets_hold_nothing_twice,
    null_is_true,
    wrong_json_types_are_no_values,
    binary_is_base64,
    unknown_members_are_passed_over,
    null_members_count_as_absent,
    names_may_be_anything,
    empty_documents_are_values,
    a_set_of_numbers_knows_equal_numbers,
];

fn put(value: Value) -> Value {
    json!({"TableName": PLAIN, "Item": {"p": {"S": "shape"}, "v": value}})
}

/// None and two are faults of their own.
async fn a_value_has_one_type(db: Ask) {
    db.invalid(
        "PutItem",
        put(json!({})),
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
    )
    .await;
    db.invalid(
        "PutItem",
        put(json!({"S": "a", "N": "1"})),
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
    )
    .await;
    let refusal = db.refused("PutItem", put(json!({"Q": "a"}))).await;
    assert_eq!(
        refusal.message,
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    );
}

/// The service's own spelling of three messages.
async fn sets_are_not_empty(db: Ask) {
    let invalid = "One or more parameter values were invalid: ";
    for (value, message) in [
        (json!({"SS": []}), "An string set  may not be empty"),
        (json!({"NS": []}), "An number set  may not be empty"),
        (json!({"BS": []}), "Binary sets should not be empty"),
    ] {
        db.invalid("PutItem", put(value), format!("{invalid}{message}")).await;
    }
}

/// Told with the collection as it came, or without, as the service does.
async fn sets_hold_nothing_twice(db: Ask) {
    let invalid = "One or more parameter values were invalid: ";
    db.invalid(
        "PutItem",
        put(json!({"SS": ["a", "a"]})),
        format!("{invalid}Input collection [a, a] contains duplicates."),
    )
    .await;
    db.invalid("PutItem", put(json!({"NS": ["1", "1"]})), "Input collection contains duplicates").await;
    db.invalid(
        "PutItem",
        put(json!({"BS": ["AA==", "AA=="]})),
        format!("{invalid}Input collection [AA==, AA==]of type BS contains duplicates."),
    )
    .await;
}

/// A null value that is not null.
async fn null_is_true(db: Ask) {
    db.invalid(
        "PutItem",
        put(json!({"NULL": false})),
        "One or more parameter values were invalid: Null attribute value types must have the value of true",
    )
    .await;
}

/// The framework refuses these before the service sees them.
async fn wrong_json_types_are_no_values(db: Ask) {
    for (value, message) in [
        (json!({"S": 1}), "NUMBER_VALUE cannot be converted to String"),
        (json!({"S": 1.5}), "DECIMAL_VALUE cannot be converted to String"),
        (json!({"N": true}), "TRUE_VALUE cannot be converted to String"),
        (json!({"BOOL": 1}), "NUMBER_VALUE cannot be converted to Boolean"),
        (json!({"SS": "a"}), "Unexpected field type"),
        (json!({"L": {"a": 1}}), "Start of structure or map found where not expected"),
        (json!({"S": {"a": 1}}), "Start of structure or map found where not expected"),
        (json!({"S": ["a"]}), "Unrecognized collection type class java.lang.String"),
        (json!("text"), "Unexpected value type in payload"),
    ] {
        db.refuses("PutItem", put(value), "SerializationException", message).await;
    }
    db.refuses(
        "PutItem",
        json!({"TableName": 1, "Item": {}}),
        "SerializationException",
        "NUMBER_VALUE cannot be converted to String",
    )
    .await;
}

/// Padding and alphabet are checked.
async fn binary_is_base64(db: Ask) {
    db.refuses(
        "PutItem",
        put(json!({"B": "abc"})),
        "SerializationException",
        "Base64 encoded length is expected a multiple of 4 bytes but found: 3",
    )
    .await;
    let refusal = db.refused("PutItem", put(json!({"B": "!!!!"}))).await;
    assert_eq!(refusal.kind, "SerializationException");
    db.refuses(
        "PutItem",
        put(json!({"B": 1})),
        "SerializationException",
        "only base-64-encoded strings are convertible to bytes",
    )
    .await;
}

/// Newer clients send more than older servers know.
async fn unknown_members_are_passed_over(db: Ask) {
    let body = json!({"TableName": PLAIN, "Item": {"p": {"S": "shape-unknown"}}, "Whatever": {"deep": [1, 2, {"x": null}]}});
    assert_eq!(db.ok("PutItem", body).await, json!({}));
}

/// Some SDKs write out what was not set.
async fn null_members_count_as_absent(db: Ask) {
    let body = json!({"TableName": PLAIN, "Item": {"p": {"S": "shape-null"}}, "ConditionExpression": null, "Expected": null,
                      "ReturnValues": null, "ExpressionAttributeNames": null, "ExpressionAttributeValues": null});
    assert_eq!(db.ok("PutItem", body).await, json!({}));
}

/// Attribute names are any UTF-8; expressions reach them by placeholder.
async fn names_may_be_anything(db: Ask) {
    let item = json!({"p": {"S": "shape-names"}, "with space": {"S": "1"}, "ünïcode": {"S": "2"}, "a.b[0]": {"S": "3"}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "shape-names"}}})).await;
    assert_eq!(got["Item"], item);
}

/// An empty map and an empty list may be stored, an empty text too.
async fn empty_documents_are_values(db: Ask) {
    let value = json!({"M": {"m": {"M": {}}, "l": {"L": []}, "s": {"S": ""}, "b": {"B": ""}}});
    let body = json!({"TableName": PLAIN, "Item": {"p": {"S": "shape-empty"}, "v": value}});
    db.ok("PutItem", body).await;
    for _ in 0..2 {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "shape-empty"}}})).await;
        assert_eq!(got["Item"]["v"], value);
    }
}

/// 1 and 1.0 are twice the same.
async fn a_set_of_numbers_knows_equal_numbers(db: Ask) {
    db.invalid("PutItem", put(json!({"NS": ["1", "1.0"]})), "Input collection contains duplicates").await;
}
