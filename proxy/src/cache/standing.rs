//! How far behind the cluster this node may be: what it owes to writes that it acknowledged before it had them, and how old
//! what it serves may be.
//!
//! **Owed.** A write that another node committed may be acknowledged here before it is applied here. Then the stamps of all it
//! may have changed are raised to its version first, as its change will raise them again (P1). Until this node has
//! applied that version, a read whose stamps stand above what is applied is not to be answered here below them. The
//! highest such version is kept, so that a node that owes nothing pays one load for each request.
//!
//! **In doubt.** Of a write whose outcome nobody knows there is no version; and one of a log that this node has not heard of, because
//! the state it waits for has not come yet, says nothing here. What these may have changed is in doubt until the node
//! certainly holds all that was committed by the moment it was told ([`Standing::confirm`]): until then it is to be asked of whoever
//! does. The stamps of it are raised to what is applied, and whatever stands as high counts as in doubt, so that nothing is kept of
//! single keys. Another log has other stamps: then all is in doubt.
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
use parking_lot::Mutex;

/// What clocks that count milliseconds may be wrong by, on the way from a round of the group to an age. Unit: nanoseconds.
const GRAIN_NANOS: u64 = 5_000_000;

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
    // The highest index that may be owed; above all there are while something is in doubt.
    behind: AtomicU64,
    debts: Mutex<Debts>,
    following: OnceLock<Following>,
}

/// What may be owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Debts {
    /// Up to this index.
    pub(super) index: u64,
    // The first ends when it ends, however many come after it; those are one until then.
    doubts: [Option<Doubt>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    /// All whose stamps stand so high or higher, of whatever version.
    from: u64,
    /// Until all that was committed by then is applied. By the clock that is followed.
    until: u64,
}

impl Debts {
    /// All whose stamps stand so high or higher are in doubt.
    pub(super) fn doubted_from(&self) -> Option<u64> {
        self.doubts.iter().flatten().map(|doubt| doubt.from).min()
    }
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
        self.change(|debts| debts.index = debts.index.max(index));
    }

    /// What has stamps at `from` or above is in doubt from now on. The stamps must have been raised before. A node that stands alone
    /// has nobody to ask, and holds all there is.
    pub(super) fn doubt(&self, from: u64) {
        let Some(following) = self.following.get() else { return };
        let now = following.clock.monotonic_nanos();
        self.change(|debts| {
            let place = usize::from(debts.doubts[0].is_some());
            let from = debts.doubts[place].map_or(from, |before| before.from.min(from));
            debts.doubts[place] = Some(Doubt { from, until: now.saturating_add(GRAIN_NANOS) });
        });
    }

    /// The node follows another log: what was owed of the one before has no meaning, and what is in doubt has no stamps.
    pub(super) fn change_log(&self) {
        self.change(|debts| {
            debts.index = 0;
            debts.doubts.iter_mut().flatten().for_each(|doubt| doubt.from = 0);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Debts)) {
        let mut debts = self.debts.lock();
        change(&mut debts);
        // Pairs with the acquire in `owes`: whoever sees this sees the stamps.
        self.behind.store(debts.doubted_from().map_or(debts.index, |_| u64::MAX), Ordering::Release);
    }

    /// What may be owed. Doubts end here, once they can.
    pub(super) fn debts(&self) -> Debts {
        let debts = *self.debts.lock();
        let confirmed =
            self.following.get().map_or(0, |following| following.confirmed.load(Ordering::Acquire));
        // One is added to what is confirmed.
        let has_ended =
            |doubt: Option<Doubt>| doubt.is_some_and(|doubt| confirmed.saturating_sub(1) > doubt.until);
        if !has_ended(debts.doubts[0]) {
            return debts;
        }
        self.change(|now| {
            while has_ended(now.doubts[0]) {
                now.doubts = [now.doubts[1], None];
            }
        });
        *self.debts.lock()
    }

    /// Whether a node that has applied so much may owe something.
    #[inline]
    pub(super) fn owes(&self, applied: u64) -> bool {
        self.behind.load(Ordering::Acquire) > applied
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
        standing.change_log();
        assert!(!standing.owes(0), "of a log that is no more nothing is owed");
    }

    #[test]
    fn a_doubt_ends_once_all_that_was_committed_by_then_is_held() {
        let (standing, clock) = (Standing::default(), Arc::new(Hand::default()));
        standing.doubt(5);
        assert!(!standing.owes(0), "a node that stands alone holds all there is");
        let second = 1_000_000_000;
        clock.0.store(second, Ordering::Relaxed);
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(9), LeaseUse::None);
        standing.owe(7);
        standing.doubt(8);
        standing.doubt(6);
        let now = standing.debts();
        assert_eq!((now.index, now.doubted_from()), (7, Some(6)));
        assert!(standing.owes(u64::MAX - 1));
        // What was held before says nothing of it, whenever it is heard.
        clock.0.store(2 * second, Ordering::Relaxed);
        standing.confirm(|| Some(Duration::from_secs(1)));
        assert!(standing.debts().doubted_from().is_some());
        standing.change_log();
        let now = standing.debts();
        assert_eq!((now.index, now.doubted_from()), (0, Some(0)));
        standing.confirm(|| Some(Duration::from_millis(990)));
        assert_eq!((standing.debts().doubted_from(), standing.owes(0)), (None, false));
    }

    #[test]
    fn doubts_that_come_without_end_do_not_keep_the_first() {
        let (standing, clock) = (Standing::default(), Arc::new(Hand::default()));
        standing.follow(Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(9), LeaseUse::None);
        for turn in 1..100 {
            clock.0.fetch_add(10_000_000, Ordering::Relaxed);
            standing.doubt(turn);
            standing.confirm(|| Some(Duration::from_millis(1)));
            let from = standing.debts().doubted_from().unwrap();
            assert!(turn - from <= 1, "at {turn} all from {from} on is in doubt");
        }
    }
}
