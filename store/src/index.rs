//! Old item, new item: what that changes in the indexes. Pure.
//!
//! Invariants: an index holds an entry for an item exactly if the item has every key attribute of the index with its type.
//! An entry that stays as it was produces no change, so that neither a write nor a stale page comes of it.

use api::schema::{Index, Table};
use api::{EncodedItem, Item, KeyBytes};
use bytes::Bytes;

use crate::kv::index_entry::{self, IndexEntry};

/// An item with what was made of it already.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Decoded.
    pub item: &'a Item,
    /// Encoded.
    pub body: &'a EncodedItem,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Key of the record.
    pub key: Vec<u8>,
    /// The index's partition value in order-preserving form.
    pub partition: Bytes,
    /// The record.
    pub entry: IndexEntry,
}

/// What a write changes in one index. The two differ, and at least one is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexChange<'t> {
    /// The index.
    pub index: &'t Index,
    /// The entry that was there.
    pub old: Option<Placed>,
    /// The entry that is there from now on.
    pub new: Option<Placed>,
}

/// What a write of one item changes in the table's indexes, in the schema's order.
pub fn changes<'t>(
    table: &'t Table,
    table_key: &KeyBytes,
    old: Option<Side<'_>>,
    new: Option<Side<'_>>,
) -> Vec<IndexChange<'t>> {
    let mut changes = Vec::new();
    for index in &table.indexes {
        let old = old.and_then(|side| place(table, index, table_key, side));
        let new = new.and_then(|side| place(table, index, table_key, side));
        if old != new {
            changes.push(IndexChange { index, old, new });
        }
    }
    changes
}

/// The entry an index holds for an item, if it holds one.
pub fn place(table: &Table, index: &Index, table_key: &KeyBytes, side: Side<'_>) -> Option<Placed> {
    let index_key = index.key_of(side.item)?;
    let body = if index.projects_all() {
        side.body.clone()
    } else {
        EncodedItem::encode(&index.project(table, side.item))
    };
    let entry = IndexEntry { body };
    Some(Placed {
        key: index_entry::key(index.kind, index.id, &index_key, table_key),
        partition: index_key.partition(),
        entry,
    })
}
