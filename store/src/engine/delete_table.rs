//! `DeleteTable`.

use api::Error;
use api::op::{DeleteTableInput, DeleteTableOutput};
use api::schema::{Status, Table};

use super::describe_table::describe;
use crate::error::{EngineError, in_use};
use crate::state::State;

/// Takes a table out of use. Its name is free once the command that removes it has been applied; its records go later.
pub fn delete_table(state: &mut State, input: DeleteTableInput) -> Result<DeleteTableOutput, EngineError> {
    let table = state.existing(&input.table)?;
    check_status(&table)?;
    if table.deletion_protection {
        return Err(Error::validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection \
             first.",
        )
        .into());
    }
    let counters = state.counters(table.id);
    let table = state.set_table(Table { status: Status::Deleting, ..Table::clone(&table) });
    Ok(DeleteTableOutput { description: describe(&table, &counters) })
}

/// Refuses to alter a table that is in the middle of something else.
pub fn check_status(table: &Table) -> Result<(), Error> {
    match table.status {
        Status::Active => Ok(()),
        Status::Creating => Err(in_use("created", table.name.as_str())),
        Status::Updating => Err(in_use("updated", table.name.as_str())),
        Status::Deleting => Err(in_use("deleted", table.name.as_str())),
    }
}
