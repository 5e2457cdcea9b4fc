//! The Raft library's types, filled in: opaque commands, one leader per term, node ids of 64 bits.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use openraft::impls::{BoxedErrorSource, InlineBatch};
use openraft::raft::responder::Responder;
use openraft::{OptionalSend, RaftTypeConfig};
use tokio::sync::oneshot;

use crate::member::Member;

/// What is proposed: bytes that only the state machine reads.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proposal(pub(crate) Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the state machine answered; nothing for entries that are not commands.
pub(crate) struct Answer<R>(pub(crate) Option<R>);

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Answer" } else { "NoAnswer" })
    }
}

pub(crate) type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
pub(crate) type CommittedLeaderId = <LeaderId as openraft::vote::RaftLeaderId>::Committed;
pub(crate) type LogId = openraft::LogId<CommittedLeaderId>;
pub(crate) type Vote = openraft::impls::Vote<LeaderId>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = openraft::StoredMembership<CommittedLeaderId, u64, Member>;
pub(crate) type EntryPayload = openraft::EntryPayload<Proposal, u64, Member>;
pub(crate) type Entry = openraft::Entry<CommittedLeaderId, EntryPayload>;
pub(crate) type SnapshotMeta = openraft::storage::SnapshotMeta<CommittedLeaderId, u64, Member>;

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new_term_index(term, index)
}

/// The library's configuration for replies of type `R`.
pub(crate) struct Types<R>(PhantomData<fn() -> R>);

// Derived, these would ask the same of `R`, of which there is no value here.
impl<R> fmt::Debug for Types<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Types")
    }
}
impl<R> Clone for Types<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Types<R> {}
impl<R> Default for Types<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}
impl<R> PartialEq for Types<R> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<R> Eq for Types<R> {}
impl<R> PartialOrd for Types<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for Types<R> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl<R: Send + Sync + 'static> RaftTypeConfig for Types<R> {
    type D = Proposal;
    type R = Answer<R>;
    type NodeId = u64;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = EntryPayload;
    type Entry = Entry;
    type AsyncRuntime = crate::runtime::Runtime;
    type Responder<T>
        = Waiter<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

/// Carries an answer back to the proposer, and holds the proposal's place in the bounded queue until
/// then, also when the proposer has stopped waiting.
pub(crate) struct Waiter<T> {
    pub(crate) answer: oneshot::Sender<T>,
    pub(crate) place: Option<crate::node::Place>,
}

impl<C, T> Responder<C, T> for Waiter<T>
where
    C: RaftTypeConfig,
    T: OptionalSend + 'static,
{
    fn on_complete(self, result: T) {
        drop(self.place);
        // A proposer that no longer waits is its own business.
        let _ = self.answer.send(result);
    }
}
