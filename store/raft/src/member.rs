//! Who belongs to the group.

use std::collections::BTreeMap;

use crate::types::StoredMembership;

/// Members a group may have at most; more in a stored membership is corruption.
pub const MAX_MEMBERS: usize = 1_000;
/// Bytes of an address, of what is told about a member.
pub const MAX_ADDRESS_BYTES: usize = 1_024;
/// See [`MAX_ADDRESS_BYTES`].
pub const MAX_ABOUT_BYTES: usize = 16 * 1024;

/// One member, as the group knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Where its peers reach it. Only the [transport](crate::transport) reads it.
    pub address: String,
    /// What else the group knows about it: its owner's text, of which this crate reads nothing.
    pub about: String,
}

impl Member {
    /// A member of whom nothing but the address is known.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), about: String::new() }
    }
}

/// The members of the group, as this node knows them: the newest membership in its log, committed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Index of the log entry that says so; `None` while this node knows no group.
    pub index: Option<u64>,
    /// Those whose votes and disks count. During a change, those of before and after.
    pub voters: BTreeMap<u64, Member>,
    /// Those that follow, and neither vote nor count.
    pub learners: BTreeMap<u64, Member>,
    /// Whether a change of voters is under way.
    pub changing: bool,
}

impl Members {
    /// A member by its id.
    pub fn get(&self, id: u64) -> Option<&Member> {
        self.voters.get(&id).or_else(|| self.learners.get(&id))
    }

    /// All members with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Member)> {
        self.voters.iter().chain(&self.learners).map(|(id, member)| (*id, member))
    }

    pub(crate) fn from_library(stored: &StoredMembership) -> Self {
        let membership = stored.membership();
        let mut members = Self {
            index: stored.log_id().as_ref().map(|id| id.index()),
            changing: membership.get_joint_config().len() > 1,
            ..Self::default()
        };
        let voters: Vec<u64> = membership.voter_ids().collect();
        for (id, member) in membership.nodes() {
            let side = if voters.contains(id) { &mut members.voters } else { &mut members.learners };
            side.insert(*id, member.clone());
        }
        members
    }
}
