//! One item with a number that only rises, and what a node says of it: read by itself, in pages, in a transaction.
//!
//! Every read that is not asked for otherwise is eventual and on a connection of its own, which has seen nothing.

use serde_json::{Value, json};

use crate::node::Node;

/// The table's name. Each test has a cluster of its own.
pub const TABLE: &str = "seen";

/// What makes the table.
pub fn table() -> Value {
    json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "S"}
        ],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    })
}

/// What writes the number.
pub fn put(n: u64) -> Value {
    json!({"TableName": TABLE, "Item": {"p": {"S": "p"}, "s": {"S": "s"}, "n": {"N": n.to_string()}}})
}

/// A way to read the number.
#[derive(Debug, Clone)]
pub struct Read {
    /// The operation.
    pub op: &'static str,
    /// What is asked.
    pub body: Value,
    /// Where the answer has the item.
    item: &'static str,
}

impl Read {
    /// The item by itself, in a query and in a scan.
    pub fn eventual() -> [Read; 3] {
        Read::of_any_consistency(false)
    }

    /// The same, strongly consistent, and in a transaction.
    pub fn strong() -> [Read; 4] {
        let [get, query, scan] = Read::of_any_consistency(true);
        let body = json!({"TransactItems": [{"Get": {"TableName": TABLE, "Key": key()}}]});
        [get, query, scan, Read { op: "TransactGetItems", body, item: "/Responses/0/Item" }]
    }

    fn of_any_consistency(strong: bool) -> [Read; 3] {
        let get = json!({"TableName": TABLE, "Key": key(), "ConsistentRead": strong});
        let query = json!({
            "TableName": TABLE, "KeyConditionExpression": "p = :p",
            "ExpressionAttributeValues": {":p": {"S": "p"}}, "ConsistentRead": strong,
        });
        let scan = json!({"TableName": TABLE, "ConsistentRead": strong});
        [
            Read { op: "GetItem", body: get, item: "/Item" },
            Read { op: "Query", body: query, item: "/Items/0" },
            Read { op: "Scan", body: scan, item: "/Items/0" },
        ]
    }

    /// The number that an answer has; 0 where there is no item.
    pub fn number(&self, answer: &Value) -> u64 {
        let number = answer.pointer(self.item).and_then(|item| item["n"]["N"].as_str());
        number.map_or(0, |number| number.parse().expect("a number"))
    }
}

fn key() -> Value {
    json!({"p": {"S": "p"}, "s": {"S": "s"}})
}

/// What a node says of the number, read in every eventual way.
pub fn seen(node: &Node) -> [u64; 3] {
    Read::eventual().map(|read| read.number(&node.ok(read.op, &read.body)))
}
