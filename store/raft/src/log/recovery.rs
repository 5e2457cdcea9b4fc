//! Makes a group of one of what one member has, for an operator who has lost the others for ever.
//!
//! Deliberately against the rule that only a majority decides: whoever calls [`take_over`] knows that there will be none any more.
//! What the others had acknowledged and this log does not have is lost. What stands in this log and was not known to be committed
//! is kept, since a majority of which this member was one may have acknowledged it.
//!
//! For a log that nobody has opened. Invariant: all that is written to it is one batch, so a crash leaves the old group or the new.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::codec::{decode_entry, encode_entry, encode_vote};
use super::disk::{LogBatch, LogDisk, LogOp, Sync};
use super::keys::{VOTE_KEY, entry_key};
use super::open::{disk_error, examine};
use super::store::OpenedLog;
use crate::error::RaftError;
use crate::member::{Member, Members};
use crate::node::check_member;
use crate::state::Mark;
use crate::types::{Entry, EntryPayload, LogId, Membership, StoredMembership, Vote, log_id};

/// What a log that nobody has opened has, and what its state has of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The members by its newest entry that names any, committed or not.
    pub members: Members,
    /// Its last entry, as term and index.
    pub last: Option<(u64, u64)>,
    /// Index of the last entry that it knows a majority to have had.
    pub committed: Option<u64>,
    /// Index of the last entry that the state has, durably.
    pub applied: Option<u64>,
}

/// Looks at a log whose state has this mark. Changes nothing.
///
/// Errors: those of opening the log; a mark that can't be read.
pub fn look(disk: &dyn LogDisk, mark: Option<&Bytes>) -> Result<Found, RaftError> {
    let mark = read_mark(mark)?;
    let (opened, _) = examine(disk, &mark)?;
    let members = Members::from_library(&newest_members(disk, &mark, &opened)?);
    let index = |id: &LogId| id.index();
    Ok(Found {
        members,
        last: opened.last.as_ref().map(|id| (**id.committed_leader_id(), id.index())),
        committed: opened.committed.as_ref().map(index),
        applied: mark.applied.as_ref().map(index),
    })
}

/// The newest command in a log of which `pick` makes something. Reads backwards, and no further than it must.
///
/// Errors: a disk, or an entry, that can't be read.
pub fn newest_command<T>(
    disk: &dyn LogDisk,
    found: &Found,
    mut pick: impl FnMut(&Bytes) -> Option<T>,
) -> Result<Option<T>, RaftError> {
    let mut next = found.last.map(|(_, index)| index);
    while let Some(index) = next {
        // Not there: it was purged, or a state from a peer took its place.
        let Some(value) = disk.get(&entry_key(index)).map_err(disk_error)? else { break };
        let stored =
            decode_entry(index, &value).map_err(|error| error.of(&format!("entry {index} of the log")))?;
        if let EntryPayload::Normal(proposal) = &stored.entry.payload
            && let Some(picked) = pick(&proposal.0)
        {
            return Ok(Some(picked));
        }
        next = index.checked_sub(1);
    }
    Ok(None)
}

/// Makes a member the only one, from the end of its log on, in a term in which it has not voted. Durable when it returns; what
/// opening the log would mend is mended by it.
///
/// Errors: those of opening the log; a member that can't be described; a disk that can't be written to.
pub fn take_over(
    disk: &dyn LogDisk,
    mark: Option<&Bytes>,
    node_id: u64,
    member: Member,
) -> Result<(), RaftError> {
    check_member(&member)?;
    let (opened, LogBatch { mut ops }) = examine(disk, &read_mark(mark)?)?;
    let nodes = BTreeMap::from([(node_id, member)]);
    let membership = Membership::new(vec![BTreeSet::from([node_id])], nodes)
        .map_err(|error| RaftError::Membership(error.to_string()))?;
    let voted = opened.vote.map_or(0, |vote| vote.leader_id.term);
    let led = opened.last.as_ref().map_or(0, |id| **id.committed_leader_id());
    let term = voted.max(led) + 1;
    let index = opened.last.as_ref().map_or(0, |id| id.index() + 1);
    let entry = Entry { log_id: log_id(term, index), payload: EntryPayload::Membership(membership) };
    // What was known to be committed stays known; more than that is so only once the new group has said it.
    ops.push(LogOp::Put { key: entry_key(index), value: encode_entry(&entry, opened.committed.as_ref()) });
    ops.push(LogOp::Put { key: VOTE_KEY.into(), value: encode_vote(&Vote::new(term, node_id)) });
    disk.write(LogBatch { ops }, Sync::Now).map_err(disk_error)
}

/// The mark of a state that its log does not lead up to: what of the log it has is let go of when the two are next opened, and whoever
/// joins is sent the state.
///
/// Errors: a mark that can't be read.
pub fn without_its_log(mark: &Bytes) -> Result<Bytes, RaftError> {
    let mark = read_mark(Some(mark))?;
    Ok(Mark { installed: mark.applied, log_end: None, ..mark }.encode())
}

fn read_mark(mark: Option<&Bytes>) -> Result<Mark, RaftError> {
    match mark {
        Some(bytes) => Mark::decode(bytes).map_err(|error| error.of("the mark in the state")),
        None => Ok(Mark::default()),
    }
}

/// The newest membership: of what the state does not have, else the state's.
fn newest_members(
    disk: &dyn LogDisk,
    mark: &Mark,
    opened: &OpenedLog,
) -> Result<StoredMembership, RaftError> {
    let end = opened.last.as_ref().map_or(0, |id| id.index() + 1);
    let known = mark.applied.as_ref().map_or(0, |id| id.index() + 1);
    for index in (known..end).rev() {
        let Some(value) = disk.get(&entry_key(index)).map_err(disk_error)? else { break };
        let stored =
            decode_entry(index, &value).map_err(|error| error.of(&format!("entry {index} of the log")))?;
        if let EntryPayload::Membership(membership) = stored.entry.payload {
            return Ok(StoredMembership::new(Some(stored.entry.log_id), membership));
        }
    }
    Ok(mark.membership.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::codec::{decode_vote, encode_log_id};
    use crate::log::keys::{FORMAT_KEY, PURGED_KEY};
    use crate::log::memory::{CrashTail, MemoryLogDisk};
    use crate::types::Proposal;

    fn members(ids: &[u64]) -> Membership {
        let nodes: BTreeMap<u64, Member> =
            ids.iter().map(|id| (*id, Member::new(format!("node-{id}:8501")))).collect();
        Membership::new(vec![ids.iter().copied().collect()], nodes).unwrap()
    }

    fn command(text: &str) -> EntryPayload {
        EntryPayload::Normal(Proposal(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// A log of three members whose entries from 5 on were not known to be committed, and which has voted since.
    fn of_three() -> MemoryLogDisk {
        let disk = MemoryLogDisk::new();
        let mut ops = vec![LogOp::Put { key: FORMAT_KEY.into(), value: Bytes::from_static(&[1]) }];
        let mut payloads = vec![EntryPayload::Membership(members(&[1, 2, 3])), EntryPayload::Blank];
        payloads.extend(["a", "b", "c", "d", "e"].map(command));
        for (index, payload) in (0..).zip(payloads) {
            let entry = Entry { log_id: log_id(if index == 0 { 0 } else { 3 }, index), payload };
            let committed = (index == 6).then(|| log_id(3, 4));
            ops.push(LogOp::Put { key: entry_key(index), value: encode_entry(&entry, committed.as_ref()) });
        }
        ops.push(LogOp::Put { key: VOTE_KEY.into(), value: encode_vote(&Vote::new(7, 1)) });
        disk.opened().write(LogBatch { ops }, Sync::Now).unwrap();
        disk
    }

    fn entry_of(disk: &MemoryLogDisk, index: u64) -> Option<Entry> {
        let value = disk.opened().get(&entry_key(index)).unwrap()?;
        Some(decode_entry(index, &value).unwrap().entry)
    }

    fn text(command: &Bytes) -> Option<String> {
        Some(String::from_utf8_lossy(command).into_owned())
    }

    #[test]
    fn what_there_is_is_told_and_nothing_is_changed() {
        let disk = of_three();
        let found = look(&disk.opened(), None).unwrap();
        assert_eq!(found.members.voters.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((found.last, found.committed, found.applied), (Some((3, 6)), Some(4), None));
        let newest = newest_command(&disk.opened(), &found, text).unwrap();
        assert_eq!(newest.as_deref(), Some("e"));
        let older = |command: &Bytes| text(command).filter(|text| text < &"c".to_owned());
        assert_eq!(newest_command(&disk.opened(), &found, older).unwrap().as_deref(), Some("b"));
        assert_eq!(newest_command(&disk.opened(), &found, |_| None::<()>).unwrap(), None);
        assert_eq!(look(&disk.opened(), None).unwrap(), found);
        assert_eq!(look(&MemoryLogDisk::new().opened(), None).unwrap(), Found::default());
    }

    #[test]
    fn a_member_is_the_only_one_behind_all_that_it_has_and_in_a_term_of_its_own() {
        let disk = of_three();
        take_over(&disk.opened(), None, 3, Member::new("here:8501")).unwrap();
        disk.crash(CrashTail::default());
        let found = look(&disk.opened(), None).unwrap();
        // Above the vote. What a majority may have acknowledged is there, and not called committed.
        assert_eq!((found.last, found.committed), (Some((8, 7)), Some(4)));
        assert_eq!(entry_of(&disk, 6).unwrap().payload, command("e"));
        let alone = BTreeMap::from([(3, Member::new("here:8501"))]);
        assert_eq!((found.members.voters, found.members.learners), (alone, BTreeMap::new()));
        let vote = decode_vote(&disk.opened().get(VOTE_KEY).unwrap().unwrap()).unwrap();
        assert_eq!(vote, Vote::new(8, 3));
        // Once more, as after a crash before the next step.
        take_over(&disk.opened(), None, 3, Member::new("here:8501")).unwrap();
        assert_eq!(look(&disk.opened(), None).unwrap().last, Some((9, 8)));
    }

    #[test]
    fn a_log_that_ended_in_the_state_goes_on_behind_it() {
        let disk = MemoryLogDisk::new();
        let applied = log_id(5, 40);
        let mark = Mark {
            applied: Some(applied),
            membership: StoredMembership::new(Some(log_id(2, 11)), members(&[1, 2, 30])),
            installed: Some(applied),
            log_end: None,
        };
        let ops = vec![
            LogOp::Put { key: FORMAT_KEY.into(), value: Bytes::from_static(&[1]) },
            LogOp::Put { key: PURGED_KEY.into(), value: encode_log_id(&applied) },
        ];
        disk.opened().write(LogBatch { ops }, Sync::Now).unwrap();
        let mark = mark.encode();
        let found = look(&disk.opened(), Some(&mark)).unwrap();
        assert!(found.members.voters.contains_key(&30));
        assert_eq!((found.last, found.applied), (Some((5, 40)), Some(40)));
        take_over(&disk.opened(), Some(&mark), 30, Member::new("here:8501")).unwrap();
        let found = look(&disk.opened(), Some(&mark)).unwrap();
        assert_eq!((found.last, found.members.voters.len()), (Some((6, 41)), 1));
        assert_eq!(entry_of(&disk, 40), None);
    }

    #[test]
    fn a_torn_end_is_cut_off_and_what_is_damaged_before_it_is_refused() {
        let disk = of_three();
        assert!(disk.flip_bit(&entry_key(6), 90));
        take_over(&disk.opened(), None, 3, Member::new("here:8501")).unwrap();
        let found = look(&disk.opened(), None).unwrap();
        assert_eq!((found.last, found.members.voters.len()), (Some((8, 6)), 1));
        let disk = of_three();
        assert!(disk.flip_bit(&entry_key(3), 90));
        let before = disk.keys();
        for refused in [
            look(&disk.opened(), None).map(drop),
            take_over(&disk.opened(), None, 3, Member::new("here:8501")),
        ] {
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("entry 3 is damaged"), "{why}");
        }
        assert_eq!(disk.keys(), before);
    }

    #[test]
    fn a_mark_without_its_log_says_nothing_else_new() {
        let mark = Mark { applied: Some(log_id(5, 40)), ..Mark::default() };
        let without = Mark::decode(&without_its_log(&mark.encode()).unwrap()).unwrap();
        assert_eq!(without, Mark { installed: Some(log_id(5, 40)), ..mark });
        assert!(without_its_log(&Bytes::from_static(b"what?")).is_err());
    }
}
