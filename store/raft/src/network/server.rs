//! What peers send to this node: accepted, checked, given to the Raft library.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openraft::async_runtime::WatchReceiver;
use openraft::raft::{
    AppendEntriesResponse, StreamAppendError, StreamAppendResult, TransferLeaderError, TransferLeaderRequest,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;
use xxhash_rust::xxh3::Xxh3;

use super::complaint::Complaint;
use super::generated as proto;
use super::generated::raft_server::{Raft, RaftServer};
use super::{
    ACCEPT_PAUSE, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, MAX_MESSAGE_BYTES, MAX_PEER_CONNECTIONS,
    MAX_STREAMS, STATE_SILENCE, WINDOW_BYTES, wire,
};
use crate::freshness::{Freshness, Round, Stamp};
use crate::member::Member;
use crate::node::{Library, announced};
use crate::snapshot::SnapshotHandle;
use crate::state::{Mark, StateError, StateTransfer};
use crate::transport::{BoxedStream, PeerTransport};
use crate::types::{LogId, Types};
use crate::workers::Workers;

/// Answers peers, on the thread of the library.
pub(crate) struct PeerService<R: Send + Sync + 'static> {
    pub(crate) library: Library<R>,
    pub(crate) group: String,
    pub(crate) node_id: u64,
    pub(crate) freshness: Arc<Freshness>,
    /// End of what is applied.
    pub(crate) applied: tokio::sync::watch::Receiver<u64>,
    pub(crate) transfer: Arc<dyn StateTransfer>,
    /// What this program can do; see [`RaftSettings::supports`](crate::RaftSettings::supports).
    pub(crate) supports: u32,
    /// One state at a time is received.
    pub(crate) receiving: Semaphore,
    /// Why the last one was refused.
    pub(crate) complaint: Mutex<Complaint>,
    pub(crate) workers: Workers,
}

/// Serves whoever the transport says is there. Ends when it is dropped, and with it all connections.
pub(crate) async fn serve<R: Send + Sync + 'static>(
    transport: Arc<dyn PeerTransport>,
    service: PeerService<R>,
) {
    let server = RaftServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_PEER_CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        match transport.accept().await {
            Ok(stream) => {
                connections.spawn(connection(stream, server.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a peer's connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection<R: Send + Sync + 'static>(stream: BoxedStream, server: RaftServer<PeerService<R>>) {
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut server = server.clone();
        async move { server.call(request).await }
    });
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // Nobody reads it.
        .auto_date_header(false)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a peer's connection broke");
    }
}

/// What a message says of how fresh the leader's knowledge is.
struct Claim {
    stamp: Stamp,
    round: Round,
}

impl Claim {
    /// None of a leader that knows of no round, or of an older program that does not say what was committed then: the state here
    /// is then as old as the last one that was named.
    fn of(request: &proto::AppendRequest) -> Option<Self> {
        Some(Self {
            stamp: Stamp { life: request.echo_life, millis: request.echo? },
            round: Round {
                age: Duration::from_millis(request.quorum_age_millis?),
                committed_end: request.quorum_committed_end?,
            },
        })
    }
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("the peer is stopping, or has failed: {error}"))
}

/// What was accepted and not answered yet, of one stream of entries; and why it ended, if not by the leader's will.
#[derive(Default)]
struct Accepted {
    claims: VecDeque<Option<Claim>>,
    refused: Option<Status>,
}

impl<R: Send + Sync + 'static> PeerService<R> {
    fn check(&self, header: Option<&proto::Header>) -> Result<(), Status> {
        wire::check_header(header, &self.group, self.node_id)
    }

    /// Disk work, beside the thread that heartbeats need.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, Status> {
        let done = self.workers.blocking(work).await;
        done.map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(format!("the state could not be taken: {error}")))
    }

    fn answer(
        supports: u32,
        freshness: &Freshness,
        applied: &tokio::sync::watch::Receiver<u64>,
        claim: Option<Claim>,
        result: StreamAppendResult<Types<R>>,
    ) -> proto::AppendResponse {
        use proto::append_response::Result as Answer;
        let follows = !matches!(result, Err(StreamAppendError::HigherVote(_)));
        if let (true, Some(claim)) = (follows, claim) {
            let applied_end = *applied.borrow() + 1;
            freshness.claim(claim.stamp, claim.round, applied_end);
            // What was applied since it was looked up has not met this claim.
            freshness.applied(*applied.borrow() + 1);
        }
        let result = match result {
            Ok(last) => Answer::Matched(proto::Matched { last: wire::put_log_id(last) }),
            Err(StreamAppendError::Conflict(id)) => Answer::Conflict(conflict(&id)),
            Err(StreamAppendError::HigherVote(vote)) => Answer::HigherVote(ballot(&vote)),
        };
        let Stamp { life, millis } = freshness.stamp();
        proto::AppendResponse { result: Some(result), stamp: millis, supports, life }
    }
}

fn conflict(id: &LogId) -> proto::LogId {
    proto::LogId { term: **id.committed_leader_id(), index: id.index() }
}

fn ballot(vote: &crate::types::Vote) -> proto::Ballot {
    proto::Ballot { term: vote.leader_id.term, node: vote.leader_id.voted_for, committed: vote.committed }
}

#[tonic::async_trait]
impl<R: Send + Sync + 'static> Raft for PeerService<R> {
    type AppendStream = BoxStream<'static, Result<proto::AppendResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let accepted = Arc::new(Mutex::new(Accepted::default()));
        let (group, node_id) = (self.group.clone(), self.node_id);
        let state = (request.into_inner(), Arc::clone(&accepted), group);
        let requests = stream::unfold(state, move |(mut requests, accepted, group)| async move {
            let request = match requests.message().await {
                Ok(request) => request?,
                Err(_) => return None,
            };
            let append = wire::check_header(request.header.as_ref(), &group, node_id)
                .and_then(|()| wire::get_append::<R>(&request));
            match append {
                Ok(append) => {
                    accepted.lock().claims.push_back(Claim::of(&request));
                    Some((append, (requests, accepted, group)))
                }
                Err(status) => {
                    accepted.lock().refused = Some(status);
                    None
                }
            }
        });
        let (freshness, applied) = (Arc::clone(&self.freshness), self.applied.clone());
        let supports = self.supports;
        let of_results = Arc::clone(&accepted);
        let results = self.library.stream_append(requests).map(move |result| {
            let claim = of_results.lock().claims.pop_front().flatten();
            Ok(Self::answer(supports, &freshness, &applied, claim, result.map_err(stopped)?))
        });
        let refusal = stream::once(async move { accepted.lock().refused.take() });
        let refusal = refusal.filter_map(|refused| async move { refused.map(Err) });
        Ok(Response::new(results.chain(refusal).boxed()))
    }

    async fn beat(
        &self,
        request: Request<proto::AppendRequest>,
    ) -> Result<Response<proto::AppendResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let claim = Claim::of(&request);
        let append = wire::get_append::<R>(&request)?;
        let previous = append.prev_log_id;
        let response = self.library.append_entries(append).await.map_err(stopped)?;
        let result = match response {
            AppendEntriesResponse::Success => Ok(previous),
            AppendEntriesResponse::PartialSuccess(last) => Ok(last),
            AppendEntriesResponse::Conflict => match previous {
                Some(previous) => Err(StreamAppendError::Conflict(previous)),
                None => return Err(Status::internal("nothing conflicts with the beginning of a log")),
            },
            AppendEntriesResponse::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote)),
        };
        Ok(Response::new(Self::answer(self.supports, &self.freshness, &self.applied, claim, result)))
    }

    async fn vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let response = self.library.vote(wire::get_vote_request(request)?).await.map_err(stopped)?;
        Ok(Response::new(wire::put_vote_response(response)))
    }

    async fn pre_vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let response = self.library.pre_vote(wire::get_vote_request(request)?).await.map_err(stopped)?;
        Ok(Response::new(wire::put_vote_response(response)))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferRequest>,
    ) -> Result<Response<proto::TransferResponse>, Status> {
        use proto::transfer_response::Result as Answer;
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let from = wire::get_vote(request.from_leader)?;
        let transfer = TransferLeaderRequest::new(from, request.to_node, wire::get_log_id(request.last));
        let answer = self.library.handle_transfer_leader(transfer).await.map_err(stopped)?;
        let result = match answer {
            Ok(()) => Answer::Accepted(proto::Accepted {}),
            Err(TransferLeaderError::VoteChanged { actual, .. }) => Answer::VoteChanged(ballot(&actual)),
            Err(TransferLeaderError::LogNotFlushed { actual, .. }) => {
                Answer::NotFlushed(proto::NotFlushed { last: wire::put_log_id(actual) })
            }
        };
        Ok(Response::new(proto::TransferResponse { result: Some(result) }))
    }

    async fn install_state(
        &self,
        request: Request<Streaming<proto::StatePart>>,
    ) -> Result<Response<proto::StateResponse>, Status> {
        let received = self.receive_state(request.into_inner()).await;
        if let Err(refusal) = &received {
            let why = refusal.message();
            if self.complaint.lock().is_due(why, Instant::now()) {
                tracing::warn!(
                    why,
                    "the leader's state was refused; what there is here stays, and the leader tries again"
                );
            }
        }
        received.map(Response::new)
    }

    async fn announce(
        &self,
        request: Request<proto::AnnounceRequest>,
    ) -> Result<Response<proto::AnnounceResponse>, Status> {
        let proto::AnnounceRequest { header, address, about } = request.into_inner();
        self.check(header.as_ref())?;
        let from = header.map_or(0, |header| header.from);
        announced(&self.library, from, Member { address, about })
            .await
            .map_err(|error| Status::aborted(error.to_string()))?;
        Ok(Response::new(proto::AnnounceResponse {}))
    }
}

impl<R: Send + Sync + 'static> PeerService<R> {
    async fn receive_state(
        &self,
        mut parts: Streaming<proto::StatePart>,
    ) -> Result<proto::StateResponse, Status> {
        use proto::state_part::Part;
        let Some(Part::Begin(begin)) = next(&mut parts).await? else {
            return Err(Status::invalid_argument("a state begins with what it is of"));
        };
        self.check(begin.header.as_ref())?;
        let vote = wire::get_vote(begin.vote)?;
        let known = self.library.server_metrics().borrow_watched().vote;
        if known > vote {
            // Of a leader that is none any more: it need not send the rest to hear so.
            return Ok(proto::StateResponse { vote: wire::put_vote(&known) });
        }
        let mut mark = Mark::decode(&begin.mark)
            .map_err(|error| Status::failed_precondition(format!("the mark of the state: {error}")))?;
        let Ok(_place) = self.receiving.try_acquire() else {
            return Err(Status::unavailable("another state is being received"));
        };
        let transfer = Arc::clone(&self.transfer);
        let mut writer = self.blocking(move || transfer.begin_receive()).await?;
        let (mut total_bytes, mut checksum) = (0, Xxh3::new());
        checksum.update(&begin.mark);
        let end = loop {
            match next(&mut parts).await? {
                Some(Part::Bytes(bytes)) => {
                    total_bytes += bytes.len() as u64;
                    checksum.update(&bytes);
                    writer = self
                        .blocking(move || {
                            writer.write(bytes)?;
                            Ok(writer)
                        })
                        .await?;
                }
                Some(Part::End(end)) => break end,
                Some(Part::Begin(_)) => return Err(Status::invalid_argument("a state begins once")),
                None => return Err(Status::data_loss("the state was cut off; it is to be sent again")),
            }
        };
        if end.total_bytes != total_bytes || end.checksum != checksum.digest() {
            return Err(Status::data_loss("the state was changed on the way; it is to be sent again"));
        }
        // What the peer's log had says nothing of ours.
        (mark.installed, mark.log_end) = (mark.applied, None);
        let encoded = mark.encode();
        let received = self.blocking(move || writer.finish(encoded)).await?;
        let snapshot = SnapshotHandle::received(mark, received, Arc::clone(&self.transfer)).into_library();
        let response = self.library.install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        Ok(proto::StateResponse { vote: wire::put_vote(&response.vote) })
    }
}

async fn next(parts: &mut Streaming<proto::StatePart>) -> Result<Option<proto::state_part::Part>, Status> {
    match tokio::time::timeout(STATE_SILENCE, parts.message()).await {
        Ok(part) => Ok(part?.and_then(|part| part.part)),
        Err(_) => Err(Status::deadline_exceeded("the sender of the state was silent for too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's own word of what is committed may be older than the round.
    #[test]
    fn a_message_that_does_not_name_what_was_committed_claims_nothing() {
        let mut message = proto::AppendRequest {
            vote: Some(proto::Ballot { term: 3, node: 1, committed: true }),
            committed: Some(proto::LogId { term: 3, index: 9 }),
            quorum_age_millis: Some(4),
            echo: Some(1_000),
            echo_life: 7,
            ..Default::default()
        };
        assert!(Claim::of(&message).is_none());
        message.quorum_committed_end = Some(12);
        let claim = Claim::of(&message).unwrap();
        assert_eq!(claim.stamp, Stamp { life: 7, millis: 1_000 });
        assert_eq!(claim.round, Round { age: Duration::from_millis(4), committed_end: 12 });
    }
}
