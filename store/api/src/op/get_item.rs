//! `GetItem`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use crate::expr::Projection;
use crate::item::{Item, ItemBody};
use crate::schema::TableName;

/// Input of `GetItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GetItemInput {
    /// The table.
    pub table: TableName,
    /// The key as the caller gave it; judged against the schema once that is known.
    pub key: Item,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `GetItem`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetItemOutput {
    /// The item, projected; `None` where there is none.
    pub item: Option<ItemBody>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
}
