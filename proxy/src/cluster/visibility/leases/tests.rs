//! The table, told of terms and reports by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use host::clock::ManualClock;
use tokio::task::JoinHandle;

use super::*;

/// A primary with two replicas, 2 and 3, in term 1.
struct World {
    leases: Arc<Leases>,
    clock: ManualClock,
    term: Arc<AtomicU64>,
    applied: u64,
}

impl World {
    fn new() -> World {
        let clock = ManualClock::at(0);
        let leases = Arc::new(Leases::new(Arc::new(clock.clone())));
        clock.advance(WHOLE);
        leases.members([1, 2, 3]);
        leases.begin(1, 10, 1);
        World { leases, clock, term: Arc::new(AtomicU64::new(1)), applied: 10 }
    }

    /// Both clocks go on: what is measured, and what is waited by.
    async fn pass(&self, time: Duration) {
        // A step at a time, so that who waits by one sees the other.
        for _ in 0..time.as_millis() {
            self.clock.advance(Duration::from_millis(1));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        settle().await;
    }

    fn here(&self) -> Standing {
        Standing {
            term: self.term.load(Ordering::SeqCst),
            is_member: true,
            applied: self.applied,
            age: Duration::from_millis(100),
        }
    }

    fn report(&self, by: &Registration, applied: u64) -> Option<Duration> {
        self.leases.report(by, applied, || self.here())
    }

    /// A node that has applied all there is and holds a lease.
    fn held_by(&self, node: u64) -> Registration {
        let registration = self.leases.register(node);
        assert_eq!(self.report(&registration, self.applied), Some(GIVEN));
        registration
    }

    /// A write is applied at the primary and waits.
    fn write(&mut self) -> JoinHandle<()> {
        self.applied += 1;
        let (leases, term, index) = (Arc::clone(&self.leases), Arc::clone(&self.term), self.applied);
        tokio::spawn(async move { leases.everywhere(index, || term.load(Ordering::SeqCst)).await })
    }
}

/// What is given where a quorum answered a round that began 100 ms ago.
const GIVEN: Duration = Duration::from_millis(900);
const WHOLE: Duration = Duration::from_millis(1_020);

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn is_released(write: &JoinHandle<()>) -> bool {
    settle().await;
    write.is_finished()
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_all_that_hold_a_lease_and_no_longer() {
    let mut world = World::new();
    let (second, third) = (world.held_by(2), world.held_by(3));
    let write = world.write();
    assert!(!is_released(&write).await);
    world.report(&second, 11);
    assert!(!is_released(&write).await, "one of them would answer what was before");
    world.report(&third, 11);
    assert!(is_released(&write).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_holds_up_writes_until_its_lease_has_ended_and_then_none() {
    let mut world = World::new();
    let (second, _silent) = (world.held_by(2), world.held_by(3));
    let write = world.write();
    world.report(&second, 11);
    world.pass(WHOLE - Duration::from_millis(1)).await;
    assert!(!is_released(&write).await);
    world.report(&second, 11);
    world.pass(Duration::from_millis(2)).await;
    assert!(is_released(&write).await);
    let next = world.write();
    world.report(&second, 12);
    assert!(is_released(&next).await, "it waited for a node that has no lease");
}

#[tokio::test(start_paused = true)]
async fn a_node_is_given_a_lease_once_it_has_all_that_was_released_before_it_counted() {
    let mut world = World::new();
    let _second = world.held_by(2);
    world.pass(WHOLE).await;
    // Nobody has a lease.
    assert!(is_released(&world.write()).await);
    let third = world.leases.register(3);
    assert_eq!(
        world.report(&third, 10),
        Some(Duration::ZERO),
        "it would answer what was before a write that was released"
    );
    // From now on it counts.
    let write = world.write();
    assert_eq!(world.report(&third, 11), Some(GIVEN));
    assert!(!is_released(&write).await);
    world.report(&third, 12);
    assert!(is_released(&write).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_far_behind_holds_up_nothing() {
    let mut world = World::new();
    world.pass(WHOLE).await;
    world.applied = 10 + CLOSE + 1;
    let third = world.leases.register(3);
    assert_eq!(world.report(&third, 10), Some(Duration::ZERO));
    assert!(is_released(&world.write()).await);
    assert_eq!(world.report(&third, 12), Some(Duration::ZERO), "close enough to count, and not yet there");
    assert!(!is_released(&world.write()).await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_reports_and_gets_no_further_loses_its_lease() {
    let mut world = World::new();
    let (second, third) = (world.held_by(2), world.held_by(3));
    let write = world.write();
    let mut refused = false;
    for _ in 0..40 {
        world.report(&second, world.applied);
        refused |= world.report(&third, 10) == Some(Duration::ZERO);
        world.pass(Duration::from_millis(50)).await;
        if is_released(&write).await {
            break;
        }
    }
    assert!(write.is_finished(), "one slow node holds up writes for ever");
    assert!(refused, "it went on answering");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_began_again_has_what_it_says_and_no_more() {
    let mut world = World::new();
    let (second, before) = (world.held_by(2), world.held_by(3));
    world.applied = 20;
    world.report(&second, 20);
    world.report(&before, 20);
    // The process of node 3 ended and another began, which has applied less.
    let after = world.leases.register(3);
    assert_eq!(world.report(&before, 20), None, "the one that has ended is still heard");
    assert_eq!(
        world.report(&after, 15),
        Some(Duration::ZERO),
        "it would answer what was before a write it had been waited for"
    );
    assert_eq!(world.report(&after, 20), Some(GIVEN));
}

#[tokio::test(start_paused = true)]
async fn a_new_primary_waits_for_leases_that_an_earlier_one_may_have_given() {
    let mut world = World::new();
    let second = world.held_by(2);
    world.term.store(5, Ordering::SeqCst);
    let early = world.write();
    assert!(!is_released(&early).await, "of who holds leases in this term nothing is known yet");
    assert_eq!(world.report(&second, 11), None, "a lease of a term that has ended");
    world.leases.begin(5, 11, 1);
    let late = world.write();
    let second = world.leases.register(2);
    world.report(&second, 12);
    assert!(!is_released(&early).await && !late.is_finished());
    // The third is the primary that was, and says nothing.
    world.pass(Duration::from_millis(900)).await;
    world.report(&second, 12);
    assert!(!is_released(&late).await);
    world.pass(Duration::from_millis(121)).await;
    assert!(is_released(&early).await && late.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_write_of_a_primary_that_is_none_any_more_waits_as_long_as_any_lease_runs() {
    let mut world = World::new();
    let second = world.held_by(2);
    let write = world.write();
    world.term.store(2, Ordering::SeqCst);
    world.report(&second, 11);
    world.pass(Duration::from_millis(1_000)).await;
    assert!(!is_released(&write).await);
    world.pass(Duration::from_millis(30)).await;
    assert!(is_released(&write).await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_primary_that_no_quorum_has_confirmed_lately_is_none() {
    let world = World::new();
    let second = world.leases.register(2);
    let here = Standing { age: Duration::from_secs(3), ..world.here() };
    assert_eq!(world.leases.report(&second, 10, || here), Some(Duration::ZERO));
    assert_eq!(world.leases.counted(), [(2, 10), (3, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_primary_has_applied_is_asked_where_no_write_can_be_released_in_between() {
    let world = World::new();
    world.pass(WHOLE).await;
    // Nobody has a lease: a write is released at once, unless somebody is being given one.
    let second = world.leases.register(2);
    let given = world.leases.report(&second, 10, || {
        assert!(
            world.leases.table.try_lock().is_none(),
            "a write may be released between the look and the lease"
        );
        Standing { applied: 11, ..world.here() }
    });
    assert_eq!(given, Some(Duration::ZERO), "it would answer what was before the write");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ended_while_the_node_waited_its_turn_is_not_renewed_as_if_it_ran() {
    let mut world = World::new();
    let second = world.held_by(2);
    world.applied += 1;
    let table = world.leases.table.lock();
    let (leases, here) = (Arc::clone(&world.leases), world.here());
    let reporting = std::thread::spawn(move || leases.report(&second, 10, || here));
    // It can't have looked at the clock yet, whenever it begins; where it has, this gives it the time to.
    std::thread::sleep(Duration::from_millis(50));
    world.clock.advance(WHOLE);
    drop(table);
    assert_eq!(
        reporting.join().unwrap(),
        Some(Duration::ZERO),
        "a write that was released meanwhile is not known to it"
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_is_told_nothing_and_who_has_gone_is_forgotten() {
    let mut world = World::new();
    let second = world.held_by(2);
    let here = Standing { is_member: false, ..world.here() };
    assert_eq!(world.leases.report(&second, 10, || here), None);
    for stranger in 100..200 {
        world.leases.register(stranger);
    }
    assert_eq!(world.leases.table.lock().nodes.len(), 2);
    drop(second);
    // What it was given runs on.
    let write = world.write();
    assert!(!is_released(&write).await);
    world.pass(WHOLE + Duration::from_millis(1)).await;
    assert!(is_released(&write).await);
    assert!(world.leases.table.lock().nodes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_primary_waits_for_the_one_that_was_removed_and_leads_no_more() {
    let mut world = World::new();
    // Node 3 has led, and is removed: for a moment it leads on, and answers from memory for as long as a lease.
    world.leases.members([1, 2]);
    world.pass(Duration::from_millis(150)).await;
    world.term.store(2, Ordering::SeqCst);
    world.leases.begin(2, 10, 1);
    let second = world.leases.register(2);
    let write = world.write();
    world.report(&second, 11);
    assert!(!is_released(&write).await, "the one that was removed answers what was before");
    for _ in 0..3 {
        world.pass(Duration::from_millis(300)).await;
        world.report(&second, 11);
    }
    assert!(!is_released(&write).await);
    world.pass(Duration::from_millis(121)).await;
    assert!(is_released(&write).await);
    // Whose removal is long ago holds up nothing, and is not remembered.
    world.pass(LATELY).await;
    world.term.store(3, Ordering::SeqCst);
    world.leases.members([1, 2]);
    world.leases.begin(3, 11, 1);
    let second = world.leases.register(2);
    let write = world.write();
    world.report(&second, 12);
    assert!(is_released(&write).await);
    assert!(world.leases.table.lock().former.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_primary_whose_process_began_just_now_may_not_know_who_was_removed() {
    let (clock, leads) = (ManualClock::at(0), || 1);
    let leases = Arc::new(Leases::new(Arc::new(clock.clone())));
    leases.members([1]);
    leases.begin(1, 10, 1);
    let write = tokio::spawn({
        let leases = Arc::clone(&leases);
        async move { leases.everywhere(11, leads).await }
    });
    assert!(!is_released(&write).await);
    clock.advance(WHOLE);
    tokio::time::advance(WHOLE + Duration::from_millis(1)).await;
    assert!(is_released(&write).await);
}
