//! `BatchWriteItem`: up to 25 independent writes, in one entry, or, where they are large, in several.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::op::{
    BatchWrite, BatchWriteItemInput, BatchWriteItemOutput, Capacity, ConsumedCapacity, ItemCollectionMetrics,
};
use api::{Error, ErrorKind, Item, KeyBytes, Table, TableName};

use super::view::TableMap;
use super::write_capacity::{Rate, WriteUnits};
use super::{put_item, write};
use crate::command::Basis;
use crate::error::EngineError;
use crate::state::State;

/// Bytes of items, counted once for the table and once for each index, that one entry writes at most; one item more may be.
/// Applying as much takes a few milliseconds, and a whole batch may be a hundred times that.
const PART_BYTES: usize = 1024 * 1024;

fn weigh(tables: &TableMap, name: &TableName, write: &BatchWrite) -> usize {
    let copies = tables.get(name).map_or(1, |table| 1 + table.indexes.len());
    let (BatchWrite::Put(item) | BatchWrite::Delete(item)) = write;
    item.billed_size() * copies
}

/// Whether a batch is more than one entry should write.
pub fn is_large(tables: &TableMap, input: &BatchWriteItemInput) -> bool {
    let writes = input.tables.iter().flat_map(|(name, writes)| writes.iter().map(move |write| (name, write)));
    writes.map(|(name, write)| weigh(tables, name, write)).sum::<usize>() > PART_BYTES
}

/// A large batch as the entries it is done in. Its writes do not depend on each other, so neither do these.
pub fn parts(tables: &TableMap, input: &BatchWriteItemInput) -> Vec<BatchWriteItemInput> {
    let mut parts: Vec<BatchWriteItemInput> = Vec::new();
    let mut part = BatchWriteItemInput { tables: Vec::new(), ..*input };
    let mut part_bytes = 0;
    for (name, writes) in &input.tables {
        for write in writes {
            if part_bytes >= PART_BYTES {
                part_bytes = 0;
                parts
                    .push(std::mem::replace(&mut part, BatchWriteItemInput { tables: Vec::new(), ..*input }));
            }
            part_bytes += weigh(tables, name, write);
            match part.tables.last_mut() {
                Some((last, writes)) if last == name => writes.push(write.clone()),
                _ => part.tables.push((name.clone(), vec![write.clone()])),
            }
        }
    }
    parts.push(part);
    parts
}

/// Adds the answer to a further part to that of the parts before.
pub fn merge(into: &mut BatchWriteItemOutput, part: BatchWriteItemOutput) {
    for (table, writes) in part.unprocessed {
        match into.unprocessed.iter_mut().find(|(known, _)| *known == table) {
            Some((_, known)) => known.extend(writes),
            None => into.unprocessed.push((table, writes)),
        }
    }
    for capacity in part.capacity {
        match into.capacity.iter_mut().find(|known| known.table == capacity.table) {
            Some(known) => add_table(known, capacity),
            None => into.capacity.push(capacity),
        }
    }
    for (table, collections) in part.collections {
        let Some((_, known)) = into.collections.iter_mut().find(|(known, _)| *known == table) else {
            into.collections.push((table, collections));
            continue;
        };
        for one in collections {
            // What the later part says of a collection is what it is now.
            known.retain(|earlier| earlier.key != one.key);
            known.push(one);
        }
    }
}

fn add_table(into: &mut ConsumedCapacity, more: ConsumedCapacity) {
    add(&mut into.total, &more.total);
    match (&mut into.own, &more.own) {
        (Some(into), Some(more)) => add(into, more),
        (into @ None, Some(more)) => *into = Some(*more),
        (_, None) => {}
    }
    let add_each = |into: &mut BTreeMap<String, Capacity>, more: BTreeMap<String, Capacity>| {
        for (index, units) in more {
            add(into.entry(index).or_default(), &units);
        }
    };
    add_each(&mut into.local, more.local);
    add_each(&mut into.global, more.global);
}

/// Adds units of plain writes, which are not told apart by kind.
fn add(into: &mut Capacity, more: &Capacity) {
    into.units += more.units;
}

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
