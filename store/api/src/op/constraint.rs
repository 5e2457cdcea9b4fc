//! The first stage of the service's validation: constraints of single members, judged all together and reported in one
//! message, ten at most. Costs nothing but comparisons while they hold.

use std::fmt::{Arguments, Display};

use crate::error::Error;
use crate::limits;
use crate::schema::TableName;

/// Most violations one message names.
const REPORTED_MAX: usize = 10;

/// `ReturnConsumedCapacity`, in the service's order.
pub(crate) const CAPACITY: &[&str] = &["INDEXES", "TOTAL", "NONE"];
/// `ReturnItemCollectionMetrics`.
pub(crate) const COLLECTION: &[&str] = &["SIZE", "NONE"];
/// `ReturnValues`.
pub(crate) const RETURN_VALUES: &[&str] = &["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"];
/// `ReturnValuesOnConditionCheckFailure`.
pub(crate) const ON_FAILURE: &[&str] = &["ALL_OLD", "NONE"];
/// `ConditionalOperator`.
pub(crate) const CONDITIONAL: &[&str] = &["OR", "AND"];
/// `Select`.
pub(crate) const SELECT: &[&str] =
    &["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"];
/// `ComparisonOperator`.
pub(crate) const COMPARISON: &[&str] = &[
    "IN",
    "NULL",
    "BETWEEN",
    "LT",
    "NOT_CONTAINS",
    "EQ",
    "GT",
    "NOT_NULL",
    "NE",
    "LE",
    "BEGINS_WITH",
    "GE",
    "CONTAINS",
];

const NAME_PATTERN: &str = "[a-zA-Z0-9_.-]+";

/// Violations found so far.
#[derive(Debug, Default)]
pub(crate) struct Constraints {
    found: Vec<String>,
}

impl Constraints {
    pub(crate) fn new() -> Constraints {
        Constraints::default()
    }

    fn add(&mut self, value: Option<&dyn Display>, at: &dyn Display, why: Arguments<'_>) {
        if self.found.len() >= REPORTED_MAX {
            return;
        }
        self.found.push(match value {
            None => format!("Value null at '{at}' failed to satisfy constraint: {why}"),
            Some(value) => format!("Value '{value}' at '{at}' failed to satisfy constraint: {why}"),
        });
    }

    /// The value must be there.
    pub(crate) fn present<T>(&mut self, value: &Option<T>, at: impl Display) {
        if value.is_none() {
            self.add(None, &at, format_args!("Member must not be null"));
        }
    }

    /// The value, if there, must be one of the set.
    pub(crate) fn one_of(&mut self, value: Option<&str>, at: impl Display, set: &[&str]) {
        if let Some(value) = value
            && !set.contains(&value)
        {
            let set = set.join(", ");
            self.add(Some(&value), &at, format_args!("Member must satisfy enum value set: [{set}]"));
        }
    }

    /// The number, if there, must not be smaller.
    pub(crate) fn at_least(&mut self, value: Option<i64>, at: impl Display, least: i64) {
        if let Some(value) = value
            && value < least
        {
            let why = format_args!("Member must have value greater than or equal to {least}");
            self.add(Some(&value), &at, why);
        }
    }

    /// The number, if there, must not be greater.
    pub(crate) fn at_most(&mut self, value: Option<i64>, at: impl Display, most: i64) {
        if let Some(value) = value
            && value > most
        {
            self.add(Some(&value), &at, format_args!("Member must have value less than or equal to {most}"));
        }
    }

    /// What is counted, if there, must be at least this much. `shown` is how the message shows it.
    pub(crate) fn length_at_least(
        &mut self,
        length: Option<usize>,
        at: impl Display,
        least: usize,
        shown: impl Display,
    ) {
        if length.is_some_and(|length| length < least) {
            let why = format_args!("Member must have length greater than or equal to {least}");
            self.add(Some(&shown), &at, why);
        }
    }

    /// What is counted, if there, must be at most this much.
    pub(crate) fn length_at_most(
        &mut self,
        length: Option<usize>,
        at: impl Display,
        most: usize,
        shown: impl Display,
    ) {
        if length.is_some_and(|length| length > most) {
            let why = format_args!("Member must have length less than or equal to {most}");
            self.add(Some(&shown), &at, why);
        }
    }

    /// What a map holds must keep `why`, which the service words for each map.
    pub(crate) fn map(&mut self, holds: bool, at: impl Display, shown: impl Display, why: Arguments<'_>) {
        if !holds {
            self.add(Some(&shown), &at, why);
        }
    }

    /// A name of the data plane's kind: pattern first, then length.
    fn name(&mut self, value: &str, at: &dyn Display) {
        if !plain(value) {
            let why = format_args!("Member must satisfy regular expression pattern: {NAME_PATTERN}");
            self.add(Some(&value), at, why);
        }
        self.length_at_least(Some(value.chars().count()), at, limits::NAME_BYTES_MIN, value);
        self.length_at_most(Some(value.chars().count()), at, limits::NAME_BYTES_MAX, value);
    }

    /// A table's name, or the name other services know it by. Must be there.
    pub(crate) fn table(&mut self, value: Option<&str>, at: impl Display) {
        match value {
            None => self.add(None, &at, format_args!("Member must not be null")),
            Some(value) if table_of(value).is_some() => {}
            Some(value) => self.name(value, &at),
        }
    }

    /// An index's name, if there.
    pub(crate) fn index(&mut self, value: Option<&str>, at: impl Display) {
        if let Some(value) = value {
            self.name(value, &at);
        }
    }

    /// A name that a table starts with, if there: as the first of a page of names.
    pub(crate) fn start_name(&mut self, value: Option<&str>, at: impl Display) {
        if let Some(value) = value {
            self.name(value, &at);
        }
    }

    /// `AttributesToGet`, if there: 1 to 255 names.
    pub(crate) fn attributes_to_get(&mut self, value: Option<&[String]>, at: impl Display) {
        let shown = || crate::op::constraint::list(value.unwrap_or_default());
        let length = value.map(<[String]>::len);
        if length.is_some_and(|length| !(1..=255).contains(&length)) {
            self.length_at_least(length, &at, 1, shown());
            self.length_at_most(length, &at, 255, shown());
        }
    }

    /// Whether nothing was violated.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.found.len() {
            0 => Ok(()),
            1 => Err(Error::validation(format!("1 validation error detected: {}", self.found[0]))),
            count => Err(Error::validation(format!(
                "{count} validation errors detected: {}",
                self.found.join("; ")
            ))),
        }
    }
}

/// An empty table name is reported by itself, before anything else of the request is looked at.
pub(crate) fn not_empty(table: Option<&str>, at: impl Display) -> Result<(), Error> {
    if table != Some("") {
        return Ok(());
    }
    Err(Error::validation(format!(
        "1 validation error detected: Value '' at '{at}' failed to satisfy constraint: Member must have length \
         greater than or equal to 1"
    )))
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Shows a list as the service's messages do.
pub(crate) fn list<T: Display>(values: &[T]) -> String {
    let mut shown = String::from("[");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            shown.push_str(", ");
        }
        shown.push_str(&value.to_string());
    }
    shown.push(']');
    shown
}

/// The table a name or an ARN means: `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`. There is one cluster behind this
/// endpoint, so region and account only have to be there.
pub(crate) fn table_of(text: &str) -> Option<TableName> {
    match text.strip_prefix("arn:") {
        None => TableName::new(text),
        Some(rest) => {
            let mut parts = rest.splitn(5, ':');
            let partition = parts.next()?;
            let service = parts.next()?;
            let region = parts.next()?;
            let account = parts.next()?;
            let name = parts.next()?.strip_prefix("table/")?;
            let whole = partition.starts_with("aws") && service == "dynamodb" && !region.is_empty();
            (whole && !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit()))
                .then(|| TableName::new(name))
                .flatten()
        }
    }
}

/// The table of a name that [`Constraints::table`] found nothing wrong with.
pub(crate) fn checked_table(text: Option<String>) -> Result<TableName, Error> {
    text.as_deref().and_then(table_of).ok_or_else(|| {
        Error::validation(
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain \
             only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
        )
    })
}

/// The rule for the names of the tables of a batch.
pub(crate) const TABLE_KEYS_RULE: &str = "Map keys must satisfy constraint: [Member must have length less than or equal \
                                          to 255, Member must have length greater than or equal to 3, Member must \
                                          satisfy regular expression pattern: [a-zA-Z0-9_.-]+]";

/// The length of `TransactItems`.
pub(crate) fn transact_items(found: &mut Constraints, length: Option<usize>, class: &str) {
    found.length_at_least(length, "transactItems", 1, "[]");
    let shown = format_args!("[{} {class}]", length.unwrap_or_default());
    found.length_at_most(length, "transactItems", limits::TRANSACT_ITEMS, shown);
}

/// A batch that names one table twice, by its name and by its ARN.
pub(crate) fn table_twice(table: &TableName) -> Error {
    Error::validation(format!(
        "One or more parameter values were invalid: the table {table} is named more than once in RequestItems"
    ))
}
