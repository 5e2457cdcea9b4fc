//! What a read sees: one consistent view of the state, and from where it may be read.
//!
//! Invariant: every read of one request goes through one view, so that it sees one moment. A view that may only read
//! memory fails with [`EngineError::needs_disk`] where that is not enough; the caller then makes the whole read again
//! on a view that may block.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use api::{KeyBytes, Table, TableId, TableName, Version};

use crate::db::{Cursor, DbError, KeyRange, Resident, Scan, ScanOrder, ScanSource, SharedDb, Snapshot};
use crate::error::{EngineError, table_not_found};
use crate::kv;
use crate::kv::applied::Applied;
use crate::kv::item::StoredItem;

/// Every table that is there in some state, by name. Swapped whole when one changes.
pub type TableMap = HashMap<TableName, Arc<Table>>;

/// One consistent view of the state.
pub struct View<'a> {
    db: &'a SharedDb,
    snapshot: OnceCell<Box<dyn Snapshot + 'a>>,
    tables: &'a TableMap,
    source: ScanSource,
}

impl<'a> View<'a> {
    /// A view of now. `tables` must have been loaded before, so that it names no table that the view does not have.
    pub fn new(db: &'a SharedDb, tables: &'a TableMap, source: ScanSource) -> View<'a> {
        View { db, snapshot: OnceCell::from(db.snapshot()), tables, source }
    }

    /// A view for a request that reads one record only, which is one moment by itself and spares the snapshot.
    pub fn of_one_record(db: &'a SharedDb, tables: &'a TableMap, source: ScanSource) -> View<'a> {
        View { db, snapshot: OnceCell::new(), tables, source }
    }

    /// The table of that name, if data can be read from it. Errors: `ResourceNotFoundException`, also while the table
    /// is being made or deleted, as the service has it.
    pub fn table(&self, name: &TableName) -> Result<&'a Arc<Table>, EngineError> {
        readable(self.tables, name)
    }

    /// Every table in any state but gone.
    pub fn tables(&self) -> &'a TableMap {
        self.tables
    }

    /// The value under a key of the state.
    pub fn get(&self, key: &[u8]) -> Result<Option<bytes::Bytes>, EngineError> {
        let snapshot = self.snapshot.get();
        Ok(match self.source {
            ScanSource::All => snapshot.map_or_else(|| self.db.get(key), |snapshot| snapshot.get(key))?,
            ScanSource::Resident => {
                let resident = snapshot
                    .map_or_else(|| self.db.get_resident(key), |snapshot| snapshot.get_resident(key))?;
                match resident {
                    Resident::Known(value) => value,
                    Resident::NeedsDisk => return Err(DbError::NeedsDisk.into()),
                }
            }
        })
    }

    /// The version this view is of, as its own records say.
    pub fn version(&self) -> Result<Version, EngineError> {
        match self.get(&kv::applied::KEY)? {
            Some(value) => Ok(Applied::decode(&value)?.version),
            None => Ok(Version::default()),
        }
    }

    /// The item of a key.
    pub fn item(&self, table: TableId, key: &KeyBytes) -> Result<Option<StoredItem>, EngineError> {
        match self.get(&kv::item::key(table, key))? {
            Some(value) => Ok(Some(StoredItem::decode(&value)?)),
            None => Ok(None),
        }
    }

    /// A cursor before the first record of a range, in that order. Key layouts: [`kv::item`], [`kv::index_entry`].
    pub fn scan(&self, range: KeyRange, order: ScanOrder) -> Box<dyn Cursor + '_> {
        self.snapshot.get_or_init(|| self.db.snapshot()).scan(&Scan { range, order, source: self.source })
    }
}

/// The table of that name, if its data can be used.
pub fn readable<'a>(tables: &'a TableMap, name: &TableName) -> Result<&'a Arc<Table>, EngineError> {
    use api::schema::Status;
    match tables.get(name) {
        Some(table) if matches!(table.status, Status::Active | Status::Updating) => Ok(table),
        Some(_) | None => Err(table_not_found().into()),
    }
}
