//! The log's write-ahead log after a power cut, on real files: what was never called done is cut off, whatever the disk
//! made of it; what was called done is there, or the log refuses to open and says what to do.
//!
//! A crash is a copy of the directory of a running instance. What the disk then lost or mixed up is done to the copy.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used, reason = "a test that fails")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use forebay_store::db::rocks::{RocksEngine, RocksSettings};
use forebay_store::db::{Batch, Db, DbError, Durability};

/// Bytes of a block of the write-ahead log, and of a page of the system.
const BLOCK: usize = 32 * 1024;
const PAGE: usize = 4 * 1024;

struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("forebay-torn-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn engine() -> RocksEngine {
    RocksEngine::new(RocksSettings::default()).unwrap()
}

/// Bytes that are no pattern, the same every time.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn key(at: usize) -> Bytes {
    Bytes::from(format!("key-{at:04}"))
}

/// A log of synced records, of so many bytes each.
struct Written {
    directory: Directory,
    /// Where each record ends in the one file of its write-ahead log.
    ends: Vec<usize>,
}

impl Written {
    fn of(sizes: &[usize]) -> Written {
        let directory = Directory::new();
        let live = directory.0.join("live");
        let db = engine().open_log(&live).unwrap();
        let mut ends = Vec::new();
        for (at, bytes) in sizes.iter().enumerate() {
            let mut batch = Batch::new();
            batch.put(key(at), noise(*bytes, at as u64 + 1));
            db.write(batch, Durability::Synced).unwrap();
            ends.push(std::fs::metadata(wal(&live)).unwrap().len() as usize);
        }
        copy(&live, &directory.0.join("crashed"));
        Written { directory, ends }
    }

    /// Opens the log as a crash left it, with its write-ahead log changed. Answers which records are there.
    fn crashed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<usize>, DbError> {
        let directory = self.directory.0.join("opened");
        let _ = std::fs::remove_dir_all(&directory);
        copy(&self.directory.0.join("crashed"), &directory);
        let path = wal(&directory);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let there = {
            let db = engine().open_log(&directory)?;
            let there = there(&db, self.ends.len());
            let mut batch = Batch::new();
            batch.put("after", "the crash");
            db.write(batch, Durability::Synced).unwrap();
            there
        };
        // Killed again, without a clean stop between.
        let db = engine().open_log(&directory)?;
        assert_eq!(self::there(&db, self.ends.len()), there);
        assert_eq!(db.get(b"after").unwrap(), Some(Bytes::from("the crash")));
        Ok(there)
    }

    fn start_of_last(&self) -> usize {
        self.ends[self.ends.len() - 2]
    }

    fn all(&self) -> Vec<usize> {
        (0..self.ends.len()).collect()
    }

    fn all_but_the_last(&self) -> Vec<usize> {
        (0..self.ends.len() - 1).collect()
    }
}

fn there(db: &dyn Db, records: usize) -> Vec<usize> {
    (0..records).filter(|at| db.get(&key(*at)).unwrap().is_some()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The newest file of the write-ahead log.
fn wal(directory: &Path) -> PathBuf {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

fn refused(opened: Result<Vec<usize>, DbError>) -> String {
    match opened {
        Err(error @ DbError::Corrupt(_)) => error.to_string(),
        other => panic!("it must refuse to open: {other:?}"),
    }
}

#[test]
fn a_crash_alone_loses_nothing() {
    let written = Written::of(&[100, 40_000, 7, 300]);
    assert_eq!(written.crashed(|_| {}).unwrap(), written.all());
}

#[test]
fn a_record_cut_short_anywhere_is_cut_off() {
    let written = Written::of(&[100, 500, 300]);
    let start = written.start_of_last();
    for end in (start..written.ends[2]).step_by(23).chain(start + 1..start + 20) {
        assert_eq!(written.crashed(|wal| wal.truncate(end)).unwrap(), written.all_but_the_last(), "{end}");
    }
}

#[test]
fn a_record_cut_short_in_any_of_its_blocks_is_cut_off() {
    let written = Written::of(&[100, 500, 5 * BLOCK]);
    for end in (written.start_of_last()..written.ends[2]).step_by(PAGE) {
        assert_eq!(written.crashed(|wal| wal.truncate(end)).unwrap(), written.all_but_the_last(), "{end}");
    }
}

#[test]
fn a_last_record_of_full_length_and_wrong_content_is_cut_off() {
    let written = Written::of(&[100, 500, 300]);
    let start = written.start_of_last();
    for from in [start, start + 3, start + 7, start + 30] {
        let zeros = written.crashed(|wal| wal[from..].fill(0));
        assert_eq!(zeros.unwrap(), written.all_but_the_last(), "zeros from {from}");
        let garbage = written.crashed(|wal| {
            let bytes = noise(wal.len() - from, 99);
            wal[from..].copy_from_slice(&bytes);
        });
        assert_eq!(garbage.unwrap(), written.all_but_the_last(), "garbage from {from}");
    }
}

#[test]
fn a_last_record_with_a_hole_is_cut_off() {
    let written = Written::of(&[100, 500, 6 * BLOCK]);
    // Pages reach the disk in any order: one is missing, what was written behind it is there.
    for page in written.start_of_last() / PAGE + 1..written.ends[2] / PAGE {
        let opened = written.crashed(|wal| wal[page * PAGE..(page + 1) * PAGE].fill(0));
        assert_eq!(opened.unwrap(), written.all_but_the_last(), "page {page}");
    }
}

#[test]
fn bytes_behind_the_last_synced_record_cost_nothing_that_was_synced() {
    let written = Written::of(&[100, 500, 300]);
    for bytes in [1, 6, 7, 8, 100, PAGE, 3 * BLOCK] {
        let zeros = written.crashed(|wal| wal.resize(wal.len() + bytes, 0));
        assert_eq!(zeros.unwrap(), written.all(), "{bytes} zeros");
        let garbage = written.crashed(|wal| wal.extend(noise(bytes, 5)));
        assert_eq!(garbage.unwrap(), written.all(), "{bytes} bytes of garbage");
    }
}

#[test]
fn records_that_end_near_a_block_are_no_torn_end() {
    // The first fragment of the record behind has room for none, or a few, of its bytes.
    for short in 0..40 {
        let written = Written::of(&[BLOCK - 64 - short, 500, 2 * BLOCK, 90]);
        assert_eq!(written.crashed(|_| {}).unwrap(), written.all(), "{short}");
        let cut = written.crashed(|wal| wal.truncate(wal.len() - 1)).unwrap();
        assert_eq!(cut, written.all_but_the_last(), "{short}");
        let flipped = written.crashed(|wal| wal[200] ^= 1);
        refused(flipped);
    }
}

#[test]
fn a_damaged_middle_refuses_to_open_and_says_what_to_do() {
    let written = Written::of(&[100, 500, 300, 3 * BLOCK, 200]);
    let end_of_first = written.ends[0];
    for at in [3, 5, 6, 20, end_of_first, end_of_first + 4, end_of_first + 200, written.ends[2] + 2 * BLOCK] {
        let error = refused(written.crashed(|wal| wal[at] ^= 0x10));
        assert!(error.contains("restore this node from a backup"), "{at}: {error}");
        assert!(error.contains("damaged behind byte"), "{at}: {error}");
    }
}

#[test]
fn a_page_of_zeros_in_the_middle_refuses_to_open() {
    let written = Written::of(&[500; 60]);
    for page in 0..4 {
        refused(written.crashed(|wal| wal[page * PAGE..(page + 1) * PAGE].fill(0)));
    }
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let directory = Directory::new();
    let db = engine().open_log(&directory.0).unwrap();
    let mut batch = Batch::new();
    batch.put("a", "1");
    db.write(batch, Durability::Synced).unwrap();
    // A write under way looks like a torn end to whoever comes from outside.
    let path = wal(&directory.0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend([1, 2, 3]);
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(engine().open_log(&directory.0).err(), Some(DbError::Locked(_))));
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "it was not touched");
}
