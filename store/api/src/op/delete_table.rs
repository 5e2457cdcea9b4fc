//! `DeleteTable`.

use super::constraint::{self, Constraints};
use super::table_description::TableDescription;
use crate::error::Error;
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

/// Input of `DeleteTable` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeleteTableUnchecked {
    /// `TableName`.
    pub table: Option<String>,
}

impl DeleteTableUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<DeleteTableInput, Error> {
        let mut found = Constraints::new();
        found.table(self.table.as_deref(), "tableName");
        found.finish()?;
        Ok(DeleteTableInput { table: constraint::checked_table(self.table)? })
    }
}
