//! `Query`.

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use super::constraint::{self, Constraints};
use super::legacy::{self, ConditionsUnchecked};
use super::parameters;
use super::select::{self, Reader};
use super::unchecked::{Names, Unchecked, Values};
use crate::error::Error;
use crate::expr::{Author, Condition, ExpressionKind, KeyCondition, Projection};
use crate::item::{Item, ItemBody};
use crate::schema::{IndexName, TableName};

/// What a Query or Scan returns of the items it matches.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Select {
    /// All attributes of the table's items (`ALL_ATTRIBUTES`, the default on tables).
    AllAttributes,
    /// All attributes the index has (`ALL_PROJECTED_ATTRIBUTES`, the default on indexes).
    AllProjected,
    /// Only these paths (`SPECIFIC_ATTRIBUTES`).
    Specific(Projection),
    /// No items, only how many (`COUNT`).
    Count,
}

/// Input of `Query`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct QueryInput {
    /// The table.
    pub table: TableName,
    /// The index, if any.
    pub index: Option<IndexName>,
    /// Which partition, and which range of it.
    pub key_condition: KeyCondition,
    /// What must hold of an item besides; judged after it was counted against the limit.
    pub filter: Option<Condition>,
    /// What to return.
    pub select: Select,
    /// Most items to evaluate; at least 1.
    pub limit: Option<u32>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// Ascending by sort key, or descending.
    pub forward: bool,
    /// Where to go on: the last key of the page before.
    pub start: Option<Item>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// A page, of Query or Scan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The matching items, projected; `None` where only the count was asked for.
    pub items: Option<Vec<ItemBody>>,
    /// How many matched.
    pub count: u32,
    /// How many were evaluated.
    pub scanned_count: u32,
    /// Where the next page starts; `None` after the last.
    pub last_key: Option<Item>,
    /// What was consumed, if asked.
    pub capacity: Option<ConsumedCapacity>,
}

/// Output of `Query`.
pub type QueryOutput = Page;

/// Input of `Query` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryUnchecked {
    /// `TableName`.
    pub table: Option<String>,
    /// `IndexName`.
    pub index: Option<String>,
    /// `Select`.
    pub select: Option<String>,
    /// `AttributesToGet`.
    pub attributes_to_get: Option<Vec<String>>,
    /// `ConditionalOperator`.
    pub conditional_operator: Option<String>,
    /// `ProjectionExpression`.
    pub projection: Option<String>,
    /// `FilterExpression`.
    pub filter: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
    /// `ExpressionAttributeValues`.
    pub values: Option<Values>,
    /// `Limit`.
    pub limit: Option<i64>,
    /// `ConsistentRead`.
    pub consistent: Option<bool>,
    /// `ExclusiveStartKey`.
    pub start: Option<Unchecked<Item>>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
    /// `ScanIndexForward`.
    pub forward: Option<bool>,
    /// `KeyConditions`.
    pub key_conditions: Option<ConditionsUnchecked>,
    /// `QueryFilter`.
    pub query_filter: Option<ConditionsUnchecked>,
    /// `KeyConditionExpression`.
    pub key_condition: Option<String>,
}

impl QueryUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<QueryInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<QueryInput, Error> {
        constraint::not_empty(self.table.as_deref(), "tableName")?;
        let mut found = Constraints::new();
        found.one_of(self.select.as_deref(), "select", constraint::SELECT);
        found.index(self.index.as_deref(), "indexName");
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        legacy::constrain(&mut found, self.query_filter.as_ref(), "queryFilter", true);
        found.table(self.table.as_deref(), "tableName");
        found.one_of(self.conditional_operator.as_deref(), "conditionalOperator", constraint::CONDITIONAL);
        found.attributes_to_get(self.attributes_to_get.as_deref(), "attributesToGet");
        found.at_least(self.limit, "limit", 1);
        legacy::constrain(&mut found, self.key_conditions.as_ref(), "keyConditions", true);
        found.finish()?;
        parameters::not_mixed(
            &[
                ("ProjectionExpression", self.projection.is_some()),
                ("FilterExpression", self.filter.is_some()),
                ("KeyConditionExpression", self.key_condition.is_some()),
            ],
            &[
                ("AttributesToGet", self.attributes_to_get.is_some()),
                ("QueryFilter", self.query_filter.is_some()),
                ("ConditionalOperator", self.conditional_operator.is_some()),
                // Beside expressions that are not about the key, the legacy form of the key condition is let through.
                ("KeyConditions", self.key_conditions.is_some() && self.key_condition.is_some()),
            ],
            self.names.is_some(),
            Some(self.values.is_some()),
        )?;
        let legacy_filter = legacy::filter(self.query_filter, self.conditional_operator.as_deref())?;
        let legacy_projection = self.attributes_to_get.map(parameters::attributes_to_get).transpose()?;
        let start = select::start_key(self.start)?;
        select::fits(
            Reader::Query,
            self.select.as_deref(),
            self.index.is_some(),
            self.projection.is_some(),
            legacy_projection.is_some(),
        )?;
        if self.key_conditions.is_none() && self.key_condition.is_none() {
            return Err(Error::validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ));
        }
        let mut placeholders = parameters::placeholders(author, self.names, self.values)?;
        let key_condition = self.key_condition.map(|text| placeholders.key_condition(&text)).transpose()?;
        let filter = match self.filter {
            Some(text) => Some(placeholders.condition(ExpressionKind::Filter, &text)?),
            None => legacy_filter,
        };
        let projection = match self.projection {
            Some(text) => Some(placeholders.projection(&text)?),
            None => legacy_projection,
        };
        placeholders.finish()?;
        let key_condition = match key_condition {
            Some(condition) => condition,
            None => legacy::key_conditions(self.key_conditions.unwrap_or_default())?,
        };
        Ok(QueryInput {
            table: constraint::checked_table(self.table)?,
            select: select::select(self.select.as_deref(), self.index.is_some(), projection),
            index: self.index.as_deref().and_then(IndexName::new),
            key_condition,
            filter,
            limit: self.limit.and_then(|limit| u32::try_from(limit).ok()),
            consistent: self.consistent.unwrap_or_default(),
            forward: self.forward.unwrap_or(true),
            start,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
        })
    }
}
