//! What Query and Scan are asked to return: `Select`, `ProjectionExpression` and `AttributesToGet` judged together.

use super::query::Select;
use crate::error::Error;
use crate::expr::Projection;
use crate::item::Item;
use crate::op::unchecked::Unchecked;

/// Which of the two page operations asks; they word some refusals differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Query,
    Scan,
}

impl Reader {
    fn refuses(self, message: &str) -> Error {
        match self {
            Reader::Query => Error::validation(format!("1 validation error detected: {message}")),
            Reader::Scan => Error::validation(message.to_owned()),
        }
    }
}

/// Judges what is given together, before expressions are parsed.
pub(crate) fn fits(
    reader: Reader,
    select: Option<&str>,
    index: bool,
    projection: bool,
    attributes_to_get: bool,
) -> Result<(), Error> {
    let named = match (projection, attributes_to_get) {
        (true, _) => Some("ProjectionExpression"),
        (false, true) => Some("AttributesToGet"),
        (false, false) => None,
    };
    let with_all = |what: &str| match named {
        None => Ok(()),
        Some(parameter) => {
            Err(reader.refuses(&format!("Cannot specify the {parameter} when choosing to get {what}")))
        }
    };
    match select {
        Some("SPECIFIC_ATTRIBUTES") if named.is_none() => Err(reader.refuses(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        )),
        Some("ALL_ATTRIBUTES") => with_all("ALL_ATTRIBUTES"),
        Some("ALL_PROJECTED_ATTRIBUTES") => {
            with_all("ALL_PROJECTED_ATTRIBUTES")?;
            if index {
                return Ok(());
            }
            Err(reader.refuses("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"))
        }
        Some("COUNT") => with_all("only the Count"),
        _ => Ok(()),
    }
}

/// What is returned, once [`fits`] found nothing wrong.
pub(crate) fn select(text: Option<&str>, index: bool, projection: Option<Projection>) -> Select {
    match (text, projection) {
        (Some("COUNT"), _) => Select::Count,
        (_, Some(projection)) => Select::Specific(projection),
        (Some("ALL_ATTRIBUTES"), None) => Select::AllAttributes,
        (Some("ALL_PROJECTED_ATTRIBUTES"), None) => Select::AllProjected,
        _ if index => Select::AllProjected,
        _ => Select::AllAttributes,
    }
}

/// `ExclusiveStartKey`. Most faults of its values are reported as the key's; some of numbers and sets are not.
pub(crate) fn start_key(key: Option<Unchecked<Item>>) -> Result<Option<Item>, Error> {
    const BARE: [&str; 5] =
        ["contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude"];
    let checked = key.map(Unchecked::check).transpose();
    checked.map_err(|error| {
        if BARE.iter().any(|part| error.message.contains(part)) {
            return error;
        }
        Error::validation(format!("The provided starting key is invalid: {}", error.message))
    })
}
