//! `TransactGetItems`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use crate::expr::Projection;
use crate::item::{Item, ItemBody};
use crate::schema::TableName;

/// One read of a transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactGet {
    /// The table.
    pub table: TableName,
    /// The key.
    pub key: Item,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
}

/// Input of `TransactGetItems`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactGetItemsInput {
    /// 1 to 100 reads.
    pub gets: Vec<TransactGet>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `TransactGetItems`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactGetItemsOutput {
    /// An answer a read, in their order; `None` where there is no item.
    pub items: Vec<Option<ItemBody>>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
}
