//! What a node of a cluster does by itself: tells its cache how old it is and whoever watches how it stands, tells the group
//! who it is, and as the primary makes voters of nodes that have caught up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use host::admin::Requirement;
use host::metrics::{Registry, names};
use raft::{Leadership, Member, Members, PeerProgress, RaftError};
use store::Embedded;

use super::about::About;
use super::troubles::Trouble;
use crate::cache::Cache;

/// What a node says that was removed and runs on.
const REMOVED: &str = "this node was removed from the cluster: stop it and delete its data; it can come back only with an empty \
                       directory, as another member";
/// What a node says that others do not tell clients of.
const UNTOLD: &str =
    "the cluster does not know yet where clients reach this node, or has heard that it is about to stop";
/// How often the age of what is served is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the primary looks for nodes that have caught up.
const PROMOTE_EVERY: Duration = Duration::from_millis(500);
/// The pause between two attempts to tell the group.
const TELL_AGAIN: Duration = Duration::from_millis(500);
/// Entries behind the primary that a node may be and yet has caught up.
const CAUGHT_UP: u64 = 1_000;
/// A node that has not been heard for so long gets no vote.
const HEARD: Duration = Duration::from_secs(1);
/// How many voters there may be, the most first.
const VOTERS: [usize; 3] = [5, 3, 1];

/// What is known of the node's place among the others besides what the log says.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Whether the primary says that it is no member any more.
    pub removed: bool,
    /// Whether the group does not know yet who it is, or knows it as it was before.
    pub untold: bool,
    /// Whom it could not reach of late.
    pub unreached: Vec<Trouble>,
}

/// Follows how the node stands, for ever. `ready` is met while the node knows a primary, is within `max_lag`, and is known itself.
pub async fn follow(
    store: Arc<Embedded>,
    cache: Arc<Cache>,
    max_lag: Duration,
    ready: Requirement,
    registry: Registry,
) {
    follow_knowing(store, cache, max_lag, ready, registry, Known::default).await;
}

/// The same, with what else is known when it is asked for.
pub async fn follow_knowing(
    store: Arc<Embedded>,
    cache: Arc<Cache>,
    max_lag: Duration,
    ready: Requirement,
    registry: Registry,
    known: impl Fn() -> Known,
) {
    let mut told_removed = false;
    let (primary, failovers, age_gauge) = (
        registry.gauge(names::IS_PRIMARY, &[]),
        registry.counter(names::FAILOVERS, &[]),
        registry.gauge(names::REPLICA_LAG_MILLIS, &[]),
    );
    let mut leadership = store.log().leadership();
    let mut last = None;
    loop {
        let (leads, leader) = match &*leadership.borrow_and_update() {
            Leadership::Leader { .. } => (true, Some(store.log().node_id())),
            Leadership::Follower { leader, .. } => (false, Some(leader.id)),
            Leadership::Unknown => (false, None),
        };
        primary.set(i64::from(leads));
        if leader.is_some() && leader != last {
            if let Some(before) = last {
                failovers.increment();
                tracing::info!(before, now = leader, "another node is the primary");
            }
            last = leader;
        }
        let age = cache.confirm(|| store.log().confirmed_age());
        age_gauge.set(age.map_or(-1, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
        let replaces = replaced(&store.log().membership().borrow(), store.log().node_id());
        let Known { removed, untold, unreached } = known();
        if removed && !told_removed {
            tracing::error!("{REMOVED}");
        }
        told_removed = removed;
        let failed = store.log().failure().zip(store.ready().err());
        match (failed, replaces, leader, age) {
            _ if removed => ready.unmet(REMOVED),
            (Some((failure, error)), ..) => has_failed(&ready, &failure, &error.message),
            // Until it has that member's vote, the loss of one more node is the loss of the majority.
            (None, Some(other), ..) => {
                ready.unmet(format!("this node has not yet taken the place of member {other}"))
            }
            (None, None, None, _) => ready
                .unmet(format!("no primary is known: too few nodes reach one another{}", listed(&unreached))),
            (None, None, Some(_), Some(age)) if age <= max_lag => match untold {
                false => ready.met(),
                // Nobody tells clients of it: to stop the next node now would leave them with one less than there are.
                true => ready.unmet(UNTOLD),
            },
            (None, None, Some(_), _) => {
                ready.unmet(format!("this node has not caught up with the primary{}", listed(&unreached)))
            }
        }
        // An error is a log that has ended; the pause keeps this from spinning until the node has stopped.
        tokio::select! {
            Ok(()) = leadership.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// A node whose store has failed hears of nobody any more, whoever there is. Where a restart may mend that, whoever watches over the
/// process is told so. What is damaged or too new would be met again, or worse, be served.
fn has_failed(ready: &Requirement, failure: &RaftError, why: &str) {
    match failure {
        RaftError::DiskFailed(_) | RaftError::StateFailed(_) => ready.lost(why),
        _ => ready.unmet(why),
    }
}

fn listed(troubles: &[Trouble]) -> String {
    troubles.iter().map(|Trouble { address, why }| format!("; {address}: {why}")).collect()
}

/// The member whose place a node is about to take.
fn replaced(members: &Members, own: u64) -> Option<u64> {
    let address = &members.get(own)?.address;
    members.iter().find(|(id, member)| *id < own && member.address == *address).map(|(id, _)| id)
}

/// Keeps the group knowing who this node is, for ever. Not only once: a node that has just come back may know the group as it
/// was before its own farewell, and learns of that only after it has begun.
pub async fn tell(store: Arc<Embedded>, about: About) {
    let text = about.write();
    let (mut members, mut leadership) = (store.log().membership(), store.log().leadership());
    loop {
        members.borrow_and_update();
        leadership.borrow_and_update();
        // Does nothing where it is known already.
        let Err(error) = store.log().set_about(text.clone()).await else {
            // An error is a log that has ended.
            if members.changed().await.is_err() {
                return;
            }
            continue;
        };
        tracing::debug!(%error, "the group could not be told who this node is; it is tried again");
        tokio::select! {
            // Who has just come to be the primary can be told.
            Ok(()) = leadership.changed() => {}
            () = tokio::time::sleep(TELL_AGAIN) => {}
        }
    }
}

/// As the primary, makes voters of nodes that have joined and caught up, as [`next_change`] says. For ever.
pub async fn promote(store: Arc<Embedded>) {
    let mut looks = tokio::time::interval(PROMOTE_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let log = store.log();
        if !matches!(*log.leadership().borrow(), Leadership::Leader { .. }) {
            continue;
        }
        let members = Arc::clone(&log.membership().borrow());
        let Some(Change { promote, remove }) =
            next_change(&members, log.node_id(), &log.progress(), log.applied())
        else {
            continue;
        };
        match log.change_members(promote.clone(), remove.clone()).await {
            Ok(()) => tracing::info!(?promote, ?remove, "nodes that have caught up are voters now"),
            Err(RaftError::NotLeader { .. } | RaftError::LeadershipLost { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, ?promote, ?remove, "the members could not be changed; it is tried again");
            }
        }
    }
}

/// A change of members.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    promote: BTreeSet<u64>,
    remove: BTreeSet<u64>,
}

/// What is to be done about nodes that have joined, if anything.
///
/// A node that has lost its data and caught up again under another number takes the place of the member of its address. Besides,
/// there are to be three voters or five, since an even number survives the loss of no more nodes than the odd one below: so a
/// fourth node follows without a vote until there is a fifth. Whose votes they are, [`chosen`] says.
fn next_change(
    members: &Members,
    own: u64,
    progress: &BTreeMap<u64, PeerProgress>,
    applied: u64,
) -> Option<Change> {
    if members.changing {
        return None;
    }
    let is_ready = |node: u64| {
        let Some(progress) = progress.get(&node) else { return false };
        progress.heard.is_some_and(|heard| heard < HEARD)
            && progress.matched.is_some_and(|matched| matched.saturating_add(CAUGHT_UP) >= applied)
    };
    let (mut remove, mut candidates) = (BTreeSet::new(), BTreeSet::new());
    for (&node, member) in members.learners.iter().filter(|(node, _)| is_ready(**node)) {
        let of_its_address = || {
            let others =
                members.iter().filter(|(other, known)| *other != node && known.address == member.address);
            others.map(|(other, _)| other)
        };
        // Numbers only grow: the last that came from an address is the one that is there.
        if of_its_address().all(|other| other < node && other != own) {
            candidates.insert(node);
            remove.extend(of_its_address());
        }
    }
    let staying: Vec<&Member> = members
        .voters
        .iter()
        .filter(|(voter, _)| !remove.contains(voter))
        .map(|(_, member)| member)
        .collect();
    let wanted = VOTERS.into_iter().find(|voters| *voters <= staying.len() + candidates.len()).unwrap_or(0);
    let promote = chosen(members, staying, candidates, wanted);
    let change = Change { promote, remove };
    (!change.promote.is_empty() || !change.remove.is_empty()).then_some(change)
}

/// Which of those that could vote are to, until there are `wanted` voters: first whoever comes in the place of a voter, which
/// leaves the votes in the zones where they were; of the others whoever is of the zone with the fewest.
fn chosen<'a>(
    members: &'a Members,
    mut voters: Vec<&'a Member>,
    mut candidates: BTreeSet<u64>,
    wanted: usize,
) -> BTreeSet<u64> {
    let zone = |member: &Member| About::read(&member.about).map(|about| about.zone).unwrap_or_default();
    let mut chosen = BTreeSet::new();
    while voters.len() < wanted {
        let next = candidates.iter().filter_map(|node| Some((*node, members.get(*node)?))).min_by_key(
            |(_, member)| {
                let succeeds = members.voters.values().any(|voter| voter.address == member.address);
                let of_its_zone = voters.iter().filter(|voter| zone(voter) == zone(member)).count();
                (!succeeds, of_its_zone)
            },
        );
        let Some((node, member)) = next else { break };
        candidates.remove(&node);
        chosen.insert(node);
        voters.push(member);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use host::admin::Readiness;

    use super::*;

    fn members(voters: &[(u64, &str)], learners: &[(u64, &str)]) -> Members {
        let named = |of: &[(u64, &str)]| {
            of.iter().map(|(node, address)| (*node, Member::new((*address).to_owned()))).collect()
        };
        Members { voters: named(voters), learners: named(learners), ..Members::default() }
    }

    fn following(of: &[(u64, u64)]) -> BTreeMap<u64, PeerProgress> {
        let progress = |matched| PeerProgress {
            matched: Some(matched),
            heard: Some(Duration::ZERO),
            ..PeerProgress::default()
        };
        of.iter().map(|(node, matched)| (*node, progress(*matched))).collect()
    }

    fn change(promote: &[u64], remove: &[u64]) -> Option<Change> {
        Some(Change { promote: promote.iter().copied().collect(), remove: remove.iter().copied().collect() })
    }

    const THREE: &[(u64, &str)] = &[(1, "a:1"), (2, "b:1"), (3, "c:1")];

    #[test]
    fn a_fourth_node_has_no_vote_until_there_is_a_fifth() {
        let four = members(THREE, &[(20, "d:1")]);
        assert_eq!(next_change(&four, 1, &following(&[(20, 9_000)]), 9_000), None);
        let five = members(THREE, &[(20, "d:1"), (21, "e:1")]);
        assert_eq!(next_change(&five, 1, &following(&[(20, 9_000)]), 9_000), None, "21 is not heard");
        let both = following(&[(20, 9_000), (21, 8_500)]);
        assert_eq!(next_change(&five, 1, &both, 9_000), change(&[20, 21], &[]));
        assert_eq!(next_change(&five, 1, &both, 90_000), None, "they are far behind");
        // A sixth and a seventh change nothing.
        let more: Vec<_> = THREE.iter().copied().chain([(20, "d:1"), (21, "e:1")]).collect();
        let seven = members(&more, &[(30, "f:1"), (31, "g:1")]);
        assert_eq!(next_change(&seven, 1, &following(&[(30, 9), (31, 9)]), 9), None);
        // One that waits takes the place of a voter that was removed.
        let two = members(&THREE[..2], &[(20, "d:1")]);
        assert_eq!(next_change(&two, 1, &following(&[(20, 9)]), 9), change(&[20], &[]));
    }

    #[test]
    fn a_node_that_comes_back_empty_takes_its_own_place_once_it_has_caught_up() {
        let lost = members(THREE, &[(20, "c:1")]);
        assert_eq!(next_change(&lost, 1, &following(&[(20, 9)]), 9), change(&[20], &[3]));
        assert_eq!(next_change(&lost, 1, &following(&[(20, 9)]), 9_000), None);
        // Twice lost: the last one counts.
        let twice = members(THREE, &[(20, "c:1"), (25, "c:1")]);
        assert_eq!(next_change(&twice, 1, &following(&[(20, 9)]), 9), None);
        assert_eq!(next_change(&twice, 1, &following(&[(25, 9)]), 9), change(&[25], &[3, 20]));
        // The same of one that had no vote.
        let learner = members(THREE, &[(20, "d:1"), (25, "d:1")]);
        assert_eq!(next_change(&learner, 1, &following(&[(25, 9)]), 9), change(&[], &[20]));
        // While a change is under way, nothing else is begun.
        let changing = Members { changing: true, ..lost };
        assert_eq!(next_change(&changing, 1, &following(&[(20, 9)]), 9), None);
    }

    #[test]
    fn a_failed_disk_is_named_and_asks_for_a_restart_and_damaged_data_does_not() {
        let readiness = Readiness::new();
        let ready = readiness.require("cluster", "no primary is known");
        for (failure, restarts) in [
            (RaftError::DiskFailed("no space".to_owned()), true),
            (RaftError::Corrupt("another state".to_owned()), false),
        ] {
            has_failed(&ready, &failure, "the reason");
            assert_eq!(readiness.reasons(), [("cluster".to_owned(), "the reason".to_owned())]);
            assert_eq!(readiness.losses().len(), usize::from(restarts), "{failure}");
        }
    }

    #[test]
    fn a_vote_stays_in_its_zone_where_another_node_waits_for_one() {
        let of_zones = |of: &[(u64, &str, &str)]| -> BTreeMap<u64, Member> {
            let member = |address: &str, zone: &str| Member {
                address: address.to_owned(),
                about: About { zone: zone.to_owned(), ..About::default() }.write(),
            };
            of.iter().map(|(node, address, zone)| (*node, member(address, zone))).collect()
        };
        let voters = of_zones(&[(1, "a:1", "a"), (2, "b:1", "b"), (3, "c:1", "c")]);
        let learners = of_zones(&[(20, "d:1", "a"), (25, "c:1", "c")]);
        let lost = Members { voters: voters.clone(), learners, ..Members::default() };
        let ready = following(&[(20, 9), (25, 9)]);
        assert_eq!(next_change(&lost, 1, &ready, 9), change(&[25], &[3]), "the vote goes to its successor");
        // Removed by hand, it has no successor by its address; its zone has none that votes.
        let voters = voters.into_iter().filter(|(node, _)| *node != 3).collect();
        let learners = of_zones(&[(20, "d:1", "a"), (25, "e:1", "c")]);
        let removed = Members { voters, learners, ..Members::default() };
        assert_eq!(next_change(&removed, 1, &ready, 9), change(&[25], &[]), "the vote goes to its zone");
    }
}
