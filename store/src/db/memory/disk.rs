//! The disk under the in-memory engine: what is durable, what is only written, what goes wrong.
//!
//! Invariant: `durable` changes only by a sync, a flush, dropped files, or a crash that leaves part of the tail.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::MemoryDb;
use crate::db::{Batch, BatchOp, DbError, Durability, KeyRange};

/// Whether the instance has a write-ahead log of its own, as the log has and the state has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAheadLog {
    /// A sync makes durable what was written; a crash may leave a prefix of the rest.
    On,
    /// Only a flush makes durable; a crash leaves nothing of the rest.
    Off,
}

/// Something that goes wrong with one write, sync or flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes before it begins: nothing of it happens, and the instance is dead.
    CrashBefore,
    /// The power goes when it is done, before anyone learns of it.
    CrashAfter,
    /// The disk has no room.
    Full,
    /// The sync fails. What was written stays unsynced; a plain write passes unharmed.
    Sync,
}

/// How much of what was written, but not synced, a crash leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashTail {
    /// Batches kept whole, in write order.
    pub batches: usize,
    /// Whether of the next batch the first half of the changes is kept too, the last value of them
    /// cut in half: an engine that broke its promise. Only what carries checksums of its own (the
    /// raft log) stands that. What it would have overwritten is as it was: a storage engine writes
    /// nothing in place.
    pub torn: bool,
}

/// A disk that outlives the instances on it. Cheap to clone: all clones are the same disk.
#[derive(Clone)]
pub struct MemoryDisk {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    wal: WriteAheadLog,
    durable: BTreeMap<Bytes, Bytes>,
    unsynced: Vec<Batch>,
    checkpoints: BTreeMap<PathBuf, BTreeMap<Bytes, Bytes>>,
    /// Counts openings and crashes; an instance of an older number is dead.
    opening: u64,
    /// Operations that pass before each fault, one after the other.
    faults: VecDeque<(u64, Fault)>,
    syncs: u64,
    writes: u64,
    crashed: bool,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new(wal: WriteAheadLog) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                wal,
                durable: BTreeMap::new(),
                unsynced: Vec::new(),
                checkpoints: BTreeMap::new(),
                opening: 0,
                faults: VecDeque::new(),
                syncs: 0,
                writes: 0,
                crashed: false,
            })),
        }
    }

    /// Opens what is durable. An instance opened before is dead from here on, as if its process had
    /// been killed: with a write-ahead log what it wrote is kept (the system has it), without one
    /// all but the flushed is gone.
    pub fn open(&self) -> MemoryDb {
        let mut inner = self.inner.lock();
        if !inner.crashed && inner.wal == WriteAheadLog::On {
            inner.make_durable();
        }
        inner.unsynced.clear();
        inner.crashed = false;
        inner.opening += 1;
        MemoryDb::on_disk(self.clone(), inner.opening, &inner.durable)
    }

    /// Cuts the power: of what was not synced only `tail` stays, and open instances are dead.
    /// Without a write-ahead log nothing of it stays, whatever `tail` says.
    pub fn crash(&self, tail: CrashTail) {
        self.inner.lock().crash(tail);
    }

    /// Orders a fault: after `passing` more writes, syncs or flushes (counted from the fault before
    /// it) that go well, the next one meets it. A crash so ordered keeps nothing unsynced, unless
    /// [`MemoryDisk::crash`] was not yet called: the tail is decided there.
    pub fn order_fault(&self, passing: u64, fault: Fault) {
        self.inner.lock().faults.push_back((passing, fault));
    }

    /// Forgets all ordered faults.
    pub fn clear_faults(&self) {
        self.inner.lock().faults.clear();
    }

    /// Flips one bit of a durable value. Returns whether there was such a key with a value.
    pub fn flip_bit(&self, key: &[u8], bit: usize) -> bool {
        let mut inner = self.inner.lock();
        let Some(value) = inner.durable.get_mut(key) else { return false };
        let mut bytes = value.to_vec();
        let Some(byte) = bytes.get_mut(bit / 8) else { return false };
        *byte ^= 1 << (bit % 8);
        *value = Bytes::from(bytes);
        true
    }

    /// What is durable now.
    pub fn durable(&self) -> BTreeMap<Bytes, Bytes> {
        self.inner.lock().durable.clone()
    }

    /// Batches written and not yet durable.
    pub fn unsynced_batches(&self) -> usize {
        self.inner.lock().unsynced.len()
    }

    /// Syncs and flushes that went well so far.
    pub fn syncs(&self) -> u64 {
        self.inner.lock().syncs
    }

    /// Batches written so far.
    pub fn writes(&self) -> u64 {
        self.inner.lock().writes
    }

    /// Whether an ordered crash has happened and the disk was not opened since.
    pub fn is_crashed(&self) -> bool {
        self.inner.lock().crashed
    }

    /// The checkpoint written to a directory, as a disk of its own.
    pub fn open_checkpoint(&self, directory: &Path) -> Option<MemoryDisk> {
        let inner = self.inner.lock();
        let image = inner.checkpoints.get(directory)?.clone();
        let disk = MemoryDisk::new(inner.wal);
        disk.inner.lock().durable = image;
        Some(disk)
    }

    pub(super) fn put_checkpoint(
        &self,
        directory: &Path,
        image: BTreeMap<Bytes, Bytes>,
    ) -> Result<(), DbError> {
        let mut inner = self.inner.lock();
        if inner.checkpoints.contains_key(directory) {
            return Err(DbError::Misused(format!("{} exists", directory.display()).into()));
        }
        inner.checkpoints.insert(directory.to_owned(), image);
        Ok(())
    }

    pub(super) fn check_read(&self, opening: u64) -> Result<(), DbError> {
        self.inner.lock().check_alive(opening)
    }

    pub(super) fn unflushed_bytes(&self) -> u64 {
        let inner = self.inner.lock();
        match inner.wal {
            WriteAheadLog::On => 0,
            WriteAheadLog::Off => inner.unsynced.iter().map(|batch| batch.bytes() as u64).sum(),
        }
    }

    pub(super) fn write(&self, opening: u64, batch: &Batch, durability: Durability) -> Result<(), DbError> {
        let mut inner = self.inner.lock();
        inner.check_alive(opening)?;
        let fault = inner.take_fault();
        match fault {
            Some(Fault::CrashBefore) => return inner.power_gone(),
            Some(Fault::Full) => return Err(DbError::Full("no space left on device".into())),
            Some(Fault::CrashAfter | Fault::Sync) | None => {}
        }
        inner.unsynced.push(batch.clone());
        inner.writes += 1;
        if durability == Durability::Synced {
            if fault == Some(Fault::Sync) {
                return Err(DbError::Sync("the disk failed to sync".into()));
            }
            inner.make_durable();
            inner.syncs += 1;
        }
        if fault == Some(Fault::CrashAfter) { inner.power_gone() } else { Ok(()) }
    }

    /// What is durable of a range goes at once, as whole files do.
    pub(super) fn drop_files(&self, range: &KeyRange) {
        self.inner.lock().durable.retain(|key, _| !range.contains(key));
    }

    pub(super) fn sync(&self, opening: u64) -> Result<(), DbError> {
        if self.inner.lock().wal == WriteAheadLog::Off {
            return self.check_read(opening);
        }
        self.flush(opening)
    }

    pub(super) fn flush(&self, opening: u64) -> Result<(), DbError> {
        let mut inner = self.inner.lock();
        inner.check_alive(opening)?;
        match inner.take_fault() {
            Some(Fault::CrashBefore) => inner.power_gone(),
            Some(Fault::Full) => Err(DbError::Full("no space left on device".into())),
            Some(Fault::Sync) => Err(DbError::Sync("the disk failed to sync".into())),
            Some(Fault::CrashAfter) => {
                inner.make_durable();
                inner.power_gone()
            }
            None => {
                inner.make_durable();
                inner.syncs += 1;
                Ok(())
            }
        }
    }
}

impl Inner {
    fn check_alive(&self, opening: u64) -> Result<(), DbError> {
        if self.crashed || opening != self.opening {
            return Err(DbError::Io("the power is gone".into()));
        }
        Ok(())
    }

    fn take_fault(&mut self) -> Option<Fault> {
        let (passing, fault) = self.faults.front_mut()?;
        if *passing > 0 {
            *passing -= 1;
            return None;
        }
        let fault = *fault;
        self.faults.pop_front();
        Some(fault)
    }

    /// The tail stays as it is until [`MemoryDisk::crash`] or an opening decides about it.
    fn power_gone(&mut self) -> Result<(), DbError> {
        self.crashed = true;
        Err(DbError::Io("the power is gone".into()))
    }

    fn crash(&mut self, tail: CrashTail) {
        self.crashed = true;
        let unsynced = std::mem::take(&mut self.unsynced);
        if self.wal == WriteAheadLog::Off {
            return;
        }
        let mut batches = unsynced.into_iter();
        for batch in batches.by_ref().take(tail.batches) {
            change(&mut self.durable, batch.into_ops());
        }
        if let (true, Some(batch)) = (tail.torn, batches.next()) {
            let mut ops = batch.into_ops();
            ops.truncate(ops.len().div_ceil(2));
            match ops.last_mut() {
                Some(BatchOp::Put { key, .. }) if self.durable.contains_key(key) => drop(ops.pop()),
                Some(BatchOp::Put { value, .. }) => value.truncate(value.len() / 2),
                _ => {}
            }
            change(&mut self.durable, ops);
        }
    }

    fn make_durable(&mut self) {
        for batch in std::mem::take(&mut self.unsynced) {
            change(&mut self.durable, batch.into_ops());
        }
    }
}

fn change(image: &mut BTreeMap<Bytes, Bytes>, ops: Vec<BatchOp>) {
    for op in ops {
        match op {
            BatchOp::Put { key, value } => {
                image.insert(key, value);
            }
            BatchOp::Delete { key } => {
                image.remove(&key);
            }
            BatchOp::DeleteRange { range } => image.retain(|key, _| !range.contains(key)),
        }
    }
}
