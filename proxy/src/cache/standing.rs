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

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use host::clock::Clock;

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

    /// From now on nothing is served that may be older than `most`.
    pub(super) fn follow(&self, clock: Arc<dyn Clock>, most: Duration) {
        let most_nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        // A second call changes nothing: a node belongs to one cluster for its life.
        let _ = self.following.set(Following { clock, most_nanos, confirmed: AtomicU64::new(0) });
    }

    /// What is served was all there was `age` ago.
    pub(super) fn confirm(&self, age: Duration) {
        let Some(following) = self.following.get() else { return };
        let age_nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let at = following.clock.monotonic_nanos().saturating_sub(age_nanos);
        following.confirmed.fetch_max(at.saturating_add(1), Ordering::AcqRel);
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
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_nanos(100));
        assert_eq!((standing.age(), standing.is_fresh()), (None, false));
        standing.confirm(Duration::from_nanos(40));
        assert_eq!((standing.age(), standing.is_fresh()), (Some(Duration::from_nanos(40)), true));
        // What is known already does not get older by being told of something older still.
        standing.confirm(Duration::from_nanos(90));
        assert_eq!(standing.age(), Some(Duration::from_nanos(40)));
        clock.0.store(1_061, Ordering::Relaxed);
        assert!(!standing.is_fresh());
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
