//! Keeps the store's own work going: the primary's side of [`crate::engine::maintain`], and an eye on the engine's write
//! buffers.
//!
//! It runs on a thread of its own, proposes one bounded step at a time, and needs no memory of what it has done: what is to
//! do shows in the schemas. So a restart goes on where it stopped, and a step proposed twice does nothing the second time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use api::Context;
use tokio::sync::watch;

use super::Core;
use crate::command::{Body, SEMANTICS_LEVEL};
use crate::db::{KeyRange, Scan, WritePressure};
use crate::engine::maintain::{self, PURGE_DELAY_MILLIS};
use crate::error::{EngineError, OpenError};
use crate::kv;
use crate::kv::dropped::Dropped;

/// How often the write buffers are looked at.
const WATCH_PERIOD: Duration = Duration::from_millis(50);
/// How many of those periods pass between two looks for records to purge.
const PURGE_PERIODS: u32 = 100;
/// Pause after a step that failed, before it is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The engine's write pressure as last seen.
#[derive(Default)]
pub(super) struct Pressure(AtomicU8);

impl Pressure {
    pub(super) fn get(&self) -> WritePressure {
        match self.0.load(Ordering::Relaxed) {
            0 => WritePressure::Easy,
            1 => WritePressure::High,
            _ => WritePressure::Stopped,
        }
    }

    fn set(&self, pressure: WritePressure) {
        let number = match pressure {
            WritePressure::Easy => 0,
            WritePressure::High => 1,
            WritePressure::Stopped => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

/// The keeper's thread. It ends when this is stopped or dropped.
pub(super) struct Keeper {
    stop: watch::Sender<bool>,
}

impl Keeper {
    /// Starts the thread; a new store is given its incarnation before this returns.
    pub(super) fn start(core: &Arc<Core>) -> Result<Keeper, OpenError> {
        let (stop, stopping) = watch::channel(false);
        let (begun, beginning) = mpsc::channel();
        let core = Arc::clone(core);
        std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || run(&core, &begun, stopping))
            .map_err(|error| OpenError::Log(format!("the keeper's thread did not start: {error}")))?;
        match beginning.recv() {
            Ok(begun) => begun.map(|()| Keeper { stop }),
            Err(_) => Err(OpenError::Log("the keeper's thread panicked".to_owned())),
        }
    }

    /// Takes no further step. One that is under way ends by itself.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

fn run(core: &Arc<Core>, begun: &mpsc::Sender<Result<(), OpenError>>, mut stopping: watch::Receiver<bool>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever opens waits for exactly one answer.
            let _ = begun.send(Err(OpenError::Log(format!("no runtime: {error}"))));
            return;
        }
    };
    runtime.block_on(async {
        let result = begin(core).await;
        let failed = result.is_err();
        let _ = begun.send(result);
        if failed {
            return;
        }
        tokio::select! {
            () = keep(core) => {}
            // An error here is a dropped store: it stops too.
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    });
}

async fn begin(core: &Core) -> Result<(), OpenError> {
    if core.published.version().incarnation != 0 {
        return Ok(());
    }
    let body = Body::Begin { semantics_level: SEMANTICS_LEVEL };
    match core.propose(&Context::default(), body).await {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::Log(error.message.into_owned())),
    }
}

async fn keep(core: &Core) {
    let mut schemas = core.published.watch_schemas();
    let mut periods: u32 = 0;
    loop {
        schemas.borrow_and_update();
        let steps = maintain::pending(&core.published.tables());
        if steps.is_empty() {
            tokio::select! {
                // The sender lives as long as the store.
                _ = schemas.changed() => {}
                () = tokio::time::sleep(WATCH_PERIOD) => {
                    core.pressure.set(core.state_db.write_pressure());
                    periods = periods.wrapping_add(1);
                    if periods.is_multiple_of(PURGE_PERIODS) {
                        purge(core).await;
                    }
                }
            }
            continue;
        }
        core.pressure.set(core.state_db.write_pressure());
        // At once: the answer that made the table showed it being made, and the waiters of SDKs, which look right after it and
        // then only every 20 seconds, should find it done.
        for step in steps {
            take(core, step).await;
        }
    }
}

async fn take(core: &Core, step: Body) {
    if let Err(error) = core.propose(&Context::default(), step).await {
        if core.raft.failure().is_some() {
            // Nothing is taken any more until the store is opened again, and that was said when it began.
            std::future::pending::<()>().await;
        }
        tracing::warn!(%error, "a step of the store's own work failed; it is tried again");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn purge(core: &Core) {
    match purgeable(core) {
        Ok(ids) => {
            for id in ids {
                take(core, Body::Purge { id }).await;
            }
        }
        Err(error) => tracing::warn!(%error, "looking for records to purge failed; it is tried again"),
    }
}

fn purgeable(core: &Core) -> Result<Vec<u64>, EngineError> {
    let now_millis = core.surroundings.clock.now_millis();
    let snapshot = core.state_db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::dropped::PREFIX)));
    let mut ids = Vec::new();
    while let Some(record) = cursor.advance()? {
        let dropped = Dropped::decode(record.value)?;
        if now_millis >= dropped.at_millis.saturating_add(PURGE_DELAY_MILLIS) {
            ids.push(kv::dropped::id(record.key)?);
        }
    }
    Ok(ids)
}
