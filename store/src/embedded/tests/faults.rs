//! What stands after a crash, what a failed disk allows, and in which order the feed tells of changes.

use api::Detail;
use raft::RaftError;
use std::sync::{Mutex, OnceLock, Weak};

use api::op::{BatchGetItemInput, PutItemInput, TableKeys};
use api::{Answer, Change, DynamoDb, ErrorKind, Image, Table, Version};

use super::*;
use crate::db::ScanSource;
use crate::db::memory::{CrashTail, Fault, MemoryDisk, WriteAheadLog};
use crate::embedded::Core;
use crate::embedded::{from_raft, from_raft_read};
use crate::published::Published;

pub(super) struct Disks {
    log: MemoryDisk,
    state: MemoryDisk,
}

impl Disks {
    pub(super) fn new() -> Disks {
        Disks { log: MemoryDisk::new(WriteAheadLog::On), state: MemoryDisk::new(WriteAheadLog::Off) }
    }

    pub(super) fn open(&self) -> Embedded {
        Embedded::open(
            EmbeddedSettings::default(),
            Arc::new(self.log.open()),
            Arc::new(self.state.open()),
            surroundings(Arc::default()),
            Arc::new(()),
        )
        .unwrap()
    }

    pub(super) fn crash(&self) {
        self.log.crash(CrashTail::default());
        self.state.crash(CrashTail::default());
    }
}

#[test]
fn every_acknowledged_write_is_there_after_a_crash() {
    let disks = Disks::new();
    run(async {
        let mut incarnation = None;
        for round in 0..4 {
            let store = disks.open();
            let version = store.version();
            assert_eq!(*incarnation.get_or_insert(version.incarnation), version.incarnation);
            if round == 0 {
                store.send(cx(), create_indexed()).await.unwrap();
            }
            active(&store).await;
            for at in 0..round * 20 {
                assert!(item(&store, key("a", at)).await.is_some(), "item {at} of {round}");
            }
            assert_eq!(describe(&store).await.unwrap().size.items, round as u64 * 20);
            for at in round * 20..(round + 1) * 20 {
                store.send(cx(), put(key("a", at).with("g", s("x")))).await.unwrap();
            }
            if round == 2 {
                store.close().await.unwrap();
            } else {
                disks.crash();
            }
        }
    });
}

#[test]
fn a_failed_sync_refuses_writes_and_keeps_reads() {
    let disks = Disks::new();
    run(async {
        let store = disks.open();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        store.send(cx(), put(key("a", 1))).await.unwrap();
        assert!(store.ready().is_ok());
        disks.log.order_fault(0, Fault::Sync);
        let failed = store.send(cx(), put(key("a", 2))).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::InternalServerError);
        let refused = store.send(cx(), put(key("a", 3))).await.unwrap_err();
        assert!(refused.message.contains("takes no writes"), "{}", refused.message);
        assert!(store.ready().is_err());
        let read = store.send(cx(), get(key("a", 1), false)).await.unwrap();
        assert!(read.item.is_some(), "reads go on");
        drop(store);
        disks.crash();
        let store = disks.open();
        assert!(item(&store, key("a", 1)).await.is_some());
        store.send(cx(), put(key("a", 4))).await.unwrap();
    });
}

#[test]
fn a_store_of_another_format_is_refused_with_what_to_do() {
    let disks = Disks::new();
    let state = disks.state.open();
    let mut batch = crate::db::Batch::new();
    batch.put(&crate::kv::format::KEY[..], crate::kv::format::encode(99));
    crate::db::Db::write(&state, batch, crate::db::Durability::Buffered).unwrap();
    crate::db::Db::flush(&state).unwrap();
    let opened = Embedded::open(
        EmbeddedSettings::default(),
        Arc::new(disks.log.open()),
        Arc::new(disks.state.open()),
        surroundings(Arc::default()),
        Arc::new(()),
    );
    let Err(error) = opened else { panic!("it opened") };
    assert!(error.to_string().contains("format 99"), "{error}");
}

#[test]
fn a_read_waits_briefly_for_the_version_it_asks_for() {
    run(async {
        let store = store();
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        let written = store.call(cx(), put(key("a", 1)).into()).await.unwrap().version.unwrap();
        let at = |version| Context { min_version: Some(version), ..cx() };
        let read = store.call(at(written), get(key("a", 1), false).into()).await.unwrap();
        assert_eq!(read.version.unwrap().at_least(&written), Some(true));
        let later = Version { index: written.index + 1_000_000, ..written };
        let refused = store.call(at(later), get(key("a", 1), false).into()).await.unwrap_err();
        assert!(refused.kind.is_retryable());
        let elsewhere = Version { incarnation: written.incarnation ^ 1, ..later };
        assert!(store.call(at(elsewhere), get(key("a", 1), false).into()).await.is_ok());
    });
}

/// Writes down the feed, and whether each change was visible when it was told of.
#[derive(Default)]
struct Recorder {
    published: OnceLock<Arc<Published>>,
    events: Mutex<Vec<Event>>,
}

#[derive(Debug)]
enum Event {
    Raised { first: Version, shown: Version },
    Published { changes: Vec<Change>, applied: Version, shown: Version },
    Table { dropped: bool },
}

impl Recorder {
    fn shown(&self) -> Version {
        self.published.get().map(|published| published.version()).unwrap_or_default()
    }
}

impl ChangeSink for Recorder {
    fn raise(&self, changes: &[Change]) {
        let event = Event::Raised { first: changes[0].version, shown: self.shown() };
        self.events.lock().unwrap().push(event);
    }
    fn publish(&self, changes: &[Change], applied: Version) {
        let event = Event::Published { changes: changes.to_vec(), applied, shown: self.shown() };
        self.events.lock().unwrap().push(event);
    }
    fn table_changed(&self, _: &Arc<Table>, dropped: bool) {
        self.events.lock().unwrap().push(Event::Table { dropped });
    }
    fn gap(&self, _: Version) {}
}

#[test]
fn the_feed_raises_before_a_write_shows_and_publishes_before_it_is_acknowledged() {
    run(async {
        let recorder = Arc::new(Recorder::default());
        let store = store_with(Arc::default(), Arc::clone(&recorder) as Arc<dyn ChangeSink>);
        recorder.published.set(Arc::clone(&store.core.published)).ok().unwrap();
        store.send(cx(), create_indexed()).await.unwrap();
        active(&store).await;
        recorder.events.lock().unwrap().clear();
        let first = key("a", 1).with("g", s("x"));
        let second = key("a", 1).with("g", s("y"));
        let input: PutItemInput = put(first.clone());
        let acknowledged = store.call(cx(), input.into()).await.unwrap().version.unwrap();
        {
            let events = recorder.events.lock().unwrap();
            let Event::Raised { first: raised, shown } = &events[0] else { panic!("{events:?}") };
            assert_eq!(*raised, acknowledged);
            assert_eq!(shown.at_least(raised), Some(false), "not visible yet");
            let Event::Published { changes, applied, shown } = &events[1] else { panic!("{events:?}") };
            assert_eq!(applied.at_least(&acknowledged), Some(true));
            assert_eq!(shown.at_least(&acknowledged), Some(false), "the version shows last");
            assert_eq!((&changes[0].old, changes[0].ordinal), (&Image::Absent, 0));
            assert_eq!(changes[0].indexes.len(), 1);
        }
        store.send(cx(), put(second.clone())).await.unwrap();
        store.send(cx(), put(second.clone())).await.unwrap();
        store.send(cx(), delete(key("missing", 1))).await.unwrap();
        let events = recorder.events.lock().unwrap();
        let changes: Vec<&Change> = events
            .iter()
            .filter_map(|event| match event {
                Event::Published { changes, .. } => Some(changes),
                Event::Raised { .. } | Event::Table { .. } => None,
            })
            .flatten()
            .collect();
        assert_eq!(changes.len(), 3, "deleting nothing is no change");
        assert_eq!(changes[1].old, Image::Present(api::EncodedItem::encode(&first)));
        assert_eq!(changes[1].new, Image::Present(api::EncodedItem::encode(&second)));
        assert_eq!(changes[1].indexes.len(), 2, "the partition it left and the one it came to");
        assert_eq!(changes[2].indexes.len(), 0, "an entry that stays is no change of the index");
        assert!(changes.windows(2).all(|pair| pair[0].version.index < pair[1].version.index));
        assert!(changes.windows(2).all(|pair| pair[0].log_time_millis <= pair[1].log_time_millis));
    });
}

/// Reads, while a write is committed but not published yet, what it wrote.
#[derive(Default)]
struct Peeking {
    core: OnceLock<Weak<Core>>,
    answers: Mutex<Vec<(Version, Answer)>>,
}

impl ChangeSink for Peeking {
    fn raise(&self, _: &[Change]) {}
    fn publish(&self, changes: &[Change], applied: Version) {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return };
        if changes.is_empty() {
            return;
        }
        let keys = TableKeys { table: name(), keys: vec![key("a", 1)], projection: None, consistent: false };
        let batch = BatchGetItemInput { tables: vec![keys], return_capacity: ReturnConsumedCapacity::None };
        for request in [get(key("a", 1), false).into(), batch.into()] {
            let answer = core.read_from(ScanSource::Resident, &request).unwrap();
            self.answers.lock().unwrap().push((applied, answer));
        }
    }
    fn table_changed(&self, _: &Arc<Table>, _: bool) {}
    fn gap(&self, _: Version) {}
}

#[test]
fn what_is_read_between_commit_and_publication_is_told_with_its_own_version() {
    run(async {
        let peeking = Arc::new(Peeking::default());
        let store = store_with(Arc::default(), Arc::clone(&peeking) as Arc<dyn ChangeSink>);
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        peeking.core.set(Arc::downgrade(&store.core)).ok().unwrap();
        store.send(cx(), put(key("a", 1))).await.unwrap();
        let answers = std::mem::take(&mut *peeking.answers.lock().unwrap());
        assert_eq!(answers.len(), 2);
        for (committed, answer) in answers {
            let seen = match answer.response {
                api::Response::GetItem(output) => output.item.is_some(),
                api::Response::BatchGetItem(output) => output.responses[0].1.len() == 1,
                other => panic!("{other:?}"),
            };
            assert!(seen, "the write is committed");
            assert_eq!(answer.version, Some(committed));
        }
        let after = store.call(cx(), get(key("a", 1), false).into()).await.unwrap();
        assert_eq!(after.version, Some(store.version()));
    });
}

#[test]
fn tables_are_announced_when_made_altered_and_dropped() {
    run(async {
        let recorder = Arc::new(Recorder::default());
        let store = store_with(Arc::default(), Arc::clone(&recorder) as Arc<dyn ChangeSink>);
        store.send(cx(), create()).await.unwrap();
        active(&store).await;
        store.send(cx(), api::op::DeleteTableInput { table: name() }).await.unwrap();
        until(&store, |table| table.is_err()).await;
        let events = recorder.events.lock().unwrap();
        let told: Vec<bool> = events
            .iter()
            .filter_map(|event| match event {
                Event::Table { dropped } => Some(*dropped),
                Event::Raised { .. } | Event::Published { .. } => None,
            })
            .collect();
        assert_eq!(told, [false, false, false, true], "creating, active, deleting, gone");
    });
}

#[test]
fn what_the_log_says_of_a_proposal_reaches_the_caller_as_a_fact() {
    let leader = Some(raft::Peer { id: 7, address: "b:8501".to_owned() });
    let refused = from_raft(RaftError::NotLeader { leader: leader.clone() });
    assert!(refused.is_not_primary() && !refused.is_outcome_unknown() && refused.kind.is_retryable());
    assert_eq!(refused.detail.as_deref(), Some(&Detail::NotPrimary { primary: Some(7) }));
    for unknown in [
        RaftError::LeadershipLost { leader: leader.clone() },
        RaftError::DiskFailed("x".to_owned()),
        RaftError::Shutdown,
    ] {
        let error = from_raft(unknown.clone());
        assert!(error.is_outcome_unknown() && !error.is_not_primary(), "{unknown}");
        assert!(!from_raft_read(unknown).is_outcome_unknown(), "nothing was written");
    }
    assert_eq!(from_raft(RaftError::Overloaded).detail, None);
    for lost in [RaftError::NotLeader { leader: None }, RaftError::LeadershipLost { leader }] {
        assert!(from_raft_read(lost).is_not_primary());
    }
}
