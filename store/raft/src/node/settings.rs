//! What can be set about a node.

use crate::error::RaftError;
use crate::log::retention::Keep;

/// Settings of one member. Bytes and milliseconds as the names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftSettings {
    /// This node's id, unique in the group and for ever.
    pub node_id: u64,
    /// Where peers reach it; kept in the membership.
    pub address: String,
    /// Name of the group; nodes of another do not talk to it.
    pub group: String,
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
    /// A follower that heard nothing for at least this long stands for election.
    pub election_min_millis: u64,
    /// ... and for at most this long.
    pub election_max_millis: u64,
    /// How long opening may take to win an election as the only voter.
    pub open_timeout_millis: u64,
}

impl Default for RaftSettings {
    fn default() -> Self {
        Self {
            node_id: 1,
            address: "127.0.0.1:8500".to_owned(),
            group: "forebay".to_owned(),
            max_waiting_proposals: 8_192,
            max_waiting_bytes: 64 * 1024 * 1024,
            recent_bytes: 8 * 1024 * 1024,
            keep_log_bytes: 1024 * 1024 * 1024,
            keep_log_millis: 10 * 60 * 1000,
            flush_after_log_bytes: 32 * 1024 * 1024,
            heartbeat_millis: 150,
            election_min_millis: 600,
            election_max_millis: 1_200,
            open_timeout_millis: 30_000,
        }
    }
}

impl RaftSettings {
    pub(crate) fn keep(&self) -> Keep {
        Keep { bytes: self.keep_log_bytes, millis: self.keep_log_millis }
    }

    /// The library's settings. Its defaults are not taken where they are wrong for us: it builds no
    /// snapshot and purges nothing by itself, sends logs rather than a snapshot however far a peer
    /// lags as long as it has them, gives a snapshot the time it needs, asks before it stands for
    /// election, and a restarted leader stands for election again instead of going on as one.
    pub(crate) fn library(&self) -> Result<openraft::Config, RaftError> {
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
            ..openraft::Config::default()
        };
        config.validate().map_err(|error| RaftError::Settings(error.to_string()))
    }
}
