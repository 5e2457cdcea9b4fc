//! Connections between nodes: TCP, TLS where there is any, and the handshake inside.
//!
//! What comes out, either way, is a stream to a node that knows the cluster's secret. Deliberately knows nothing of what is
//! said on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use host::tls::{MutualTls, TlsSettings};
use peer::{Lane, Membership};
use raft::BoxedStream;
use tokio::net::TcpStream;

use super::settings::{PeerTlsSettings, split_address};
use super::troubles::{Trouble, Troubles};
use crate::surroundings::System;

/// Longest wait for a TCP connection to a node.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// What a connection may be that the peer ends before the handshake does.
const ENDED_IN_HANDSHAKE: &str = "the peer ended the connection during the handshake: if it goes on doing so, either it has [cluster.tls] \
                                  and this node has not, or the other way round, or the address is of no peer port; its log says more";
/// What a node is that has its port open and says nothing.
const SILENT: &str = "it does not answer: its process stands still or is overloaded, or something on the way drops what is sent";

/// What it takes to speak to other nodes. Clones share it.
#[derive(Clone)]
pub struct Peers {
    membership: Membership,
    tls: Option<MutualTls>,
    system: Arc<System>,
    troubles: Troubles,
}

/// A connection that was accepted, and may yet move to the thread that serves it.
pub enum Arrived {
    /// Taken off the reactor it came by.
    Plain(std::net::TcpStream),
    /// Bound to the reactor it came by, which does nothing else.
    Tls(BoxedStream),
}

impl Arrived {
    /// The stream, on the reactor of the runtime this is called in.
    pub fn register(self) -> io::Result<BoxedStream> {
        match self {
            Arrived::Plain(stream) => Ok(Box::new(TcpStream::from_std(stream)?)),
            Arrived::Tls(stream) => Ok(stream),
        }
    }
}

/// The settings of TLS between nodes, as those of the fronts.
pub fn tls_settings(settings: &PeerTlsSettings) -> TlsSettings {
    TlsSettings {
        certificate_file: settings.certificate.clone(),
        key_file: settings.key.clone(),
        client_ca_file: Some(settings.authority.clone()),
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(refusal(error), Some(peer::Refusal::Busy))
}

/// Whether it tells of a refusal that is met again until somebody changes a setting or a program.
pub fn is_lasting(error: &io::Error) -> bool {
    refusal(error).is_some_and(peer::Refusal::is_lasting)
}

/// The refusal of another node that an error tells of, if it does.
fn refusal(error: &io::Error) -> Option<&peer::Refusal> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

impl Peers {
    /// Of a cluster.
    pub fn new(membership: Membership, tls: Option<MutualTls>, system: Arc<System>) -> Peers {
        Peers { membership, tls, system, troubles: Troubles::default() }
    }

    fn nonce(&self) -> peer::handshake::Nonce {
        let mut nonce = [0; 32];
        for half in nonce.chunks_exact_mut(16) {
            half.copy_from_slice(&self.system.random_u128().to_le_bytes());
        }
        nonce
    }

    /// Nodes that could not be reached of late.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.troubles.now()
    }

    /// The node at an address was asked, and said nothing, be it that the connection did not come about.
    pub fn gave_no_answer(&self, address: &str) {
        self.troubles.failed(address, &SILENT);
    }

    /// A new connection to the node at an address, `host:port`. Errors: the network's, TLS's, and a refusal, which says what to
    /// do.
    pub async fn dial(&self, address: &str, lane: Lane) -> io::Result<BoxedStream> {
        let dialled = self.dial_untold(address, lane).await;
        match &dialled {
            Ok(_) => self.troubles.reached(address),
            // It is there, and says that nobody serves this lane just now: so does a primary that asks for no leases.
            Err(error) if is_busy(error) => self.troubles.reached(address),
            Err(error) => self.troubles.failed(address, error),
        }
        dialled
    }

    async fn dial_untold(&self, address: &str, lane: Lane) -> io::Result<BoxedStream> {
        let (host, port) = split_address(address)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not host:port"))?;
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, socket::lookup::connect(host, port));
        let stream = connecting
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
        prepare(&stream)?;
        let mut stream: BoxedStream = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(host, stream).await.map_err(|error| self.advised(error))?),
        };
        peer::dial(&mut stream, &self.membership, lane, self.nonce())
            .await
            .map_err(|refusal| self.refused(refusal))?;
        Ok(stream)
    }

    /// Shakes hands with whoever has connected and finds a place on the lane it wants. Errors: as of [`Peers::dial`]; there is none.
    pub async fn accept<P>(
        &self,
        mut stream: TcpStream,
        place: impl FnOnce(Lane) -> Option<P>,
    ) -> io::Result<(P, Arrived)> {
        prepare(&stream)?;
        let (us, nonce) = (&self.membership, self.nonce());
        match &self.tls {
            None => {
                let accepted = peer::accept_where(&mut stream, us, nonce, place).await;
                let (place, _) = accepted.map_err(|refusal| self.refused(refusal))?;
                Ok((place, Arrived::Plain(stream.into_std()?)))
            }
            Some(tls) => {
                let mut stream: BoxedStream =
                    Box::new(tls.accept(stream).await.map_err(|error| self.advised(error))?);
                let accepted = peer::accept_where(&mut stream, us, nonce, place).await;
                let (place, _) = accepted.map_err(|refusal| self.refused(refusal))?;
                Ok((place, Arrived::Tls(stream)))
            }
        }
    }

    fn refused(&self, refusal: peer::Refusal) -> io::Error {
        match refusal {
            // Where TLS is of version 1.3, what the peer thinks of a certificate comes only after the handshake.
            peer::Refusal::Io(error) => self.advised(error),
            other => io::Error::new(io::ErrorKind::ConnectionRefused, other),
        }
    }

    /// The error, with what to do about it where that is known.
    fn advised(&self, error: io::Error) -> io::Error {
        let closed = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        let own = self.tls.as_ref().and_then(MutualTls::expiry);
        let advice = match host::tls::advice(&error, own) {
            Some(advice) => advice,
            None if closed => ENDED_IN_HANDSHAKE.into(),
            None => return error,
        };
        io::Error::new(error.kind(), format!("{error}; {advice}"))
    }
}

/// Small messages leave at once, and a peer that is gone without a word is found out.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    host::runtime::keep_alive(stream)
}
