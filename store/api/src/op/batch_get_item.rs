//! `BatchGetItem`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use crate::expr::Projection;
use crate::item::{Item, ItemBody};
use crate::schema::TableName;

/// Keys of one table.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TableKeys {
    /// The table.
    pub table: TableName,
    /// The keys; no two equal.
    pub keys: Vec<Item>,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
    /// Whether the reads must be strongly consistent.
    pub consistent: bool,
}

/// Input of `BatchGetItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BatchGetItemInput {
    /// Tables and keys, 1 to 100 keys in all.
    pub tables: Vec<TableKeys>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `BatchGetItem`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchGetItemOutput {
    /// The items found, by table in the order of the request.
    pub responses: Vec<(TableName, Vec<ItemBody>)>,
    /// What did not fit into the answer, in the form of a further request.
    pub unprocessed: Vec<TableKeys>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
}
