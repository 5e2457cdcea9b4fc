//! A whole state on its way to a member that the log can't bring up any more.
//!
//! It is read while the sender serves, and received while the receiver serves, into a place of its own. Only when all of it is
//! there, checked and durable, does it take the place of the receiver's state, in one step.

use std::any::Any;
use std::fmt;

use bytes::Bytes;

use super::StateError;

pub(super) const NOT_IMPLEMENTED: &str = "this state can be brought up by the log only";

/// How states get from one member to another. Calls may block.
pub trait StateTransfer: Send + Sync + 'static {
    /// A view of the whole state as it is now, at or past everything flushed before. Later changes don't show in it.
    fn begin_send(&self) -> Result<Box<dyn StateReader>, StateError>;

    /// A place for a state, beside this one. What an earlier attempt left is removed.
    fn begin_receive(&self) -> Result<Box<dyn StateWriter>, StateError>;
}

/// A view of a state that is being sent. Dropping it lets go of what it holds.
pub trait StateReader: Send + 'static {
    /// The mark stored with the last batch in it.
    fn mark(&self) -> Bytes;

    /// The next bytes: more than none, and about `limit_bytes` at most. `None` at the end.
    fn read(&mut self, limit_bytes: usize) -> Result<Option<Bytes>, StateError>;
}

/// A place for a state that is being received. Dropped before it is finished, it is as if it had never been.
pub trait StateWriter: Send + 'static {
    /// The next bytes: those of the reader, in order, cut where it cut them.
    fn write(&mut self, bytes: Bytes) -> Result<(), StateError>;

    /// All is there. Makes it durable, with this mark in the place of the sender's.
    fn finish(self: Box<Self>, mark: Bytes) -> Result<ReceivedState, StateError>;
}

/// A whole state, received and durable, that is not used yet. Only the state machine that made it can use it.
pub struct ReceivedState(Box<dyn Any + Send>);

impl ReceivedState {
    /// Wraps what the state machine needs to find it.
    pub fn new(state: impl Any + Send) -> Self {
        Self(Box::new(state))
    }

    /// What was wrapped; `None`, if that was of another type.
    pub fn into_inner<T: Any>(self) -> Option<T> {
        self.0.downcast().ok().map(|state| *state)
    }
}

impl fmt::Debug for ReceivedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceivedState")
    }
}

/// Of a state machine that has no other.
pub(crate) struct NoTransfer;

impl StateTransfer for NoTransfer {
    fn begin_send(&self) -> Result<Box<dyn StateReader>, StateError> {
        Err(StateError::Disk(NOT_IMPLEMENTED.to_owned()))
    }

    fn begin_receive(&self) -> Result<Box<dyn StateWriter>, StateError> {
        Err(StateError::Disk(NOT_IMPLEMENTED.to_owned()))
    }
}
