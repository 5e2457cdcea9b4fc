//! DynamoDB's HTTP front over any `DynamoDb`.
//!
//! What arrives by any way (our own HTTP/1.1 loop, hyper, or a caller without a socket) becomes a [`head::Head`] and the
//! body's bytes; [`answer`] makes a [`reply::Reply`] of them; each way writes it in its own form. Deliberately knows no
//! acceptor, no certificates and no metrics: whoever runs the process brings those.
//!
//! Invariant: on one connection an eventually consistent read is asked for at the highest version that the connection was
//! ever answered with, so reads on it do not go back and follow its own writes.

mod answer;
mod chunks;
mod connection;
mod cors;
mod date;
mod encoding;
pub(crate) mod head;
mod http1;
mod hyper_front;
mod outgoing;
mod reply;
mod request_id;
mod settings;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

use std::future::Future;
use std::sync::Arc;

use api::DynamoDb;
use api::service::Caller;
use bytes::Bytes;
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite};

pub use connection::ConnectionState;
pub use settings::HttpSettings;

use crate::sigv4::Auth;
use crate::surroundings::Surroundings;
use socket::Account;

/// The front. Cloning shares it.
pub struct HttpServer<D>(Arc<Inner<D>>);

struct Inner<D> {
    db: D,
    auth: Auth,
    settings: HttpSettings,
    surroundings: Arc<dyn Surroundings>,
    account: Arc<Account>,
    anyone: Arc<Caller>,
}

impl<D> Clone for HttpServer<D> {
    fn clone(&self) -> Self {
        HttpServer(Arc::clone(&self.0))
    }
}

impl<D> std::fmt::Debug for HttpServer<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl<D: DynamoDb> HttpServer<D> {
    /// A front over `db` that lets in whom `auth` lets in.
    pub fn new(db: D, auth: Auth, settings: HttpSettings, surroundings: Arc<dyn Surroundings>) -> Self {
        let account = Account::new(settings.max_requests_in_flight, settings.max_body_bytes_in_flight);
        let anyone = Arc::new(Caller::default());
        HttpServer(Arc::new(Inner { db, auth, settings, surroundings, account, anyone }))
    }

    /// What a new connection begins with, for [`HttpServer::handle`].
    pub fn connection(&self) -> ConnectionState {
        ConnectionState::new(self.0.surroundings.random())
    }

    /// Answers one request without a socket. The future is `Send`; it needs a tokio runtime with its timer.
    pub async fn handle(
        &self,
        request: http::Request<Bytes>,
        connection: &ConnectionState,
    ) -> http::Response<Full<Bytes>> {
        hyper_front::handle(&self.0, request, connection).await
    }

    /// Serves a connection until the peer closes it, it breaks a bound, or `stop` resolves and the request under way is
    /// answered. HTTP/1.1, and HTTP/2 with prior knowledge. The future is `Send` if `io` and `stop` are; needs a tokio
    /// runtime with its timer. Set `TCP_NODELAY` on sockets before.
    ///
    /// Errors: what the socket said; an orderly end, a timeout and a protocol error are none.
    pub async fn serve_connection<IO>(&self, io: IO, stop: impl Future<Output = ()>) -> std::io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let connection = Arc::new(self.connection());
        let mut stop = std::pin::pin!(stop);
        let (io, unread, parting) = match http1::serve(&self.0, io, &connection, stop.as_mut()).await? {
            http1::End::Closed => return Ok(()),
            http1::End::Other { io, unread, parting } => (io, unread, parting),
        };
        let stop = (!parting).then_some(stop);
        hyper_front::serve(Arc::clone(&self.0), io, unread, connection, stop).await
    }

    /// Serves a TLS connection: shakes hands within the settings' time, then as [`HttpServer::serve_connection`]; HTTP/2
    /// where ALPN chose it. `tls` should offer `h2` and `http/1.1`.
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
