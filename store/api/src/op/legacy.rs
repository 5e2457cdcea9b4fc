//! The legacy parameters as a text protocol carries them, and the constraints of their members. What they mean is judged
//! in [`crate::expr::legacy`], which turns them into the trees that expressions make.

use std::collections::BTreeMap;

use super::constraint::{COMPARISON, Constraints};
use super::unchecked::Unchecked;
use crate::error::Error;
use crate::expr::{Condition, KeyCondition, Update};
use crate::value::AttributeValue;

/// One entry of `Expected`, `KeyConditions`, `QueryFilter` or `ScanFilter`; the latter three have no `Exists` and `Value`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConditionUnchecked {
    /// `ComparisonOperator`.
    pub comparison: Option<String>,
    /// `AttributeValueList`.
    pub values: Option<Vec<Unchecked<AttributeValue>>>,
    /// `Exists`.
    pub exists: Option<bool>,
    /// `Value`.
    pub value: Option<Unchecked<AttributeValue>>,
}

/// One entry of `AttributeUpdates`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttributeUpdateUnchecked {
    /// `Action`; `PUT` where it is not given.
    pub action: Option<String>,
    /// `Value`.
    pub value: Option<Unchecked<AttributeValue>>,
}

/// Conditions by attribute.
pub type ConditionsUnchecked = BTreeMap<String, ConditionUnchecked>;

/// Updates by attribute.
pub type AttributeUpdatesUnchecked = BTreeMap<String, AttributeUpdateUnchecked>;

/// The members of a map of conditions. A filter or key condition must have its operator; an expectation need not.
pub(crate) fn constrain(
    found: &mut Constraints,
    conditions: Option<&ConditionsUnchecked>,
    at: &str,
    operator_needed: bool,
) {
    for (name, condition) in conditions.into_iter().flatten() {
        let at = format_args!("{at}.{name}.member.comparisonOperator");
        if operator_needed {
            found.present(&condition.comparison, at);
        }
        found.one_of(condition.comparison.as_deref(), at, COMPARISON);
    }
}

/// The members of a map of updates.
pub(crate) fn constrain_updates(found: &mut Constraints, updates: Option<&AttributeUpdatesUnchecked>) {
    for (name, update) in updates.into_iter().flatten() {
        let at = format_args!("attributeUpdates.{name}.member.action");
        found.one_of(update.action.as_deref(), at, &["ADD", "DELETE", "PUT"]);
    }
}

/// `Expected` as the tree a condition expression makes.
pub(crate) fn expected(
    conditions: Option<ConditionsUnchecked>,
    operator: Option<&str>,
) -> Result<Option<Condition>, Error> {
    filter(conditions, operator)
}

/// `QueryFilter` or `ScanFilter` as the tree a filter expression makes.
pub(crate) fn filter(
    conditions: Option<ConditionsUnchecked>,
    operator: Option<&str>,
) -> Result<Option<Condition>, Error> {
    if conditions.is_none() && operator.is_none() { Ok(None) } else { Err(not_yet()) }
}

/// `KeyConditions` as the tree a key condition expression makes.
pub(crate) fn key_conditions(_: ConditionsUnchecked) -> Result<KeyCondition, Error> {
    Err(not_yet())
}

/// `AttributeUpdates` as the tree an update expression makes.
pub(crate) fn updates(_: AttributeUpdatesUnchecked) -> Result<Update, Error> {
    Err(not_yet())
}

fn not_yet() -> Error {
    Error::validation("Legacy parameters are not supported by this endpoint yet; use expressions")
}
