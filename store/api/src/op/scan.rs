//! `Scan`.

use super::capacity::ReturnConsumedCapacity;
use super::constraint::{self, Constraints};
use super::legacy::{self, ConditionsUnchecked};
use super::parameters;
use super::query::{Page, Select};
use super::select::{self, Reader};
use super::unchecked::{Names, Unchecked, Values};
use crate::error::Error;
use crate::expr::{Author, Condition, ExpressionKind};
use crate::item::Item;
use crate::limits;
use crate::schema::{IndexName, TableName};

/// A share of a parallel scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    /// Which share, from 0.
    pub number: u32,
    /// Of how many.
    pub total: u32,
}

/// Input of `Scan`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScanInput {
    /// The table.
    pub table: TableName,
    /// The index, if any.
    pub index: Option<IndexName>,
    /// What must hold of an item; judged after it was counted against the limit.
    pub filter: Option<Condition>,
    /// What to return.
    pub select: Select,
    /// Most items to evaluate; at least 1.
    pub limit: Option<u32>,
    /// Whether the read must be strongly consistent.
    pub consistent: bool,
    /// Which share of the table; `None` for all of it.
    pub segment: Option<Segment>,
    /// Where to go on: the last key of the page before.
    pub start: Option<Item>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `Scan`.
pub type ScanOutput = Page;

/// Input of `Scan` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScanUnchecked {
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
    /// `ScanFilter`.
    pub scan_filter: Option<ConditionsUnchecked>,
    /// `Segment`.
    pub segment: Option<i64>,
    /// `TotalSegments`.
    pub total_segments: Option<i64>,
}

impl ScanUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<ScanInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<ScanInput, Error> {
        constraint::not_empty(self.table.as_deref(), "tableName")?;
        let mut found = Constraints::new();
        found.one_of(self.select.as_deref(), "select", constraint::SELECT);
        found.index(self.index.as_deref(), "indexName");
        found.at_least(self.total_segments, "totalSegments", 1);
        found.at_most(self.total_segments, "totalSegments", i64::from(limits::SCAN_SEGMENTS));
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.table(self.table.as_deref(), "tableName");
        found.one_of(self.conditional_operator.as_deref(), "conditionalOperator", constraint::CONDITIONAL);
        legacy::constrain(&mut found, self.scan_filter.as_ref(), "scanFilter", true);
        found.at_least(self.segment, "segment", 0);
        found.at_most(self.segment, "segment", i64::from(limits::SCAN_SEGMENTS) - 1);
        found.at_least(self.limit, "limit", 1);
        found.attributes_to_get(self.attributes_to_get.as_deref(), "attributesToGet");
        found.finish()?;
        parameters::not_mixed(
            &[
                ("ProjectionExpression", self.projection.is_some()),
                ("FilterExpression", self.filter.is_some()),
            ],
            &[
                ("AttributesToGet", self.attributes_to_get.is_some()),
                ("ScanFilter", self.scan_filter.is_some()),
                ("ConditionalOperator", self.conditional_operator.is_some()),
            ],
            self.names.is_some(),
            Some(self.values.is_some()),
        )?;
        let legacy_projection = self.attributes_to_get.map(parameters::attributes_to_get).transpose()?;
        let legacy_filter = legacy::filter(self.scan_filter, self.conditional_operator.as_deref())?;
        let start = select::start_key(self.start)?;
        let segment = segment(self.segment, self.total_segments)?;
        select::fits(
            Reader::Scan,
            self.select.as_deref(),
            self.index.is_some(),
            self.projection.is_some(),
            legacy_projection.is_some(),
        )?;
        let mut placeholders = parameters::placeholders(author, self.names, self.values)?;
        let filter = match self.filter {
            Some(text) => Some(placeholders.condition(ExpressionKind::Filter, &text)?),
            None => legacy_filter,
        };
        let projection = match self.projection {
            Some(text) => Some(placeholders.projection(&text)?),
            None => legacy_projection,
        };
        placeholders.finish()?;
        Ok(ScanInput {
            table: constraint::checked_table(self.table)?,
            select: select::select(self.select.as_deref(), self.index.is_some(), projection),
            index: self.index.as_deref().and_then(IndexName::new),
            filter,
            limit: self.limit.and_then(|limit| u32::try_from(limit).ok()),
            consistent: self.consistent.unwrap_or_default(),
            segment,
            start,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
        })
    }
}

/// Which share of the table; both numbers are given or neither.
fn segment(number: Option<i64>, total: Option<i64>) -> Result<Option<Segment>, Error> {
    match (number, total) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
             present",
        )),
        (None, Some(_)) => Err(Error::validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
             present",
        )),
        (Some(number), Some(total)) if number >= total => Err(Error::validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {number} is \
             not less than TotalSegments: {total}"
        ))),
        (Some(number), Some(total)) => {
            // Both bounds were judged before: neither number is negative or beyond the limit.
            Ok(Some(Segment { number: number.unsigned_abs() as u32, total: total.unsigned_abs() as u32 }))
        }
    }
}
