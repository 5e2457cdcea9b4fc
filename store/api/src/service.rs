//! The one trait, what travels beside a request, and what a committed write announces.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::item::{EncodedItem, KeyBytes};
use crate::operation::{Operation, Request, Response};
use crate::schema::{IndexId, Table};

/// The whole DynamoDB API. Servers turn bytes into it, clients turn it into bytes, decorators wrap it.
///
/// A decorator matches the arms it cares about and passes every other request to its inner service unchanged.
pub trait DynamoDb: Send + Sync + 'static {
    /// Answers one request. Errors: only those the service itself names.
    fn call(&self, cx: Context, request: Request) -> impl Future<Output = Result<Answer, Error>> + Send;

    /// The answer to a request that needs no waiting and no work but a look into memory; `None` where it takes a
    /// [`DynamoDb::call`], which may follow with the same context and request and does everything over.
    ///
    /// Exists because building, moving and polling a future for each layer costs a hit more than the hit. What it answers is
    /// what `call` would have answered, counted and limited the same; where it answers `None`, nothing was counted. A decorator
    /// that makes spans answers `None` while they are collected. The context needs no deadline; it is lent so that a layer may
    /// put beside the request what the layer below needs.
    fn call_now(&self, _cx: &mut Context, _request: &Request) -> Option<Answer> {
        None
    }

    /// Appends to `out` the answer to a read of one whole item, in the wire form that the front wants, and gives the version it was
    /// read at; `None`, and nothing appended, where no answer lies ready in that form. Then the front makes a request of it.
    ///
    /// Exists because a request, its context and its answer, made and taken apart for one copy of ready bytes, cost as much as
    /// finding them. The same rules hold as for [`DynamoDb::call_now`].
    fn peek(&self, _read: &Peek<'_>, _out: &mut Vec<u8>) -> Option<Version> {
        None
    }

    /// The typed form of [`DynamoDb::call`], the one place that pairs an answer with its question.
    fn send<I: Operation + Send>(
        &self,
        cx: Context,
        input: I,
    ) -> impl Future<Output = Result<I::Output, Error>> + Send {
        let answer = self.call(cx.plain(), input.into());
        async move {
            I::output(answer.await?.response)
                .ok_or_else(|| Error::new(ErrorKind::InternalServerError, "Internal server error"))
        }
    }
}

/// A future of a boxed service.
pub type AnswerFuture<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

trait Boxed: Send + Sync {
    fn call_boxed(&self, cx: Context, request: Request) -> AnswerFuture<'_>;
    fn look(&self, cx: &mut Context, request: &Request) -> Option<Answer>;
    fn look_at_item(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version>;
}

impl<D: DynamoDb> Boxed for D {
    fn call_boxed(&self, cx: Context, request: Request) -> AnswerFuture<'_> {
        Box::pin(self.call(cx, request))
    }

    fn look(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        self.call_now(cx, request)
    }

    fn look_at_item(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        self.peek(read, out)
    }
}

/// The boxed form: one stack shared by all fronts. Cloning shares it.
#[derive(Clone)]
pub struct Shared(Arc<dyn Boxed>);

impl Shared {
    /// Boxes a service once, where the fronts begin to share it.
    pub fn new(service: impl DynamoDb) -> Shared {
        Shared(Arc::new(service))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared(..)")
    }
}

impl DynamoDb for Shared {
    fn call(&self, cx: Context, request: Request) -> impl Future<Output = Result<Answer, Error>> + Send {
        self.0.call_boxed(cx, request)
    }

    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        self.0.look(cx, request)
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        self.0.look_at_item(read, out)
    }
}

impl<D: DynamoDb> DynamoDb for Arc<D> {
    fn call(&self, cx: Context, request: Request) -> impl Future<Output = Result<Answer, Error>> + Send {
        D::call(self, cx, request)
    }

    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        D::call_now(self, cx, request)
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        D::peek(self, read, out)
    }
}

/// When a write was committed, and the freshness of what was read.
///
/// Versions compare only within one (incarnation, shard); an answer about another incarnation is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Version {
    /// Changes whenever history may have been cut: a restore, or a repair after a lost quorum.
    pub incarnation: u64,
    /// Which log. 0 until there is more than one.
    pub shard: u32,
    /// Position in the log. 0 is before the first write.
    pub index: u64,
}

impl Version {
    /// Whether this is at or past `other`; `None` where the two can't be compared.
    pub fn at_least(&self, other: &Version) -> Option<bool> {
        (self.incarnation == other.incarnation && self.shard == other.shard)
            .then_some(self.index >= other.index)
    }
}

/// The form a front would rather have an answer in, where a cache has it ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Wire {
    /// Typed values only.
    #[default]
    None,
    /// The JSON body of AWS JSON 1.0.
    Json,
    /// The CBOR payload of the DAX wire.
    Dax,
}

/// Who calls. Shared by every request of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// The access key id the request was signed with; empty where any caller is accepted.
    pub access_key: String,
}

/// What travels beside a request, down through every layer.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Identifies the request in logs, traces and the answer.
    pub request_id: u128,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Point of the process's monotonic clock past which nobody waits for the answer.
    pub deadline: Option<std::time::Instant>,
    /// Answer only at this version or a later one (read-your-writes, monotonic reads).
    pub min_version: Option<Version>,
    /// Answer from a cache or replica only if it is no staler than this.
    pub max_staleness: Option<Duration>,
    /// The form the front would rather have the answer in.
    pub wire: Wire,
    /// How many times the request was forwarded between nodes. At most one.
    pub hops: u8,
    /// Schemas of the tables the request names, in the order it first names them. Empty until resolved.
    pub tables: Tables,
}

impl Context {
    /// The same context, asking for typed values.
    pub fn plain(mut self) -> Context {
        self.wire = Wire::None;
        self
    }

    /// The schema of the only or first table the request names.
    pub fn table(&self) -> Option<&Arc<Table>> {
        self.tables.first()
    }
}

/// A GetItem of a whole item, eventually consistent, that wants no capacity told: what is left of it when all that it does not say is
/// left out. Borrowed from the front that reads it.
#[derive(Debug, Clone, Copy)]
pub struct Peek<'a> {
    /// Who calls.
    pub caller: &'a Arc<Caller>,
    /// The table, as the catalog has it now.
    pub table: &'a Arc<Table>,
    /// The key, in the form of [`KeyBytes`].
    pub key: &'a [u8],
    /// As in [`Context`].
    pub min_version: Option<Version>,
    /// The form to append the answer in.
    pub wire: Wire,
}

/// Schemas a request needs, looked up once. One table needs no allocation.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    first: Option<Arc<Table>>,
    rest: Vec<Arc<Table>>,
}

impl Tables {
    /// Adds a table unless it is there already.
    pub fn add(&mut self, table: Arc<Table>) {
        if self.iter().any(|known| known.id == table.id) {
            return;
        }
        match self.first {
            None => self.first = Some(table),
            Some(_) => self.rest.push(table),
        }
    }

    /// The first table added.
    pub fn first(&self) -> Option<&Arc<Table>> {
        self.first.as_ref()
    }

    /// The table of that name, if the request named it and it exists.
    pub fn named(&self, name: &crate::schema::TableName) -> Option<&Arc<Table>> {
        self.iter().find(|table| &table.name == name)
    }

    /// All tables in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.first.iter().chain(&self.rest)
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The store or the upstream.
    #[default]
    Store,
    /// The item cache or query cache, wholly.
    Cache,
    /// Some keys of a batch from the cache, the others from the store.
    Mixed,
}

/// An answer and how fresh it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The operation's output, or its bytes.
    pub response: Response,
    /// Of a read, the version it was read at; of a write, the version it was committed at. `None` where the answer is
    /// not about versioned data.
    pub version: Option<Version>,
    /// Where it came from.
    pub source: Source,
}

impl Answer {
    /// An answer of the store.
    pub fn from_store(response: Response, version: Option<Version>) -> Answer {
        Answer { response, version, source: Source::Store }
    }
}

/// What stood, or stands, under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// No item.
    Absent,
    /// This item.
    Present(EncodedItem),
    /// A write happened whose effect is not known: never cache, raise every stamp it may touch.
    Unknown,
}

/// What caused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A caller's write.
    User,
    /// An item's time to live ran out.
    TimeToLive,
    /// Another region.
    Replication,
    /// An index being built on a table with data.
    Backfill,
    /// A restore or import.
    Import,
}

/// A partition of an index whose content a change may have altered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IndexPartition {
    /// Which index.
    pub index: IndexId,
    /// The index's partition key value in the order-preserving form of [`crate::value::order`].
    pub partition: Bytes,
}

/// One committed change, as every consumer of the feed sees it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The table's schema as of the change.
    pub table: Arc<Table>,
    /// The primary key.
    pub key: KeyBytes,
    /// What stood there before.
    pub old: Image,
    /// What stands there now.
    pub new: Image,
    /// Partitions of indexes that gained, lost or altered an entry. Complete unless an image is unknown.
    pub indexes: Vec<IndexPartition>,
    /// When it was committed. All changes of one entry share it.
    pub version: Version,
    /// Position within its log entry.
    pub ordinal: u32,
    /// Milliseconds since the epoch; never runs backwards along the log.
    pub log_time_millis: u64,
    /// Where the write came from; 0 is this region.
    pub origin_region: u16,
    /// Why it happened.
    pub cause: Cause,
}

/// Consumes the feed of committed changes, in order. Called only by the thread that applies the log.
///
/// For one engine batch the order is: `raise` for all its changes, the batch is committed, `publish`, then the writers
/// are acknowledged. So a cache that raised its stamps can't serve a page that the batch made stale, and whoever was
/// acknowledged can't be answered with an older image.
pub trait ChangeSink: Send + Sync + 'static {
    /// Before the batch is committed: voids what these changes make stale.
    fn raise(&self, changes: &[Change]);
    /// After the batch is committed: the new images, and the version the store has now applied.
    fn publish(&self, changes: &[Change], applied: Version);
    /// A table was created, altered, or dropped (then its id never comes back).
    fn table_changed(&self, table: &Arc<Table>, dropped: bool);
    /// The feed lost a stretch (snapshot installed, restore): nothing known from before `applied` may be served.
    fn gap(&self, applied: Version);
}

impl ChangeSink for () {
    fn raise(&self, _: &[Change]) {}
    fn publish(&self, _: &[Change], _: Version) {}
    fn table_changed(&self, _: &Arc<Table>, _: bool) {}
    fn gap(&self, _: Version) {}
}

/// Where schemas are looked up by name. One pointer load; swapped whole when a table changes.
pub trait Catalog: Send + Sync + 'static {
    /// The table of that name in any state but gone.
    fn table(&self, name: &crate::schema::TableName) -> Option<Arc<Table>>;

    /// Lends the table of that name, in any state but gone, to `look`, which is not called where there is none. For whoever needs
    /// it for a moment only: it costs no name of its own and no count of owners, which all threads share.
    fn lend(&self, name: &str, look: &mut dyn FnMut(&Arc<Table>)) {
        if let Some(table) = crate::schema::TableName::new(name).and_then(|name| self.table(&name)) {
            look(&table);
        }
    }
}
