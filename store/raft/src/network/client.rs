//! What this node sends to its peers.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt, future, stream};
use openraft::error::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, RaftNetworkV2, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftTypeConfig};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::{Code, Status};
use xxhash_rust::xxh3::Xxh3;

use super::generated as proto;
use super::link::{Links, PeerLinks};
use super::unanswered::Unanswered;
use super::{ANSWER_TIMEOUT, REDIAL_MAX, REDIAL_MIN, STATE_PART_BYTES, STATE_PARTS_AHEAD, wire};
use crate::freshness::Stamp;
use crate::member::Member;
use crate::snapshot::SnapshotHandle;
use crate::state::{Mark, StateReader};
use crate::types::{Types, Vote};
use crate::workers::Workers;

/// Which of a peer's connections a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Entries,
    Heartbeats,
    States,
}

/// Makes clients for the library. Without links every peer is unreachable.
pub(crate) struct Network<R> {
    links: Option<Arc<Links>>,
    replies: PhantomData<fn() -> R>,
}

impl<R> Network<R> {
    pub(crate) fn new(links: Option<Arc<Links>>) -> Self {
        Self { links, replies: PhantomData }
    }

    fn client(&self, target: u64, member: &Member, used_for: Use) -> PeerClient<R> {
        let (links, address) = (self.links.clone(), member.address.clone());
        PeerClient { target, address, links, used_for, replies: PhantomData }
    }
}

impl<R: Send + Sync + 'static> RaftNetworkFactory<Types<R>> for Network<R> {
    type Network = PeerClient<R>;

    async fn new_client(&mut self, target: u64, member: &Member) -> PeerClient<R> {
        self.client(target, member, Use::Entries)
    }

    async fn new_heartbeat_client(&mut self, target: u64, member: &Member) -> PeerClient<R> {
        self.client(target, member, Use::Heartbeats)
    }

    async fn new_snapshot_client(&mut self, target: u64, member: &Member) -> PeerClient<R> {
        self.client(target, member, Use::States)
    }
}

struct Way {
    links: Arc<Links>,
    peer: Arc<PeerLinks>,
}

/// What the library sends to one peer. The library keeps it for as long as it leads, so each message asks anew where the peer is.
pub(crate) struct PeerClient<R> {
    target: u64,
    /// Where it was when the library made this.
    address: String,
    links: Option<Arc<Links>>,
    used_for: Use,
    replies: PhantomData<fn() -> R>,
}

fn unreachable<R: Send + Sync + 'static>(why: impl ToString) -> RPCError<Types<R>> {
    RPCError::Unreachable(Unreachable::from_string(why))
}

/// A refusal is not made good by asking again at once, no more than a broken connection is.
fn failed<R: Send + Sync + 'static>(peer: &PeerLinks, target: u64, status: &Status) -> RPCError<Types<R>> {
    let reason = status.message();
    if status.code() == Code::FailedPrecondition && peer.complaint.lock().is_due(reason, Instant::now()) {
        tracing::warn!(node = target, address = peer.address(), reason, "another node refused a message");
    }
    unreachable(format!("node {target}: {}", status.message()))
}

impl<R: Send + Sync + 'static> PeerClient<R> {
    fn way(&self) -> Result<Way, RPCError<Types<R>>> {
        let links = self.links.clone().ok_or_else(|| {
            unreachable(format!("this node has no way to peers, so not to node {}", self.target))
        })?;
        Ok(Way { peer: links.peer(self.target, &self.address), links })
    }

    async fn ask<T, F>(
        &self,
        ask: impl FnOnce(super::generated::raft_client::RaftClient<super::link::Wire>) -> F,
    ) -> Result<T, RPCError<Types<R>>>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let Way { peer, .. } = self.way()?;
        let client = peer.control.client().await.map_err(unreachable)?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, ask(client)).await;
        let answer = answer.map_err(|_| unreachable(format!("node {} did not answer", self.target)))?;
        Ok(answer.map_err(|status| failed(&peer, self.target, &status))?.into_inner())
    }

    fn malformed(&self, status: Status) -> RPCError<Types<R>> {
        unreachable(format!("node {}: {}", self.target, status.message()))
    }
}

impl Way {
    fn append<R: Send + Sync + 'static>(
        &self,
        target: u64,
        request: AppendEntriesRequest<Types<R>>,
    ) -> proto::AppendRequest {
        append_request(&self.links, &self.peer, target, request)
    }
}

fn append_request<R: Send + Sync + 'static>(
    links: &Links,
    peer: &PeerLinks,
    target: u64,
    request: AppendEntriesRequest<Types<R>>,
) -> proto::AppendRequest {
    let AppendEntriesRequest { vote, prev_log_id, entries, leader_commit } = request;
    // The stamp first: an age that was looked up before the stamp came would make the round younger than it is.
    let echo = peer.echo();
    let round = links.newest_round();
    proto::AppendRequest {
        header: Some(links.header(target)),
        vote: wire::put_vote(&vote),
        previous: wire::put_log_id(prev_log_id),
        committed: wire::put_log_id(leader_commit),
        entries: wire::put_entries(&entries),
        quorum_age_millis: round.map(|round| round.age_millis()),
        echo: echo.map(|stamp| stamp.millis),
        echo_life: echo.map_or(0, |stamp| stamp.life),
        quorum_committed_end: round.map(|round| round.committed_end),
    }
}

fn append_result<R: Send + Sync + 'static>(
    peer: &PeerLinks,
    response: proto::AppendResponse,
) -> Result<StreamAppendResult<Types<R>>, Status> {
    use proto::append_response::Result as Answer;
    peer.heard(Stamp { life: response.life, millis: response.stamp }, response.supports);
    match response.result {
        Some(Answer::Matched(matched)) => Ok(Ok(wire::get_log_id(matched.last))),
        Some(Answer::Conflict(id)) => {
            Ok(Err(StreamAppendError::Conflict(crate::types::log_id(id.term, id.index))))
        }
        Some(Answer::HigherVote(vote)) => Ok(Err(StreamAppendError::HigherVote(wire::get_vote(Some(vote))?))),
        None => Err(Status::invalid_argument("an answer says nothing")),
    }
}

impl<R: Send + Sync + 'static> RaftNetworkV2<Types<R>> for PeerClient<R> {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types<R>>, RPCError<Types<R>>> {
        let request = self.way()?.append(self.target, rpc);
        let response = self.ask(|mut client| async move { client.beat(request).await }).await?;
        let result = append_result(&self.way()?.peer, response).map_err(|status| self.malformed(status))?;
        Ok(AppendEntriesResponse::from(result))
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> futures_util::future::BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types<R>>, RPCError<Types<R>>>>, RPCError<Types<R>>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types<R>>> + OptionalSend + Unpin + 'static,
    {
        if self.used_for == Use::Heartbeats {
            return stream_append_sequential(self, input, option);
        }
        async move {
            // After a failure the library waits in here, with the first request. To dial before would be to try again at once, and
            // again, for as long as the peer is gone.
            let Some(first) = input.next().await else { return Ok(stream::empty().boxed()) };
            let Way { links, peer } = self.way()?;
            let target = self.target;
            let mut client = peer.entries.client().await.map_err(unreachable)?;
            let input = stream::iter([first]).chain(input);
            let unanswered = Arc::new(Unanswered::default());
            let (made, to) = (Arc::clone(&unanswered), Arc::clone(&peer));
            let requests = input.map(move |request| {
                made.made(&request);
                append_request(&links, &to, target, request)
            });
            let opened = tokio::time::timeout(ANSWER_TIMEOUT, client.append(requests)).await;
            let opened = opened.map_err(|_| unreachable(format!("node {target} did not answer")))?;
            let answers = opened.map_err(|status| failed(&peer, target, &status))?.into_inner();
            let results = answers.filter_map(move |answer| {
                let result = answer.and_then(|response| append_result(&peer, response));
                let told = match &result {
                    Ok(Ok(end)) => unanswered.matched(*end),
                    // It ends the stream.
                    Ok(Err(_)) | Err(_) => true,
                };
                future::ready(told.then(|| result.map_err(|status| failed(&peer, target, &status))))
            });
            Ok(results.boxed())
        }
        .boxed()
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        let request = self.vote_request(rpc)?;
        let response = self.ask(|mut client| async move { client.vote(request).await }).await?;
        wire::get_vote_response(response).map_err(|status| self.malformed(status))
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types<R>>, RPCError<Types<R>>> {
        let request = self.vote_request(rpc)?;
        let response = self.ask(|mut client| async move { client.pre_vote(request).await }).await?;
        wire::get_vote_response(response).map_err(|status| self.malformed(status))
    }

    async fn full_snapshot(
        &mut self,
        vote: <Types<R> as RaftTypeConfig>::Vote,
        snapshot: openraft::alias::SnapshotOf<Types<R>, SnapshotHandle>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types<R>>, StreamingError<Types<R>>> {
        debug_assert_eq!(self.used_for, Use::States);
        tokio::select! {
            biased;
            sent = self.send_state(vote, snapshot.snapshot) => sent.map_err(StreamingError::from),
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types<R>>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types<R>>, RPCError<Types<R>>> {
        use proto::transfer_response::Result as Answer;
        let message = proto::TransferRequest {
            header: Some(self.way()?.links.header(self.target)),
            from_leader: wire::put_vote(request.from_leader()),
            to_node: *request.to_node_id(),
            last: wire::put_log_id(request.last_log_id().copied()),
        };
        let response = self.ask(|mut client| async move { client.transfer_leader(message).await }).await?;
        Ok(match response.result {
            Some(Answer::Accepted(_)) => Ok(()),
            Some(Answer::VoteChanged(vote)) => Err(TransferLeaderError::VoteChanged {
                expected: *request.from_leader(),
                actual: wire::get_vote(Some(vote)).map_err(|status| self.malformed(status))?,
            }),
            Some(Answer::NotFlushed(state)) => Err(TransferLeaderError::LogNotFlushed {
                expected: request.last_log_id().copied(),
                actual: wire::get_log_id(state.last),
            }),
            None => return Err(self.malformed(Status::invalid_argument("an answer says nothing"))),
        })
    }

    fn backoff(&self) -> Option<Backoff> {
        let pauses = std::iter::successors(Some(REDIAL_MIN), |pause| Some((*pause * 2).min(REDIAL_MAX)));
        Some(Backoff::new(pauses))
    }
}

impl<R: Send + Sync + 'static> PeerClient<R> {
    fn vote_request(&self, rpc: VoteRequest<Types<R>>) -> Result<proto::VoteRequest, RPCError<Types<R>>> {
        Ok(proto::VoteRequest {
            header: Some(self.way()?.links.header(self.target)),
            vote: wire::put_vote(&rpc.vote),
            last: wire::put_log_id(rpc.last_log_id),
            leadership_transfer: rpc.leadership_transfer,
        })
    }

    /// Reads the state as it is now, which holds at least what the handle stands for, and sends it part by part, as fast as the
    /// peer takes it.
    async fn send_state(
        &self,
        vote: Vote,
        handle: SnapshotHandle,
    ) -> Result<SnapshotResponse<Types<R>>, RPCError<Types<R>>> {
        let way = self.way()?;
        let target = self.target;
        let mut client = way.peer.states.client().await.map_err(unreachable)?;
        let source = handle.source();
        let reader = way.links.workers().blocking(move || source.begin_send()).await;
        let reader = reader.map_err(unreachable)?.map_err(unreachable)?;
        let mark = reader.mark();
        if Mark::decode(&mark).map_err(unreachable)?.applied < handle.applied() {
            return Err(unreachable("the state that was read is older than what was flushed"));
        }
        let begin =
            proto::StateBegin { header: Some(way.links.header(target)), vote: wire::put_vote(&vote), mark };
        let (sender, parts) = mpsc::channel(STATE_PARTS_AHEAD);
        // It ends when the peer is gone: nobody takes the next part.
        let reading = tokio::spawn(read_state(way.links.workers().clone(), reader, sender));
        let first = proto::StatePart { part: Some(proto::state_part::Part::Begin(begin)) };
        let rest = stream::unfold(parts, |mut parts| async move { Some((parts.recv().await?, parts)) });
        let answer = client.install_state(stream::iter([first]).chain(rest)).await;
        if let Ok(Err(error)) = reading.await {
            return Err(unreachable(format!("the state could not be read to its end: {error}")));
        }
        let response = answer.map_err(|status| failed(&way.peer, target, &status))?.into_inner();
        Ok(SnapshotResponse::new(wire::get_vote(response.vote).map_err(|status| self.malformed(status))?))
    }
}

/// Gives on what is read, until the end, or until nobody takes it any more. After a failure there is no end, so the peer knows.
async fn read_state(
    workers: Workers,
    mut reader: Box<dyn StateReader>,
    parts: mpsc::Sender<proto::StatePart>,
) -> Result<(), String> {
    use proto::state_part::Part;
    let (mut total_bytes, mut checksum) = (0, Xxh3::new());
    checksum.update(&reader.mark());
    loop {
        // Reading blocks, and heartbeats must not wait for it.
        let read = move || {
            let part = reader.read(STATE_PART_BYTES);
            (reader, part)
        };
        let (again, part) = workers.blocking(read).await.map_err(|error| error.to_string())?;
        reader = again;
        let Some(bytes) = part.map_err(|error| error.to_string())? else { break };
        total_bytes += bytes.len() as u64;
        checksum.update(&bytes);
        if parts.send(proto::StatePart { part: Some(Part::Bytes(bytes)) }).await.is_err() {
            return Ok(());
        }
    }
    let end = proto::StateEnd { total_bytes, checksum: checksum.digest() };
    // Whoever is gone knows.
    let _ = parts.send(proto::StatePart { part: Some(Part::End(end)) }).await;
    Ok(())
}

/// Tells the leader what is to be known about this node. Errors: why not.
pub(crate) async fn announce(links: &Links, to: u64, to_address: &str, member: Member) -> Result<(), Status> {
    let peer = links.peer(to, to_address);
    let mut client = peer.control.client().await.map_err(Status::unavailable)?;
    let Member { address, about } = member;
    let request = proto::AnnounceRequest { header: Some(links.header(to)), address, about };
    match tokio::time::timeout(ANSWER_TIMEOUT, client.announce(request)).await {
        Ok(answer) => answer.map(|_| ()),
        Err(_) => Err(Status::deadline_exceeded("the leader did not answer")),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::freshness::Round;
    use crate::transport::{Dialled, PeerTransport};

    /// Nobody is reached.
    #[derive(Default)]
    struct Nowhere {
        dials: AtomicUsize,
    }

    impl PeerTransport for Nowhere {
        fn dial(&self, _: &str) -> Dialled<'static> {
            self.dials.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }

        fn accept(&self) -> Dialled<'_> {
            Box::pin(std::future::pending())
        }
    }

    fn links(transport: Arc<Nowhere>) -> Arc<Links> {
        Arc::new(Links::new(1, "group".to_owned(), transport, Workers::Threads))
    }

    fn request(leader_commit: Option<crate::types::LogId>) -> AppendEntriesRequest<Types<()>> {
        let vote = Vote::new_committed(1, 1);
        AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit }
    }

    /// A message that has waited for its turn was made when less was committed.
    #[test]
    fn a_round_is_named_with_what_is_committed_as_the_message_leaves() {
        let links = links(Arc::default());
        let peer = links.peer(2, "peer:1");
        let made = request(Some(crate::types::log_id(1, 5)));
        let message = append_request(&links, &peer, 2, made.clone());
        assert_eq!((message.quorum_age_millis, message.quorum_committed_end), (None, None));
        links.set_newest_round(|| Some(Round { age: Duration::from_micros(1_500), committed_end: 20 }));
        let message = append_request(&links, &peer, 2, made);
        assert_eq!(message.committed.map(|id| id.index), Some(5), "what the library says is left as it is");
        assert_eq!((message.quorum_age_millis, message.quorum_committed_end), (Some(2), Some(20)));
    }

    /// The library waits, after a failure, before it gives the first request.
    #[tokio::test]
    async fn a_peer_that_is_gone_is_not_tried_again_before_the_pause_is_over() {
        let transport = Arc::new(Nowhere::default());
        let network = Network::<()>::new(Some(links(Arc::clone(&transport))));
        let mut client = network.client(2, &Member::new("gone:1"), Use::Entries);
        let (pause, dials) = (Duration::from_millis(20), Arc::clone(&transport));
        let requests = stream::once(async move {
            tokio::time::sleep(pause).await;
            assert_eq!(dials.dials.load(Ordering::SeqCst), 0, "nothing is tried while the library waits");
            request(None)
        });
        let sent = client.stream_append(requests.boxed(), RPCOption::new(pause)).await;
        assert!(matches!(sent, Err(RPCError::Unreachable(_))));
        assert_eq!(transport.dials.load(Ordering::SeqCst), 1);
    }
}
