//! What stands for the state towards a peer that lags, and what the log may be purged up to.
//!
//! The state is on disk already, so a snapshot is no copy of it: it is the statement that everything
//! up to a position is durable, made by a completed, synced flush. The log needs no more to be
//! purged. The bytes are produced only when a peer needs them, from a checkpoint of the engine taken
//! at that moment (whose position is then at or past the statement's); no state is ever written
//! twice to keep the library content, and the library never asks by itself (see the node's config).
//!
//! On its way to a peer it is a [`StateReader`](crate::state::StateReader)'s bytes; on its way in, a
//! [`StateWriter`](crate::state::StateWriter) takes them, and the handle names the state it made.
//!
//! Invariant: a [`SnapshotHandle`] exists only for a position whose flush completed, or whose state was received whole.

use std::fmt;
use std::io;
use std::sync::Arc;

use openraft::storage::RaftSnapshotBuilder;
use parking_lot::Mutex;

use crate::member::Member;
use crate::node::Health;
use crate::state::{DurableState, Mark, ReceivedState, StateError, StateTransfer, state_error};
use crate::types::{CommittedLeaderId, LogId, SnapshotMeta, Types};
use crate::workers::Workers;

/// A position up to which the state is durable.
#[derive(Clone)]
pub struct SnapshotHandle {
    mark: Mark,
    source: Arc<dyn StateTransfer>,
    /// What a peer has sent, until it is installed.
    received: Arc<Mutex<Option<ReceivedState>>>,
}

impl fmt::Debug for SnapshotHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotHandle({:?})", self.mark.applied)
    }
}

impl SnapshotHandle {
    pub(crate) fn new(mark: Mark, source: Arc<dyn StateTransfer>) -> Self {
        Self { mark, source, received: Arc::default() }
    }

    pub(crate) fn received(mark: Mark, received: ReceivedState, source: Arc<dyn StateTransfer>) -> Self {
        Self { mark, source, received: Arc::new(Mutex::new(Some(received))) }
    }

    /// Where the state can be read for a peer.
    pub(crate) fn source(&self) -> Arc<dyn StateTransfer> {
        Arc::clone(&self.source)
    }

    /// What was received, once.
    pub(crate) fn take_received(&self) -> Option<ReceivedState> {
        self.received.lock().take()
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(crate) fn applied(&self) -> Option<LogId> {
        self.mark.applied
    }

    pub(crate) fn into_library(self) -> openraft::storage::Snapshot<CommittedLeaderId, u64, Member, Self> {
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
    transfer: Arc<dyn StateTransfer>,
    shelf: Arc<SnapshotShelf>,
    health: Arc<Health>,
    workers: Workers,
}

impl SnapshotBuilder {
    pub(crate) fn new(
        durable: Arc<dyn DurableState>,
        transfer: Arc<dyn StateTransfer>,
        shelf: Arc<SnapshotShelf>,
        health: Arc<Health>,
        workers: Workers,
    ) -> Self {
        Self { durable, transfer, shelf, health, workers }
    }

    /// The library stops for it, so the node has failed, and must say so.
    fn failed(&self, error: StateError) -> io::Error {
        self.health.fail_state(state_error(error.clone()));
        io::Error::other(error)
    }
}

impl<R: Send + Sync + 'static> RaftSnapshotBuilder<Types<R>> for SnapshotBuilder {
    type SnapshotData = SnapshotHandle;

    async fn build_snapshot(
        &mut self,
    ) -> Result<openraft::alias::SnapshotOf<Types<R>, SnapshotHandle>, io::Error> {
        let durable = Arc::clone(&self.durable);
        // A flush takes as long as the disk does, and heartbeats must not wait for it.
        let flushed = self.workers.blocking(move || durable.flush()).await?;
        let mark = match flushed.map_err(|error| self.failed(error))? {
            Some(bytes) => Mark::decode(&bytes).map_err(io::Error::other)?,
            None => Mark::default(),
        };
        let handle = SnapshotHandle::new(mark, Arc::clone(&self.transfer));
        self.shelf.put(handle.clone());
        Ok(handle.into_library())
    }
}
