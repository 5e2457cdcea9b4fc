//! Start and stop of a node, in order.
//!
//! Start: the state tells how far it is; the log is checked and mended; the state is brought up to
//! what was known committed; the library starts; a new log begins what it is told to; the only voter
//! is elected at once, and its first entry is applied; peers are served. Only then is the node handed
//! out. Stop is the reverse: the library, the state (flushed), the log.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use openraft::async_runtime::WatchReceiver;
use openraft::storage::RaftStateMachine;
use openraft::{Raft, ServerState};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::keeper::Keeper;
use super::watcher::{Told, Watcher, quorum_age};
use super::{Bootstrap, Gate, Health, Inner, Leadership, Library, RaftNode, RaftSettings};
use crate::clock::Clock;
use crate::error::RaftError;
use crate::freshness::Freshness;
use crate::log::disk::LogDisk;
use crate::log::store::LogStore;
use crate::member::Members;
use crate::network::{Links, Network, PeerNetwork, PeerService, serve};
use crate::snapshot::{SnapshotHandle, SnapshotShelf};
use crate::state::{ApplyThread, Mark, StateAdapter, StateMachine, StateTransfer, state_error};
use crate::transport::PeerTransport;
use crate::types::Types;

/// Bytes of entries replayed at a time.
const REPLAY_BYTES: usize = 4 * 1024 * 1024;

/// What came of a node's life, once it has ended and has let go of disk and state.
type Ended = Option<Result<(), RaftError>>;

/// The thread the library runs on. It ends when it is told to, or when this is dropped.
pub(super) struct RaftThread {
    stop: watch::Sender<bool>,
    ended: watch::Receiver<Ended>,
    runtime: tokio::runtime::Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl RaftThread {
    /// Runs something on the thread.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// Stops the thread. Whoever calls waits for the end, and all get the same answer.
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
    RaftError::StateFailed("the node's thread panicked".to_owned())
}

/// What a started node hands to its maker.
struct Started<R: Send + Sync + 'static> {
    library: Library<R>,
    leadership: watch::Receiver<Leadership>,
    members: watch::Receiver<Arc<Members>>,
    given_up: watch::Receiver<u64>,
    runtime: tokio::runtime::Handle,
}

/// What runs beside the library.
struct Parts<R: Send + Sync + 'static> {
    settings: RaftSettings,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    log: LogStore,
    apply: ApplyThread<R>,
    adapter: StateAdapter<R>,
    shelf: Arc<SnapshotShelf>,
    transfer: Arc<dyn StateTransfer>,
    freshness: Arc<Freshness>,
    applied: watch::Receiver<u64>,
    transport: Option<Arc<dyn PeerTransport>>,
    links: Option<Arc<Links>>,
}

pub(super) fn start<SM: StateMachine>(
    settings: RaftSettings,
    disk: Arc<dyn LogDisk>,
    mut state: SM,
    clock: Arc<dyn Clock>,
    network: impl PeerNetwork,
) -> Result<RaftNode<SM::Reply>, RaftError> {
    settings.library()?;
    let health = Arc::new(Health::default());
    let gate = Arc::new(Gate::new(settings.max_waiting_proposals, settings.max_waiting_bytes));
    let mark = match state.mark().map_err(state_error)? {
        Some(bytes) => Mark::decode(&bytes).map_err(|error| error.of("the mark in the state"))?,
        None => Mark::default(),
    };
    let log = crate::log::open(
        disk,
        &mark,
        settings.recent_bytes,
        settings.node_id,
        Arc::clone(&clock),
        Arc::clone(&health),
        Arc::clone(&gate),
    )?;
    let shelf = Arc::new(SnapshotShelf::default());
    // What an opened state shows is what was flushed.
    let transfer = state.transfer();
    shelf.put(SnapshotHandle::new(mark.clone(), Arc::clone(&transfer)));
    let (publish, applied) = watch::channel(mark.applied.as_ref().map_or(0, |id| id.index()));
    let durable = state.durable();
    let freshness = Arc::new(Freshness::new(Arc::clone(&clock), settings.life));
    let apply = ApplyThread::start(state, publish, Arc::clone(&freshness), Arc::clone(&health))
        .map_err(|error| RaftError::StateFailed(format!("its thread did not start: {error}")))?;
    let adapter = StateAdapter::new(&apply, mark, durable, Arc::clone(&transfer), Arc::clone(&shelf));
    let transport = network.into_transport();
    let links = transport.as_ref().map(|transport| {
        Arc::new(Links::new(settings.node_id, settings.group.clone(), Arc::clone(transport)))
    });
    let (node_id, address) = (settings.node_id, settings.address.clone());
    // Time for one election that fails and one that does not, and for the word to get round.
    let change_timeout = Duration::from_millis(settings.election_max_millis.saturating_mul(5));
    let parts = Parts {
        settings,
        clock,
        health: Arc::clone(&health),
        log,
        apply,
        adapter,
        shelf,
        transfer,
        freshness: Arc::clone(&freshness),
        applied: applied.clone(),
        transport,
        links: links.clone(),
    };
    let (ready, started) = mpsc::channel();
    let (stop, stopping) = watch::channel(false);
    let (end, ended) = watch::channel(None);
    let thread = std::thread::Builder::new()
        .name("raft".into())
        .spawn(move || run(parts, &ready, stopping, &end))
        .map_err(|error| RaftError::Settings(format!("the node's thread did not start: {error}")))?;
    let started = match started.recv() {
        Ok(Ok(started)) => started,
        failed => {
            // It lets go of disk and state first, so that whoever tries again does not find them in use.
            let joined = thread.join();
            return Err(match (failed, joined) {
                (Ok(Err(error)), Ok(())) => error,
                (_, _) => panicked(),
            });
        }
    };
    let Started { library, leadership, members, given_up, runtime } = started;
    let thread = RaftThread { stop, ended, runtime, thread: Mutex::new(Some(thread)) };
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
        thread,
    };
    Ok(RaftNode { inner: Arc::new(inner) })
}

/// The thread's whole life.
fn run<R: Send + Sync + 'static>(
    parts: Parts<R>,
    ready: &mpsc::Sender<Result<Started<R>, RaftError>>,
    mut stopping: watch::Receiver<bool>,
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
            let _ = ready.send(Err(RaftError::Settings(format!("no runtime: {error}"))));
            return;
        }
    };
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
    } = parts;
    let begun = runtime.block_on(begin(&settings, &health, &log, adapter, links.clone()));
    match begun {
        Ok(library) => {
            let keeper = Keeper {
                library: library.clone(),
                log: log.clone(),
                shelf,
                clock,
                settings: settings.clone(),
            };
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
                transport.is_some(),
            );
            let handle = runtime.handle().clone();
            runtime.block_on(async {
                if let Some(links) = &links {
                    let (server, data) = (library.server_metrics(), library.data_metrics());
                    links.set_quorum_age(move || quorum_age(&server, &data));
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
                    };
                    tokio::spawn(serve(transport, service))
                });
                await_watcher(&library, leadership.clone(), members.clone()).await;
                let started =
                    Started { library: library.clone(), leadership, members, given_up, runtime: handle };
                if ready.send(Ok(started)).is_ok() {
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
            });
        }
        Err(error) => {
            // As above.
            let _ = ready.send(Err(error));
        }
    }
    // Ends the library's remaining tasks, and with them what they hold of the state and the log.
    drop(runtime);
    let result = apply.close().and(log.close());
    if let Err(error) = &result {
        tracing::error!(%error, "the node did not stop cleanly");
    }
    drop(log);
    end.send_replace(Some(result));
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
