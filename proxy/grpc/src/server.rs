//! The gRPC front over any `DynamoDb`.
//!
//! [`serve`] reads calls off an HTTP/2 connection and writes answers, [`answer`] makes one of the other, [`extra`] are health and
//! reflection. Deliberately knows no acceptor and no certificates: whoever runs the process brings those, and any stream of bytes
//! will do.
//!
//! A server is for clients or for peers. To peers it is **trusting**: the original caller, the request's id and its hops are
//! taken from metadata, so whoever hands in a connection must have authenticated the other end. To clients nothing of that is
//! believed.
//!
//! Invariants: on one connection of a client an eventually consistent read is asked for at the highest version that the connection
//! was ever answered with, so reads on it do not go back and follow its own writes; a connection of a peer carries many callers
//! and has no such floor, each request brings its own.

mod answer;
mod connection;
mod extra;
mod reply;
mod serve;
mod settings;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use api::DynamoDb;
use api::expr::Author;
use api::service::Caller;
use socket::Account;
use tokio::io::{AsyncRead, AsyncWrite};

pub use settings::GrpcSettings;

use crate::authorize::Auth;
use crate::peer::PeerService;
use crate::surroundings::Surroundings;
use extra::Extra;

/// The front. Cloning shares it.
pub struct GrpcServer<D>(Arc<Inner<D>>);

struct Inner<D> {
    db: D,
    lane: Lane,
    settings: GrpcSettings,
    surroundings: Arc<dyn Surroundings>,
    account: Arc<Account>,
    anyone: Arc<Caller>,
}

/// Who is at the other end.
enum Lane {
    /// A client, who is judged by its signature.
    Clients { auth: Auth, extra: Extra },
    /// A node of the group.
    Peers(Arc<dyn PeerService>),
}

impl Lane {
    /// Who wrote the expressions that come by it.
    const fn author(&self) -> Author {
        match self {
            Lane::Clients { .. } => Author::Client,
            Lane::Peers(_) => Author::Node,
        }
    }
}

impl<D> Clone for GrpcServer<D> {
    fn clone(&self) -> Self {
        GrpcServer(Arc::clone(&self.0))
    }
}

impl<D> std::fmt::Debug for GrpcServer<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcServer").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl<D: DynamoDb> GrpcServer<D> {
    /// A front for clients over `db` that lets in whom `auth` lets in.
    pub fn new(db: D, auth: Auth, settings: GrpcSettings, surroundings: Arc<dyn Surroundings>) -> Self {
        GrpcServer::over(db, Lane::Clients { auth, extra: Extra::new() }, settings, surroundings)
    }

    /// A front for nodes of the group, which are trusted: only to be handed connections whose other end is authenticated.
    pub fn trusting(
        db: D,
        peers: Arc<dyn PeerService>,
        settings: GrpcSettings,
        surroundings: Arc<dyn Surroundings>,
    ) -> Self {
        GrpcServer::over(db, Lane::Peers(peers), settings, surroundings)
    }

    fn over(db: D, lane: Lane, settings: GrpcSettings, surroundings: Arc<dyn Surroundings>) -> Self {
        let account = Account::new(settings.max_requests_in_flight, settings.max_message_bytes_in_flight);
        let anyone = Arc::new(Caller::default());
        GrpcServer(Arc::new(Inner { db, lane, settings, surroundings, account, anyone }))
    }

    /// Tells whoever watches the front's health that it is about to stop. To be called before the `stop` of its connections
    /// resolves, which ends the watches.
    pub async fn stopping(&self) {
        if let Lane::Clients { extra, .. } = &self.0.lane {
            extra.stopping().await;
        }
    }

    /// Serves a connection until the peer closes it, it breaks a bound, or `stop` resolves and the calls under way are answered.
    /// Needs a tokio runtime with its timer. Set `TCP_NODELAY` on sockets before.
    ///
    /// Errors: what the socket said; an orderly end, a timeout and a protocol error are none.
    pub async fn serve_connection<IO>(&self, io: IO, stop: impl Future<Output = ()>) -> std::io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        serve::serve(&self.0, io, std::pin::pin!(stop)).await
    }

    /// Serves a TLS connection: shakes hands within the settings' time, then as [`GrpcServer::serve_connection`]. `tls` should
    /// offer `h2`.
    ///
    /// Errors: as there, and a handshake that failed or took too long.
    pub async fn serve_tls<IO>(
        &self,
        io: IO,
        tls: Arc<rustls::ServerConfig>,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let handshake = tokio_rustls::TlsAcceptor::from(tls).accept(io);
        let io = tokio::time::timeout(self.0.settings.tls_handshake_timeout(), handshake).await??;
        self.serve_connection(io, stop).await
    }
}
