//! The second engine: ordered maps in memory, deterministic, with a disk that can fail on demand.
//!
//! What it is for: tests, the one-node simulation and `--in-memory`. [`MemoryDb::volatile`] keeps
//! nothing but the map. [`MemoryDisk`] stands for a disk: it keeps what was made durable apart from
//! what was only written, so that a [`MemoryDisk::crash`] takes back what a power cut would, and it
//! carries out [`Fault`]s at the moment they were ordered for.
//!
//! What it deliberately does not do: it draws no random number and reads no clock; which fault comes
//! when, and how much of the unsynced tail a crash leaves, is the caller's choice, so that a seed
//! replays to the byte.
//!
//! Invariants: as the seam's. Values are kept by version as long as a snapshot may see them, so a
//! snapshot costs a counter and writes never wait for readers to finish.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;

use super::{
    Batch, BatchOp, Cursor, Db, DbError, Durability, KeyRange, Record, Resident, Scan, ScanOrder, Snapshot,
    WritePressure,
};

mod disk;
mod home;
#[cfg(test)]
mod tests;
mod versions;

pub use disk::{CrashTail, Fault, MemoryDisk, WriteAheadLog};
pub use home::MemoryHome;
use versions::Versions;

/// One open instance of the in-memory engine.
pub struct MemoryDb {
    versions: RwLock<Versions>,
    /// `None`: nothing is meant to outlive the process.
    disk: Option<DiskHandle>,
    refused: OnceLock<Arc<str>>,
}

/// The disk an instance stands on, and which opening of it this is: after a crash or a later
/// opening, an old instance is a dead process and may change nothing.
struct DiskHandle {
    disk: MemoryDisk,
    opening: u64,
}

impl MemoryDb {
    /// An empty map that is gone with the process.
    pub fn volatile() -> Self {
        Self { versions: RwLock::new(Versions::default()), disk: None, refused: OnceLock::new() }
    }

    fn on_disk(disk: MemoryDisk, opening: u64, image: &BTreeMap<Bytes, Bytes>) -> Self {
        Self {
            versions: RwLock::new(Versions::from_image(image)),
            disk: Some(DiskHandle { disk, opening }),
            refused: OnceLock::new(),
        }
    }

    fn check_writable(&self) -> Result<(), DbError> {
        match self.refused.get() {
            None => Ok(()),
            Some(reason) => Err(DbError::Refused(Arc::clone(reason))),
        }
    }

    fn check_readable(&self) -> Result<(), DbError> {
        match &self.disk {
            None => Ok(()),
            Some(handle) => handle.disk.check_read(handle.opening),
        }
    }

    fn writing<T>(&self, result: Result<T, DbError>) -> Result<T, DbError> {
        result.inspect_err(|error| {
            // A later failure finds the reason set, and the first is the one that tells.
            let _ = self.refused.set(error.to_string().into());
        })
    }
}

impl Db for MemoryDb {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DbError> {
        for op in batch.ops() {
            if let BatchOp::DeleteRange { range } = op
                && range.end.is_none()
            {
                return Err(DbError::Misused("a range to delete needs an end".into()));
            }
        }
        // Held from the disk's write to the map's, so that both have one order.
        let mut versions = self.versions.write();
        self.check_writable()?;
        if let Some(handle) = &self.disk {
            self.writing(handle.disk.write(handle.opening, &batch, durability))?;
        }
        versions.apply(batch);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError> {
        self.check_readable()?;
        Ok(self.versions.read().newest(key))
    }

    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError> {
        self.get(key).map(Resident::Known)
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        let at = self.versions.write().pin();
        Box::new(MemorySnapshot { db: self, at })
    }

    fn sync(&self) -> Result<(), DbError> {
        self.check_writable()?;
        match &self.disk {
            None => Ok(()),
            Some(handle) => self.writing(handle.disk.sync(handle.opening)),
        }
    }

    fn flush(&self) -> Result<(), DbError> {
        self.check_writable()?;
        match &self.disk {
            None => Ok(()),
            Some(handle) => self.writing(handle.disk.flush(handle.opening)),
        }
    }

    fn drop_range(&self, range: &KeyRange) -> Result<(), DbError> {
        let mut batch = Batch::new();
        batch.delete_range(range.clone());
        self.write(batch, Durability::Buffered)?;
        if let Some(handle) = &self.disk {
            handle.disk.drop_files(range);
        }
        Ok(())
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), DbError> {
        self.check_readable()?;
        let versions = self.versions.read();
        match &self.disk {
            Some(handle) => handle.disk.put_checkpoint(directory, versions.image()),
            None => Err(DbError::Misused("a volatile map has no disk for a checkpoint".into())),
        }
    }

    fn approximate_bytes(&self, range: &KeyRange) -> Result<u64, DbError> {
        Ok(self.versions.read().bytes(range))
    }

    fn unflushed_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |handle| handle.disk.unflushed_bytes())
    }

    fn write_pressure(&self) -> WritePressure {
        WritePressure::Easy
    }

    fn close(&self) -> Result<(), DbError> {
        if self.refused.get().is_some() {
            return Ok(());
        }
        let flushed = self.flush();
        let _ = self.refused.set("it was closed".into());
        flushed
    }
}

struct MemorySnapshot<'db> {
    db: &'db MemoryDb,
    at: u64,
}

impl Drop for MemorySnapshot<'_> {
    fn drop(&mut self) {
        self.db.versions.write().unpin(self.at);
    }
}

impl Snapshot for MemorySnapshot<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError> {
        self.db.check_readable()?;
        Ok(self.db.versions.read().at(key, self.at))
    }

    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError> {
        self.get(key).map(Resident::Known)
    }

    fn scan<'a>(&'a self, scan: &Scan) -> Box<dyn Cursor + 'a> {
        Box::new(MemoryCursor {
            snapshot: self,
            left: scan.range.clone(),
            whole: scan.range.clone(),
            order: scan.order,
            current: None,
        })
    }
}

struct MemoryCursor<'a> {
    snapshot: &'a MemorySnapshot<'a>,
    /// What has not been given yet.
    left: KeyRange,
    whole: KeyRange,
    order: ScanOrder,
    current: Option<(Bytes, Bytes)>,
}

impl Cursor for MemoryCursor<'_> {
    fn advance(&mut self) -> Result<Option<Record<'_>>, DbError> {
        self.snapshot.db.check_readable()?;
        let versions = self.snapshot.db.versions.read();
        self.current = match self.order {
            ScanOrder::Ascending => versions.first(&self.left, self.snapshot.at),
            ScanOrder::Descending => versions.last(&self.left, self.snapshot.at),
        };
        drop(versions);
        match (&self.current, self.order) {
            (Some((key, _)), ScanOrder::Ascending) => self.left.start = KeyRange::just_past(key),
            (Some((key, _)), ScanOrder::Descending) => self.left.end = Some(key.to_vec()),
            (None, _) => self.left = KeyRange::between([], []),
        }
        Ok(self.current.as_ref().map(|(key, value)| Record { key, value }))
    }

    fn seek(&mut self, key: &[u8]) {
        self.left = self.whole.clone();
        match self.order {
            ScanOrder::Ascending => {
                if key > self.left.start.as_slice() {
                    self.left.start = key.to_vec();
                }
            }
            ScanOrder::Descending => {
                let past = KeyRange::just_past(key);
                if self.left.end.as_ref().is_none_or(|end| past < *end) {
                    self.left.end = Some(past);
                }
            }
        }
    }
}
