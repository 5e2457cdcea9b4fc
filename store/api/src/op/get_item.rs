//! `GetItem`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use super::constraint::{self, Constraints};
use super::parameters;
use super::unchecked::{Names, Unchecked};
use crate::error::Error;
use crate::expr::{Author, Projection};
use crate::item::{Item, ItemBody};
use crate::schema::TableName;

/// Input of `GetItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GetItemInput {
    /// The table.
    pub table: TableName,
    /// The key as the caller gave it; judged against the schema once that is known.
    pub key: Item,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `GetItem`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetItemOutput {
    /// The item, projected; `None` where there is none.
    pub item: Option<ItemBody>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
}

/// Input of `GetItem` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetItemUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `Key`.
    pub key: Option<Unchecked<Item>>,
    /// `AttributesToGet`.
    pub attributes_to_get: Option<Vec<String>>,
    /// `ProjectionExpression`.
    pub projection: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
    /// `ConsistentRead`.
    pub consistent: Option<bool>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
}

impl GetItemUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<GetItemInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<GetItemInput, Error> {
        constraint::not_empty(self.table.as_deref(), "tableName")?;
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.attributes_to_get(self.attributes_to_get.as_deref(), "attributesToGet");
        found.table(self.table.as_deref(), "tableName");
        found.present(&self.key, "key");
        found.finish()?;
        parameters::not_mixed(
            &[("ProjectionExpression", self.projection.is_some())],
            &[("AttributesToGet", self.attributes_to_get.is_some())],
            self.names.is_some(),
            None,
        )?;
        let key = self.key.unwrap_or_default().check()?;
        let projection = parameters::projection(author, self.projection, self.attributes_to_get, self.names)?;
        Ok(GetItemInput {
            table: constraint::checked_table(self.table)?,
            key,
            projection,
            consistent: self.consistent.unwrap_or_default(),
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
        })
    }
}
