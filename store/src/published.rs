//! What the applying thread shows to those who read: the tables, and how far the state has been brought.
//!
//! Invariants: whatever is shown here is in the engine already. So who loads it first and takes a snapshot afterwards
//! finds in the snapshot at least what was shown. What is about to be committed is told before the engine takes it; so
//! who read data of a version also sees that it was under way.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use api::service::Catalog;
use api::{Table, TableName, Version};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::attribute_lists::AttributeLists;
use crate::command::Noted;
use crate::engine::view::TableMap;
use crate::kv::applied::Applied;
use crate::parameters::Parameters;

/// Shown by the applying thread, read by everyone.
pub struct Published {
    tables: ArcSwap<TableMap>,
    incarnation: AtomicU64,
    index: AtomicU64,
    committing: AtomicU64,
    log_time_millis: AtomicU64,
    /// Odd while another state takes this one's place.
    exchanges: AtomicU64,
    semantics_level: AtomicU32,
    noted: Mutex<Vec<Noted>>,
    parted: OnceLock<String>,
    applied: watch::Sender<u64>,
    schemas: watch::Sender<u64>,
    parameters: watch::Sender<Parameters>,
    attribute_lists: AttributeLists,
}

impl Default for Published {
    fn default() -> Self {
        Published {
            tables: ArcSwap::default(),
            incarnation: AtomicU64::new(0),
            index: AtomicU64::new(0),
            committing: AtomicU64::new(0),
            log_time_millis: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            semantics_level: AtomicU32::new(0),
            noted: Mutex::default(),
            parted: OnceLock::new(),
            applied: watch::Sender::new(0),
            schemas: watch::Sender::new(0),
            parameters: watch::Sender::default(),
            attribute_lists: AttributeLists::default(),
        }
    }
}

impl Published {
    /// Every table in any state but gone. One pointer load.
    pub fn tables(&self) -> arc_swap::Guard<Arc<TableMap>> {
        self.tables.load()
    }

    /// How far the state has been brought.
    pub fn version(&self) -> Version {
        // The index is stored last, so that it never runs ahead of the incarnation it belongs to.
        let index = self.index.load(Ordering::Acquire);
        Version { incarnation: self.incarnation.load(Ordering::Acquire), shard: 0, index }
    }

    /// Whether the engine has been given nothing beyond `version`: asked after a read, whether that version, loaded before
    /// it, is exactly the one that was read.
    pub fn is_still(&self, version: &Version) -> bool {
        // Whoever read something of a commit has it from the engine, which took it after `begin_commit`; so the mark is
        // seen here wherever its data was seen.
        self.committing.load(Ordering::Acquire) == version.index
    }

    /// Reads something of which tables, version and engine must belong together: again, if another state took this one's place
    /// meanwhile. That is rare, and takes no longer than a handful of stores to memory.
    pub fn of_one_state<T>(&self, mut read: impl FnMut() -> T) -> T {
        loop {
            let before = self.exchanges.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let found = read();
                std::sync::atomic::fence(Ordering::Acquire);
                if self.exchanges.load(Ordering::Relaxed) == before {
                    return found;
                }
            }
            std::thread::yield_now();
        }
    }

    /// Puts another state in this one's place.
    pub(crate) fn exchange(&self, exchange: impl FnOnce()) {
        self.exchanges.fetch_add(1, Ordering::AcqRel);
        std::sync::atomic::fence(Ordering::AcqRel);
        exchange();
        self.exchanges.fetch_add(1, Ordering::Release);
    }

    /// The level that entries are judged by; 0: the store has not begun.
    pub fn semantics_level(&self) -> u32 {
        self.semantics_level.load(Ordering::Acquire)
    }

    /// The digest that was noted last.
    pub fn noted(&self) -> Option<Noted> {
        self.noted.lock().last().copied()
    }

    /// Whether a comparison would find nothing that the last one could not: there has been no effect since the note that it
    /// compared, and no entry since it.
    pub fn is_compared(&self) -> bool {
        match self.noted.lock().as_slice() {
            [compared, last] => compared.digest == last.digest && last.index == self.version().index,
            _ => false,
        }
    }

    pub(crate) fn note(&self, noted: Noted) {
        let mut notes = self.noted.lock();
        if notes.last() != Some(&noted) {
            if notes.len() == 2 {
                notes.remove(0);
            }
            notes.push(noted);
        }
    }

    /// Why nothing of this state may be answered any more, if so: it is not what the primary has.
    pub fn parted(&self) -> Option<&str> {
        self.parted.get().map(String::as_str)
    }

    pub(crate) fn part(&self, why: String) {
        // The first is the one that tells.
        let _ = self.parted.set(why);
    }

    /// Log time of the last entry applied, milliseconds since the epoch.
    pub fn log_time_millis(&self) -> u64 {
        self.log_time_millis.load(Ordering::Relaxed)
    }

    /// Waits until an index has been applied. Without a bound of its own: put one round it.
    pub async fn reached(&self, index: u64) {
        let mut applied = self.applied.subscribe();
        // The sender lives as long as this does, so waiting ends only by the index.
        let _ = applied.wait_for(|at| *at >= index).await;
    }

    /// Every attribute list there is.
    pub fn attribute_lists(&self) -> &AttributeLists {
        &self.attribute_lists
    }

    /// Tells of every change to a table. The value counts them.
    pub fn watch_schemas(&self) -> watch::Receiver<u64> {
        self.schemas.subscribe()
    }

    /// The parameters of the whole group, and every change to them.
    pub fn parameters(&self) -> watch::Receiver<Parameters> {
        self.parameters.subscribe()
    }

    pub(crate) fn set_parameters(&self, parameters: Parameters) {
        self.parameters.send_replace(parameters);
    }

    pub(crate) fn set_tables(&self, tables: TableMap) {
        self.tables.store(Arc::new(tables));
        self.schemas.send_modify(|count| *count += 1);
    }

    /// Told before the engine is given the batch that ends with `index`.
    pub(crate) fn begin_commit(&self, index: u64) {
        self.committing.store(index, Ordering::Release);
    }

    pub(crate) fn set_applied(&self, applied: &Applied) {
        self.begin_commit(applied.version.index);
        self.semantics_level.store(applied.semantics_level, Ordering::Release);
        self.log_time_millis.store(applied.log_time_millis, Ordering::Relaxed);
        self.incarnation.store(applied.version.incarnation, Ordering::Release);
        self.index.store(applied.version.index, Ordering::Release);
        self.applied.send_replace(applied.version.index);
    }
}

impl Catalog for Published {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        self.tables().get(name).cloned()
    }

    fn lend(&self, name: &str, look: &mut dyn FnMut(&Arc<Table>)) {
        if let Some(table) = self.tables().get(name) {
            look(table);
        }
    }
}
