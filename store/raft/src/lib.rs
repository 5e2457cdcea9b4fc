//! Election and a replicated, synced log for any state machine.
//!
//! What it is for: [`RaftNode`] takes proposals (opaque bytes), makes them durable in an ordered
//! log on every voter, and hands them, in the same order everywhere, to a [`StateMachine`], whose
//! answer goes back to the proposer. The only room of the project that names the Raft library.
//!
//! What it deliberately does not do: it knows nothing of what a proposal means, and imports nothing
//! of ours. Disk, clock and network are passed in: [`LogDisk`](log::disk::LogDisk), [`Clock`],
//! [`PeerTransport`]. It opens no socket, and knows of a member only its id, its address and a text that others read.
//!
//! Invariants: a proposal is answered only after it was synced to disk on a quorum and applied here.
//! Once a sync failed nothing more is written until the process is restarted. Entries are purged
//! only up to what a completed, synced flush of the state holds.
//!
//! Rooms: [`node`] to propose, read and watch; [`state`] what a state machine must do; [`log`] the
//! log on disk; [`snapshot`] what stands for the state towards a peer; [`member`] who belongs;
//! [`network`] what members say to each other, over the streams of a [`transport`]; `freshness` how old what this node would
//! answer is; [`clock`] time; [`workers`] who does the work; [`error`] what can go wrong.

pub mod clock;
pub mod error;
mod freshness;
pub mod log;
pub mod member;
pub mod network;
pub mod node;
mod runtime;
pub mod snapshot;
pub mod state;
pub mod transport;
mod types;
pub mod workers;

pub use clock::{Clock, SystemClock};
pub use error::{Outcome, Peer, RaftError};
pub use member::{Member, Members};
pub use network::{NoPeers, Peers};
pub use node::{Applied, Bootstrap, Leadership, PeerProgress, RaftNode, RaftSettings};
pub use runtime::seed_thread;
pub use state::{
    ApplyBatch, Command, DurableState, ReceivedState, StateError, StateMachine, StateReader, StateTransfer,
    StateWriter,
};
pub use transport::{BoxedStream, PeerStream, PeerTransport};
pub use workers::{Pace, Work};
