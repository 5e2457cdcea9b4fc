//! Legacy parameters, entry by entry, as the trees that expressions make.
//!
//! One entry at a time, because the service judges an entry's values before the entry and one entry after the other: the
//! operation decodes a value, reports what is wrong with it, and asks here what the entry means. Names of operators and
//! actions were checked before; the rest of an entry is judged here.

use super::{Comparator, Condition, KeyCondition, KeyTest, Operand, Path, UpdateAction};
use crate::error::Error;
use crate::value::{AttributeValue, ValueType};

macro_rules! operators {
    ($($variant:ident $name:literal,)*) => {
        /// `ComparisonOperator`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ComparisonOperator { $(#[doc = concat!("`", $name, "`.")] $variant),* }

        impl ComparisonOperator {
            /// The name on the wire.
            pub const fn name(self) -> &'static str { match self { $(ComparisonOperator::$variant => $name),* } }
            /// The operator of that name.
            pub fn from_name(name: &str) -> Option<ComparisonOperator> {
                match name { $($name => Some(ComparisonOperator::$variant),)* _ => None }
            }
        }
    };
}

operators! {
    BeginsWith "BEGINS_WITH",
    Between "BETWEEN",
    Contains "CONTAINS",
    Eq "EQ",
    Ge "GE",
    Gt "GT",
    In "IN",
    Le "LE",
    Lt "LT",
    Ne "NE",
    NotContains "NOT_CONTAINS",
    NotNull "NOT_NULL",
    Null "NULL",
}

/// `ConditionalOperator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConditionalOperator {
    /// `AND`, the default.
    #[default]
    And,
    /// `OR`.
    Or,
}

impl ConditionalOperator {
    /// The operator of that name.
    pub fn from_name(name: &str) -> Option<ConditionalOperator> {
        match name {
            "AND" => Some(ConditionalOperator::And),
            "OR" => Some(ConditionalOperator::Or),
            _ => None,
        }
    }
}

/// `Action` of `AttributeUpdates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UpdateActionName {
    /// `PUT`, the default.
    #[default]
    Put,
    /// `ADD`.
    Add,
    /// `DELETE`.
    Delete,
}

impl UpdateActionName {
    /// The action of that name.
    pub fn from_name(name: &str) -> Option<UpdateActionName> {
        match name {
            "PUT" => Some(UpdateActionName::Put),
            "ADD" => Some(UpdateActionName::Add),
            "DELETE" => Some(UpdateActionName::Delete),
            _ => None,
        }
    }
}

/// An entry of `Expected`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// `ComparisonOperator`.
    pub comparison: Option<ComparisonOperator>,
    /// `AttributeValueList`.
    pub values: Option<Vec<AttributeValue>>,
    /// `Exists`.
    pub exists: Option<bool>,
    /// `Value`.
    pub value: Option<AttributeValue>,
}

fn invalid(problem: &str) -> Error {
    Error::validation(format!("One or more parameter values were invalid: {problem}"))
}

/// Checks that `ConditionalOperator` has something to join. `given` is whether the request has it, `entries` how many
/// conditions its filter or `Expected` has.
pub fn check_conditional_operator(given: bool, entries: usize) -> Result<(), Error> {
    match entries {
        0 if given => Err(Error::validation("ConditionalOperator cannot be used without Filter or Expected")),
        1 if given => Err(Error::validation(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        )),
        _ => Ok(()),
    }
}

/// Joins the conditions of all entries; `None` where there is none.
pub fn join(terms: Vec<Condition>, operator: ConditionalOperator) -> Option<Condition> {
    if terms.is_empty() {
        return None;
    }
    Some(match operator {
        ConditionalOperator::And => Condition::all(terms),
        ConditionalOperator::Or => Condition::any(terms),
    })
}

/// An entry of `Expected` as a condition.
pub fn expectation(attribute: &str, entry: Expectation) -> Result<Condition, Error> {
    if entry.values.is_some() && entry.value.is_some() {
        return Err(invalid(&format!(
            "Value and AttributeValueList cannot be used together for Attribute: {attribute}"
        )));
    }
    let Some(operator) = entry.comparison else {
        if entry.values.is_some() {
            return Err(invalid(&format!(
                "AttributeValueList can only be used with a ComparisonOperator for Attribute: {attribute}"
            )));
        }
        return match (entry.exists, entry.value) {
            (Some(false), None) => Ok(Condition::AttributeNotExists(Path::attribute(attribute))),
            (Some(false), Some(_)) => {
                Err(invalid(&format!("Value cannot be used when Exists is false for Attribute: {attribute}")))
            }
            (_, Some(value)) => Ok(compare(Comparator::Eq, attribute, value)),
            (exists, None) => {
                let exists = if exists.is_some() { "true" } else { "null" };
                Err(invalid(&format!(
                    "Value must be provided when Exists is {exists} for Attribute: {attribute}"
                )))
            }
        };
    };
    if entry.exists.is_some() {
        return Err(invalid(&format!(
            "Exists and ComparisonOperator cannot be used together for Attribute: {attribute}"
        )));
    }
    let values = match (entry.values, entry.value) {
        (Some(values), _) => values,
        (None, Some(value)) => vec![value],
        (None, None) if matches!(operator, ComparisonOperator::Null | ComparisonOperator::NotNull) => {
            Vec::new()
        }
        (None, None) => {
            return Err(invalid(&format!(
                "Value or AttributeValueList must be used with ComparisonOperator: {} for Attribute: {attribute}",
                operator.name()
            )));
        }
    };
    comparison(attribute, operator, values)
}

/// An entry of `QueryFilter` or `ScanFilter` as a condition.
pub fn comparison(
    attribute: &str,
    operator: ComparisonOperator,
    values: Vec<AttributeValue>,
) -> Result<Condition, Error> {
    check_values(operator, &values)?;
    let path = || Operand::Path(Path::attribute(attribute));
    let mut values = values.into_iter();
    let mut next = || values.next().ok_or_else(|| wrong_count(operator));
    Ok(match operator {
        ComparisonOperator::Eq => compare(Comparator::Eq, attribute, next()?),
        ComparisonOperator::Ne => compare(Comparator::Ne, attribute, next()?),
        ComparisonOperator::Lt => compare(Comparator::Lt, attribute, next()?),
        ComparisonOperator::Le => compare(Comparator::Le, attribute, next()?),
        ComparisonOperator::Gt => compare(Comparator::Gt, attribute, next()?),
        ComparisonOperator::Ge => compare(Comparator::Ge, attribute, next()?),
        ComparisonOperator::Null => Condition::AttributeNotExists(Path::attribute(attribute)),
        ComparisonOperator::NotNull => Condition::AttributeExists(Path::attribute(attribute)),
        ComparisonOperator::BeginsWith => Condition::BeginsWith(path(), Operand::Value(next()?)),
        ComparisonOperator::Contains => Condition::Contains(path(), Operand::Value(next()?)),
        // Not simply the opposite of CONTAINS: an attribute that isn't there satisfies neither.
        ComparisonOperator::NotContains => Condition::all(vec![
            Condition::AttributeExists(Path::attribute(attribute)),
            Condition::Contains(path(), Operand::Value(next()?)).negated(),
        ]),
        ComparisonOperator::In => Condition::In(path(), values.map(Operand::Value).collect()),
        ComparisonOperator::Between => {
            let lower = next()?;
            Condition::Between(path(), Operand::Value(lower), Operand::Value(next()?))
        }
    })
}

/// The entries of `KeyConditions` as a key condition.
pub fn key_condition(
    entries: impl IntoIterator<Item = (String, ComparisonOperator, Vec<AttributeValue>)>,
) -> Result<KeyCondition, Error> {
    let mut tests = Vec::with_capacity(2);
    for (attribute, operator, values) in entries {
        check_values(operator, &values)?;
        tests.push((attribute, operator, values));
    }
    if !(1..=2).contains(&tests.len()) {
        return Err(Error::validation("Conditions can be of length 1 or 2 only"));
    }
    let tests =
        tests.into_iter().map(|(attribute, operator, values)| Ok((attribute, key_test(operator, values)?)));
    Ok(KeyCondition { tests: tests.collect::<Result<Vec<_>, Error>>()? })
}

fn key_test(operator: ComparisonOperator, values: Vec<AttributeValue>) -> Result<KeyTest, Error> {
    let mut values = values.into_iter();
    let mut next = || values.next().ok_or_else(|| wrong_count(operator));
    Ok(match operator {
        ComparisonOperator::Eq => KeyTest::Compare(Comparator::Eq, next()?),
        ComparisonOperator::Lt => KeyTest::Compare(Comparator::Lt, next()?),
        ComparisonOperator::Le => KeyTest::Compare(Comparator::Le, next()?),
        ComparisonOperator::Gt => KeyTest::Compare(Comparator::Gt, next()?),
        ComparisonOperator::Ge => KeyTest::Compare(Comparator::Ge, next()?),
        ComparisonOperator::BeginsWith => KeyTest::BeginsWith(next()?),
        ComparisonOperator::Between => {
            let lower = next()?;
            KeyTest::Between(lower, next()?)
        }
        ComparisonOperator::Ne
        | ComparisonOperator::In
        | ComparisonOperator::Contains
        | ComparisonOperator::NotContains
        | ComparisonOperator::Null
        | ComparisonOperator::NotNull => {
            return Err(Error::validation("Attempted conditional constraint is not an indexable operation"));
        }
    })
}

/// An entry of `AttributeUpdates` as an action.
pub fn attribute_update(
    attribute: &str,
    action: UpdateActionName,
    value: Option<AttributeValue>,
) -> Result<UpdateAction, Error> {
    let path = Path::attribute(attribute);
    let unsupported = |rule: &str, value: &AttributeValue| {
        Err(invalid(&format!("{rule} is not supported for the type {}", value.value_type().name())))
    };
    match (action, value) {
        (UpdateActionName::Delete, None) => Ok(UpdateAction::Remove(path)),
        (UpdateActionName::Put | UpdateActionName::Add, None) => {
            Err(invalid("Only DELETE action is allowed when no attribute value is specified"))
        }
        (UpdateActionName::Put, Some(value)) => {
            Ok(UpdateAction::Set(path, super::SetValue::Operand(super::SetOperand::Value(value))))
        }
        (UpdateActionName::Delete, Some(value)) => match value {
            AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => {
                Ok(UpdateAction::Delete(path, value))
            }
            other => unsupported("DELETE action with value", &other),
        },
        (UpdateActionName::Add, Some(value)) => match value {
            AttributeValue::N(_) | AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => {
                Ok(UpdateAction::Add(path, value))
            }
            AttributeValue::L(values) => Ok(UpdateAction::Append(path, values)),
            other => unsupported("ADD action", &other),
        },
    }
}

fn compare(comparator: Comparator, attribute: &str, value: AttributeValue) -> Condition {
    Condition::Compare(comparator, Operand::Path(Path::attribute(attribute)), Operand::Value(value))
}

fn wrong_count(operator: ComparisonOperator) -> Error {
    invalid(&format!("Invalid number of argument(s) for the {} ComparisonOperator", operator.name()))
}

/// Number and types of the values, in the service's order.
fn check_values(operator: ComparisonOperator, values: &[AttributeValue]) -> Result<(), Error> {
    let counts = match operator {
        ComparisonOperator::Null | ComparisonOperator::NotNull => 0..=0,
        ComparisonOperator::Between => 2..=2,
        ComparisonOperator::In => 1..=usize::MAX,
        _ => 1..=1,
    };
    if !counts.contains(&values.len()) {
        return Err(wrong_count(operator));
    }
    let Some((first, others)) = values.split_first() else { return Ok(()) };
    if others.iter().any(|other| other.value_type() != first.value_type()) {
        return Err(invalid("AttributeValues inside AttributeValueList must be of same type"));
    }
    let found = first.value_type();
    let fits = match operator {
        ComparisonOperator::Eq | ComparisonOperator::Ne => true,
        ComparisonOperator::BeginsWith => matches!(found, ValueType::S | ValueType::B),
        _ => matches!(found, ValueType::S | ValueType::N | ValueType::B),
    };
    if !fits {
        return Err(invalid(&format!(
            "ComparisonOperator {} is not valid for {} AttributeValue type",
            operator.name(),
            found.name()
        )));
    }
    if let (ComparisonOperator::Between, [lower, upper]) = (operator, values)
        && super::condition::order(lower, upper) == Some(std::cmp::Ordering::Greater)
    {
        return Err(Error::validation(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ));
    }
    Ok(())
}
