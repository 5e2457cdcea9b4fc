//! `BatchWriteItem`: up to 25 independent writes in one entry.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::op::{BatchWrite, BatchWriteItemInput, BatchWriteItemOutput, ItemCollectionMetrics};
use api::{Error, ErrorKind, Item, KeyBytes, Table};

use super::view::TableMap;
use super::write_capacity::{Rate, WriteUnits};
use super::{put_item, write};
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

pub(super) fn admit(tables: &TableMap, input: &BatchWriteItemInput) -> Result<Vec<Basis>, EngineError> {
    let mut bases = Vec::with_capacity(input.tables.len());
    for (name, writes) in &input.tables {
        let (table, basis) = write::basis_of(tables, name)?;
        judge(table, writes)?;
        bases.push(basis);
    }
    Ok(bases)
}

/// The keys of a table's writes. Errors: a key that is not the schema's, or one key twice.
fn judge(table: &Table, writes: &[BatchWrite]) -> Result<Vec<KeyBytes>, Error> {
    let mut seen = BTreeSet::new();
    let mut keys = Vec::with_capacity(writes.len());
    for write in writes {
        let key = match write {
            BatchWrite::Put(item) => {
                put_item::judge(table, item, None).map_err(|error| key_error(table, item, error))?
            }
            BatchWrite::Delete(key) => table.key_of_key(key)?,
        };
        if !seen.insert(key.clone()) {
            return Err(Error::validation("Provided list of item keys contains duplicates"));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// A batch says less about a missing or mistyped key than a put by itself.
fn key_error(table: &Table, item: &Item, error: Error) -> Error {
    let fits = |attribute: &api::schema::KeyAttribute| {
        item.get(&attribute.name).is_some_and(|value| value.value_type() == attribute.value_type)
    };
    if table.key.attributes().all(fits) {
        error
    } else {
        Error::validation("The provided key element does not match the schema")
    }
}

/// Does the writes one after the other; one that is refused does not keep the others from being done.
pub fn batch_write_item(
    state: &mut State,
    input: BatchWriteItemInput,
) -> Result<BatchWriteItemOutput, EngineError> {
    let mut judged = Vec::with_capacity(input.tables.len());
    for (name, writes) in input.tables {
        let table = state.writable(&name)?;
        let keys = judge(&table, &writes)?;
        judged.push((table, keys, writes));
    }
    let mut output = BatchWriteItemOutput::default();
    for (table, keys, writes) in judged {
        let mut units = WriteUnits::default();
        let mut collections: Vec<ItemCollectionMetrics> = Vec::new();
        let mut unprocessed = Vec::new();
        for (key, write) in keys.into_iter().zip(writes) {
            let whole = match &write {
                BatchWrite::Put(item) => item,
                BatchWrite::Delete(key) => key,
            };
            let key_attributes = table.key_attributes(whole);
            match write_one(state, &table, key, &write)? {
                Some(effect) => {
                    units.add(&effect.units);
                    let metrics = effect.collection(&table, &key_attributes, input.return_collection);
                    if let Some(metrics) = metrics
                        && !collections.iter().any(|known| known.key == metrics.key)
                    {
                        collections.push(metrics);
                    }
                }
                None => unprocessed.push(write),
            }
        }
        output.capacity.extend(units.report(table.name.as_str(), input.return_capacity, Rate::Plain));
        if !collections.is_empty() {
            output.collections.push((table.name.clone(), collections));
        }
        if !unprocessed.is_empty() {
            output.unprocessed.push((table.name.clone(), unprocessed));
        }
    }
    Ok(output)
}

/// Does one write; `None` where its item collection has no room for it.
fn write_one(
    state: &mut State,
    table: &Arc<Table>,
    key: KeyBytes,
    write: &BatchWrite,
) -> Result<Option<write::Effect>, EngineError> {
    let old = write::standing(state, table, &key)?;
    let new = match write {
        BatchWrite::Put(item) => Some(item.clone()),
        BatchWrite::Delete(_) => None,
    };
    match write::prepare(state, table, key, old, new) {
        Ok(prepared) => write::perform(state, prepared).map(Some),
        Err(EngineError::Refused(error))
            if error.kind == ErrorKind::ItemCollectionSizeLimitExceededException =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
