//! A planted bug: an engine that says it has synced and has not. With it under the log, acknowledged writes are lost by a
//! power cut, and the oracle has to see it; an oracle that does not would see nothing.

use std::path::Path;

use bytes::Bytes;
use store::db::memory::MemoryDb;
use store::db::{Batch, Db, DbError, Durability, KeyRange, Resident, Snapshot, WritePressure};

/// An engine that never syncs.
pub struct Unsynced(pub MemoryDb);

impl Db for Unsynced {
    fn write(&self, batch: Batch, _: Durability) -> Result<(), DbError> {
        self.0.write(batch, Durability::Buffered)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError> {
        self.0.get(key)
    }

    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError> {
        self.0.get_resident(key)
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        self.0.snapshot()
    }

    fn sync(&self) -> Result<(), DbError> {
        Ok(())
    }

    fn flush(&self) -> Result<(), DbError> {
        Ok(())
    }

    fn drop_range(&self, range: &KeyRange) -> Result<(), DbError> {
        self.0.drop_range(range)
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), DbError> {
        self.0.checkpoint(directory)
    }

    fn approximate_bytes(&self, range: &KeyRange) -> Result<u64, DbError> {
        self.0.approximate_bytes(range)
    }

    fn unflushed_bytes(&self) -> u64 {
        self.0.unflushed_bytes()
    }

    fn write_pressure(&self) -> WritePressure {
        self.0.write_pressure()
    }

    fn close(&self) -> Result<(), DbError> {
        Ok(())
    }
}
