//! Keeps the store's own work going: the primary's side of [`crate::engine::maintain`] and of forgetting tokens, and an eye
//! on the engine's write buffers.
//!
//! Steps are proposed by the primary alone, whichever node that is. A replica takes them as they come by the log, and goes on
//! with them where it becomes the primary.
//!
//! It runs on a thread of its own (in a simulation, as a task), proposes one bounded step at a time, and needs no memory of what it has done: what is to
//! do shows in the state. So a restart goes on where it stopped, and a step proposed twice does nothing the second time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use api::{ChangeSink, Context};
use parking_lot::Mutex;
use raft::Leadership;
use tokio::sync::{oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::Core;
use crate::command::{Body, FIRST_LEVEL};
use crate::db::{DbError, KeyRange, Scan, WritePressure};
use crate::engine::maintain::{self, PURGE_DELAY_MILLIS};
use crate::engine::token::{self, FORGET_TOKENS};
use crate::error::{EngineError, OpenError};
use crate::kv;
use crate::kv::dropped::{Dropped, DroppedKind};

/// How often the write buffers are looked at.
const WATCH_PERIOD: Duration = Duration::from_millis(50);
/// Pause between two looks for what may be removed. Tests of it don't wait as long.
const REMOVAL_PERIOD: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };
/// A member that has answered within this is there now.
const HEARD_LATELY: Duration = Duration::from_secs(2);
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

/// The keeper, mostly on a thread. It ends when this is stopped or dropped.
pub(super) struct Keeper {
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Tells how the beginning went, once.
type Begun = Box<dyn FnOnce(Result<(), OpenError>) + Send>;

impl Keeper {
    /// Starts the thread. Before this returns `sink` knows where the store stands, and the new store of a group of one has its
    /// incarnation; that of several nodes is given one by whichever leads first.
    ///
    /// After an error the log is closed.
    pub(super) fn start(core: &Arc<Core>, sink: Arc<dyn ChangeSink>) -> Result<Keeper, OpenError> {
        let (stop, stopping) = watch::channel(false);
        let (begun, beginning) = mpsc::channel();
        let core = Arc::clone(core);
        let begun: Begun = Box::new(move |result| {
            // Whoever opens waits for exactly one answer.
            let _ = begun.send(result);
        });
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || run(&core, sink.as_ref(), begun, stopping))
            .map_err(|error| OpenError::Log(format!("the keeper's thread did not start: {error}")))?;
        match beginning.recv() {
            Ok(Ok(())) => Ok(Keeper { stop, thread: Mutex::new(Some(thread)) }),
            failed => {
                let joined = thread.join();
                Err(match (failed, joined) {
                    (Ok(Err(error)), Ok(())) => error,
                    (_, _) => OpenError::Log("the keeper's thread panicked".to_owned()),
                })
            }
        }
    }

    /// As [`Keeper::start`], as a task of the runtime this is called on.
    pub(super) async fn start_as_task(
        core: &Arc<Core>,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Keeper, OpenError> {
        let (stop, stopping) = watch::channel(false);
        let (begun, beginning) = oneshot::channel();
        let core = Arc::clone(core);
        let begun: Begun = Box::new(move |result| {
            // As above.
            let _ = begun.send(result);
        });
        tokio::spawn(async move { live(&core, sink.as_ref(), begun, stopping).await });
        match beginning.await {
            Ok(begun) => begun.map(|()| Keeper { stop, thread: Mutex::new(None) }),
            Err(_) => Err(OpenError::Log("the keeper panicked".to_owned())),
        }
    }

    /// Takes no further step. One that is under way ends by itself.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the thread has let go of the store. Call it when the log is closed: then no step takes long any more.
    pub(super) fn join(&self) {
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the keeper's thread panicked");
        }
    }
}

fn run(core: &Arc<Core>, sink: &dyn ChangeSink, begun: Begun, stopping: watch::Receiver<bool>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            begun(Err(OpenError::Log(format!("no runtime: {error}"))));
            return;
        }
    };
    runtime.block_on(live(core, sink, begun, stopping));
}

async fn live(core: &Arc<Core>, sink: &dyn ChangeSink, begun: Begun, mut stopping: watch::Receiver<bool>) {
    // Who stands alone leads from the start. Where peers have a say, a store opens without waiting for any of them.
    if leads(core)
        && let Err(error) = begin(core).await
    {
        if let Err(error) = core.raft.shutdown().await {
            tracing::error!(%error, "the log did not close after a failed start");
        }
        begun(Err(error));
        return;
    }
    // Of a store that stands alone this is exactly what has been applied. Of one with peers more may be by now, which its
    // consumer was told of: then it knows better than this, and only ends what it held before.
    sink.gap(core.published.version());
    begun(Ok(()));
    tokio::select! {
        biased;
        // An error here is a dropped store: it stops too.
        _ = stopping.wait_for(|stop| *stop) => {}
        () = keep(core) => {}
    }
}

fn leads(core: &Core) -> bool {
    matches!(*core.raft.leadership().borrow(), Leadership::Leader { .. })
}

async fn begin(core: &Core) -> Result<(), OpenError> {
    if core.published.version().incarnation != 0 {
        return Ok(());
    }
    match core.propose(&Context::default(), first_step(core)).await {
        Ok(_) => Ok(()),
        // Whoever leads now does it.
        Err(error) if error.is_not_primary() => Ok(()),
        Err(error) => Err(OpenError::Log(error.message.into_owned())),
    }
}

/// Gives a store its incarnation; one that has it keeps it, so that two primaries after one another may both propose it.
fn first_step(core: &Core) -> Body {
    // Of the others nobody knows yet what they support; the level rises when they have said it.
    let alone = core.raft.membership().borrow().iter().count() == 1;
    Body::Begin { semantics_level: if alone { core.supported_level } else { FIRST_LEVEL } }
}

/// What the primary has to do now.
fn pending(core: &Core) -> Vec<Body> {
    if !leads(core) {
        return Vec::new();
    }
    if core.published.version().incarnation == 0 {
        return vec![first_step(core)];
    }
    maintain::pending(&core.published.tables())
}

async fn keep(core: &Core) {
    let mut schemas = core.published.watch_schemas();
    let mut leadership = core.raft.leadership();
    let mut removal = tokio::time::interval(REMOVAL_PERIOD);
    removal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and is none.
    removal.tick().await;
    loop {
        schemas.borrow_and_update();
        leadership.borrow_and_update();
        let steps = pending(core);
        let idle = steps.is_empty();
        raise_level(core).await;
        // At once: the answer that made the table showed it being made, and the waiters of SDKs, which look right after it and
        // then only every 20 seconds, should find it done.
        for step in steps {
            take(core, step).await;
        }
        tokio::select! {
            biased;
            _ = removal.tick() => if leads(core) {
                compare(core).await;
                remove(core).await;
            },
            () = std::future::ready(()), if !idle => {}
            // The sender lives as long as the store.
            _ = schemas.changed() => {}
            // An error is a log that has ended; the pause below keeps this from spinning until the keeper is stopped.
            Ok(()) = leadership.changed() => {}
            () = tokio::time::sleep(WATCH_PERIOD) => {}
        }
        core.pressure.set(core.state.load().write_pressure());
    }
}

/// Proposes a step and waits for it, slowed as callers' writes are. Answers whether it was taken.
async fn take(core: &Core, step: Body) -> bool {
    while core.pressure.get() == WritePressure::Stopped {
        tokio::time::sleep(WATCH_PERIOD).await;
        core.pressure.set(core.state.load().write_pressure());
    }
    let Err(error) = core.propose(&Context::default(), step).await else { return true };
    if core.raft.failure().is_some() {
        // Nothing is taken any more until the store is opened again, and that was said when it began.
        std::future::pending::<()>().await;
    }
    if error.is_not_primary() {
        // Whoever is the primary now finds it to be done. A pause, because the last to hear of it may be this node.
        tokio::time::sleep(RETRY_PAUSE).await;
        return false;
    }
    tracing::warn!(%error, "a step of the store's own work failed; it is tried again");
    tokio::time::sleep(RETRY_PAUSE).await;
    false
}

/// Raises the level to what all members support. Looked at often: a cluster that has just begun, or was just upgraded, should
/// not let its operator wait for what comes with the level.
async fn raise_level(core: &Core) {
    let level = core.published.semantics_level();
    if level != 0
        && level < core.supported_level
        && leads(core)
        && let Some(common) = common_level(core)
        && common > level
        && take(core, Body::RaiseLevel { level: common }).await
    {
        tracing::info!(common, "every member supports it: entries are judged by this level from now on");
    }
}

/// Has the replicas compare themselves with this node.
async fn compare(core: &Core) {
    let is_alone = core.raft.membership().borrow().iter().count() == 1;
    if !is_alone && !core.published.is_compared() {
        take(core, Body::Compare { noted: core.published.noted() }).await;
    }
}

/// The newest level that every member supports. None: one of them has not said it lately; it may have been started again with
/// another version since.
fn common_level(core: &Core) -> Option<u32> {
    core.supported_levels().into_iter().map(|(_, level)| level).collect::<Option<Vec<_>>>()?.into_iter().min()
}

impl Core {
    /// The newest level that each member supports, where it has said so lately.
    fn supported_levels(&self) -> Vec<(u64, Option<u32>)> {
        let members = Arc::clone(&self.raft.membership().borrow());
        let progress = self.raft.progress();
        let own = self.raft.node_id();
        let of = |(id, _)| {
            if id == own {
                return (id, Some(self.supported_level));
            }
            let heard =
                progress.get(&id).filter(|known| known.heard.is_some_and(|heard| heard < HEARD_LATELY));
            (id, heard.and_then(|progress| progress.supports))
        };
        members.iter().map(of).collect()
    }

    /// Members that have not said lately that they support a level.
    pub(super) fn lacking(&self, level: u32) -> Vec<u64> {
        let lacks = |supported: &Option<u32>| supported.is_none_or(|supported| supported < level);
        self.supported_levels().into_iter().filter(|(_, level)| lacks(level)).map(|(id, _)| id).collect()
    }
}

/// Removes what nobody can be reading any more.
async fn remove(core: &Core) {
    if let Err(error) = purge(core).await {
        tracing::warn!(%error, "purging the records of what was dropped failed; it is tried again");
    }
    if let Err(error) = forget_tokens(core).await {
        tracing::warn!(%error, "looking for tokens to forget failed; it is tried again");
    }
}

async fn purge(core: &Core) -> Result<(), EngineError> {
    let mut purged = Vec::new();
    for (id, kind) in purgeable(core)? {
        if take(core, Body::Purge { id }).await {
            purged.extend(maintain::ranges_of(kind, id));
        }
    }
    if purged.is_empty() { Ok(()) } else { Ok(reclaim(core, &purged)?) }
}

/// Gives back the disk space of ranges that were purged. A crash in between leaves that to the engine's own compaction.
fn reclaim(core: &Core, ranges: &[KeyRange]) -> Result<(), DbError> {
    // First, or a replay would meet gaps where records stood: see `ranges_of`. It blocks only this thread.
    let db = core.state.shared();
    db.flush()?;
    ranges.iter().try_for_each(|range| db.drop_range(range))
}

fn purgeable(core: &Core) -> Result<Vec<(u64, DroppedKind)>, EngineError> {
    let now_millis = core.surroundings.clock.now_millis();
    let db = core.state.shared();
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::dropped::PREFIX)));
    let mut purgeable = Vec::new();
    while let Some(record) = cursor.advance()? {
        let dropped = Dropped::decode(record.value)?;
        if now_millis >= dropped.at_millis.saturating_add(PURGE_DELAY_MILLIS) {
            purgeable.push((kv::dropped::id(record.key)?, dropped.kind));
        }
    }
    Ok(purgeable)
}

async fn forget_tokens(core: &Core) -> Result<(), EngineError> {
    let mut before = Vec::new();
    loop {
        let now_millis = core.surroundings.clock.now_millis();
        let oldest = token::oldest_forgotten(core.state.shared().snapshot().as_ref(), now_millis)?;
        // The same one again: log time is behind this clock, or the step was not taken. There is time.
        let Some(oldest) = oldest.filter(|oldest| *oldest != before) else { return Ok(()) };
        let from_millis = kv::token::millis_of_time_key(&oldest)?;
        take(core, Body::ForgetTokens { from_millis, tokens: FORGET_TOKENS }).await;
        before = oldest;
    }
}
