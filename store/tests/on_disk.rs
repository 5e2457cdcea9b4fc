//! The store over the real engine, in a directory: what was acknowledged is there after a clean stop, and after its
//! process was killed in the middle of writes.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used, reason = "a test that fails")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use api::op::{
    CreateTableInput, DescribeTableInput, GetItemInput, PutItemInput, ReturnConsumedCapacity,
    ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure,
};
use api::schema::{BillingMode, KeyAttribute, KeySchema, Status, Throughput};
use api::value::ValueType;
use api::{AttributeValue, Context, DynamoDb, Item, TableName};
use forebay_store::db::rocks::{RocksEngine, RocksSettings};
use forebay_store::{Embedded, EmbeddedSettings, Surroundings};

/// A directory that goes with the test.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Directory {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("forebay-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(directory: &Path) -> Embedded {
    let engine = RocksEngine::new(RocksSettings::default()).unwrap();
    Embedded::on_disk(EmbeddedSettings::default(), &engine, directory, Surroundings::system(), Arc::new(()))
        .unwrap()
}

fn name() -> TableName {
    TableName::new("things").unwrap()
}

fn key(at: u32) -> Item {
    Item::new().with("pk", AttributeValue::S(format!("key-{at}")))
}

async fn write(store: &Embedded, at: u32) {
    let item = key(at).with("v", AttributeValue::S("x".repeat(400)));
    let input = PutItemInput {
        table: name(),
        item,
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    };
    store.send(Context::default(), input).await.unwrap();
}

async fn is_there(store: &Embedded, at: u32, consistent: bool) -> bool {
    let input = GetItemInput {
        table: name(),
        key: key(at),
        projection: None,
        consistent,
        return_capacity: ReturnConsumedCapacity::None,
    };
    store.send(Context::default(), input).await.unwrap().item.is_some()
}

async fn create(store: &Embedded) {
    let partition = KeyAttribute { name: "pk".into(), value_type: ValueType::S };
    let input = CreateTableInput {
        table: name(),
        attributes: vec![partition.clone()],
        key: KeySchema { partition, sort: None },
        indexes: Vec::new(),
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Vec::new(),
    };
    store.send(Context::default(), input).await.unwrap();
    for _ in 0..1000 {
        let described = store.send(Context::default(), DescribeTableInput { table: name() }).await.unwrap();
        if described.description.table.status == Status::Active {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the table did not become active");
}

/// Writes from as many tasks at once, so that syncs are shared.
async fn write_all(store: &Arc<Embedded>, range: std::ops::Range<u32>) {
    const WRITERS: u32 = 32;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, range) = (Arc::clone(store), range.clone());
            tokio::spawn(async move {
                for at in range.filter(|at| at % WRITERS == writer) {
                    write(&store, at).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_clean_stop() {
    let directory = Directory::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        const ROUND: u32 = 500;
        for round in 0..3 {
            let store = Arc::new(open(&directory.0));
            if round == 0 {
                create(&store).await;
            }
            for at in (0..round * ROUND).step_by(7) {
                assert!(is_there(&store, at, at % 2 == 0).await, "item {at} in round {round}");
            }
            assert_eq!(items(&store).await, u64::from(round * ROUND));
            write_all(&store, round * ROUND..(round + 1) * ROUND).await;
            store.close().await.unwrap();
        }
    });
}

async fn items(store: &Embedded) -> u64 {
    let described = store.send(Context::default(), DescribeTableInput { table: name() }).await.unwrap();
    described.description.size.items
}

/// Where the process that is to be killed finds its directory, and from which number on it writes.
const VICTIM: &str = "FOREBAY_TEST_VICTIM";
/// Acknowledgements after which a victim is killed.
const ENOUGH: u32 = 300;

#[test]
fn what_was_acknowledged_is_there_after_the_process_was_killed() {
    if let Ok(role) = std::env::var(VICTIM) {
        let (from, directory) = role.split_once(' ').unwrap();
        write_until_killed(Path::new(directory), from.parse().unwrap());
    }
    let directory = Directory::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut acknowledged: Vec<u32> = Vec::new();
    for round in 0..3_u32 {
        let from = round * 100_000;
        acknowledged.extend(kill_one(&directory.0, from));
        let store = open(&directory.0);
        runtime.block_on(async {
            for &at in &acknowledged {
                assert!(is_there(&store, at, false).await, "item {at} was acknowledged");
            }
            assert!(items(&store).await >= acknowledged.len() as u64);
            store.close().await.unwrap();
        });
    }
    assert!(acknowledged.len() as u32 >= 3 * ENOUGH);
}

/// Starts this test again as a process that writes, and kills it once it has acknowledged enough. Answers what it had
/// acknowledged by then.
fn kill_one(directory: &Path, from: u32) -> Vec<u32> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_acknowledged_is_there_after_the_process_was_killed", "--nocapture"])
        .env(VICTIM, format!("{from} {}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
        if let Some(number) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged.push(number.parse().unwrap());
        }
        if acknowledged.len() as u32 == ENOUGH {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    acknowledged
}

fn write_until_killed(directory: &Path, from: u32) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(directory));
        if from == 0 {
            create(&store).await;
        }
        for writer in 0..8 {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                // Far more than anybody waits for: the process is killed before.
                for at in (from..from + 100_000).filter(|at| at % 8 == writer) {
                    write(&store, at).await;
                    // One call for a line, so that a kill can't leave half a number that reads as another.
                    std::io::stdout().write_all(format!("acknowledged {at}\n").as_bytes()).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            });
        }
        std::future::pending::<()>().await;
    });
    unreachable!("it writes until it is killed")
}
