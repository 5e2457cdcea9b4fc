//! What the state must remember of the log: how far it is applied, and who the members were.
//!
//! Format 1, little endian: format (u8), flags (u8: 1 applied known, 2 membership's entry known),
//! applied term and index (u64 each), membership's term and index (u64 each), membership (see
//! [`codec`](crate::log::codec)). Written by the apply thread with each batch; correctness depends
//! on it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::log::codec::{Reader, get_membership, put_membership};
use crate::types::{LogId, StoredMembership, log_id};

const FORMAT: u8 = 1;
const HAS_APPLIED: u8 = 1;
const HAS_MEMBERSHIP_ENTRY: u8 = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
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
        out.put_u8(flags);
        for id in [&self.applied, entry] {
            out.put_u64_le(id.as_ref().map_or(0, |id| **id.committed_leader_id()));
            out.put_u64_le(id.as_ref().map_or(0, LogId::index));
        }
        put_membership(&mut out, self.membership.membership());
        out.freeze()
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        let format = reader.u8()?;
        if format != FORMAT {
            return Err(format!(
                "the applied mark has format {format}, and this program knows {FORMAT}; use the program that wrote it, or a newer one"
            ));
        }
        let flags = reader.u8()?;
        let applied = log_id(reader.u64()?, reader.u64()?);
        let entry = log_id(reader.u64()?, reader.u64()?);
        let membership = get_membership(&mut reader)?;
        Ok(Self {
            applied: (flags & HAS_APPLIED != 0).then_some(applied),
            membership: StoredMembership::new(
                (flags & HAS_MEMBERSHIP_ENTRY != 0).then_some(entry),
                membership,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use openraft::impls::BasicNode;

    use super::Mark;
    use crate::types::{Membership, StoredMembership, log_id};

    #[test]
    fn a_mark_reads_back_as_written() {
        let nodes: BTreeMap<u64, BasicNode> =
            [(1, BasicNode::new("127.0.0.1:8500")), (7, BasicNode::new("[::1]:9"))].into();
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let full = Mark {
            applied: Some(log_id(3, 900)),
            membership: StoredMembership::new(Some(log_id(1, 0)), membership),
        };
        assert_eq!(Mark::decode(&full.encode()).unwrap(), full);
        assert_eq!(Mark::decode(&Mark::default().encode()).unwrap(), Mark::default());
    }

    #[test]
    fn a_cut_or_foreign_mark_is_refused() {
        let whole = Mark { applied: Some(log_id(3, 900)), ..Mark::default() }.encode();
        for end in 0..whole.len() {
            assert!(Mark::decode(&whole.slice(..end)).is_err(), "{end}");
        }
        let mut foreign = whole.to_vec();
        foreign[0] = 9;
        assert!(Mark::decode(&foreign.into()).unwrap_err().contains("format 9"));
    }
}
