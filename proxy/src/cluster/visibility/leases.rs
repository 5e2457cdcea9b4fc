//! The leases that a primary has given.
//!
//! The invariant: whoever holds a lease that still runs has applied every write that was acknowledged, for a write is released
//! only past all that hold one ([`Leases::everywhere`]), and one is given only to whoever has come as far as this node had when it began to be
//! counted. A node is counted from before its lease begins until after it ends.
//!
//! It knows no network and no log: what it must be told is said where it is asked for. Bounded by the connections of those that
//! report, the members, and those that left a moment ago.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use host::clock::Clock;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{GRACE, LEASE};

/// Entries behind the primary within which a node gets a lease. One that is further behind would hold up writes while it catches up.
const CLOSE: u64 = 1_000;
/// How long a node that belongs to the group no more is counted by a new primary: what holds leases is given none once it is removed,
/// and this is a lease, and as much again for who sees the removal late.
const LATELY: Duration = Duration::from_secs(2);
/// A node that holds a lease and has not reached, by now, what the primary had applied so long ago is given no other.
const PATIENCE: Duration = Duration::from_millis(500);

/// How things stand with the primary at the moment it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The term it leads in.
    pub term: u64,
    /// Whether the node that reports belongs to the group.
    pub is_member: bool,
    /// How far it has applied the log.
    pub applied: u64,
    /// How long ago the last round began that a quorum has answered.
    pub age: Duration,
}

/// The table of leases.
pub struct Leases {
    clock: Arc<dyn Clock>,
    // Held for a look or a change.
    table: Mutex<Table>,
    // How far all have come that count, and with the count of terms, so that a new one is seen.
    come: watch::Sender<Come>,
}

/// How far all that count have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Come {
    terms: u64,
    index: u64,
}

#[derive(Default)]
struct Table {
    term: u64,
    terms: u64,
    /// No write of an earlier term is beyond it.
    floor: u64,
    registrations: u64,
    nodes: BTreeMap<u64, Node>,
    members: BTreeSet<u64>,
    /// Who belonged to the group a moment ago, and when that ended. By this node's clock.
    former: BTreeMap<u64, u64>,
    /// Until then somebody may hold a lease of whom nothing is known here. By this node's clock.
    strangers_until: u64,
}

#[derive(Default)]
struct Node {
    registration: u64,
    applied: u64,
    /// Until then it counts. By this node's clock.
    until: u64,
    admitted: Option<Admitted>,
    /// What it must have applied before it is admitted again, where it was too slow once.
    owes: u64,
}

/// A node that counts, and may be given leases.
struct Admitted {
    /// What it must have applied to be given the first.
    from: u64,
    /// What it must have applied by `due` to be given more.
    mark: u64,
    due: u64,
}

/// A node's place in the table, as long as it is the newest of that node. Given back when it is dropped.
pub struct Registration {
    leases: Arc<Leases>,
    node: u64,
    number: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut table = self.leases.table.lock();
        if let Some(node) = table.nodes.get_mut(&self.node).filter(|node| node.registration == self.number) {
            // What it holds runs on, and counts until it has ended.
            node.registration = 0;
        }
        table.forget(self.leases.clock.monotonic_nanos());
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Leases {
    /// None given, by nobody. Whoever was removed from the group before this is not known here, and may hold one.
    pub fn new(clock: Arc<dyn Clock>) -> Leases {
        let strangers_until = clock.monotonic_nanos().saturating_add(nanos(LEASE + GRACE));
        let table = Table { strangers_until, ..Table::default() };
        Leases { clock, table: Mutex::new(table), come: watch::Sender::new(Come::default()) }
    }

    /// Who belongs to the group from now on, this node or not. To be told whether this node leads or not: a new primary counts those
    /// that were removed just before it was elected, the primary that was among them.
    pub fn members(&self, members: impl IntoIterator<Item = u64>) {
        let mut table = self.table.lock();
        let now = self.clock.monotonic_nanos();
        let members = members.into_iter().collect();
        let before = std::mem::replace(&mut table.members, members);
        for gone in before {
            table.former.insert(gone, now);
        }
        let Table { members, former, .. } = &mut *table;
        former.retain(|node, since| !members.contains(node) && now < since.saturating_add(nanos(LATELY)));
    }

    /// The term whose leases these are.
    pub fn term(&self) -> u64 {
        self.table.lock().term
    }

    /// This node is the primary in a new term, and has applied all that was committed before: `floor` is how far that is. Whoever is
    /// a member, or was one lately, may hold a lease of an earlier primary; this node, `own`, needs nobody's word.
    pub fn begin(&self, term: u64, floor: u64, own: u64) {
        let mut table = self.table.lock();
        let now = self.clock.monotonic_nanos();
        if term <= table.term {
            return;
        }
        table.term = term;
        table.terms += 1;
        table.floor = floor;
        let until = now.saturating_add(nanos(LEASE + GRACE));
        let Table { nodes, members, former, .. } = &mut *table;
        let lately = former.iter().filter(|(_, since)| now < since.saturating_add(nanos(LATELY)));
        let counted = members.iter().chain(lately.map(|(node, _)| node)).filter(|node| **node != own);
        for node in counted {
            // What it said in another term it may have forgotten since, with a process that has ended.
            nodes.insert(*node, Node { until, ..Node::default() });
        }
        self.tell(&mut table, now);
    }

    /// A node has come to say how far it is. What an earlier connection of it says is not heard any more.
    pub fn register(self: &Arc<Self>, node: u64) -> Registration {
        let mut table = self.table.lock();
        table.registrations += 1;
        let number = table.registrations;
        let known = table.nodes.entry(node).or_default();
        known.registration = number;
        // Its process may be another by now, which has applied less.
        (known.applied, known.admitted, known.owes) = (0, None, 0);
        Registration { leases: Arc::clone(self), node, number }
    }

    /// A node has applied the log so far. Answers how long it may answer from memory, counted from when it said so: nothing, where it has
    /// to come closer first. `None`: this is not its primary, or it is to register again.
    ///
    /// `here` is asked under the table's lock, as the clock is: a write that was released because the node did not count was
    /// released under it before, and so is applied, and past the end of what the node held, by what is read here.
    pub fn report(
        &self,
        by: &Registration,
        applied: u64,
        here: impl FnOnce() -> Standing,
    ) -> Option<Duration> {
        let mut table = self.table.lock();
        let (now, here) = (self.clock.monotonic_nanos(), here());
        let floor = table.floor;
        if table.term != here.term || !here.is_member {
            return None;
        }
        let node = table.nodes.get_mut(&by.node).filter(|node| node.registration == by.number)?;
        node.applied = applied;
        let given = node.admit(applied, floor, here, now);
        self.tell(&mut table, now);
        Some(given)
    }

    /// Waits until no node answers from memory what was before this index, which is applied here. `term` is the one that this node leads in, as
    /// far as it knows, or has heard of since.
    pub async fn everywhere(&self, index: u64, term: impl Fn() -> u64) {
        // No lease that does not know of this index runs longer, whoever gave it.
        let end = self.clock.monotonic_nanos().saturating_add(nanos(LEASE + GRACE));
        let mut come = self.come.subscribe();
        loop {
            come.borrow_and_update();
            let now = self.clock.monotonic_nanos();
            let until = {
                let mut table = self.table.lock();
                match table.term == term() {
                    true => match table.behind(index, now) {
                        Some(until) => until,
                        None => return,
                    },
                    false if now < end => end,
                    false => return,
                }
            };
            // An error: the table is here, so that is never.
            let _ = tokio::time::timeout(Duration::from_nanos(until.saturating_sub(now) + 1), come.changed())
                .await;
        }
    }

    /// Nodes that count, with how far each has come.
    #[cfg(test)]
    fn counted(&self) -> Vec<(u64, u64)> {
        let now = self.clock.monotonic_nanos();
        let table = self.table.lock();
        table
            .nodes
            .iter()
            .filter(|(_, node)| node.until > now)
            .map(|(id, node)| (*id, node.applied))
            .collect()
    }

    fn tell(&self, table: &mut Table, now: u64) {
        let counted = table.nodes.values().filter(|node| node.until > now);
        let index = counted.map(|node| node.applied).min().unwrap_or(u64::MAX);
        let come = Come { terms: table.terms, index };
        self.come.send_if_modified(|told| std::mem::replace(told, come) != come);
    }
}

impl Table {
    /// Forgets whoever counts no more and is not here either.
    fn forget(&mut self, now: u64) {
        self.nodes.retain(|_, node| node.until > now || node.registration > 0);
    }

    /// Until when somebody may answer who has not come so far.
    fn behind(&mut self, index: u64, now: u64) -> Option<u64> {
        self.forget(now);
        self.nodes
            .values()
            .filter(|node| node.applied < index && node.until > now)
            .map(|node| node.until)
            .chain((self.strangers_until > now).then_some(self.strangers_until))
            .max()
    }
}

impl Node {
    /// How long the node may answer, having come so far.
    fn admit(&mut self, applied: u64, floor: u64, here: Standing, now: u64) -> Duration {
        if let Some(admitted) = &self.admitted {
            if admitted.is_late(applied, now) {
                // It counts as long as what it has runs, and then no more until it has done what it was too slow for.
                self.owes = admitted.mark;
                self.admitted = None;
            } else if self.until <= now {
                self.admitted = None;
            }
        }
        let is_close = applied >= self.owes && applied.saturating_add(CLOSE) >= here.applied;
        let admitted = match &mut self.admitted {
            Some(admitted) => admitted,
            None if !is_close => return Duration::ZERO,
            none => none.insert(Admitted {
                // From now on writes wait for it; what was released before is no further than this.
                from: here.applied.max(floor),
                mark: here.applied,
                due: now.saturating_add(nanos(PATIENCE)),
            }),
        };
        if applied >= admitted.mark {
            (admitted.mark, admitted.due) = (here.applied, now.saturating_add(nanos(PATIENCE)));
        }
        self.until = now.saturating_add(nanos(LEASE + GRACE));
        match applied >= admitted.from {
            true => LEASE.saturating_sub(here.age),
            false => Duration::ZERO,
        }
    }
}

impl Admitted {
    fn is_late(&self, applied: u64, now: u64) -> bool {
        applied < self.mark && now > self.due
    }
}
