//! What table operations answer with.

use std::sync::Arc;

use crate::schema::Table;

/// A table as the service describes it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TableDescription {
    /// Schema and settings.
    pub table: Arc<Table>,
    /// Items in the table, and bytes as billed.
    pub size: Size,
    /// The same of each index, in the order of the schema.
    pub index_sizes: Vec<Size>,
}

/// How much is in a table or index. The service gives it about every six hours; we give it as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Items.
    pub items: u64,
    /// Bytes as billed.
    pub bytes: u64,
}
