//! The thread the state machine lives on.
//!
//! Invariant: replies leave only after the batch they belong to is applied and its position
//! published, so whoever got an answer finds its effect in any read that follows.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use openraft::storage::ApplyResponder;
use tokio::sync::{oneshot, watch};

use super::{ApplyBatch, Command, StateError, StateMachine};
use crate::error::RaftError;
use crate::node::Health;
use crate::types::{Answer, Types};

/// Batches that may wait; the giver awaits each, so more than one is rare.
const MAX_WAITING_BATCHES: usize = 4;

/// Whom to answer, for one entry.
pub(crate) type Answerer<R> = Option<ApplyResponder<Types<R>>>;

pub(crate) enum StateWork<R: Send + Sync + 'static> {
    Apply {
        commands: Vec<Command>,
        /// One per command.
        answerers: Vec<Answerer<R>>,
        /// Of entries that are not commands.
        others: Vec<ApplyResponder<Types<R>>>,
        applied: u64,
        mark: Bytes,
        done: oneshot::Sender<Result<(), StateError>>,
    },
    Close {
        done: std::sync::mpsc::Sender<Result<(), StateError>>,
    },
}

/// Handle to the thread. Dropping it without [`ApplyThread::close`] leaves what is not flushed to
/// the log.
pub(crate) struct ApplyThread<R: Send + Sync + 'static> {
    pub(crate) queue: SyncSender<StateWork<R>>,
    thread: JoinHandle<()>,
}

impl<R: Send + Sync + 'static> ApplyThread<R> {
    pub(crate) fn start<SM: StateMachine<Reply = R>>(
        state: SM,
        applied: watch::Sender<u64>,
        health: Arc<Health>,
    ) -> io::Result<Self> {
        let (queue, work) = sync_channel(MAX_WAITING_BATCHES);
        let thread = std::thread::Builder::new()
            .name("raft-apply".into())
            .spawn(move || run(state, &work, &applied, &health))?;
        Ok(Self { queue, thread })
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
    }
}

fn run<SM: StateMachine>(
    mut state: SM,
    work: &Receiver<StateWork<SM::Reply>>,
    published: &watch::Sender<u64>,
    health: &Health,
) {
    while let Ok(work) = work.recv() {
        match work {
            StateWork::Apply { commands, answerers, others, applied, mark, done } => {
                let batch = ApplyBatch { commands: &commands, applied, mark: &mark };
                let result = match health.state_failed() {
                    Some(reason) => Err(StateError::Disk(reason)),
                    None => state.apply(batch).and_then(|replies| {
                        if replies.len() == commands.len() {
                            Ok(replies)
                        } else {
                            Err(StateError::Corrupt(format!(
                                "{} commands got {} replies",
                                commands.len(),
                                replies.len()
                            )))
                        }
                    }),
                };
                let result = result.map(|replies| {
                    published.send_replace(applied);
                    for (answerer, reply) in answerers.into_iter().zip(replies) {
                        if let Some(answerer) = answerer {
                            answerer.send(Answer(Some(reply)));
                        }
                    }
                    for answerer in others {
                        answerer.send(Answer(None));
                    }
                });
                if let Err(error) = &result {
                    health.fail_state(state_error(error.clone()));
                }
                // The library may be stopping; the work is done all the same.
                let _ = done.send(result);
            }
            StateWork::Close { done } => {
                let result = state.close();
                drop(state);
                // Whoever closes waits for it.
                let _ = done.send(result);
                return;
            }
        }
    }
}
