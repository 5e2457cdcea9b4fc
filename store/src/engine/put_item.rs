//! `PutItem`.

use api::expr::Condition;
use api::op::{PutItemInput, PutItemOutput, ReturnOld};
use api::{Error, Item, KeyBytes, Table};

use super::view::TableMap;
use super::write;
use super::write_capacity::Rate;
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

/// What can be judged by the schema alone.
pub fn judge(table: &Table, item: &Item, condition: Option<&Condition>) -> Result<KeyBytes, Error> {
    let key = table.key_of_item(item)?;
    write::judge_condition(table, condition)?;
    table.check_index_keys(item)?;
    write::check_size(item)?;
    Ok(key)
}

pub(super) fn admit(tables: &TableMap, input: &PutItemInput) -> Result<Vec<Basis>, EngineError> {
    let (table, basis) = write::basis_of(tables, &input.table)?;
    judge(table, &input.item, input.condition.as_ref())?;
    Ok(vec![basis])
}

/// Puts an item in place of whatever stands under its key.
pub fn put_item(state: &mut State, input: PutItemInput) -> Result<PutItemOutput, EngineError> {
    let table = state.writable(&input.table)?;
    let key = judge(&table, &input.item, input.condition.as_ref())?;
    let old = write::standing(state, &table, &key)?;
    write::require(input.condition.as_ref(), old.as_ref(), input.return_on_failure)?;
    let key_attributes = table.key_attributes(&input.item);
    let prepared = write::prepare(state, &table, key, old, Some(input.item))?;
    let effect = write::perform(state, prepared)?;
    Ok(PutItemOutput {
        attributes: match input.return_values {
            ReturnOld::None => None,
            ReturnOld::AllOld => effect.old.as_ref().map(|old| old.item().clone()),
        },
        capacity: effect.units.report(table.name.as_str(), input.return_capacity, Rate::Plain),
        collection: effect.collection(&table, &key_attributes, input.return_collection),
    })
}
