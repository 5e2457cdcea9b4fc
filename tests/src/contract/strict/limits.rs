//! Limits, to the byte and to the digit: the last that passes and the first that does not.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::{BINARY, INDEXED, NUMBER_KEY, NUMBERS, PLAIN};

cases![
    an_item_of_400_kib,
    an_update_past_400_kib,
    a_partition_key_of_2048_bytes,
    a_sort_key_of_1024_bytes,
    a_binary_key_counts_decoded_bytes,
    thirty_eight_digits,
    magnitudes_of_numbers,
    numbers_are_normalised,
    equal_numbers_are_one_key,
    thirty_two_levels,
    expressions_of_4_kib,
    three_hundred_operators,
    a_hundred_operands_of_in,
    names_of_tables,
    a_limit_is_at_least_one,
    segments_have_bounds,
    empty_keys_are_refused,
    a_large_item_goes_through_every_read,
];

const TOO_LARGE: &str = "Item size has exceeded the maximum allowed size";
const DIGITS: &str = "Attempting to store more than 38 significant digits in a Number";

fn put(item: Value) -> Value {
    json!({"TableName": PLAIN, "Item": item})
}

/// 409,600 bytes with names, as billed.
async fn an_item_of_400_kib(db: Ask) {
    // `p` + `limit-size` + `v` are 12 bytes.
    let item = |bytes: usize| json!({"p": {"S": "limit-size"}, "v": {"S": "x".repeat(bytes - 12)}});
    db.ok("PutItem", put(item(409_600))).await;
    db.invalid("PutItem", put(item(409_601)), TOO_LARGE).await;
    let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-size"}}})).await;
    assert_eq!(got["Item"], item(409_600));
    // Bytes of UTF-8 count, not characters.
    let wide = json!({"p": {"S": "limit-size"}, "v": {"S": "é".repeat(204_795)}});
    db.invalid("PutItem", put(wide), TOO_LARGE).await;
    let batch = json!({"RequestItems": {PLAIN: [{"PutRequest": {"Item": item(409_601)}}]}});
    db.invalid("BatchWriteItem", batch, TOO_LARGE).await;
    db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-size"}}})).await;
}

/// An update is judged by what it would leave.
async fn an_update_past_400_kib(db: Ask) {
    db.ok("PutItem", put(json!({"p": {"S": "limit-grow"}, "v": {"S": "x".repeat(300_000)}}))).await;
    let update = json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-grow"}}, "UpdateExpression": "SET w = :w",
                        "ExpressionAttributeValues": {":w": {"S": "x".repeat(120_000)}}});
    db.invalid("UpdateItem", update, "Item size to update has exceeded the maximum allowed size").await;
    db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-grow"}}})).await;
}

/// One byte more is refused, in a put and in a key.
async fn a_partition_key_of_2048_bytes(db: Ask) {
    let message = "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes";
    let key = |bytes: usize| json!({"p": {"S": "k".repeat(bytes)}});
    db.ok("PutItem", put(key(2048))).await;
    for _ in 0..2 {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": key(2048)})).await;
        assert_eq!(got["Item"], key(2048));
    }
    db.invalid("PutItem", put(key(2049)), message).await;
    for op in ["GetItem", "DeleteItem", "UpdateItem"] {
        db.invalid(op, json!({"TableName": PLAIN, "Key": key(2049)}), message).await;
    }
    db.ok("DeleteItem", json!({"TableName": PLAIN, "Key": key(2048)})).await;
}

/// The sort key's own limit.
async fn a_sort_key_of_1024_bytes(db: Ask) {
    let item = |bytes: usize| json!({"TableName": INDEXED, "Item": {"p": {"S": "limit-sort"}, "s": {"S": "k".repeat(bytes)}}});
    db.ok("PutItem", item(1024)).await;
    db.invalid(
        "PutItem",
        item(1025),
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
    )
    .await;
}

/// Base64 is the wire's business.
async fn a_binary_key_counts_decoded_bytes(db: Ask) {
    let item = |bytes: usize| {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![7; bytes]);
        json!({"TableName": BINARY, "Item": {"p": {"B": text}, "s": {"B": "AA=="}}})
    };
    db.ok("PutItem", item(2048)).await;
    let refusal = db.refused("PutItem", item(2049)).await;
    assert!(refusal.message.ends_with("limit of2048 bytes"), "{}", refusal.message);
}

/// In items, keys, sets, nested, and as a result of arithmetic.
async fn thirty_eight_digits(db: Ask) {
    let digits = |count: usize| "123456789".repeat(5)[..count].to_owned();
    for text in
        [digits(38), format!("-{}", digits(38)), format!("0.000{}", digits(38)), format!("{}000", digits(38))]
    {
        let item = json!({"p": {"S": "limit-digits"}, "n": {"N": text}});
        db.ok("PutItem", put(item)).await;
    }
    for bad in [
        json!({"N": digits(39)}),
        json!({"N": format!("0.{}", digits(39))}),
        json!({"NS": ["1", digits(39)]}),
        json!({"L": [{"M": {"k": {"N": digits(39)}}}]}),
    ] {
        db.invalid("PutItem", put(json!({"p": {"S": "limit-digits"}, "n": bad})), DIGITS).await;
    }
    db.invalid("GetItem", json!({"TableName": NUMBER_KEY, "Key": {"p": {"N": digits(39)}}}), DIGITS).await;
}

/// 1e-130 to 9.99…e125.
async fn magnitudes_of_numbers(db: Ask) {
    for text in ["1e-130", "9.9999999999999999999999999999999999999e125", "-1e125", "0", "-0", "0e999"] {
        db.ok("PutItem", put(json!({"p": {"S": "limit-magnitude"}, "n": {"N": text}}))).await;
    }
    for (text, message) in [
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        (
            "-1e126",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            "1e-131",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
    ] {
        db.invalid("PutItem", put(json!({"p": {"S": "limit-magnitude"}, "n": {"N": text}})), message).await;
    }
    for text in ["abc", "1 2", "1e", "--1", "0x10", "NaN", "Infinity"] {
        db.invalid(
            "PutItem",
            put(json!({"p": {"S": "limit-magnitude"}, "n": {"N": text}})),
            format!("The parameter cannot be converted to a numeric value: {text}"),
        )
        .await;
    }
}

/// One way of writing each value comes back.
async fn numbers_are_normalised(db: Ask) {
    for (given, kept) in [
        ("007", "7"),
        ("1.50", "1.5"),
        ("+3", "3"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("0.00", "0"),
        ("1E-2", "0.01"),
        (".5", "0.5"),
        ("123e-3", "0.123"),
    ] {
        db.ok("PutItem", put(json!({"p": {"S": "limit-normal"}, "n": {"N": given}}))).await;
        for _ in 0..2 {
            let got =
                db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-normal"}}})).await;
            assert_eq!(got["Item"]["n"], json!({"N": kept}), "{given}");
        }
    }
}

/// 1, 1.0 and 10e-1 are one key.
async fn equal_numbers_are_one_key(db: Ask) {
    for (text, v) in [("41.0", "a"), ("41", "b"), ("4.1e1", "c")] {
        db.ok("PutItem", json!({"TableName": NUMBER_KEY, "Item": {"p": {"N": text}, "v": {"S": v}}})).await;
        for key in ["41", "410e-1"] {
            let got = db.ok("GetItem", json!({"TableName": NUMBER_KEY, "Key": {"p": {"N": key}}})).await;
            assert_eq!(got["Item"], json!({"p": {"N": "41"}, "v": {"S": v}}));
        }
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({"S": "leaf"}), |inner, level| {
        if level % 2 == 0 { json!({"L": [inner]}) } else { json!({"M": {"k": inner}}) }
    })
}

/// The innermost value stands at level 32 at most.
async fn thirty_two_levels(db: Ask) {
    let item = |levels: usize| json!({"p": {"S": "limit-levels"}, "n": nested(levels)});
    db.ok("PutItem", put(item(31))).await;
    for _ in 0..2 {
        let got = db.ok("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-levels"}}})).await;
        assert_eq!(got["Item"], item(31));
    }
    let refusal = db.refused("PutItem", put(item(32))).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.starts_with("Nesting Levels have exceeded supported limits"),
        "{}",
        refusal.message
    );
}

/// Every expression is at most 4 KiB.
async fn expressions_of_4_kib(db: Ask) {
    let condition = |bytes: usize| {
        let text = "attribute_not_exists(nope)";
        json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-text"}},
               "ConditionExpression": format!("{text}{}", " ".repeat(bytes - text.len()))})
    };
    db.ok("DeleteItem", condition(4096)).await;
    let refusal = db.refused("DeleteItem", condition(4097)).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(
        refusal.message.starts_with(
            "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size"
        ),
        "{}",
        refusal.message
    );
}

/// At most 300 operators and functions.
async fn three_hundred_operators(db: Ask) {
    let condition = |terms: usize| {
        let list = vec!["a=:v"; terms].join(" OR ");
        json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-operators"}}, "ConditionExpression": list,
               "ExpressionAttributeValues": {":v": {"N": "1"}}})
    };
    // n comparisons and n - 1 ORs.
    let refusal = db.refused("DeleteItem", condition(150)).await;
    assert_eq!(refusal.kind, "ConditionalCheckFailedException");
    let refusal = db.refused("DeleteItem", condition(151)).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(refusal.message.contains("too many operators"), "{}", refusal.message);
}

/// IN takes 100.
async fn a_hundred_operands_of_in(db: Ask) {
    let condition = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!(":v{n}")).collect();
        let values: serde_json::Map<_, _> =
            names.iter().map(|name| (name.clone(), json!({"N": "1"}))).collect();
        json!({"TableName": PLAIN, "Key": {"p": {"S": "limit-in"}}, "ConditionExpression": format!("a IN ({})", names.join(",")),
               "ExpressionAttributeValues": values})
    };
    assert_eq!(db.refused("DeleteItem", condition(100)).await.kind, "ConditionalCheckFailedException");
    assert_eq!(db.refused("DeleteItem", condition(101)).await.kind, "ValidationException");
}

/// 3 to 255 of a small alphabet.
async fn names_of_tables(db: Ask) {
    for name in ["ab", &"x".repeat(256)] {
        let refusal = db.refused("GetItem", json!({"TableName": name, "Key": {"p": {"S": "x"}}})).await;
        assert_eq!(refusal.kind, "ValidationException", "{}", refusal.message);
    }
    db.invalid(
        "GetItem",
        json!({"TableName": "no spaces", "Key": {"p": {"S": "x"}}}),
        "1 validation error detected: Value 'no spaces' at 'tableName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [a-zA-Z0-9_.-]+",
    )
    .await;
}

/// Nobody asks for a page of nothing.
async fn a_limit_is_at_least_one(db: Ask) {
    db.invalid(
        "Scan",
        json!({"TableName": PLAIN, "Limit": 0}),
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than \
         or equal to 1",
    )
    .await;
}

/// Segment counts from zero, below TotalSegments, and neither goes alone.
async fn segments_have_bounds(db: Ask) {
    db.invalid(
        "Scan",
        json!({"TableName": NUMBERS, "Segment": 0}),
        "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
    )
    .await;
    db.invalid(
        "Scan",
        json!({"TableName": NUMBERS, "TotalSegments": 2}),
        "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
    )
    .await;
    db.invalid(
        "Scan",
        json!({"TableName": NUMBERS, "Segment": 2, "TotalSegments": 2}),
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than \
         TotalSegments: 2",
    )
    .await;
}

/// A value may be empty, a key may not.
async fn empty_keys_are_refused(db: Ask) {
    db.invalid(
        "PutItem",
        put(json!({"p": {"S": ""}})),
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string \
         value. Key: p",
    )
    .await;
    let refusal = db.refused("GetItem", json!({"TableName": PLAIN, "Key": {"p": {"S": ""}}})).await;
    assert_eq!(refusal.kind, "ValidationException");
    assert!(refusal.message.contains("cannot contain an empty string value. Key: p"), "{}", refusal.message);
}

/// 400 KB by GetItem, BatchGetItem, Query and Scan, twice each, so that caches hold it as well.
async fn a_large_item_goes_through_every_read(db: Ask) {
    let key = json!({"p": {"S": "limit-large"}, "s": {"N": "1"}});
    let mut item = key.clone();
    item["v"] = json!({"S": "y".repeat(409_000)});
    db.ok("PutItem", json!({"TableName": NUMBERS, "Item": item})).await;
    for _ in 0..2 {
        assert_eq!(db.ok("GetItem", json!({"TableName": NUMBERS, "Key": key})).await["Item"], item);
        let got = db.ok("BatchGetItem", json!({"RequestItems": {NUMBERS: {"Keys": [key]}}})).await;
        assert_eq!(got["Responses"][NUMBERS], json!([item]));
        let query = json!({"TableName": NUMBERS, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": key["p"]}});
        assert_eq!(db.ok("Query", query).await["Items"], json!([item]));
    }
    db.ok("DeleteItem", json!({"TableName": NUMBERS, "Key": key})).await;
}
