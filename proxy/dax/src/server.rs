//! The DAX front over any `DynamoDb`.
//!
//! [`serve`](DaxServer::serve_connection) reads frames and writes answers, `answer` makes one of the other. Deliberately knows
//! no acceptor and no certificates: whoever runs the process brings those. What it needs of the cluster it is given: schemas
//! ([`Catalog`]), attribute lists ([`AttributeLists`]), the nodes to tell clients of ([`Nodes`]).
//!
//! Invariants: answers stand in the order of the requests, exactly one each, none for a claim of who calls. On one connection
//! an eventually consistent read is asked for at the highest version that the connection was ever answered with, so reads on
//! it do not go back and follow its own writes. An idle connection is never closed but when the process stops, and where its
//! client would hang on that, not while it is idle (`farewell`).

mod answer;
mod farewell;
mod incoming;
mod outgoing;
mod serve;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use api::DynamoDb;
use api::service::{Caller, Catalog};
use socket::Account;
use tokio::io::{AsyncRead, AsyncWrite};

pub use settings::DaxSettings;

use crate::attribute_lists::AttributeLists;
use crate::authorize::Signers;
use crate::codec::handshake::Endpoint;
use crate::surroundings::Surroundings;

/// Whom a front lets in.
#[derive(Clone)]
pub enum Auth {
    /// Anybody, signed or not. For development on the loopback.
    Any,
    /// Those whose signature one of these keys made.
    Keys(Arc<dyn Signers>),
}

/// Who is told of peers that break the wire, to count and to log it.
pub trait Complaints: Send + Sync + 'static {
    /// What this peer sent is no frame of this wire. Once a connection at most, since it ends the connection.
    fn malformed(&self, peer: SocketAddr, what: &dyn std::fmt::Display);
}

/// How a client reached the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The address of the node that the client connected to.
    pub local: SocketAddr,
    /// The client's own.
    pub peer: SocketAddr,
    /// Over which of the two.
    pub transport: Transport,
}

/// Plain or encrypted. A client takes its seed's for all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Plain,
    /// TLS over TCP.
    Tls,
}

/// The nodes that clients are told of.
pub trait Nodes: Send + Sync + 'static {
    /// All nodes, as a client that reached this one so may reach them: of the same family of addresses, with the ports of
    /// the same transport. Exactly one is leader wherever there is one.
    fn endpoints(&self, reached: Reached) -> Vec<Endpoint>;
}

/// A wait under way. It ends by itself, before long.
pub type CatchingUp = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Knows that other nodes may be ahead of this one.
pub trait Follows: Send + Sync + 'static {
    /// Waits until this node knows what was acknowledged anywhere before the call, or for as long as that is worth waiting.
    fn catch_up(&self) -> CatchingUp;
}

/// What the front is told by the rest of the node.
pub struct Cluster {
    /// Schemas by name.
    pub catalog: Arc<dyn Catalog>,
    /// The registry of attribute lists.
    pub lists: Arc<dyn AttributeLists>,
    /// The nodes.
    pub nodes: Arc<dyn Nodes>,
    /// Where other nodes may be ahead of this one: a table or a list that is not known here may be theirs to know.
    pub follows: Option<Arc<dyn Follows>>,
}

/// The front. Cloning shares it.
pub struct DaxServer<D>(Arc<Inner<D>>);

struct Inner<D> {
    db: D,
    cluster: Cluster,
    auth: Auth,
    settings: DaxSettings,
    surroundings: Arc<dyn Surroundings>,
    complaints: Arc<dyn Complaints>,
    account: Arc<Account>,
    anyone: Arc<Caller>,
}

impl<D> Clone for DaxServer<D> {
    fn clone(&self) -> Self {
        DaxServer(Arc::clone(&self.0))
    }
}

impl<D> std::fmt::Debug for DaxServer<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DaxServer").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl<D: DynamoDb> DaxServer<D> {
    /// A front over `db` that lets in whom `auth` lets in.
    pub fn new(
        db: D,
        cluster: Cluster,
        auth: Auth,
        settings: DaxSettings,
        surroundings: Arc<dyn Surroundings>,
        complaints: Arc<dyn Complaints>,
    ) -> Self {
        let account = Account::new(settings.max_requests_in_flight, settings.max_frame_bytes_in_flight);
        let anyone = Arc::new(Caller::default());
        let inner = Inner { db, cluster, auth, settings, surroundings, complaints, account, anyone };
        DaxServer(Arc::new(inner))
    }

    /// Serves a connection until the peer closes it, it breaks a bound, or `stop` resolves and the requests that arrived are
    /// answered. The future is `Send` if `io` and `stop` are; needs a tokio runtime with its timer. Set `TCP_NODELAY` and
    /// keepalive on sockets before: only the latter tells of a peer that is gone.
    ///
    /// Errors: what the socket said; an orderly end, a timeout and a protocol error are none.
    pub async fn serve_connection<IO>(
        &self,
        io: IO,
        reached: Reached,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        serve::serve(&self.0, io, reached, std::pin::pin!(stop)).await
    }

    /// Serves a TLS connection, whatever `reached` says of it: shakes hands within the settings' time, then as
    /// [`DaxServer::serve_connection`]. `tls` should offer no protocols.
    ///
    /// Errors: as there, and a handshake that failed or took too long.
    pub async fn serve_tls<IO>(
        &self,
        io: IO,
        reached: Reached,
        tls: Arc<rustls::ServerConfig>,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = tokio_rustls::TlsAcceptor::from(tls).accept(io);
        let io = tokio::time::timeout(self.0.settings.tls_handshake_timeout(), handshake).await??;
        self.serve_connection(io, Reached { transport: Transport::Tls, ..reached }, stop).await
    }
}
