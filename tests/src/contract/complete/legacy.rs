//! Parameters from before expressions: Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter,
//! AttributesToGet, ConditionalOperator. Old clients send nothing else.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{INDEXED, NUMBERS, PLAIN};

cases![
    expected_values_and_existence,
    expected_comparisons,
    expected_any_of,
    attribute_updates_put_add_delete,
    key_conditions_of_every_kind,
    filters_of_pages,
    attributes_to_get,
    old_and_new_do_not_mix,
    a_wrong_count_of_arguments_is_refused,
];

async fn put(db: &Ask, p: &str) {
    let item = json!({"p": {"S": p}, "n": {"N": "5"}, "t": {"S": "hello"}, "ss": {"SS": ["a", "b"]}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
}

async fn holds(db: &Ask, p: &str, expected: Value, operator: Option<&str>) -> bool {
    let mut body = json!({"TableName": PLAIN, "Key": {"p": {"S": p}}, "Expected": expected,
                          "AttributeUpdates": {"absent_and_never_there": {"Action": "DELETE"}}});
    if let Some(operator) = operator {
        body["ConditionalOperator"] = json!(operator);
    }
    match db.ask("UpdateItem", body).await.0 {
        Ok(_) => true,
        Err(refusal) if refusal.kind == "ConditionalCheckFailedException" => false,
        Err(refusal) => panic!("{expected}: {}: {}", refusal.kind, refusal.message),
    }
}

/// The oldest form: Value and Exists.
async fn expected_values_and_existence(db: Ask) {
    put(&db, "legacy-expected").await;
    for (expected, result) in [
        (json!({"n": {"Value": {"N": "5.0"}}}), true),
        (json!({"n": {"Value": {"N": "6"}}}), false),
        (json!({"n": {"Exists": true, "Value": {"N": "5"}}}), true),
        (json!({"none": {"Exists": false}}), true),
        (json!({"n": {"Exists": false}}), false),
        (json!({"n": {"Value": {"N": "5"}}, "t": {"Value": {"S": "nope"}}}), false),
    ] {
        assert_eq!(holds(&db, "legacy-expected", expected.clone(), None).await, result, "{expected}");
    }
}

/// Every ComparisonOperator.
async fn expected_comparisons(db: Ask) {
    put(&db, "legacy-compare").await;
    let n = |n: &str| json!({"N": n});
    let s = |s: &str| json!({"S": s});
    for (name, operator, arguments, result) in [
        ("n", "EQ", json!([n("5")]), true),
        ("n", "NE", json!([n("5")]), false),
        ("n", "NE", json!([s("5")]), true),
        ("n", "LE", json!([n("5")]), true),
        ("n", "LT", json!([n("5")]), false),
        ("n", "GE", json!([n("6")]), false),
        ("n", "GT", json!([n("4")]), true),
        ("n", "BETWEEN", json!([n("5"), n("6")]), true),
        ("n", "IN", json!([n("1"), n("5")]), true),
        ("t", "BEGINS_WITH", json!([s("he")]), true),
        ("t", "CONTAINS", json!([s("ell")]), true),
        ("t", "NOT_CONTAINS", json!([s("ell")]), false),
        ("ss", "CONTAINS", json!([s("a")]), true),
        ("ss", "NOT_CONTAINS", json!([s("z")]), true),
        ("ss", "EQ", json!([{"SS": ["b", "a"]}]), true),
    ] {
        let expected = json!({name: {"ComparisonOperator": operator, "AttributeValueList": arguments}});
        assert_eq!(holds(&db, "legacy-compare", expected.clone(), None).await, result, "{expected}");
    }
    for (name, operator, result) in
        [("n", "NULL", false), ("none", "NULL", true), ("n", "NOT_NULL", true), ("none", "NOT_NULL", false)]
    {
        let expected = json!({name: {"ComparisonOperator": operator}});
        assert_eq!(holds(&db, "legacy-compare", expected.clone(), None).await, result, "{expected}");
    }
}

/// ConditionalOperator OR.
async fn expected_any_of(db: Ask) {
    put(&db, "legacy-or").await;
    let expected = json!({
        "n": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "99"}]},
        "t": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "hello"}]},
    });
    assert!(holds(&db, "legacy-or", expected.clone(), Some("OR")).await);
    assert!(!holds(&db, "legacy-or", expected.clone(), Some("AND")).await);
    assert!(!holds(&db, "legacy-or", expected, None).await);
}

/// PUT, ADD, DELETE, each on what is there and what is not.
async fn attribute_updates_put_add_delete(db: Ask) {
    put(&db, "legacy-update").await;
    let got = db
        .ok(
            "UpdateItem",
            json!({
                "TableName": PLAIN, "Key": {"p": {"S": "legacy-update"}}, "ReturnValues": "ALL_NEW",
                "AttributeUpdates": {
                    "n": {"Action": "ADD", "Value": {"N": "2"}},
                    "fresh": {"Action": "ADD", "Value": {"N": "1"}},
                    "ss": {"Action": "DELETE", "Value": {"SS": ["a"]}},
                    "more": {"Action": "ADD", "Value": {"SS": ["x"]}},
                    "t": {"Action": "DELETE"},
                    "v": {"Action": "PUT", "Value": {"L": [{"S": "x"}]}},
                    "w": {"Value": {"BOOL": true}},
                },
            }),
        )
        .await;
    assert_eq!(
        got["Attributes"],
        json!({"p": {"S": "legacy-update"}, "n": {"N": "7"}, "fresh": {"N": "1"}, "ss": {"SS": ["b"]}, "more": {"SS": ["x"]},
               "v": {"L": [{"S": "x"}]}, "w": {"BOOL": true}})
    );
}

/// KeyConditions on a partition and a range.
async fn key_conditions_of_every_kind(db: Ask) {
    for s in 1..=5 {
        db.ok(
            "PutItem",
            json!({"TableName": NUMBERS, "Item": {"p": {"S": "legacy-key"}, "s": {"N": s.to_string()}}}),
        )
        .await;
    }
    let p = json!({"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "legacy-key"}]});
    let n = |n: &str| json!({"N": n});
    for (operator, arguments, expected) in [
        ("EQ", json!([n("2")]), "2"),
        ("LE", json!([n("2")]), "12"),
        ("LT", json!([n("2")]), "1"),
        ("GE", json!([n("4")]), "45"),
        ("GT", json!([n("4")]), "5"),
        ("BETWEEN", json!([n("2"), n("4")]), "234"),
    ] {
        let conditions =
            json!({"p": p, "s": {"ComparisonOperator": operator, "AttributeValueList": arguments}});
        for _ in 0..2 {
            let got = db.ok("Query", json!({"TableName": NUMBERS, "KeyConditions": conditions})).await;
            let items = got["Items"].as_array().expect("a list of items");
            let sorts: String = items.iter().filter_map(|item| item["s"]["N"].as_str()).collect();
            assert_eq!(sorts, expected, "{operator}");
        }
    }
    for s in ["aa", "ab", "b"] {
        db.ok("PutItem", json!({"TableName": INDEXED, "Item": {"p": {"S": "legacy-key"}, "s": {"S": s}}}))
            .await;
    }
    let conditions =
        json!({"p": p, "s": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "a"}]}});
    assert_eq!(db.ok("Query", json!({"TableName": INDEXED, "KeyConditions": conditions})).await["Count"], 2);
}

/// QueryFilter and ScanFilter.
async fn filters_of_pages(db: Ask) {
    for s in 0..4 {
        let item = json!({"p": {"S": "legacy-filter"}, "s": {"N": s.to_string()}, "colour": {"S": if s < 3 { "red" } else { "blue" }}});
        db.ok("PutItem", json!({"TableName": NUMBERS, "Item": item})).await;
    }
    let p = json!({"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "legacy-filter"}]});
    let red = json!({"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "red"}]});
    let query = json!({"TableName": NUMBERS, "KeyConditions": {"p": p}, "QueryFilter": {"colour": red}});
    for _ in 0..2 {
        let got = db.ok("Query", query.clone()).await;
        assert_eq!((got["Count"].clone(), got["ScannedCount"].clone()), (json!(3), json!(4)));
    }
    let scan = json!({"TableName": NUMBERS, "ScanFilter": {"p": p, "colour": red}});
    assert_eq!(db.ok("Scan", scan).await["Count"], 3);
    let scan = json!({"TableName": NUMBERS, "ConditionalOperator": "OR", "ScanFilter": {
        "p": p, "colour": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "no such colour"}]}}});
    assert_eq!(db.ok("Scan", scan).await["Count"], 4);
}

/// AttributesToGet of every read.
async fn attributes_to_get(db: Ask) {
    put(&db, "legacy-get").await;
    let key = json!({"p": {"S": "legacy-get"}});
    let wanted = json!({"n": {"N": "5"}});
    for _ in 0..2 {
        let got =
            db.ok("GetItem", json!({"TableName": PLAIN, "Key": key, "AttributesToGet": ["n", "none"]})).await;
        assert_eq!(got["Item"], wanted);
        let batch = json!({"RequestItems": {PLAIN: {"Keys": [key], "AttributesToGet": ["n"]}}});
        assert_eq!(db.ok("BatchGetItem", batch).await["Responses"][PLAIN], json!([wanted]));
        let query = json!({"TableName": PLAIN, "AttributesToGet": ["n"], "KeyConditions": {
            "p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "legacy-get"}]}}});
        assert_eq!(db.ok("Query", query).await["Items"], json!([wanted]));
    }
}

/// One style per request, and the message names both sides.
async fn old_and_new_do_not_mix(db: Ask) {
    db.invalid(
        "GetItem",
        json!({"TableName": PLAIN, "Key": {"p": {"S": "x"}}, "AttributesToGet": ["a"], "ProjectionExpression": "a"}),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {AttributesToGet} Expression parameters: {ProjectionExpression}",
    )
    .await;
    db.invalid(
        "UpdateItem",
        json!({"TableName": PLAIN, "Key": {"p": {"S": "x"}}, "UpdateExpression": "REMOVE a",
               "AttributeUpdates": {"b": {"Action": "DELETE"}}}),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {AttributeUpdates} Expression parameters: {UpdateExpression}",
    )
    .await;
}

/// BETWEEN takes two, EQ one.
async fn a_wrong_count_of_arguments_is_refused(db: Ask) {
    for (operator, arguments) in [("BETWEEN", json!([{"N": "1"}])), ("EQ", json!([{"N": "1"}, {"N": "2"}]))] {
        db.invalid(
            "DeleteItem",
            json!({"TableName": PLAIN, "Key": {"p": {"S": "x"}},
                   "Expected": {"n": {"ComparisonOperator": operator, "AttributeValueList": arguments}}}),
            format!(
                "One or more parameter values were invalid: Invalid number of argument(s) for the {operator} ComparisonOperator"
            ),
        )
        .await;
    }
}
