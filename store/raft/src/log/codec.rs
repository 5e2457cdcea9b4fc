//! Bytes of entries, votes and memberships on disk.
//!
//! An entry, format 1, little endian: format (u8), kind (u8: 0 blank, 1 command, 2 membership of
//! addresses only, read and no longer written, 3 membership), term and index (u64 each), committed term and committed index + 1 (u64 each, 0 0: none known), payload,
//! and the xxh3-64 of all that comes before (u64). The committed position is what was known when the
//! entry was written: it decides which entries are replayed at open, and costs no write of its own.
//! The index stands in the key too; both must agree.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::RaftError;
use crate::member::{MAX_MEMBERS, Member};
use crate::types::{Entry, EntryPayload, LogId, Membership, Proposal, Vote, log_id};

const FORMAT: u8 = 1;
const KIND_BLANK: u8 = 0;
const KIND_COMMAND: u8 = 1;
const KIND_ADDRESSES: u8 = 2;
const KIND_MEMBERSHIP: u8 = 3;
const CHECKSUM_BYTES: usize = 8;
/// Bytes of an entry beside its payload.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 2 + 4 * 8 + CHECKSUM_BYTES;

/// Why stored bytes can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    /// They are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// They are what was written, by a program that knows more.
    #[error("{0}")]
    Newer(String),
}

impl From<String> for CodecError {
    fn from(what: String) -> Self {
        Self::Damaged(what)
    }
}

impl CodecError {
    fn format(format: u8) -> Self {
        Self::Newer(format!("it has format {format}, and this program knows {FORMAT}"))
    }

    /// As the error of a node; `of` names the bytes.
    pub(crate) fn of(self, of: &str) -> RaftError {
        match self {
            Self::Damaged(what) => RaftError::Corrupt(format!(
                "{of}: {what}; restore this node from a backup, or remove its data and let it join again"
            )),
            Self::Newer(what) => RaftError::Unsupported(format!("{of}: {what}")),
        }
    }
}

/// How a stored membership describes its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MembershipForm {
    /// Addresses only, as they were first written.
    Addresses,
    /// Addresses, and what else is known.
    Members,
}

/// Takes bytes apart without ever reading past their end.
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.left.split_at_checked(length).ok_or_else(|| "it is cut short".to_owned())?;
        self.left = left;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, String> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.bytes(4)?);
        Ok(u32::from_le_bytes(bytes))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.bytes(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u32()? as usize;
        let text = std::str::from_utf8(self.bytes(length)?);
        text.map(str::to_owned)
            .map_err(|_| "an address, or what is known about a member, is not text".to_owned())
    }

    fn count(&mut self) -> Result<usize, String> {
        match usize::try_from(self.u32()?) {
            Ok(count) if count <= MAX_MEMBERS => Ok(count),
            _ => Err("it counts more members than there can be".to_owned()),
        }
    }
}

/// Writes an entry as it lies on disk.
pub(crate) fn encode_entry(entry: &Entry, committed: Option<&LogId>) -> Bytes {
    let payload_bytes = match &entry.payload {
        EntryPayload::Normal(proposal) => proposal.0.len(),
        EntryPayload::Blank => 0,
        EntryPayload::Membership(_) => 128,
    };
    let mut out = BytesMut::with_capacity(ENTRY_OVERHEAD_BYTES + payload_bytes);
    out.put_u8(FORMAT);
    out.put_u8(match &entry.payload {
        EntryPayload::Blank => KIND_BLANK,
        EntryPayload::Normal(_) => KIND_COMMAND,
        EntryPayload::Membership(_) => KIND_MEMBERSHIP,
    });
    out.put_u64_le(**entry.log_id.committed_leader_id());
    out.put_u64_le(entry.log_id.index());
    out.put_u64_le(committed.map_or(0, |id| **id.committed_leader_id()));
    out.put_u64_le(committed.map_or(0, |id| id.index() + 1));
    match &entry.payload {
        EntryPayload::Blank => {}
        EntryPayload::Normal(proposal) => out.put_slice(&proposal.0),
        EntryPayload::Membership(membership) => put_membership(&mut out, membership),
    }
    let checksum = xxh3_64(&out);
    out.put_u64_le(checksum);
    out.freeze()
}

/// An entry read back, and what was known committed when it was written.
#[derive(Debug, PartialEq)]
pub(crate) struct StoredEntry {
    pub(crate) entry: Entry,
    pub(crate) committed: Option<LogId>,
}

/// Reads an entry, or says what is wrong with it. The payload shares the given bytes.
pub(crate) fn decode_entry(index: u64, bytes: &Bytes) -> Result<StoredEntry, CodecError> {
    let Some(end) = bytes.len().checked_sub(CHECKSUM_BYTES) else {
        return Err(CodecError::Damaged("it is cut short".to_owned()));
    };
    let checksum = Reader::new(&bytes[end..]).u64()?;
    let body = bytes.slice(..end);
    if xxh3_64(&body) != checksum {
        return Err(CodecError::Damaged("its checksum does not match".to_owned()));
    }
    let mut reader = Reader::new(&body);
    let format = reader.u8()?;
    if format != FORMAT {
        return Err(CodecError::format(format));
    }
    let kind = reader.u8()?;
    let (term, stored_index) = (reader.u64()?, reader.u64()?);
    if stored_index != index {
        return Err(CodecError::Damaged(format!("it says it is entry {stored_index}")));
    }
    let (committed_term, committed_end) = (reader.u64()?, reader.u64()?);
    let payload = match kind {
        KIND_BLANK => EntryPayload::Blank,
        KIND_COMMAND => EntryPayload::Normal(Proposal(body.slice(ENTRY_OVERHEAD_BYTES - CHECKSUM_BYTES..))),
        KIND_ADDRESSES => EntryPayload::Membership(get_membership(&mut reader, MembershipForm::Addresses)?),
        KIND_MEMBERSHIP => EntryPayload::Membership(get_membership(&mut reader, MembershipForm::Members)?),
        _ => {
            return Err(CodecError::Newer(format!("it is of kind {kind}, which this program does not know")));
        }
    };
    Ok(StoredEntry {
        entry: Entry { log_id: log_id(term, index), payload },
        committed: committed_end.checked_sub(1).map(|index| log_id(committed_term, index)),
    })
}

/// Writes a membership: number of voter sets (u32), each as count and ids (u32, u64), number of
/// nodes (u32), each as id (u64), length and bytes of its address (u32, UTF-8), and of what else is
/// known about it.
pub(crate) fn put_membership(out: &mut BytesMut, membership: &Membership) {
    let configs = membership.get_joint_config();
    out.put_u32_le(configs.len() as u32);
    for config in configs {
        out.put_u32_le(config.len() as u32);
        for id in config {
            out.put_u64_le(*id);
        }
    }
    let nodes: Vec<_> = membership.nodes().collect();
    out.put_u32_le(nodes.len() as u32);
    for (id, member) in nodes {
        out.put_u64_le(*id);
        for text in [&member.address, &member.about] {
            out.put_u32_le(text.len() as u32);
            out.put_slice(text.as_bytes());
        }
    }
}

/// Reads a membership.
pub(crate) fn get_membership(reader: &mut Reader<'_>, form: MembershipForm) -> Result<Membership, String> {
    let mut configs = Vec::new();
    for _ in 0..reader.count()? {
        let mut config = BTreeSet::new();
        for _ in 0..reader.count()? {
            config.insert(reader.u64()?);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..reader.count()? {
        let id = reader.u64()?;
        let address = reader.text()?;
        let about = match form {
            MembershipForm::Addresses => String::new(),
            MembershipForm::Members => reader.text()?,
        };
        nodes.insert(id, Member { address, about });
    }
    if configs.is_empty() && nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configs, nodes).map_err(|error| error.to_string())
}

/// Writes a vote: format (u8), committed (u8), term, node (u64 each), xxh3-64 (u64).
pub(crate) fn encode_vote(vote: &Vote) -> Bytes {
    let mut out = BytesMut::with_capacity(26);
    out.put_u8(FORMAT);
    out.put_u8(u8::from(vote.committed));
    out.put_u64_le(vote.leader_id.term);
    out.put_u64_le(vote.leader_id.voted_for);
    let checksum = xxh3_64(&out);
    out.put_u64_le(checksum);
    out.freeze()
}

/// Reads a vote, or says what is wrong with it.
pub(crate) fn decode_vote(bytes: &[u8]) -> Result<Vote, CodecError> {
    let mut reader = Reader::new(bytes);
    let format = reader.u8()?;
    let committed = reader.u8()?;
    let (term, node) = (reader.u64()?, reader.u64()?);
    let checksum = reader.u64()?;
    if xxh3_64(&bytes[..18]) != checksum {
        return Err(CodecError::Damaged("its checksum does not match".to_owned()));
    }
    if format != FORMAT {
        return Err(CodecError::format(format));
    }
    Ok(if committed == 0 { Vote::new(term, node) } else { Vote::new_committed(term, node) })
}

/// Writes a log position: format (u8), term, index (u64 each), xxh3-64 (u64).
pub(crate) fn encode_log_id(id: &LogId) -> Bytes {
    let mut out = BytesMut::with_capacity(25);
    out.put_u8(FORMAT);
    out.put_u64_le(**id.committed_leader_id());
    out.put_u64_le(id.index());
    let checksum = xxh3_64(&out);
    out.put_u64_le(checksum);
    out.freeze()
}

/// Reads a log position, or says what is wrong with it.
pub(crate) fn decode_log_id(bytes: &[u8]) -> Result<LogId, CodecError> {
    let mut reader = Reader::new(bytes);
    let format = reader.u8()?;
    let (term, index) = (reader.u64()?, reader.u64()?);
    let checksum = reader.u64()?;
    if xxh3_64(&bytes[..17]) != checksum {
        return Err(CodecError::Damaged("its checksum does not match".to_owned()));
    }
    if format != FORMAT {
        return Err(CodecError::format(format));
    }
    Ok(log_id(term, index))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bytes::Bytes;

    use super::{
        CodecError, decode_entry, decode_log_id, decode_vote, encode_entry, encode_log_id, encode_vote,
    };
    use crate::member::Member;
    use crate::types::{Entry, EntryPayload, Membership, Proposal, Vote, log_id};

    fn command(index: u64, payload: &'static [u8]) -> Entry {
        let payload = EntryPayload::Normal(Proposal(Bytes::from_static(payload)));
        Entry { log_id: log_id(4, index), payload }
    }

    #[test]
    fn an_entry_reads_back_as_written_with_what_was_committed() {
        for committed in [None, Some(log_id(3, 0)), Some(log_id(3, 41))] {
            for payload in [EntryPayload::Blank, command(0, b"").payload, command(0, b"put x").payload] {
                let entry = Entry { log_id: log_id(4, 42), payload };
                let stored = decode_entry(42, &encode_entry(&entry, committed.as_ref())).unwrap();
                assert_eq!(stored.entry, entry);
                assert_eq!(stored.committed, committed);
            }
        }
    }

    /// The first entry of a store from before members had more than an address.
    const ENTRY_OF_ADDRESSES: &[u8] =
        b"\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x0e\0\0\x00127.0.0.1:8500\
        \x89\xbe\x86\xfe\xa2\xbe\xcf\x45";

    #[test]
    fn an_entry_from_before_members_had_more_than_an_address_is_read() {
        let stored = decode_entry(0, &Bytes::from_static(ENTRY_OF_ADDRESSES)).unwrap();
        let nodes = BTreeMap::from([(1, Member::new("127.0.0.1:8500"))]);
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let entry = Entry { log_id: log_id(0, 0), payload: EntryPayload::Membership(membership) };
        assert_eq!(stored.entry, entry);
        let again = decode_entry(0, &encode_entry(&entry, None)).unwrap();
        assert_eq!(again.entry, entry);
    }

    #[test]
    fn any_flipped_bit_or_cut_of_an_entry_is_found() {
        let whole = encode_entry(&command(42, b"put x"), Some(&log_id(3, 41)));
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_entry(42, &bad.into()).is_err(), "bit {bit}");
        }
        for end in 0..whole.len() {
            assert!(decode_entry(42, &whole.slice(..end)).is_err(), "cut at {end}");
        }
        assert!(decode_entry(43, &whole).is_err(), "an entry under another's key");
    }

    /// The bytes of a program that knows more: their checksum is right.
    fn newer(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
        let mut bytes = bytes[..bytes.len() - 8].to_vec();
        bytes[at] = value;
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    #[test]
    fn what_a_newer_program_wrote_is_told_from_damage() {
        let entry = encode_entry(&command(42, b"put x"), None);
        for (at, value, text) in [(0, 9, "format 9"), (1, 77, "kind 77")] {
            let read = decode_entry(42, &newer(&entry, at, value).into());
            assert!(matches!(&read, Err(CodecError::Newer(what)) if what.contains(text)), "{read:?}");
        }
        let read = decode_vote(&newer(&encode_vote(&Vote::new(7, 2)), 0, 9));
        assert!(matches!(read, Err(CodecError::Newer(_))));
        let read = decode_log_id(&newer(&encode_log_id(&log_id(7, 99)), 0, 9));
        assert!(matches!(read, Err(CodecError::Newer(_))));
    }

    #[test]
    fn a_vote_and_a_position_read_back_as_written_and_cuts_are_found() {
        for vote in [Vote::new(7, 2), Vote::new_committed(u64::MAX, 1)] {
            let bytes = encode_vote(&vote);
            assert_eq!(decode_vote(&bytes).unwrap(), vote);
            assert!((0..bytes.len()).all(|end| decode_vote(&bytes[..end]).is_err()));
        }
        let bytes = encode_log_id(&log_id(7, 99));
        assert_eq!(decode_log_id(&bytes).unwrap(), log_id(7, 99));
        assert!((0..bytes.len()).all(|end| decode_log_id(&bytes[..end]).is_err()));
    }
}
