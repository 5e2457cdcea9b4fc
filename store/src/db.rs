//! The seam to the ordered key-value engine: the only room that names one.
//!
//! What it is for: everything above speaks of bytes in order, atomic [`Batch`]es and consistent
//! [`Snapshot`]s, so that the real engine ([`rocks`], feature `rocksdb`) and the deterministic,
//! fault-injecting one ([`memory`]) are exchanged without a line changing above.
//!
//! What it deliberately does not do: it knows no tables, items, versions or log entries; it never
//! retries; it reads no clock.
//!
//! Invariants: a batch is seen whole or not at all, after a crash too. What was written with
//! [`Durability::Synced`], or before a [`Db::sync`] or [`Db::flush`] that succeeded, survives a
//! power cut. Of what was not, a crash keeps a prefix in write order, never a later batch without
//! an earlier one. After the first failed write, sync or flush an instance takes no more writes
//! until it is opened again, because what the disk then holds is unknown.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

mod batch;
mod error;
pub mod home;
mod log_disk;
pub mod memory;
mod range;
#[cfg(feature = "rocksdb")]
pub mod rocks;
#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchOp};
pub use error::DbError;
pub use log_disk::DbLogDisk;
pub use range::{KeyRange, Scan, ScanOrder, ScanSource};

/// A handle that many threads share.
pub type SharedDb = Arc<dyn Db>;

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The batch and all before it are on stable storage when the call returns.
    Synced,
    /// The batch is visible when the call returns; a crash may take it back together with all
    /// after it. In an instance without a write-ahead log (the state) it stays so until `flush`.
    Buffered,
}

/// Answer of a read that must not touch the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resident {
    /// Memory alone could answer: the value, or its absence.
    Known(Option<Bytes>),
    /// The answer needs the disk: ask again with `get`, where blocking is allowed.
    NeedsDisk,
}

/// How much room the write buffers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePressure {
    /// Writes are taken as they come.
    Easy,
    /// Buffers or compaction fall behind: take new writes slower, or refuse some.
    High,
    /// The engine has stopped taking writes until it caught up: a write would block.
    Stopped,
}

/// One record under a cursor, borrowed until the cursor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The whole key.
    pub key: &'a [u8],
    /// The whole value.
    pub value: &'a [u8],
}

/// An ordered map of bytes to bytes, durable as the module doc says. Calls may block on the disk.
pub trait Db: Send + Sync + 'static {
    /// Writes a batch atomically. Errors: [`DbError::Refused`] after an earlier failure, else what
    /// the disk said; the outcome of a failed write is unknown until the instance is reopened.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DbError>;

    /// The newest value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError>;

    /// The newest value of a key if memory can tell, without touching the disk.
    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError>;

    /// A consistent view of now. Cheap to take; holding it long keeps old values alive.
    fn snapshot(&self) -> Box<dyn Snapshot + '_>;

    /// Makes all that was written through the write-ahead log durable. An instance without such a
    /// log has nothing to sync and must be flushed instead; there it does nothing.
    fn sync(&self) -> Result<(), DbError>;

    /// Makes all that was written before the call durable, write-ahead log or not, atomically.
    /// Blocks until it is so: milliseconds to seconds, by the bytes in the write buffers.
    fn flush(&self) -> Result<(), DbError>;

    /// Removes a whole range at once, as cheaply as the engine can (whole files are dropped). Not
    /// atomic with any batch, and a snapshot taken before may or may not see the range emptied:
    /// only for ranges nobody reads any more. What was durable of it may be gone after a crash
    /// though what was written before the call is not durable yet: flush first, where what is
    /// replayed then would read the range.
    fn drop_range(&self, range: &KeyRange) -> Result<(), DbError>;

    /// Writes a complete, synced copy of now into a directory that must not exist yet.
    fn checkpoint(&self, directory: &Path) -> Result<(), DbError>;

    /// Bytes a range takes, roughly, buffered and on disk.
    fn approximate_bytes(&self, range: &KeyRange) -> Result<u64, DbError>;

    /// Bytes written that a crash would take back where there is no write-ahead log.
    fn unflushed_bytes(&self) -> u64;

    /// Whether writes should slow down.
    fn write_pressure(&self) -> WritePressure;

    /// Flushes, stops background work and takes no more writes. Idempotent. Dropping without it is
    /// safe but makes the next open longer.
    fn close(&self) -> Result<(), DbError>;
}

/// A consistent view of a [`Db`] at one moment.
pub trait Snapshot: Send + Sync {
    /// Value of a key in this view.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError>;

    /// Value of a key in this view if memory can tell.
    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError>;

    /// A cursor before the first record of a scan.
    fn scan<'a>(&'a self, scan: &Scan) -> Box<dyn Cursor + 'a>;
}

/// Walks the records of one [`Scan`] in its order, without copying them.
pub trait Cursor: Send {
    /// Moves to the next record of the scan and borrows it; `None` past the last, and ever after.
    /// Errors: [`DbError::NeedsDisk`] for a scan of resident records that memory cannot go on
    /// with: begin again with [`ScanSource::All`] behind the last record given.
    fn advance(&mut self) -> Result<Option<Record<'_>>, DbError>;

    /// Jumps so that the next `advance` gives the first record at or past `key`: at or above it
    /// when ascending, at or below when descending. A key outside the range is drawn to its edge.
    fn seek(&mut self, key: &[u8]);
}
