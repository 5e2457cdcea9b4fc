//! `TagResource`.

use crate::schema::TableName;

/// Input of `TagResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TagResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Keys and values to set.
    pub tags: Vec<(String, String)>,
}

/// Output of `TagResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct TagResourceOutput;
