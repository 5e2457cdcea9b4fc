//! What the state must remember of the log: how far it is applied, and who the members were.
//!
//! Format 2, little endian: format (u8), flags (u8: 1 applied known, 2 membership's entry known, 4 the
//! state came from a peer, 8 the log was behind), applied term and index (u64 each), membership's term and index (u64 each), membership (see
//! [`codec`](crate::log::codec)), with flag 4 where that state stood (term and index), with flag 8 the index before which the log
//! was synced (u64). Written by the apply thread with each batch; correctness depends
//! on it. Format 1, which is still read, has a membership of addresses only, and no flag 4.

use bytes::{BufMut, Bytes, BytesMut};

use crate::log::codec::{CodecError, MembershipForm, Reader, get_membership, put_membership};
use crate::types::{LogId, StoredMembership, log_id};

const FORMAT: u8 = 2;
const FORMAT_OF_ADDRESSES: u8 = 1;
const HAS_APPLIED: u8 = 1;
const HAS_MEMBERSHIP_ENTRY: u8 = 2;
const INSTALLED: u8 = 4;
const LOG_BEHIND: u8 = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
    /// Where a state that came from a peer stood, the last time there was one: entries up to there may be missing.
    pub(crate) installed: Option<LogId>,
    /// Where the node's own log was not synced up to what is applied, since others were quicker: entries before this index were.
    pub(crate) log_end: Option<u64>,
}

impl Mark {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(FORMAT);
        let entry = self.membership.log_id();
        let mut flags = 0;
        if self.applied.is_some() {
            flags |= HAS_APPLIED;
        }
        if entry.is_some() {
            flags |= HAS_MEMBERSHIP_ENTRY;
        }
        if self.installed.is_some() {
            flags |= INSTALLED;
        }
        if self.log_end.is_some() {
            flags |= LOG_BEHIND;
        }
        out.put_u8(flags);
        for id in [&self.applied, entry] {
            out.put_u64_le(id.as_ref().map_or(0, |id| **id.committed_leader_id()));
            out.put_u64_le(id.as_ref().map_or(0, LogId::index));
        }
        put_membership(&mut out, self.membership.membership());
        if let Some(id) = &self.installed {
            out.put_u64_le(**id.committed_leader_id());
            out.put_u64_le(id.index());
        }
        out.extend(self.log_end.map(u64::to_le_bytes).into_iter().flatten());
        out.freeze()
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let format = reader.u8()?;
        let form = match format {
            FORMAT => MembershipForm::Members,
            FORMAT_OF_ADDRESSES => MembershipForm::Addresses,
            _ => {
                return Err(CodecError::Newer(format!(
                    "it has format {format}, and this program knows {FORMAT}"
                )));
            }
        };
        let flags = reader.u8()?;
        let applied = log_id(reader.u64()?, reader.u64()?);
        let entry = log_id(reader.u64()?, reader.u64()?);
        let membership = get_membership(&mut reader, form)?;
        let installed = match flags & INSTALLED {
            0 => None,
            _ => Some(log_id(reader.u64()?, reader.u64()?)),
        };
        let log_end = match flags & LOG_BEHIND {
            0 => None,
            _ => Some(reader.u64()?),
        };
        Ok(Self {
            applied: (flags & HAS_APPLIED != 0).then_some(applied),
            membership: StoredMembership::new(
                (flags & HAS_MEMBERSHIP_ENTRY != 0).then_some(entry),
                membership,
            ),
            installed,
            log_end,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::Mark;
    use crate::member::Member;
    use crate::types::{Membership, StoredMembership, log_id};

    #[test]
    fn a_mark_reads_back_as_written() {
        let about = "{\"zone\": \"a\"}".to_owned();
        let nodes: BTreeMap<u64, Member> =
            [(1, Member::new("127.0.0.1:8500")), (7, Member { about, ..Member::new("[::1]:9") })].into();
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let full = Mark {
            applied: Some(log_id(3, 900)),
            membership: StoredMembership::new(Some(log_id(1, 0)), membership),
            installed: Some(log_id(2, 700)),
            log_end: Some(898),
        };
        assert_eq!(Mark::decode(&full.encode()).unwrap(), full);
        assert_eq!(Mark::decode(&Mark::default().encode()).unwrap(), Mark::default());
    }

    /// Of a store from before members had more than an address.
    const MARK_OF_ADDRESSES: &[u8] =
        b"\x01\x03\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x0e\0\0\x00127.0.0.1:8500";

    #[test]
    fn a_mark_from_before_members_had_more_than_an_address_is_read() {
        let mark = Mark::decode(&bytes::Bytes::from_static(MARK_OF_ADDRESSES)).unwrap();
        let nodes = BTreeMap::from([(1, Member::new("127.0.0.1:8500"))]);
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let membership = StoredMembership::new(Some(log_id(0, 0)), membership);
        assert_eq!(mark, Mark { applied: Some(log_id(1, 7)), membership, ..Mark::default() });
    }

    #[test]
    fn a_cut_or_foreign_mark_is_refused() {
        let whole = Mark { applied: Some(log_id(3, 900)), log_end: Some(898), ..Mark::default() }.encode();
        for end in 0..whole.len() {
            assert!(Mark::decode(&whole.slice(..end)).is_err(), "{end}");
        }
        let mut foreign = whole.to_vec();
        foreign[0] = 9;
        assert!(Mark::decode(&foreign.into()).unwrap_err().to_string().contains("format 9"));
    }
}
