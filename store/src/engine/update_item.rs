//! `UpdateItem`.

use api::expr::{Path, SetOperand, SetValue, Update, UpdateAction};
use api::limits::ITEM_BYTES;
use api::op::{ReturnValues, UpdateItemInput, UpdateItemOutput};
use api::value::ValueType;
use api::{Error, Item, KeyBytes, Table};

use super::view::TableMap;
use super::write::Standing;
use super::write_capacity::Rate;
use super::{key, write};
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

/// What can be judged by the schema alone.
pub fn judge(table: &Table, key: &Item, update: &Update) -> Result<KeyBytes, Error> {
    let key_bytes = key::of_key(table, key)?;
    for attribute in table.key.attributes() {
        if update.touches(&attribute.name) {
            return Err(Error::validation(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                attribute.name
            )));
        }
    }
    key::for_each_index_attribute(table, |index, attribute| {
        for (path, literal) in update.actions.iter().map(target) {
            if path.attribute == attribute.name
                && path.steps.is_empty()
                && let Some(literal) = literal
                && literal != attribute.value_type
            {
                return Err(key::type_mismatch(index, attribute, literal));
            }
        }
        Ok(())
    })?;
    key::for_each_index_attribute(table, |_, attribute| {
        let nested = |(path, _): (&Path, _)| path.attribute == attribute.name && !path.steps.is_empty();
        if update.actions.iter().map(target).any(nested) {
            return Err(Error::validation(format!(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: {}",
                attribute.name
            )));
        }
        Ok(())
    })?;
    Ok(key_bytes)
}

/// Where an action puts something, and the type of what it puts where that shows without the item.
fn target(action: &UpdateAction) -> (&Path, Option<ValueType>) {
    match action {
        UpdateAction::Set(path, SetValue::Operand(SetOperand::Value(value))) => {
            (path, Some(value.value_type()))
        }
        UpdateAction::Set(path, SetValue::Plus(..) | SetValue::Minus(..)) => (path, Some(ValueType::N)),
        UpdateAction::Set(path, SetValue::Operand(SetOperand::ListAppend(..))) => (path, Some(ValueType::L)),
        UpdateAction::Set(path, SetValue::Operand(_)) | UpdateAction::Remove(path) => (path, None),
        UpdateAction::Add(path, value) | UpdateAction::Delete(path, value) => {
            (path, Some(value.value_type()))
        }
        UpdateAction::Append(path, _) => (path, Some(ValueType::L)),
    }
}

/// The item after an update of what stands there; of an item of the key alone where nothing does.
pub fn updated(table: &Table, key: &Item, update: &Update, old: Option<&Standing>) -> Result<Item, Error> {
    let (after, _) = update.apply(old.map_or(key, Standing::item))?;
    key::check_indexes_after_update(table, &after)?;
    if after.billed_size() > ITEM_BYTES {
        return Err(Error::validation("Item size to update has exceeded the maximum allowed size"));
    }
    Ok(after)
}

pub(super) fn admit(tables: &TableMap, input: &UpdateItemInput) -> Result<Vec<Basis>, EngineError> {
    let (table, basis) = write::basis_of(tables, &input.table)?;
    judge(table, &input.key, &input.update)?;
    Ok(vec![basis])
}

/// Updates what stands under a key, or makes an item of the key and the update.
pub fn update_item(state: &mut State, input: UpdateItemInput) -> Result<UpdateItemOutput, EngineError> {
    let table = state.writable(&input.table)?;
    let key = judge(&table, &input.key, &input.update)?;
    let old = write::standing(state, &table, &key)?;
    write::require(input.condition.as_ref(), old.as_ref(), input.return_on_failure)?;
    let after = updated(&table, &input.key, &input.update, old.as_ref())?;
    let attributes = match input.return_values {
        ReturnValues::None => None,
        ReturnValues::AllOld => old.as_ref().map(|old| old.item().clone()),
        ReturnValues::UpdatedOld => old.as_ref().map(|old| input.update.touched_of(old.item())),
        ReturnValues::AllNew => Some(after.clone()),
        ReturnValues::UpdatedNew => Some(input.update.touched_of(&after)),
    };
    let prepared = write::prepare(state, &table, key, old, Some(after))?;
    let effect = write::perform(state, prepared)?;
    Ok(UpdateItemOutput {
        attributes: attributes.filter(|attributes| !attributes.0.is_empty()),
        capacity: effect.units.report(table.name.as_str(), input.return_capacity, Rate::Plain),
        collection: effect.collection(&table, &input.key, input.return_collection),
    })
}
