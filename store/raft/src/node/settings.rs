//! What can be set about a node.

use std::collections::BTreeMap;

use crate::error::RaftError;
use crate::log::retention::Keep;
use crate::member::{MAX_ABOUT_BYTES, MAX_ADDRESS_BYTES, Member};

/// What a node with an empty log does. One with a log goes on with what stands there, whatever this says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Bootstrap {
    /// Begins a group of which it is the only voter.
    #[default]
    Alone,
    /// Begins a group of these voters, itself among them, by id. All of them must be told the same, to the letter, and each
    /// is told so only while its log is empty: then they agree who leads, whichever begins first.
    Members(BTreeMap<u64, Member>),
    /// Waits until the group has made it a member.
    Join,
}

/// Settings of one member. Bytes and milliseconds as the names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftSettings {
    /// This node's id, unique in the group and for ever.
    pub node_id: u64,
    /// Where peers reach it; kept in the membership.
    pub address: String,
    /// What else the group is to know about it: see [`Member`]. The group learns of another text only by
    /// [`RaftNode::set_about`](super::RaftNode::set_about).
    pub about: String,
    /// A number that no other run of this node's process has, drawn at random: its clock begins anew with each run, and peers must
    /// not take one for another.
    pub life: u64,
    /// What it does while its log is empty.
    pub bootstrap: Bootstrap,
    /// Name of the group; nodes of another do not talk to it.
    pub group: String,
    /// What this program can do: a number that means something to the state machine's owner, told to whoever leads (see
    /// [`PeerProgress::supports`](super::PeerProgress)). 0: nothing is said.
    pub supports: u32,
    /// Proposals that may be under way; the next is refused as overload.
    pub max_waiting_proposals: usize,
    /// Bytes of proposals that may be under way.
    pub max_waiting_bytes: usize,
    /// End of the log kept in memory, so that applying and replicating need not read the disk.
    pub recent_bytes: usize,
    /// Log kept for members that lag: an entry goes once this many bytes follow it, or ...
    pub keep_log_bytes: u64,
    /// ... once it is this old. Never before the state that holds it is durable.
    pub keep_log_millis: u64,
    /// The state is made durable once this much log was written since the last time: bounds what a
    /// start after a crash must replay.
    pub flush_after_log_bytes: u64,
    /// Pause between two heartbeats of a leader.
    pub heartbeat_millis: u64,
    /// A follower believes in a leader for `election_max_millis` after it heard of it, and stands for election a random
    /// time after that, between this ...
    pub election_min_millis: u64,
    /// ... and this. A leader whom no quorum has answered for as long takes no more proposals.
    pub election_max_millis: u64,
    /// How long opening may take to win an election as the only voter.
    pub open_timeout_millis: u64,
}

impl Default for RaftSettings {
    fn default() -> Self {
        Self {
            node_id: 1,
            address: "127.0.0.1:8500".to_owned(),
            about: String::new(),
            life: 0,
            bootstrap: Bootstrap::Alone,
            group: "forebay".to_owned(),
            supports: 0,
            max_waiting_proposals: 8_192,
            max_waiting_bytes: 64 * 1024 * 1024,
            recent_bytes: 8 * 1024 * 1024,
            keep_log_bytes: 1024 * 1024 * 1024,
            keep_log_millis: 10 * 60 * 1000,
            flush_after_log_bytes: 32 * 1024 * 1024,
            // A dead leader is followed by an election 450 ms and 250 to 450 ms, whichever of two followers is sooner, after
            // its last heartbeat: about 750 ms, so that most failovers are done within a second. Four heartbeats in a row must
            // be late before anybody would vote for another, seven before anybody asks.
            heartbeat_millis: 100,
            election_min_millis: 250,
            election_max_millis: 450,
            open_timeout_millis: 30_000,
        }
    }
}

impl RaftSettings {
    /// This node as the membership has it.
    pub(crate) fn member(&self) -> Member {
        Member { address: self.address.clone(), about: self.about.clone() }
    }

    pub(crate) fn keep(&self) -> Keep {
        Keep { bytes: self.keep_log_bytes, millis: self.keep_log_millis }
    }

    /// The library's settings. Its defaults are not taken where they are wrong for us: it builds no
    /// snapshot and purges nothing by itself, sends logs rather than a snapshot however far a peer
    /// lags as long as it has them, gives a snapshot the time it needs, asks before it stands for
    /// election, falls silent as a leader whom no quorum answers, and a restarted leader stands for election again instead of going on as one.
    pub(crate) fn library(&self) -> Result<openraft::Config, RaftError> {
        check_member(&self.member())?;
        if let Bootstrap::Members(members) = &self.bootstrap {
            members.values().try_for_each(check_member)?;
            if !members.contains_key(&self.node_id) {
                let what =
                    format!("node {} is not among the members it is to begin a group with", self.node_id);
                return Err(RaftError::Settings(what));
            }
        }
        let config = openraft::Config {
            cluster_name: self.group.clone(),
            heartbeat_interval: self.heartbeat_millis,
            election_timeout_min: self.election_min_millis,
            election_timeout_max: self.election_max_millis,
            snapshot_policy: openraft::SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: u64::MAX,
            replication_lag_threshold: u64::MAX,
            install_snapshot_timeout: 60 * 60 * 1000,
            max_payload_entries: 4_096,
            enable_pre_vote: Some(true),
            enable_leader_restore: Some(false),
            // A leader that is heard and can't hear would be followed for ever. It falls silent, long enough for the others
            // to elect one whom they hear, and then tries again.
            quorum_loss_probe_interval: Some(self.election_max_millis.saturating_mul(2)),
            ..openraft::Config::default()
        };
        config.validate().map_err(|error| RaftError::Settings(error.to_string()))
    }
}

/// Errors: an address, or what is told about a member, that is too long.
pub(crate) fn check_member(member: &Member) -> Result<(), RaftError> {
    let Member { address, about } = member;
    if address.len() > MAX_ADDRESS_BYTES || about.len() > MAX_ABOUT_BYTES {
        let what = format!(
            "a member's address may have {MAX_ADDRESS_BYTES} bytes, and what is told about it {MAX_ABOUT_BYTES}: these have {} and {}",
            address.len(),
            about.len()
        );
        return Err(RaftError::Settings(what));
    }
    Ok(())
}
