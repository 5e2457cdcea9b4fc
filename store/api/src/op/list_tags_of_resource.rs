//! `ListTagsOfResource`.

use crate::schema::TableName;

/// Input of `ListTagsOfResource`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ListTagsOfResourceInput {
    /// The table the resource name points at.
    pub table: TableName,
    /// Where to go on.
    pub next_token: Option<String>,
}

/// Output of `ListTagsOfResource`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct ListTagsOfResourceOutput {
    /// Keys and values, in order of the keys.
    pub tags: Vec<(String, String)>,
    /// Where the next page starts.
    pub next_token: Option<String>,
}
