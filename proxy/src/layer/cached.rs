//! Answers reads from memory where it may, and fills the cache with what it had to read.
//!
//! | operation | what becomes of it |
//! |---|---|
//! | GetItem, eventual | a hit is answered at once, without waiting and without a task; a miss reads the whole item, once for all who ask at a time, and keeps it |
//! | GetItem, strong | passed on; a whole item that comes back refreshes the entry, if there is one |
//! | BatchGetItem | each key by itself; those not found are read in one batch; tables read strongly are passed on within it |
//! | Query, Scan, eventual | a page that no write could have changed is answered; otherwise as a miss of GetItem |
//! | Query, Scan, strong | passed on |
//! | everything else | passed on: what writes do to the cache comes by the feed, never from here |
//!
//! On a node of a cluster, a read of what was written through this node and is not applied here yet is passed on, asking for
//! the version that was acknowledged (P1); and so is every read while what is held may be too old (P7). What came from another node
//! in this way is passed on too, to the layer that knows whether this node is the primary.
//!
//! An answer is the one the store would give (P12), but for its capacity where `hit_capacity` says so. A caller who asks
//! for a version is answered from memory only at that version or a later one (P3, P6). An error is passed up and changes
//! nothing; it is shared with those who waited for the same read, and never kept. What only its caller can be blamed for is
//! not shared: a version the node does not have, a deadline, another part of a batch. A caller who goes away in the middle
//! of a read leaves it to one of those who wait.
//!
//! It relies on the layer above having resolved the tables; what is not resolved is the store's to refuse.

mod batch_get_item;
mod capacity;
mod encoder;
mod get_item;
mod key;
mod owed;
mod pages;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api::service::Peek;
use api::{Answer, Context, DynamoDb, Error, ErrorKind, Request, Response, Version};
use tracing::Instrument;

use crate::cache::Cache;
pub use encoder::{Asked, Encoders, WireEncoder};
use pages::PageRequest;

/// Times a miss begins again because the one who read for it went away or had no time left. Then it reads for itself, or
/// fails as the last read did: so many reads a failing store gets for each crowd of misses.
const TRIES_MAX: usize = 4;

/// Stands for the version of a read that came without one: of no log there is, so that it will do for nobody who asks.
const NO_LOG: Version = Version { incarnation: u64::MAX, shard: u32::MAX, index: 0 };

/// The layer.
#[derive(Debug)]
pub struct Cached<D> {
    inner: D,
    cache: Arc<Cache>,
    encoders: Encoders,
}

impl<D: DynamoDb> Cached<D> {
    /// Puts `cache` before `inner`. The cache must be consuming the feed of what `inner` reads.
    pub fn new(inner: D, cache: Arc<Cache>, encoders: Encoders) -> Cached<D> {
        Cached { inner, cache, encoders }
    }
}

impl<D: DynamoDb> Cached<D> {
    async fn serve(&self, mut cx: Context, request: Request) -> Result<Answer, Error> {
        if cx.hops > 0 {
            // What another node passed on is for the primary. Whether this node is it, the layer below knows.
            return self.inner.call(cx, request).await;
        }
        if self.is_in_doubt(&cx) && self.is_passed_on(&mut cx, &request) {
            return self.inner.call(cx, request).await;
        }
        // Boxed, each by itself: together they were 25 KB, which every write and every miss moved several times.
        match request {
            Request::GetItem(input) => Box::pin(self.get_item(cx, input)).await,
            Request::BatchGetItem(input) => Box::pin(self.batch_get_item(cx, input)).await,
            Request::Query(_) | Request::Scan(_) => Box::pin(self.page(cx, request)).await,
            other => self.inner.call(cx, other).await,
        }
    }
}

impl<D: DynamoDb> DynamoDb for Cached<D> {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        if !host::telemetry::enabled() {
            return self.serve(cx, request).await;
        }
        let span = tracing::debug_span!("cached", source = tracing::field::Empty);
        let result = self.serve(cx, request).instrument(span.clone()).await;
        if let Ok(answer) = &result {
            span.record("source", tracing::field::debug(answer.source));
        }
        result
    }

    /// Hits of GetItem, Query and Scan. A batch is many look-ups, long beside what a future costs.
    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        if host::telemetry::enabled() || cx.hops > 0 || self.is_in_doubt(cx) {
            return None;
        }
        match request {
            Request::GetItem(input) => self.get_item_now(cx, input),
            _ => self.page_now(cx, PageRequest::of(request)?),
        }
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        if host::telemetry::enabled() || self.cache.is_behind() {
            return None;
        }
        self.peek_item(read, out)
    }
}

/// The deadline of a caller, if it has passed. By the runtime's clock, which is what the layers below wait by.
fn out_of_time(cx: &Context) -> Option<std::time::Instant> {
    cx.deadline.filter(|deadline| tokio::time::Instant::now().into_std() >= *deadline)
}

/// The error for an answer that belongs to another question. The cause goes to the log, not to the caller.
fn mismatched(response: &Response) -> Error {
    tracing::error!(answer = ?std::mem::discriminant(response), "the store answered another question");
    Error::new(ErrorKind::InternalServerError, "Internal server error")
}
