//! Our state machine as the Raft library wants it.

use std::io;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::storage::{EntryResponder, RaftStateMachine};
use tokio::sync::oneshot;

use super::worker::{Answerer, ApplyWork, ApplyWorker, StateWork, Turn};
use super::{Command, DurableState, Mark, StateTransfer};
use crate::log::store::LogStore;
use crate::snapshot::{SnapshotBuilder, SnapshotHandle, SnapshotShelf};
use crate::types::{EntryPayload, LogId, SnapshotMeta, StoredMembership, Types};
use crate::workers::{Queue, Workers};

/// Commands of one batch to the state machine.
const MAX_BATCH_COMMANDS: usize = 4_096;
/// Bytes of proposals in one batch, beyond which it is closed.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Commands of a batch, and bytes of their proposals, up to which it is applied in place where it may be: applying so few
/// takes less than waking the thread for it and waiting.
const IN_PLACE_COMMANDS: usize = 2;
const IN_PLACE_BYTES: usize = 16 * 1024;

type Library<R> = openraft::alias::SnapshotOf<Types<R>, SnapshotHandle>;

/// Gives committed entries to whoever applies them, in batches as large as there are entries.
pub(crate) struct StateAdapter<R: Send + Sync + 'static> {
    queue: Queue<StateWork<R>>,
    turn: Arc<Turn<R>>,
    mark: Mark,
    log: LogStore,
    durable: Arc<dyn DurableState>,
    transfer: Arc<dyn StateTransfer>,
    shelf: Arc<SnapshotShelf>,
    workers: Workers,
}

struct Batch<R: Send + Sync + 'static> {
    commands: Vec<Command>,
    answerers: Vec<Answerer<R>>,
    others: Vec<openraft::storage::ApplyResponder<Types<R>>>,
    bytes: usize,
    last: Option<LogId>,
}

impl<R: Send + Sync + 'static> Batch<R> {
    fn new() -> Self {
        Self { commands: Vec::new(), answerers: Vec::new(), others: Vec::new(), bytes: 0, last: None }
    }
}

impl<R: Send + Sync + 'static> StateAdapter<R> {
    pub(crate) fn new(
        apply: &ApplyWorker<R>,
        mark: Mark,
        log: LogStore,
        durable: Arc<dyn DurableState>,
        transfer: Arc<dyn StateTransfer>,
        shelf: Arc<SnapshotShelf>,
        workers: Workers,
    ) -> Self {
        let (queue, turn) = (apply.queue.clone(), Arc::clone(&apply.turn));
        Self { queue, turn, mark, log, durable, transfer, shelf, workers }
    }

    #[cfg(test)]
    pub(crate) fn install_for_suite(&mut self, handle: SnapshotHandle) {
        self.mark = handle.mark().clone();
        self.shelf.put(handle);
    }

    fn take(&mut self, batch: &mut Batch<R>, (entry, answerer): EntryResponder<Types<R>>) {
        batch.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Normal(proposal) => {
                batch.bytes += proposal.0.len();
                batch.commands.push(Command {
                    index: entry.log_id.index(),
                    term: **entry.log_id.committed_leader_id(),
                    payload: proposal.0,
                });
                batch.answerers.push(answerer);
                return;
            }
            EntryPayload::Membership(membership) => {
                self.mark.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
            EntryPayload::Blank => {}
        }
        batch.others.extend(answerer);
    }

    async fn send(&mut self, batch: Batch<R>) -> Result<(), io::Error> {
        let Some(last) = batch.last else { return Ok(()) };
        self.mark.applied = Some(last);
        // The library applies what a quorum has, and that may be one without this node's disk.
        let log_end = self.log.written_end();
        self.mark.log_end = (log_end <= last.index()).then_some(log_end);
        let in_place = batch.commands.len() <= IN_PLACE_COMMANDS
            && batch.bytes <= IN_PLACE_BYTES
            && self.turn.may_apply_in_place();
        let work = ApplyWork {
            commands: batch.commands,
            answerers: batch.answerers,
            others: batch.others,
            applied: last.index(),
            mark: self.mark.encode(),
        };
        if in_place {
            return self.turn.apply(work).map_err(io::Error::other);
        }
        let (done, applied) = oneshot::channel();
        self.give(StateWork::Apply { work, done })?;
        applied.await.map_err(|_| gone())?.map_err(io::Error::other)
    }

    fn give(&self, work: StateWork<R>) -> Result<(), io::Error> {
        self.queue.give(work).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("whoever applies to the state machine is gone")
}

impl<R: Send + Sync + 'static> RaftStateMachine<Types<R>> for StateAdapter<R> {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.mark.applied, self.mark.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types<R>>, io::Error>> + Unpin + OptionalSend,
    {
        let mut batch = Batch::new();
        while let Some(entry) = entries.next().await {
            self.take(&mut batch, entry?);
            if batch.commands.len() >= MAX_BATCH_COMMANDS || batch.bytes >= MAX_BATCH_BYTES {
                self.send(std::mem::replace(&mut batch, Batch::new())).await?;
            }
        }
        self.send(batch).await
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (durable, transfer) = (Arc::clone(&self.durable), Arc::clone(&self.transfer));
        let (shelf, health) = (Arc::clone(&self.shelf), self.turn.health());
        SnapshotBuilder::new(durable, transfer, shelf, health, self.workers.clone())
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: SnapshotHandle,
    ) -> Result<(), io::Error> {
        let Some(received) = snapshot.take_received() else {
            return Err(io::Error::other("a state was to be installed that nobody has sent"));
        };
        let mark = snapshot.mark().clone();
        let applied = mark.applied.as_ref().map_or(0, |id| id.index());
        let (done, installed) = oneshot::channel();
        self.give(StateWork::Install { received, applied, done })?;
        installed.await.map_err(|_| gone())?.map_err(io::Error::other)?;
        self.mark = mark;
        self.shelf.put(snapshot);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Library<R>>, io::Error> {
        Ok(self.shelf.newest().map(SnapshotHandle::into_library))
    }
}
