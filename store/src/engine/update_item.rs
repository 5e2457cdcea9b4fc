//! `UpdateItem`.

use api::expr::{Condition, Path, SetOperand, SetValue, Update, UpdateAction};
use api::limits::ITEM_BYTES;
use api::op::{ReturnValues, UpdateItemInput, UpdateItemOutput};
use api::{AttributeValue, Error, Item, KeyBytes, Number, Table};

use super::view::TableMap;
use super::write;
use super::write::Standing;
use super::write_capacity::Rate;
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

/// What can be judged by the schema alone.
pub fn judge(
    table: &Table,
    key: &Item,
    update: &Update,
    condition: Option<&Condition>,
) -> Result<KeyBytes, Error> {
    let key_bytes = table.key_of_key(key)?;
    for attribute in table.key.attributes() {
        if update.touches(&attribute.name) {
            return Err(Error::validation(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                attribute.name
            )));
        }
    }
    if !table.indexes.is_empty() {
        table.check_index_key_types(&literals(update))?;
        table.check_scalar_keys(update.actions.iter().map(|action| target(action).0))?;
    }
    write::judge_condition(table, condition)?;
    Ok(key_bytes)
}

/// What the update puts into whole attributes, as far as its type shows without the item: a value of that type each.
fn literals(update: &Update) -> Item {
    let literal = |action| {
        let (path, literal) = target(action);
        path.steps.is_empty().then_some((path.attribute.clone(), literal?))
    };
    Item(update.actions.iter().filter_map(literal).collect())
}

fn target(action: &UpdateAction) -> (&Path, Option<AttributeValue>) {
    match action {
        UpdateAction::Set(path, SetValue::Operand(SetOperand::Value(value))) => (path, Some(value.clone())),
        UpdateAction::Set(path, SetValue::Plus(..) | SetValue::Minus(..)) => {
            (path, Some(AttributeValue::N(Number::ZERO)))
        }
        UpdateAction::Set(path, SetValue::Operand(SetOperand::ListAppend(..)))
        | UpdateAction::Append(path, _) => (path, Some(AttributeValue::L(Vec::new()))),
        UpdateAction::Set(path, SetValue::Operand(_)) | UpdateAction::Remove(path) => (path, None),
        UpdateAction::Add(path, value) | UpdateAction::Delete(path, value) => (path, Some(value.clone())),
    }
}

/// The item after an update of what stands there; of an item of the key alone where nothing does.
pub fn updated(table: &Table, key: &Item, update: &Update, old: Option<&Standing>) -> Result<Item, Error> {
    let (after, _) = update.apply(old.map_or(key, Standing::item))?;
    table.check_updated_index_keys(old.map(Standing::item), &after)?;
    if after.billed_size() > ITEM_BYTES {
        return Err(Error::validation("Item size to update has exceeded the maximum allowed size"));
    }
    Ok(after)
}

pub(super) fn admit(tables: &TableMap, input: &UpdateItemInput) -> Result<Vec<Basis>, EngineError> {
    let (table, basis) = write::basis_of(tables, &input.table)?;
    judge(table, &input.key, &input.update, input.condition.as_ref())?;
    Ok(vec![basis])
}

/// Updates what stands under a key, or makes an item of the key and the update.
pub fn update_item(state: &mut State, input: UpdateItemInput) -> Result<UpdateItemOutput, EngineError> {
    let table = state.writable(&input.table)?;
    let key = judge(&table, &input.key, &input.update, input.condition.as_ref())?;
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
