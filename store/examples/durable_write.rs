//! What a durable write costs beside the disk's own sync, in the same process and the same minute.
//!
//! `cargo run --release -p forebay-store -p forebay-proxy --example durable_write [DIRECTORY [ROUNDS]]`
//!
//! Each round measures, one after the other: appending 600 bytes to a file and syncing it, again and again; then PutItem of a
//! 500-byte item by 1, 8, 32 and 64 callers at once, over the store on the same disk. Rounds alternate, so that a change of
//! the disk's mood shows in all columns. Printed: medians over the rounds.
#![allow(clippy::disallowed_methods, reason = "measuring is what it is for")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::op::{
    CreateTableInput, PutItemInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld,
    ReturnOnFailure,
};
use api::schema::{BillingMode, KeyAttribute, KeySchema, Throughput};
use api::value::ValueType;
use api::{AttributeValue, Context, DynamoDb, Item, TableName};
use forebay_store::db::rocks::{RocksEngine, RocksSettings};
use forebay_store::{Embedded, EmbeddedSettings, Surroundings};

const CALLERS: [u64; 4] = [1, 8, 32, 64];
const PIECE: Duration = Duration::from_millis(700);
const ENTRY_BYTES: usize = 600;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let rounds = arguments.next().map_or(Ok(9), |text| text.parse::<usize>())?;
    let directory = directory.join(format!("forebay-durable-write-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let measured = measure(&directory, rounds);
    std::fs::remove_dir_all(&directory)?;
    measured
}

fn measure(directory: &Path, rounds: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let engine = RocksEngine::new(RocksSettings::default())?;
    let store = Embedded::on_disk(
        EmbeddedSettings::default(),
        &engine,
        &directory.join("data"),
        Surroundings::system(),
        Arc::new(()),
    )?;
    let store = Arc::new(store);
    let table = TableName::new("things").ok_or("no name of a table")?;
    runtime.block_on(create(&store, &table))?;
    let mut file = File::create(directory.join("raw"))?;
    let numbers = Arc::new(AtomicU64::new(0));
    let mut syncs = Vec::new();
    let mut writes = CALLERS.map(|_| (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        syncs.push(median(raw(&mut file)?));
        for (callers, (rates, micros)) in CALLERS.iter().zip(&mut writes) {
            let begun = Instant::now();
            let waits = runtime.block_on(put_all(&store, &table, *callers, &numbers))?;
            rates.push(waits.len() as f64 / begun.elapsed().as_secs_f64());
            micros.push(median(waits));
        }
    }
    let sync = median(syncs);
    println!("raw append and sync: p50 {sync:.0} us");
    println!("callers   p50 us   x sync   writes/s");
    for (callers, (rates, micros)) in CALLERS.iter().zip(writes) {
        let micros = median(micros);
        println!("{callers:7}  {micros:7.0}  {:7.2}  {:9.0}", micros / sync, median(rates));
    }
    runtime.block_on(store.close())?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

fn raw(file: &mut File) -> Result<Vec<f64>, Failure> {
    let bytes = [7; ENTRY_BYTES];
    let begun = Instant::now();
    let mut waits = Vec::new();
    while begun.elapsed() < PIECE {
        let at = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        waits.push(micros(at));
    }
    Ok(waits)
}

async fn put_all(
    store: &Arc<Embedded>,
    table: &TableName,
    callers: u64,
    numbers: &Arc<AtomicU64>,
) -> Result<Vec<f64>, Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (store, table, numbers) = (Arc::clone(store), table.clone(), Arc::clone(numbers));
        tasks.spawn(async move {
            let begun = Instant::now();
            let mut waits = Vec::new();
            while begun.elapsed() < PIECE {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let at = Instant::now();
                store.send(Context::default(), put(&table, number)).await?;
                waits.push(micros(at));
            }
            Ok::<_, api::Error>(waits)
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done?.map_err(|error| error.message.into_owned())?);
    }
    Ok(waits)
}

fn put(table: &TableName, number: u64) -> PutItemInput {
    let item = Item::new()
        .with("pk", AttributeValue::S(format!("key-{number:012}")))
        .with("v", AttributeValue::S("x".repeat(480)));
    PutItemInput {
        table: table.clone(),
        item,
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

async fn create(store: &Embedded, table: &TableName) -> Result<(), Failure> {
    let partition = KeyAttribute { name: "pk".into(), value_type: ValueType::S };
    let input = CreateTableInput {
        table: table.clone(),
        attributes: vec![partition.clone()],
        key: KeySchema { partition, sort: None },
        indexes: Vec::new(),
        billing: BillingMode::PayPerRequest,
        throughput: Throughput::default(),
        deletion_protection: false,
        table_class: None,
        tags: Vec::new(),
    };
    store.send(Context::default(), input).await.map_err(|error| error.message.into_owned())?;
    while store.send(Context::default(), put(table, 0)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
