//! `PutItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use super::constraint::{self, Constraints};
use super::legacy::{self, ConditionsUnchecked};
use super::parameters::{self, Conditions};
use super::unchecked::{Names, Unchecked, Values};
use crate::error::Error;
use crate::expr::{Author, Condition};
use crate::item::Item;
use crate::schema::TableName;

/// What `ReturnValues` of PutItem and DeleteItem asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnOld {
    /// Nothing.
    #[default]
    None,
    /// The item as it stood before.
    AllOld,
}

/// Input of `PutItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PutItemInput {
    /// The table.
    pub table: TableName,
    /// The item.
    pub item: Item,
    /// What must hold of the item that stands there.
    pub condition: Option<Condition>,
    /// What to return.
    pub return_values: ReturnOld,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of the item collection.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `PutItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct PutItemOutput {
    /// The item as it stood before, if asked.
    pub attributes: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
    /// The item collection, if asked and the table has local indexes.
    pub collection: Option<ItemCollectionMetrics>,
}

/// Input of `PutItem` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PutItemUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `Item`.
    pub item: Option<Unchecked<Item>>,
    /// `Expected`.
    pub expected: Option<ConditionsUnchecked>,
    /// `ConditionalOperator`.
    pub conditional_operator: Option<String>,
    /// `ConditionExpression`.
    pub condition: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
    /// `ExpressionAttributeValues`.
    pub values: Option<Values>,
    /// `ReturnValues`.
    pub return_values: Option<String>,
    /// `ReturnValuesOnConditionCheckFailure`.
    pub return_on_failure: Option<String>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
    /// `ReturnItemCollectionMetrics`.
    pub return_collection: Option<String>,
}

impl PutItemUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<PutItemInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<PutItemInput, Error> {
        constraint::not_empty(self.table.as_deref(), "tableName")?;
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.table(self.table.as_deref(), "tableName");
        found.present(&self.item, "item");
        found.one_of(self.conditional_operator.as_deref(), "conditionalOperator", constraint::CONDITIONAL);
        legacy::constrain(&mut found, self.expected.as_ref(), "expected", false);
        found.one_of(self.return_values.as_deref(), "returnValues", constraint::RETURN_VALUES);
        found.one_of(
            self.return_collection.as_deref(),
            "returnItemCollectionMetrics",
            constraint::COLLECTION,
        );
        found.one_of(
            self.return_on_failure.as_deref(),
            "returnValuesOnConditionCheckFailure",
            constraint::ON_FAILURE,
        );
        found.finish()?;
        parameters::not_mixed(
            &[("ConditionExpression", self.condition.is_some())],
            &[("Expected", self.expected.is_some())],
            self.names.is_some(),
            Some(self.values.is_some()),
        )?;
        let item = self.item.unwrap_or_default().check()?;
        let return_values = match self.return_values.as_deref() {
            None | Some("NONE") => ReturnOld::None,
            Some("ALL_OLD") => ReturnOld::AllOld,
            Some(_) => return Err(Error::validation("ReturnValues can only be ALL_OLD or NONE")),
        };
        parameters::item_fits(&item)?;
        let condition = Conditions {
            text: self.condition,
            expected: self.expected,
            operator: self.conditional_operator,
            names: self.names,
            values: self.values,
        }
        .check(author)?;
        Ok(PutItemInput {
            table: constraint::checked_table(self.table)?,
            item,
            condition,
            return_values,
            return_on_failure: parameters::return_on_failure(self.return_on_failure.as_deref()),
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
            return_collection: parameters::return_collection(self.return_collection.as_deref()),
        })
    }
}
