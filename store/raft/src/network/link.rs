//! Connections to peers: opened when needed, shared by whoever sends, opened again after they broke, not more often than a
//! bounded pause allows.
//!
//! Invariant: what is sent to a member goes to the address that the membership names now, once [`Links::follow`] was told of it,
//! whatever address its sender has known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::body::Body;

use super::complaint::Complaint;
use super::generated::Header;
use super::generated::raft_client::RaftClient;
use super::{
    DIAL_TIMEOUT, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, MAX_MESSAGE_BYTES, REDIAL_MAX, REDIAL_MIN,
    WINDOW_BYTES, wire,
};
use crate::freshness::{Round, Stamp};
use crate::member::Members;
use crate::transport::PeerTransport;
use crate::workers::Workers;

/// The newest round that a quorum has answered; `None` on whoever does not lead, or does not know yet what is committed.
type NewestRound = Box<dyn Fn() -> Option<Round> + Send + Sync>;

/// All connections of a node.
pub(crate) struct Links {
    node_id: u64,
    group: String,
    transport: Arc<dyn PeerTransport>,
    // Held for a look.
    known: Mutex<Known>,
    newest_round: OnceLock<NewestRound>,
    workers: Workers,
}

#[derive(Default)]
struct Known {
    /// Where the membership says that a member is.
    addresses: HashMap<u64, String>,
    peers: HashMap<u64, Arc<PeerLinks>>,
}

impl Links {
    pub(crate) fn new(
        node_id: u64,
        group: String,
        transport: Arc<dyn PeerTransport>,
        workers: Workers,
    ) -> Self {
        let (known, newest_round) = (Mutex::default(), OnceLock::new());
        Self { node_id, group, transport, known, newest_round, workers }
    }

    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Says, once, where to look up what a quorum has last answered.
    pub(crate) fn set_newest_round(&self, newest: impl Fn() -> Option<Round> + Send + Sync + 'static) {
        // A second call would come from a second library on the same links, which there is not.
        let _ = self.newest_round.set(Box::new(newest));
    }

    pub(super) fn newest_round(&self) -> Option<Round> {
        self.newest_round.get().and_then(|newest| newest())
    }

    pub(super) fn header(&self, to: u64) -> Header {
        Header { group: self.group.clone(), protocol: wire::PROTOCOL, from: self.node_id, to }
    }

    /// The connections to a peer. `address` is where it is if the membership does not say: whoever sends may have kept it from
    /// before the peer moved.
    pub(crate) fn peer(&self, id: u64, address: &str) -> Arc<PeerLinks> {
        let known = &mut *self.known.lock();
        let address = known.addresses.get(&id).map_or(address, String::as_str);
        if let Some(peer) = known.peers.get(&id)
            && peer.control.address == address
        {
            return Arc::clone(peer);
        }
        let link = || Arc::new(Link::new(Arc::clone(&self.transport), address));
        let peer = Arc::new(PeerLinks {
            control: link(),
            entries: link(),
            states: link(),
            echo: Mutex::default(),
            supports: AtomicU32::new(0),
            complaint: Mutex::default(),
        });
        if let Some(moved) = known.peers.insert(id, Arc::clone(&peer)) {
            moved.close();
        }
        peer
    }

    /// Takes over where the members are. Connections to where one of them was are dropped, with all that is under way on them:
    /// whoever sends there finds it broken, and comes again.
    pub(crate) fn follow(&self, members: &Members) {
        let mut known = self.known.lock();
        known.addresses = members.iter().map(|(id, member)| (id, member.address.clone())).collect();
        let Known { addresses, peers } = &mut *known;
        peers.retain(|id, peer| {
            let moved = addresses.get(id).is_some_and(|address| *address != peer.control.address);
            if moved {
                peer.close();
            }
            !moved
        });
    }

    /// What a peer's program can do, as it has said.
    pub(crate) fn supports(&self, id: u64) -> Option<u32> {
        let known = self.known.lock();
        let supports = known.peers.get(&id)?.supports.load(Ordering::Acquire);
        (supports > 0).then_some(supports)
    }
}

/// The connections to one peer.
pub(crate) struct PeerLinks {
    pub(super) control: Arc<Link>,
    pub(super) entries: Arc<Link>,
    pub(super) states: Arc<Link>,
    /// The newest stamp of the peer's clock.
    echo: Mutex<Option<Stamp>>,
    /// What its program can do, as it last said; 0: nothing yet.
    supports: AtomicU32,
    /// What was last said in the log of its refusals.
    pub(super) complaint: Mutex<Complaint>,
}

impl PeerLinks {
    pub(super) fn address(&self) -> &str {
        &self.control.address
    }

    fn close(&self) {
        [&self.control, &self.entries, &self.states].into_iter().for_each(|link| link.close());
    }

    pub(super) fn heard(&self, stamp: Stamp, supports: u32) {
        self.supports.store(supports, Ordering::Release);
        let mut echo = self.echo.lock();
        // Of another life is not older or newer: whoever began again has forgotten the clock it had.
        if echo.is_none_or(|known| known.life != stamp.life || known.millis < stamp.millis) {
            *echo = Some(stamp);
        }
    }

    pub(super) fn echo(&self) -> Option<Stamp> {
        *self.echo.lock()
    }
}

/// One connection, or the way to it.
pub(super) struct Link {
    transport: Arc<dyn PeerTransport>,
    address: String,
    state: Mutex<LinkState>,
}

type Dialled = Option<Result<Wire, String>>;

enum LinkState {
    /// Nothing is open. After a failure: why, and when the next attempt may be made.
    Idle {
        failures: u32,
        retry: Option<(Instant, String)>,
    },
    Dialling(watch::Receiver<Dialled>),
    Open(Wire, AbortHandle),
    /// For good: the peer is elsewhere.
    Closed,
}

enum Way {
    Open(Wire),
    Dialling(watch::Receiver<Dialled>),
}

impl Link {
    fn new(transport: Arc<dyn PeerTransport>, address: &str) -> Self {
        let state = Mutex::new(LinkState::Idle { failures: 0, retry: None });
        Self { transport, address: address.to_owned(), state }
    }

    /// A client on the connection, which is opened if it is not. The attempt goes on when the caller stops waiting. Errors: why
    /// it could not be opened, or could not a moment ago.
    pub(super) async fn client(self: &Arc<Self>) -> Result<RaftClient<Wire>, String> {
        let wire = self.wire().await?;
        let origin = http::Uri::from_static("http://member.forebay");
        Ok(RaftClient::with_origin(wire, origin)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES))
    }

    async fn wire(self: &Arc<Self>) -> Result<Wire, String> {
        let mut dialled = match self.look()? {
            Way::Open(wire) => return Ok(wire),
            Way::Dialling(dialled) => dialled,
        };
        match dialled.wait_for(Option::is_some).await.map(|opened| opened.clone()) {
            Ok(Some(opened)) => opened,
            Ok(None) | Err(_) => Err("the node is stopping".to_owned()),
        }
    }

    /// What there is, or is on its way from now on. Errors: why there was nothing a moment ago.
    fn look(self: &Arc<Self>) -> Result<Way, String> {
        let mut state = self.state.lock();
        let failures = match &*state {
            LinkState::Open(wire, _) if !wire.0.is_closed() => return Ok(Way::Open(wire.clone())),
            LinkState::Dialling(dialled) => return Ok(Way::Dialling(dialled.clone())),
            LinkState::Idle { retry: Some((at, why)), .. } if Instant::now() < *at => return Err(why.clone()),
            LinkState::Idle { failures, .. } => *failures,
            LinkState::Open(..) => 0,
            LinkState::Closed => return Err(self.moved()),
        };
        let (publish, dialled) = watch::channel(None);
        *state = LinkState::Dialling(dialled.clone());
        tokio::spawn(Arc::clone(self).dial(failures, publish));
        Ok(Way::Dialling(dialled))
    }

    async fn dial(self: Arc<Self>, failures: u32, publish: watch::Sender<Dialled>) {
        let opened = match tokio::time::timeout(DIAL_TIMEOUT, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(format!("{} did not take a connection within {DIAL_TIMEOUT:?}", self.address)),
        };
        let mut state = self.state.lock();
        let opened = match (&*state, opened) {
            (LinkState::Closed, opened) => {
                if let Ok((_, connection)) = opened {
                    connection.abort();
                }
                Err(self.moved())
            }
            (_, Ok((wire, connection))) => {
                *state = LinkState::Open(wire.clone(), connection);
                Ok(wire)
            }
            (_, Err(why)) => {
                let pause = REDIAL_MIN.saturating_mul(1 << failures.min(16)).min(REDIAL_MAX);
                let retry = Some((Instant::now() + pause, why.clone()));
                *state = LinkState::Idle { failures: failures.saturating_add(1), retry };
                Err(why)
            }
        };
        drop(state);
        publish.send_replace(Some(opened));
    }

    /// Drops the connection, and opens none any more.
    fn close(&self) {
        if let LinkState::Open(_, connection) = std::mem::replace(&mut *self.state.lock(), LinkState::Closed)
        {
            connection.abort();
        }
    }

    fn moved(&self) -> String {
        format!("the peer is not at {} any more", self.address)
    }

    async fn open(&self) -> Result<(Wire, AbortHandle), String> {
        let failed = |error: &dyn std::fmt::Display| format!("{} can't be reached: {error}", self.address);
        let stream = self.transport.dial(&self.address).await.map_err(|error| failed(&error))?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        let address = self.address.clone();
        let connection = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, address, "a connection to a peer broke");
            }
        });
        Ok((Wire(sender), connection.abort_handle()))
    }
}

/// A connection as tonic sends on it.
#[derive(Clone)]
pub(super) struct Wire(http2::SendRequest<Body>);

impl tower_service::Service<http::Request<Body>> for Wire {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
