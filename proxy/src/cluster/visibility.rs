//! `write_visibility = all`: a write is acknowledged once every node that may answer from memory has applied it.
//!
//! A node may answer from memory while it has a lease, and a lease is short. The primary gives leases ([`leases`]) to nodes that
//! tell it how far they have come ([`holder`]), over connections of a lane of their own ([`lane`]). A write waits until all
//! that hold one have applied it. A node that falls silent, or too far behind, loses its lease in [`LEASE`] at most: from then
//! on it asks the primary, and no write waits for it. So a client that knows of no version reads its own writes on any node.
//!
//! Why no two primaries can disagree. A lease runs from the beginning of the last round in which a quorum confirmed the primary,
//! so nobody was elected before that. A new primary counts every member, and whoever was one a moment ago, as holding a lease
//! until one could not run any longer.
//! And it gives none to a node that has not applied all that was committed before it was elected.
//!
//! Deliberately no part of the log: nothing of this is written anywhere, and a node that starts again holds nothing.

#[cfg(feature = "rocksdb")]
pub mod holder;
#[cfg(feature = "rocksdb")]
pub mod lane;
pub mod leases;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a node may answer from memory after the primary was last known to be one.
///
/// Shorter, a node that waits its turn for a core asks the primary for nothing; longer, a node that is gone holds up writes, once,
/// for so long.
pub const LEASE: Duration = Duration::from_secs(1);
/// How much longer the primary counts a lease than its holder does: clocks may run at rates that differ by 1 in 50.
const GRACE: Duration = Duration::from_millis(20);

/// When a write is acknowledged, beyond its being durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteVisibility {
    /// Once the node that answers no longer serves what was before it.
    #[default]
    Node,
    /// Once no node does.
    All,
}

impl fmt::Display for WriteVisibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteVisibility::Node => "node",
            WriteVisibility::All => "all",
        })
    }
}

impl FromStr for WriteVisibility {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<WriteVisibility, &'static str> {
        match text {
            "node" => Ok(WriteVisibility::Node),
            "all" => Ok(WriteVisibility::All),
            _ => Err("it is \"node\" or \"all\""),
        }
    }
}
