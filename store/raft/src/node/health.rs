//! What all threads of a node must know at once: the first failure, and being the only voter.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::RaftError;
use crate::log::disk::LogDiskError;

#[derive(Default)]
pub(crate) struct Health {
    failed: OnceLock<RaftError>,
    state_failed: OnceLock<String>,
    sole_voter: AtomicBool,
}

impl Health {
    /// The first failure that stopped writes.
    pub(crate) fn failed(&self) -> Option<RaftError> {
        self.failed.get().cloned()
    }

    pub(crate) fn fail(&self, error: RaftError) {
        if self.failed.set(error.clone()).is_ok() {
            tracing::error!(%error, "this node takes no more writes until it is restarted");
        }
    }

    pub(crate) fn fail_disk(&self, error: LogDiskError) {
        self.fail(match error {
            LogDiskError::Corrupt(what) => RaftError::Corrupt(what),
            LogDiskError::Full(what) | LogDiskError::Failed(what) => RaftError::DiskFailed(what),
        });
    }

    pub(crate) fn fail_state(&self, error: RaftError) {
        // The first is the one that tells.
        let _ = self.state_failed.set(error.to_string());
        self.fail(error);
    }

    pub(crate) fn state_failed(&self) -> Option<String> {
        self.state_failed.get().cloned()
    }

    /// True only while this node leads, no other node may vote, and all that was committed before
    /// it became leader is applied: then what it has applied is all there is. It is set once, when
    /// the node has opened, and taken back, for good, before another voter or another node's vote
    /// can take effect.
    pub(crate) fn is_sole_voter(&self) -> bool {
        self.sole_voter.load(Ordering::Acquire) && self.failed.get().is_none()
    }

    pub(crate) fn become_sole_voter(&self) {
        self.sole_voter.store(true, Ordering::Release);
    }

    pub(crate) fn no_longer_sole_voter(&self) {
        self.sole_voter.store(false, Ordering::Release);
    }
}
