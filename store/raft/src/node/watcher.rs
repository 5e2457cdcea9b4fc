//! Looks at the Raft library and says what became of it: who leads, who belongs, how fresh the state is.
//!
//! Invariant: whoever is told that this node leads was told so while a quorum had answered it within the last
//! [`election_max_millis`](super::RaftSettings::election_max_millis), or while it is the only voter. The library takes no
//! proposal where that is not so.

use std::sync::Arc;
use std::time::Duration;

use openraft::alias::WatchReceiverOf;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use openraft::metrics::RaftMetrics;
use openraft::{Instant as _, ServerState};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Health, Leadership, Library, RaftSettings};
use crate::error::{Peer, RaftError};
use crate::freshness::{Freshness, Round};
use crate::member::Members;
use crate::network::Links;
use crate::types::{LogId, Types};

/// How often a new leader looks whether a quorum has answered it.
const NEW_LEADER_PERIOD: Duration = Duration::from_millis(2);

/// What it tells whom.
pub(super) struct Told {
    pub(super) leadership: watch::Sender<Leadership>,
    pub(super) members: watch::Sender<Arc<Members>>,
    pub(super) given_up: watch::Sender<u64>,
}

pub(super) struct Watcher<R: Send + Sync + 'static> {
    pub(super) library: Library<R>,
    pub(super) health: Arc<Health>,
    pub(super) freshness: Arc<Freshness>,
    pub(super) applied: watch::Receiver<u64>,
    /// How long a leader is one without a quorum's answer, and how long its proposals are waited for after.
    pub(super) patience: Duration,
    /// Between two looks, where there are peers.
    pub(super) period: Option<Duration>,
    /// The way to the peers, where there are any.
    pub(super) links: Option<Arc<Links>>,
}

/// Leading, as the library has it.
struct Leading {
    term: u64,
    /// Whether the state here has held, since it leads, all that others had committed before.
    caught_up: bool,
    /// Whether it was told.
    told: bool,
}

impl<R: Send + Sync + 'static> Watcher<R> {
    pub(super) fn new(
        library: Library<R>,
        settings: &RaftSettings,
        health: Arc<Health>,
        freshness: Arc<Freshness>,
        applied: watch::Receiver<u64>,
        links: Option<Arc<Links>>,
    ) -> Self {
        let patience = Duration::from_millis(settings.election_max_millis);
        let period = links.is_some().then(|| Duration::from_millis((settings.heartbeat_millis / 2).max(1)));
        Self { library, health, freshness, applied, patience, period, links }
    }

    /// Runs until the library stops.
    pub(super) async fn run(self, told: Told) {
        let mut metrics = self.library.server_metrics();
        let all = self.library.metrics();
        let mut leading: Option<Leading> = None;
        // A term that was led and told so, and when that ended.
        let mut lost: Option<(u64, Instant)> = None;
        let mut membership = None;
        loop {
            let (now, term, members) = {
                let metrics = metrics.borrow_and_update();
                let leads =
                    metrics.current_leader == Some(metrics.id) && metrics.state == ServerState::Leader;
                let term = metrics.vote.leader_id.term;
                if !leads || leading.as_ref().is_some_and(|leading| leading.term != term) {
                    leading = None;
                }
                if leads {
                    leading.get_or_insert(Leading { term, caught_up: false, told: false });
                }
                let now = match metrics.current_leader {
                    Some(leader) if leader != metrics.id => metrics
                        .membership_config
                        .membership()
                        .get_node(&leader)
                        .map(|member| Peer { id: leader, address: member.address.clone() }),
                    _ => None,
                };
                let index = metrics.membership_config.log_id().as_ref().map(|id| id.index());
                let members = (membership != Some(index))
                    .then(|| (index, Arc::new(Members::from_library(&metrics.membership_config))));
                (now, term, members)
            };
            if let Some((index, members)) = members {
                membership = Some(index);
                if let Some(links) = &self.links {
                    links.follow(&members);
                }
                told.members.send_replace(members);
            }
            let now = match (now, &mut leading) {
                (Some(leader), _) => Leadership::Follower { leader, term },
                (None, Some(leading)) => {
                    leading.told = self.is_confirmed(&all, leading);
                    if leading.told { Leadership::Leader { term: leading.term } } else { Leadership::Unknown }
                }
                (None, None) => Leadership::Unknown,
            };
            told.tell(now, self.patience, &mut lost);
            let pause = match &leading {
                Some(Leading { told: false, .. }) if self.period.is_some() => Some(NEW_LEADER_PERIOD),
                _ => self.period,
            };
            let changed = match pause {
                None => metrics.changed().await,
                Some(pause) => match tokio::time::timeout(pause, metrics.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => Ok(()),
                },
            };
            if changed.is_err() {
                self.note_why_it_stopped(&all);
                told.leadership.send_replace(Leadership::Unknown);
                return;
            }
        }
    }

    /// A node whose library has stopped by itself has failed, whatever of it. What failed is mostly known already, from where that was.
    fn note_why_it_stopped(&self, metrics: &Metrics<R>) {
        let what = match &metrics.borrow_watched().running_state {
            Err(Fatal::Stopped) => return,
            Err(fatal) => fatal.to_string(),
            // It had no time to say so.
            Ok(()) => "the Raft library panicked".to_owned(),
        };
        self.health.fail(RaftError::StateFailed(what));
    }

    /// Whether a quorum has lately answered this leader, and its state holds what others had committed before it led: who is told
    /// of it reads here what had been acknowledged. The state is as of the quorum's answer once what was committed is applied.
    fn is_confirmed(&self, metrics: &Metrics<R>, leading: &mut Leading) -> bool {
        if self.health.is_sole_voter() {
            return true;
        }
        let stamp = self.freshness.stamp();
        let newest = newest_round(metrics, &self.applied).filter(|(term, _)| *term == leading.term);
        let Some((_, round)) = newest else { return false };
        let applied_end = *self.applied.borrow() + 1;
        self.freshness.claim(stamp, round, applied_end);
        self.freshness.applied(*self.applied.borrow() + 1);
        // Later the state may lag behind for a moment: what was acknowledged since had been applied here.
        leading.caught_up |= applied_end >= round.committed_end;
        leading.caught_up && round.age < self.patience
    }
}

impl Told {
    /// Says who leads. `lost` is a term that was led and told so, and how long its proposals are waited for; that is `patience` more.
    fn tell(&self, now: Leadership, patience: Duration, lost: &mut Option<(u64, Instant)>) {
        // A leader that a quorum answers again, in a term nobody else has ended, is one again: before anybody proposes to it, so
        // that whoever does waits for the answer.
        if let Leadership::Leader { term } = &now
            && *self.given_up.borrow() >= *term
        {
            self.given_up.send_replace(term.saturating_sub(1));
        }
        self.leadership.send_if_modified(|published| {
            let changed = *published != now;
            if changed && let Leadership::Leader { term } = published {
                *lost = Some((*term, Instant::now() + patience));
            }
            *published = now.clone();
            changed
        });
        if let Leadership::Leader { term } = now
            && lost.as_ref().is_some_and(|(lost, _)| *lost == term)
        {
            *lost = None;
        }
        if let Some((term, at)) = *lost
            && Instant::now() >= at
        {
            self.given_up.send_replace(term);
            *lost = None;
        }
    }
}

type Metrics<R> = WatchReceiverOf<Types<R>, RaftMetrics<Types<R>>>;

/// On a leader: its term, and the newest round that a quorum has answered. Nothing before an entry of its own is committed: until
/// then it does not know what is. All of it from one reading of the metrics: a round beside what was committed before it would
/// say too much.
pub(super) fn newest_round<R: Send + Sync + 'static>(
    metrics: &Metrics<R>,
    applied: &watch::Receiver<u64>,
) -> Option<(u64, Round)> {
    let (term, committed, age) = {
        let metrics = metrics.borrow_watched();
        let term = metrics.current_term;
        let leads = metrics.state == ServerState::Leader;
        let own = |id: &LogId| leads && **id.committed_leader_id() == term;
        let committed = metrics.cluster_committed.filter(own)?;
        // Who is a quorum by itself answers at once.
        let alone = metrics.membership_config.membership().voter_ids().eq([metrics.id]);
        let age = if alone { Duration::ZERO } else { metrics.last_quorum_acked.as_ref()?.elapsed() };
        (term, committed.index(), age)
    };
    // The metrics may lag behind what was acknowledged meanwhile, which was applied here before. It matters where the round is now.
    let committed_end = (committed + 1).max(*applied.borrow() + 1);
    Some((term, Round { age, committed_end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leader_that_a_quorum_answers_again_in_its_term_is_waited_for_again() {
        let (leadership, _leadership) = watch::channel(Leadership::Unknown);
        let (members, _members) = watch::channel(Arc::default());
        let (given_up, waits) = watch::channel(0);
        let told = Told { leadership, members, given_up };
        let (patience, mut lost) = (Duration::from_millis(20), None);
        let leads = Leadership::Leader { term: 3 };
        told.tell(leads.clone(), patience, &mut lost);
        told.tell(Leadership::Unknown, patience, &mut lost);
        tokio::time::sleep(patience).await;
        told.tell(Leadership::Unknown, patience, &mut lost);
        assert_eq!(*waits.borrow(), 3, "nobody waits for ever");
        told.tell(leads, patience, &mut lost);
        assert!(*waits.borrow() < 3, "a write that is made now is waited for");
    }
}
