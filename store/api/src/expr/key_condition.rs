//! Key conditions: from a condition, and beside a key schema to the range of one partition.

use super::{Comparator, Condition, ExpressionKind, KeyCondition, KeyTest, Operand, Path};
use crate::error::Error;
use crate::schema::{KeyAttribute, KeySchema};
use crate::value::{AttributeValue, ValueType};

/// Where a range of sort keys begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortRange {
    /// All of the partition.
    All,
    /// Sort keys that compare so with the value; never `<>`.
    Compare(Comparator, AttributeValue),
    /// Both ends included; the lower is not above the upper.
    Between(AttributeValue, AttributeValue),
    /// Prefix of a string or binary.
    BeginsWith(AttributeValue),
}

impl SortRange {
    /// Whether a sort key lies in the range.
    pub fn contains(&self, sort: &AttributeValue) -> bool {
        match self {
            SortRange::All => true,
            SortRange::Compare(comparator, value) => {
                super::condition::compare(*comparator, Some(sort), Some(value))
            }
            SortRange::Between(lower, upper) => {
                super::condition::compare(Comparator::Ge, Some(sort), Some(lower))
                    && super::condition::compare(Comparator::Le, Some(sort), Some(upper))
            }
            SortRange::BeginsWith(prefix) => super::condition::begins_with(sort, prefix),
        }
    }
}

/// What a Query reads: one partition, and a range of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The partition key's value, of the schema's type.
    pub partition: AttributeValue,
    /// The range of sort keys; its values are of the schema's type.
    pub sort: SortRange,
}

impl KeyCondition {
    /// Takes the tests out of a condition whose operands have been checked, as the parser does. Errors: operators that a key
    /// condition can't have, operands that are not an attribute and literals, two tests of one attribute.
    pub fn from_condition(condition: Condition) -> Result<KeyCondition, Error> {
        let terms = match condition {
            Condition::And(terms) => terms,
            other => vec![other],
        };
        let mut tests: Vec<(String, KeyTest)> = Vec::with_capacity(2);
        for term in terms {
            let (attribute, test) = key_test(term)?;
            if tests.iter().any(|(other, _)| *other == attribute) {
                return Err(one_per_key());
            }
            tests.push((attribute, test));
        }
        Ok(KeyCondition { tests })
    }

    /// Checks a key condition that was not made by the parser. Errors: those of the legacy form, where text has its own.
    pub fn validate(&self) -> Result<(), Error> {
        if self.tests.is_empty() {
            return Err(Error::validation("Conditions can be of length 1 or 2 only"));
        }
        for (place, (attribute, _)) in self.tests.iter().enumerate() {
            if self.tests[..place].iter().any(|(other, _)| other == attribute) {
                return Err(one_per_key());
            }
        }
        self.check_types()
    }

    /// Literals must be of types that some key could have. Those of an equality are left to the schema, as the service does
    /// it for expressions.
    pub(crate) fn check_types(&self) -> Result<(), Error> {
        for (_, test) in &self.tests {
            let (operator, fits): (&str, fn(ValueType) -> bool) = match test {
                KeyTest::Compare(Comparator::Ne, _) => {
                    return Err(invalid_operator("<>"));
                }
                KeyTest::Compare(Comparator::Eq, _) => continue,
                KeyTest::Compare(comparator, _) => (legacy_name(*comparator), is_key_type),
                KeyTest::Between(..) => ("BETWEEN", is_key_type),
                KeyTest::BeginsWith(_) => ("BEGINS_WITH", |kind| matches!(kind, ValueType::S | ValueType::B)),
            };
            if let Some(wrong) = test_values(test).map(AttributeValue::value_type).find(|kind| !fits(*kind)) {
                return Err(not_valid_for(operator, wrong));
            }
            if let KeyTest::Between(lower, upper) = test {
                if lower.value_type() != upper.value_type() {
                    return Err(Error::validation(
                        "One or more parameter values were invalid: AttributeValues inside AttributeValueList must \
                         be of same type",
                    ));
                }
                if super::condition::order(lower, upper) == Some(std::cmp::Ordering::Greater) {
                    return Err(Error::validation(
                        "The BETWEEN condition was provided a range where the lower bound is greater than the upper \
                         bound",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The legacy form's own check, which judges equality as it does the other operators.
    pub(crate) fn check_equality_types(&self) -> Result<(), Error> {
        let mut equalities = self.tests.iter().filter_map(|(_, test)| match test {
            KeyTest::Compare(Comparator::Eq, value) => Some(value.value_type()),
            KeyTest::Compare(..) | KeyTest::Between(..) | KeyTest::BeginsWith(_) => None,
        });
        equalities.find(|kind| !is_key_type(*kind)).map_or(Ok(()), |wrong| Err(not_valid_for("EQ", wrong)))
    }

    /// The partition and the range that the condition asks for on a table or index of this key. Errors: more tests than the
    /// key has attributes, the partition key is missing or not compared with `=`, a test on another attribute, values of
    /// another type.
    pub fn resolve(&self, key: &KeySchema) -> Result<KeyRange, Error> {
        self.validate()?;
        let key_attributes = key.attributes().count();
        if self.tests.len() > key_attributes {
            return Err(Error::validation(format!(
                "The number of query conditions ({}) exceeds the number of key attributes defined in the schema \
                 ({key_attributes})",
                self.tests.len()
            )));
        }
        let partition = self.partition(&key.partition)?;
        let Some(sort) = &key.sort else { return Ok(KeyRange { partition, sort: SortRange::All }) };
        let Some(test) = self.test(&sort.name) else {
            if self.tests.len() > 1 {
                return Err(missed(&sort.name));
            }
            return Ok(KeyRange { partition, sort: SortRange::All });
        };
        check_schema_type(test, sort)?;
        Ok(KeyRange {
            partition,
            sort: match test.clone() {
                KeyTest::Compare(comparator, value) => SortRange::Compare(comparator, value),
                KeyTest::Between(lower, upper) => SortRange::Between(lower, upper),
                KeyTest::BeginsWith(prefix) => SortRange::BeginsWith(prefix),
            },
        })
    }

    fn test(&self, attribute: &str) -> Option<&KeyTest> {
        self.tests.iter().find(|(name, _)| name == attribute).map(|(_, test)| test)
    }

    fn partition(&self, key: &KeyAttribute) -> Result<AttributeValue, Error> {
        let Some(test) = self.test(&key.name) else { return Err(missed(&key.name)) };
        check_schema_type(test, key)?;
        match test {
            KeyTest::Compare(Comparator::Eq, value) => Ok(value.clone()),
            KeyTest::Compare(..) | KeyTest::Between(..) | KeyTest::BeginsWith(_) => {
                Err(Error::validation("Query key condition not supported"))
            }
        }
    }
}

fn one_per_key() -> Error {
    ExpressionKind::KeyCondition.invalid("KeyConditionExpressions must only contain one condition per key")
}

fn not_valid_for(operator: &str, wrong: ValueType) -> Error {
    Error::validation(format!(
        "One or more parameter values were invalid: ComparisonOperator {operator} is not valid for {} \
         AttributeValue type",
        wrong.name()
    ))
}

fn missed(attribute: &str) -> Error {
    Error::validation(format!("Query condition missed key schema element: {attribute}"))
}

fn check_schema_type(test: &KeyTest, key: &KeyAttribute) -> Result<(), Error> {
    if test_values(test).any(|value| value.value_type() != key.value_type) {
        return Err(Error::validation(
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ));
    }
    Ok(())
}

/// The literals of a test, in the order of the text.
pub(super) fn test_values(test: &KeyTest) -> impl Iterator<Item = &AttributeValue> {
    let (first, second) = match test {
        KeyTest::Compare(_, value) | KeyTest::BeginsWith(value) => (value, None),
        KeyTest::Between(lower, upper) => (lower, Some(upper)),
    };
    std::iter::once(first).chain(second)
}

fn is_key_type(kind: ValueType) -> bool {
    matches!(kind, ValueType::S | ValueType::N | ValueType::B)
}

const fn legacy_name(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::Eq => "EQ",
        Comparator::Ne => "NE",
        Comparator::Lt => "LT",
        Comparator::Le => "LE",
        Comparator::Gt => "GT",
        Comparator::Ge => "GE",
    }
}

fn invalid_operator(operator: &str) -> Error {
    Error::validation(format!("Invalid operator used in KeyConditionExpression: {operator}"))
}

fn first_operand(operator: &str) -> Error {
    Error::validation(format!(
        "Invalid condition in KeyConditionExpression: {operator} operator must have the key attribute as its first \
         operand"
    ))
}

/// The test of one attribute that a term of the AND makes.
fn key_test(term: Condition) -> Result<(String, KeyTest), Error> {
    match term {
        Condition::Or(_) => Err(invalid_operator("OR")),
        Condition::Not(_) => Err(invalid_operator("NOT")),
        Condition::In(..) => Err(invalid_operator("IN")),
        Condition::Compare(Comparator::Ne, ..) => Err(invalid_operator("<>")),
        Condition::AttributeExists(_) => Err(invalid_operator("attribute_exists")),
        Condition::AttributeNotExists(_) => Err(invalid_operator("attribute_not_exists")),
        Condition::AttributeType(..) => Err(invalid_operator("attribute_type")),
        Condition::Contains(..) => Err(invalid_operator("contains")),
        Condition::Between(attribute, lower, upper) => {
            if !matches!(attribute, Operand::Path(_)) {
                return Err(first_operand("BETWEEN"));
            }
            let (attribute, values) = one_attribute([attribute, lower, upper])?;
            let [lower, upper] = <[_; 2]>::try_from(values).map_err(|_| no_attribute())?;
            Ok((attribute, KeyTest::Between(lower, upper)))
        }
        Condition::BeginsWith(attribute, prefix) => {
            if !matches!(attribute, Operand::Path(_)) {
                return Err(first_operand("begins_with"));
            }
            let (attribute, values) = one_attribute([attribute, prefix])?;
            let [prefix] = <[_; 1]>::try_from(values).map_err(|_| no_attribute())?;
            Ok((attribute, KeyTest::BeginsWith(prefix)))
        }
        Condition::Compare(comparator, first, second) => {
            let comparator =
                if matches!(first, Operand::Path(_)) { comparator } else { comparator.mirrored() };
            let (attribute, values) = one_attribute([first, second])?;
            let [value] = <[_; 1]>::try_from(values).map_err(|_| no_attribute())?;
            Ok((attribute, KeyTest::Compare(comparator, value)))
        }
        // The parser flattens; a tree from elsewhere that is not flat has more terms than a key has attributes.
        Condition::And(_) => Err(Error::validation("Conditions can be of length 1 or 2 only")),
    }
}

fn no_attribute() -> Error {
    Error::validation("Invalid condition in KeyConditionExpression: No key attribute specified")
}

/// The one attribute among the operands, and the literals in their order.
fn one_attribute<const N: usize>(operands: [Operand; N]) -> Result<(String, Vec<AttributeValue>), Error> {
    let mut attribute = None;
    let mut values = Vec::with_capacity(N);
    for operand in operands {
        match operand {
            Operand::Value(value) => values.push(value),
            Operand::Size(_) => {
                return Err(Error::validation("KeyConditionExpressions cannot contain nested operations"));
            }
            Operand::Path(_) if attribute.is_some() => {
                return Err(Error::validation(
                    "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
                ));
            }
            Operand::Path(Path { steps, .. }) if !steps.is_empty() => {
                return Err(Error::validation(
                    "KeyConditionExpressions cannot have conditions on nested attributes",
                ));
            }
            Operand::Path(Path { attribute: name, .. }) => attribute = Some(name),
        }
    }
    Ok((attribute.ok_or_else(no_attribute)?, values))
}
