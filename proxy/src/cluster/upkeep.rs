//! What a node of a cluster does by itself: tells its cache how old it is and whoever watches how it stands, tells the group
//! who it is, and as the primary makes voters of nodes that have caught up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use host::admin::Requirement;
use host::metrics::{Registry, names};
use raft::{Leadership, RaftError};
use store::Embedded;

use super::about::About;
use crate::cache::Cache;

/// How often the age of what is served is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the primary looks for nodes that have caught up.
const PROMOTE_EVERY: Duration = Duration::from_millis(500);
/// The pause between two attempts to tell the group.
const TELL_AGAIN: Duration = Duration::from_millis(500);
/// Entries behind the primary that a node may be and yet has caught up.
const CAUGHT_UP: u64 = 1_000;
/// Voters beyond which nodes that join follow without a vote.
const VOTERS_MAX: usize = 5;

/// Follows how the node stands, for ever. `ready` is met while the node knows a primary and is within `max_lag`.
pub async fn follow(
    store: Arc<Embedded>,
    cache: Arc<Cache>,
    max_lag: Duration,
    ready: Requirement,
    registry: Registry,
) {
    let (primary, failovers, age_gauge) = (
        registry.gauge(names::IS_PRIMARY, &[]),
        registry.counter(names::FAILOVERS, &[]),
        registry.gauge(names::REPLICA_AGE, &[]),
    );
    let mut leadership = store.log().leadership();
    let mut last = None;
    loop {
        let (leads, leader) = match &*leadership.borrow_and_update() {
            Leadership::Leader { .. } => (true, Some(store.log().node_id())),
            Leadership::Follower { leader } => (false, Some(leader.id)),
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
        let age = store.log().confirmed_age();
        age_gauge.set(age.map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX)));
        if let Some(age) = age {
            cache.confirm(age);
        }
        match (leader, age) {
            (None, _) => ready.unmet("no primary is known: too few nodes reach one another"),
            (Some(_), Some(age)) if age <= max_lag => ready.met(),
            (Some(_), _) => ready.unmet("this node has not caught up with the primary"),
        }
        // An error is a log that has ended; the pause keeps this from spinning until the node has stopped.
        tokio::select! {
            Ok(()) = leadership.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Keeps the group knowing who this node is, for ever. Not only once: a node that has just come back may know the group as it
/// was before its own farewell, and learns of that only after it has begun.
pub async fn tell(store: Arc<Embedded>, about: About) {
    let text = about.write();
    let mut members = store.log().membership();
    loop {
        let known = {
            let members = members.borrow_and_update();
            members.get(store.log().node_id()).is_some_and(|member| member.about == text)
        };
        if known {
            // An error is a log that has ended.
            if members.changed().await.is_err() {
                return;
            }
            continue;
        }
        if let Err(error) = store.log().set_about(text.clone()).await {
            tracing::debug!(%error, "the group could not be told who this node is; it is tried again");
        }
        tokio::time::sleep(TELL_AGAIN).await;
    }
}

/// As the primary, makes voters of nodes that have joined and caught up, in place of members of the same address, which have
/// lost their data. For ever.
pub async fn promote(store: Arc<Embedded>) {
    let mut looks = tokio::time::interval(PROMOTE_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if !matches!(*store.log().leadership().borrow(), Leadership::Leader { .. }) {
            continue;
        }
        for (node, replaced) in caught_up(&store) {
            let changed = store.log().change_members(BTreeSet::from([node]), replaced.clone()).await;
            match changed {
                Ok(()) => tracing::info!(node, ?replaced, "a node that has caught up is a voter now"),
                Err(RaftError::NotLeader { .. } | RaftError::LeadershipLost { .. }) => break,
                Err(error) => {
                    tracing::warn!(%error, node, "a node that has caught up was not made a voter; it is tried again")
                }
            }
        }
    }
}

/// Learners that may become voters, each with whom it replaces.
fn caught_up(store: &Embedded) -> Vec<(u64, BTreeSet<u64>)> {
    let log = store.log();
    let members = Arc::clone(&log.membership().borrow());
    if members.changing {
        return Vec::new();
    }
    let (progress, applied) = (log.progress(), log.applied());
    let has_caught_up = |node: u64| {
        let matched = progress.get(&node).and_then(|progress| progress.matched);
        matched.is_some_and(|matched| matched.saturating_add(CAUGHT_UP) >= applied)
    };
    let mut found = Vec::new();
    for (&node, member) in members.learners.iter().filter(|(node, _)| has_caught_up(**node)) {
        let replaced: BTreeSet<u64> = members
            .iter()
            .filter(|(other, known)| {
                *other != node && *other != log.node_id() && known.address == member.address
            })
            .map(|(other, _)| other)
            .collect();
        // Numbers only grow: the last that came from an address is the one that is there.
        if replaced.iter().any(|other| *other > node) {
            continue;
        }
        let staying = members.voters.keys().filter(|voter| !replaced.contains(voter)).count();
        if staying < VOTERS_MAX {
            found.push((node, replaced));
        }
    }
    found
}
