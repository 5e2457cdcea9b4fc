//! `DeleteItem`.

use api::expr::Condition;
use api::op::{DeleteItemInput, DeleteItemOutput, ReturnOld};
use api::{Error, Item, KeyBytes, Table};

use super::view::TableMap;
use super::write;
use super::write_capacity::Rate;
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

/// What can be judged by the schema alone, of a delete or a mere check.
pub fn judge(table: &Table, key: &Item, condition: Option<&Condition>) -> Result<KeyBytes, Error> {
    let key = table.key_of_key(key)?;
    write::judge_condition(table, condition)?;
    Ok(key)
}

pub(super) fn admit(tables: &TableMap, input: &DeleteItemInput) -> Result<Vec<Basis>, EngineError> {
    let (table, basis) = write::basis_of(tables, &input.table)?;
    judge(table, &input.key, input.condition.as_ref())?;
    Ok(vec![basis])
}

/// Deletes what stands under a key, if anything does.
pub fn delete_item(state: &mut State, input: DeleteItemInput) -> Result<DeleteItemOutput, EngineError> {
    let table = state.writable(&input.table)?;
    let key = judge(&table, &input.key, input.condition.as_ref())?;
    let old = write::standing(state, &table, &key)?;
    write::require(input.condition.as_ref(), old.as_ref(), input.return_on_failure)?;
    let prepared = write::prepare(state, &table, key, old, None)?;
    let effect = write::perform(state, prepared)?;
    Ok(DeleteItemOutput {
        attributes: match input.return_values {
            ReturnOld::None => None,
            ReturnOld::AllOld => effect.old.as_ref().map(|old| old.item().clone()),
        },
        capacity: effect.units.report(table.name.as_str(), input.return_capacity, Rate::Plain),
        collection: effect.collection(&table, &input.key, input.return_collection),
    })
}
