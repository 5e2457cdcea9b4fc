//! The raft log's disk, over any [`Db`].

use bytes::Bytes;
use raft::log::disk::{LogBatch, LogDisk, LogDiskError, LogOp, LogRecord, Sync};

use super::{Batch, DbError, Durability, KeyRange, Scan, SharedDb};

/// An instance of the engine as the raft log wants it.
#[derive(Clone)]
pub struct DbLogDisk {
    db: SharedDb,
}

impl DbLogDisk {
    /// Takes an instance with a write-ahead log of its own; nothing else may write to it.
    pub fn new(db: SharedDb) -> Self {
        Self { db }
    }
}

impl LogDisk for DbLogDisk {
    fn write(&self, batch: LogBatch, sync: Sync) -> Result<(), LogDiskError> {
        let mut ops = Batch::new();
        for op in batch.ops {
            match op {
                LogOp::Put { key, value } => ops.put(key, value),
                LogOp::Delete { key } => ops.delete(key),
                LogOp::DeleteRange { start, end } => ops.delete_range(KeyRange::between(start, end)),
            }
        }
        let durability = match sync {
            Sync::Now => Durability::Synced,
            Sync::Later => Durability::Buffered,
        };
        self.db.write(ops, durability).map_err(from_db)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, LogDiskError> {
        self.db.get(key).map_err(from_db)
    }

    fn read(&self, start: &[u8], end: &[u8], limit_bytes: usize) -> Result<Vec<LogRecord>, LogDiskError> {
        let snapshot = self.db.snapshot();
        let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::between(start, end)));
        let mut records = Vec::new();
        let mut bytes = 0;
        while bytes < limit_bytes || records.is_empty() {
            let Some(record) = cursor.advance().map_err(from_db)? else { break };
            bytes += record.value.len();
            records.push((Bytes::copy_from_slice(record.key), Bytes::copy_from_slice(record.value)));
        }
        Ok(records)
    }

    fn last(&self, start: &[u8], end: &[u8]) -> Result<Option<LogRecord>, LogDiskError> {
        let snapshot = self.db.snapshot();
        let mut cursor = snapshot.scan(&Scan::descending(KeyRange::between(start, end)));
        let record = cursor.advance().map_err(from_db)?;
        Ok(record.map(|record| (Bytes::copy_from_slice(record.key), Bytes::copy_from_slice(record.value))))
    }

    fn drop_range(&self, start: &[u8], end: &[u8]) -> Result<(), LogDiskError> {
        self.db.drop_range(&KeyRange::between(start, end)).map_err(from_db)
    }

    fn close(&self) -> Result<(), LogDiskError> {
        self.db.close().map_err(from_db)
    }
}

fn from_db(error: DbError) -> LogDiskError {
    match error {
        DbError::Corrupt(_) => LogDiskError::Corrupt(error.to_string()),
        DbError::Full(_) => LogDiskError::Full(error.to_string()),
        DbError::Sync(_)
        | DbError::Io(_)
        | DbError::Refused(_)
        | DbError::Locked(_)
        | DbError::NeedsDisk
        | DbError::Misused(_) => LogDiskError::Failed(error.to_string()),
    }
}
