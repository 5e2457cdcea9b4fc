//! Keeps the replay after a crash short, and the log from growing without end.
//!
//! Invariant: entries are purged only up to what a completed, synced flush of the state holds.

use std::sync::Arc;
use std::time::Duration;

use super::{Library, RaftSettings};
use crate::clock::Clock;
use crate::log::store::LogStore;
use crate::snapshot::SnapshotShelf;

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Keeper<R: Send + Sync + 'static> {
    pub(super) library: Library<R>,
    pub(super) log: LogStore,
    pub(super) shelf: Arc<SnapshotShelf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: RaftSettings,
}

impl<R: Send + Sync + 'static> Keeper<R> {
    /// Runs until the library stops.
    pub(super) async fn run(self) {
        let mut flushed_at_bytes = 0;
        let mut purged_end = 0;
        loop {
            tokio::time::sleep(PERIOD).await;
            let appended = self.log.appended_bytes();
            if appended - flushed_at_bytes >= self.settings.flush_after_log_bytes {
                flushed_at_bytes = appended;
                if self.library.trigger().snapshot().await.is_err() {
                    return;
                }
            }
            let durable_end = self.shelf.durable_end();
            let purgeable = self.log.purgeable(self.settings.keep(), self.clock.monotonic_millis());
            if let Some(upto) = purgeable
                && let Some(last_durable) = durable_end.checked_sub(1)
            {
                let upto = upto.min(last_durable);
                if upto >= purged_end {
                    purged_end = upto + 1;
                    if self.library.trigger().purge_log(upto).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
