//! Flights: many misses of one key or page are one read of the store.
//!
//! A miss joins a flight only if nothing it depends on was written since the flight began (so that the read can't have
//! missed a write that was acknowledged before this miss) and the flight's read is surely as new as the miss asks for.
//! Where it may not join, it begins the next flight, and the older one is *voided*: it still answers those who joined it,
//! and takes no more.
//!
//! A leader reads for others what it would have read for itself, so a failure is theirs too, but for one that only its own
//! lack of time explains: a waiter with more time asks again. How often is bounded by the waiter, who takes the failure in the
//! end: a store that fails is asked a few times for each crowd, not once for each of the crowd.
//!
//! Invariants: a flight has one leader, whose guard ends it whatever happens; a leader that is dropped wakes its waiters,
//! of whom one leads next. At most [`WAITERS_MAX`] wait for one flight; whoever comes later reads for itself. Nothing here
//! fills the cache: that takes a permit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use api::Error;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::hash::BuildReady;
use super::stamp::Reading;

/// Most requests that wait for one read.
pub const WAITERS_MAX: u32 = 1024;
/// Locks over the flights in progress.
const LOCKS: usize = 64;

/// Which key or page is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlightKey {
    pub(super) hash: u64,
    /// The table of an item; 0 for a page, whose bytes name it.
    pub(super) table: u64,
    pub(super) bytes: Bytes,
}

impl std::hash::Hash for FlightKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// How things stood when a flight began, or when a miss asks to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Began {
    pub(super) epoch: u64,
    /// What the node had applied: the read is at this version or a later one.
    pub(super) applied: u64,
    /// The stamps the read depends on.
    pub(super) stamps: Reading,
}

/// A read in progress.
#[derive(Debug)]
struct Flight<T> {
    began: Began,
    waiters: AtomicU32,
    landed: OnceLock<Result<T, Failed>>,
    wake: Notify,
}

/// Why a flight brought nothing.
#[derive(Debug, Clone)]
enum Failed {
    /// The leader went away.
    Left,
    /// The read failed.
    Read { error: Error, out_of_time: Option<Instant> },
}

/// What a flight came to, for one who waited for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Landed<T> {
    /// What was read.
    Read(T),
    /// The read failed, and would have for the waiter.
    Failed(Error),
    /// The leader went away, or its time ran out and the waiter has more: the cache is to be asked again, though not for
    /// ever. The failure is what to answer then, if there was one.
    Again(Option<Error>),
}

impl<T: Clone> Flight<T> {
    async fn landed(&self) -> Result<T, Failed> {
        loop {
            let wake = self.wake.notified();
            tokio::pin!(wake);
            // Registered before looking, so that a landing in between is not slept through.
            wake.as_mut().enable();
            if let Some(landed) = self.landed.get() {
                return landed.clone();
            }
            wake.await;
        }
    }
}

/// A place among the waiters of a flight.
#[derive(Debug)]
pub struct Waiting<T> {
    flight: Arc<Flight<T>>,
    least_index: u64,
}

impl<T: Clone> Waiting<T> {
    /// Waits for what the leader reads. `deadline` is the waiter's own.
    pub async fn landed(&self, deadline: Option<Instant>) -> Landed<T> {
        match self.flight.landed().await {
            Ok(read) => Landed::Read(read),
            Err(Failed::Left) => Landed::Again(None),
            Err(Failed::Read { error, out_of_time: Some(at) }) if deadline.is_none_or(|mine| mine > at) => {
                Landed::Again(Some(error))
            }
            Err(Failed::Read { error, .. }) => Landed::Failed(error),
        }
    }

    /// The least index that this waiter may be answered with.
    ///
    /// Stamps are raised before a write is committed. So a flight may begin under a stamp and yet read what was before
    /// the write, whose writer is acknowledged while it is in the air; one who joins after that must not be given it.
    pub(super) fn least_index(&self) -> u64 {
        self.least_index
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.flight.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a miss is to do.
#[derive(Debug)]
pub enum Joined<'a, T> {
    /// Read, and land the flight with what was read.
    Lead(Leader<'a, T>),
    /// Wait for the read of another.
    Wait(Waiting<T>),
    /// Read for itself alone.
    Alone,
}

/// Flights in progress.
#[derive(Debug)]
pub(super) struct Flights<T> {
    flying: Box<[Mutex<Flying<T>>]>,
}

type Flying<T> = HashMap<FlightKey, Arc<Flight<T>>, BuildReady>;

impl<T> Flights<T> {
    pub(super) fn new() -> Flights<T> {
        Flights { flying: (0..LOCKS).map(|_| Mutex::default()).collect() }
    }

    fn of(&self, hash: u64) -> &Mutex<Flying<T>> {
        &self.flying[(hash >> 32) as usize % LOCKS]
    }

    /// Joins a flight or begins one. `now` must have been read before the caller asks, `min_index` is the least version
    /// the caller may be answered with.
    pub(super) fn join(&self, key: FlightKey, now: Began, min_index: Option<u64>) -> Joined<'_, T> {
        let mut flying = self.of(key.hash).lock();
        if let Some(flight) = flying.get(&key) {
            let as_new = flight.began.epoch == now.epoch && flight.began.stamps == now.stamps;
            if as_new && min_index.is_none_or(|min| min <= flight.began.applied) {
                // Counted under the lock: nobody else adds to it meanwhile.
                if flight.waiters.load(Ordering::Relaxed) >= WAITERS_MAX {
                    return Joined::Alone;
                }
                flight.waiters.fetch_add(1, Ordering::Relaxed);
                let stamped = now.stamps.into_iter().max().unwrap_or_default();
                let least_index = stamped.max(min_index.unwrap_or_default());
                return Joined::Wait(Waiting { flight: flight.clone(), least_index });
            }
            // A miss that was slow to get here may know less than the flight does; it must not void what is newer.
            let older = flight.began.epoch > now.epoch
                || flight.began.stamps.iter().zip(now.stamps).any(|(began, now)| *began > now);
            if older {
                return Joined::Alone;
            }
        }
        let flight = Arc::new(Flight {
            began: now,
            waiters: AtomicU32::new(0),
            landed: OnceLock::new(),
            wake: Notify::new(),
        });
        flying.insert(key.clone(), flight.clone());
        Joined::Lead(Leader { flights: self, key, flight })
    }

    #[cfg(test)]
    fn in_progress(&self) -> usize {
        self.flying.iter().map(|flying| flying.lock().len()).sum()
    }
}

/// The duty to land a flight. Dropped without, it wakes the waiters empty-handed.
#[derive(Debug)]
pub struct Leader<'a, T> {
    flights: &'a Flights<T>,
    key: FlightKey,
    flight: Arc<Flight<T>>,
}

impl<T> Leader<'_, T> {
    /// Answers the waiters with what was read. `read` is asked for only if there are any.
    pub fn land(self, read: impl FnOnce() -> T) {
        self.end(|| Ok(read()));
    }

    /// Tells the waiters that the read failed. `out_of_time` is the leader's deadline where that had passed by then.
    pub fn fail(self, error: &Error, out_of_time: Option<Instant>) {
        self.end(|| Err(Failed::Read { error: error.clone(), out_of_time }));
    }

    fn end(self, result: impl FnOnce() -> Result<T, Failed>) {
        // Taken out first: whoever comes from now on begins anew, or finds what was filled.
        self.take_out();
        if Arc::strong_count(&self.flight) > 1 {
            // Set once: this is the only leader, taken by value.
            let _ = self.flight.landed.set(result());
        }
    }

    fn take_out(&self) {
        let mut flying = self.flights.of(self.key.hash).lock();
        if flying.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            flying.remove(&self.key);
        }
    }
}

impl<T> Drop for Leader<'_, T> {
    fn drop(&mut self) {
        self.take_out();
        // Already set where the flight landed.
        let _ = self.flight.landed.set(Err(Failed::Left));
        self.flight.wake.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hash: u64) -> FlightKey {
        FlightKey { hash, table: 1, bytes: Bytes::from_static(b"k") }
    }

    fn began(applied: u64, stamp: u64) -> Began {
        Began { epoch: 0, applied, stamps: [stamp, 0] }
    }

    fn lead<T: std::fmt::Debug>(joined: Joined<'_, T>) -> Leader<'_, T> {
        match joined {
            Joined::Lead(leader) => leader,
            other => panic!("should lead: {other:?}"),
        }
    }

    fn wait<T: std::fmt::Debug>(joined: Joined<'_, T>) -> Waiting<T> {
        match joined {
            Joined::Wait(waiting) => waiting,
            other => panic!("should wait: {other:?}"),
        }
    }

    #[tokio::test]
    async fn misses_of_one_key_are_one_read() {
        let flights = Flights::<u32>::new();
        let leader = lead(flights.join(key(1), began(5, 3), None));
        let first = wait(flights.join(key(1), began(6, 3), None));
        let second = wait(flights.join(key(1), began(9, 3), Some(5)));
        let other = lead(flights.join(key(2), began(5, 3), None));
        leader.land(|| 7);
        assert_eq!(first.landed(None).await, Landed::Read(7));
        assert_eq!(second.landed(None).await, Landed::Read(7));
        drop(other);
        assert_eq!(flights.in_progress(), 0);
    }

    #[tokio::test]
    async fn a_write_voids_a_flight_for_those_who_come_after_it() {
        let flights = Flights::<u32>::new();
        let old = lead(flights.join(key(1), began(5, 3), None));
        let before = wait(flights.join(key(1), began(5, 3), None));
        let new = lead(flights.join(key(1), began(8, 8), None));
        let after = wait(flights.join(key(1), began(8, 8), None));
        // Landing the voided flight must not take the newer one out of the air.
        old.land(|| 1);
        let still = wait(flights.join(key(1), began(8, 8), None));
        new.land(|| 2);
        assert_eq!(before.landed(None).await, Landed::Read(1));
        assert_eq!(after.landed(None).await, Landed::Read(2));
        assert_eq!(still.landed(None).await, Landed::Read(2));
    }

    #[tokio::test]
    async fn a_read_from_before_the_write_it_began_under_is_not_for_those_who_join_later() {
        let flights = Flights::<u32>::new();
        // The stamp stands at 8, the write of that version is not committed yet: the read finds version 7.
        let _leader = lead(flights.join(key(1), began(7, 8), None));
        assert_eq!(wait(flights.join(key(1), began(8, 8), None)).least_index(), 8);
        assert_eq!(wait(flights.join(key(1), began(9, 8), Some(3))).least_index(), 8);
        assert_eq!(wait(flights.join(key(1), began(9, 8), Some(7))).least_index(), 8);
    }

    #[tokio::test]
    async fn a_miss_that_asks_for_more_than_the_flight_surely_has_does_not_join() {
        let flights = Flights::<u32>::new();
        let _old = lead(flights.join(key(1), began(5, 3), None));
        let _new = lead(flights.join(key(1), began(6, 3), Some(6)));
    }

    #[tokio::test]
    async fn a_miss_that_is_behind_the_flight_reads_alone() {
        let flights = Flights::<u32>::new();
        let _new = lead(flights.join(key(1), began(8, 8), None));
        assert!(matches!(flights.join(key(1), began(5, 3), None), Joined::Alone));
    }

    #[tokio::test]
    async fn a_dropped_leader_wakes_its_waiters() {
        let flights = Flights::<u32>::new();
        let leader = lead(flights.join(key(1), began(5, 3), None));
        let waiting = wait(flights.join(key(1), began(5, 3), None));
        let landed = tokio::spawn(async move { waiting.landed(None).await });
        tokio::task::yield_now().await;
        drop(leader);
        assert_eq!(landed.await.unwrap(), Landed::Again(None));
        lead(flights.join(key(1), began(5, 3), None));
    }

    #[tokio::test]
    async fn a_failure_is_shared_but_for_one_that_only_the_leaders_lack_of_time_explains() {
        let flights = Flights::<u32>::new();
        let now = tokio::time::Instant::now().into_std();
        let later = now + std::time::Duration::from_secs(1);
        let error = Error::new(api::ErrorKind::ThrottlingException, "the disk is busy");
        for (out_of_time, deadline, again) in [
            (None, None, false),
            (None, Some(later), false),
            (Some(now), Some(now), false),
            (Some(now), Some(later), true),
            (Some(now), None, true),
        ] {
            let leader = lead(flights.join(key(1), began(5, 3), None));
            let waiting = wait(flights.join(key(1), began(5, 3), None));
            leader.fail(&error, out_of_time);
            let expected =
                if again { Landed::Again(Some(error.clone())) } else { Landed::Failed(error.clone()) };
            assert_eq!(waiting.landed(deadline).await, expected);
        }
    }

    #[tokio::test]
    async fn waiters_are_bounded_and_a_place_is_given_back() {
        let flights = Flights::<u32>::new();
        let _leader = lead(flights.join(key(1), began(5, 3), None));
        let mut waiting: Vec<_> =
            (0..WAITERS_MAX).map(|_| wait(flights.join(key(1), began(5, 3), None))).collect();
        assert!(matches!(flights.join(key(1), began(5, 3), None), Joined::Alone));
        waiting.pop();
        wait(flights.join(key(1), began(5, 3), None));
    }
}
