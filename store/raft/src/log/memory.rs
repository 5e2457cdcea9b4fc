//! A log disk in memory, for tests and simulation: what is not synced can be lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::disk::{LogBatch, LogDisk, LogDiskError, LogOp, LogRecord, Sync};

/// How much of what was written, but not synced, a crash leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashTail {
    /// Batches kept whole, in write order.
    pub batches: usize,
    /// Whether the first half of the next batch is kept too, its last value cut in half. What that would have overwritten is as it
    /// was: a storage engine writes nothing in place.
    pub torn: bool,
}

/// The disk, or a process's handle to it. It outlives the log opened on it.
#[derive(Clone, Default)]
pub struct MemoryLogDisk {
    inner: Arc<Mutex<Inner>>,
    released: Arc<Condvar>,
    /// Crashes there were when the handle was made; after another it is a dead process's.
    crashes: u64,
}

#[derive(Default)]
struct Inner {
    durable: BTreeMap<Bytes, Bytes>,
    visible: BTreeMap<Bytes, Bytes>,
    unsynced: Vec<LogBatch>,
    syncs: u64,
    fail_sync: bool,
    held: bool,
    crashes: u64,
    refused: Option<String>,
}

impl MemoryLogDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle for a new process, good until the next crash.
    pub fn opened(&self) -> Self {
        let crashes = self.inner.lock().crashes;
        Self { inner: Arc::clone(&self.inner), released: Arc::clone(&self.released), crashes }
    }

    fn check_alive(&self, inner: &Inner) -> Result<(), LogDiskError> {
        if inner.crashes == self.crashes {
            return Ok(());
        }
        Err(LogDiskError::Failed("the power is gone".to_owned()))
    }

    /// Cuts the power. Handles made before are dead; a new one finds what is left.
    pub fn crash(&self, tail: CrashTail) {
        let mut inner = self.inner.lock();
        let mut unsynced = std::mem::take(&mut inner.unsynced).into_iter();
        for batch in unsynced.by_ref().take(tail.batches) {
            change(&mut inner.durable, batch.ops);
        }
        if let (true, Some(batch)) = (tail.torn, unsynced.next()) {
            let mut ops = batch.ops;
            ops.truncate(ops.len().div_ceil(2));
            match ops.last_mut() {
                Some(LogOp::Put { key, .. }) if inner.durable.contains_key(key) => drop(ops.pop()),
                Some(LogOp::Put { value, .. }) => value.truncate(value.len() / 2),
                _ => {}
            }
            change(&mut inner.durable, ops);
        }
        inner.visible = inner.durable.clone();
        inner.refused = None;
        inner.fail_sync = false;
        inner.held = false;
        inner.crashes += 1;
        self.released.notify_all();
    }

    /// From now on syncs fail, until a crash.
    pub fn fail_syncs(&self) {
        self.inner.lock().fail_sync = true;
    }

    /// Makes every sync wait until [`MemoryLogDisk::release`].
    pub fn hold_syncs(&self) {
        self.inner.lock().held = true;
    }

    /// Lets syncs go on.
    pub fn release(&self) {
        self.inner.lock().held = false;
        self.released.notify_all();
    }

    /// Flips one bit of a value, durable and visible. Answers whether there was such a bit.
    pub fn flip_bit(&self, key: &[u8], bit: usize) -> bool {
        let mut inner = self.inner.lock();
        let Some(value) = inner.visible.get(key) else { return false };
        let mut bytes = value.to_vec();
        let Some(byte) = bytes.get_mut(bit / 8) else { return false };
        *byte ^= 1 << (bit % 8);
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::from(bytes));
        inner.durable.insert(key.clone(), value.clone());
        inner.visible.insert(key, value);
        true
    }

    /// Removes a record, durable and visible. Answers whether it was there.
    pub fn lose(&self, key: &[u8]) -> bool {
        let mut inner = self.inner.lock();
        inner.durable.remove(key);
        inner.visible.remove(key).is_some()
    }

    /// Keys there are, in order.
    pub fn keys(&self) -> Vec<Bytes> {
        self.inner.lock().visible.keys().cloned().collect()
    }

    /// Syncs that went well so far.
    pub fn syncs(&self) -> u64 {
        self.inner.lock().syncs
    }
}

fn change(map: &mut BTreeMap<Bytes, Bytes>, ops: Vec<LogOp>) {
    for op in ops {
        match op {
            LogOp::Put { key, value } => {
                map.insert(key, value);
            }
            LogOp::Delete { key } => {
                map.remove(&key);
            }
            LogOp::DeleteRange { start, end } => delete_range(map, &start, &end),
        }
    }
}

fn delete_range(map: &mut BTreeMap<Bytes, Bytes>, start: &[u8], end: &[u8]) {
    let gone: Vec<Bytes> = map.keys().filter(|key| *key >= start && *key < end).cloned().collect();
    for key in gone {
        map.remove(&key);
    }
}

impl LogDisk for MemoryLogDisk {
    fn write(&self, batch: LogBatch, sync: Sync) -> Result<(), LogDiskError> {
        let mut inner = self.inner.lock();
        self.check_alive(&inner)?;
        if let Some(reason) = &inner.refused {
            return Err(LogDiskError::Failed(format!("writes are refused, because {reason}")));
        }
        change(&mut inner.visible, batch.ops.clone());
        inner.unsynced.push(batch);
        if sync == Sync::Later {
            return Ok(());
        }
        self.released.wait_while(&mut inner, |inner| inner.held);
        self.check_alive(&inner)?;
        if inner.fail_sync {
            inner.refused = Some("an earlier sync failed".to_owned());
            return Err(LogDiskError::Failed("the sync failed".to_owned()));
        }
        for batch in std::mem::take(&mut inner.unsynced) {
            change(&mut inner.durable, batch.ops);
        }
        inner.syncs += 1;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, LogDiskError> {
        let inner = self.inner.lock();
        self.check_alive(&inner)?;
        Ok(inner.visible.get(key).cloned())
    }

    fn read(&self, start: &[u8], end: &[u8], limit_bytes: usize) -> Result<Vec<LogRecord>, LogDiskError> {
        let inner = self.inner.lock();
        self.check_alive(&inner)?;
        let mut bytes = 0;
        let mut records = Vec::new();
        let from = Bytes::copy_from_slice(start);
        for (key, value) in inner.visible.range(from..).take_while(|(key, _)| *key < end) {
            if bytes >= limit_bytes && !records.is_empty() {
                break;
            }
            bytes += value.len();
            records.push((key.clone(), value.clone()));
        }
        Ok(records)
    }

    fn last(&self, start: &[u8], end: &[u8]) -> Result<Option<LogRecord>, LogDiskError> {
        let inner = self.inner.lock();
        self.check_alive(&inner)?;
        let (start, end) = (Bytes::copy_from_slice(start), Bytes::copy_from_slice(end));
        Ok(inner.visible.range(start..end).next_back().map(|(key, value)| (key.clone(), value.clone())))
    }

    fn drop_range(&self, start: &[u8], end: &[u8]) -> Result<(), LogDiskError> {
        let op =
            LogOp::DeleteRange { start: Bytes::copy_from_slice(start), end: Bytes::copy_from_slice(end) };
        self.write(LogBatch { ops: vec![op] }, Sync::Later)
    }

    fn close(&self) -> Result<(), LogDiskError> {
        self.write(LogBatch::default(), Sync::Now)
    }
}
