//! What the applying thread shows to those who read: the tables, and how far the state has been brought.
//!
//! Invariants: whatever is shown here is in the engine already. So who loads it first and takes a snapshot afterwards
//! finds in the snapshot at least what was shown. What is about to be committed is told before the engine takes it; so
//! who read data of a version also sees that it was under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::service::Catalog;
use api::{Table, TableName, Version};
use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::attribute_lists::AttributeLists;
use crate::engine::view::TableMap;
use crate::kv::applied::Applied;

/// Shown by the applying thread, read by everyone.
pub struct Published {
    tables: ArcSwap<TableMap>,
    incarnation: AtomicU64,
    index: AtomicU64,
    committing: AtomicU64,
    log_time_millis: AtomicU64,
    applied: watch::Sender<u64>,
    schemas: watch::Sender<u64>,
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
            applied: watch::Sender::new(0),
            schemas: watch::Sender::new(0),
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
