//! What the log needs of a disk: an ordered map of bytes with atomic, synced batches.
//!
//! What it deliberately does not do: it knows no entries. The store implements it over its storage
//! engine; [`MemoryLogDisk`](super::memory::MemoryLogDisk) is the one for tests and simulation.
//!
//! Invariant asked of every implementation: a batch written with [`Sync::Now`] survives a power cut
//! together with all batches before it; of those written with [`Sync::Later`] a crash keeps a prefix
//! in write order. A batch may be torn by a crash only if it was not synced; the log's checksums
//! find that. What it would have overwritten is then whole, old or new: the vote has no copy.

use bytes::Bytes;

/// When a batch has to be on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before the call returns.
    Now,
    /// With the next batch that is.
    Later,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// Sets a key.
    Put {
        /// The whole key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key; an absent one is no error.
    Delete {
        /// The whole key.
        key: Bytes,
    },
    /// Removes the keys from `start` (inclusive) to `end` (exclusive).
    DeleteRange {
        /// First key removed.
        start: Bytes,
        /// First key kept.
        end: Bytes,
    },
}

/// Changes written atomically, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogBatch {
    /// The changes; a later one of the same key wins.
    pub ops: Vec<LogOp>,
}

/// What went wrong with the disk.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogDiskError {
    /// Stored bytes are not what was written. Restore the node, or let it join again.
    #[error("{0}")]
    Corrupt(String),
    /// No room. Writes are refused until the process is restarted.
    #[error("{0}")]
    Full(String),
    /// A write or sync failed; what the disk holds is unknown, so writes are refused until the
    /// process is restarted. A failed read is reported so too.
    #[error("{0}")]
    Failed(String),
}

/// One stored record: key and value.
pub type LogRecord = (Bytes, Bytes);

/// An ordered map on stable storage. Calls block; the log makes its writes from one thread, while
/// reads come from others at the same time.
pub trait LogDisk: Send + std::marker::Sync + 'static {
    /// Writes a batch atomically. After a failure nothing more may be accepted.
    fn write(&self, batch: LogBatch, sync: Sync) -> Result<(), LogDiskError>;

    /// Value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, LogDiskError>;

    /// Records from `start` (inclusive) to `end` (exclusive), lowest key first: as many as fit into
    /// `limit_bytes` of values, and at least one if there is any.
    fn read(&self, start: &[u8], end: &[u8], limit_bytes: usize) -> Result<Vec<LogRecord>, LogDiskError>;

    /// The highest record from `start` (inclusive) to `end` (exclusive).
    fn last(&self, start: &[u8], end: &[u8]) -> Result<Option<LogRecord>, LogDiskError>;

    /// Removes a range nobody reads any more, as cheaply as the engine can; not atomic.
    fn drop_range(&self, start: &[u8], end: &[u8]) -> Result<(), LogDiskError>;

    /// Makes the node ready to stop: everything to its final place, no more writes.
    fn close(&self) -> Result<(), LogDiskError>;
}
