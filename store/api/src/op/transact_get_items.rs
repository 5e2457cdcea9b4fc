//! `TransactGetItems`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use super::constraint::{self, Constraints};
use super::parameters;
use super::unchecked::{Names, Unchecked};
use crate::error::Error;
use crate::expr::{Author, Projection};
use crate::item::{Item, ItemBody};
use crate::limits;
use crate::schema::TableName;

/// One read of a transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactGet {
    /// The table.
    pub table: TableName,
    /// The key.
    pub key: Item,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
}

/// Input of `TransactGetItems`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TransactGetItemsInput {
    /// 1 to 100 reads.
    pub gets: Vec<TransactGet>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `TransactGetItems`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactGetItemsOutput {
    /// An answer a read, in their order; `None` where there is no item.
    pub items: Vec<Option<ItemBody>>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
}

/// One read of a transaction as a text protocol carries it: the members of its `Get`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactGetUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `Key`.
    pub key: Option<Unchecked<Item>>,
    /// `ProjectionExpression`.
    pub projection: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
}

/// Input of `TransactGetItems` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactGetItemsUnchecked {
    /// `TransactItems`: the `Get` of each.
    pub gets: Option<Vec<Option<TransactGetUnchecked>>>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
}

impl TransactGetItemsUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<TransactGetItemsInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<TransactGetItemsInput, Error> {
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.present(&self.gets, "transactItems");
        constraint::transact_items(&mut found, self.gets.as_ref().map(Vec::len), "TransactGetItem");
        let gets = self.gets.unwrap_or_default();
        // A list that is too long is reported by its length, not by what is in it.
        for (at, get) in gets.iter().enumerate().take(limits::TRANSACT_ITEMS) {
            let at = format_args!("transactItems.{}.member.get", at + 1);
            found.present(get, at);
            if let Some(get) = get {
                found.table(get.table.as_deref(), format_args!("{at}.tableName"));
                found.present(&get.key, format_args!("{at}.key"));
            }
        }
        found.finish()?;
        let mut checked = Vec::with_capacity(gets.len());
        for get in gets.into_iter().flatten() {
            parameters::not_mixed(
                &[("ProjectionExpression", get.projection.is_some())],
                &[],
                get.names.is_some(),
                None,
            )?;
            let key = get.key.unwrap_or_default().check()?;
            checked.push(TransactGet {
                table: constraint::checked_table(get.table)?,
                key,
                projection: parameters::projection(author, get.projection, None, get.names)?,
            });
        }
        Ok(TransactGetItemsInput {
            gets: checked,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
        })
    }
}
