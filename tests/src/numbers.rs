//! A table of numbers by name, as tests of a cluster write and read it, and the clock they measure by.

use std::time::Instant;

use serde_json::{Value, json};

/// The table's name. Each test has a cluster of its own.
pub const TABLE: &str = "numbers";

/// What makes the table.
pub fn table() -> Value {
    json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    })
}

/// What writes a number.
pub fn put(key: &str, n: u64) -> Value {
    json!({"TableName": TABLE, "Item": {"p": {"S": key}, "n": {"N": n.to_string()}}})
}

/// What reads it.
pub fn get(key: &str, strong: bool) -> Value {
    json!({"TableName": TABLE, "Key": {"p": {"S": key}}, "ConsistentRead": strong})
}

/// The number that an answer has, if there is an item.
pub fn number(reply: &Value) -> Option<u64> {
    reply["Item"]["n"]["N"].as_str().map(|number| number.parse().expect("a number"))
}

/// Now, for how long requests take.
#[allow(clippy::disallowed_methods, reason = "the machine's own time is what is measured")]
pub fn now() -> Instant {
    Instant::now()
}
