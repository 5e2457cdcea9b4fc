//! What can go wrong with a proposal or a read, and what to do next.

/// Another member of the group, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its node id.
    pub id: u64,
    /// Where its peers reach it.
    pub address: String,
}

/// Whether a failed proposal may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It never will: try again, here or elsewhere.
    NotDone,
    /// It may or may not: only reading can tell.
    Unknown,
}

/// A failed proposal or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RaftError {
    /// This node is not the leader; the request was not taken. Go to the leader, or try again soon
    /// if there is none.
    #[error("not the leader: {}", leader_text(.leader))]
    NotLeader {
        /// Who is, if known.
        leader: Option<Peer>,
    },
    /// Leadership was lost after the proposal was taken: it may still take effect.
    #[error("leadership was lost while the proposal was under way: {}", leader_text(.leader))]
    LeadershipLost {
        /// Who leads now, if known.
        leader: Option<Peer>,
    },
    /// Too many proposals wait already; this one was not taken. Try again later.
    #[error("too many proposals are waiting; try again later")]
    Overloaded,
    /// A proposal larger than any member could be sent; it was not taken. Make it smaller.
    #[error("a proposal of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The membership was not changed; why, and what to do. Nothing else is affected.
    #[error("the members were not changed: {0}")]
    Membership(String),
    /// A change of leader, or of members, was begun and did not come to its end in time: look at who leads and who
    /// belongs, and ask again if need be.
    #[error("{0}")]
    Unfinished(String),
    /// The disk failed; nothing is written until the process is restarted.
    #[error("the disk failed: {0}")]
    DiskFailed(String),
    /// The log, or the state, is not what was written. Restore the node, or let it join again.
    #[error("stored data is corrupt: {0}")]
    Corrupt(String),
    /// What is stored, or was proposed, is of a newer version than this program. Start that version.
    #[error("this program is too old: {0}; start the version that wrote it, or a newer one")]
    Unsupported(String),
    /// The state machine failed while applying; nothing is applied until the process is restarted.
    #[error("the state machine failed: {0}")]
    StateFailed(String),
    /// The node is stopping, or has stopped.
    #[error("the node is stopping")]
    Shutdown,
    /// Settings that cannot work: which, and why.
    #[error("bad settings: {0}")]
    Settings(String),
}

impl RaftError {
    /// Whether the proposal that got this answer may still take effect.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotLeader { .. }
            | Self::Overloaded
            | Self::TooLarge { .. }
            | Self::Membership(_)
            | Self::Settings(_) => Outcome::NotDone,
            Self::LeadershipLost { .. }
            | Self::Unfinished(_)
            | Self::DiskFailed(_)
            | Self::Corrupt(_)
            | Self::Unsupported(_)
            | Self::StateFailed(_)
            | Self::Shutdown => Outcome::Unknown,
        }
    }
}

fn leader_text(leader: &Option<Peer>) -> String {
    match leader {
        Some(peer) => format!("the leader is node {} at {}", peer.id, peer.address),
        None => "no leader is known; try again soon".to_owned(),
    }
}
