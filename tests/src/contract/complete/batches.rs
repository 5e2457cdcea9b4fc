//! BatchGetItem and BatchWriteItem.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{NUMBERS, PLAIN};

cases![
    a_batch_spans_tables,
    partly_cached_keys_are_one_answer,
    puts_and_deletes_mix,
    one_bad_write_refuses_the_batch,
    the_same_item_twice_is_refused,
    too_many_are_refused,
    sixteen_megabytes_leave_keys_unprocessed,
    a_hundred_keys_are_read,
];

fn put(p: &str, v: &str) -> Value {
    json!({"PutRequest": {"Item": {"p": {"S": p}, "v": {"S": v}}}})
}

/// Two tables in one request, each answered under its name.
async fn a_batch_spans_tables(db: Ask) {
    let number = json!({"PutRequest": {"Item": {"p": {"S": "batch-span"}, "s": {"N": "1"}}}});
    let got = db
        .ok("BatchWriteItem", json!({"RequestItems": {PLAIN: [put("batch-span", "1")], NUMBERS: [number]}}))
        .await;
    assert_eq!(got, json!({"UnprocessedItems": {}}));
    let got = db
        .ok(
            "BatchGetItem",
            json!({"RequestItems": {
                PLAIN: {"Keys": [{"p": {"S": "batch-span"}}]},
                NUMBERS: {"Keys": [{"p": {"S": "batch-span"}, "s": {"N": "1"}}]},
            }}),
        )
        .await;
    assert_eq!(got["Responses"][PLAIN], json!([{"p": {"S": "batch-span"}, "v": {"S": "1"}}]));
    assert_eq!(got["Responses"][NUMBERS], json!([{"p": {"S": "batch-span"}, "s": {"N": "1"}}]));
    let got = db
        .ok("BatchGetItem", json!({"RequestItems": {PLAIN: {"Keys": [{"p": {"S": "batch-nobody"}}]}}}))
        .await;
    assert_eq!(got, json!({"Responses": {PLAIN: []}, "UnprocessedKeys": {}}));
}

/// Some keys were read before, some were not, some do not exist, one has changed since.
async fn partly_cached_keys_are_one_answer(db: Ask) {
    for n in 0..6 {
        db.ok(
            "PutItem",
            json!({"TableName": PLAIN, "Item": {"p": {"S": format!("batch-part-{n}")}, "v": {"N": "0"}}}),
        )
        .await;
    }
    for n in [0, 1, 8] {
        db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": format!("batch-part-{n}")}}})).await;
    }
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "batch-part-1"}, "v": {"N": "1"}}}))
        .await;
    let keys: Vec<_> = (0..9).map(|n| json!({"p": {"S": format!("batch-part-{n}")}})).collect();
    for _ in 0..3 {
        let got = db.ok("BatchGetItem", json!({"RequestItems": {PLAIN: {"Keys": keys}}})).await;
        let mut items: Vec<_> = got["Responses"][PLAIN].as_array().expect("a list of items").clone();
        items.sort_by_key(|item| item["p"]["S"].as_str().unwrap_or_default().to_owned());
        let expected: Vec<_> = (0..6)
            .map(|n| json!({"p": {"S": format!("batch-part-{n}")}, "v": {"N": if n == 1 { "1" } else { "0" }}}))
            .collect();
        assert_eq!(items, expected);
    }
}

/// Deleting what is not there is no fault.
async fn puts_and_deletes_mix(db: Ask) {
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": "batch-mix-1"}}})).await;
    let delete = |p: &str| json!({"DeleteRequest": {"Key": {"p": {"S": p}}}});
    let requests = [delete("batch-mix-1"), put("batch-mix-2", "x"), delete("batch-mix-3")];
    db.ok("BatchWriteItem", json!({"RequestItems": {PLAIN: requests}})).await;
    for (key, there) in [("batch-mix-1", false), ("batch-mix-2", true), ("batch-mix-3", false)] {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": key}}})).await;
        assert_eq!(got.get("Item").is_some(), there, "{key}");
    }
}

/// What can be judged before writing is judged for all.
async fn one_bad_write_refuses_the_batch(db: Ask) {
    let bad = json!({"PutRequest": {"Item": {"q": {"S": "no key"}}}});
    db.invalid(
        "BatchWriteItem",
        json!({"RequestItems": {PLAIN: [put("batch-bad", "x"), bad]}}),
        "The provided key element does not match the schema",
    )
    .await;
    assert_eq!(
        db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "batch-bad"}}})).await,
        json!({})
    );
    db.invalid(
        "BatchWriteItem",
        json!({"RequestItems": {PLAIN: [{"DeleteRequest": {"Key": {"p": {"N": "1"}}}}]}}),
        "The provided key element does not match the schema",
    )
    .await;
}

/// The order of two writes to one item in one batch would be nobody's.
async fn the_same_item_twice_is_refused(db: Ask) {
    let body = json!({"RequestItems": {PLAIN: [put("batch-twice", "1"), put("batch-twice", "2")]}});
    db.invalid("BatchWriteItem", body, "Provided list of item keys contains duplicates").await;
    let body = json!({"RequestItems": {PLAIN: {"Keys": [{"p": {"S": "k"}}, {"p": {"S": "k"}}]}}});
    db.invalid("BatchGetItem", body, "Provided list of item keys contains duplicates").await;
}

/// 25 to write, 100 to read.
async fn too_many_are_refused(db: Ask) {
    let puts: Vec<_> = (0..26).map(|n| put(&format!("batch-many-{n}"), "x")).collect();
    let refusal = db.refused("BatchWriteItem", json!({"RequestItems": {PLAIN: puts}})).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.contains("Member must have length less than or equal to 25"),
        "{}",
        refusal.message
    );
    let keys: Vec<_> = (0..101).map(|n| json!({"p": {"S": n.to_string()}})).collect();
    let refusal = db.refused("BatchGetItem", json!({"RequestItems": {PLAIN: {"Keys": keys}}})).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.contains("Member must have length less than or equal to 100"),
        "{}",
        refusal.message
    );
    let keys = |from: u32| (from..from + 60).map(|n| json!({"p": {"S": n.to_string()}})).collect::<Vec<_>>();
    let numbers: Vec<_> = (0..60).map(|n| json!({"p": {"S": "x"}, "s": {"N": n.to_string()}})).collect();
    let body = json!({"RequestItems": {PLAIN: {"Keys": keys(0)}, NUMBERS: {"Keys": numbers}}});
    db.invalid("BatchGetItem", body, "Too many items requested for the BatchGetItem call").await;
}

/// An answer of more than 16 MB comes in parts, and asking for the rest ends.
async fn sixteen_megabytes_leave_keys_unprocessed(db: Ask) {
    let blob = "x".repeat(390 * 1024);
    let names: Vec<_> = (0..50).map(|n| format!("batch-16-{n}")).collect();
    for name in &names {
        db.ok("PutItem", json!({"TableName": PLAIN, "Item": {"p": {"S": name}, "v": {"S": blob}}})).await;
    }
    let mut request =
        json!({PLAIN: {"Keys": names.iter().map(|name| json!({"p": {"S": name}})).collect::<Vec<_>>()}});
    let mut seen = 0;
    for round in 0..5 {
        let got = db.ok("BatchGetItem", json!({"RequestItems": request})).await;
        seen += got["Responses"][PLAIN].as_array().map_or(0, Vec::len);
        request = got["UnprocessedKeys"].clone();
        if request == json!({}) {
            break;
        }
        assert!(round > 0 || seen < 50, "50 items of 390 KB do not fit 16 MB");
    }
    assert_eq!(seen, 50);
    for name in &names {
        db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": {"p": {"S": name}}})).await;
    }
}

/// The most that one batch may read.
async fn a_hundred_keys_are_read(db: Ask) {
    for start in (0..100).step_by(25) {
        let puts: Vec<_> = (start..start + 25).map(|n| put(&format!("batch-100-{n}"), "x")).collect();
        db.ok("BatchWriteItem", json!({"RequestItems": {PLAIN: puts}})).await;
    }
    let keys: Vec<_> = (0..100).map(|n| json!({"p": {"S": format!("batch-100-{n}")}})).collect();
    for _ in 0..2 {
        let got = db.ok("BatchGetItem", json!({"RequestItems": {PLAIN: {"Keys": keys}}})).await;
        assert_eq!(got["Responses"][PLAIN].as_array().map(Vec::len), Some(100));
    }
}
