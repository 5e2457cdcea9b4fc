//! `UpdateTable`.

use super::create_table::NewIndex;
use super::table_description::TableDescription;
use crate::schema::{BillingMode, IndexName, KeyAttribute, TableName, Throughput};

/// A change to a global index.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum IndexUpdate {
    /// Make it; filled from the table while it serves.
    Create(NewIndex),
    /// New throughput.
    Update(IndexName, Throughput),
    /// Drop it.
    Delete(IndexName),
}

/// Input of `UpdateTable`. At least one field asks for something.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateTableInput {
    /// The table.
    pub table: TableName,
    /// Attributes declared for the keys of new indexes.
    pub attributes: Vec<KeyAttribute>,
    /// New billing mode.
    pub billing: Option<BillingMode>,
    /// New throughput.
    pub throughput: Option<Throughput>,
    /// Changes to global indexes.
    pub index_updates: Vec<IndexUpdate>,
    /// Whether DeleteTable is refused from now on.
    pub deletion_protection: Option<bool>,
    /// New table class.
    pub table_class: Option<String>,
}

/// Output of `UpdateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateTableOutput {
    /// The table.
    pub description: TableDescription,
}
