//! Keeps the replay after a crash short, and the log from growing without end.
//!
//! On the leader, it also ends a change of voters that an earlier leader has left in the middle.
//!
//! Invariant: entries are purged only up to what a completed, synced flush of the state holds.

use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use super::group::{is_joint, settle};
use super::{Library, RaftSettings};
use crate::clock::Clock;
use crate::log::store::LogStore;
use crate::snapshot::SnapshotShelf;

/// How often it looks.
const PERIOD: Duration = Duration::from_millis(200);
/// Looks at an unfinished change of voters, with nothing new in it, after which it is taken for abandoned.
const ABANDONED_AFTER: u32 = 10;

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
        let mut unfinished = (None, 0);
        loop {
            tokio::time::sleep(PERIOD).await;
            self.settle(&mut unfinished).await;
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

    /// `unfinished`: the change that was seen at the last look, and how many looks it has been there.
    async fn settle(&self, unfinished: &mut (Option<u64>, u32)) {
        let change = {
            let metrics = self.library.server_metrics();
            let metrics = metrics.borrow_watched();
            let effective = &metrics.membership_config;
            let committed = *effective == metrics.committed_membership_config;
            let leads = metrics.state == ServerState::Leader;
            (is_joint(effective) && committed && leads)
                .then(|| effective.log_id().as_ref().map(|id| id.index()))
                .flatten()
        };
        *unfinished = match (change, &unfinished) {
            (None, _) => (None, 0),
            (change, (seen, looks)) if change == *seen => (change, looks + 1),
            (change, _) => (change, 0),
        };
        if unfinished.1 == ABANDONED_AFTER {
            *unfinished = (None, 0);
            if let Err(error) = settle(&self.library).await {
                tracing::warn!(%error, "a change of voters that was left in the middle is tried again");
            }
        }
    }
}
