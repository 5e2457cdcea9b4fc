//! A set of changes that is written whole or not at all.
//!
//! Order inside matters: a later change wins over an earlier one of the same key.

use bytes::Bytes;

use super::KeyRange;

/// What one change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchOp {
    /// Sets a key.
    Put {
        /// The whole key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key; removing an absent one is no error.
    Delete {
        /// The whole key.
        key: Bytes,
    },
    /// Removes every key of a range.
    DeleteRange {
        /// Which keys.
        range: KeyRange,
    },
}

/// Changes in order, written atomically by [`Db::write`](super::Db::write).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<BatchOp>,
    bytes: usize,
}

impl Batch {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (key, value) = (key.into(), value.into());
        self.bytes += key.len() + value.len();
        self.ops.push(BatchOp::Put { key, value });
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        let key = key.into();
        self.bytes += key.len();
        self.ops.push(BatchOp::Delete { key });
    }

    /// Removes every key of a range. Costs the engine a tombstone that reads must look at: for a
    /// range that matters, [`Db::drop_range`](super::Db::drop_range) is cheaper.
    pub fn delete_range(&mut self, range: KeyRange) {
        self.bytes += range.start.len() + range.end.as_ref().map_or(0, Vec::len);
        self.ops.push(BatchOp::DeleteRange { range });
    }

    /// Adds all changes of another batch behind the own ones.
    pub fn append(&mut self, mut other: Batch) {
        self.ops.append(&mut other.ops);
        self.bytes += other.bytes;
    }

    /// The changes in order.
    pub fn ops(&self) -> &[BatchOp] {
        &self.ops
    }

    /// The changes in order, taken out.
    pub fn into_ops(self) -> Vec<BatchOp> {
        self.ops
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Sum of keys and values in bytes, without overhead.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
