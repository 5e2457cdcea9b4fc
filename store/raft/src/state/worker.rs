//! Applies to the state machine: by a worker of its own, or, where that costs more than the work, in place.
//!
//! Whoever has work waits for it before the next, so no two batches are ever under way, and their order is that of the log.
//!
//! Invariant: replies leave only after the batch they belong to is applied and its position
//! published, so whoever got an answer finds its effect in any read that follows.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use openraft::storage::ApplyResponder;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{ApplyBatch, Command, ReceivedState, StateError, StateMachine};
use crate::error::RaftError;
use crate::freshness::Freshness;
use crate::node::Health;
use crate::types::{Answer, Types};
use crate::workers::{Queue, Tell, Work, Worker, Workers};

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
    Close { done: Tell<Result<(), StateError>> },
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

    /// Where a failure of the state is noted.
    pub(crate) fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Whether a small batch may be applied on the thread of the Raft library: where no peer waits for a heartbeat of it.
    pub(crate) fn may_apply_in_place(&self) -> bool {
        self.health.is_sole_voter()
    }
}

/// Handle to the worker. Dropping it without [`ApplyWorker::close`] leaves what is not flushed to
/// the log.
pub(crate) struct ApplyWorker<R: Send + Sync + 'static> {
    pub(crate) queue: Queue<StateWork<R>>,
    pub(crate) turn: Arc<Turn<R>>,
    worker: Worker,
}

impl<R: Send + Sync + 'static> ApplyWorker<R> {
    pub(crate) fn start<SM: StateMachine<Reply = R>>(
        state: SM,
        published: watch::Sender<u64>,
        freshness: Arc<Freshness>,
        health: Arc<Health>,
        workers: &Workers,
    ) -> io::Result<Self> {
        let turn = Arc::new(Turn { state: Mutex::new(Some(Box::new(state))), published, freshness, health });
        let own = Arc::clone(&turn);
        let step = move |work, _: &mut dyn FnMut() -> Option<StateWork<R>>| step(&own, work);
        let (queue, worker) = workers.start("raft-apply", MAX_WAITING_BATCHES, Work::Apply, step)?;
        Ok(Self { queue, turn, worker })
    }

    /// Flushes and drops the state machine. Where it is applied to by a thread this blocks, and is over when it is first polled.
    pub(crate) async fn close(self) -> Result<(), RaftError> {
        match self.worker.end(&self.queue, |done| StateWork::Close { done }).await {
            Some(result) => result.map_err(state_error),
            None => Err(RaftError::StateFailed("whoever applies is gone".to_owned())),
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

fn step<R: Send + Sync + 'static>(turn: &Turn<R>, work: StateWork<R>) -> ControlFlow<()> {
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
            done(turn.close());
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}
