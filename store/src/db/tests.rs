//! What the seam promises, asked of both engines alike.

use bytes::Bytes;

use super::memory::{MemoryDb, MemoryDisk, WriteAheadLog};
use super::{Batch, Db, Durability, KeyRange, Resident, Scan};

fn put(pairs: &[(&str, &str)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in pairs {
        batch.put(key.to_string(), value.to_string());
    }
    batch
}

fn walk(db: &dyn Db, scan: &Scan) -> Vec<String> {
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(scan);
    let mut keys = Vec::new();
    while let Some(record) = cursor.advance().unwrap() {
        keys.push(String::from_utf8(record.key.to_vec()).unwrap());
    }
    assert!(cursor.advance().unwrap().is_none(), "nothing comes after the end");
    keys
}

fn a_batch_is_applied_in_order(db: &dyn Db) {
    let mut batch = put(&[("b", "1"), ("c", "1")]);
    batch.delete("b");
    batch.put("c", "2");
    db.write(batch, Durability::Buffered).unwrap();
    assert_eq!(db.get(b"b").unwrap(), None);
    assert_eq!(db.get(b"c").unwrap(), Some(Bytes::from("2")));
    assert_eq!(db.get_resident(b"c").unwrap(), Resident::Known(Some(Bytes::from("2"))));
    assert_eq!(db.get_resident(b"zz").unwrap(), Resident::Known(None));
}

fn a_snapshot_stands_still(db: &dyn Db) {
    db.write(put(&[("s1", "old"), ("s2", "old")]), Durability::Buffered).unwrap();
    let snapshot = db.snapshot();
    let mut change = put(&[("s1", "new"), ("s3", "new")]);
    change.delete_range(KeyRange::between("s2", "s3"));
    db.write(change, Durability::Buffered).unwrap();
    assert_eq!(snapshot.get(b"s1").unwrap(), Some(Bytes::from("old")));
    assert_eq!(snapshot.get(b"s2").unwrap(), Some(Bytes::from("old")));
    assert_eq!(snapshot.get(b"s3").unwrap(), None);
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix("s")));
    assert_eq!(cursor.advance().unwrap().unwrap().value, b"old");
    assert_eq!(cursor.advance().unwrap().unwrap().key, b"s2");
    assert!(cursor.advance().unwrap().is_none());
    assert_eq!(walk(db, &Scan::ascending(KeyRange::prefix("s"))), ["s1", "s3"]);
}

fn scans_keep_to_their_range_in_both_orders(db: &dyn Db) {
    db.write(put(&[("r1", ""), ("r2", ""), ("r3", ""), ("r4", "")]), Durability::Buffered).unwrap();
    let middle = KeyRange::between("r2", "r4");
    assert_eq!(walk(db, &Scan::ascending(middle.clone())), ["r2", "r3"]);
    assert_eq!(walk(db, &Scan::descending(middle.clone())), ["r3", "r2"]);
    assert_eq!(walk(db, &Scan::descending(KeyRange::prefix("r"))), ["r4", "r3", "r2", "r1"]);
    assert_eq!(walk(db, &Scan::ascending(KeyRange::between("r3", "r3"))), [""; 0]);
    assert_eq!(walk(db, &Scan::descending(KeyRange::between("r4", "r1"))), [""; 0]);
    assert_eq!(walk(db, &Scan::ascending(middle).resident()), ["r2", "r3"]);
}

fn a_cursor_seeks_within_its_range(db: &dyn Db) {
    db.write(put(&[("k1", ""), ("k3", ""), ("k5", "")]), Durability::Buffered).unwrap();
    let snapshot = db.snapshot();
    let expect = |scan: &Scan, to: &str, found: Option<&str>| {
        let mut cursor = snapshot.scan(scan);
        cursor.seek(to.as_bytes());
        let key = cursor.advance().unwrap().map(|record| record.key.to_vec());
        assert_eq!(key.as_deref(), found.map(str::as_bytes), "{scan:?} to {to}");
    };
    let range = KeyRange::between("k1", "k5");
    let up = Scan::ascending(range.clone());
    let down = Scan::descending(range);
    expect(&up, "k2", Some("k3"));
    expect(&up, "k3", Some("k3"));
    expect(&up, "a", Some("k1"));
    expect(&up, "k4", None);
    expect(&down, "k4", Some("k3"));
    expect(&down, "k3", Some("k3"));
    expect(&down, "z", Some("k3"));
    expect(&down, "a", None);
}

fn dropping_a_range_empties_exactly_it(db: &dyn Db) {
    db.write(put(&[("d1", ""), ("d2", ""), ("d3", "")]), Durability::Buffered).unwrap();
    db.drop_range(&KeyRange::between("d1", "d3")).unwrap();
    assert_eq!(walk(db, &Scan::ascending(KeyRange::prefix("d"))), ["d3"]);
    assert!(db.drop_range(&KeyRange::starting_at("d")).is_err(), "a range without an end");
}

fn a_closed_instance_refuses_writes(db: &dyn Db) {
    db.close().unwrap();
    db.close().unwrap();
    assert!(db.write(put(&[("x", "")]), Durability::Buffered).is_err());
    assert!(db.sync().is_err());
}

fn everything(db: &dyn Db) {
    a_batch_is_applied_in_order(db);
    a_snapshot_stands_still(db);
    scans_keep_to_their_range_in_both_orders(db);
    a_cursor_seeks_within_its_range(db);
    dropping_a_range_empties_exactly_it(db);
    db.flush().unwrap();
    scans_keep_to_their_range_in_both_orders(db);
    dropping_a_range_empties_exactly_it(db);
    a_closed_instance_refuses_writes(db);
}

#[test]
fn the_engine_in_memory_keeps_the_seams_promises() {
    everything(&MemoryDb::volatile());
    everything(&MemoryDisk::new(WriteAheadLog::On).open());
    everything(&MemoryDisk::new(WriteAheadLog::Off).open());
}

#[cfg(feature = "rocksdb")]
mod rocks {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::{Batch, Db, Durability, everything, put};
    use crate::db::home::StateHome;
    use crate::db::rocks::home::RocksHome;
    use crate::db::rocks::{RocksEngine, RocksSettings};
    use crate::db::{DbError, SharedDb};

    /// A directory that goes with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("forebay-db-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn rocksdb_keeps_the_seams_promises() {
        let directory = Directory::new("promises");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        everything(&engine.open_log(&directory.0.join("log")).unwrap());
        everything(&engine.open_state(&directory.0.join("state")).unwrap());
    }

    fn home(engine: &RocksEngine, directory: &Directory) -> (SharedDb, RocksHome) {
        RocksHome::open(engine, &directory.0).unwrap()
    }

    fn named(db: &SharedDb) -> Option<bytes::Bytes> {
        db.get(b"name").unwrap()
    }

    fn name(db: &SharedDb, name: &'static str) {
        let mut batch = Batch::new();
        batch.put(&b"name"[..], name);
        db.write(batch, Durability::Buffered).unwrap();
        db.flush().unwrap();
    }

    #[test]
    fn a_state_takes_the_place_of_another_only_by_the_switch() {
        let directory = Directory::new("home");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        let is_there = |name: &str| directory.0.join(name).exists();
        {
            let (db, home) = home(&engine, &directory);
            name(&db, "first");
            let attempt = home.begin().unwrap();
            name(attempt.db(), "an attempt");
            assert!(is_there("state-1"));
            drop(attempt);
            assert!(!is_there("state-1"), "it is as if it had never been");
        }
        // What a crash leaves of an attempt.
        name(&(Arc::new(engine.open_state(&directory.0.join("state-7")).unwrap()) as SharedDb), "cut off");
        std::fs::write(directory.0.join("STATE-7"), "state-7").unwrap();
        {
            let (db, home) = home(&engine, &directory);
            assert_eq!(named(&db).unwrap(), "first");
            assert!(!is_there("state-7") && !is_there("STATE-7"), "what was left over is gone");
            let (mut second, other) = (home.begin().unwrap(), home.begin().unwrap());
            name(other.db(), "begun before the other's turn");
            name(second.db(), "second");
            second.seal().unwrap();
            assert_eq!(named(&second.switch().unwrap()).unwrap(), "second");
            assert_eq!(named(&db).unwrap(), "first", "who has it open reads on");
            assert!(is_there("state"));
            drop(db);
            assert!(!is_there("state"), "nobody reads it any more");
        }
        let current = std::fs::read_to_string(directory.0.join("STATE")).unwrap();
        {
            let (db, home) = home(&engine, &directory);
            assert_eq!(named(&db).unwrap(), "second");
            let mut third = home.begin().unwrap();
            name(third.db(), "third");
            third.seal().unwrap();
            third.switch().unwrap();
        }
        assert!(!is_there(&current));
        assert_eq!(named(&home(&engine, &directory).0).unwrap(), "third");
        let left = std::fs::read_dir(&directory.0).unwrap().count();
        assert_eq!(left, 2, "the state in use, and the pointer to it");
        for bad in ["state-99", "../state", "", "log"] {
            std::fs::write(directory.0.join("STATE"), bad).unwrap();
            assert!(matches!(RocksHome::open(&engine, &directory.0), Err(DbError::Corrupt(_))), "{bad:?}");
        }
    }

    /// As a crash leaves it: before the rename, and after. That a pointer is not durable before what it names is, and the old
    /// state is there as long as it is not, shows in the order of calls only.
    #[test]
    fn a_disk_without_room_for_the_pointer_refuses_before_the_switch() {
        let directory = Directory::new("seal");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        let (db, home) = home(&engine, &directory);
        name(&db, "first");
        let mut new = home.begin().unwrap();
        name(new.db(), "second");
        // No file can be made where a directory lies.
        std::fs::create_dir(directory.0.join("STATE-1")).unwrap();
        assert!(new.seal().is_err());
        drop(new);
        std::fs::remove_dir(directory.0.join("STATE-1")).unwrap();
        drop((db, home));
        assert_eq!(named(&self::home(&engine, &directory).0).unwrap(), "first");
    }

    #[test]
    fn a_closed_instance_has_everything_when_opened_again() {
        let directory = Directory::new("reopen");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        for round in 0..3 {
            let log = engine.open_log(&directory.0.join("log")).unwrap();
            let state = engine.open_state(&directory.0.join("state")).unwrap();
            let expected = (round > 0).then(|| "whole".into());
            assert_eq!(log.get(b"a").unwrap(), expected);
            assert_eq!(state.get(b"a").unwrap(), expected);
            log.write(put(&[("a", "whole")]), Durability::Synced).unwrap();
            state.write(put(&[("a", "whole")]), Durability::Buffered).unwrap();
            log.close().unwrap();
            state.close().unwrap();
        }
    }

    #[test]
    fn a_checkpoint_is_a_whole_copy_that_does_not_move() {
        let directory = Directory::new("checkpoint");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        let state = engine.open_state(&directory.0.join("state")).unwrap();
        state.write(put(&[("a", "then")]), Durability::Buffered).unwrap();
        let copy = directory.0.join("copy");
        state.checkpoint(&copy).unwrap();
        state.write(put(&[("a", "now"), ("b", "now")]), Durability::Buffered).unwrap();
        let opened = engine.open_state(&copy).unwrap();
        assert_eq!(opened.get(b"a").unwrap(), Some("then".into()));
        assert_eq!(opened.get(b"b").unwrap(), None);
        assert!(state.checkpoint(&copy).is_err(), "into a directory that is there");
    }

    #[test]
    fn a_directory_in_use_says_so() {
        let directory = Directory::new("locked");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        let _first = engine.open_state(&directory.0).unwrap();
        assert!(matches!(engine.open_state(&directory.0).err(), Some(DbError::Locked(_))));
    }

    #[test]
    fn what_is_not_flushed_is_counted_and_a_flush_brings_it_down() {
        let directory = Directory::new("unflushed");
        let engine = RocksEngine::new(RocksSettings::default()).unwrap();
        let state = engine.open_state(&directory.0).unwrap();
        let empty = state.unflushed_bytes();
        let mut batch = Batch::new();
        for number in 0..4_000_u32 {
            batch.put(number.to_be_bytes().to_vec(), vec![7; 1_000]);
        }
        state.write(batch, Durability::Buffered).unwrap();
        assert!(state.unflushed_bytes() > empty + 3_000_000, "{}", state.unflushed_bytes());
        state.flush().unwrap();
        assert!(state.unflushed_bytes() < 2_000_000, "{}", state.unflushed_bytes());
        assert!(state.approximate_bytes(&crate::db::KeyRange::all()).unwrap() > 1_000);
    }
}
