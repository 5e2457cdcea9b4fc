//! Sends to the primary what this node, a replica, may not or cannot answer itself.
//!
//! | operation | on the primary | on a replica |
//! |---|---|---|
//! | writes, table operations, strong reads, TransactGetItems, descriptions | answered here | passed on; after a write this node waits until it has applied it, at most [`CATCH_UP`], and else owes it (P1) |
//! | eventual reads | answered here | answered here, if the node has the version that is asked for, waiting at most [`CATCH_UP`] for it (P6), and what it has is not too old (P7); else passed on |
//! | anything about a table this node has not heard of; a read of an index that can't be read here, as far as it has heard | the store has the last word, once it holds all that was committed | passed on |
//!
//! One hop at most: what came from another node is never passed on again, and is answered by the primary or not at all, eventual
//! reads too: whoever passed them on had acknowledged what another replica may lack, or did not know what it had. If this node is
//! not the primary, it says so, and the one that passed it on looks again for the primary.
//!
//! What a failure leaves behind: a request that certainly had no effect, because whoever was asked was not the primary, is tried again until
//! its deadline. Of any other failure of a write nobody here knows the outcome, and it is passed up at once, as the
//! store says it; what it may have changed is read at the primary until this node has caught up (P1). While there is no
//! primary, requests wait for one: at most [`WAITING_MAX`] of them, the next is refused with an error that may be retried; and not for longer than an election takes. Once none has been heard for [`PRIMARY_WAIT`], a
//! majority is missing, and requests are refused after [`LEAST_WAIT`], so that clients can go elsewhere, or come back later.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::op::{BatchWrite, TransactAction};
use api::schema::Index;
use api::{
    Answer, Context, DynamoDb, Error, ErrorKind, Item, KeyBytes, OpClass, Request, Table, TableName, Version,
};
use host::metrics::{Counter, Registry, names};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::cache::Cache;

/// Longest wait for a version: after a write that another node made, and before a read that asks for one.
pub const CATCH_UP: Duration = Duration::from_millis(50);
/// Most requests that wait for a primary at a time.
pub const WAITING_MAX: usize = 1_000;
/// Longest a request without a deadline of its own may take where it is passed on.
pub const PASSED_ON_MAX: Duration = Duration::from_secs(10);
/// Requests wait for a primary until none has been heard for so long: by then another is elected, if a majority is there.
pub const PRIMARY_WAIT: Duration = Duration::from_secs(2);
/// Each waits so long in any case: two heartbeats and a half, by which a node that stood still hears who leads now.
pub const LEAST_WAIT: Duration = Duration::from_millis(250);
/// How long the answer to a write may yet come from whoever is not the primary any more.
const LATE_ANSWER: Duration = Duration::from_secs(1);
/// The pause before asking again, where whoever was asked is not the primary and nothing newer is known.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Who the primary is, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This node.
    Primary,
    /// A replica of this node.
    ReplicaOf(u64),
    /// A replica of nobody it knows.
    Orphan,
}

/// The store of this node, as one of its cluster.
pub trait Member: DynamoDb {
    /// Who the primary is; changes are seen by whoever holds the receiver.
    fn role(&self) -> watch::Receiver<Role>;
    /// How far the store has been brought.
    fn version(&self) -> Version;
    /// Waits until an index has been applied. Without a bound of its own.
    fn reached(&self, index: u64) -> impl Future<Output = ()> + Send;
    /// Waits until the store holds all that was acknowledged before the call. Errors: as of a strong read.
    fn catch_up(&self, cx: &Context) -> impl Future<Output = Result<(), Error>> + Send;
    /// Waits until no node answers from memory what was before an index that was written here, where the cluster wants
    /// writes to wait for that.
    fn everywhere(&self, index: u64) -> impl Future<Output = ()> + Send;
    /// How long ago the store certainly held all that was committed.
    fn age(&self) -> Option<Duration>;
    /// How long ago somebody was heard that leads. Zero where this node does.
    fn unheard(&self) -> Duration;
    /// Why this node's store has failed, as who asks for what only the primary may answer is told. `None`: it has not.
    fn failure(&self) -> Option<Error>;
}

/// The way to other nodes.
pub trait Way: Send + Sync + 'static {
    /// Asks another node, which answers as [`DynamoDb::call`] would there. A request that certainly did not reach it fails
    /// with [`api::Detail::NotPrimary`]; a write of which that is not certain with [`api::Detail::OutcomeUnknown`].
    fn ask(
        &self,
        node: u64,
        cx: Context,
        request: Request,
    ) -> impl Future<Output = Result<Answer, Error>> + Send;
}

/// The layer.
pub struct Routed<M, W> {
    member: Arc<M>,
    way: W,
    cache: Arc<Cache>,
    max_lag: Duration,
    waiting: AtomicUsize,
    counts: Counts,
}

struct Counts {
    forwards: Counter,
    again: Counter,
    owed: Counter,
    doubted: Counter,
}

impl<M: Member, W: Way> Routed<M, W> {
    /// Puts the way to the primary beside a node's own store. `cache` is the one above; nothing older than `max_lag` is
    /// answered from here.
    pub fn new(
        member: Arc<M>,
        way: W,
        cache: Arc<Cache>,
        max_lag: Duration,
        registry: &Registry,
    ) -> Routed<M, W> {
        let counts = Counts {
            forwards: registry.counter(names::FORWARDS, &[]),
            again: registry.counter(names::FORWARDS_AGAIN, &[]),
            owed: registry.counter(names::WRITES_OWED, &[]),
            doubted: registry.counter(names::WRITES_DOUBTED, &[]),
        };
        Routed { member, way, cache, max_lag, waiting: AtomicUsize::new(0), counts }
    }

    async fn route(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        if is_primarys(&cx, &request) {
            return Box::pin(self.by_primary(cx, request)).await;
        }
        // An eventual read of tables that this node knows.
        let role = *self.member.role().borrow();
        if role != Role::Primary && (cx.hops > 0 || !self.reaches(&cx).await) {
            return Box::pin(self.by_primary(cx, request)).await;
        }
        if !self.is_fresh(&cx) {
            match role {
                // There is nobody to ask who would know better; but a round of the others makes this node as new as can be.
                Role::Primary => Box::pin(self.member.catch_up(&cx)).await.map_err(|_| stale())?,
                Role::ReplicaOf(_) | Role::Orphan => return Box::pin(self.by_primary(cx, request)).await,
            }
        }
        if !self.cache.needs_leases() {
            return self.member.call(cx, request).await;
        }
        let answer = self.member.call(cx.clone(), request.clone()).await;
        match role {
            _ if self.cache.is_permitted() => answer,
            Role::Primary => Err(stale()),
            Role::ReplicaOf(_) | Role::Orphan => Box::pin(self.by_primary(cx, request)).await,
        }
    }

    fn is_fresh(&self, cx: &Context) -> bool {
        let most = cx.max_staleness.map_or(self.max_lag, |most| most.min(self.max_lag));
        // That nothing is newer no clock can tell.
        !most.is_zero() && self.member.age().is_some_and(|age| age <= most) && self.cache.is_permitted()
    }

    /// Whether this node has, or soon gets, the version that is asked for. Of another log it is not known to.
    async fn reaches(&self, cx: &Context) -> bool {
        let Some(min) = &cx.min_version else { return true };
        match self.member.version().at_least(min) {
            Some(true) => true,
            None => false,
            Some(false) => tokio::time::timeout(CATCH_UP, self.member.reached(min.index)).await.is_ok(),
        }
    }

    async fn by_primary(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let begun = Instant::now();
        let deadline = cx.deadline.map_or_else(|| begun + PASSED_ON_MAX, Instant::from_std);
        let mut role = self.member.role();
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let now = *role.borrow_and_update();
            // A log that has ended hears of no primary any more, whoever there is.
            if now == Role::Orphan
                && let Some(failure) = self.member.failure()
            {
                return Err(failure);
            }
            let refused = match now {
                Role::Primary => self.here(&cx, request.clone()).await,
                // Whether what is sent to somebody who is not there has arrived, nobody could tell.
                Role::ReplicaOf(_) if cx.hops == 0 && self.is_silent() => Err(not_primary(None)),
                Role::ReplicaOf(primary) if cx.hops == 0 => {
                    self.there(primary, &cx, deadline, &request).await
                }
                Role::ReplicaOf(primary) => return Err(not_primary(Some(primary))),
                Role::Orphan if cx.hops == 0 => Err(not_primary(None)),
                Role::Orphan => return Err(not_primary(None)),
            };
            let error = match refused {
                Err(error) if cx.hops == 0 && may_be_asked_again(&error, &request) => error,
                Err(error) if error.is_outcome_unknown() && has_effect(&request) => {
                    self.doubt(&cx, &request);
                    return Err(error);
                }
                answered => return answered,
            };
            self.counts.again.increment();
            if waiting.is_none() {
                waiting = Some(self.wait()?);
            }
            // Whoever is the primary is known sooner or later; whoever was asked may know it before this node does.
            let until = deadline.min(self.hopes_until(begun, Instant::now()));
            let pause = match now {
                Role::Orphan => until,
                Role::Primary | Role::ReplicaOf(_) => until.min(Instant::now() + LOOK_AGAIN),
            };
            let found = tokio::select! {
                // An error is a store that has stopped; then the pause keeps this from spinning.
                Ok(()) = role.changed() => true,
                () = tokio::time::sleep_until(pause) => false,
            };
            let now = Instant::now();
            if now >= deadline || !found && now >= self.hopes_until(begun, now) {
                // What the last one asked had to say, such as that nobody listens there, tells a client less.
                tracing::debug!(%error, "a request finds no primary and is given up");
                return Err(not_primary(None));
            }
        }
    }

    /// Until when it makes sense to wait for a primary, for a request that began then.
    fn hopes_until(&self, begun: Instant, now: Instant) -> Instant {
        let left = PRIMARY_WAIT.saturating_sub(self.member.unheard());
        (begun + LEAST_WAIT).max(now + left)
    }

    fn is_silent(&self) -> bool {
        self.member.unheard() >= PRIMARY_WAIT
    }

    /// Waits until no primary has been heard for [`PRIMARY_WAIT`].
    async fn silence(&self) {
        loop {
            let left = PRIMARY_WAIT.saturating_sub(self.member.unheard());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Answers here, as the primary.
    async fn here(&self, cx: &Context, request: Request) -> Result<Answer, Error> {
        if cx.tables.first().is_none() && matches!(request.kind().class(), OpClass::Read | OpClass::Write) {
            // Who has just become the primary may have a table in its log that it has not made yet.
            self.while_leading(self.member.catch_up(cx)).await?;
        }
        let (writes, has_effect) = (request.kind().class() == OpClass::Write, has_effect(&request));
        let call = self.member.call(cx.clone(), request);
        let answer = if has_effect { call.await? } else { self.while_leading(call).await? };
        if let Some(version) = answer.version.filter(|_| writes) {
            self.member.everywhere(version.index).await;
        }
        Ok(answer)
    }

    /// What has no effect, while this node is the primary: a strong read waits for the others to say that it still is.
    async fn while_leading<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut role = self.member.role();
        tokio::select! {
            biased;
            answer = asked => answer,
            Ok(_) = role.wait_for(|role| *role != Role::Primary) => Err(not_primary(None)),
        }
    }

    /// Lets the primary answer, and makes the answer good for this node.
    async fn there(
        &self,
        primary: u64,
        cx: &Context,
        deadline: Instant,
        request: &Request,
    ) -> Result<Answer, Error> {
        self.counts.forwards.increment();
        let asked = Context { hops: 1, deadline: Some(deadline.into_std()), ..cx.clone().plain() };
        let answer = tokio::select! {
            biased;
            answer = self.way.ask(primary, asked, request.clone()) => answer?,
            () = self.is_no_more(primary, request) => return Err(no_answer(primary, request)),
        };
        if matches!(request.kind().class(), OpClass::Write | OpClass::Control)
            && let Some(version) = answer.version
        {
            self.settle(cx, request, version).await;
        }
        Ok(answer)
    }

    /// Waits until another node is the primary, or none, and an answer of this one is not to be expected any more. Whoever is cut off
    /// closes no connection, and what waits for it would wait as long as its own deadline. Where nobody can be elected in its place,
    /// it is the primary for this node for ever, and only falls silent.
    async fn is_no_more(&self, primary: u64, request: &Request) {
        let mut role = self.member.role();
        let moved = tokio::select! {
            moved = role.wait_for(|role| *role != Role::ReplicaOf(primary)) => moved.is_ok(),
            () = self.silence() => true,
        };
        match (moved, has_effect(request)) {
            (true, false) => {}
            (true, true) => tokio::time::sleep(LATE_ANSWER).await,
            // The store has stopped, and says so by itself.
            (false, _) => std::future::pending().await,
        }
    }

    /// Before a write of another node is acknowledged here: this node has applied it, or will not answer what was before.
    async fn settle(&self, cx: &Context, request: &Request, version: Version) {
        // A node that waits for its first state follows no log yet, and what it is given may be from before the write.
        let has = || self.member.version().at_least(&version) == Some(true);
        if has() {
            return;
        }
        let reached = tokio::time::timeout(CATCH_UP, self.member.reached(version.index)).await;
        if reached.is_err() || !has() {
            self.counts.owed.increment();
            match written(cx, request) {
                Some(keys) => keys.into_iter().for_each(|(table, key)| self.cache.owe(table, key, version)),
                None => self.cache.owe_all(version),
            }
        }
    }

    /// Before a write is reported as one whose outcome nobody knows: until this node has caught up, it does not say what was before.
    fn doubt(&self, cx: &Context, request: &Request) {
        self.counts.doubted.increment();
        match written(cx, request) {
            Some(keys) => keys.into_iter().for_each(|(table, key)| self.cache.doubt(table, key)),
            None => self.cache.doubt_all(),
        }
    }

    fn wait(&self) -> Result<Waiting<'_>, Error> {
        // Relaxed: a count, which orders nothing else.
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Waiting(&self.waiting);
        if before < WAITING_MAX { Ok(place) } else { Err(no_primary()) }
    }
}

/// A place among those that wait for a primary.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether only the primary may answer.
fn is_primarys(cx: &Context, request: &Request) -> bool {
    match request.kind().class() {
        OpClass::Write | OpClass::Control => true,
        // What the service promises of descriptions is less, but a table that was made through one node is to be seen on all.
        OpClass::Describe => !matches!(request, Request::DescribeEndpoints(_) | Request::DescribeLimits(_)),
        OpClass::Read => {
            cx.tables.first().is_none()
                || store::engine::is_strong(request)
                || is_of_unreadable_index(cx, request)
        }
    }
}

/// Whether a request is for an index that can't be read, as far as this node has heard: by now it may be there, or filled.
fn is_of_unreadable_index(cx: &Context, request: &Request) -> bool {
    let (table, name) = match request {
        Request::Query(input) => (&input.table, &input.index),
        Request::Scan(input) => (&input.table, &input.index),
        _ => return false,
    };
    let (Some(table), Some(name)) = (cx.tables.named(table), name) else { return false };
    !table.index(name).is_some_and(Index::is_readable)
}

/// Whether a request changes anything where it is answered.
fn has_effect(request: &Request) -> bool {
    match request.kind().class() {
        OpClass::Write | OpClass::Control => true,
        OpClass::Read | OpClass::Describe => false,
    }
}

/// Whether a request that failed so had no effect, or can have none.
fn may_be_asked_again(error: &Error, request: &Request) -> bool {
    error.is_not_primary() || (!has_effect(request) && error.is_outcome_unknown())
}

/// What becomes of a request that was passed on to a node that is not the primary any more.
fn no_answer(primary: u64, request: &Request) -> Error {
    match has_effect(request) {
        false => not_primary(Some(primary)),
        true => Error::new(
            ErrorKind::InternalServerError,
            "The primary was lost before it answered: whether the write took place is not known. Read it, or write it again",
        )
        .with(api::Detail::OutcomeUnknown),
    }
}

/// The keys a request writes. `None` where it is not known what it writes.
fn written<'a>(cx: &'a Context, request: &Request) -> Option<Vec<(&'a Arc<Table>, KeyBytes)>> {
    let of = |name: &TableName, item: &Item| {
        let table = cx.tables.named(name)?;
        Some((table, table.key.key_of(item)?))
    };
    match request {
        Request::PutItem(input) => Some(vec![of(&input.table, &input.item)?]),
        Request::UpdateItem(input) => Some(vec![of(&input.table, &input.key)?]),
        Request::DeleteItem(input) => Some(vec![of(&input.table, &input.key)?]),
        Request::BatchWriteItem(input) => {
            let writes = input.tables.iter().flat_map(|(name, writes)| {
                writes.iter().map(move |write| match write {
                    BatchWrite::Put(item) | BatchWrite::Delete(item) => (name, item),
                })
            });
            writes.map(|(name, item)| of(name, item)).collect()
        }
        Request::TransactWriteItems(input) => {
            let writes = input.actions.iter().filter_map(|write| match &write.action {
                TransactAction::ConditionCheck(_) => None,
                TransactAction::Put(item)
                | TransactAction::Delete(item)
                | TransactAction::Update(item, _) => Some((&write.table, item)),
            });
            writes.map(|(name, item)| of(name, item)).collect()
        }
        _ => None,
    }
}

/// What a caller is told where only the primary may answer, and nobody is, or this node is not.
pub fn not_primary(primary: Option<u64>) -> Error {
    no_primary().with(api::Detail::NotPrimary { primary })
}

fn no_primary() -> Error {
    Error::new(
        ErrorKind::ServiceUnavailableException,
        "This node reaches no primary: a majority of the cluster's nodes is down or out of reach, or elects one. The request was \
         not taken and can be sent again; `forebay status` says which nodes are missing",
    )
}

fn stale() -> Error {
    Error::new(
        ErrorKind::ServiceUnavailableException,
        "This node can't tell how old its data is: it reaches no majority of the cluster. Try again, or ask another node",
    )
}

impl<M: Member, W: Way> DynamoDb for Routed<M, W> {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        match host::telemetry::enabled() {
            false => self.route(cx, request).await,
            true => self.route(cx, request).instrument(tracing::debug_span!("routed")).await,
        }
    }
}
