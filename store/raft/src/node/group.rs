//! What is asked of the group: who belongs, who leads, what is known about a member.
//!
//! A change is made on the node's own thread, so that it comes to its end though whoever asked has stopped waiting: a change of
//! voters has two steps, and between them both sets must agree to everything.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError as LibraryError};
use openraft::{ChangeMembers, Instant};
use tokio::sync::watch;

use super::settings::check_member;
use super::{Leadership, Library, RaftNode, peer};
use crate::error::RaftError;
use crate::member::{Member, Members};
use crate::types::{StoredMembership, Types};

/// How long who says who it is waits for another change of members: a leader needs two seconds to end one that the leader before it
/// left in the middle. Less than the answer may take.
const OTHER_CHANGE_WAIT: Duration = Duration::from_secs(3);

/// How far a member has followed, as its leader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerProgress {
    /// Index of the last entry it is known to have on its disk.
    pub matched: Option<u64>,
    /// How long ago a message left that it has answered.
    pub heard: Option<Duration>,
    /// What its program can do, as it last said: its [`RaftSettings::supports`](super::RaftSettings::supports).
    pub supports: Option<u32>,
}

#[cfg(test)]
mod tests;

type Change = ChangeMembers<u64, Member>;

impl<R: Send + Sync + 'static> RaftNode<R> {
    /// Who belongs to the group; changes are seen by whoever holds the receiver.
    pub fn membership(&self) -> watch::Receiver<Arc<Members>> {
        self.inner.members.clone()
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.inner.node_id
    }

    /// Whether the group has agreed that this node is reached where it is now and on what is known about it, and nothing newer says
    /// otherwise. Not in doubt while something else of the members changes.
    pub fn is_known_as(&self, about: &str) -> bool {
        let metrics = self.inner.library.server_metrics();
        let metrics = metrics.borrow_watched();
        [&metrics.committed_membership_config, &metrics.membership_config].into_iter().all(|members| {
            let own = members.membership().get_node(&self.inner.node_id);
            own.is_some_and(|own| own.address == self.inner.address && own.about == about)
        })
    }

    /// Whether this node belongs to a group: it has begun one, or was told of one.
    pub fn is_initialized(&self) -> bool {
        self.inner.members.borrow().index.is_some()
    }

    /// How far the others have followed; empty where this node does not lead.
    pub fn progress(&self) -> BTreeMap<u64, PeerProgress> {
        let metrics = self.inner.library.data_metrics();
        let metrics = metrics.borrow_watched();
        let mut progress: BTreeMap<u64, PeerProgress> = BTreeMap::new();
        for (id, matched) in metrics.replication.iter().flatten() {
            progress.entry(*id).or_default().matched = matched.as_ref().map(|id| id.index());
        }
        for (id, at) in metrics.heartbeat.iter().flatten() {
            progress.entry(*id).or_default().heard = at.as_ref().map(|at| at.elapsed());
        }
        progress.remove(&self.inner.node_id);
        if let Some(links) = &self.inner.links {
            progress.iter_mut().for_each(|(id, progress)| progress.supports = links.supports(*id));
        }
        progress
    }

    /// Adds a member that follows and does not vote. Answers once the group knows; [`RaftNode::progress`] tells how far it has
    /// come. One that belongs already stays as it is. Only on the leader.
    pub async fn add_learner(&self, id: u64, member: Member) -> Result<(), RaftError> {
        check_member(&member)?;
        self.change(ChangeMembers::AddNodes(BTreeMap::from([(id, member)]))).await
    }

    /// Makes a learner a voter. It should have caught up: until it has, it counts, and can't help. Only on the leader.
    pub async fn promote(&self, id: u64) -> Result<(), RaftError> {
        self.change_members(BTreeSet::from([id]), BTreeSet::new()).await
    }

    /// Removes a member, voter or learner. A leader that removes itself leads no more, and is told nothing of what comes after. Its id must never come back: a
    /// node that has forgotten its vote is another node. Only on the leader.
    pub async fn remove(&self, id: u64) -> Result<(), RaftError> {
        self.change_members(BTreeSet::new(), BTreeSet::from([id])).await
    }

    /// Makes learners voters and removes members, both in one step. Answers once that is committed; a change that was begun
    /// comes to its end whether or not anybody waits. Only on the leader.
    pub async fn change_members(
        &self,
        promote: BTreeSet<u64>,
        remove: BTreeSet<u64>,
    ) -> Result<(), RaftError> {
        let members = Arc::clone(&self.inner.members.borrow());
        let unknown = promote.iter().chain(&remove).find(|id| members.get(**id).is_none());
        if let Some(id) = unknown {
            return Err(RaftError::Membership(format!("there is no member {id}; add it as a learner first")));
        }
        let (voters, learners): (BTreeSet<u64>, BTreeSet<u64>) =
            remove.iter().partition(|id| members.voters.contains_key(id));
        let mut changes = Vec::new();
        if !promote.is_empty() {
            changes.push(ChangeMembers::AddVoterIds(promote));
        }
        if !voters.is_empty() {
            changes.push(ChangeMembers::RemoveVoters(voters));
        }
        if !learners.is_empty() {
            changes.push(ChangeMembers::RemoveNodes(learners));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.change(ChangeMembers::Batch(changes)).await
    }

    /// Hands leadership to another voter, and waits until it leads. Proposals meanwhile are refused as
    /// [`RaftError::NotLeader`]; those under way before are answered. Only on the leader.
    pub async fn transfer_leadership(&self, to: u64) -> Result<(), RaftError> {
        self.inner.check_leading()?;
        if to == self.inner.node_id {
            return Ok(());
        }
        if !self.inner.members.borrow().voters.contains_key(&to) {
            return Err(RaftError::Membership(format!("node {to} is no voter, so it can't lead")));
        }
        let (library, mut leadership) = (self.inner.library.clone(), self.leadership());
        let timeout = self.inner.change_timeout;
        self.on_thread(async move {
            library.trigger().transfer_leader(to).await.map_err(|_| RaftError::Shutdown)?;
            let leads = leadership
                .wait_for(|now| matches!(now, Leadership::Follower { leader, .. } if leader.id == to));
            match tokio::time::timeout(timeout, leads).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) => Err(RaftError::Shutdown),
                Err(_) => Err(RaftError::Unfinished(format!(
                    "node {to} did not take leadership over within {timeout:?}"
                ))),
            }
        })
        .await
    }

    /// Tells the group where this node is reached now and what is to be known about it, through whoever leads. Answers once that
    /// is committed.
    pub async fn set_about(&self, about: String) -> Result<(), RaftError> {
        let member = Member { address: self.inner.address.clone(), about };
        check_member(&member)?;
        let id = self.inner.node_id;
        if self.inner.members.borrow().get(id) == Some(&member) {
            return Ok(());
        }
        let Some(leader) = self.inner.leader() else {
            self.inner.check_leading()?;
            let library = self.inner.library.clone();
            return self.on_thread(async move { announced(&library, id, member).await }).await;
        };
        let Some(links) = self.inner.links.clone() else {
            return Err(RaftError::NotLeader { leader: Some(leader) });
        };
        self.on_thread(async move {
            let answer = crate::network::announce(&links, leader.id, &leader.address, member).await;
            answer.map_err(|status| RaftError::Unfinished(format!("the leader said: {}", status.message())))
        })
        .await
    }

    async fn change(&self, change: Change) -> Result<(), RaftError> {
        self.inner.check_leading()?;
        let library = self.inner.library.clone();
        self.on_thread(async move {
            match changed(library.change_membership(change, false).await) {
                // Of its two steps the first may have been made. To call that not taken would have it asked for again.
                Err(RaftError::NotLeader { .. })
                    if is_joint(&library.server_metrics().borrow_watched().membership_config) => Err(RaftError::Unfinished(
                    "leadership moved while the voters were being changed: whoever leads now ends that; look at the members before you \
                     ask again"
                        .to_owned(),
                )),
                done => done,
            }
        })
        .await
    }

    /// Runs to its end on the node's thread, or until the node stops.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RaftError>> + Send + 'static,
    ) -> Result<T, RaftError> {
        match self.inner.home.spawn(work).await {
            Ok(done) => done,
            Err(_) => Err(self.inner.health.failed().unwrap_or(RaftError::Shutdown)),
        }
    }
}

/// A member says who it is. Only on the leader. Waits for another change of members to end, the second step of one of voters
/// too: said between the two, this would be that step, and leave whoever was to go as a learner.
pub(crate) async fn announced<R: Send + Sync + 'static>(
    library: &Library<R>,
    id: u64,
    member: Member,
) -> Result<(), RaftError> {
    check_member(&member)?;
    let mut metrics = library.server_metrics();
    let last = tokio::time::Instant::now() + OTHER_CHANGE_WAIT;
    loop {
        let (may, known) = {
            let now = metrics.borrow_watched();
            let settled =
                now.membership_config == now.committed_membership_config && !is_joint(&now.membership_config);
            // Who does not lead is told by the library who does.
            let may = settled || now.current_leader != Some(now.id);
            (may, now.membership_config.membership().get_node(&id).cloned())
        };
        match known {
            None => {
                return Err(RaftError::Membership(format!("node {id} does not belong to this group")));
            }
            Some(known) if may && known == member => return Ok(()),
            Some(_) if may => {
                let change = ChangeMembers::SetNodes(BTreeMap::from([(id, member.clone())]));
                match library.change_membership(change, true).await {
                    // Another one was sooner.
                    Err(LibraryError::APIError(ClientWriteError::ChangeMembershipError(
                        ChangeMembershipError::InProgress(_),
                    ))) => {}
                    done => return changed(done),
                }
            }
            Some(_) => {}
        }
        match tokio::time::timeout_at(last, metrics.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(RaftError::Shutdown),
            Err(_) => {
                return Err(RaftError::Membership(format!(
                    "another change of members was under way for {OTHER_CHANGE_WAIT:?}; try again"
                )));
            }
        }
    }
}

/// Whether a change of voters is between its two steps.
pub(super) fn is_joint(members: &StoredMembership) -> bool {
    members.membership().get_joint_config().len() > 1
}

/// Ends a change of voters that was left in the middle, by a leader that is gone.
pub(super) async fn settle<R: Send + Sync + 'static>(library: &Library<R>) -> Result<(), RaftError> {
    changed(library.change_membership(ChangeMembers::AddVoterIds(BTreeSet::new()), false).await)
}

fn changed<T, R: Send + Sync + 'static>(
    result: Result<T, LibraryError<Types<R>, ClientWriteError<Types<R>>>>,
) -> Result<(), RaftError> {
    match result {
        Ok(_) => Ok(()),
        Err(LibraryError::Fatal(error)) => Err(RaftError::StateFailed(error.to_string())),
        Err(LibraryError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Err(RaftError::NotLeader { leader: peer(forward.leader_id, forward.leader_node) })
        }
        Err(LibraryError::APIError(ClientWriteError::LogEntryDiscarded(forward))) => {
            Err(RaftError::LeadershipLost { leader: peer(forward.leader_id, forward.leader_node) })
        }
        Err(LibraryError::APIError(
            error @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_)),
        )) => Err(RaftError::Membership(error.to_string())),
    }
}
