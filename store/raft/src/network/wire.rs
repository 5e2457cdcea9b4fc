//! What members say, as messages and as the Raft library has it.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, VoteRequest, VoteResponse};
use tonic::Status;

use super::generated as proto;
use crate::log::codec::{decode_entry, encode_entry};
use crate::types::{Entry, LogId, Types, Vote, log_id};

/// The protocol that is spoken. Raised when an older member would misread a message.
pub(super) const PROTOCOL: u32 = 1;

pub(super) fn put_log_id(id: Option<LogId>) -> Option<proto::LogId> {
    id.map(|id| proto::LogId { term: **id.committed_leader_id(), index: id.index() })
}

pub(super) fn get_log_id(id: Option<proto::LogId>) -> Option<LogId> {
    id.map(|id| log_id(id.term, id.index))
}

pub(super) fn put_vote(vote: &Vote) -> Option<proto::Ballot> {
    let node = vote.leader_id.voted_for;
    Some(proto::Ballot { term: vote.leader_id.term, node, committed: vote.committed })
}

pub(super) fn get_vote(ballot: Option<proto::Ballot>) -> Result<Vote, Status> {
    match ballot {
        Some(proto::Ballot { term, node, committed: true }) => Ok(Vote::new_committed(term, node)),
        Some(proto::Ballot { term, node, committed: false }) => Ok(Vote::new(term, node)),
        None => Err(Status::invalid_argument("a message has no vote")),
    }
}

pub(super) fn get_entries(previous: Option<&LogId>, entries: &[Bytes]) -> Result<Vec<Entry>, Status> {
    let first = previous.map_or(0, |id| id.index().saturating_add(1));
    (first..).zip(entries).map(|(index, bytes)| get_entry(index, bytes)).collect()
}

fn get_entry(index: u64, bytes: &Bytes) -> Result<Entry, Status> {
    match decode_entry(index, bytes) {
        Ok(stored) => Ok(stored.entry),
        Err(what) => Err(Status::data_loss(format!(
            "entry {index} was changed on the way, or is of a newer format: {what}"
        ))),
    }
}

pub(super) fn put_entries(entries: &[Entry]) -> Vec<Bytes> {
    entries.iter().map(|entry| encode_entry(entry, None)).collect()
}

pub(super) fn get_append<R: Send + Sync + 'static>(
    request: &proto::AppendRequest,
) -> Result<AppendEntriesRequest<Types<R>>, Status> {
    let prev_log_id = get_log_id(request.previous);
    Ok(AppendEntriesRequest {
        vote: get_vote(request.vote)?,
        prev_log_id,
        entries: get_entries(prev_log_id.as_ref(), &request.entries)?,
        leader_commit: get_log_id(request.committed),
    })
}

pub(super) fn get_vote_request<R: Send + Sync + 'static>(
    request: proto::VoteRequest,
) -> Result<VoteRequest<Types<R>>, Status> {
    let vote = get_vote(request.vote)?;
    let last_log_id = get_log_id(request.last);
    Ok(VoteRequest { vote, last_log_id, leadership_transfer: request.leadership_transfer })
}

pub(super) fn put_vote_response<R: Send + Sync + 'static>(
    response: VoteResponse<Types<R>>,
) -> proto::VoteResponse {
    let VoteResponse { vote, vote_granted, last_log_id } = response;
    proto::VoteResponse { vote: put_vote(&vote), granted: vote_granted, last: put_log_id(last_log_id) }
}

pub(super) fn get_vote_response<R: Send + Sync + 'static>(
    response: proto::VoteResponse,
) -> Result<VoteResponse<Types<R>>, Status> {
    Ok(VoteResponse::new(get_vote(response.vote)?, get_log_id(response.last), response.granted))
}

/// Why a message is not for this node.
pub(super) fn check_header(header: Option<&proto::Header>, group: &str, node_id: u64) -> Result<(), Status> {
    let Some(header) = header else { return Err(Status::invalid_argument("a message has no header")) };
    let refuse = |why: String| Err(Status::failed_precondition(why));
    if header.group != group {
        let other = &header.group;
        return refuse(format!(
            "this is a member of group {group:?}, and the message is one of group {other:?}: give all nodes of one cluster the same name, and only those"
        ));
    }
    if header.protocol != PROTOCOL {
        let other = header.protocol;
        return refuse(format!(
            "this node speaks protocol {PROTOCOL} with its peers, and the message is in protocol {other}: run the same or the next version on all nodes"
        ));
    }
    if header.to != node_id {
        let to = header.to;
        return refuse(format!(
            "this is node {node_id}, and the message is for node {to}: another member's data seems to be on this machine. Look first which \
             data it has: `forebay status` of each node names its number and where the members are. If node {to} is gone for ever, this \
             one takes its place by itself once it has caught up"
        ));
    }
    Ok(())
}
