//! One node of one voter: answers, restarts, failures, bounds.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::{Leadership, RaftNode, RaftSettings};
use crate::clock::SystemClock;
use crate::error::{Outcome, RaftError};
use crate::log::memory::{CrashTail, MemoryLogDisk};
use crate::network::NoPeers;
use crate::state::recorder::RecorderDisk;

fn settings() -> RaftSettings {
    RaftSettings { max_waiting_proposals: 64, ..RaftSettings::default() }
}

fn open_with(settings: RaftSettings, log: &MemoryLogDisk, state: &RecorderDisk) -> RaftNode<Bytes> {
    let clock = Arc::new(SystemClock::new());
    RaftNode::open(settings, Arc::new(log.opened()), state.open(), clock, NoPeers).unwrap()
}

fn open(log: &MemoryLogDisk, state: &RecorderDisk) -> RaftNode<Bytes> {
    open_with(settings(), log, state)
}

fn payload(number: usize) -> Bytes {
    Bytes::from(format!("command {number}"))
}

async fn propose(node: &RaftNode<Bytes>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let applied = node.propose(payload(number)).await.unwrap();
        assert_eq!(applied.reply, payload(number));
    }
}

fn payloads(state: &RecorderDisk) -> Vec<Bytes> {
    state.applied().into_iter().map(|(_, payload)| payload).collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<Bytes> {
    numbers.map(payload).collect()
}

#[tokio::test]
async fn a_proposal_is_applied_before_it_is_answered_and_reads_see_it() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    assert!(matches!(*node.leadership().borrow(), Leadership::Leader { .. }));
    let mut last = node.applied();
    for number in 0..20 {
        let applied = node.propose(payload(number)).await.unwrap();
        assert!(applied.index > last);
        last = applied.index;
        assert_eq!(payloads(&state), expected(0..number + 1));
        assert!(node.read_index_now().unwrap() >= applied.index);
        assert!(node.read_index().await.unwrap() >= applied.index);
    }
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_acknowledged_proposal_survives_a_crash_and_is_applied_once() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let mut done = 0;
    for round in 0..4 {
        let node = open(&log, &state);
        assert_eq!(payloads(&state), expected(0..done), "round {round}");
        propose(&node, done..done + 10).await;
        done += 10;
        if round % 2 == 0 {
            node.flush().await.unwrap();
        }
        // The process dies: nothing is closed, and what was not synced or flushed is gone.
        log.crash(CrashTail::default());
        state.crash();
        let _ = node.shutdown().await;
    }
    open(&log, &state).shutdown().await.unwrap();
    assert_eq!(payloads(&state), expected(0..done));
}

#[tokio::test]
async fn a_clean_stop_leaves_nothing_to_replay() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    propose(&node, 0..10).await;
    node.shutdown().await.unwrap();
    assert_eq!(node.propose(payload(10)).await.unwrap_err(), RaftError::Shutdown);
    log.crash(CrashTail::default());
    let before = state.batches();
    let node = open(&log, &state);
    assert_eq!(payloads(&state), expected(0..10));
    // Only the new leader's own entry, and what was not yet known committed at the stop.
    assert!(state.batches() - before <= 2, "{} batches", state.batches() - before);
    propose(&node, 10..12).await;
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_fails_the_proposal_and_all_after_it() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    propose(&node, 0..3).await;
    log.fail_syncs();
    let error = node.propose(payload(3)).await.unwrap_err();
    assert!(matches!(error, RaftError::DiskFailed(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(matches!(node.propose(payload(4)).await, Err(RaftError::DiskFailed(_))));
    assert!(node.read_index_now().is_none());
    assert_eq!(payloads(&state), expected(0..3), "an entry that was not synced was applied");
    assert!(node.shutdown().await.is_err());
    log.crash(CrashTail::default());
    open(&log, &state).shutdown().await.unwrap();
    assert_eq!(payloads(&state), expected(0..3));
}

#[tokio::test]
async fn a_failed_start_has_let_go_of_the_disk_when_it_answers() {
    for _ in 0..10 {
        let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
        let disk = Arc::new(log.opened());
        state.fail();
        let clock = Arc::new(SystemClock::new());
        let shared: Arc<dyn crate::log::disk::LogDisk> = Arc::<MemoryLogDisk>::clone(&disk);
        let opened = RaftNode::open(settings(), shared, state.open(), clock, NoPeers);
        assert!(matches!(opened.err(), Some(RaftError::StateFailed(_))));
        assert_eq!(Arc::strong_count(&disk), 1, "a thread still holds it");
    }
}

#[tokio::test]
async fn every_shutdown_waits_for_the_end() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    propose(&node, 0..3).await;
    log.hold_syncs();
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = Box::pin(node.shutdown());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let mut second = Box::pin(node.shutdown());
    assert!(second.as_mut().poll(&mut cx).is_pending(), "it answered before the first had ended");
    log.release();
    second.await.unwrap();
    first.await.unwrap();
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_log_found_at_open_is_purged_though_little_is_written_after() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    propose(&node, 0..50).await;
    node.shutdown().await.unwrap();
    let node = open_with(RaftSettings { keep_log_millis: 0, ..settings() }, &log, &state);
    propose(&node, 50..52).await;
    for _ in 0..50 {
        if log.keys().len() < 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(log.keys().len() < 20, "{} records left", log.keys().len());
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_a_crash_left_to_replay_counts_towards_the_next_flush() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let settings = RaftSettings { flush_after_log_bytes: 8 * 1024 * 1024, ..settings() };
    let large = Bytes::from(vec![7; 1024 * 1024]);
    // No life writes enough for a flush by itself, yet what is to be replayed must not grow from one to the next.
    for _ in 0..4 {
        let node = open_with(settings.clone(), &log, &state);
        for _ in 0..3 {
            node.propose(large.clone()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        log.crash(CrashTail::default());
        state.crash();
        let _ = node.shutdown().await;
    }
    assert!(state.flushes() >= 1, "nothing was ever flushed");
}

#[tokio::test]
async fn a_state_that_can_not_be_flushed_stops_the_node_and_that_is_told() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    propose(&node, 0..3).await;
    state.fail_flushes(true);
    node.flush().await.unwrap();
    let is_told = async {
        while node.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_told).await.expect("it says that it has failed");
    let error = node.propose(payload(3)).await.unwrap_err();
    assert!(matches!(&error, RaftError::StateFailed(why) if why.contains("no room")), "{error}");
    assert!(node.read_index_now().is_none());
    assert!(node.shutdown().await.is_err());
    // What was acknowledged is in the log.
    log.crash(CrashTail::default());
    state.crash();
    state.fail_flushes(false);
    open(&log, &state).shutdown().await.unwrap();
    assert_eq!(payloads(&state), expected(0..3));
}

#[tokio::test]
async fn a_state_that_fails_stops_the_node_and_answers_unknown() {
    // Often, because the proposer and the thread that found the failure race.
    for _ in 0..20 {
        let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
        let node = open(&log, &state);
        state.fail();
        let error = node.propose(payload(0)).await.unwrap_err();
        assert!(matches!(error, RaftError::StateFailed(_)), "{error}");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(node.failure().is_some());
        let _ = node.shutdown().await;
    }
}

#[tokio::test]
async fn proposals_beyond_the_bound_are_refused_as_overload() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    log.hold_syncs();
    let mut cx = Context::from_waker(Waker::noop());
    let mut waiting = Vec::new();
    for number in 0..64 {
        let mut proposal = Box::pin(node.propose(payload(number)));
        assert!(proposal.as_mut().poll(&mut cx).is_pending());
        waiting.push(proposal);
    }
    assert_eq!(node.propose(payload(64)).await.unwrap_err(), RaftError::Overloaded);
    log.release();
    for proposal in waiting {
        proposal.await.unwrap();
    }
    assert_eq!(node.waiting_proposals(), 0);
    propose(&node, 64..66).await;
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dropped_proposal_takes_effect_all_the_same_and_gives_its_place_back() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    log.hold_syncs();
    {
        let mut proposal = Box::pin(node.propose(payload(0)));
        assert!(proposal.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending);
    }
    log.release();
    propose(&node, 1..2).await;
    assert_eq!(payloads(&state), expected(0..2));
    assert_eq!(node.waiting_proposals(), 0);
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_proposals_share_syncs_and_batches() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let node = open(&log, &state);
    let (syncs, batches) = (log.syncs(), state.batches());
    log.hold_syncs();
    let waiting: Vec<_> = (0..60).map(|number| tokio::spawn(node.propose(payload(number)))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    log.release();
    for proposal in waiting {
        proposal.await.unwrap().unwrap();
    }
    let (syncs, batches) = (log.syncs() - syncs, state.batches() - batches);
    assert!(syncs <= 10 && batches <= 10, "{syncs} syncs, {batches} batches for 60 proposals");
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_log_is_purged_only_up_to_what_a_flush_made_durable() {
    let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
    let settings = RaftSettings {
        flush_after_log_bytes: 24 * 1024 * 1024,
        keep_log_bytes: 1024,
        recent_bytes: 1024,
        ..settings()
    };
    let node = open_with(settings.clone(), &log, &state);
    let large = Bytes::from(vec![7; 1024 * 1024]);
    for _ in 0..20 {
        node.propose(large.clone()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(state.flushes(), 0);
    assert!(log.keys().len() > 20, "purged without a flush");
    for _ in 0..20 {
        node.propose(large.clone()).await.unwrap();
    }
    for _ in 0..50 {
        if log.keys().len() < 30 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(log.keys().len() < 30, "{} records left", log.keys().len());
    assert!(state.flushes() >= 1);
    log.crash(CrashTail::default());
    state.crash();
    let _ = node.shutdown().await;
    let node = open_with(settings, &log, &state);
    assert_eq!(state.applied().len(), 40);
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_sync_loses_nothing_acknowledged_and_leaves_no_half() {
    for left in 0..6 {
        for torn in [false, true] {
            let (log, state) = (MemoryLogDisk::new(), RecorderDisk::default());
            let node = open(&log, &state);
            propose(&node, 0..5).await;
            log.hold_syncs();
            let waiting: Vec<_> = (5..20).map(|number| tokio::spawn(node.propose(payload(number)))).collect();
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(waiting.iter().all(|proposal| !proposal.is_finished()));
            log.crash(CrashTail { batches: left, torn });
            state.crash();
            let _ = node.shutdown().await;
            let node = open(&log, &state);
            let applied = payloads(&state);
            assert!(applied.len() >= 5, "an acknowledged proposal was lost");
            let mut seen = applied.clone();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), applied.len(), "applied twice");
            assert!(applied.iter().all(|payload| payload.starts_with(b"command ")));
            node.shutdown().await.unwrap();
        }
    }
}
