//! `UpdateItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::condition_failure::ReturnOnFailure;
use super::constraint::{self, Constraints};
use super::legacy::{self, AttributeUpdatesUnchecked, ConditionsUnchecked};
use super::parameters;
use super::unchecked::{Names, Unchecked, Values};
use crate::error::Error;
use crate::expr::{Author, Condition, ExpressionKind, Update};
use crate::item::Item;
use crate::schema::TableName;

/// What `ReturnValues` of UpdateItem asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum ReturnValues {
    /// Nothing.
    #[default]
    None,
    /// The whole item before.
    AllOld,
    /// What the update touched, before.
    UpdatedOld,
    /// The whole item after.
    AllNew,
    /// What the update touched, after.
    UpdatedNew,
}

/// Input of `UpdateItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateItemInput {
    /// The table.
    pub table: TableName,
    /// The key.
    pub key: Item,
    /// What to do; an update without actions makes the item exist.
    pub update: Update,
    /// What must hold of the item that stands there.
    pub condition: Option<Condition>,
    /// What to return.
    pub return_values: ReturnValues,
    /// What to return where the condition fails.
    pub return_on_failure: ReturnOnFailure,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of the item collection.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `UpdateItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct UpdateItemOutput {
    /// What was asked for; `None` where there is nothing of it.
    pub attributes: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
    /// The item collection, if asked and the table has local indexes.
    pub collection: Option<ItemCollectionMetrics>,
}

/// Input of `UpdateItem` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateItemUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `Key`.
    pub key: Option<Unchecked<Item>>,
    /// `AttributeUpdates`.
    pub attribute_updates: Option<AttributeUpdatesUnchecked>,
    /// `Expected`.
    pub expected: Option<ConditionsUnchecked>,
    /// `ConditionalOperator`.
    pub conditional_operator: Option<String>,
    /// `UpdateExpression`.
    pub update: Option<String>,
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

impl UpdateItemUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<UpdateItemInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<UpdateItemInput, Error> {
        constraint::not_empty(self.table.as_deref(), "tableName")?;
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.table(self.table.as_deref(), "tableName");
        found.one_of(
            self.return_collection.as_deref(),
            "returnItemCollectionMetrics",
            constraint::COLLECTION,
        );
        found.one_of(self.return_values.as_deref(), "returnValues", constraint::RETURN_VALUES);
        found.present(&self.key, "key");
        found.one_of(self.conditional_operator.as_deref(), "conditionalOperator", constraint::CONDITIONAL);
        legacy::constrain(&mut found, self.expected.as_ref(), "expected", false);
        legacy::constrain_updates(&mut found, self.attribute_updates.as_ref());
        found.one_of(
            self.return_on_failure.as_deref(),
            "returnValuesOnConditionCheckFailure",
            constraint::ON_FAILURE,
        );
        found.finish()?;
        parameters::not_mixed(
            &[("UpdateExpression", self.update.is_some()), ("ConditionExpression", self.condition.is_some())],
            &[("AttributeUpdates", self.attribute_updates.is_some()), ("Expected", self.expected.is_some())],
            self.names.is_some(),
            Some(self.values.is_some()),
        )?;
        let key = self.key.unwrap_or_default().check()?;
        let legacy_update = self.attribute_updates.map(legacy::updates).transpose()?;
        let legacy_condition = legacy::expected(self.expected, self.conditional_operator.as_deref())?;
        let mut placeholders = parameters::placeholders(author, self.names, self.values)?;
        let update = match self.update {
            Some(text) => placeholders.update(&text)?,
            None => legacy_update.unwrap_or_default(),
        };
        let condition = match self.condition {
            Some(text) => Some(placeholders.condition(ExpressionKind::Condition, &text)?),
            None => legacy_condition,
        };
        placeholders.finish()?;
        Ok(UpdateItemInput {
            table: constraint::checked_table(self.table)?,
            key,
            update,
            condition,
            return_values: match self.return_values.as_deref() {
                Some("ALL_OLD") => ReturnValues::AllOld,
                Some("UPDATED_OLD") => ReturnValues::UpdatedOld,
                Some("ALL_NEW") => ReturnValues::AllNew,
                Some("UPDATED_NEW") => ReturnValues::UpdatedNew,
                _ => ReturnValues::None,
            },
            return_on_failure: parameters::return_on_failure(self.return_on_failure.as_deref()),
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
            return_collection: parameters::return_collection(self.return_collection.as_deref()),
        })
    }
}
