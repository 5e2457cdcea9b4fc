//! `UntagResource`.

use crate::schema::TableName;

/// Input of `UntagResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UntagResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Keys to take away.
    pub keys: Vec<String>,
}

/// Output of `UntagResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct UntagResourceOutput;
