//! Planted bugs: engines that do not do what they say. With them below, an oracle has to see what comes of it; one that does
//! not would see nothing.

use std::path::Path;

use bytes::Bytes;
use parking_lot::Mutex;
use store::db::memory::MemoryDb;
use store::db::{Batch, Db, DbError, Durability, KeyRange, Resident, Snapshot, WritePressure};

/// What an engine lies about.
pub enum Lie {
    /// That it has synced. Below the log, acknowledged writes are lost by a power cut.
    Synced,
    /// That what it flushes is of one moment: of one key it flushes what was flushed the time before. Below the state, with the
    /// record of how far the log was applied, entries are applied again after a restart.
    FlushedTogether {
        /// Which key.
        key: Vec<u8>,
        /// What the last flush should have held.
        last: Mutex<Option<Bytes>>,
    },
}

/// An engine that lies.
pub struct Lying(pub MemoryDb, pub Lie);

impl Db for Lying {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DbError> {
        match &self.1 {
            Lie::Synced => self.0.write(batch, Durability::Buffered),
            Lie::FlushedTogether { .. } => self.0.write(batch, durability),
        }
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
        match &self.1 {
            Lie::Synced => Ok(()),
            Lie::FlushedTogether { .. } => self.0.sync(),
        }
    }

    fn flush(&self) -> Result<(), DbError> {
        let Lie::FlushedTogether { key, last } = &self.1 else { return Ok(()) };
        let Some(now) = self.0.get(key)? else { return self.0.flush() };
        if let Some(before) = last.lock().replace(now.clone()) {
            self.put(key, before)?;
        }
        self.0.flush()?;
        self.put(key, now)
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
        match &self.1 {
            Lie::Synced => Ok(()),
            Lie::FlushedTogether { .. } => self.0.close(),
        }
    }
}

impl Lying {
    fn put(&self, key: &[u8], value: Bytes) -> Result<(), DbError> {
        let mut batch = Batch::new();
        batch.put(Bytes::copy_from_slice(key), value);
        self.0.write(batch, Durability::Buffered)
    }
}
