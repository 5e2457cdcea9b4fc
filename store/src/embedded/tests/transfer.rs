//! A state on its way from one store to another, and what a reader finds when it has taken the other's place.

use api::{Change, Request, TableId, Version};
use bytes::Bytes;
use parking_lot::Mutex;
use raft::{ApplyBatch, StateMachine, StateTransfer};

use super::*;
use crate::apply::Applier;
use crate::attribute_lists::Demand;
use crate::command::{Body, Command, SEMANTICS_LEVEL};
use crate::db::home::{CurrentDb, FixedHome, NewState, StateHome, VolatileHome};
use crate::db::memory::MemoryDb;
use crate::db::{DbError, ScanSource, SharedDb};
use crate::engine;
use crate::engine::view::View;
use crate::kv;
use crate::kv::applied::Applied;
use crate::published::Published;
use crate::state::State;
use crate::transfer::Transfer;

/// What a consumer of the feed is told, as words, in order; and what readers could see at each gap.
#[derive(Default)]
struct Told {
    readers: Mutex<Option<(Arc<Published>, Arc<CurrentDb>)>>,
    words: Mutex<Vec<String>>,
}

impl ChangeSink for Told {
    fn raise(&self, _: &[Change]) {}
    fn publish(&self, _: &[Change], _: Version) {}
    fn table_changed(&self, table: &Arc<api::Table>, dropped: bool) {
        self.words.lock().push(format!("{} {dropped}", table.name));
    }
    fn gap(&self, applied: Version) {
        let readers = self.readers.lock();
        let shown = readers.as_ref().map_or(0, |(published, _)| published.version().index);
        let tables =
            readers.as_ref().map_or(0, |(_, db)| indexes::records(&db.shared(), &kv::table::PREFIX).len());
        self.words.lock().push(format!("gap {}: {shown}, {tables} tables", applied.index));
    }
}

struct Receiver {
    applier: Applier,
    current: Arc<CurrentDb>,
    published: Arc<Published>,
    told: Arc<Told>,
}

fn receiver(home: Arc<dyn StateHome>) -> Receiver {
    let db: SharedDb = Arc::new(MemoryDb::volatile());
    let current = Arc::new(CurrentDb::new(db));
    let published = Arc::new(Published::default());
    let told = Arc::new(Told::default());
    let sink: Arc<dyn ChangeSink> = Arc::clone(&told) as Arc<dyn ChangeSink>;
    let state = State::open(Arc::clone(&current), sink, Arc::clone(&published), SEMANTICS_LEVEL).unwrap();
    *told.readers.lock() = Some((Arc::clone(&published), Arc::clone(&current)));
    Receiver { applier: Applier::new(state, home), current, published, told }
}

fn transfer(store: &Embedded) -> Transfer {
    let current = Arc::clone(&store.core.state);
    Transfer { current, home: Arc::new(FixedHome), supported_level: SEMANTICS_LEVEL }
}

fn read(receiver: &Receiver, key: Item) -> Option<Item> {
    let db = receiver.current.shared();
    let tables = receiver.published.tables();
    let view = View::new(&db, &tables, ScanSource::All);
    match engine::read(&view, &Request::GetItem(get(key, false))).unwrap() {
        api::Response::GetItem(found) => found.item.map(|body| body.into_item()),
        other => panic!("{other:?}"),
    }
}

async fn filled(items: i64) -> Embedded {
    let store = store();
    store.send(cx(), create_indexed()).await.unwrap();
    active(&store).await;
    for at in 0..items {
        let large = key("a", at).with("g", s("g")).with("l", n(at)).with("a", s(&"x".repeat(40_000)));
        store.send(cx(), put(large)).await.unwrap();
    }
    let names: crate::attribute_lists::Names = vec!["g".to_owned(), "l".to_owned()].into();
    store.define_attribute_list(&cx(), names, Demand::Client).await.unwrap();
    store
}

#[test]
fn a_state_that_was_received_is_the_senders_to_the_byte_but_for_the_mark() {
    run(async {
        let store = filled(60).await;
        let mut receiver = receiver(Arc::new(VolatileHome));
        let before = Arc::clone(&receiver.current.load());
        let mut reader = transfer(&store).begin_send().unwrap();
        let version = store.version();
        // What comes later is not in the view.
        store.send(cx(), put(key("later", 1))).await.unwrap();
        let mut writer = receiver.applier.transfer().begin_receive().unwrap();
        let mut parts = 0;
        while let Some(part) = reader.read(512 * 1024).unwrap() {
            parts += 1;
            writer.write(part).unwrap();
        }
        assert!(parts >= 3, "{parts} parts of 2.4 MB");
        let received = writer.finish(Bytes::from_static(b"the receiver's mark")).unwrap();
        assert_eq!(receiver.published.version(), Version::default(), "nothing shows before it is installed");
        receiver.applier.install(received).unwrap();

        assert_eq!(receiver.published.version(), version);
        let words = receiver.told.words.lock().clone();
        assert_eq!(words, [format!("gap {}: 0, 0 tables", version.index), "things false".to_owned()]);
        assert_eq!(receiver.applier.mark().unwrap().unwrap(), "the receiver's mark");
        assert!(read(&receiver, key("a", 59)).is_some());
        assert_eq!(read(&receiver, key("later", 1)), None);
        let lists = receiver.published.attribute_lists();
        assert_eq!(lists.len(), store.attribute_lists().len());
        assert!(before.get(&kv::table::PREFIX).unwrap().is_none(), "who began before goes on with what was");

        // Both go on alike.
        let command = |index| {
            let request = Request::PutItem(put(key("after", index)));
            let basis = engine::admit(&store.core.published.tables(), &request).unwrap();
            let body = Body::Write { basis, request };
            Command { clock_millis: 5, entropy: 9, body }.encode()
        };
        let next = version.index + 1;
        let commands = [raft::Command { index: next, term: 1, payload: command(1) }];
        let mark = Bytes::from_static(b"next");
        let batch = ApplyBatch { commands: &commands, applied: next, mark: &mark };
        receiver.applier.apply(batch).unwrap();
        assert!(read(&receiver, key("after", 1)).is_some());
        assert_eq!(receiver.published.version().index, next);
        receiver.applier.durable().flush().unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn records_arrive_as_they_are() {
    run(async {
        let store = filled(5).await;
        let receiver = receiver(Arc::new(VolatileHome));
        let mut reader = transfer(&store).begin_send().unwrap();
        let mark = reader.mark();
        let mut writer = receiver.applier.transfer().begin_receive().unwrap();
        while let Some(part) = reader.read(1).unwrap() {
            writer.write(part).unwrap();
        }
        let received = writer.finish(mark).unwrap();
        let crate::transfer::Received { place, .. } = received.into_inner().unwrap();
        let db = Arc::clone(place.db());
        store.close().await.unwrap();
        assert_eq!(indexes::records(&db, &[]), indexes::records(&store.core.state.shared(), &[]));
        let applied = Applied::decode(&db.get(&kv::applied::KEY).unwrap().unwrap()).unwrap();
        assert_eq!(applied.version, store.version());
    });
}

/// A state as a writer of the receiver's has it, after something was done to the records.
fn received(
    store: &Embedded,
    receiver: &Receiver,
    change: impl FnOnce(&mut crate::db::Batch),
) -> Result<raft::ReceivedState, raft::StateError> {
    let home = Arc::new(Tampered { home: VolatileHome, db: Mutex::new(None) });
    let current = Arc::clone(&receiver.current);
    let transfer = Transfer { current, home: Arc::clone(&home) as _, supported_level: SEMANTICS_LEVEL };
    let mut reader = self::transfer(store).begin_send().unwrap();
    let mut writer = transfer.begin_receive().unwrap();
    while let Some(part) = reader.read(4096).unwrap() {
        writer.write(part).unwrap();
    }
    let mut batch = crate::db::Batch::new();
    change(&mut batch);
    let db = home.db.lock().take().unwrap();
    db.write(batch, crate::db::Durability::Buffered).unwrap();
    writer.finish(reader.mark())
}

/// Hands the instance out that is written to.
struct Tampered {
    home: VolatileHome,
    db: Mutex<Option<SharedDb>>,
}

impl StateHome for Tampered {
    fn begin(&self) -> Result<Box<dyn NewState>, DbError> {
        let new = self.home.begin()?;
        *self.db.lock() = Some(Arc::clone(new.db()));
        Ok(new)
    }
}

#[test]
fn what_this_program_cannot_read_is_refused_before_it_takes_any_place() {
    run(async {
        let store = filled(3).await;
        let receiver = receiver(Arc::new(VolatileHome));
        let refused = |change: &dyn Fn(&mut crate::db::Batch)| {
            received(&store, &receiver, change).err().map(|error| error.to_string())
        };
        assert_eq!(refused(&|_| {}), None);
        let newer = refused(&|batch| batch.put(&kv::format::KEY[..], kv::format::encode(99))).unwrap();
        assert!(newer.contains("format 99"), "{newer}");
        assert!(refused(&|batch| batch.delete(&kv::format::KEY[..])).is_some());
        let applied = Applied { semantics_level: 99, ..Applied::default() };
        let newer = refused(&|batch| batch.put(&kv::applied::KEY[..], applied.encode())).unwrap();
        assert!(newer.contains("level 99"), "{newer}");
        assert!(refused(&|batch| batch.put(&kv::applied::KEY[..], "rubbish")).is_some());
        assert!(refused(&|batch| batch.put(kv::table::key(TableId(16)).to_vec(), "rubbish")).is_some());
        let first = kv::attribute_list::key(crate::attribute_lists::FIRST_ID);
        assert!(refused(&|batch| batch.delete(first.to_vec())).is_none(), "the only list");
        let third = kv::attribute_list::key(crate::attribute_lists::FIRST_ID + 2);
        let names = kv::attribute_list::encode(&["a".to_owned()]);
        assert!(refused(&|batch| batch.put(third.to_vec(), names.clone())).is_some(), "one is missing");
        store.close().await.unwrap();
    });
}

#[test]
fn an_older_state_takes_nobodys_place() {
    run(async {
        let store = filled(3).await;
        let mut receiver = receiver(Arc::new(VolatileHome));
        let old = received(&store, &receiver, |_| {}).unwrap();
        store.send(cx(), put(key("later", 1))).await.unwrap();
        let new = received(&store, &receiver, |_| {}).unwrap();
        receiver.applier.install(new).unwrap();
        assert!(receiver.applier.install(old).is_err());
        assert!(read(&receiver, key("later", 1)).is_some());
        assert_eq!(receiver.published.version(), store.version());
        store.close().await.unwrap();
    });
}

#[test]
fn a_cut_part_and_an_unfinished_state_change_nothing() {
    run(async {
        let store = filled(5).await;
        let mut reader = transfer(&store).begin_send().unwrap();
        let part = reader.read(10_000).unwrap().unwrap();
        let receiver = receiver(Arc::new(VolatileHome));
        for end in [1, 7, 9, part.len() - 1] {
            let mut writer = receiver.applier.transfer().begin_receive().unwrap();
            assert!(writer.write(part.slice(..end)).is_err(), "cut at {end}");
        }
        let empty = receiver.applier.transfer().begin_receive().unwrap();
        assert!(empty.finish(Bytes::new()).is_err(), "a state that says not how far it goes");
        assert_eq!(receiver.published.version(), Version::default());
        assert!(receiver.told.words.lock().is_empty());
        drop(reader);
        store.close().await.unwrap();
    });
}
