//! `Scan`.

use super::capacity::ReturnConsumedCapacity;
use super::query::{Page, Select};
use crate::expr::Condition;
use crate::item::Item;
use crate::schema::{IndexName, TableName};

/// A share of a parallel scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    /// Which share, from 0.
    pub number: u32,
    /// Of how many.
    pub total: u32,
}

/// Input of `Scan`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScanInput {
    /// The table.
    pub table: TableName,
    /// The index, if any.
    pub index: Option<IndexName>,
    /// What must hold of an item; judged after it was counted against the limit.
    pub filter: Option<Condition>,
    /// What to return.
    pub select: Select,
    /// Most items to evaluate; at least 1.
    pub limit: Option<u32>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// Which share of the table; `None` for all of it.
    pub segment: Option<Segment>,
    /// Where to go on: the last key of the page before.
    pub start: Option<Item>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `Scan`.
pub type ScanOutput = Page;
