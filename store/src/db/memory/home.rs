//! The home of states on disks in memory.

use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Fault, MemoryDisk, WriteAheadLog};
use crate::db::home::{NewState, StateHome};
use crate::db::{DbError, SharedDb};

/// A home that outlives the instances in it. Cheap to clone: all clones are the same home.
#[derive(Clone)]
pub struct MemoryHome {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    current: MemoryDisk,
    /// What goes wrong with the next states that are begun: operations that pass, and the fault.
    faults: Vec<(u64, Fault)>,
    switch_fault: Option<Fault>,
    begun: u64,
}

impl MemoryHome {
    /// One whose state in use lies on this disk.
    pub fn new(current: MemoryDisk) -> Self {
        let inner = Inner { current, faults: Vec::new(), switch_fault: None, begun: 0 };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The disk of the state that an opening finds.
    pub fn current(&self) -> MemoryDisk {
        self.inner.lock().current.clone()
    }

    /// Orders a fault for the disk of the next state that is begun: see [`MemoryDisk::order_fault`].
    pub fn order_fault(&self, passing: u64, fault: Fault) {
        self.inner.lock().faults.push((passing, fault));
    }

    /// Orders a fault for the next switch.
    pub fn order_switch_fault(&self, fault: Fault) {
        self.inner.lock().switch_fault = Some(fault);
    }

    /// States that were begun so far.
    pub fn begun(&self) -> u64 {
        self.inner.lock().begun
    }
}

impl StateHome for MemoryHome {
    fn begin(&self) -> Result<Box<dyn NewState>, DbError> {
        let disk = MemoryDisk::new(WriteAheadLog::Off);
        let mut inner = self.inner.lock();
        inner.begun += 1;
        for (passing, fault) in inner.faults.drain(..) {
            disk.order_fault(passing, fault);
        }
        Ok(Box::new(New { db: Arc::new(disk.open()), disk, home: self.clone() }))
    }
}

struct New {
    db: SharedDb,
    disk: MemoryDisk,
    home: MemoryHome,
}

impl NewState for New {
    fn db(&self) -> &SharedDb {
        &self.db
    }

    fn seal(&mut self) -> Result<(), DbError> {
        Ok(())
    }

    fn switch(self: Box<Self>) -> Result<SharedDb, DbError> {
        let mut inner = self.home.inner.lock();
        let fault = inner.switch_fault.take();
        let power_gone = || Err(DbError::Io("the power is gone".into()));
        match fault {
            Some(Fault::CrashBefore) => return power_gone(),
            Some(Fault::Full) => return Err(DbError::Full("no space left on device".into())),
            Some(Fault::CrashAfter | Fault::Sync) | None => inner.current = self.disk.clone(),
        }
        match fault {
            Some(Fault::Sync) => Err(DbError::Sync("the disk failed to sync".into())),
            Some(_) => power_gone(),
            None => Ok(Arc::clone(&self.db)),
        }
    }
}
