//! `DescribeTable`.

use super::constraint::{self, Constraints};
use super::table_description::TableDescription;
use crate::error::Error;
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

/// Input of `DescribeTable` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DescribeTableUnchecked {
    /// `TableName`.
    pub table: Option<String>,
}

impl DescribeTableUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<DescribeTableInput, Error> {
        let mut found = Constraints::new();
        found.table(self.table.as_deref(), "tableName");
        found.finish()?;
        Ok(DescribeTableInput { table: constraint::checked_table(self.table)? })
    }
}
