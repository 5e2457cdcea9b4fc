//! `ListTables`.

use super::constraint::Constraints;
use crate::error::Error;
use crate::limits;

/// Input of `ListTables`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ListTablesInput {
    /// Only names after this one.
    pub start: Option<String>,
    /// Most names, 1 to 100.
    pub limit: Option<u32>,
}

/// Output of `ListTables`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct ListTablesOutput {
    /// Names in order.
    pub names: Vec<String>,
    /// The last of them, where there are more.
    pub last: Option<String>,
}

/// Input of `ListTables` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListTablesUnchecked {
    /// `ExclusiveStartTableName`.
    pub start: Option<String>,
    /// `Limit`.
    pub limit: Option<i64>,
}

impl ListTablesUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<ListTablesInput, Error> {
        let mut found = Constraints::new();
        found.at_least(self.limit, "limit", 1);
        found.at_most(self.limit, "limit", limits::LIST_TABLES as i64);
        found.start_name(self.start.as_deref(), "exclusiveStartTableName");
        found.finish()?;
        Ok(ListTablesInput {
            start: self.start,
            limit: self.limit.and_then(|limit| u32::try_from(limit).ok()),
        })
    }
}
