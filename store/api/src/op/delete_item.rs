//! `DeleteItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use super::put_item::ReturnOld;
use crate::expr::Condition;
use crate::item::Item;
use crate::schema::TableName;

/// Input of `DeleteItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DeleteItemInput {
    /// The table.
    pub table: TableName,
    /// The key.
    pub key: Item,
    /// What must hold of the item that stands there.
    pub condition: Option<Condition>,
    /// What to return.
    pub return_values: ReturnOld,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of the item collection.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `DeleteItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct DeleteItemOutput {
    /// The item as it stood before, if asked.
    pub attributes: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
    /// The item collection, if asked and the table has local indexes.
    pub collection: Option<ItemCollectionMetrics>,
}
