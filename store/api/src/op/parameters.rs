//! Checks that several operations share: what may be given together, and the short enumerations.

use super::capacity::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};
use super::condition_failure::ReturnOnFailure;
use super::legacy::{self, ConditionsUnchecked};
use super::unchecked::{Names, Values};
use crate::error::Error;
use crate::expr::{Author, Condition, ExpressionKind, Path, Placeholders, Projection};
use crate::item::Item;
use crate::limits;

/// A parameter's name and whether the request has it.
pub(crate) type Given = (&'static str, bool);

/// Refuses expressions beside legacy parameters, and placeholders without expressions.
///
/// `Values` are only judged where the operation has them: with `None` for `values` it has none.
pub(crate) fn not_mixed(
    expressions: &[Given],
    legacy: &[Given],
    names: bool,
    values: Option<bool>,
) -> Result<(), Error> {
    let given = |parameters: &[Given]| {
        parameters.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    let any = expressions.iter().any(|(_, given)| *given);
    if any && legacy.iter().any(|(_, given)| *given) {
        return Err(Error::validation(format!(
            "Can not use both expression and non-expression parameters in the same request: Non-expression \
             parameters: {{{}}} Expression parameters: {{{}}}",
            given(legacy),
            given(expressions)
        )));
    }
    if names && !any {
        return Err(Error::validation(
            "ExpressionAttributeNames can only be specified when using expressions",
        ));
    }
    if values == Some(true) {
        let takes_values: Vec<Given> =
            expressions.iter().copied().filter(|(name, _)| *name != "ProjectionExpression").collect();
        if takes_values.iter().all(|(_, given)| !*given) {
            let all = takes_values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
            let verb = if takes_values.len() > 1 { "are" } else { "is" };
            return Err(Error::validation(format!(
                "ExpressionAttributeValues can only be specified when using expressions: {all} {verb} null"
            )));
        }
    }
    Ok(())
}

/// The placeholders of a request. Keys are judged before values.
pub(crate) fn placeholders(
    author: Author,
    names: Option<Names>,
    values: Option<Values>,
) -> Result<Placeholders, Error> {
    let mut problem = None;
    let values = values.map(|values| {
        values
            .into_iter()
            .map(|(key, value)| {
                let (value, wrong) = value.into_parts();
                if let (None, Some(wrong)) = (&problem, wrong) {
                    problem = Some(Error::validation(format!(
                        "ExpressionAttributeValues contains invalid value: {} for key {key}",
                        wrong.message
                    )));
                }
                (key, value)
            })
            .collect()
    });
    let placeholders = Placeholders::by(author, names, values)?;
    match problem {
        None => Ok(placeholders),
        Some(problem) => Err(problem),
    }
}

/// Refuses an attribute named twice in `AttributesToGet`.
pub(crate) fn no_duplicates(attributes: &[String]) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    match attributes.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::validation(format!(
            "One or more parameter values were invalid: Duplicate value in attribute name: {name}"
        ))),
    }
}

/// Refuses an item over the size limit.
pub(crate) fn item_fits(item: &Item) -> Result<(), Error> {
    if crate::value::size::item_bytes(item) > limits::ITEM_BYTES {
        return Err(Error::validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// `ReturnConsumedCapacity`, once its constraint holds.
pub(crate) fn return_capacity(text: Option<&str>) -> ReturnConsumedCapacity {
    match text {
        Some("TOTAL") => ReturnConsumedCapacity::Total,
        Some("INDEXES") => ReturnConsumedCapacity::Indexes,
        _ => ReturnConsumedCapacity::None,
    }
}

/// `ReturnItemCollectionMetrics`, once its constraint holds.
pub(crate) fn return_collection(text: Option<&str>) -> ReturnItemCollectionMetrics {
    match text {
        Some("SIZE") => ReturnItemCollectionMetrics::Size,
        _ => ReturnItemCollectionMetrics::None,
    }
}

/// `ReturnValuesOnConditionCheckFailure`, once its constraint holds.
pub(crate) fn return_on_failure(text: Option<&str>) -> ReturnOnFailure {
    match text {
        Some("ALL_OLD") => ReturnOnFailure::AllOld,
        _ => ReturnOnFailure::None,
    }
}

/// `ProjectionExpression` or `AttributesToGet`, of an operation without values.
pub(crate) fn projection(
    author: Author,
    text: Option<String>,
    attributes: Option<Vec<String>>,
    names: Option<Names>,
) -> Result<Option<Projection>, Error> {
    let legacy = attributes.map(attributes_to_get).transpose()?;
    if text.is_none() && names.is_none() {
        return Ok(legacy);
    }
    let mut placeholders = placeholders(author, names, None)?;
    let projection = text.map(|text| placeholders.projection(&text)).transpose()?;
    placeholders.finish()?;
    Ok(projection.or(legacy))
}

/// `AttributesToGet` as the tree a projection makes: top-level attributes, no matter what their names look like.
pub(crate) fn attributes_to_get(attributes: Vec<String>) -> Result<Projection, Error> {
    no_duplicates(&attributes)?;
    if attributes.iter().any(String::is_empty) {
        return Err(Error::validation("One or more parameter values were invalid: Empty attribute name"));
    }
    let paths = attributes.into_iter().map(|attribute| Path { attribute, steps: Vec::new() }).collect();
    Ok(Projection { paths })
}

/// The condition of a write, in either of its forms.
pub(crate) struct Conditions {
    pub(crate) text: Option<String>,
    pub(crate) expected: Option<ConditionsUnchecked>,
    pub(crate) operator: Option<String>,
    pub(crate) names: Option<Names>,
    pub(crate) values: Option<Values>,
}

impl Conditions {
    pub(crate) fn check(self, author: Author) -> Result<Option<Condition>, Error> {
        let legacy = legacy::expected(self.expected, self.operator.as_deref())?;
        if self.text.is_none() && self.names.is_none() && self.values.is_none() {
            return Ok(legacy);
        }
        let mut placeholders = placeholders(author, self.names, self.values)?;
        let condition =
            self.text.map(|text| placeholders.condition(ExpressionKind::Condition, &text)).transpose()?;
        placeholders.finish()?;
        Ok(condition.or(legacy))
    }
}
