//! A node over data that it can't read: of a newer version, or damaged. It does not start, says what to do, has changed nothing; the
//! others go on; and what it says heals it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use forebay_tests::cluster::Cluster;
use forebay_tests::node::Spawned;
use forebay_tests::numbers::{get, now, number, put, table};
use store::db::rocks::{Rocks, RocksEngine, RocksSettings};
use store::db::{Batch, Db, Durability, KeyRange, Scan};

const PATIENCE: Duration = Duration::from_secs(60);
/// The kind byte under which the log has its entries.
const ENTRIES: u8 = 16;

fn engine() -> RocksEngine {
    RocksEngine::new(RocksSettings::default()).expect("an engine")
}

/// Changes what stands under one key of an instance that no process has open.
fn change(db: &Rocks, key: &[u8], value: impl Into<Bytes>) {
    let mut batch = Batch::new();
    batch.put(Bytes::copy_from_slice(key), value.into());
    db.write(batch, Durability::Synced).expect("the disk writes");
    db.flush().expect("the disk writes");
    db.close().expect("it closes");
}

fn value(db: &Rocks, key: &[u8]) -> Bytes {
    db.get(key).expect("the disk reads").expect("it is there")
}

/// Keys of the log's entries, in order.
fn entries(db: &Rocks) -> Vec<Vec<u8>> {
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix([ENTRIES])));
    let mut keys = Vec::new();
    while let Some(record) = cursor.advance().expect("the disk reads") {
        keys.push(record.key.to_vec());
    }
    keys
}

/// Starts a node that must end by itself, with 70, and answers what it said.
fn refuses(cluster: &Cluster, at: usize) -> String {
    let mut process: Spawned = cluster.spawn(at);
    let begun = now();
    loop {
        if let Some(code) = process.ended() {
            assert_eq!(code, Some(70), "{}", process.said());
            return process.said();
        }
        assert!(begun.elapsed() < PATIENCE, "it runs: {}", process.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn goes_on(cluster: &Cluster, n: u64) {
    cluster.ok(cluster.primary(), "PutItem", &put("n", n));
    for (at, _) in cluster.running() {
        assert_eq!(number(&cluster.ok(at, "GetItem", &get("n", true))), Some(n), "node {at}");
    }
}

/// Makes a value what a newer version would have written.
type Newer<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn data_of_a_newer_version_is_refused_with_the_version_to_start_and_left_as_it_is() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    goes_on(&cluster, 1);
    let at = cluster.replica();
    let data = cluster.data(at);
    let (log, state) = (data.join("log"), data.join("state"));
    let open = |path: &Path| match path == log {
        true => engine().open_log(path).expect("it opens"),
        false => engine().open_state(path).expect("it opens"),
    };
    // The log's format; that of the state; the level by which the state's entries were judged, which stands behind format, version
    // and time.
    let level = |value: &mut Vec<u8>| value[29..33].copy_from_slice(&99u32.to_be_bytes());
    let format = |value: &mut Vec<u8>| *value.last_mut().expect("a number") = 9;
    let cases: [(&Path, u8, Newer<'_>, &str); 3] = [
        (&log, 1, &format, "this program is too old"),
        (&state, 1, &format, "the store has format 9"),
        (&state, 2, &level, "level 99"),
    ];
    for (n, (path, key, newer, said)) in (2..).zip(cases) {
        cluster.stop(at);
        let before = value(&open(path), &[key]);
        let mut changed = before.to_vec();
        newer(&mut changed);
        change(&open(path), &[key], changed.clone());
        let why = refuses(&cluster, at);
        println!("{why}");
        assert!(why.contains(said) && why.contains("version"), "{said:?}: {why}");
        goes_on(&cluster, n);
        // The newer version, were there one, would find what it wrote.
        let db = open(path);
        assert_eq!(value(&db, &[key]), changed);
        change(&db, &[key], before);
        drop(db);
        cluster.start_all();
        cluster.wait_until_whole();
        goes_on(&cluster, n);
    }
}

#[test]
fn a_damaged_entry_in_the_middle_of_the_log_is_refused_and_an_empty_replacement_heals() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let at = cluster.replica();
    (1..=40).for_each(|n| drop(cluster.ok(at, "PutItem", &put("n", n))));
    // Killed, so that its state lags behind the log, and it needs the log at its next start.
    cluster.kill(at);
    {
        let db = engine().open_log(&cluster.data(at).join("log")).expect("it opens");
        let keys = entries(&db);
        let middle = &keys[keys.len() - 20];
        let mut damaged = value(&db, middle).to_vec();
        let in_it = damaged.len() / 2;
        damaged[in_it] ^= 1;
        change(&db, middle, damaged);
    }
    let why = refuses(&cluster, at);
    println!("{why}");
    assert!(why.contains("is damaged") && why.contains("remove its data and let it join again"), "{why}");
    goes_on(&cluster, 41);
    std::fs::remove_dir_all(cluster.data(at)).expect("it is ours");
    cluster.start_all();
    cluster.wait_until_whole();
    goes_on(&cluster, 42);
    // Under another number: it has forgotten what it voted.
    assert!(cluster.status(at)["node"].as_u64().is_some_and(|node| node > 3));
}
