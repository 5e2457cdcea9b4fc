//! That the members of a group judge alike, and what becomes of one that does not, or can't.

use raft::{Bootstrap, RaftError};

use super::group::{Group, eventually};
use super::*;
use crate::command::{Body, Command, SEMANTICS_LEVEL};
use crate::db::{Batch, Durability, KeyRange, Scan};
use crate::error::OpenError;

const NEWER: u32 = SEMANTICS_LEVEL + 1;

async fn everyone_judges_by(group: &Group, level: u32) {
    for (id, place) in group.places.iter().filter(|(_, place)| place.store.is_some()) {
        let store = place.store.as_ref().unwrap();
        eventually(&format!("level {level} on node {id}"), async || {
            assert!(store.semantics_level() <= level);
            (store.semantics_level() == level).then_some(())
        })
        .await;
    }
}

#[test]
fn the_level_rises_when_the_last_member_supports_the_next_and_not_before() {
    run(async {
        let mut group = Group::of(3).await;
        everyone_judges_by(&group, SEMANTICS_LEVEL).await;
        group.level = NEWER;
        for id in [1, 2] {
            group.kill(id).await;
            group.open(id, Bootstrap::Join);
            group.put(key("a", id as i64)).await;
        }
        // Longer than the primary takes between two looks.
        tokio::time::sleep(Duration::from_secs(1)).await;
        everyone_judges_by(&group, SEMANTICS_LEVEL).await;
        // Nor while the last is not there: it may come back as it was.
        group.kill(3).await;
        group.put(key("a", 10)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        everyone_judges_by(&group, SEMANTICS_LEVEL).await;
        group.open(3, Bootstrap::Join);
        everyone_judges_by(&group, NEWER).await;

        // The old program does not open what is judged by rules it does not know.
        group.flush(3).await;
        group.kill(3).await;
        group.level = SEMANTICS_LEVEL;
        let refused = group.try_open(3, Bootstrap::Join).unwrap_err();
        assert!(matches!(refused, OpenError::Level { found: NEWER, .. }), "{refused}");
        assert!(refused.to_string().contains("start the newer version"), "{refused}");
        group.level = NEWER;
        group.open(3, Bootstrap::Join);
        group.put(key("a", 11)).await;
        group.agrees(3).await;
        group.stop().await;
    });
}

#[test]
fn a_level_that_comes_by_the_log_stops_a_program_that_does_not_know_it_with_what_to_do() {
    run(async {
        let mut group = Group::of(3).await;
        let old = group.replica_id().await;
        group.agrees(old).await;
        // A primary that takes no care, and others that know the level.
        group.level = NEWER;
        for id in group.places.keys().copied().filter(|id| *id != old).collect::<Vec<_>>() {
            group.kill(id).await;
            group.open(id, Bootstrap::Join);
            group.put(key("a", id as i64)).await;
        }
        eventually("a newer primary", async || {
            let id = group.primary_id().await;
            if id == old {
                let newer = group.places.keys().copied().find(|id| *id != old).unwrap();
                let _ = group.store(old).log().transfer_leadership(newer).await;
                return None;
            }
            group.store(id).core.propose(&cx(), Body::RaiseLevel { level: NEWER }).await.ok()
        })
        .await;
        let store = group.store(old);
        eventually("it stops", async || store.ready().is_err().then_some(())).await;
        let why = store.log().failure().unwrap();
        assert!(matches!(why, RaftError::Unsupported(_)), "{why}");
        assert!(why.to_string().contains("start the version that wrote it"), "{why}");
        let refused = store.ready().unwrap_err();
        assert!(refused.message.contains("this program is too old"), "{}", refused.message);
        drop(store);
        // Started again, it meets the entry again.
        group.kill(old).await;
        group.level = SEMANTICS_LEVEL;
        match group.try_open(old, Bootstrap::Join) {
            Err(error) => assert!(error.to_string().contains("this program is too old"), "{error}"),
            Ok(()) => {
                let store = group.store(old);
                eventually("it stops", async || store.ready().is_err().then_some(())).await;
            }
        }
        group.put(key("a", 20)).await;
        group.stop_all_but(old).await;
    });
}

#[test]
fn a_command_of_a_newer_format_is_refused_and_not_skipped() {
    run(async {
        let store = store();
        let mut entry =
            Command { clock_millis: 1, entropy: 2, body: Body::Purge { id: 1 } }.encode().to_vec();
        entry[0] = 9;
        let refused = store.log().propose(entry.into()).await.unwrap_err();
        assert!(matches!(refused, RaftError::Unsupported(_)), "{refused}");
        assert!(refused.to_string().contains("format 9"), "{refused}");
        assert!(store.ready().is_err());
    });
}

/// Changes what a node has stored behind its back.
fn corrupt(store: &Embedded, wanted: &str) {
    let db = store.core.state.shared();
    let (found_key, mut value) = {
        let snapshot = db.snapshot();
        let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix([0x20])));
        let mut found = None;
        while let Some(record) = cursor.advance().unwrap() {
            if record.value.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
                found = Some((record.key.to_vec(), record.value.to_vec()));
            }
        }
        found.unwrap()
    };
    let at = value.windows(wanted.len()).position(|window| window == wanted.as_bytes()).unwrap();
    value[at] ^= 1;
    let mut batch = Batch::new();
    batch.put(found_key, value);
    db.write(batch, Durability::Buffered).unwrap();
}

#[test]
fn a_replica_that_has_parted_from_the_primary_stops_and_answers_nothing() {
    run(async {
        let mut group = Group::of(3).await;
        group.put(key("a", 1).with("v", s("as it was written"))).await;
        let bad = group.replica_id().await;
        group.agrees(bad).await;
        let store = group.store(bad);
        corrupt(&store, "as it was written");
        // Nothing has been made of it yet.
        group.compared(bad).await;
        assert!(store.ready().is_ok());
        // Its effect is another here from now on.
        let copying = update(key("a", 1), updating("SET w = v", &[]));
        eventually("a write", async || group.primary().await.send(cx(), copying.clone()).await.ok()).await;
        eventually("it is found", async || store.ready().is_err().then_some(())).await;
        let why = store.ready().unwrap_err();
        assert!(
            why.message.contains("is not the primary's") && why.message.contains("remove its data"),
            "{}",
            why.message
        );
        let refused = store.send(cx(), get(key("a", 1), false)).await.unwrap_err();
        assert!(refused.is_not_primary(), "another node may answer: {refused:?}");
        assert_eq!(group.places[&bad].feed.gaps(), 2, "what the caches have of it is void");
        drop(store);
        // The others go on, and it can be replaced.
        group.put(key("a", 2)).await;
        group.kill(bad).await;
        group.replace(bad, 4).await;
        group.agrees(4).await;
        group.compared(4).await;
        assert!(group.store(4).ready().is_ok());
        group.stop().await;
    });
}

#[test]
fn replicas_have_one_digest_across_restarts_and_states() {
    run(async {
        let mut group = Group::of(3).await;
        let filled = Group::forget_for(&mut group).await;
        group.open(filled, Bootstrap::Join);
        for at in 0..30 {
            group.put(key("a", at).with("g", s("x"))).await;
        }
        for id in [1, 2, 3] {
            group.agrees(id).await;
            group.compared(id).await;
        }
        let digests: Vec<_> = [1, 2, 3].map(|id| group.digest(id)).into();
        assert!(digests[0] != 0 && digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        group.kill(filled).await;
        group.open(filled, Bootstrap::Join);
        group.agrees(filled).await;
        assert_eq!(group.digest(filled), group.digest(group.primary_id().await));
        group.stop().await;
    });
}

#[test]
fn the_order_of_effects_within_an_entry_is_left_to_the_handler_and_that_of_entries_counts() {
    let digest = |entries: &[&[&str]]| {
        let current: crate::db::SharedDb = Arc::new(crate::db::memory::MemoryDb::volatile());
        let current = Arc::new(crate::db::home::CurrentDb::new(current));
        let mut state =
            crate::state::State::open(current, Arc::new(()), Arc::default(), SEMANTICS_LEVEL).unwrap();
        for (index, keys) in (1..).zip(entries) {
            state.begin(index, 0);
            keys.iter().for_each(|key| state.put(key.as_bytes().to_vec(), "value".into()));
            state.end();
        }
        state.applied().digest
    };
    assert_eq!(digest(&[&["a", "b"], &["c"]]), digest(&[&["b", "a"], &["c"]]));
    assert_ne!(digest(&[&["a", "b"], &["c"]]), digest(&[&["a", "c"], &["b"]]));
    assert_ne!(digest(&[&["a"], &["c"]]), digest(&[&["c"], &["a"]]));
    assert_ne!(digest(&[&["a"]]), digest(&[&["a"], &["a"]]));
    assert_eq!(digest(&[&["a"], &[]]), digest(&[&["a"]]), "an entry without effect adds nothing");
}

#[test]
fn a_damaged_entry_refuses_to_open_with_what_to_do_and_doing_that_heals_the_group() {
    run(async {
        let mut group = Group::of(3).await;
        for at in 0..20 {
            group.put(key("a", at)).await;
        }
        let bad = group.replica_id().await;
        group.agrees(bad).await;
        let last = group.store(bad).version().index;
        group.kill(bad).await;
        let mut entry = vec![16];
        entry.extend_from_slice(&(last - 10).to_be_bytes());
        assert!(group.places[&bad].log.flip_bit(&entry, 300));
        let refused = group.try_open(bad, Bootstrap::Join).unwrap_err().to_string();
        assert!(refused.contains(&format!("entry {} is damaged", last - 10)), "{refused}");
        assert!(refused.contains("remove its data and let it join again"), "{refused}");
        for damaged in [
            OpenError::Log(refused),
            OpenError::Db(crate::db::DbError::Corrupt("here".into())),
            OpenError::Malformed(crate::kv::attribute_list::out_of_order()),
        ] {
            // Where nobody has the data, nothing is said of removing it.
            assert!(damaged.to_string().contains("join again"), "{damaged}");
            let what = damaged.what();
            assert!(!what.contains("remove") && !what.contains("join"), "{what}");
        }
        group.replace(bad, 4).await;
        group.put(key("a", 20)).await;
        group.agrees(4).await;
        group.stop().await;
    });
}
