//! The legacy parameters as a text protocol carries them, and the constraints of their members. What they mean is judged
//! in [`crate::expr::legacy`], which turns them into the trees that expressions make.

use std::collections::BTreeMap;

use super::constraint::{COMPARISON, Constraints};
use super::unchecked::Unchecked;
use crate::error::Error;
use crate::expr::legacy::{
    self as trees, ComparisonOperator, ConditionalOperator, Expectation, UpdateActionName,
};
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
    join(conditions, operator, |name, condition| {
        let entry = Expectation {
            comparison: condition.comparison.as_deref().and_then(ComparisonOperator::from_name),
            values: condition.values.map(sound).transpose()?,
            exists: condition.exists,
            value: condition.value.map(Unchecked::check).transpose()?,
        };
        trees::expectation(name, entry)
    })
}

/// `QueryFilter` or `ScanFilter` as the tree a filter expression makes.
pub(crate) fn filter(
    conditions: Option<ConditionsUnchecked>,
    operator: Option<&str>,
) -> Result<Option<Condition>, Error> {
    join(conditions, operator, |name, condition| {
        let (operator, values) = comparison(condition)?;
        trees::comparison(name, operator, values)
    })
}

fn join(
    conditions: Option<ConditionsUnchecked>,
    operator: Option<&str>,
    tree: impl Fn(&str, ConditionUnchecked) -> Result<Condition, Error>,
) -> Result<Option<Condition>, Error> {
    let conditions = conditions.unwrap_or_default();
    trees::check_conditional_operator(operator.is_some(), conditions.len())?;
    named(conditions.keys())?;
    let terms =
        conditions.into_iter().map(|(name, condition)| tree(&name, condition)).collect::<Result<_, _>>()?;
    let operator = operator.and_then(ConditionalOperator::from_name).unwrap_or_default();
    Ok(trees::join(terms, operator))
}

/// `KeyConditions` as the tree a key condition expression makes.
pub(crate) fn key_conditions(conditions: ConditionsUnchecked) -> Result<KeyCondition, Error> {
    named(conditions.keys())?;
    let entries = conditions.into_iter().map(|(name, condition)| {
        let (operator, values) = comparison(condition)?;
        Ok((name, operator, values))
    });
    let condition = trees::key_condition(entries.collect::<Result<Vec<_>, Error>>()?)?;
    // No key has any other type, and no expression could say it.
    condition.check_equality_types()?;
    condition.check_types()?;
    Ok(condition)
}

/// `AttributeUpdates` as the tree an update expression makes.
pub(crate) fn updates(updates: AttributeUpdatesUnchecked) -> Result<Update, Error> {
    named(updates.keys())?;
    let actions = updates.into_iter().map(|(name, update)| {
        let value = update.value.map(Unchecked::check).transpose()?;
        let action = update.action.as_deref().and_then(UpdateActionName::from_name).unwrap_or_default();
        trees::attribute_update(&name, action, value)
    });
    Ok(Update { actions: actions.collect::<Result<_, Error>>()? })
}

/// Refuses an empty attribute name, which no expression could spell.
fn named<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    if names.any(String::is_empty) {
        return Err(Error::validation("One or more parameter values were invalid: Empty attribute name"));
    }
    Ok(())
}

fn sound(values: Vec<Unchecked<AttributeValue>>) -> Result<Vec<AttributeValue>, Error> {
    values.into_iter().map(Unchecked::check).collect()
}

/// The operator and values of a condition whose operator is there and known: the constraints held.
fn comparison(condition: ConditionUnchecked) -> Result<(ComparisonOperator, Vec<AttributeValue>), Error> {
    let operator = condition.comparison.as_deref().and_then(ComparisonOperator::from_name);
    let operator = operator.ok_or_else(|| {
        Error::validation("One or more parameter values were invalid: ComparisonOperator must be specified")
    })?;
    Ok((operator, sound(condition.values.unwrap_or_default())?))
}
