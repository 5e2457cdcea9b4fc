//! How bytes get to other members and back.
//!
//! This crate opens no socket: it is given a [`PeerTransport`] and polls it on the node's own thread. Whoever implements it
//! decides what lies below: TCP, TLS, the handshake that says who is there, or a simulation's network.
//!
//! Asked of every implementation: a stream that is handed out, either way, is one to a node that may belong to this group, and
//! was found to be so before. What is said on it is checked for the group's name and for the node it is meant for all the same.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

pub mod switchboard;

/// Bytes in both directions.
pub trait PeerStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> PeerStream for S {}

/// A stream as it is handed over.
pub type BoxedStream = Box<dyn PeerStream>;

/// The future of a stream.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = io::Result<BoxedStream>> + Send + 'a>>;

/// The way to peers. Its futures are polled on the node's own thread, whose runtime has tokio's timers and I/O.
pub trait PeerTransport: Send + Sync + 'static {
    /// A new stream to the node at an address, as it stands in [`Member::address`](crate::Member::address). Is given up, by
    /// dropping it, after [`DIAL_TIMEOUT`](crate::network::DIAL_TIMEOUT).
    fn dial(&self, address: &str) -> Dialled<'static>;

    /// The next stream that a peer has opened to this node. One call at a time. An error is logged, and after a pause the next
    /// is asked for; a transport that has ended waits for ever.
    fn accept(&self) -> Dialled<'_>;
}
