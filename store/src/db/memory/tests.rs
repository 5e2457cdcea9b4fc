//! The in-memory engine keeps the seam's promises, and breaks them only as ordered.

use super::{CrashTail, Fault, MemoryDb, MemoryDisk, WriteAheadLog};
use crate::db::{Batch, Db, DbError, Durability, KeyRange, Scan};

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key.to_owned(), value.to_owned());
    batch
}

fn value(db: &dyn Db, key: &str) -> Option<String> {
    let value = db.get(key.as_bytes()).unwrap()?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

#[test]
fn a_crash_keeps_what_was_synced_and_only_the_chosen_part_of_the_rest() {
    let disk = MemoryDisk::new(WriteAheadLog::On);
    let db = disk.open();
    db.write(put("a", "1"), Durability::Synced).unwrap();
    db.write(put("b", "2"), Durability::Buffered).unwrap();
    db.write(put("c", "3"), Durability::Buffered).unwrap();
    disk.crash(CrashTail { batches: 1, torn: false });
    assert!(db.get(b"a").is_err(), "a dead process reads nothing");
    assert!(db.write(put("d", "4"), Durability::Synced).is_err());
    let db = disk.open();
    assert_eq!(value(&db, "a").as_deref(), Some("1"));
    assert_eq!(value(&db, "b").as_deref(), Some("2"));
    assert_eq!(value(&db, "c"), None);
}

#[test]
fn a_torn_batch_leaves_half_its_changes_and_half_a_value() {
    let disk = MemoryDisk::new(WriteAheadLog::On);
    let db = disk.open();
    let mut batch = put("a", "whole");
    batch.append(put("b", "12345678"));
    batch.append(put("c", "never"));
    db.write(batch, Durability::Buffered).unwrap();
    disk.crash(CrashTail { batches: 0, torn: true });
    let db = disk.open();
    assert_eq!(value(&db, "a").as_deref(), Some("whole"));
    assert_eq!(value(&db, "b").as_deref(), Some("1234"));
    assert_eq!(value(&db, "c"), None);
    db.write(put("d", "old"), Durability::Synced).unwrap();
    db.write(put("d", "new"), Durability::Buffered).unwrap();
    disk.crash(CrashTail { batches: 0, torn: true });
    assert_eq!(value(&disk.open(), "d").as_deref(), Some("old"), "nothing is written in place");
}

#[test]
fn without_a_write_ahead_log_only_a_flush_survives() {
    let disk = MemoryDisk::new(WriteAheadLog::Off);
    let db = disk.open();
    db.write(put("a", "1"), Durability::Buffered).unwrap();
    db.flush().unwrap();
    db.write(put("b", "2"), Durability::Buffered).unwrap();
    db.sync().unwrap();
    assert!(db.unflushed_bytes() > 0);
    disk.crash(CrashTail { batches: 9, torn: true });
    let db = disk.open();
    assert_eq!(value(&db, "a").as_deref(), Some("1"));
    assert_eq!(value(&db, "b"), None);
}

#[test]
fn a_failed_sync_stops_writes_until_reopened() {
    let disk = MemoryDisk::new(WriteAheadLog::On);
    let db = disk.open();
    disk.order_fault(1, Fault::Sync);
    db.write(put("a", "1"), Durability::Synced).unwrap();
    assert!(matches!(db.write(put("b", "2"), Durability::Synced), Err(DbError::Sync(_))));
    assert!(matches!(db.write(put("c", "3"), Durability::Synced), Err(DbError::Refused(_))));
    assert_eq!(value(&db, "a").as_deref(), Some("1"), "reads go on");
    assert_eq!(value(&db, "b"), None, "a failed write is not visible");
    disk.crash(CrashTail::default());
    let db = disk.open();
    db.write(put("d", "4"), Durability::Synced).unwrap();
    assert_eq!(value(&db, "b"), None);
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_reads() {
    let disk = MemoryDisk::new(WriteAheadLog::On);
    let db = disk.open();
    db.write(put("a", "1"), Durability::Synced).unwrap();
    disk.order_fault(0, Fault::Full);
    assert!(matches!(db.write(put("b", "2"), Durability::Buffered), Err(DbError::Full(_))));
    assert!(matches!(db.sync(), Err(DbError::Refused(_))));
    assert_eq!(value(&db, "a").as_deref(), Some("1"));
}

#[test]
fn an_ordered_crash_may_come_after_the_write_is_durable() {
    let disk = MemoryDisk::new(WriteAheadLog::On);
    let db = disk.open();
    disk.order_fault(0, Fault::CrashAfter);
    assert!(db.write(put("a", "1"), Durability::Synced).is_err());
    assert!(disk.is_crashed());
    assert_eq!(value(&disk.open(), "a").as_deref(), Some("1"));
}

#[test]
fn the_map_keeps_no_history_once_snapshots_are_gone() {
    let db = MemoryDb::volatile();
    for round in 0..10 {
        let snapshot = db.snapshot();
        db.write(put("a", &round.to_string()), Durability::Buffered).unwrap();
        let mut batch = Batch::new();
        batch.delete_range(KeyRange::between(*b"", *b"b"));
        db.write(batch, Durability::Buffered).unwrap();
        drop(snapshot);
    }
    assert_eq!(db.approximate_bytes(&KeyRange::all()).unwrap(), 0);
    assert!(db.versions.read().image().is_empty());
    let snapshot = db.snapshot();
    assert!(snapshot.scan(&Scan::ascending(KeyRange::all())).advance().unwrap().is_none());
}
