//! `DescribeTable`.

use super::table_description::TableDescription;
use crate::schema::TableName;

/// Input of `DescribeTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DescribeTableInput {
    /// The table.
    pub table: TableName,
}

/// Output of `DescribeTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DescribeTableOutput {
    /// The table.
    pub description: TableDescription,
}
