//! Stores that write one log: what becomes of one that was away for longer than the log is kept.

use std::collections::BTreeMap;

use api::{Change, ErrorKind, Version};
use parking_lot::Mutex;
use raft::transport::switchboard::Switchboard;
use raft::{Bootstrap, Leadership, Member, Peers, RaftSettings, SystemClock};
use tokio::time::Instant;

use super::*;
use crate::command::SEMANTICS_LEVEL;
use crate::db::ScanSource;
use crate::db::home::StateHome;
use crate::db::memory::{CrashTail, Fault, MemoryDisk, MemoryHome, WriteAheadLog};
use crate::error::OpenError;

/// How long anything may take here, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an item that fills the log: the log is cut in steps of 16 MiB.
const LARGE: usize = 380_000;
const FILLING: i64 = 48;

/// Notes where the feed was cut, and whether it ever ran back.
#[derive(Default)]
pub(super) struct Feed {
    gaps: Mutex<Vec<Version>>,
    newest: Mutex<u64>,
}

impl Feed {
    pub(super) fn gaps(&self) -> usize {
        self.gaps.lock().len()
    }

    fn reached(&self, index: u64) {
        let mut newest = self.newest.lock();
        assert!(index >= *newest, "told of {index} after {newest}");
        *newest = index;
    }
}

impl ChangeSink for Feed {
    fn raise(&self, _: &[Change]) {}
    fn publish(&self, _: &[Change], applied: Version) {
        self.reached(applied.index);
    }
    fn table_changed(&self, _: &Arc<api::Table>, _: bool) {}
    fn gap(&self, applied: Version) {
        self.reached(applied.index);
        self.gaps.lock().push(applied);
    }
}

pub(super) struct Place {
    pub(super) log: MemoryDisk,
    pub(super) home: MemoryHome,
    pub(super) feed: Arc<Feed>,
    pub(super) store: Option<Arc<Embedded>>,
}

impl Place {
    fn new() -> Place {
        Place {
            log: MemoryDisk::new(WriteAheadLog::On),
            home: MemoryHome::new(MemoryDisk::new(WriteAheadLog::Off)),
            feed: Arc::default(),
            store: None,
        }
    }

    /// Index of the first entry in the log.
    fn first_entry(&self) -> u64 {
        let durable = self.log.durable();
        let first = durable.iter().find(|(key, _)| key.first() == Some(&16));
        first.map_or(u64::MAX, |(key, _)| u64::from_be_bytes(key[1..].try_into().unwrap()))
    }
}

pub(super) struct Group {
    pub(super) board: Switchboard,
    pub(super) places: BTreeMap<u64, Place>,
    pub(super) settings: RaftSettings,
    /// The newest level that programs which are opened from now on support.
    pub(super) level: u32,
}

pub(super) fn address(id: u64) -> String {
    format!("node-{id}:8501")
}

pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not within {PATIENCE:?}: {what}");
}

impl Group {
    /// Members 1 to `count`, begun together, whose log is soon gone, and the table that the tests write to.
    pub(super) async fn of(count: u64) -> Group {
        Group::at_level(count, SEMANTICS_LEVEL).await
    }

    /// The same, of programs that support this level.
    pub(super) async fn at_level(count: u64, level: u32) -> Group {
        let settings = RaftSettings {
            keep_log_bytes: 0,
            recent_bytes: 1024,
            flush_after_log_bytes: 1024 * 1024,
            ..RaftSettings::default()
        };
        let (board, places) = (Switchboard::default(), BTreeMap::new());
        let mut group = Group { board, places, settings, level };
        let members = (1..=count).map(|id| (id, Member::new(address(id)))).collect();
        for id in 1..=count {
            group.open(id, Bootstrap::Members(BTreeMap::clone(&members)));
        }
        eventually("the table is made", async || group.primary().await.send(cx(), create()).await.ok()).await;
        for id in 1..=count {
            let store = group.store(id);
            eventually("the table is known", async || {
                api::service::Catalog::table(&*store, &name())
                    .is_some_and(|table| table.status == Status::Active)
                    .then_some(())
            })
            .await;
        }
        group
    }

    pub(super) fn try_open(&mut self, id: u64, bootstrap: Bootstrap) -> Result<(), OpenError> {
        let place = self.places.entry(id).or_insert_with(Place::new);
        place.feed = Arc::default();
        let raft = RaftSettings { node_id: id, address: address(id), bootstrap, ..self.settings.clone() };
        let network = Some(Peers::new(self.board.transport(&address(id))));
        let settings = EmbeddedSettings { raft, network, ..EmbeddedSettings::default() };
        let surroundings =
            Surroundings { clock: Arc::new(SystemClock::new()), entropy: Arc::new(SeededEntropy::new(id)) };
        let store = Embedded::open_at(
            self.level,
            settings,
            Arc::new(place.log.open()),
            Arc::new(place.home.current().open()),
            Arc::new(place.home.clone()) as Arc<dyn StateHome>,
            surroundings,
            Arc::clone(&place.feed) as Arc<dyn ChangeSink>,
        )?;
        place.store = Some(Arc::new(store));
        Ok(())
    }

    pub(super) fn open(&mut self, id: u64, bootstrap: Bootstrap) {
        self.try_open(id, bootstrap).unwrap();
    }

    pub(super) fn store(&self, id: u64) -> Arc<Embedded> {
        Arc::clone(self.places[&id].store.as_ref().unwrap())
    }

    /// The power of a node goes.
    pub(super) async fn kill(&mut self, id: u64) {
        let place = self.places.get_mut(&id).unwrap();
        place.log.crash(CrashTail::default());
        place.home.current().crash(CrashTail::default());
        if let Some(store) = place.store.take() {
            let _ = store.close().await;
        }
    }

    pub(super) async fn stop(&mut self) {
        for place in self.places.values_mut() {
            if let Some(store) = place.store.take() {
                store.close().await.unwrap();
            }
        }
    }

    pub(super) async fn primary_id(&self) -> u64 {
        eventually("a primary", async || {
            let leads = |place: &&Place| {
                let store = place.store.as_ref();
                store.is_some_and(|store| {
                    matches!(*store.log().leadership().borrow(), Leadership::Leader { .. })
                })
            };
            self.places.iter().find(|(_, place)| leads(place)).map(|(id, _)| *id)
        })
        .await
    }

    pub(super) async fn primary(&self) -> Arc<Embedded> {
        self.store(self.primary_id().await)
    }

    pub(super) async fn replica_id(&self) -> u64 {
        let primary = self.primary_id().await;
        self.places.keys().copied().find(|id| *id != primary).unwrap()
    }

    pub(super) async fn put(&self, item: Item) {
        eventually("a write", async || match self.primary().await.send(cx(), put(item.clone())).await {
            Ok(_) => Some(()),
            Err(error) => {
                assert!(error.is_not_primary() || error.kind.is_retryable(), "{error:?}");
                None
            }
        })
        .await;
    }

    /// Writes until the log of all that run no longer has what came after a version.
    async fn forget(&self, since: Version) {
        for at in 0..FILLING {
            self.put(key("large", at).with("a", s(&"x".repeat(LARGE)))).await;
        }
        for (id, place) in self.places.iter().filter(|(_, place)| place.store.is_some()) {
            eventually(&format!("node {id} forgets"), async || {
                (place.first_entry() > since.index + 1).then_some(())
            })
            .await;
        }
    }

    /// What an eventually consistent read of a node finds, at which version.
    pub(super) async fn read(&self, id: u64, wanted: Item) -> (Option<Item>, Version) {
        let answer = self.store(id).call(cx(), get(wanted, false).into()).await.unwrap();
        match answer.response {
            api::Response::GetItem(found) => {
                (found.item.map(|body| body.into_item()), answer.version.unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a node has everything that is acknowledged, and compares it with the primary.
    pub(super) async fn agrees(&self, id: u64) {
        let primary = self.primary().await;
        let other = self.store(id);
        eventually(&format!("node {id} has caught up"), async || {
            (other.version() == primary.version()).then_some(())
        })
        .await;
        let records = |store: &Embedded| indexes::records(&store.core.state.shared(), &[0x20]);
        assert_eq!(records(&other), records(&primary), "node {id} has other items");
    }

    /// Makes durable what a node has applied.
    pub(super) async fn flush(&self, id: u64) {
        let (store, disk) = (self.store(id), self.places[&id].home.current());
        let flushed = disk.syncs();
        eventually("it is flushed", async || {
            store.log().flush().await.unwrap();
            // One may have been under way.
            (disk.syncs() > flushed + 1).then_some(())
        })
        .await;
    }

    /// Stops all but one, which has failed.
    pub(super) async fn stop_all_but(&mut self, failed: u64) {
        if let Some(store) = self.places.get_mut(&failed).and_then(|place| place.store.take()) {
            let _ = store.close().await;
        }
        self.stop().await;
    }

    /// The digest of a node's state.
    pub(super) fn digest(&self, id: u64) -> u64 {
        let applied = self.store(id).core.state.shared().get(&crate::kv::applied::KEY).unwrap().unwrap();
        crate::kv::applied::Applied::decode(&applied).unwrap().digest
    }

    /// Waits until a node has been compared with its primary twice: what was before the first is in the second.
    pub(super) async fn compared(&self, id: u64) {
        for at in 0..2 {
            let noted = self.store(id).core.published.noted();
            // An idle group compares nothing.
            self.put(key("compared", at)).await;
            eventually("a comparison", async || {
                (self.store(id).core.published.noted() != noted).then_some(())
            })
            .await;
        }
    }

    /// An empty node takes the place of one that is gone.
    pub(super) async fn replace(&mut self, gone: u64, new: u64) {
        self.open(new, Bootstrap::Join);
        self.places.remove(&gone);
        eventually("it is replaced", async || {
            let primary = self.primary().await;
            primary.log().add_learner(new, Member::new(address(new))).await.ok()?;
            let (promote, remove) = ([new].into(), [gone].into());
            primary.log().change_members(promote, remove).await.ok()
        })
        .await;
    }

    /// A replica that is gone, and whose log the others have forgotten.
    pub(super) async fn forget_for(group: &mut Group) -> u64 {
        let away = group.replica_id().await;
        group.agrees(away).await;
        let version = group.store(away).version();
        group.kill(away).await;
        group.forget(version).await;
        away
    }

    /// A replica that is gone, and whose log the others have forgotten.
    async fn bereft() -> (Group, u64, Version) {
        let mut group = Group::of(3).await;
        group.put(key("old", 1)).await;
        let away = group.replica_id().await;
        group.agrees(away).await;
        let store = group.store(away);
        // So that an opening finds it, whatever the crash takes.
        let version = store.version();
        drop(store);
        group.flush(away).await;
        group.kill(away).await;
        group.forget(version).await;
        (group, away, version)
    }
}

#[test]
fn a_node_that_was_away_too_long_is_brought_up_by_a_state_while_writes_go_on() {
    run(async {
        let (mut group, away, version) = Group::bereft().await;
        let incarnation = version.incarnation;
        group.open(away, Bootstrap::Join);
        let found = group.store(away).version();
        assert_eq!(found.at_least(&version), Some(true), "what it had is there at once");
        let mut last = Version::default();
        let mut counted = 0;
        for at in 1..=200 {
            group.put(key("counter", 0).with("n", n(at))).await;
            let (found, seen) = group.read(away, key("counter", 0)).await;
            assert!(seen.at_least(&last).unwrap_or(true), "{seen:?} after {last:?}");
            last = seen;
            let found = found.map_or(0, |item| match item.get("n") {
                Some(AttributeValue::N(number)) => number.to_string().parse().unwrap(),
                other => panic!("{other:?}"),
            });
            assert!(found >= counted, "{found} after {counted}");
            counted = found;
            let (old, _) = group.read(away, key("old", 1)).await;
            assert!(old.is_some(), "it was there before, and nobody has deleted it");
        }
        group.agrees(away).await;
        let gaps = group.places[&away].feed.gaps.lock().clone();
        assert_eq!(gaps.len(), 2, "at the opening, and when the state was installed: {gaps:?}");
        assert!(gaps[1].index > version.index && gaps[1].incarnation == incarnation);
        assert_eq!(group.places[&away].home.begun(), 1);
        // Under its old id, and a voter as before: with the other replica gone a write needs it.
        let primary = group.primary_id().await;
        let third = [1, 2, 3].into_iter().find(|id| ![primary, away].contains(id)).unwrap();
        group.kill(third).await;
        group.put(key("new", 1)).await;
        group.agrees(away).await;
        group.stop().await;
    });
}

/// Of a table that was made again the reader must not see the records of one and the schema of the other.
#[test]
fn a_read_while_a_state_takes_anothers_place_is_of_one_of_them() {
    run(async {
        let (mut group, away, _) = Group::bereft().await;
        let primary = group.primary().await;
        primary.send(cx(), api::op::DeleteTableInput { table: name() }).await.unwrap();
        until(&primary, Result::is_err).await;
        primary.send(cx(), create()).await.unwrap();
        active(&primary).await;
        group.put(key("old", 1).with("again", n(1))).await;
        group.open(away, Bootstrap::Join);
        let store = group.store(away);
        let reader = std::thread::spawn(move || {
            let (mut seen, mut reads) = (Version::default(), 0_u64);
            loop {
                let answer =
                    store.core.read_from(ScanSource::All, &get(key("old", 1), false).into()).unwrap();
                let version = answer.version.unwrap();
                assert_ne!(version.at_least(&seen), Some(false), "{version:?} after {seen:?}");
                seen = version;
                reads += 1;
                let api::Response::GetItem(found) = answer.response else { panic!("{answer:?}") };
                let item = found.item.expect("it is in both states").into_item();
                if item.get("again").is_some() {
                    return reads;
                }
            }
        });
        group.agrees(away).await;
        assert!(reader.join().unwrap() > 1);
        assert_eq!(group.places[&away].home.begun(), 1);
        group.stop().await;
    });
}

#[test]
fn a_state_that_was_cut_off_or_changed_on_the_way_is_refused_and_sent_again() {
    run(async {
        let (mut group, away, _) = Group::bereft().await;
        let primary = group.primary_id().await;
        for flip in [false, true] {
            let before = group.places[&away].home.begun();
            let (from, to) = (address(primary), address(away));
            if flip {
                group.board.flip_after(&from, &to, 5_000_000);
            } else {
                group.board.cut_after(&from, &to, 5_000_000);
            }
            group.open(away, Bootstrap::Join);
            group.agrees(away).await;
            assert!(group.board.was_harmed(&from, &to));
            let begun = group.places[&away].home.begun() - before;
            assert!(begun >= 2, "begun {begun} times, flip: {flip}");
            assert_eq!(group.places[&away].feed.gaps.lock().len(), 2, "one was installed");
            let version = group.store(away).version();
            group.kill(away).await;
            group.forget(version).await;
        }
        group.stop().await;
    });
}

#[test]
fn a_full_disk_refuses_the_state_and_what_there_was_is_read_on() {
    run(async {
        let (mut group, away, version) = Group::bereft().await;
        let home = group.places[&away].home.clone();
        for passing in [0, 3, 20] {
            let before = home.begun();
            home.order_fault(passing, Fault::Full);
            if group.places[&away].store.is_none() {
                group.open(away, Bootstrap::Join);
            }
            eventually("it is refused", async || {
                let (old, seen) = group.read(away, key("old", 1)).await;
                assert!(old.is_some() && seen.at_least(&version) == Some(true));
                assert!(group.store(away).ready().is_ok(), "a state that was refused stops nothing");
                (home.begun() > before).then_some(())
            })
            .await;
            group.agrees(away).await;
            assert!(home.begun() >= before + 2, "the first attempt cannot have come to its end");
            group.kill(away).await;
            group.forget(group.primary().await.version()).await;
        }
        group.stop().await;
    });
}

#[test]
fn a_crash_at_any_point_of_an_installation_leaves_the_old_state_or_the_new() {
    #[derive(Debug, Clone, Copy)]
    enum Point {
        Write(u64, Fault),
        Switch(Fault),
    }
    run(async {
        let (mut group, away, mut version) = Group::bereft().await;
        let home = group.places[&away].home.clone();
        let mut points: Vec<Point> = Vec::new();
        for passing in [0, 1, 10] {
            points.extend([Fault::CrashBefore, Fault::CrashAfter].map(|fault| Point::Write(passing, fault)));
        }
        points.extend([Fault::CrashBefore, Fault::CrashAfter, Fault::Sync, Fault::Full].map(Point::Switch));
        for point in points {
            match point {
                Point::Write(passing, fault) => home.order_fault(passing, fault),
                Point::Switch(fault) => home.order_switch_fault(fault),
            }
            let before = home.begun();
            group.open(away, Bootstrap::Join);
            eventually("it is met", async || match point {
                Point::Write(..) => (home.begun() > before).then_some(()),
                Point::Switch(_) => group.store(away).ready().is_err().then_some(()),
            })
            .await;
            group.kill(away).await;
            group.open(away, Bootstrap::Join);
            let found = group.store(away).version();
            assert!(found.at_least(&version) == Some(true), "{found:?} after {version:?} at {point:?}");
            let (old, _) = group.read(away, key("old", 1)).await;
            assert!(old.is_some(), "neither the old state nor the new, at {point:?}");
            group.agrees(away).await;
            version = group.store(away).version();
            group.flush(away).await;
            group.kill(away).await;
            group.forget(version).await;
        }
        group.stop().await;
    });
}

#[test]
fn a_node_that_stops_while_it_sends_a_state_stops_soon_and_lets_go_of_everything() {
    run(async {
        let (mut group, away, _) = Group::bereft().await;
        let primary = group.primary_id().await;
        group.open(away, Bootstrap::Join);
        let home = group.places[&away].home.clone();
        eventually("it is sent", async || (home.begun() > 0).then_some(())).await;
        group.board.block(&address(primary), &address(away));
        let store = group.places.get_mut(&primary).unwrap().store.take().unwrap();
        let state = Arc::downgrade(&store.core.state.shared());
        let begun = Instant::now();
        store.close().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(store);
        eventually("nothing holds the state", async || (state.strong_count() == 0).then_some(())).await;
        group.board.heal();
        group.open(primary, Bootstrap::Join);
        group.agrees(away).await;
        group.stop().await;
    });
}

#[test]
fn a_replica_refuses_writes_and_strong_reads_certainly_without_effect() {
    run(async {
        let mut group = Group::of(3).await;
        let replica = group.replica_id().await;
        let store = group.store(replica);
        let refused = store.send(cx(), put(key("a", 1))).await.unwrap_err();
        assert!(refused.is_not_primary(), "{refused:?}");
        assert_ne!(refused.kind, ErrorKind::ValidationException);
        let refused = store.send(cx(), get(key("a", 1), true)).await.unwrap_err();
        assert!(refused.is_not_primary(), "{refused:?}");
        group.agrees(replica).await;
        assert!(group.read(replica, key("a", 1)).await.0.is_none());
        group.stop().await;
    });
}
