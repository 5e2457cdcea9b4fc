//! `TagResource`.

use api::limits::TAGS;
use api::op::{TagResourceInput, TagResourceOutput};
use api::schema::Table;
use api::{Error, ErrorKind, TableName};

use crate::error::EngineError;
use crate::state::State;

/// Sets tags of a table; those it has by the same key are replaced.
pub fn tag_resource(state: &mut State, input: TagResourceInput) -> Result<TagResourceOutput, EngineError> {
    let table = state.table_named(&input.table).cloned().ok_or_else(|| resource_not_found(&input.table))?;
    let mut table = Table::clone(&table);
    table.tags.extend(input.tags);
    if table.tags.len() > TAGS {
        return Err(Error::new(
            ErrorKind::LimitExceededException,
            format!("Subscriber limit exceeded: Number of tags exceeds the current limit of {TAGS}"),
        )
        .into());
    }
    state.set_table(table);
    Ok(TagResourceOutput)
}

/// What an operation on tags is told where there is no such table.
pub fn resource_not_found(table: &TableName) -> Error {
    let arn = format!("arn:aws:dynamodb:{}:{}:table/{table}", api::limits::REGION, api::limits::ACCOUNT);
    Error::new(
        ErrorKind::ResourceNotFoundException,
        // The misspelt word is the service's.
        format!("Requested resource not found: ResourcArn: {arn} not found"),
    )
}
