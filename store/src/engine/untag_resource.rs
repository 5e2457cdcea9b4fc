//! `UntagResource`.

use api::op::{UntagResourceInput, UntagResourceOutput};
use api::schema::Table;

use super::tag_resource::resource_not_found;
use crate::error::EngineError;
use crate::state::State;

/// Takes tags away; keys the table does not have are no error.
pub fn untag_resource(
    state: &mut State,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, EngineError> {
    let table = state.table_named(&input.table).cloned().ok_or_else(|| resource_not_found(&input.table))?;
    let mut table = Table::clone(&table);
    table.tags.retain(|key, _| !input.keys.contains(key));
    state.set_table(table);
    Ok(UntagResourceOutput)
}
