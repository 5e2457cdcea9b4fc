//! `UpdateItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use crate::expr::{Condition, Update};
use crate::item::Item;
use crate::schema::TableName;

/// What `ReturnValues` of UpdateItem asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnValues {
    /// Nothing.
    #[default]
    None,
    /// The whole item before.
    AllOld,
    /// What the update touched, before.
    UpdatedOld,
    /// The whole item after.
    AllNew,
    /// What the update touched, after.
    UpdatedNew,
}

/// Input of `UpdateItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateItemInput {
    /// The table.
    pub table: TableName,
    /// The key.
    pub key: Item,
    /// What to do; an update without actions makes the item exist.
    pub update: Update,
    /// What must hold of the item that stands there.
    pub condition: Option<Condition>,
    /// What to return.
    pub return_values: ReturnValues,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of the item collection.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `UpdateItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct UpdateItemOutput {
    /// What was asked for; `None` where there is nothing of it.
    pub attributes: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
    /// The item collection, if asked and the table has local indexes.
    pub collection: Option<ItemCollectionMetrics>,
}
