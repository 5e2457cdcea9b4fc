//! The steps of our own: what makes tables and indexes usable, fills them, and removes what they leave behind.
//!
//! The primary proposes them, one bounded step at a time, until [`pending`] names none; a restart goes on where they
//! stopped, because everything they need stands in the state. A step that finds its work done does nothing.

use std::sync::Arc;

use api::schema::{Index, IndexKind, Status, Table};
use api::{EncodedItem, IndexId, TableId};

use super::view::TableMap;
use crate::command::{Basis, Body};
use crate::db::{KeyRange, Scan};
use crate::error::EngineError;
use crate::index::{self, Side};
use crate::kv;
use crate::kv::dropped::{Dropped, DroppedKind};
use crate::kv::item::StoredItem;
use crate::state::State;

/// Most items that one step of filling an index looks at: within 5 ms of work by a wide margin.
pub const BACKFILL_ITEMS: u32 = 128;
/// Most bytes of items that one step looks at; one item more may be.
pub const BACKFILL_BYTES: u32 = 512 * 1024;
/// How long the records of a dropped table or index stay, milliseconds of log time: longer than any request lives, so
/// that nobody is reading them when they go.
pub const PURGE_DELAY_MILLIS: u64 = 60_000;

/// The next step for each table that needs one.
pub fn pending(tables: &TableMap) -> Vec<Body> {
    tables.values().filter_map(|table| step_for(table)).collect()
}

fn step_for(table: &Table) -> Option<Body> {
    if table.status == Status::Deleting {
        return Some(Body::Remove { table: table.id });
    }
    let unfinished =
        |index: &Index| matches!(index.status, Status::Creating | Status::Updating) && !index.backfilling;
    if matches!(table.status, Status::Creating | Status::Updating) || table.indexes.iter().any(unfinished) {
        let basis = Basis { table: table.id, generation: table.generation };
        return Some(Body::Activate { basis });
    }
    if let Some(index) = table.indexes.iter().find(|index| index.status == Status::Deleting) {
        return Some(Body::RemoveIndex { table: table.id, index: index.id });
    }
    let index = table.indexes.iter().find(|index| index.backfilling)?;
    Some(Body::Backfill { table: table.id, index: index.id, items: BACKFILL_ITEMS, bytes: BACKFILL_BYTES })
}

/// Makes a table usable, and those of its indexes that have nothing to be filled from.
pub fn activate(state: &mut State, basis: Basis) {
    let Some(table) = state.table(basis.table).cloned() else { return };
    if table.generation != basis.generation || table.status == Status::Deleting {
        return;
    }
    let mut table = Table::clone(&table);
    table.status = Status::Active;
    for index in &mut table.indexes {
        if matches!(index.status, Status::Creating | Status::Updating) && !index.backfilling {
            index.status = Status::Active;
        }
    }
    state.set_table(table);
}

/// Frees the name of a deleted table.
pub fn remove(state: &mut State, table: TableId) {
    if state.table(table).is_some_and(|table| table.status == Status::Deleting) {
        state.remove_table(table);
    }
}

/// Takes a deleted index out of its table, with the attributes that only it declared.
pub fn remove_index(state: &mut State, table: TableId, index: IndexId) {
    let Some(table) = state.table(table).cloned() else { return };
    let Some(at) = table.indexes.iter().position(|known| known.id == index) else { return };
    if table.indexes[at].status != Status::Deleting {
        return;
    }
    let mut altered = Table::clone(&table);
    let removed = altered.indexes.remove(at);
    let keys: Vec<&str> = std::iter::once(&altered.key)
        .chain(altered.indexes.iter().map(|index| &index.key))
        .flat_map(|key| key.attributes())
        .map(|attribute| attribute.name.as_str())
        .collect();
    let keeps: Vec<bool> =
        altered.attributes.iter().map(|declared| keys.contains(&declared.name.as_str())).collect();
    let mut keeps = keeps.into_iter();
    altered.attributes.retain(|_| keeps.next().unwrap_or(true));
    state.remove_index(altered.id, &removed);
    state.set_table(altered);
}

/// Fills an index by one step from the items that were there before it. Entries that a write has made meanwhile stay.
/// Items whose attributes have the wrong type for the index's key are left out, as the service leaves them out.
///
/// The state's batch must be committed: this reads the engine.
pub fn backfill(
    state: &mut State,
    table: TableId,
    index: IndexId,
    items: u32,
    bytes: u32,
) -> Result<(), EngineError> {
    let Some(table) = state.table(table).cloned() else { return Ok(()) };
    let Some(index) = table.indexes.iter().find(|known| known.id == index && known.backfilling) else {
        return Ok(());
    };
    let progress_key = kv::backfill::key(index.id);
    let after = match state.get(&progress_key)? {
        Some(value) => kv::backfill::decode(&value)?.to_vec(),
        None => Vec::new(),
    };
    let step = read_step(state, &table, &after, items, bytes)?;
    for (last_key, body) in &step.items {
        fill(state, &table, index, last_key, body)?;
    }
    match step.items.last() {
        Some((last_key, _)) if step.more => {
            state.put(progress_key.to_vec(), kv::backfill::encode(last_key));
        }
        _ => {
            state.delete(progress_key.to_vec());
            let mut altered = Table::clone(&table);
            for known in altered.indexes.iter_mut().filter(|known| known.id == index.id) {
                known.backfilling = false;
                if known.status == Status::Creating {
                    known.status = Status::Active;
                }
            }
            state.set_table(altered);
        }
    }
    Ok(())
}

struct Step {
    items: Vec<(Vec<u8>, EncodedItem)>,
    more: bool,
}

fn read_step(
    state: &State,
    table: &Table,
    after: &[u8],
    items: u32,
    bytes: u32,
) -> Result<Step, EngineError> {
    let mut range = KeyRange::prefix(kv::item::table_prefix(table.id));
    if !after.is_empty() {
        range.start = KeyRange::just_past(after);
    }
    let snapshot = state.db().snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(range));
    let mut step = Step { items: Vec::new(), more: false };
    let mut seen_bytes = 0;
    while let Some(record) = cursor.advance()? {
        if step.items.len() >= items.max(1) as usize || seen_bytes >= bytes as usize {
            step.more = true;
            break;
        }
        seen_bytes += record.value.len();
        let stored = StoredItem::decode(&bytes::Bytes::copy_from_slice(record.value))?;
        step.items.push((record.key.to_vec(), stored.body));
    }
    Ok(step)
}

fn fill(
    state: &mut State,
    table: &Arc<Table>,
    index: &Index,
    record_key: &[u8],
    body: &EncodedItem,
) -> Result<(), EngineError> {
    let item = body.to_item();
    let Ok(table_key) = table.key_of_item(&item) else {
        tracing::error!(table = %table.name, ?record_key, "an item without its key stands in the store");
        return Ok(());
    };
    let Some(placed) = index::place(table, index, &table_key, Side { item: &item, body }) else {
        return Ok(());
    };
    if state.get(&placed.key)?.is_none() {
        let size = placed.entry.body.billed_size() as u64;
        state.put(placed.key, placed.entry.encode());
        state.count_entry(table.id, index.id, None, Some(size));
    }
    Ok(())
}

/// Removes the records of a dropped id, in the batch under way: like every effect they are back, to be removed again, if a
/// crash takes the batch back. Files are dropped outside of this, by [`ranges_of`].
pub fn purge(state: &mut State, id: u64) -> Result<(), EngineError> {
    let record = kv::dropped::key(id);
    let Some(value) = state.get(&record)? else { return Ok(()) };
    for range in ranges_of(Dropped::decode(&value)?.kind, id) {
        state.delete_range(range);
    }
    state.delete(record.to_vec());
    Ok(())
}

/// Where the records of a dropped id stand.
///
/// What is dropped there at once ([`crate::db::Db::drop_range`]) is gone after a crash too, also for a state that is
/// brought up from before the table was deleted: commands of that time would be judged again by what is no longer there,
/// and a transaction that was acknowledged might fail. So the state must be durable past [`purge`] first.
pub fn ranges_of(kind: DroppedKind, id: u64) -> Vec<KeyRange> {
    match kind {
        DroppedKind::Table => vec![
            KeyRange::prefix(kv::item::table_prefix(TableId(id))),
            KeyRange::prefix(kv::collection::table_prefix(TableId(id))),
        ],
        DroppedKind::LocalIndex => vec![index_range(IndexKind::Local, id)],
        DroppedKind::GlobalIndex => vec![index_range(IndexKind::Global, id)],
    }
}

fn index_range(kind: IndexKind, id: u64) -> KeyRange {
    KeyRange::prefix(kv::index_entry::index_prefix(kind, IndexId(id)))
}
