//! What a state machine must do, and who makes it do that.
//!
//! Invariant: `apply` is called with committed entries in log order, by one thread at a time, each
//! exactly once per life of the state; a reply is released only after `apply` returned.

use std::sync::Arc;

use bytes::Bytes;

mod adapter;
mod mark;
#[cfg(test)]
pub(crate) mod recorder;
mod transfer;
mod worker;

pub(crate) use adapter::StateAdapter;
pub(crate) use mark::Mark;
pub(crate) use transfer::NoTransfer;
pub use transfer::{ReceivedState, StateReader, StateTransfer, StateWriter};
pub(crate) use worker::{ApplyWorker, state_error};

/// Why a state machine could not go on. Nothing is applied after it until the process is restarted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Its storage failed.
    #[error("{0}")]
    Disk(String),
    /// What it has stored, or was given, is not readable.
    #[error("{0}")]
    Corrupt(String),
    /// What it has stored, or was given, is of a newer version than this program.
    #[error("{0}")]
    Unsupported(String),
}

/// One committed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its place in the log. Rising; gaps are entries of the log's own.
    pub index: u64,
    /// Term of the leader that proposed it.
    pub term: u64,
    /// What was proposed.
    pub payload: Bytes,
}

/// All that is committed and not yet applied, up to a bound.
#[derive(Clone, Copy, Debug)]
pub struct ApplyBatch<'a> {
    /// The commands in order; empty if only entries of the log's own are to be noted.
    pub commands: &'a [Command],
    /// Index of the last entry this batch covers, which may lie past the last command.
    pub applied: u64,
    /// Opaque bytes (under 100 for one voter) that must be stored atomically with the effects, and
    /// given back by [`StateMachine::mark`] at the next open. Correctness depends on it.
    pub mark: &'a Bytes,
}

/// What is replicated: a pure function of its state and the commands, in order.
pub trait StateMachine: Send + 'static {
    /// What the proposer of a command gets.
    type Reply: Send + Sync + 'static;

    /// The mark stored with the last batch that is in the state; `None` for a new state. Called
    /// once, before anything else.
    fn mark(&mut self) -> Result<Option<Bytes>, StateError>;

    /// Applies a batch: effects and mark become visible together, and durable together whenever
    /// they do (they need not be yet). Answers one reply per command, in order. A command that
    /// fails by its own logic is a reply; an error stops the node.
    fn apply(&mut self, batch: ApplyBatch<'_>) -> Result<Vec<Self::Reply>, StateError>;

    /// A handle to make the state durable, used from another thread while `apply` goes on.
    fn durable(&self) -> Arc<dyn DurableState>;

    /// How the state gets to a peer, and a peer's here; used from other threads while `apply` goes on. Unless it is
    /// implemented, members can only join while the whole log is kept.
    fn transfer(&self) -> Arc<dyn StateTransfer> {
        Arc::new(NoTransfer)
    }

    /// Takes the place of the whole state, with one that was received: from here on everything is as if it had been applied
    /// here. Durable when it returns. An error stops the node.
    fn install(&mut self, received: ReceivedState) -> Result<(), StateError> {
        drop(received);
        Err(StateError::Disk(transfer::NOT_IMPLEMENTED.to_owned()))
    }

    /// Makes everything applied durable and stops. The last call.
    fn close(&mut self) -> Result<(), StateError>;
}

/// Makes a state durable.
pub trait DurableState: Send + Sync + 'static {
    /// Flushes and syncs the state. Answers the newest mark that is certain to be in what is
    /// durable now: read it first, then flush. `None` if nothing was applied yet. May block long.
    fn flush(&self) -> Result<Option<Bytes>, StateError>;
}
