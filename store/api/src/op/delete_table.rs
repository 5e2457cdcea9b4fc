//! `DeleteTable`.

use super::table_description::TableDescription;
use crate::schema::TableName;

/// Input of `DeleteTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DeleteTableInput {
    /// The table.
    pub table: TableName,
}

/// Output of `DeleteTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DeleteTableOutput {
    /// The table, on its way out.
    pub description: TableDescription,
}
