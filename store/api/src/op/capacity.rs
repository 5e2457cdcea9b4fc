//! Consumed capacity and item collection metrics, as answers report them.

use std::collections::BTreeMap;

use crate::item::Item;

/// What `ReturnConsumedCapacity` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnConsumedCapacity {
    /// Nothing.
    #[default]
    None,
    /// The total.
    Total,
    /// The total, and the share of the table and each index.
    Indexes,
}

/// What `ReturnItemCollectionMetrics` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnItemCollectionMetrics {
    /// Nothing.
    #[default]
    None,
    /// The estimated size, for tables with local indexes.
    Size,
}

/// Units of one table or index. Unit: capacity units, in halves.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Capacity {
    /// All units.
    pub units: f64,
    /// Read units, where the operation tells them apart (transactions).
    pub read_units: Option<f64>,
    /// Write units, likewise.
    pub write_units: Option<f64>,
}

/// What a request consumed of one table.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ConsumedCapacity {
    /// The table's name.
    pub table: String,
    /// Table and indexes together.
    pub total: Capacity,
    /// The table alone; `INDEXES` only.
    pub own: Option<Capacity>,
    /// Local indexes by name; `INDEXES` only.
    pub local: BTreeMap<String, Capacity>,
    /// Global indexes by name; `INDEXES` only.
    pub global: BTreeMap<String, Capacity>,
}

/// The item collection a write touched. Unit of the range: GB.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ItemCollectionMetrics {
    /// The partition key attribute and its value.
    pub key: Item,
    /// Lower and upper estimate.
    pub size_range_gb: (f64, f64),
}
