//! Where the records of a page stand: a table, or one of its indexes.

use api::schema::{Index, IndexKind, IndexName, KeyAttribute, KeySchema, Status};
use api::{EncodedItem, Error, Item, KeyBytes, Table};
use bytes::Bytes;

use super::pick;
use crate::error::EngineError;
use crate::kv::index_entry::{self, IndexEntry};
use crate::kv::item::{self, StoredItem};
use crate::kv::{Kind, Malformed};

/// A table, or an index of it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    /// The table.
    pub table: &'t Table,
    /// The index; `None` for the table itself.
    pub index: Option<&'t Index>,
}

impl<'t> Source<'t> {
    /// The table, or its index of that name. Errors: no such index; an index that is not readable yet; a strongly
    /// consistent read of a global index.
    pub fn of(table: &'t Table, index: Option<&IndexName>, consistent: bool) -> Result<Source<'t>, Error> {
        let Some(name) = index else { return Ok(Source { table, index: None }) };
        let index = table.index(name).filter(|index| index.status != Status::Deleting).ok_or_else(|| {
            Error::validation(format!("The table does not have the specified index: {name}"))
        })?;
        if consistent && index.kind == IndexKind::Global {
            return Err(Error::validation("Consistent reads are not supported on global secondary indexes"));
        }
        if !index.is_readable() {
            return Err(Error::validation(format!(
                "Cannot read from backfilling global secondary index: {name}"
            )));
        }
        Ok(Source { table, index: Some(index) })
    }

    /// The key that the records sort by.
    pub fn key(&self) -> &'t KeySchema {
        match self.index {
            None => &self.table.key,
            Some(index) => &index.key,
        }
    }

    /// What all records' keys begin with.
    pub fn prefix(&self) -> Vec<u8> {
        match self.index {
            None => item::table_prefix(self.table.id).to_vec(),
            Some(index) => index_entry::index_prefix(index.kind, index.id).to_vec(),
        }
    }

    /// What the keys of partitions of that hash begin with.
    pub fn hash_prefix(&self, hash: u64) -> Vec<u8> {
        match self.index {
            None => item::hash_prefix(self.table.id, hash).to_vec(),
            Some(index) => index_entry::hash_prefix(index.kind, index.id, hash).to_vec(),
        }
    }

    /// What the keys of a partition's records begin with; `partition` is in order-preserving form.
    pub fn partition_prefix(&self, partition: &[u8]) -> Vec<u8> {
        match self.index {
            None => item::partition_prefix(self.table.id, partition),
            Some(index) => index_entry::partition_prefix(index.kind, index.id, partition),
        }
    }

    /// The key of the record of an item; `own` is the key of this source, the index's or the table's.
    pub fn record_key(&self, own: &KeyBytes, table_key: &KeyBytes) -> Vec<u8> {
        match self.index {
            None => item::key(self.table.id, table_key),
            Some(index) => index_entry::key(index.kind, index.id, own, table_key),
        }
    }

    /// The attributes that a start key has: the index's key, then what the table's key has besides.
    pub fn start_attributes(&self) -> Vec<&'t KeyAttribute> {
        match self.index {
            None => self.table.key.attributes().collect(),
            Some(index) => index.start_attributes(self.table).collect(),
        }
    }

    /// The item, or what the index has of it, in a record's value.
    pub fn body(&self, value: &[u8]) -> Result<EncodedItem, EngineError> {
        let value = Bytes::copy_from_slice(value);
        Ok(match self.index {
            None => StoredItem::decode(&value)?.body,
            Some(_) => IndexEntry::decode(&value)?.body,
        })
    }

    /// The start key of the page behind a record.
    pub fn start_key_of(&self, body: &EncodedItem) -> Result<Item, EngineError> {
        let attributes = self.start_attributes();
        let key = pick(body, attributes.iter().map(|part| part.name.as_str()));
        if key.0.len() == attributes.len() {
            return Ok(key);
        }
        let kind = match self.index.map(|index| index.kind) {
            None => Kind::Item,
            Some(IndexKind::Local) => Kind::LocalIndex,
            Some(IndexKind::Global) => Kind::GlobalIndex,
        };
        Err(Malformed { kind, reason: "it lacks a key attribute" }.into())
    }
}
