//! The way to peers, as the Raft library wants it: tonic over streams that are [passed in](crate::transport).
//!
//! [`NoPeers`] is for a group of one voter: it opens nothing, and a message to anyone else answers "unreachable", which the
//! library treats as a peer that is down. [`Peers`] is for all others. The definition of what members say to each other is
//! `proto/raft.proto`; `generated` is what comes of it.
//!
//! To each peer there are up to three connections, opened when needed and again after they broke: one for control (heartbeats,
//! votes, probes of linearizable reads), one for entries, one for whole states, so that nothing large delays a heartbeat.
//! Entries travel as they lie in the log, with their format number and checksum.
//!
//! Invariant: a message of another group, of another protocol, or meant for another node changes nothing, and is answered with
//! what is wrong and what to do.

use std::sync::Arc;
use std::time::Duration;

use crate::transport::PeerTransport;

mod client;
mod complaint;
mod link;
mod server;
mod unanswered;
mod wire;

/// What `proto/raft.proto` gives; `cargo x proto` makes it anew.
#[allow(missing_docs, clippy::all, reason = "made by a program; the definition has the comments")]
#[rustfmt::skip]
mod generated;

pub(crate) use client::{Network, announce};
pub(crate) use link::Links;
pub(crate) use server::{PeerService, serve};

/// How long opening a connection may take.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// After a connection could not be opened the next attempt waits this long, then twice as long, up to ...
const REDIAL_MIN: Duration = Duration::from_millis(20);
/// ... this.
const REDIAL_MAX: Duration = Duration::from_millis(500);
/// A connection on which nothing comes is asked for a sign of life as often ...
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// ... and is given up if none comes for so long.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a peer may take to answer what the library sets no time for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one message: the largest proposal, and what is sent with it.
const MAX_MESSAGE_BYTES: usize = 48 * 1024 * 1024;
/// Bytes of a proposal: more could not be sent.
pub(crate) const MAX_PROPOSAL_BYTES: usize = 32 * 1024 * 1024;
/// Bytes under way to a peer in one direction before it has taken some, on one connection.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Requests under way on one connection.
const MAX_STREAMS: u32 = 128;
/// Connections that peers may have open to this node: three of each of eleven, and as many that are about to be found broken.
const MAX_PEER_CONNECTIONS: usize = 64;
/// Pause after a peer's connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a state asked for at a time.
pub(crate) const STATE_PART_BYTES: usize = 512 * 1024;
/// Parts of a state that are read ahead of what the peer has taken.
const STATE_PARTS_AHEAD: usize = 4;
/// A complaint is not made again within this.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);
/// How long a sender of a state may be silent.
const STATE_SILENCE: Duration = Duration::from_secs(30);

/// A way to reach the other members. Sealed: its messages are the Raft library's, which stays in
/// this crate.
pub trait PeerNetwork: sealed::Network {}

impl<N: sealed::Network> PeerNetwork for N {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use super::{NoPeers, Peers};
    use crate::transport::PeerTransport;

    /// What a node needs of it.
    pub trait Network: Send + 'static {
        /// The way, if there is any.
        fn into_transport(self) -> Option<Arc<dyn PeerTransport>>;
    }

    impl Network for NoPeers {
        fn into_transport(self) -> Option<Arc<dyn PeerTransport>> {
            None
        }
    }

    impl Network for Peers {
        fn into_transport(self) -> Option<Arc<dyn PeerTransport>> {
            Some(self.0)
        }
    }

    impl<N: Network> Network for Option<N> {
        fn into_transport(self) -> Option<Arc<dyn PeerTransport>> {
            self.and_then(Network::into_transport)
        }
    }
}

/// A group of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

/// A group of several, over streams. `Option<Peers>` is a network too: none is [`NoPeers`].
#[derive(Clone)]
pub struct Peers(Arc<dyn PeerTransport>);

impl Peers {
    /// Peers that are reached over a transport.
    pub fn new(transport: impl PeerTransport) -> Self {
        Self(Arc::new(transport))
    }
}
