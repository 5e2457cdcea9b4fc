//! What the load consists of.

use std::time::Duration;

use ::dax::client::Credentials;

/// What each request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// GetItem, eventually consistent, of one of the items (GET for Redis).
    GetItem,
    /// GetItem, strongly consistent.
    GetItemStrong,
    /// PutItem of one of the items (SET for Redis).
    PutItem,
    /// Query of a partition of ten items.
    Query,
}

impl Scenario {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::GetItem => "get-item",
            Scenario::GetItemStrong => "get-item-strong",
            Scenario::PutItem => "put-item",
            Scenario::Query => "query",
        }
    }
}

/// A scenario and its measure.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// What each request does.
    pub(crate) scenario: Scenario,
    /// Connections, one batch of requests under way on each.
    pub(crate) connections: usize,
    /// Requests of a batch: sent together, and the next only when all are answered.
    pub(crate) pipeline: usize,
    /// Items.
    pub(crate) keys: u64,
    /// Bytes of an item's payload attribute.
    pub(crate) value_bytes: usize,
    /// Seed of the draw.
    pub(crate) seed: u64,
    /// How long each target is driven in a round.
    pub(crate) time: Duration,
    /// Who calls, where a DAX target wants to know.
    pub(crate) credentials: Option<Credentials>,
}
