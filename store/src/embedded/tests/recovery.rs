//! What one of three has becomes a group of its own, after the two others are lost for ever.

use api::{Request, Version};
use bytes::Bytes;
use raft::{Bootstrap, Member, RaftSettings};

use super::group::{Group, address, eventually};
use super::*;
use crate::attribute_lists::{Demand, IDS_END, LISTS_MAX, Names, PASSING_IDS, PASSING_IDS_END};
use crate::command::SEMANTICS_LEVEL;
use crate::db::home::StateHome;
use crate::db::memory::{CrashTail, MemoryDb};
use crate::db::{Batch, Durability, KeyRange, Scan, SharedDb};
use crate::kv;
use crate::recovery::{Drawn, Found, begin_anew, look, take_over};
use crate::state::Loaded;

const ITEMS: i64 = 20;
const DRAWN: Drawn = Drawn { incarnation: 77, lists: 1 << 27, passing: 1 << 28 };

fn names(text: &str) -> Names {
    text.split(' ').map(str::to_owned).collect()
}

/// The log and the state of a member that nobody has open.
fn both(group: &Group, id: u64) -> (SharedDb, SharedDb) {
    let place = &group.places[&id];
    (Arc::new(place.log.open()), Arc::new(place.home.current().open()))
}

fn found(group: &Group, id: u64) -> Found {
    let (log, state) = both(group, id);
    look(log, Some(&state)).unwrap()
}

/// The steps, in order, by their numbers.
async fn step(group: &Group, id: u64, step: u64) {
    let (log, state) = both(group, id);
    match step {
        1 => take_over(log, Some(&state), id, Member::new(address(id))).unwrap(),
        2 => {
            let raft = RaftSettings {
                node_id: id,
                address: address(id),
                bootstrap: Bootstrap::Join,
                ..RaftSettings::default()
            };
            let settings = EmbeddedSettings { raft, ..EmbeddedSettings::default() };
            let home: Arc<dyn StateHome> = Arc::new(group.places[&id].home.clone());
            let store =
                Embedded::open_in(settings, log, state, home, Surroundings::system(), Arc::new(())).unwrap();
            store.close().await.unwrap();
        }
        _ => drop(begin_anew(&state, DRAWN).unwrap()),
    }
}

fn crash(group: &Group, id: u64) {
    group.places[&id].log.crash(CrashTail::default());
    group.places[&id].home.current().crash(CrashTail::default());
}

/// What two of three acknowledged and the third, which is left, never heard of.
struct Lost {
    version: Version,
    list: u64,
    passing: u64,
}

/// A group of three of which one is left: its number, and what is lost.
async fn bereft() -> (Group, u64, Lost) {
    let mut group = Group::of(3).await;
    for at in 0..ITEMS {
        group.put(key("kept", at)).await;
    }
    let list = group.primary().await.define_attribute_list(&cx(), names("a b"), Demand::Client).await;
    assert_eq!(list.unwrap(), 2);
    let left = group.replica_id().await;
    group.agrees(left).await;
    group.kill(left).await;
    let primary = group.primary().await;
    let answer = primary.call(cx(), put(key("lost", 0)).into()).await.unwrap();
    let list = primary.define_attribute_list(&cx(), names("only the lost"), Demand::Client).await.unwrap();
    let passing = primary.take_passing_ids(&cx()).await.unwrap();
    let lost = Lost { version: answer.version.unwrap(), list, passing };
    drop(primary);
    for other in [1, 2, 3].into_iter().filter(|id| *id != left) {
        group.kill(other).await;
        group.places.remove(&other);
    }
    (group, left, lost)
}

async fn has_what_was_left(group: &Group, id: u64) {
    for at in 0..ITEMS {
        assert!(item(&group.store(id), key("kept", at)).await.is_some(), "item {at}");
    }
    assert_eq!(item(&group.store(id), key("lost", 0)).await, None);
}

#[test]
fn one_of_three_goes_on_as_a_group_of_another_history_wherever_the_steps_were_cut_off() {
    run(async {
        let (mut group, left, lost) = bereft().await;
        let before = found(&group, left);
        assert_eq!(before.log.members.voters.len(), 3);
        assert!(before.last_millis.is_some() && before.last_write_millis.is_some());
        for last in [1, 2, 3, 3] {
            for number in 1..=last {
                step(&group, left, number).await;
            }
            crash(&group, left);
            assert_eq!(found(&group, left).log.members.voters.len(), 1, "after step {last}");
        }
        group.open(left, Bootstrap::Join);
        has_what_was_left(&group, left).await;
        let version = group.store(left).version();
        assert_ne!(version.incarnation, lost.version.incarnation);
        // Of the lost history, and further on than this one was: answered at once, and not before a strong read.
        let cx = Context { min_version: Some(lost.version), ..cx() };
        let asked: Request = get(key("kept", 0), false).into();
        let store = group.store(left);
        let answered = tokio::time::timeout(Duration::from_secs(5), store.call(cx, asked));
        let answer = answered.await.expect("it does not hang").unwrap();
        drop(store);
        assert_eq!(answer.version.unwrap().incarnation, version.incarnation);
        group.put(key("new", 0)).await;
        // A group is made of it, and goes on without it.
        for new in [41, 42] {
            group.open(new, Bootstrap::Join);
            eventually("it joins", async || {
                group.store(left).log().add_learner(new, Member::new(address(new))).await.ok()
            })
            .await;
        }
        eventually("they have votes", async || {
            group.store(left).log().change_members([41, 42].into(), [].into()).await.ok()
        })
        .await;
        for new in [41, 42] {
            group.agrees(new).await;
            assert_eq!(group.digest(new), group.digest(left));
            // It was sent the state: replayed from its beginning the log would have led to the history that is over.
            assert_eq!(group.places[&new].home.begun(), 1);
            assert_eq!(group.store(new).version().incarnation, version.incarnation);
        }
        group.kill(left).await;
        group.places.remove(&left);
        group.put(key("newer", 0)).await;
        let primary = group.primary_id().await;
        has_what_was_left(&group, primary).await;
        group.stop().await;
    });
}

/// Clients remember for as long as they live what an id means.
#[test]
fn an_id_that_the_lost_may_have_given_is_never_given_another_meaning() {
    run(async {
        let (mut group, left, lost) = bereft().await;
        for number in 1..=3 {
            step(&group, left, number).await;
        }
        for _ in 0..2 {
            group.open(left, Bootstrap::Join);
            let store = group.store(left);
            let lists = store.attribute_lists();
            assert_eq!((lists.names(2), lists.names(lost.list)), (Some(names("a b")), None));
            let other = store.define_attribute_list(&cx(), names("others"), Demand::Client).await.unwrap();
            assert!(other >= lost.list + LISTS_MAX as u64, "{other}");
            assert_eq!(lists.names(other), Some(names("others")));
            assert!(store.take_passing_ids(&cx()).await.unwrap() >= lost.passing + PASSING_IDS);
            drop(store);
            group.stop().await;
        }
    });
}

/// The same copy may be recovered twice, or first one survivor and later another, and clients live through both.
#[test]
fn two_that_are_made_of_one_give_ids_of_their_own() {
    run(async {
        let (group, left, lost) = bereft().await;
        for number in 1..=2 {
            step(&group, left, number).await;
        }
        let (_, state) = both(&group, left);
        let begun = |drawn: Drawn| {
            let copy: SharedDb = Arc::new(MemoryDb::volatile());
            let mut batch = Batch::new();
            let snapshot = state.snapshot();
            let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::all()));
            while let Some(record) = cursor.advance().unwrap() {
                batch.put(record.key.to_vec(), Bytes::copy_from_slice(record.value));
            }
            copy.write(batch, Durability::Buffered).unwrap();
            begin_anew(&copy, drawn).unwrap();
            let passing = kv::sequence::PASSING_LISTS;
            let passing = passing.next(copy.get(&passing.key()).unwrap().as_deref()).unwrap();
            (Loaded::read(&copy, SEMANTICS_LEVEL).unwrap().lists_end(), passing)
        };
        let (least, least_passing) = begun(Drawn { incarnation: 1, lists: 0, passing: 0 });
        assert!(least > lost.list && least_passing > lost.passing);
        let (list, passing) = begun(DRAWN);
        assert_eq!((list, passing), (least + DRAWN.lists, least_passing + DRAWN.passing * PASSING_IDS));
        assert!(list + LISTS_MAX as u64 <= IDS_END && passing < PASSING_IDS_END);
    });
}
