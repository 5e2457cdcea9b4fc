//! How far behind the cluster this node may be: what it owes to writes that it acknowledged before it had them, and how old
//! what it serves may be.
//!
//! **Owed.** A write that another node committed may be acknowledged here before it is applied here. Then the stamps of all it
//! may have changed are raised to its version first, as its change will raise them again (P1). Until this node has
//! applied that version, a read whose stamps stand above what is applied is not to be answered here below them. The
//! highest such version is kept, so that a node that owes nothing pays one load for each request.
//!
//! **Age.** A node of a cluster answers from its cache only while it knows that what it holds is not older than a bound (P7).
//! Whoever knows says so by [`Standing::confirm`]; silence makes it older. By the fine clock, because a coarse one stands
//! still for a moment when a stopped process goes on.
//!
//! **Permission.** Where a write is acknowledged only once no node answers what was before it, a node answers from its cache only
//! while it holds a lease ([`Standing::permit`]). That is asked after something was found, not only before: whoever is stopped in
//! between would else answer, when it goes on, what a write has replaced that did not wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use host::clock::Clock;

/// Whether a node needs a lease to answer from its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseUse {
    /// It needs none.
    None,
    /// It answers nothing without one.
    Required,
}

/// The standing of a node. One that stands alone owes nothing and is of no age.
#[derive(Default)]
pub(super) struct Standing {
    owed: AtomicU64,
    following: OnceLock<Following>,
}

struct Following {
    clock: Arc<dyn Clock>,
    most_nanos: u64,
    // When what is served was certainly all there was, plus one; 0 where that was never so.
    confirmed: AtomicU64,
    // Until when it may answer; `None` where nobody has to allow it.
    permitted: Option<AtomicU64>,
}

impl Standing {
    /// Up to `index` of this log something may be owed. The stamps must have been raised before.
    pub(super) fn owe(&self, index: u64) {
        // Pairs with the acquire in `owes`: whoever sees the index sees the stamps.
        self.owed.fetch_max(index, Ordering::Release);
    }

    /// The highest of what may be owed.
    pub(super) fn owed(&self) -> u64 {
        self.owed.load(Ordering::Acquire)
    }

    /// Whether a node that has applied so much may owe something.
    #[inline]
    pub(super) fn owes(&self, applied: u64) -> bool {
        self.owed.load(Ordering::Acquire) > applied
    }

    /// From now on nothing is served that may be older than `most`, and where there are leases nothing without one.
    pub(super) fn follow(&self, clock: Arc<dyn Clock>, most: Duration, leases: LeaseUse) {
        let most_nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let permitted = match leases {
            LeaseUse::None => None,
            LeaseUse::Required => Some(AtomicU64::new(0)),
        };
        // A second call changes nothing: a node belongs to one cluster for its life.
        let _ = self.following.set(Following { clock, most_nanos, confirmed: AtomicU64::new(0), permitted });
    }

    /// The node holds a lease that began at `from`, by the clock it follows.
    pub(super) fn permit(&self, from: u64, lease: Duration) {
        if let Some(permitted) = self.following.get().and_then(|following| following.permitted.as_ref()) {
            let nanos = u64::try_from(lease.as_nanos()).unwrap_or(u64::MAX);
            // Pairs with the acquire below: what had been applied before the lease was asked for is seen by whoever has it.
            permitted.fetch_max(from.saturating_add(nanos), Ordering::Release);
        }
    }

    /// Whether the node answers nothing without a lease.
    pub(super) fn needs_leases(&self) -> bool {
        self.following.get().is_some_and(|following| following.permitted.is_some())
    }

    /// Whether the node holds a lease, where it needs one.
    #[inline]
    pub(super) fn is_permitted(&self) -> bool {
        let Some(Following { clock, permitted: Some(until), .. }) = self.following.get() else { return true };
        clock.monotonic_nanos() < until.load(Ordering::Acquire)
    }

    /// What is served was all there was so long ago as `age` says, which is asked here: after the clock was read, so that a node
    /// that stands still in between takes what it knows for older than it is, and never for younger.
    pub(super) fn confirm(&self, age: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
        let Some(following) = self.following.get() else { return age() };
        let now = following.clock.monotonic_nanos();
        let age = age()?;
        let at = now.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        following.confirmed.fetch_max(at.saturating_add(1), Ordering::AcqRel);
        Some(age)
    }

    /// How long ago what is served was certainly all there was. `None`: nobody knows.
    pub(super) fn age(&self) -> Option<Duration> {
        let Some(following) = self.following.get() else { return Some(Duration::ZERO) };
        let at = following.confirmed.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_nanos(following.clock.monotonic_nanos().saturating_sub(at)))
    }

    /// Whether that is within the bound.
    #[inline]
    pub(super) fn is_fresh(&self) -> bool {
        let Some(following) = self.following.get() else { return true };
        self.age().is_some_and(|age| age.as_nanos() <= u128::from(following.most_nanos))
            && self.is_permitted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn monotonic_nanos(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn wall_millis(&self) -> u64 {
            0
        }
    }

    #[test]
    fn a_node_is_as_fresh_as_it_was_last_told_and_silence_makes_it_older() {
        let standing = Standing::default();
        assert_eq!((standing.age(), standing.is_fresh()), (Some(Duration::ZERO), true));
        let clock = Arc::new(Hand::default());
        clock.0.store(1_000, Ordering::Relaxed);
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_nanos(100), LeaseUse::None);
        assert_eq!((standing.age(), standing.is_fresh()), (None, false));
        standing.confirm(|| Some(Duration::from_nanos(40)));
        assert_eq!((standing.age(), standing.is_fresh()), (Some(Duration::from_nanos(40)), true));
        // What is known already does not get older by being told of something older still.
        standing.confirm(|| Some(Duration::from_nanos(90)));
        assert_eq!(standing.age(), Some(Duration::from_nanos(40)));
        clock.0.store(1_061, Ordering::Relaxed);
        assert!(!standing.is_fresh());
    }

    #[test]
    fn a_node_that_stands_still_while_it_learns_its_age_is_no_younger_for_it() {
        let (standing, clock) = (Standing::default(), Arc::new(Hand::default()));
        clock.0.store(1_000, Ordering::Relaxed);
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_nanos(100), LeaseUse::None);
        let stands_still = || {
            clock.0.store(6_000, Ordering::Relaxed);
            Some(Duration::from_nanos(40))
        };
        assert_eq!(standing.confirm(stands_still), Some(Duration::from_nanos(40)));
        assert_eq!((standing.age(), standing.is_fresh()), (Some(Duration::from_nanos(5_040)), false));
        assert_eq!(standing.confirm(|| None), None);
    }

    #[test]
    fn a_node_that_needs_a_lease_answers_while_it_has_one() {
        let (standing, clock) = (Standing::default(), Arc::new(Hand::default()));
        clock.0.store(1_000, Ordering::Relaxed);
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(9), LeaseUse::Required);
        standing.confirm(|| Some(Duration::ZERO));
        assert!(!standing.is_permitted() && !standing.is_fresh());
        // Asked for at 990, given for 20.
        standing.permit(990, Duration::from_nanos(20));
        assert!(standing.is_permitted() && standing.is_fresh());
        // A shorter one does not take away what was given.
        standing.permit(995, Duration::from_nanos(1));
        clock.0.store(1_009, Ordering::Relaxed);
        assert!(standing.is_permitted());
        clock.0.store(1_010, Ordering::Relaxed);
        assert!(!standing.is_permitted() && !standing.is_fresh());
    }

    #[test]
    fn what_is_owed_ends_when_it_is_applied() {
        let standing = Standing::default();
        assert!(!standing.owes(0));
        standing.owe(7);
        standing.owe(5);
        assert!(standing.owes(6) && !standing.owes(7));
    }
}
