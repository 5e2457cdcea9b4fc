//! `Query`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use crate::expr::{Condition, KeyCondition, Projection};
use crate::item::{Item, ItemBody};
use crate::schema::{IndexName, TableName};

/// What a Query or Scan returns of the items it matches.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Select {
    /// All attributes of the table's items (`ALL_ATTRIBUTES`, the default on tables).
    AllAttributes,
    /// All attributes the index has (`ALL_PROJECTED_ATTRIBUTES`, the default on indexes).
    AllProjected,
    /// Only these paths (`SPECIFIC_ATTRIBUTES`).
    Specific(Projection),
    /// No items, only how many (`COUNT`).
    Count,
}

/// Input of `Query`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct QueryInput {
    /// The table.
    pub table: TableName,
    /// The index, if any.
    pub index: Option<IndexName>,
    /// Which partition, and which range of it.
    pub key_condition: KeyCondition,
    /// What must hold of an item besides; judged after it was counted against the limit.
    pub filter: Option<Condition>,
    /// What to return.
    pub select: Select,
    /// Most items to evaluate; at least 1.
    pub limit: Option<u32>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// Ascending by sort key, or descending.
    pub forward: bool,
    /// Where to go on: the last key of the page before.
    pub start: Option<Item>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// A page, of Query or Scan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The matching items, projected; `None` where only the count was asked for.
    pub items: Option<Vec<ItemBody>>,
    /// How many matched.
    pub count: u32,
    /// How many were evaluated.
    pub scanned_count: u32,
    /// Where the next page starts; `None` after the last.
    pub last_key: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
}

/// Output of `Query`.
pub type QueryOutput = Page;
