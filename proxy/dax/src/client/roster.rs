//! The nodes of a cluster, and which of them is asked.
//!
//! The roster is asked of the seeds anew while there are requests, on a connection of its own each time; a cluster nobody
//! asks anything is asked nothing. Nodes keep what was learned of them for as long as they are listed and answer.
//!
//! Reads go to all nodes alike, writes to the leader; a second try goes to another node where there is one. A node that
//! failed again and again is passed over, while others are better, until it answers a check.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api::OpClass;

use super::Wiring;
use super::failure::Failed;
use super::node::{Address, Node};
use super::seed::Seed;
use crate::codec::handshake::{Endpoint, Role};

/// 2^64 by the golden ratio: the high bits of its multiples are spread evenly.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// How long a check of a node may take.
const CHECK_TIME: Duration = Duration::from_secs(1);
/// How often nodes are checked. Every roster is more often than this, so a check goes with every second or so.
const CHECK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Roster {
    wiring: Arc<Wiring>,
    seeds: Vec<Seed>,
    // Held for one look or one change.
    listed: RwLock<Listed>,
    turns: AtomicUsize,
    /// Whether somebody asks the seeds in the background.
    refreshing: AtomicBool,
    /// Held while there are no nodes yet, by who asks for them.
    beginning: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Listed {
    members: Vec<Member>,
    asked_at: Option<Instant>,
    checked_at: Option<Instant>,
}

#[derive(Clone)]
struct Member {
    node: Arc<Node>,
    role: Role,
}

/// Resets the mark of a refresh, also of one that was given up.
struct Refreshing<'r>(&'r AtomicBool);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Roster {
    pub(super) fn new(wiring: Arc<Wiring>, seeds: Vec<Seed>) -> Roster {
        let turns = AtomicUsize::new(wiring.surroundings.random() as usize);
        Roster {
            wiring,
            seeds,
            listed: RwLock::default(),
            turns,
            refreshing: AtomicBool::new(false),
            beginning: tokio::sync::Mutex::new(()),
        }
    }

    /// The node to ask, another than `not` where there is one. Waits only while no node is known.
    pub(super) async fn pick(
        self: &Arc<Self>,
        class: OpClass,
        not: Option<&Arc<Node>>,
    ) -> Result<Arc<Node>, Failed> {
        if let Some(node) = self.choose(class, not) {
            self.refresh_if_due();
            return Ok(node);
        }
        let _beginning = self.beginning.lock().await;
        if self.choose(class, not).is_none() {
            self.refresh().await?;
        }
        self.choose(class, not).ok_or_else(|| Failed::not_sent(&"the cluster lists no node"))
    }

    fn choose(&self, class: OpClass, not: Option<&Arc<Node>>) -> Option<Arc<Node>> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        // Spread, so that no pattern in who asks, as a write before every read, keeps some of them on one node.
        let turn = (self.turns.fetch_add(1, Ordering::Relaxed) as u64).wrapping_mul(SPREAD) >> 32;
        let one_of = |fits: &dyn Fn(&Member) -> bool| {
            let count = listed.members.iter().filter(|member| fits(member)).count();
            let at = (turn as usize).checked_rem(count)?;
            listed.members.iter().filter(|member| fits(member)).nth(at).map(|member| Arc::clone(&member.node))
        };
        let other = |member: &Member| not.is_none_or(|not| !Arc::ptr_eq(not, &member.node));
        let sound = |member: &Member| other(member) && !member.node.is_failing();
        let leads = |member: &Member| class == OpClass::Read || member.role == Role::Leader;
        one_of(&|member| sound(member) && leads(member))
            .or_else(|| one_of(&sound))
            .or_else(|| one_of(&other))
            .or_else(|| one_of(&|_| true))
    }

    /// Has the roster asked for in the background if that is due and nobody does.
    fn refresh_if_due(self: &Arc<Self>) {
        let now = self.wiring.surroundings.monotonic();
        let every = Duration::from_millis(self.wiring.settings.refresh_millis);
        let is_due = {
            let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
            listed.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= every)
        };
        if !is_due || self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let roster = Arc::clone(self);
        // Ends within the times of connecting and checking, which are bounded.
        tokio::spawn(async move {
            let _refreshing = Refreshing(&roster.refreshing);
            if let Err(failed) = roster.refresh().await {
                tracing::debug!(error = %failed.error, "no seed told the roster");
            }
            roster.check_if_due().await;
        });
    }

    /// Asks the seeds, one after the other, until one lists nodes.
    async fn refresh(&self) -> Result<(), Failed> {
        let begin = self.turns.fetch_add(1, Ordering::Relaxed);
        let mut last = Failed::not_sent(&"the cluster lists no node");
        for at in 0..self.seeds.len() {
            let seed = &self.seeds[begin.wrapping_add(at) % self.seeds.len()];
            match self.wiring.endpoints(seed).await {
                Ok(endpoints) if endpoints.is_empty() => {}
                Ok(endpoints) => {
                    self.list(endpoints);
                    return Ok(());
                }
                Err(failed) => last = failed,
            }
        }
        // Not again at once: every request would ask.
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        if !listed.members.is_empty() {
            listed.asked_at = Some(self.wiring.surroundings.monotonic());
        }
        Err(last)
    }

    fn list(&self, endpoints: Vec<Endpoint>) {
        let now = self.wiring.surroundings.monotonic();
        let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
        let known = std::mem::take(&mut listed.members);
        for endpoint in endpoints {
            let address: Address = (endpoint.address, endpoint.port);
            if listed.members.iter().any(|member| member.node.address() == address) {
                continue;
            }
            let same = |member: &&Member| member.node.address() == address;
            let node = match known.iter().find(same) {
                Some(member) => Arc::clone(&member.node),
                None => Arc::new(Node::new(address, Arc::clone(&self.wiring))),
            };
            listed.members.push(Member { node, role: endpoint.role });
        }
        listed.asked_at = Some(now);
    }

    /// Asks every node something, all at a time, if that is due.
    async fn check_if_due(&self) {
        let now = self.wiring.surroundings.monotonic();
        let nodes: Vec<Arc<Node>> = {
            let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
            if listed.checked_at.is_some_and(|at| now.saturating_duration_since(at) < CHECK_EVERY) {
                return;
            }
            listed.checked_at = Some(now);
            listed.members.iter().map(|member| Arc::clone(&member.node)).collect()
        };
        let mut checks = tokio::task::JoinSet::new();
        for node in nodes {
            checks.spawn(async move {
                if tokio::time::timeout(CHECK_TIME, node.endpoints()).await.is_err() {
                    node.failed();
                }
            });
        }
        while checks.join_next().await.is_some() {}
    }
}
