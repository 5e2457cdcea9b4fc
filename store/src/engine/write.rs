//! One item's write, from what stands there to what stands there afterwards.
//!
//! Two steps. [`prepare`] works out everything the write will do and may refuse it; [`perform`] does it and refuses
//! nothing. So a request of many writes prepares all before it performs the first.

use std::cell::OnceCell;
use std::sync::Arc;

use api::expr::Condition;
use api::limits::{ITEM_BYTES, ITEM_COLLECTION_BYTES};
use api::op::{ItemCollectionMetrics, ReturnItemCollectionMetrics, ReturnOnFailure};
use api::schema::IndexKind;
use api::service::IndexPartition;
use api::{Detail, EncodedItem, Error, ErrorKind, Image, Item, KeyBytes, Table, TableName};

use super::view::TableMap;
use super::write_capacity::WriteUnits;
use crate::command::Basis;
use crate::error::{EngineError, table_not_found};
use crate::index::{self, IndexChange, Side};
use crate::kv;
use crate::kv::item::StoredItem;
use crate::state::State;

/// Bytes of a gigabyte, as item collection metrics count.
const GIGABYTE: f64 = (1_u64 << 30) as f64;

/// What stands under a key. Decoded only where somebody asks.
pub struct Standing {
    body: EncodedItem,
    item: OnceCell<Item>,
}

impl Standing {
    /// The item, encoded.
    pub fn body(&self) -> &EncodedItem {
        &self.body
    }

    /// The item, decoded.
    pub fn item(&self) -> &Item {
        self.item.get_or_init(|| self.body.to_item())
    }
}

/// Reads what stands under a key.
pub fn standing(state: &State, table: &Table, key: &KeyBytes) -> Result<Option<Standing>, EngineError> {
    match state.get(&kv::item::key(table.id, key))? {
        Some(value) => {
            let body = StoredItem::decode(&value)?.body;
            Ok(Some(Standing { body, item: OnceCell::new() }))
        }
        None => Ok(None),
    }
}

/// Refuses a condition that looks into an attribute of a key, which is always a scalar.
pub fn judge_condition(table: &Table, condition: Option<&Condition>) -> Result<(), Error> {
    condition.map_or(Ok(()), |condition| table.check_scalar_keys(condition.paths()))
}

/// Refuses a write whose condition does not hold of what stands there.
pub fn require(
    condition: Option<&Condition>,
    old: Option<&Standing>,
    on_failure: ReturnOnFailure,
) -> Result<(), Error> {
    let Some(condition) = condition else { return Ok(()) };
    if condition.holds_of(old.map(Standing::item))? {
        return Ok(());
    }
    let error = Error::new(ErrorKind::ConditionalCheckFailedException, "The conditional request failed");
    Err(match (on_failure, old) {
        (ReturnOnFailure::AllOld, Some(old)) => error.with(Detail::Item(old.item().clone())),
        _ => error,
    })
}

/// Refuses an item to be put that is larger than items may be.
pub fn check_size(item: &Item) -> Result<(), Error> {
    if item.billed_size() > ITEM_BYTES {
        return Err(Error::validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// A write that is certain to succeed.
pub struct Prepared {
    table: Arc<Table>,
    key: KeyBytes,
    old: Option<Standing>,
    new: Option<NewItem>,
    collection_growth: i64,
}

struct NewItem {
    item: Item,
    body: EncodedItem,
}

/// What a write did, as far as its answer may tell.
pub struct Effect {
    /// What it consumed.
    pub units: WriteUnits,
    /// Bytes of the item collection afterwards; of tables with local indexes.
    pub collection_bytes: Option<u64>,
    /// What stood there before.
    pub old: Option<Standing>,
}

impl Effect {
    /// The answer's account of the item collection, as far as it was asked for. `key` has the partition key.
    pub fn collection(
        &self,
        table: &Table,
        key: &Item,
        ask: ReturnItemCollectionMetrics,
    ) -> Option<ItemCollectionMetrics> {
        let bytes = self.collection_bytes?;
        match ask {
            ReturnItemCollectionMetrics::None => None,
            ReturnItemCollectionMetrics::Size => {
                let lower = (bytes as f64 / GIGABYTE).floor();
                let name = &table.key.partition.name;
                let key =
                    Item(key.get(name).map(|value| (name.clone(), value.clone())).into_iter().collect());
                Some(ItemCollectionMetrics { key, size_range_gb: (lower, lower + 1.0) })
            }
        }
    }
}

/// Works out what a write does. `new` is the item that is to stand there; `None` deletes. Errors: an item collection
/// that would outgrow its limit.
pub fn prepare(
    state: &State,
    table: &Arc<Table>,
    key: KeyBytes,
    old: Option<Standing>,
    new: Option<Item>,
) -> Result<Prepared, EngineError> {
    let new = new.map(|item| NewItem { body: EncodedItem::encode(&item), item });
    let mut prepared = Prepared { table: Arc::clone(table), key, old, new, collection_growth: 0 };
    if table.local_indexes().next().is_some() {
        let mut growth = prepared.size_of_new() - prepared.size_of_old();
        for change in prepared.index_changes() {
            if change.index.kind == IndexKind::Local {
                let size = |placed: &Option<index::Placed>| {
                    placed.as_ref().map_or(0, |placed| placed.entry.body.billed_size() as i64)
                };
                growth += size(&change.new) - size(&change.old);
            }
        }
        let bytes = collection_bytes(state, table, &prepared.key)?;
        if growth > 0 && bytes.saturating_add_signed(growth) > ITEM_COLLECTION_BYTES {
            return Err(Error::new(
                ErrorKind::ItemCollectionSizeLimitExceededException,
                "Collection size exceeded.",
            )
            .into());
        }
        prepared.collection_growth = growth;
    }
    Ok(prepared)
}

impl Prepared {
    /// Size of the item that is to stand there, bytes as billed.
    pub fn new_bytes(&self) -> usize {
        self.new.as_ref().map_or(0, |new| new.body.billed_size())
    }

    fn size_of_new(&self) -> i64 {
        self.new_bytes() as i64
    }

    fn size_of_old(&self) -> i64 {
        self.old.as_ref().map_or(0, |old| old.body.billed_size() as i64)
    }

    fn index_changes(&self) -> Vec<IndexChange<'_>> {
        if self.table.indexes.is_empty() {
            return Vec::new();
        }
        let old = self.old.as_ref().map(|old| Side { item: old.item(), body: &old.body });
        let new = self.new.as_ref().map(|new| Side { item: &new.item, body: &new.body });
        index::changes(&self.table, &self.key, old, new)
    }
}

/// Does a write: the item, its index entries, its counters and its change, in the batch under way. Deleting what is not
/// there changes nothing and announces nothing.
pub fn perform(state: &mut State, prepared: Prepared) -> Result<Effect, EngineError> {
    let changes = prepared.index_changes();
    let old_bytes = prepared.old.as_ref().map(|old| old.body.billed_size());
    let new_bytes = prepared.new.as_ref().map(|new| new.body.billed_size());
    let units = WriteUnits::of(old_bytes, new_bytes, &changes);
    let table = &prepared.table;
    let collection_bytes = if table.local_indexes().next().is_some() {
        Some(grow_collection(state, table, &prepared.key, prepared.collection_growth)?)
    } else {
        None
    };
    if old_bytes.is_none() && new_bytes.is_none() {
        return Ok(Effect { units, collection_bytes, old: None });
    }

    let mut partitions = Vec::new();
    for change in changes {
        let IndexChange { index, old, new } = change;
        let size = |placed: &index::Placed| placed.entry.body.billed_size() as u64;
        let counted = match &old {
            // The filling may not have come to this item yet: then there is no entry to be counted out.
            Some(old) if index.backfilling && state.get(&old.key)?.is_none() => None,
            old => old.as_ref().map(size),
        };
        state.count_entry(table.id, index.id, counted, new.as_ref().map(size));
        for placed in old.iter().chain(&new) {
            let partition = IndexPartition { index: index.id, partition: placed.partition.clone() };
            if !partitions.contains(&partition) {
                partitions.push(partition);
            }
        }
        if let Some(old) = old
            && new.as_ref().is_none_or(|new| new.key != old.key)
        {
            state.delete(old.key);
        }
        if let Some(new) = new {
            state.put(new.key, new.entry.encode());
        }
    }

    let record = kv::item::key(table.id, &prepared.key);
    let stamp = state.stamp();
    let new_image = match &prepared.new {
        Some(new) => {
            let stored = StoredItem {
                version: stamp.version,
                log_time_millis: stamp.log_time_millis,
                origin_region: 0,
                key_id: 0,
                body: new.body.clone(),
            };
            state.put(record, stored.encode());
            Image::Present(new.body.clone())
        }
        None => {
            state.delete(record);
            Image::Absent
        }
    };
    state.count_item(table.id, old_bytes.map(|bytes| bytes as u64), new_bytes.map(|bytes| bytes as u64));
    let old_image = prepared.old.as_ref().map_or(Image::Absent, |old| Image::Present(old.body.clone()));
    state.announce(table, prepared.key, old_image, new_image, partitions);
    Ok(Effect { units, collection_bytes, old: prepared.old })
}

fn collection_bytes(state: &State, table: &Table, key: &KeyBytes) -> Result<u64, EngineError> {
    match state.get(&kv::collection::key(table.id, &key.partition()))? {
        Some(value) => Ok(kv::collection::decode(&value)?),
        None => Ok(0),
    }
}

fn grow_collection(
    state: &mut State,
    table: &Table,
    key: &KeyBytes,
    growth: i64,
) -> Result<u64, EngineError> {
    let bytes = collection_bytes(state, table, key)?.saturating_add_signed(growth);
    if growth != 0 {
        let record = kv::collection::key(table.id, &key.partition());
        if bytes == 0 {
            state.delete(record);
        } else {
            state.put(record, kv::collection::encode(bytes));
        }
    }
    Ok(bytes)
}

/// The table of a data operation and the schema it is judged by.
pub fn basis_of<'a>(tables: &'a TableMap, name: &TableName) -> Result<(&'a Arc<Table>, Basis), EngineError> {
    let table = super::view::readable(tables, name).map_err(|_| EngineError::from(table_not_found()))?;
    Ok((table, Basis { table: table.id, generation: table.generation }))
}
