//! The log by itself: the Raft library's own suite, and what a crash, a bad disk and a bad bit do.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use openraft::storage::{EntryResponder, IOFlushed, RaftLogReader, RaftLogStorage, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft::{OptionalSend, StorageError};
use tokio::sync::{oneshot, watch};

use super::disk::{LogBatch, LogDisk, LogOp, Sync};
use super::keys::entry_key;
use super::memory::{CrashTail, MemoryLogDisk};
use super::store::LogStore;
use crate::clock::SystemClock;
use crate::error::RaftError;
use crate::freshness::Freshness;
use crate::node::{Gate, Health};
use crate::snapshot::{SnapshotBuilder, SnapshotHandle, SnapshotShelf};
use crate::state::recorder::RecorderDisk;
use crate::state::{ApplyWorker, Mark, StateAdapter, StateMachine};
use crate::types::{
    Entry, EntryPayload, LogId, Proposal, SnapshotMeta, StoredMembership, Types, Vote, log_id,
};
use crate::workers::Workers;

type T = Types<Bytes>;

fn open(disk: &MemoryLogDisk, applied: Option<LogId>) -> Result<LogStore, RaftError> {
    open_with(disk, applied, 1024 * 1024, &Arc::new(Health::default()))
}

fn open_with(
    disk: &MemoryLogDisk,
    applied: Option<LogId>,
    recent_bytes: usize,
    health: &Arc<Health>,
) -> Result<LogStore, RaftError> {
    open_at(disk, &Mark { applied, ..Mark::default() }, recent_bytes, health)
}

fn open_at(
    disk: &MemoryLogDisk,
    mark: &Mark,
    recent_bytes: usize,
    health: &Arc<Health>,
) -> Result<LogStore, RaftError> {
    let clock = Arc::new(SystemClock::new());
    let gate = Arc::new(Gate::new(64, 1024 * 1024));
    let disk = Arc::new(disk.opened());
    let health = Arc::clone(health);
    let workers = Workers::Threads;
    super::open(disk, mark, super::Surroundings { recent_bytes, node_id: 1, clock, health, gate, workers })
}

fn command(index: u64) -> Entry {
    let payload = EntryPayload::Normal(Proposal(Bytes::from(format!("command {index}"))));
    Entry { log_id: log_id(1, index), payload }
}

/// Appends without waiting; the receiver tells when it is called done.
async fn append(log: &mut LogStore, entries: Vec<Entry>) -> oneshot::Receiver<io::Result<()>> {
    let (sender, receiver) = T::oneshot();
    let callback = IOFlushed::<T>::signal(sender);
    RaftLogStorage::<T>::append(log, entries, callback).await.unwrap();
    receiver
}

async fn append_synced(log: &mut LogStore, indexes: std::ops::Range<u64>) {
    append(log, indexes.map(command).collect()).await.await.unwrap().unwrap();
}

async fn entries(log: &mut LogStore) -> Vec<u64> {
    let entries = RaftLogReader::<T>::try_get_log_entries(log, ..).await.unwrap();
    entries.iter().map(|entry| entry.log_id.index()).collect()
}

async fn save_committed(log: &mut LogStore, index: u64) {
    RaftLogStorage::<T>::save_committed(log, Some(log_id(1, index))).await.unwrap();
}

struct SuiteBuilder;

/// The suite wants a state that can be installed; that hook is the only thing not ours.
struct SuiteState {
    adapter: StateAdapter<Bytes>,
    _apply: ApplyWorker<Bytes>,
}

impl RaftStateMachine<T> for SuiteState {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        self.adapter.applied_state().await
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<T>, io::Error>> + Unpin + OptionalSend,
    {
        self.adapter.apply(entries).await
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.adapter.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: SnapshotHandle,
    ) -> Result<(), io::Error> {
        self.adapter.install_for_suite(snapshot);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<openraft::alias::SnapshotOf<T, SnapshotHandle>>, io::Error> {
        self.adapter.get_current_snapshot().await
    }
}

impl StoreBuilder<T, LogStore, SuiteState> for SuiteBuilder {
    async fn build(&self) -> Result<((), LogStore, SuiteState), StorageError<T>> {
        let log = open(&MemoryLogDisk::new(), None).unwrap();
        let state = RecorderDisk::default().open();
        let durable = state.durable();
        let (publish, _) = watch::channel(0);
        let transfer = state.transfer();
        let freshness = Arc::new(Freshness::new(Arc::new(SystemClock::new()), 1));
        let (health, workers) = (Arc::new(Health::default()), Workers::Threads);
        let apply = ApplyWorker::start(state, publish, freshness, health, &workers).unwrap();
        let shelf = Arc::new(SnapshotShelf::default());
        let adapter =
            StateAdapter::new(&apply, Mark::default(), log.clone(), durable, transfer, shelf, workers);
        Ok(((), log, SuiteState { adapter, _apply: apply }))
    }
}

#[tokio::test]
async fn the_raft_librarys_storage_suite_passes() {
    Suite::test_all(SuiteBuilder).await.unwrap();
}

#[tokio::test]
async fn group_commit_calls_done_only_after_one_sync_for_all_that_wait() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    let before = disk.syncs();
    disk.hold_syncs();
    let mut first = append(&mut log, vec![command(0)]).await;
    let mut waiting = Vec::new();
    for index in 1..100 {
        waiting.push(append(&mut log, vec![command(index)]).await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(first.try_recv().is_err(), "called done before the sync");
    assert!(waiting.iter_mut().all(|done| done.try_recv().is_err()));
    assert_eq!(entries(&mut log).await.len(), 100, "readable before they are synced");
    disk.release();
    first.await.unwrap().unwrap();
    for done in waiting {
        done.await.unwrap().unwrap();
    }
    let syncs = disk.syncs() - before;
    assert!((1..=3).contains(&syncs), "100 appends took {syncs} syncs");
}

#[tokio::test]
async fn an_unsynced_tail_is_lost_but_was_never_acknowledged() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..5).await;
    disk.hold_syncs();
    let mut done = append(&mut log, (5..9).map(command).collect()).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(done.try_recv().is_err());
    disk.crash(CrashTail::default());
    drop(log);
    let mut log = open(&disk, None).unwrap();
    assert_eq!(entries(&mut log).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_the_log_goes_on_behind_it() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..5).await;
    disk.hold_syncs();
    let _done = append(&mut log, (5..9).map(command).collect()).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    disk.crash(CrashTail { batches: 0, torn: true });
    drop(log);
    assert!(disk.opened().get(&entry_key(6)).unwrap().is_some(), "the tear left half an entry");
    let mut log = open(&disk, None).unwrap();
    assert_eq!(entries(&mut log).await, [0, 1, 2, 3, 4, 5]);
    assert!(disk.opened().get(&entry_key(6)).unwrap().is_none());
    append_synced(&mut log, 6..8).await;
    log.close().await.unwrap();
    assert_eq!(entries(&mut open(&disk, None).unwrap()).await, [0, 1, 2, 3, 4, 5, 6, 7]);
}

fn refusal(disk: &MemoryLogDisk, applied: Option<LogId>) -> String {
    match open(disk, applied) {
        Err(RaftError::Corrupt(what)) => what,
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("opened"),
    }
}

#[tokio::test]
async fn a_corrupt_middle_refuses_to_open_and_says_what_to_do() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..9).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    assert!(disk.flip_bit(&entry_key(4), 300));
    let what = refusal(&disk, None);
    assert!(what.contains("entry 4 is damaged"), "{what}");
    assert!(what.contains("restore this node from a backup"), "{what}");
}

#[tokio::test]
async fn a_missing_entry_refuses_to_open() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..9).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    assert!(disk.lose(&entry_key(4)));
    assert!(refusal(&disk, None).contains("entries 4 to 4 are missing"));
}

#[tokio::test]
async fn a_damaged_last_entry_that_was_committed_refuses_to_open() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    assert!(disk.flip_bit(&entry_key(2), 300));
    assert!(refusal(&disk, Some(log_id(1, 2))).contains("was committed"));
    assert!(open(&disk, Some(log_id(1, 1))).is_ok(), "uncommitted, it is a torn tail");
}

#[tokio::test]
async fn a_log_that_ends_before_the_state_refuses_to_open() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    assert!(refusal(&disk, Some(log_id(1, 7))).contains("the state has applied entry 7"));
}

/// Of a state that had applied up to an entry when the log was synced before another.
fn leading(applied: u64, log_end: u64) -> Mark {
    Mark { applied: Some(log_id(1, applied)), log_end: Some(log_end), ..Mark::default() }
}

#[tokio::test]
async fn a_log_that_others_were_quicker_to_write_goes_on_behind_the_state() {
    // The power went before this log was synced; or in the middle of that; and the state had been flushed.
    for torn in [false, true] {
        let disk = MemoryLogDisk::new();
        let health = Arc::new(Health::default());
        let mut log = open(&disk, None).unwrap();
        append_synced(&mut log, 0..3).await;
        assert_eq!(log.written_end(), 3);
        disk.fail_syncs();
        drop(append(&mut log, vec![command(3)]).await.await);
        assert_eq!(log.written_end(), 3);
        disk.crash(CrashTail { batches: 0, torn });
        assert_eq!(disk.opened().get(&entry_key(3)).unwrap().is_some(), torn);
        drop(log);
        let mut log = open_at(&disk, &leading(3, 3), 1024, &health).unwrap();
        assert_eq!(entries(&mut log).await, Vec::<u64>::new());
        let state = RaftLogStorage::<T>::get_log_state(&mut log).await.unwrap();
        assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(1, 3)), Some(log_id(1, 3))));
        append_synced(&mut log, 4..6).await;
        log.close().await.unwrap();
        disk.crash(CrashTail::default());
        let mut log = open_with(&disk, Some(log_id(1, 4)), 1024, &health).unwrap();
        assert_eq!(entries(&mut log).await, [4, 5]);
        log.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_lost_what_it_had_when_the_state_led_refuses_to_open() {
    let disk = MemoryLogDisk::new();
    let health = Arc::new(Health::default());
    let refused = |disk: &MemoryLogDisk, mark: &Mark| {
        open_at(disk, mark, 1024, &health).err().map(|error| error.to_string()).expect("it is refused")
    };
    // There is none; or that of an old backup.
    assert!(refused(&disk, &leading(7, 5)).contains("the state has applied entry 7"));
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..4).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    let why = refused(&disk, &leading(7, 5));
    assert!(why.contains("the log ends before entry 4, and the state has applied entry 7"), "{why}");
    assert!(refused(&disk, &leading(7, 9)).contains("the state has applied entry 7"));
    // What is damaged was on disk, or something good stands behind it.
    assert!(disk.flip_bit(&entry_key(2), 300));
    let why = refused(&disk, &leading(3, 2));
    assert!(why.contains("a good entry 3 stands behind it"), "{why}");
    assert!(disk.flip_bit(&entry_key(3), 300));
    let why = refused(&disk, &leading(3, 3));
    assert!(why.contains("entry 2 is damaged, and was committed"), "{why}");
    assert!(open_at(&disk, &leading(3, 2), 1024, &health).is_ok());
}

#[tokio::test]
async fn a_log_that_ends_before_a_state_from_a_peer_goes_on_behind_it() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    log.close().await.unwrap();
    // The state was installed, and the power went before the log was purged; or after more had been appended.
    for appended in [false, true] {
        disk.crash(CrashTail::default());
        let mark = Mark { applied: Some(log_id(1, 7)), installed: Some(log_id(1, 7)), ..Mark::default() };
        let mut log = open_at(&disk, &mark, 1024, &Arc::new(Health::default())).unwrap();
        assert_eq!(entries(&mut log).await, if appended { vec![8, 9] } else { vec![] });
        let state = RaftLogStorage::<T>::get_log_state(&mut log).await.unwrap();
        assert_eq!(state.last_purged_log_id, Some(log_id(1, 7)));
        if !appended {
            append_synced(&mut log, 8..10).await;
        }
        log.close().await.unwrap();
    }
}

/// Why a program that knows less does not open it.
fn too_old(disk: &MemoryLogDisk) -> String {
    match open(disk, None) {
        Err(error @ RaftError::Unsupported(_)) => error.to_string(),
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("opened"),
    }
}

/// Writes a record as a newer program would: its checksum is right.
fn rewrite(disk: &MemoryLogDisk, key: Bytes, at: usize, value: u8) {
    let opened = disk.opened();
    let mut bytes = opened.get(&key).unwrap().unwrap().to_vec();
    bytes.truncate(bytes.len() - 8);
    bytes[at] = value;
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let ops = vec![LogOp::Put { key, value: bytes.into() }];
    opened.write(LogBatch { ops }, Sync::Now).unwrap();
}

#[tokio::test]
async fn a_log_of_a_newer_program_refuses_to_open_and_loses_nothing() {
    let disk = MemoryLogDisk::new();
    let ops = vec![LogOp::Put { key: Bytes::from_static(&[1]), value: Bytes::from_static(&[9]) }];
    disk.opened().write(LogBatch { ops }, Sync::Now).unwrap();
    assert!(too_old(&disk).contains("format 9"));

    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    // The last one, of which nobody here knows that it was committed: were it damaged, it would be cut off.
    for (at, value, text) in [(1, 77, "kind 77"), (0, 2, "format 2")] {
        rewrite(&disk, entry_key(2), at, value);
        let what = too_old(&disk);
        assert!(what.contains("entry 2") && what.contains(text), "{what}");
        assert!(what.contains("start the version that wrote it"), "{what}");
        assert!(disk.opened().get(&entry_key(2)).unwrap().is_some(), "it was cut off");
    }
}

#[tokio::test]
async fn a_log_whose_state_was_taken_away_refuses_to_open() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..9).await;
    RaftLogStorage::<T>::purge(&mut log, log_id(1, 5)).await.unwrap();
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    let what = refusal(&disk, None);
    assert!(what.contains("begins with entry 6") && what.contains("applied nothing"), "{what}");
    assert!(refusal(&disk, Some(log_id(1, 4))).contains("only up to entry 4"));
    assert!(open(&disk, Some(log_id(1, 5))).is_ok());
}

#[tokio::test]
async fn the_vote_survives_a_crash() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    let vote = Vote::new_committed(7, 1);
    RaftLogStorage::<T>::save_vote(&mut log, &vote).await.unwrap();
    disk.crash(CrashTail::default());
    drop(log);
    let mut log = open(&disk, None).unwrap();
    assert_eq!(RaftLogReader::<T>::read_vote(&mut log).await.unwrap(), Some(vote));
}

#[tokio::test]
async fn a_failed_sync_stops_writes_until_the_log_is_reopened() {
    let disk = MemoryLogDisk::new();
    let health = Arc::new(Health::default());
    let mut log = open_with(&disk, None, 1024, &health).unwrap();
    append_synced(&mut log, 0..3).await;
    disk.fail_syncs();
    assert!(append(&mut log, vec![command(3)]).await.await.unwrap().is_err());
    let syncs = disk.syncs();
    assert!(append(&mut log, vec![command(4)]).await.await.unwrap().is_err());
    assert!(RaftLogStorage::<T>::save_vote(&mut log, &Vote::new(9, 1)).await.is_err());
    assert_eq!(disk.syncs(), syncs, "the disk was written after the failure");
    assert!(matches!(health.failed(), Some(RaftError::DiskFailed(_))));
    assert!(log.close().await.is_err());
    disk.crash(CrashTail::default());
    let mut log = open(&disk, None).unwrap();
    assert_eq!(entries(&mut log).await, [0, 1, 2]);
    append_synced(&mut log, 3..4).await;
}

#[tokio::test]
async fn what_was_committed_is_known_again_from_the_entries_written_after() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    save_committed(&mut log, 2).await;
    append_synced(&mut log, 3..5).await;
    save_committed(&mut log, 4).await;
    disk.crash(CrashTail::default());
    drop(log);
    let log = open(&disk, None).unwrap();
    assert_eq!(log.committed(), Some(log_id(1, 2)));
}

#[tokio::test]
async fn the_uncommitted_tail_is_synced_again_at_open() {
    let disk = MemoryLogDisk::new();
    let mut log = open(&disk, None).unwrap();
    append_synced(&mut log, 0..3).await;
    // In the system's memory, but never synced: what a process killed after a failed sync leaves.
    let stray = super::disk::LogBatch {
        ops: vec![super::disk::LogOp::Put {
            key: entry_key(3),
            value: super::codec::encode_entry(&command(3), None),
        }],
    };
    disk.opened().write(stray, Sync::Later).unwrap();
    drop(log);
    let log = open(&disk, None).unwrap();
    disk.crash(CrashTail::default());
    drop(log);
    assert_eq!(entries(&mut open(&disk, None).unwrap()).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn purged_entries_are_gone_and_stay_so() {
    let disk = MemoryLogDisk::new();
    let mut log = open_with(&disk, None, 64, &Arc::new(Health::default())).unwrap();
    append_synced(&mut log, 0..9).await;
    RaftLogStorage::<T>::purge(&mut log, log_id(1, 5)).await.unwrap();
    assert_eq!(entries(&mut log).await, [6, 7, 8]);
    assert!(disk.opened().get(&entry_key(5)).unwrap().is_none());
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    let mut log = open(&disk, Some(log_id(1, 8))).unwrap();
    assert_eq!(entries(&mut log).await, [6, 7, 8]);
    let state = RaftLogStorage::<T>::get_log_state(&mut log).await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(1, 5)), Some(log_id(1, 8))));
    RaftLogStorage::<T>::purge(&mut log, log_id(1, 8)).await.unwrap();
    log.close().await.unwrap();
    disk.crash(CrashTail::default());
    let mut log = open(&disk, Some(log_id(1, 8))).unwrap();
    assert_eq!(entries(&mut log).await, [] as [u64; 0]);
    append_synced(&mut log, 9..10).await;
    assert_eq!(entries(&mut log).await, [9]);
}

#[tokio::test]
async fn old_entries_are_read_back_from_disk_and_checked() {
    let disk = MemoryLogDisk::new();
    let health = Arc::new(Health::default());
    let mut log = open_with(&disk, None, 200, &health).unwrap();
    for index in 0..50 {
        append_synced(&mut log, index..index + 1).await;
    }
    assert_eq!(entries(&mut log).await, (0..50).collect::<Vec<_>>());
    let some = RaftLogReader::<T>::try_get_log_entries(&mut log, 45..=48).await.unwrap();
    assert_eq!(some, (45..=48).map(command).collect::<Vec<_>>());
    assert!(disk.flip_bit(&entry_key(7), 300));
    assert!(RaftLogReader::<T>::try_get_log_entries(&mut log, 5..10).await.is_err());
    assert!(matches!(health.failed(), Some(RaftError::Corrupt(_))), "{:?}", health.failed());
}
