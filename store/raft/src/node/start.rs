//! Start and stop of a node, in order.
//!
//! Start: the state tells how far it is; the log is checked and mended; the state is brought up to
//! what was known committed; the library starts; a new log begins what it is told to; the only voter
//! is elected at once, and its first entry is applied; peers are served. Only then is the node handed
//! out. Stop is the reverse: the library, the state (flushed), the log.
//!
//! All of that is one future. It has a thread and a runtime to itself, or, where a simulation opens the node, it is a task of the
//! runtime that is there.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use openraft::async_runtime::WatchReceiver;
use openraft::storage::RaftStateMachine;
use openraft::{Raft, ServerState};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};

use super::keeper::Keeper;
use super::watcher::{Told, Watcher, newest_round};
use super::{Bootstrap, Gate, Health, Inner, Leadership, Library, RaftNode, RaftSettings};
use crate::clock::Clock;
use crate::error::RaftError;
use crate::freshness::Freshness;
use crate::log::disk::LogDisk;
use crate::log::store::LogStore;
use crate::member::Members;
use crate::network::{Links, Network, PeerNetwork, PeerService, serve};
use crate::snapshot::{SnapshotHandle, SnapshotShelf};
use crate::state::{ApplyWorker, Mark, StateAdapter, StateMachine, StateTransfer, state_error};
use crate::transport::PeerTransport;
use crate::types::Types;
use crate::workers::{Pace, Workers};

/// Bytes of entries replayed at a time.
const REPLAY_BYTES: usize = 4 * 1024 * 1024;

/// What came of a node's life, once it has ended and has let go of disk and state.
type Ended = Option<Result<(), RaftError>>;

/// The runtime the library runs on, mostly of a thread of its own. It ends when it is told to, or when this is dropped.
pub(super) struct Home {
    stop: watch::Sender<bool>,
    ended: watch::Receiver<Ended>,
    runtime: tokio::runtime::Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Home {
    /// Runs something there.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// Stops the node. Whoever calls waits for the end, and all get the same answer.
    pub(super) async fn stop(&self) -> Result<(), RaftError> {
        self.stop.send_replace(true);
        let mut ended = self.ended.clone();
        let result = match ended.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Err(RaftError::Shutdown)),
            Err(_) => Err(panicked()),
        };
        let thread = self.thread.lock().take();
        // It has answered, or is gone: joining does not wait for work.
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(panicked()),
            Some(Ok(())) | None => result,
        }
    }
}

fn panicked() -> RaftError {
    RaftError::StateFailed("the node panicked".to_owned())
}

/// What a started node hands to its maker.
struct Started<R: Send + Sync + 'static> {
    library: Library<R>,
    leadership: watch::Receiver<Leadership>,
    members: watch::Receiver<Arc<Members>>,
    given_up: watch::Receiver<u64>,
    runtime: tokio::runtime::Handle,
}

/// Tells the maker, once.
type Ready<R> = Box<dyn FnOnce(Result<Started<R>, RaftError>) -> Result<(), NobodyWaits> + Send>;

/// The maker has gone.
struct NobodyWaits;

/// What runs beside the library.
struct Parts<R: Send + Sync + 'static> {
    settings: RaftSettings,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    log: LogStore,
    apply: ApplyWorker<R>,
    adapter: StateAdapter<R>,
    shelf: Arc<SnapshotShelf>,
    transfer: Arc<dyn StateTransfer>,
    freshness: Arc<Freshness>,
    applied: watch::Receiver<u64>,
    transport: Option<Arc<dyn PeerTransport>>,
    links: Option<Arc<Links>>,
    workers: Workers,
}

/// What the handle of a node holds besides what it is told at the start.
struct Handle {
    health: Arc<Health>,
    gate: Arc<Gate>,
    freshness: Arc<Freshness>,
    applied: watch::Receiver<u64>,
    links: Option<Arc<Links>>,
    node_id: u64,
    address: String,
    change_timeout: Duration,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<Ended>,
}

impl Handle {
    fn of<R: Send + Sync + 'static>(
        parts: &Parts<R>,
        gate: Arc<Gate>,
        stop: watch::Sender<bool>,
        ended: watch::Receiver<Ended>,
    ) -> Self {
        let settings = &parts.settings;
        Self {
            health: Arc::clone(&parts.health),
            gate,
            freshness: Arc::clone(&parts.freshness),
            applied: parts.applied.clone(),
            links: parts.links.clone(),
            node_id: settings.node_id,
            address: settings.address.clone(),
            // Time for one election that fails and one that does not, and for the word to get round.
            change_timeout: Duration::from_millis(settings.election_max_millis.saturating_mul(5)),
            stop,
            ended,
        }
    }

    fn node<R: Send + Sync + 'static>(
        self,
        started: Started<R>,
        thread: Option<JoinHandle<()>>,
    ) -> RaftNode<R> {
        let Handle { health, gate, freshness, applied, links, node_id, address, change_timeout, stop, ended } =
            self;
        let Started { library, leadership, members, given_up, runtime } = started;
        let home = Home { stop, ended, runtime, thread: Mutex::new(thread) };
        let inner = Inner {
            library,
            health,
            gate,
            leadership,
            members,
            given_up,
            freshness,
            applied,
            links,
            node_id,
            address,
            change_timeout,
            home,
        };
        RaftNode { inner: Arc::new(inner) }
    }
}

/// Starts a node on threads of its own. Blocks until it is ready.
pub(super) fn start<SM: StateMachine>(
    settings: RaftSettings,
    disk: Arc<dyn LogDisk>,
    state: SM,
    clock: Arc<dyn Clock>,
    network: impl PeerNetwork,
) -> Result<RaftNode<SM::Reply>, RaftError> {
    let (parts, gate) = prepare(settings, disk, state, clock, network, Workers::Threads)?;
    let (stop, stopping) = watch::channel(false);
    let (end, ended) = watch::channel(None);
    let handle = Handle::of(&parts, gate, stop, ended);
    let (ready, started) = mpsc::channel();
    let ready: Ready<SM::Reply> = Box::new(move |started| ready.send(started).map_err(|_| NobodyWaits));
    let thread = std::thread::Builder::new()
        .name("raft".into())
        .spawn(move || run(parts, ready, stopping, &end))
        .map_err(|error| RaftError::Settings(format!("the node's thread did not start: {error}")))?;
    match started.recv() {
        Ok(Ok(started)) => Ok(handle.node(started, Some(thread))),
        failed => {
            // It lets go of disk and state first, so that whoever tries again does not find them in use.
            let joined = thread.join();
            Err(match (failed, joined) {
                (Ok(Err(error)), Ok(())) => error,
                (_, _) => panicked(),
            })
        }
    }
}

/// Starts a node whose whole life is tasks of the runtime this is called on.
pub(super) async fn start_as_tasks<SM: StateMachine>(
    settings: RaftSettings,
    disk: Arc<dyn LogDisk>,
    state: SM,
    clock: Arc<dyn Clock>,
    network: impl PeerNetwork,
    pace: Arc<dyn Pace>,
) -> Result<RaftNode<SM::Reply>, RaftError> {
    let (parts, gate) = prepare(settings, disk, state, clock, network, Workers::Tasks(pace))?;
    let (stop, stopping) = watch::channel(false);
    let (end, ended) = watch::channel(None);
    let handle = Handle::of(&parts, gate, stop, ended);
    let (ready, started) = oneshot::channel();
    let ready: Ready<SM::Reply> = Box::new(move |started| ready.send(started).map_err(|_| NobodyWaits));
    tokio::spawn(async move {
        let (apply, log) = live(parts, ready, stopping).await;
        end.send_replace(Some(close(apply, log).await));
    });
    match started.await {
        Ok(started) => Ok(handle.node(started?, None)),
        Err(_) => Err(panicked()),
    }
}

/// Everything that needs no runtime of its own: the state's mark, the log, checked and mended, and who works on them.
fn prepare<SM: StateMachine>(
    settings: RaftSettings,
    disk: Arc<dyn LogDisk>,
    mut state: SM,
    clock: Arc<dyn Clock>,
    network: impl PeerNetwork,
    workers: Workers,
) -> Result<(Parts<SM::Reply>, Arc<Gate>), RaftError> {
    settings.library()?;
    let health = Arc::new(Health::default());
    let gate = Arc::new(Gate::new(settings.max_waiting_proposals, settings.max_waiting_bytes));
    let mark = match state.mark().map_err(state_error)? {
        Some(bytes) => Mark::decode(&bytes).map_err(|error| error.of("the mark in the state"))?,
        None => Mark::default(),
    };
    let surroundings = crate::log::Surroundings {
        recent_bytes: settings.recent_bytes,
        node_id: settings.node_id,
        clock: Arc::clone(&clock),
        health: Arc::clone(&health),
        gate: Arc::clone(&gate),
        workers: workers.clone(),
    };
    let log = crate::log::open(disk, &mark, surroundings)?;
    let shelf = Arc::new(SnapshotShelf::default());
    // What an opened state shows is what was flushed.
    let transfer = state.transfer();
    shelf.put(SnapshotHandle::new(mark.clone(), Arc::clone(&transfer)));
    let (publish, applied) = watch::channel(mark.applied.as_ref().map_or(0, |id| id.index()));
    let durable = state.durable();
    let freshness = Arc::new(Freshness::new(Arc::clone(&clock), settings.life));
    let apply = ApplyWorker::start(state, publish, Arc::clone(&freshness), Arc::clone(&health), &workers)
        .map_err(|error| RaftError::StateFailed(format!("its thread did not start: {error}")))?;
    let (of_adapter, shelf_of_adapter) = (Arc::clone(&transfer), Arc::clone(&shelf));
    let adapter =
        StateAdapter::new(&apply, mark, log.clone(), durable, of_adapter, shelf_of_adapter, workers.clone());
    let transport = network.into_transport();
    let links = transport.as_ref().map(|transport| {
        let group = settings.group.clone();
        Arc::new(Links::new(settings.node_id, group, Arc::clone(transport), workers.clone()))
    });
    let parts = Parts {
        settings,
        clock,
        health,
        log,
        apply,
        adapter,
        shelf,
        transfer,
        freshness,
        applied,
        transport,
        links,
        workers,
    };
    Ok((parts, gate))
}

/// The thread's whole life.
fn run<R: Send + Sync + 'static>(
    parts: Parts<R>,
    ready: Ready<R>,
    stopping: watch::Receiver<bool>,
    end: &watch::Sender<Ended>,
) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time();
    if parts.transport.is_some() {
        // Only then: it makes each waking of the thread dearer, and a proposal that is alone is mostly that.
        builder.enable_io();
    }
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever opens waits for exactly one answer; there is nobody else to tell.
            let _ = ready(Err(RaftError::Settings(format!("no runtime: {error}"))));
            return;
        }
    };
    let (apply, log) = runtime.block_on(live(parts, ready, stopping));
    // Ends the library's remaining tasks, and with them what they hold of the state and the log.
    drop(runtime);
    // Threads are waited for without giving way, so that is done when it is first asked for.
    end.send_replace(Some(close(apply, log).now_or_never().unwrap_or_else(|| Err(panicked()))));
}

/// From the start to the stop. What is left is to be closed.
async fn live<R: Send + Sync + 'static>(
    parts: Parts<R>,
    ready: Ready<R>,
    mut stopping: watch::Receiver<bool>,
) -> (ApplyWorker<R>, LogStore) {
    let Parts {
        settings,
        clock,
        health,
        log,
        apply,
        adapter,
        shelf,
        transfer,
        freshness,
        applied,
        transport,
        links,
        workers,
    } = parts;
    let library = match begin(&settings, &health, &log, adapter, links.clone()).await {
        Ok(library) => library,
        Err(error) => {
            // Whoever opens waits for exactly one answer.
            let _ = ready(Err(error));
            return (apply, log);
        }
    };
    let keeper =
        Keeper { library: library.clone(), log: log.clone(), shelf, clock, settings: settings.clone() };
    let (tell_leadership, leadership) = watch::channel(Leadership::Unknown);
    let (tell_members, members) = watch::channel(Arc::new(Members::default()));
    let (tell_given_up, given_up) = watch::channel(0);
    let told = Told { leadership: tell_leadership, members: tell_members, given_up: tell_given_up };
    let watcher = Watcher::new(
        library.clone(),
        &settings,
        Arc::clone(&health),
        Arc::clone(&freshness),
        applied.clone(),
        links.clone(),
    );
    if let Some(links) = &links {
        let (metrics, applied) = (library.metrics(), applied.clone());
        links.set_newest_round(move || newest_round(&metrics, &applied).map(|(_, round)| round));
    }
    let watching = tokio::spawn(watcher.run(told));
    let keeping = tokio::spawn(keeper.run());
    let serving = transport.map(|transport| {
        let service = PeerService {
            library: library.clone(),
            group: settings.group.clone(),
            node_id: settings.node_id,
            freshness,
            applied,
            transfer,
            supports: settings.supports,
            receiving: Semaphore::new(1),
            complaint: Mutex::default(),
            workers,
        };
        tokio::spawn(serve(transport, service))
    });
    await_watcher(&library, leadership.clone(), members.clone()).await;
    let runtime = tokio::runtime::Handle::current();
    let started = Started { library: library.clone(), leadership, members, given_up, runtime };
    if ready(Ok(started)).is_ok() {
        // An error: the handle is gone without a stop. Then the node stops all the same.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
    health.no_longer_sole_voter();
    keeping.abort();
    if let Some(serving) = serving {
        serving.abort();
    }
    if let Err(error) = library.shutdown().await {
        tracing::error!(%error, "the Raft library did not stop cleanly");
    }
    watching.abort();
    (apply, log)
}

/// Lets go of the state, flushed, and of the log.
async fn close<R: Send + Sync + 'static>(apply: ApplyWorker<R>, log: LogStore) -> Result<(), RaftError> {
    let applied = apply.close().await;
    let result = applied.and(log.close().await);
    if let Err(error) = &result {
        tracing::error!(%error, "the node did not stop cleanly");
    }
    result
}

async fn begin<R: Send + Sync + 'static>(
    settings: &RaftSettings,
    health: &Health,
    log: &LogStore,
    mut adapter: StateAdapter<R>,
    links: Option<Arc<Links>>,
) -> Result<Library<R>, RaftError> {
    replay(log, &mut adapter).await.map_err(|error| failure(health, error))?;
    let config = Arc::new(settings.library()?);
    let network = Network::new(links);
    let id = settings.node_id;
    let library = Raft::<Types<R>, _>::new(id, config, network, log.clone(), adapter)
        .await
        .map_err(|error| failure(health, error))?;
    let initialized = library.is_initialized().await.map_err(|error| failure(health, error))?;
    let members = match &settings.bootstrap {
        Bootstrap::Alone => Some(BTreeMap::from([(id, settings.member())])),
        Bootstrap::Members(members) => Some(members.clone()),
        Bootstrap::Join => None,
    };
    if let (false, Some(members)) = (initialized, members) {
        library.initialize(members).await.map_err(|error| failure(health, error))?;
    }
    // Asked of the library's core: its metrics may still show what was before.
    let voters: Vec<u64> = library
        .with_raft_state(|state| state.membership_state.effective().voter_ids().collect())
        .await
        .map_err(|error| failure(health, error))?;
    if voters == [id] {
        if initialized {
            library.trigger().elect(false).await.map_err(|error| failure(health, error))?;
        }
        let timeout = Duration::from_millis(settings.open_timeout_millis);
        library
            .wait(Some(timeout))
            .metrics(
                |metrics| {
                    metrics.state == ServerState::Leader
                        && metrics.last_log_index.is_some()
                        && metrics.last_applied.as_ref().map(|id| id.index()) >= metrics.last_log_index
                },
                "the only voter leads and has applied its log",
            )
            .await
            .map_err(|error| failure(health, error))?;
        health.become_sole_voter();
    }
    Ok(library)
}

fn failure(health: &Health, error: impl std::fmt::Display) -> RaftError {
    health.failed().unwrap_or_else(|| RaftError::StateFailed(error.to_string()))
}

/// Applies what was known committed and is not in the state yet, in large batches.
async fn replay<R: Send + Sync + 'static>(
    log: &LogStore,
    adapter: &mut StateAdapter<R>,
) -> Result<(), std::io::Error> {
    let (applied, _) = adapter.applied_state().await?;
    let mut next = applied.map_or(0, |id| id.index() + 1);
    let end = log.committed().map_or(0, |id| id.index() + 1);
    while next < end {
        let entries = log.read(next, end, REPLAY_BYTES)?;
        let Some(last) = entries.last() else {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("the log has no entry {next}, which was committed"),
            ));
        };
        next = last.log_id.index() + 1;
        adapter.apply(stream::iter(entries.into_iter().map(|entry| Ok((entry, None)))).boxed()).await?;
    }
    Ok(())
}

/// Waits until the watching task has told what there is to tell.
async fn await_watcher<R: Send + Sync + 'static>(
    library: &Library<R>,
    mut leadership: watch::Receiver<Leadership>,
    mut members: watch::Receiver<Arc<Members>>,
) {
    // Each ends when the task publishes, or is gone; then there is nothing to wait for.
    let alone = {
        let metrics = library.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().voter_ids().eq([metrics.id])
    };
    if library.is_leader() && alone {
        let _ = leadership.wait_for(|now| matches!(now, Leadership::Leader { .. })).await;
    }
    let _ = members.changed().await;
}
