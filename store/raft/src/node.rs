//! One member of the group: propose, read index, leadership.
//!
//! The Raft library runs on a thread of its own, so that nothing else can starve its heartbeats;
//! the log is written on a second and the state applied on a third. Only where no peer waits for
//! heartbeats, and one proposal is alone, is it written and applied on the first: each hop to
//! another thread and back costs as much as the sync of a fast disk. A [`RaftNode`] may be used
//! from any thread and any runtime.
//!
//! Invariant: at most [`RaftSettings::max_waiting_proposals`] proposals, of at most
//! [`RaftSettings::max_waiting_bytes`], are under way at any time; the next is refused.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError as LibraryError};
use openraft::{Raft, ReadPolicy};
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::error::{Peer, RaftError};
use crate::freshness::Freshness;
use crate::log::disk::LogDisk;
use crate::member::{Member, Members};
use crate::network::{Links, MAX_PROPOSAL_BYTES, PeerNetwork};
use crate::state::{StateAdapter, StateMachine};
use crate::types::{Proposal, Types, Waiter};
use crate::workers::Pace;

mod gate;
mod group;
mod health;
mod keeper;
mod settings;
mod start;
#[cfg(test)]
mod tests;
mod watcher;

pub(crate) use gate::{Gate, Place};
pub use group::PeerProgress;
pub(crate) use group::announced;
pub(crate) use health::Health;
pub(crate) use settings::check_member;
pub use settings::{Bootstrap, RaftSettings};

pub(crate) type Library<R> = Raft<Types<R>, StateAdapter<R>>;

/// A proposal that was committed and applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied<R> {
    /// Its place in the log.
    pub index: u64,
    /// The term it was proposed in.
    pub term: u64,
    /// What the state machine answered.
    pub reply: R,
}

/// Who leads, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This node, in the given term, and a quorum has lately answered it.
    Leader {
        /// The term.
        term: u64,
    },
    /// Another node, in the given term.
    Follower {
        /// The one that leads.
        leader: Peer,
        /// The term.
        term: u64,
    },
    /// Nobody that this node knows of, or it leads itself and no quorum answers.
    Unknown,
}

/// A running member. Clones are handles to the same one. `R` is the state machine's reply.
pub struct RaftNode<R: Send + Sync + 'static> {
    inner: Arc<Inner<R>>,
}

impl<R: Send + Sync + 'static> Clone for RaftNode<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<R: Send + Sync + 'static> {
    library: Library<R>,
    health: Arc<Health>,
    gate: Arc<Gate>,
    leadership: watch::Receiver<Leadership>,
    members: watch::Receiver<Arc<Members>>,
    /// The newest term whose proposals here nobody should wait for any more.
    given_up: watch::Receiver<u64>,
    freshness: Arc<Freshness>,
    applied: watch::Receiver<u64>,
    links: Option<Arc<Links>>,
    node_id: u64,
    address: String,
    /// How long a change of leader may take.
    change_timeout: Duration,
    home: start::Home,
}

impl<R: Send + Sync + 'static> RaftNode<R> {
    /// Opens the log and the state, brings the state up to what was known committed, and begins what
    /// the [`Bootstrap`] says if the log is new. Blocks until the node is ready: where it is the only
    /// voter, until it leads; where there are others, it may not know of a leader yet.
    pub fn open<SM: StateMachine<Reply = R>>(
        settings: RaftSettings,
        disk: Arc<dyn LogDisk>,
        state: SM,
        clock: Arc<dyn Clock>,
        network: impl PeerNetwork,
    ) -> Result<Self, RaftError> {
        start::start(settings, disk, state, clock, network)
    }

    /// As [`RaftNode::open`], with no thread of its own: all it does is done by tasks of the runtime this is called on, and takes
    /// as long as `pace` says. For simulations: with a runtime of one thread, whose time stands still and whose seed is known,
    /// nothing but that seed and the streams decides what happens.
    pub async fn open_as_tasks<SM: StateMachine<Reply = R>>(
        settings: RaftSettings,
        disk: Arc<dyn LogDisk>,
        state: SM,
        clock: Arc<dyn Clock>,
        network: impl PeerNetwork,
        pace: Arc<dyn Pace>,
    ) -> Result<Self, RaftError> {
        start::start_as_tasks(settings, disk, state, clock, network, pace).await
    }

    /// Proposes a command. Answers once it is durable on a quorum and applied here.
    ///
    /// The proposal is made when the future is first polled; dropping the future later does not
    /// take it back. See [`RaftError::outcome`] for what an error leaves behind.
    pub fn propose(
        &self,
        payload: Bytes,
    ) -> impl Future<Output = Result<Applied<R>, RaftError>> + Send + use<R> {
        let inner = Arc::clone(&self.inner);
        async move {
            if payload.len() > MAX_PROPOSAL_BYTES {
                return Err(RaftError::TooLarge { bytes: payload.len(), limit: MAX_PROPOSAL_BYTES });
            }
            let place = Gate::enter(&inner.gate, payload.len())?;
            let term = inner.check_leading()?;
            let (answer, answered) = oneshot::channel();
            let waiter = Waiter { answer, place: Some(place) };
            let sent = inner.library.client_write_ff(Proposal(payload), Some(waiter)).await;
            sent.map_err(|_| inner.health.failed().unwrap_or(RaftError::Shutdown))?;
            let answer = match term {
                None => answered.await,
                Some(term) => inner.answer_or_loss(term, answered).await?,
            };
            match answer {
                Ok(Ok(written)) => match written.data.0 {
                    Some(reply) => Ok(Applied {
                        index: written.log_id.index(),
                        term: **written.log_id.committed_leader_id(),
                        reply,
                    }),
                    None => Err(RaftError::StateFailed("a command got no reply".to_owned())),
                },
                // Refused before it was appended, and taken back after: the library tells the two apart.
                Ok(Err(ClientWriteError::ForwardToLeader(forward))) => {
                    Err(RaftError::NotLeader { leader: peer(forward.leader_id, forward.leader_node) })
                }
                Ok(Err(ClientWriteError::LogEntryDiscarded(forward))) => {
                    Err(RaftError::LeadershipLost { leader: peer(forward.leader_id, forward.leader_node) })
                }
                Ok(Err(error @ ClientWriteError::ChangeMembershipError(_)))
                | Ok(Err(error @ ClientWriteError::PreconditionFailed(_))) => {
                    Err(RaftError::StateFailed(error.to_string()))
                }
                Err(_) => Err(inner.health.failed().unwrap_or(RaftError::Shutdown)),
            }
        }
    }

    /// The position a linearizable read must have applied, if it is known without asking anyone:
    /// where this node leads and is the only voter, that is what it has applied. `None`: use
    /// [`RaftNode::read_index`].
    pub fn read_index_now(&self) -> Option<u64> {
        // Applied is read first: were leadership lost in between, the position would still be one
        // that was right while it lasted.
        let applied = *self.inner.applied.borrow();
        self.inner.health.is_sole_voter().then_some(applied)
    }

    /// A position such that a read of the local state, once that is applied, is linearizable. Waits
    /// until it is applied.
    pub fn read_index(&self) -> impl Future<Output = Result<u64, RaftError>> + Send + use<R> {
        let now = self.read_index_now();
        let inner = Arc::clone(&self.inner);
        async move {
            if let Some(index) = now {
                return Ok(index);
            }
            match inner.library.ensure_linearizable(ReadPolicy::ReadIndex).await {
                Ok(read) => Ok(read.index()),
                Err(LibraryError::Fatal(_)) => Err(inner.health.failed().unwrap_or(RaftError::Shutdown)),
                Err(LibraryError::APIError(error)) => {
                    let leader = match error {
                        openraft::error::LinearizableReadError::ForwardToLeader(forward) => {
                            peer(forward.leader_id, forward.leader_node)
                        }
                        _ => None,
                    };
                    Err(RaftError::NotLeader { leader })
                }
            }
        }
    }

    /// How long ago the state here certainly held everything that was committed, by this node's own clock; zero on the only
    /// voter. On the leader that is when the newest round began that a quorum has answered. `None`: not since it was opened.
    pub fn confirmed_age(&self) -> Option<Duration> {
        if self.inner.health.is_sole_voter() {
            return Some(Duration::ZERO);
        }
        self.inner.freshness.age()
    }

    /// The newest term this node has heard of. Where it has written something as the leader, that of the write or a later one.
    pub fn term(&self) -> u64 {
        // Asked of the library itself: what is told of leadership may come later than a write's answer.
        self.inner.library.server_metrics().borrow_watched().vote.leader_id.term
    }

    /// Who leads; changes are seen by whoever holds the receiver.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Index of the last applied entry.
    pub fn applied(&self) -> u64 {
        *self.inner.applied.borrow()
    }

    /// Index of the last applied entry, to wait for changes.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.inner.applied.clone()
    }

    /// Why the node takes no more writes, if so. It stays so until the process is restarted.
    pub fn failure(&self) -> Option<RaftError> {
        self.inner.health.failed()
    }

    /// Proposals under way.
    pub fn waiting_proposals(&self) -> usize {
        self.inner.gate.waiting()
    }

    /// Makes the state durable now, and lets the log be purged up to it as far as it may. Answers
    /// before that is done; it goes on in the background.
    pub async fn flush(&self) -> Result<(), RaftError> {
        let triggered = self.inner.library.trigger().snapshot().await;
        triggered.map_err(|_| self.inner.health.failed().unwrap_or(RaftError::Shutdown))
    }

    /// Stops: no more proposals, the state flushed, the log closed. Proposals under way are answered
    /// or fail with [`RaftError::Shutdown`]. Whoever calls, the first time or again, waits until the node has let go of
    /// disk and state, and gets the same answer.
    pub async fn shutdown(&self) -> Result<(), RaftError> {
        self.inner.gate.close();
        self.inner.home.stop().await
    }
}

impl<R: Send + Sync + 'static> Inner<R> {
    /// The term this node leads in; `None` where it is the only voter, and can lose leadership to nobody.
    fn check_leading(&self) -> Result<Option<u64>, RaftError> {
        if let Some(error) = self.health.failed() {
            return Err(error);
        }
        if self.health.is_sole_voter() {
            return Ok(None);
        }
        match &*self.leadership.borrow() {
            Leadership::Leader { term } => Ok(Some(*term)),
            Leadership::Follower { leader, .. } => Err(RaftError::NotLeader { leader: Some(leader.clone()) }),
            Leadership::Unknown => Err(RaftError::NotLeader { leader: None }),
        }
    }

    /// Waits for the library's answer; not for ever after leadership was lost, because a leader without a quorum is told
    /// nothing. The proposal keeps its place in the queue all the same, until the library lets go of it.
    async fn answer_or_loss<T>(
        &self,
        term: u64,
        mut answered: oneshot::Receiver<T>,
    ) -> Result<Result<T, oneshot::error::RecvError>, RaftError> {
        let mut given_up = self.given_up.clone();
        let lost = tokio::select! {
            biased;
            answer = &mut answered => return Ok(answer),
            lost = given_up.wait_for(|lost| *lost >= term) => lost.is_ok(),
        };
        if lost {
            return Err(RaftError::LeadershipLost { leader: self.leader() });
        }
        // The node is stopping: the answer says why.
        Ok(answered.await)
    }

    /// Who leads, if that is another node.
    fn leader(&self) -> Option<Peer> {
        match &*self.leadership.borrow() {
            Leadership::Follower { leader, .. } => Some(leader.clone()),
            Leadership::Leader { .. } | Leadership::Unknown => None,
        }
    }
}

fn peer(id: Option<u64>, member: Option<Member>) -> Option<Peer> {
    Some(Peer { id: id?, address: member?.address })
}
