//! `TransactWriteItems`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use crate::expr::{Condition, Update};
use crate::item::Item;
use crate::schema::TableName;

/// What one action of a transaction does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum TransactAction {
    /// Only the condition.
    ConditionCheck(Item),
    /// Put this item.
    Put(Item),
    /// Delete the item of this key.
    Delete(Item),
    /// Update the item of this key.
    Update(Item, Update),
}

/// One action of a transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactWrite {
    /// The table.
    pub table: TableName,
    /// What to do, with the key or item.
    pub action: TransactAction,
    /// What must hold; always there for a condition check.
    pub condition: Option<Condition>,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
}

/// Input of `TransactWriteItems`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactWriteItemsInput {
    /// 1 to 100 actions.
    pub actions: Vec<TransactWrite>,
    /// Makes the request idempotent for ten minutes. 1 to 36 characters.
    pub token: Option<String>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of item collections.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `TransactWriteItems`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct TransactWriteItemsOutput {
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
    /// Item collections by table, if asked.
    pub collections: Vec<(TableName, Vec<ItemCollectionMetrics>)>,
}
