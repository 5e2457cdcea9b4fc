//! The port for other nodes: shakes hands with whoever connects, and hands each connection to where its lane is served.
//!
//! On a thread of its own, so that neither a flood of requests nor a slow disk keeps heartbeats waiting. Bounded: handshakes
//! under way, connections that wait to be taken over, conversations about the cluster.

use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use host::runtime::ACCEPT_PAUSE;
use peer::Lane;
use raft::transport::Dialled;
use raft::{BoxedStream, PeerTransport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::control::Desk;
use super::peers::{Arrived, Peers};
use crate::front::complaints::Complaints;

/// Most handshakes under way at a time; one more is turned away.
const HANDSHAKES_MAX: usize = 64;
/// Most connections of a lane that wait to be taken over; one more is turned away, and its peer tries again.
const ARRIVED_MAX: usize = 32;
/// Most conversations about the cluster at a time: each replica holds one with the primary, and an operator now and then.
const CONVERSATIONS_MAX: usize = 64;
/// Longest that one of them may take. Whoever wants to know more begins another.
const CONVERSATION_LIMIT: Duration = Duration::from_secs(60);

/// The port, served until it is dropped.
pub struct Listener {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Connections of the lanes that others serve.
pub struct Lanes {
    /// The log's.
    pub raft: mpsc::Receiver<Arrived>,
    /// Requests that other nodes pass on.
    pub forward: mpsc::Receiver<Arrived>,
    /// Nodes that ask for leases.
    pub lease: mpsc::Receiver<Arrived>,
}

struct Serving {
    peers: Peers,
    desk: Arc<Desk>,
    complaints: Arc<Complaints>,
    raft: mpsc::Sender<Arrived>,
    forward: mpsc::Sender<Arrived>,
    lease: mpsc::Sender<Arrived>,
    handshakes: Arc<Semaphore>,
    conversations: Arc<Semaphore>,
}

/// Where a connection goes.
enum Place {
    /// To whoever serves its lane.
    Lane(OwnedPermit<Arrived>),
    /// Nowhere: it is answered from here.
    Conversation(OwnedSemaphorePermit),
}

impl Listener {
    /// Serves what arrives at `listener`. Errors: the operating system refuses a thread, a runtime or the listener.
    pub fn start(
        listener: StdListener,
        peers: Peers,
        desk: Arc<Desk>,
        complaints: Arc<Complaints>,
    ) -> io::Result<(Listener, Lanes)> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (raft, raft_arrived) = mpsc::channel(ARRIVED_MAX);
        let (forward, forward_arrived) = mpsc::channel(ARRIVED_MAX);
        let (lease, lease_arrived) = mpsc::channel(ARRIVED_MAX);
        let serving = Arc::new(Serving {
            peers,
            desk,
            complaints,
            raft,
            forward,
            lease,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            conversations: Arc::new(Semaphore::new(CONVERSATIONS_MAX)),
        });
        let (stop, mut stopping) = watch::channel(false);
        let thread = std::thread::Builder::new().name("peers".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, serving) => {}
                    // An error is a listener that was dropped: it stops too.
                    _ = stopping.wait_for(|stop| *stop) => {}
                }
            });
        })?;
        let lanes = Lanes { raft: raft_arrived, forward: forward_arrived, lease: lease_arrived };
        Ok((Listener { stop, thread: Some(thread) }, lanes))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the peer port panicked");
        }
    }
}

async fn accept(listener: TcpListener, serving: Arc<Serving>) {
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of another node");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&serving.handshakes).try_acquire_owned() else {
            turn_away(&serving, stream, from.ip());
            continue;
        };
        let serving = Arc::clone(&serving);
        tokio::spawn(async move {
            let mut turned_away = None;
            let find = |lane| {
                let found = serving.place(lane);
                turned_away = found.is_none().then_some(lane);
                found
            };
            let met = serving.peers.accept(stream, find).await;
            drop(place);
            match (met, turned_away) {
                (Ok((found, arrived)), _) => serving.hand_over(found, arrived).await,
                // It is one of ours, and tries again.
                (Err(_), Some(lane)) => {
                    tracing::debug!(%from, ?lane, "another node was turned away: too many wait, or nobody serves them");
                }
                (Err(error), None) => serving.complaints.about(from.ip(), &error),
            }
        });
    }
}

/// Closes a connection for which there is no place. Nothing is said: that would take a place, too.
fn turn_away(serving: &Serving, stream: TcpStream, from: IpAddr) {
    drop(stream);
    serving.complaints.about(from, &peer::Refusal::Busy);
}

impl Serving {
    /// A place on a lane. `None`: too many wait there; or nobody serves it, of a node that stops.
    fn place(&self, lane: Lane) -> Option<Place> {
        let waiting = match lane {
            Lane::Raft => &self.raft,
            Lane::Forward => &self.forward,
            Lane::Lease => &self.lease,
            Lane::Control => {
                let place = Arc::clone(&self.conversations).try_acquire_owned();
                return place.ok().map(Place::Conversation);
            }
        };
        waiting.clone().try_reserve_owned().ok().map(Place::Lane)
    }

    async fn hand_over(&self, place: Place, arrived: Arrived) {
        match place {
            Place::Lane(place) => {
                place.send(arrived);
            }
            Place::Conversation(_place) => {
                let conversing = async {
                    let mut stream = arrived.register()?;
                    self.desk.serve(&mut stream).await
                };
                // An error is a peer that went away; it asks again if it wants to know.
                let _ = tokio::time::timeout(CONVERSATION_LIMIT, conversing).await;
            }
        }
    }
}

/// The log's way to other nodes.
pub struct LogTransport {
    peers: Peers,
    // One call at a time is all that is asked for; the lock says so.
    arrived: Mutex<mpsc::Receiver<Arrived>>,
}

impl LogTransport {
    /// Over connections that others dial, and those that are dialled.
    pub fn new(peers: Peers, arrived: mpsc::Receiver<Arrived>) -> LogTransport {
        LogTransport { peers, arrived: Mutex::new(arrived) }
    }
}

impl PeerTransport for LogTransport {
    fn dial(&self, address: &str) -> Dialled<'static> {
        let (peers, address) = (self.peers.clone(), address.to_owned());
        Box::pin(async move { peers.dial(&address, Lane::Raft).await })
    }

    fn accept(&self) -> Dialled<'_> {
        Box::pin(async {
            let next = self.arrived.lock().await.recv().await;
            match next {
                Some(arrived) => arrived.register(),
                // The port is closed: nobody comes any more.
                None => std::future::pending::<io::Result<BoxedStream>>().await,
            }
        })
    }
}
