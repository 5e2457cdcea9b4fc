//! What stands for the state towards a peer that lags, and what the log may be purged up to.
//!
//! The state is on disk already, so a snapshot is no copy of it: it is the statement that everything
//! up to a position is durable, made by a completed, synced flush. The log needs no more to be
//! purged. The bytes are produced only when a peer needs them, from a checkpoint of the engine taken
//! at that moment (whose position is then at or past the statement's); no state is ever written
//! twice to keep the library content, and the library never asks by itself (see the node's config).
//!
//! Invariant: a [`SnapshotHandle`] exists only for a position whose flush completed.

use std::io;
use std::sync::Arc;

use openraft::storage::RaftSnapshotBuilder;
use parking_lot::Mutex;

use crate::state::{DurableState, Mark};
use crate::types::{CommittedLeaderId, LogId, SnapshotMeta, Types};

/// A position up to which the state is durable.
#[derive(Clone, Debug)]
pub struct SnapshotHandle {
    mark: Mark,
}

impl SnapshotHandle {
    pub(crate) fn new(mark: Mark) -> Self {
        Self { mark }
    }

    #[cfg(test)]
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(crate) fn applied(&self) -> Option<LogId> {
        self.mark.applied
    }

    pub(crate) fn into_library(
        self,
    ) -> openraft::storage::Snapshot<CommittedLeaderId, u64, openraft::impls::BasicNode, Self> {
        let meta =
            SnapshotMeta { last_log_id: self.mark.applied, last_membership: self.mark.membership.clone() };
        openraft::storage::Snapshot { meta, snapshot: self }
    }
}

/// Keeps the newest handle.
#[derive(Default)]
pub(crate) struct SnapshotShelf {
    newest: Mutex<Option<SnapshotHandle>>,
}

impl SnapshotShelf {
    pub(crate) fn newest(&self) -> Option<SnapshotHandle> {
        self.newest.lock().clone()
    }

    /// Index after the last durable one; 0 if there is none.
    pub(crate) fn durable_end(&self) -> u64 {
        self.newest.lock().as_ref().and_then(SnapshotHandle::applied).map_or(0, |id| id.index() + 1)
    }

    pub(crate) fn put(&self, handle: SnapshotHandle) {
        let mut newest = self.newest.lock();
        if newest.as_ref().and_then(SnapshotHandle::applied) <= handle.applied() {
            *newest = Some(handle);
        }
    }
}

/// Flushes the state and states how far it got.
pub(crate) struct SnapshotBuilder {
    durable: Arc<dyn DurableState>,
    shelf: Arc<SnapshotShelf>,
}

impl SnapshotBuilder {
    pub(crate) fn new(durable: Arc<dyn DurableState>, shelf: Arc<SnapshotShelf>) -> Self {
        Self { durable, shelf }
    }
}

impl<R: Send + Sync + 'static> RaftSnapshotBuilder<Types<R>> for SnapshotBuilder {
    type SnapshotData = SnapshotHandle;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::alias::SnapshotOf<Types<R>, SnapshotHandle>, io::Error> {
        let durable = Arc::clone(&self.durable);
        // A flush takes as long as the disk does, and heartbeats must not wait for it.
        let flushed = tokio::task::spawn_blocking(move || durable.flush()).await.map_err(io::Error::other)?;
        let mark = match flushed.map_err(io::Error::other)? {
            Some(bytes) => Mark::decode(&bytes).map_err(io::Error::other)?,
            None => Mark::default(),
        };
        let handle = SnapshotHandle::new(mark);
        self.shelf.put(handle.clone());
        Ok(handle.into_library())
    }
}
