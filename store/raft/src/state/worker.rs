//! Applies to the state machine: on a thread of its own, or, where that costs more than the work, in place.
//!
//! Whoever has work waits for it before the next, so no two batches are ever under way, and their order is that of the log.
//!
//! Invariant: replies leave only after the batch they belong to is applied and its position
//! published, so whoever got an answer finds its effect in any read that follows.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use openraft::storage::ApplyResponder;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{ApplyBatch, Command, ReceivedState, StateError, StateMachine};
use crate::error::RaftError;
use crate::freshness::Freshness;
use crate::node::Health;
use crate::types::{Answer, Types};

/// Batches that may wait; the giver awaits each, so more than one is rare.
const MAX_WAITING_BATCHES: usize = 4;

/// Whom to answer, for one entry.
pub(crate) type Answerer<R> = Option<ApplyResponder<Types<R>>>;

/// What is applied in one step.
pub(crate) struct ApplyWork<R: Send + Sync + 'static> {
    pub(crate) commands: Vec<Command>,
    /// One per command.
    pub(crate) answerers: Vec<Answerer<R>>,
    /// Of entries that are not commands.
    pub(crate) others: Vec<ApplyResponder<Types<R>>>,
    pub(crate) applied: u64,
    pub(crate) mark: Bytes,
}

pub(crate) enum StateWork<R: Send + Sync + 'static> {
    Apply { work: ApplyWork<R>, done: oneshot::Sender<Result<(), StateError>> },
    Install { received: ReceivedState, applied: u64, done: oneshot::Sender<Result<(), StateError>> },
    Close { done: std::sync::mpsc::Sender<Result<(), StateError>> },
}

/// The state machine, and whoever has a turn with it.
pub(crate) struct Turn<R: Send + Sync + 'static> {
    /// `None` once it is closed.
    state: Mutex<Option<Box<dyn StateMachine<Reply = R>>>>,
    published: watch::Sender<u64>,
    freshness: Arc<Freshness>,
    health: Arc<Health>,
}

impl<R: Send + Sync + 'static> Turn<R> {
    /// Applies a batch, publishes its position and releases its replies.
    pub(crate) fn apply(&self, work: ApplyWork<R>) -> Result<(), StateError> {
        let ApplyWork { commands, answerers, others, applied, mark } = work;
        let batch = ApplyBatch { commands: &commands, applied, mark: &mark };
        let result = match (self.health.state_failed(), self.state.lock().as_mut()) {
            (Some(reason), _) => Err(StateError::Disk(reason)),
            (None, None) => Err(StateError::Disk("it is closed".to_owned())),
            (None, Some(state)) => state.apply(batch),
        };
        let result = result.and_then(|replies| {
            if replies.len() == commands.len() {
                return Ok(replies);
            }
            let (commands, replies) = (commands.len(), replies.len());
            Err(StateError::Corrupt(format!("{commands} commands got {replies} replies")))
        });
        // Before the answerers go: who waits for one that is dropped asks here why.
        if let Err(error) = &result {
            self.health.fail_state(state_error(error.clone()));
        }
        result.map(|replies| {
            self.publish(applied);
            for (answerer, reply) in answerers.into_iter().zip(replies) {
                if let Some(answerer) = answerer {
                    answerer.send(Answer(Some(reply)));
                }
            }
            for answerer in others {
                answerer.send(Answer(None));
            }
        })
    }

    /// Puts a received state in the place of all that was applied.
    fn install(&self, received: ReceivedState, applied: u64) -> Result<(), StateError> {
        let result = match (self.health.state_failed(), self.state.lock().as_mut()) {
            (Some(reason), _) => Err(StateError::Disk(reason)),
            (None, None) => Err(StateError::Disk("it is closed".to_owned())),
            (None, Some(state)) => state.install(received),
        };
        match &result {
            Ok(()) => self.publish(applied),
            Err(error) => self.health.fail_state(state_error(error.clone())),
        }
        result
    }

    fn publish(&self, applied: u64) {
        self.published.send_replace(applied);
        self.freshness.applied(applied + 1);
    }

    /// Flushes and drops the state machine.
    fn close(&self) -> Result<(), StateError> {
        match self.state.lock().take() {
            Some(mut state) => state.close(),
            None => Ok(()),
        }
    }

    /// Whether a small batch may be applied on the thread of the Raft library: where no peer waits for a heartbeat of it.
    pub(crate) fn may_apply_in_place(&self) -> bool {
        self.health.is_sole_voter()
    }
}

/// Handle to the thread. Dropping it without [`ApplyThread::close`] leaves what is not flushed to
/// the log.
pub(crate) struct ApplyThread<R: Send + Sync + 'static> {
    pub(crate) queue: SyncSender<StateWork<R>>,
    pub(crate) turn: Arc<Turn<R>>,
    thread: JoinHandle<()>,
}

impl<R: Send + Sync + 'static> ApplyThread<R> {
    pub(crate) fn start<SM: StateMachine<Reply = R>>(
        state: SM,
        published: watch::Sender<u64>,
        freshness: Arc<Freshness>,
        health: Arc<Health>,
    ) -> io::Result<Self> {
        let (queue, work) = sync_channel(MAX_WAITING_BATCHES);
        let turn = Arc::new(Turn { state: Mutex::new(Some(Box::new(state))), published, freshness, health });
        let own = Arc::clone(&turn);
        let thread = std::thread::Builder::new().name("raft-apply".into()).spawn(move || run(&own, &work))?;
        Ok(Self { queue, turn, thread })
    }

    /// Flushes and drops the state machine. Blocks.
    pub(crate) fn close(self) -> Result<(), RaftError> {
        let (done, closed) = std::sync::mpsc::channel();
        let sent = self.queue.send(StateWork::Close { done }).is_ok();
        let result = if sent { closed.recv().ok() } else { None };
        let joined = self.thread.join();
        match (result, joined) {
            (Some(result), Ok(())) => result.map_err(state_error),
            (_, _) => Err(RaftError::StateFailed("its thread is gone".to_owned())),
        }
    }
}

pub(crate) fn state_error(error: StateError) -> RaftError {
    match error {
        StateError::Disk(what) => RaftError::StateFailed(what),
        StateError::Corrupt(what) => RaftError::Corrupt(what),
        StateError::Unsupported(what) => RaftError::Unsupported(what),
    }
}

fn run<R: Send + Sync + 'static>(turn: &Turn<R>, work: &Receiver<StateWork<R>>) {
    while let Ok(work) = work.recv() {
        match work {
            StateWork::Apply { work, done } => {
                // The library may be stopping; the work is done all the same.
                let _ = done.send(turn.apply(work));
            }
            StateWork::Install { received, applied, done } => {
                // As above.
                let _ = done.send(turn.install(received, applied));
            }
            StateWork::Close { done } => {
                // Whoever closes waits for it.
                let _ = done.send(turn.close());
                return;
            }
        }
    }
}
