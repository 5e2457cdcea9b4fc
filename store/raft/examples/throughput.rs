//! How many proposals a second one voter takes, and how long each waits.
//!
//! `cargo run --release -p forebay-store-raft --example throughput [DIR]` writes the log to a file in
//! `DIR` with one `fdatasync` per group; without it the log is in memory and shows the limit of
//! everything but the disk. Entries of 500 bytes, 1 to 256 proposers at once, two seconds each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay_store_raft as raft;
use parking_lot::Mutex;
use raft::log::disk::{LogBatch, LogDisk, LogDiskError, LogOp, LogRecord, Sync};
use raft::network::NoPeers;
use raft::{ApplyBatch, Clock, DurableState, RaftNode, RaftSettings, StateError, StateMachine, SystemClock};

const ENTRY_BYTES: usize = 500;
const SECONDS: u64 = 2;

/// A log that is only written: good for measuring, not for reading back after a restart.
struct FileDisk {
    file: Option<Mutex<File>>,
    map: Mutex<BTreeMap<Bytes, Bytes>>,
    syncs: AtomicU64,
}

impl FileDisk {
    fn new(directory: Option<&Path>) -> std::io::Result<Self> {
        let file = match directory {
            Some(directory) => Some(Mutex::new(File::create(directory.join("throughput.log"))?)),
            None => None,
        };
        Ok(Self { file, map: Mutex::new(BTreeMap::new()), syncs: AtomicU64::new(0) })
    }
}

impl LogDisk for FileDisk {
    fn write(&self, batch: LogBatch, sync: Sync) -> Result<(), LogDiskError> {
        let mut bytes = Vec::new();
        let mut map = self.map.lock();
        for op in batch.ops {
            if let LogOp::Put { key, value } = op {
                bytes.extend_from_slice(&value);
                if self.file.is_none() || key.len() < 9 {
                    map.insert(key, value);
                }
            }
        }
        drop(map);
        if let Some(file) = &self.file {
            let mut file = file.lock();
            let written = file.write_all(&bytes).and_then(|()| match sync {
                Sync::Now => file.sync_data(),
                Sync::Later => Ok(()),
            });
            written.map_err(|error| LogDiskError::Failed(error.to_string()))?;
        }
        self.syncs.fetch_add(u64::from(sync == Sync::Now), Ordering::Relaxed);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, LogDiskError> {
        Ok(self.map.lock().get(key).cloned())
    }

    fn read(&self, _: &[u8], _: &[u8], _: usize) -> Result<Vec<LogRecord>, LogDiskError> {
        Ok(Vec::new())
    }

    fn last(&self, _: &[u8], _: &[u8]) -> Result<Option<LogRecord>, LogDiskError> {
        Ok(None)
    }

    fn drop_range(&self, _: &[u8], _: &[u8]) -> Result<(), LogDiskError> {
        Ok(())
    }

    fn close(&self) -> Result<(), LogDiskError> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Counter {
    mark: Arc<Mutex<Option<Bytes>>>,
    batches: Arc<AtomicU64>,
}

impl StateMachine for Counter {
    type Reply = u64;

    fn mark(&mut self) -> Result<Option<Bytes>, StateError> {
        Ok(None)
    }

    fn apply(&mut self, batch: ApplyBatch<'_>) -> Result<Vec<u64>, StateError> {
        *self.mark.lock() = Some(batch.mark.clone());
        self.batches.fetch_add(1, Ordering::Relaxed);
        Ok(batch.commands.iter().map(|command| command.index).collect())
    }

    fn durable(&self) -> Arc<dyn DurableState> {
        Arc::new(self.clone())
    }

    fn close(&mut self) -> Result<(), StateError> {
        Ok(())
    }
}

impl DurableState for Counter {
    fn flush(&self) -> Result<Option<Bytes>, StateError> {
        Ok(self.mark.lock().clone())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    println!("proposers  proposals/s  mean us  syncs/s  per sync  per apply");
    for proposers in [1_u64, 8, 32, 64, 256] {
        let disk = Arc::new(FileDisk::new(directory.as_deref().map(Path::new))?);
        let state = Counter::default();
        let batches = Arc::clone(&state.batches);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let log: Arc<dyn LogDisk> = Arc::<FileDisk>::clone(&disk);
        let node = RaftNode::open(RaftSettings::default(), log, state, Arc::clone(&clock), NoPeers)?;
        let (done, syncs) = (Arc::new(AtomicU64::new(0)), disk.syncs.load(Ordering::Relaxed));
        let started = clock.monotonic_millis();
        runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..proposers {
                let (node, done) = (node.clone(), Arc::clone(&done));
                tasks.push(tokio::spawn(async move {
                    let payload = Bytes::from(vec![7; ENTRY_BYTES]);
                    loop {
                        if let Err(error) = node.propose(payload.clone()).await {
                            eprintln!("{error}");
                            return;
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
            tokio::time::sleep(Duration::from_secs(SECONDS)).await;
            for task in &tasks {
                task.abort();
            }
        });
        let millis = (clock.monotonic_millis() - started).max(1);
        let (done, syncs) = (done.load(Ordering::Relaxed), disk.syncs.load(Ordering::Relaxed) - syncs);
        println!(
            "{proposers:9}  {:11}  {:7}  {:7}  {:8.1}  {:9.1}",
            done * 1000 / millis,
            millis * 1000 * proposers / done.max(1),
            syncs * 1000 / millis,
            done as f64 / syncs.max(1) as f64,
            done as f64 / batches.load(Ordering::Relaxed).max(1) as f64,
        );
        runtime.block_on(node.shutdown())?;
    }
    Ok(())
}
