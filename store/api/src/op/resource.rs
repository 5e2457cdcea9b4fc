//! The resource of the tag operations: the ARN of a table.

use super::constraint;
use crate::error::{Error, ErrorKind};
use crate::schema::TableName;

/// Refuses what is no ARN at all, which the service reports as a matter of access.
pub(crate) fn given(resource: Option<&str>, operation: &str) -> Result<(), Error> {
    let Some(resource) = resource else { return Err(Error::validation("Invalid TableArn")) };
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let shaped = parts.len() == 6
        && parts.iter().all(|part| !part.is_empty())
        && parts[5].split_once('/').is_some_and(|(before, after)| !before.is_empty() && !after.is_empty());
    if shaped {
        return Ok(());
    }
    let shown = if resource.is_empty() { "*" } else { resource };
    Err(Error::new(
        ErrorKind::AccessDeniedException,
        format!("User is not authorized to perform: dynamodb:{operation} on resource: {shown}"),
    ))
}

/// The table of the ARN.
pub(crate) fn table(resource: Option<&str>) -> Result<TableName, Error> {
    let resource = resource.unwrap_or_default();
    let table = if resource.starts_with("arn:") { constraint::table_of(resource) } else { None };
    table.ok_or_else(|| {
        Error::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {resource}"))
    })
}

/// A list the service misses by itself, not among other constraints.
pub(crate) fn not_null<T>(list: Option<T>, at: &str) -> Result<T, Error> {
    list.ok_or_else(|| {
        Error::validation(format!(
            "1 validation error detected: Value null at '{at}' failed to satisfy constraint: Member must not be null"
        ))
    })
}
