//! `CreateTable`.

use super::table_description::TableDescription;
use crate::schema::{
    BillingMode, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, TableName, Throughput,
};

/// An index to be made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewIndex {
    /// Its name.
    pub name: IndexName,
    /// Local or global.
    pub kind: IndexKind,
    /// Its key.
    pub key: KeySchema,
    /// What it copies.
    pub projection: IndexProjection,
    /// Provisioned throughput; global indexes of provisioned tables.
    pub throughput: Throughput,
}

/// Input of `CreateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CreateTableInput {
    /// The table.
    pub table: TableName,
    /// Declared attributes: just those that keys use.
    pub attributes: Vec<KeyAttribute>,
    /// The key.
    pub key: KeySchema,
    /// Local indexes first, then global ones.
    pub indexes: Vec<NewIndex>,
    /// How it is billed.
    pub billing: BillingMode,
    /// Provisioned throughput; zero where billed per request.
    pub throughput: Throughput,
    /// Whether DeleteTable is refused.
    pub deletion_protection: bool,
    /// Table class, if given.
    pub table_class: Option<String>,
    /// Tags, in the order of the request.
    pub tags: Vec<(String, String)>,
}

/// Output of `CreateTable`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CreateTableOutput {
    /// The table.
    pub description: TableDescription,
}
