//! The way to peers.
//!
//! A [`PeerNetwork`] is passed to the node. [`NoPeers`] is for a group of one voter: it opens no
//! port, and a message to anyone else answers "unreachable", which the library treats as a peer that
//! is down. Peers over the wire implement the same trait.

use std::future::Future;
use std::marker::PhantomData;

use openraft::error::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BasicNode;
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftTypeConfig};

use crate::snapshot::SnapshotHandle;
use crate::types::Types;

/// A way to reach the other members. Sealed: its messages are the Raft library's, which stays in
/// this crate.
pub trait PeerNetwork: sealed::Network {}

impl<N: sealed::Network> PeerNetwork for N {}

pub(crate) mod sealed {
    use super::NoPeers;

    /// What a node needs of it.
    pub trait Network: Send + 'static {
        /// Whether other members can be reached at all.
        fn has_peers(&self) -> bool;
    }

    impl Network for NoPeers {
        fn has_peers(&self) -> bool {
            false
        }
    }
}

/// A group of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

/// [`NoPeers`] for the library.
pub(crate) struct NoPeersFactory<R>(PhantomData<fn() -> R>);

impl<R> NoPeersFactory<R> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R: Send + Sync + 'static> RaftNetworkFactory<Types<R>> for NoPeersFactory<R> {
    type Network = NoPeer<R>;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> NoPeer<R> {
        NoPeer { target, replies: PhantomData }
    }
}

/// A peer that cannot be reached.
pub(crate) struct NoPeer<R> {
    target: u64,
    replies: PhantomData<fn() -> R>,
}

impl<R: Send + Sync + 'static> NoPeer<R> {
    fn unreachable(&self) -> Unreachable<Types<R>> {
        let text = format!("this node has no way to peers, so not to node {}", self.target);
        Unreachable::new(&std::io::Error::new(std::io::ErrorKind::NotConnected, text))
    }
}

impl<R: Send + Sync + 'static> RaftNetworkV2<Types<R>> for NoPeer<R> {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<R>>, RPCError<Types<R>>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn pre_vote(
        &mut self,
        _rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: <Types<R> as RaftTypeConfig>::Vote,
        _snapshot: openraft::alias::SnapshotOf<Types<R>, SnapshotHandle>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<R>>, StreamingError<Types<R>>> {
        Err(StreamingError::Unreachable(self.unreachable()))
    }
}
