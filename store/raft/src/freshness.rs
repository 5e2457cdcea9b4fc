//! How old the state is that this node would answer from.
//!
//! A node's state is as of a moment if it holds everything that was committed before it. Who leads learns that from a round
//! that a quorum answers: nobody else can have committed anything before the round began. It tells its followers, with every
//! message, how long ago that was and what was committed then, both looked up as it sends; the follower's state is as of that moment once it has applied
//! as much. No two clocks are compared: a leader's message names the newest stamp of the follower's own clock that it has had
//! from it, and left later than that stamp, however long it was under way. A clock begins anew with a process, so a stamp says
//! which run of it it is of, and one of an earlier run says nothing.
//!
//! Invariant: [`Freshness::age`] never says less than the truth, as long as clocks run at the same rate.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;

/// Moments that wait for what was committed then to be applied. Beyond it the newest takes the place of the one before.
const MAX_CLAIMS: usize = 64;

/// The state is as of a moment once it has applied so much.
#[derive(Clone, Copy, Debug)]
struct Claim {
    at_millis: u64,
    committed_end: u64,
}

/// A reading of the clock of one run of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) life: u64,
    pub(crate) millis: u64,
}

/// What a leader knows of the newest round that a quorum has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// How long ago it began.
    pub(crate) age: Duration,
    /// Everything that was committed when it began lies before this index.
    pub(crate) committed_end: u64,
}

impl Round {
    /// The age in whole milliseconds, rather too old than too young.
    pub(crate) fn age_millis(&self) -> u64 {
        u64::try_from(self.age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

pub(crate) struct Freshness {
    clock: Arc<dyn Clock>,
    life: u64,
    /// The newest moment the state is known to be as of, plus one; 0: none. On the clock's monotonic time.
    as_of: AtomicU64,
    claimed: AtomicBool,
    claims: Mutex<VecDeque<Claim>>,
}

impl Freshness {
    /// `life` is of no other run of this node's process.
    pub(crate) fn new(clock: Arc<dyn Clock>, life: u64) -> Self {
        Self {
            clock,
            life,
            as_of: AtomicU64::new(0),
            claimed: AtomicBool::new(false),
            claims: Mutex::new(VecDeque::new()),
        }
    }

    /// A stamp to give to the leader.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { life: self.life, millis: self.clock.monotonic_millis() }
    }

    /// The stamp came back, in a message that names a round whose age is as of when it left. Entries before `applied_end` are
    /// applied.
    pub(crate) fn claim(&self, stamp: Stamp, round: Round, applied_end: u64) {
        if stamp.life != self.life {
            return;
        }
        let Some(at_millis) = stamp.millis.checked_sub(round.age_millis()) else { return };
        let committed_end = round.committed_end;
        if committed_end <= applied_end {
            self.advance(at_millis);
            return;
        }
        let mut claims = self.claims.lock();
        if claims.len() >= MAX_CLAIMS {
            claims.pop_back();
        }
        claims.push_back(Claim { at_millis, committed_end });
        self.claimed.store(true, Ordering::Release);
    }

    /// Entries before `applied_end` are applied.
    pub(crate) fn applied(&self, applied_end: u64) {
        if !self.claimed.load(Ordering::Acquire) {
            return;
        }
        let mut claims = self.claims.lock();
        while let Some(claim) = claims.front().copied()
            && claim.committed_end <= applied_end
        {
            self.advance(claim.at_millis);
            claims.pop_front();
        }
        self.claimed.store(!claims.is_empty(), Ordering::Release);
    }

    fn advance(&self, at_millis: u64) {
        self.as_of.fetch_max(at_millis.saturating_add(1), Ordering::AcqRel);
    }

    /// How long ago the state certainly held all that was committed; `None`: it is not known to have done so since the node
    /// was opened.
    pub(crate) fn age(&self) -> Option<Duration> {
        let as_of = self.as_of.load(Ordering::Acquire).checked_sub(1)?;
        Some(Duration::from_millis(self.clock.monotonic_millis().saturating_sub(as_of)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::{Freshness, MAX_CLAIMS, Round, Stamp};
    use crate::clock::Clock;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now_millis(&self) -> u64 {
            0
        }

        fn monotonic_millis(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    const LIFE: u64 = 7;

    fn at(millis: u64) -> Stamp {
        Stamp { life: LIFE, millis }
    }

    fn round(age_millis: u64, committed_end: u64) -> Round {
        Round { age: Duration::from_millis(age_millis), committed_end }
    }

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn a_moment_counts_once_what_was_committed_then_is_applied() {
        let clock = Arc::new(Hand(AtomicU64::new(1_000)));
        let freshness = Freshness::new(Arc::clone(&clock) as Arc<dyn Clock>, LIFE);
        assert_eq!(freshness.age(), None);
        freshness.claim(at(900), round(50, 10), 10);
        assert_eq!(freshness.age(), millis(150));
        freshness.claim(at(950), round(50, 20), 10);
        assert_eq!(freshness.age(), millis(150), "entry 19 is not applied");
        freshness.applied(19);
        assert_eq!(freshness.age(), millis(150));
        freshness.applied(20);
        assert_eq!(freshness.age(), millis(100));
        clock.0.store(5_000, Ordering::Relaxed);
        assert_eq!(freshness.age(), millis(4_100));
        freshness.claim(at(800), round(0, 5), 20);
        assert_eq!(freshness.age(), millis(4_100), "an older moment takes nothing back");
    }

    #[test]
    fn a_stamp_of_an_earlier_run_of_the_process_says_nothing() {
        let clock = Arc::new(Hand(AtomicU64::new(1_000)));
        let freshness = Freshness::new(Arc::clone(&clock) as Arc<dyn Clock>, LIFE);
        // The process before this one ran for a long time: its stamps lie ahead of this clock.
        for millis in [900, 1_000, 5_000] {
            freshness.claim(Stamp { life: LIFE - 1, millis }, round(0, 10), 10);
        }
        assert_eq!(freshness.age(), None);
        freshness.claim(at(900), round(0, 10), 10);
        clock.0.store(4_900, Ordering::Relaxed);
        assert_eq!(freshness.age(), millis(4_000));
    }

    #[test]
    fn claims_are_bounded_and_the_oldest_and_the_newest_stay() {
        let freshness = Freshness::new(Arc::new(Hand(AtomicU64::new(10_000))), LIFE);
        for number in 0..1_000 {
            freshness.claim(at(1_000 + number), round(0, 100 + number), 0);
        }
        assert_eq!(freshness.claims.lock().len(), MAX_CLAIMS);
        freshness.applied(100);
        assert_eq!(freshness.age(), millis(9_000));
        freshness.applied(1_099);
        assert_eq!(freshness.age(), millis(8_001));
    }
}
