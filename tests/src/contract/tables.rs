//! The tables that cases share. Each exists for a reason; a case that changes a table makes its own.

use serde_json::{Value, json};

use crate::ask::Ask;

/// Partition key `p` (string) alone, billed per request: the plainest table, for single items.
pub const PLAIN: &str = "contract.plain";
/// Partition key `p` (string), sort key `s` (number): order and ranges of numbers.
pub const NUMBERS: &str = "contract.numbers";
/// Partition key `p` (string), sort key `s` (string), with local and global indexes of every projection: see [`indexed`].
pub const INDEXED: &str = "contract.indexed";
/// Partition key `p` (binary), sort key `s` (binary): keys of bytes.
pub const BINARY: &str = "contract.binary";
/// Partition key `p` (number) alone: that equal numbers are one key.
pub const NUMBER_KEY: &str = "contract.number-key";
/// As [`PLAIN`], for cases that read the whole table, and so need it to themselves within their own segment of time.
pub const SCANNED: &str = "contract.scanned";

/// Makes all shared tables and waits until they are usable.
pub async fn create(db: &Ask) {
    for table in [
        simple(PLAIN, &[("p", "S")]),
        simple(NUMBERS, &[("p", "S"), ("s", "N")]),
        simple(BINARY, &[("p", "B"), ("s", "B")]),
        simple(NUMBER_KEY, &[("p", "N")]),
        simple(SCANNED, &[("p", "S"), ("s", "N")]),
        indexed(INDEXED),
    ] {
        let name = table["TableName"].as_str().unwrap_or_default().to_owned();
        db.ok("CreateTable", table).await;
        active(db, &name).await;
    }
}

/// Times a case looks whether a table is usable; with [`LOOK_PAUSE`], a minute.
const LOOKS_MAX: usize = 12_000;
/// Pause between two looks.
const LOOK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// Waits until a table and all its indexes are usable; answers its description.
pub async fn active(db: &Ask, name: &str) -> Value {
    for _ in 0..LOOKS_MAX {
        let table = db.ok("DescribeTable", json!({"TableName": name})).await["Table"].clone();
        let indexes = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        if table["TableStatus"] == "ACTIVE"
            && indexes.into_iter().all(|index| index["IndexStatus"] == "ACTIVE")
        {
            return table;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    panic!("table {name} did not become usable")
}

/// Waits until a table is gone.
pub async fn gone(db: &Ask, name: &str) {
    for _ in 0..LOOKS_MAX {
        match db.ask("DescribeTable", json!({"TableName": name})).await.0 {
            Ok(_) => tokio::time::sleep(LOOK_PAUSE).await,
            Err(refusal) => {
                assert_eq!(refusal.kind, "ResourceNotFoundException");
                return;
            }
        }
    }
    panic!("table {name} did not go away")
}

/// A table with these key attributes, partition key first, billed per request.
pub fn simple(name: &str, keys: &[(&str, &str)]) -> Value {
    let roles = ["HASH", "RANGE"];
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": keys.iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind})).collect::<Vec<_>>(),
        "KeySchema": keys.iter().zip(roles).map(|((name, _), role)| json!({"AttributeName": name, "KeyType": role})).collect::<Vec<_>>(),
    })
}

/// A key schema.
pub fn key(partition: &str, sort: Option<&str>) -> Value {
    let mut key = vec![json!({"AttributeName": partition, "KeyType": "HASH"})];
    key.extend(sort.map(|sort| json!({"AttributeName": sort, "KeyType": "RANGE"})));
    Value::Array(key)
}

/// A table `p`, `s` (strings) with local indexes over `l` (number): `local-all`, `local-keys`, `local-some` (includes `x`);
/// and global ones: `global-all` (`g` string), `global-keys` (`g`, `h` number), `global-some` (`h`, `s`; includes `x`).
pub fn indexed(name: &str) -> Value {
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "S"},
            {"AttributeName": "l", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
            {"AttributeName": "h", "AttributeType": "N"},
        ],
        "KeySchema": key("p", Some("s")),
        "LocalSecondaryIndexes": [
            {"IndexName": "local-all", "KeySchema": key("p", Some("l")), "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "local-keys", "KeySchema": key("p", Some("l")), "Projection": {"ProjectionType": "KEYS_ONLY"}},
            {"IndexName": "local-some", "KeySchema": key("p", Some("l")), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]}},
        ],
        "GlobalSecondaryIndexes": [
            {"IndexName": "global-all", "KeySchema": key("g", None), "Projection": {"ProjectionType": "ALL"}},
            {"IndexName": "global-keys", "KeySchema": key("g", Some("h")), "Projection": {"ProjectionType": "KEYS_ONLY"}},
            {"IndexName": "global-some", "KeySchema": key("h", Some("s")), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]}},
        ],
    })
}
