//! `BatchWriteItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use crate::item::Item;
use crate::schema::TableName;

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum BatchWrite {
    /// Put this item.
    Put(Item),
    /// Delete the item of this key.
    Delete(Item),
}

/// Input of `BatchWriteItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BatchWriteItemInput {
    /// Tables and writes, 1 to 25 in all; no key twice.
    pub tables: Vec<(TableName, Vec<BatchWrite>)>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of item collections.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `BatchWriteItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct BatchWriteItemOutput {
    /// Writes that were not done.
    pub unprocessed: Vec<(TableName, Vec<BatchWrite>)>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
    /// Item collections by table, if asked.
    pub collections: Vec<(TableName, Vec<ItemCollectionMetrics>)>,
}
