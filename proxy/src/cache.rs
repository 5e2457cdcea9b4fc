//! The cache as a data structure: items and pages in memory, kept right by consuming committed changes in order.
//!
//! It knows no network and no upstream: the layer above asks it, reads the store where it has nothing, and offers what was
//! read; the feed tells it what was committed. Two hands write to it and no third: the feed's thread, through
//! [`ChangeSink`], and fills that hold a permit.
//!
//! What it promises: reads through it never go back in time (P3), a read that raced a write is never kept (P4), a page that
//! a write could have changed is never served (P5, mode `coherent`), entries end with their time to live (P8), absence is
//! cached as presence is (P9), memory is bounded (P10). Why that holds is argued where it is done: [`stamp`] for the order
//! of raising, committing and installing; [`position`] for epochs; [`item`] and [`query`] for what may be served.
//!
//! The rooms: [`settings`]; [`hash`], one hash a request; [`bounded`], the weighed map under both caches; [`item`];
//! [`query`] with [`page_key`]; [`forms`], ready bytes beside an entry; [`fill`], flights; [`standing`], how far the node may
//! be behind its cluster; [`sweep`]; [`statistics`].

mod bounded;
pub mod fill;
mod forms;
mod hash;
pub mod item;
mod page_key;
mod position;
pub mod query;
pub mod settings;
mod stamp;
mod standing;
pub mod statistics;
pub mod sweep;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api::op::{Page, QueryInput, ScanInput};
use api::operation::Ready;
use api::service::Cause;
use api::{Change, ChangeSink, EncodedItem, Image, KeyBytes, Table, TableId, Version};
use arc_swap::ArcSwap;
use bytes::Bytes;
use host::clock::Clock;
use host::metrics::{Counter, Registry};
use parking_lot::Mutex;

use bounded::Installed;
use fill::{Began, FlightKey, Flights};
pub use fill::{Joined, Landed, Leader, Waiting};
use hash::Hasher;
use item::{Filled, ItemEntry, ItemFound, ItemKey, ItemPermit, Items, Read, Surroundings};
use position::{At, Position};
use query::{PageEntry, PageFound, PageKey, PagePermit, Pages};
use settings::Policies;
pub use settings::{BadCacheSettings, CacheSettings, HitCapacity, Mode, Policy, TableCacheSettings};
#[cfg(test)]
pub(crate) use stamp::Off;
use stamp::Stamps;
pub use standing::LeaseUse;
use standing::Standing;
pub use statistics::Statistics;

/// Longest key that is cached: above what partition and sort key can come to in canonical form, where each byte may take
/// two. Longer ones are the store's to refuse. Unit: bytes.
pub const KEY_BYTES_MAX: usize = 2 * (api::limits::PARTITION_KEY_BYTES + api::limits::SORT_KEY_BYTES) + 4;
/// The part of `cache_bytes` that stamps take.
const STAMP_SHARE: u64 = 64;
/// The part of `cache_bytes` left to the allocator: what is free between entries of many sizes. Measured by `tests/memory.rs`:
/// without it, items of 16 bytes to 128 KB at a time took 1.30 times `cache_bytes`.
const FRAGMENTS_SHARE: u64 = 12;
/// Shards for each core, so that two cores seldom want the same lock.
const SHARDS_PER_CORE: usize = 4;

/// An item read by the leader of a flight, for those who wait.
#[derive(Debug, Clone)]
pub struct SharedItem {
    /// The item; `None` where there is none.
    pub item: Option<EncodedItem>,
    /// The version it was read at.
    pub version: Version,
}

/// A page read by the leader of a flight, for those who wait.
#[derive(Debug, Clone)]
pub struct SharedPage {
    /// The page, with what the store charged.
    pub page: Arc<Page>,
    /// The version it was read at.
    pub version: Version,
}

/// What an answer must be of that this node can't give yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// A version that was acknowledged.
    Version(Version),
    /// All that is committed by now.
    Newest,
}

/// Both caches of a node.
pub struct Cache {
    settings: CacheSettings,
    policies: ArcSwap<Policies>,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    stamps: Stamps,
    position: Position,
    standing: Standing,
    items: Items,
    pages: Pages,
    pages_fit: bool,
    item_flights: Flights<SharedItem>,
    page_flights: Flights<SharedPage>,
    gone_tables: Mutex<HashSet<TableId>>,
    // The feed has one thread; whoever opens the store may announce its version from another.
    feed: Mutex<()>,
    statistics: Statistics,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("items", &self.items)
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}

/// A request's view of the cache: where the node stood when the request came.
///
/// Taken once, before anything is looked up: what is found after it holds as of it.
#[derive(Debug, Clone, Copy)]
pub struct View {
    at: At,
}

impl View {
    /// Whether an answer as of `version` satisfies a caller who asks for `min`. Of another log, nothing does.
    pub fn satisfies(&self, version: &Version, min: Option<&Version>) -> bool {
        min.is_none_or(|min| version.at_least(min) == Some(true))
    }
}

impl Cache {
    /// An empty cache, at the version before the first write.
    ///
    /// `clock` is the coarse one; `hash_seed` should differ from process to process; `cores` is how many threads serve.
    /// Before anything can be cached, [`ChangeSink::gap`] must say where the store stands. Errors: settings that
    /// [`CacheSettings::check`] refuses.
    pub fn new(
        settings: CacheSettings,
        clock: Arc<dyn Clock>,
        hash_seed: u64,
        cores: usize,
        registry: &Registry,
    ) -> Result<Arc<Cache>, BadCacheSettings> {
        settings.check()?;
        let hasher = Hasher::new(hash_seed);
        let bytes = settings.cache_bytes.bytes();
        let stamps = Stamps::sized(bytes / STAMP_SHARE);
        let query_bytes = bytes * u64::from(settings.query_share_percent) / 100;
        let pages_fit = query_bytes >= query::SHARD_BYTES_MIN;
        // Where no page fits, the map of pages is never used, and takes nothing.
        let for_pages = if pages_fit { query_bytes } else { 0 };
        let item_bytes = bytes - for_pages - stamps.bytes() - bytes / FRAGMENTS_SHARE;
        let query_bytes = query_bytes.max(query::SHARD_BYTES_MIN);
        let shards = cores.max(1).saturating_mul(SHARDS_PER_CORE);
        let cache = Arc::new(Cache {
            policies: ArcSwap::from_pointee(Policies::of(&settings)),
            settings,
            clock,
            stamps,
            position: Position::default(),
            standing: Standing::default(),
            items: Items::new(item_bytes, shards, hasher.clone()),
            pages: Pages::new(query_bytes, shards, hasher.clone()),
            pages_fit,
            hasher,
            item_flights: Flights::new(),
            page_flights: Flights::new(),
            gone_tables: Mutex::default(),
            feed: Mutex::default(),
            statistics: Statistics::new(registry),
        });
        statistics::register_gauges(registry, &Arc::downgrade(&cache));
        Ok(cache)
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &CacheSettings {
        &self.settings
    }

    /// Changes times to live and modes, for all tables and single ones, from now on. Sizes stay as they are. What is cached keeps
    /// the time it was given, until [`Cache::shorten`] has passed.
    pub fn set_policies(&self, settings: &CacheSettings) {
        self.policies.store(Arc::new(Policies::of(settings)));
    }

    /// What the settings come to for one table.
    pub fn policy(&self, table: &Table) -> Policy {
        self.policies.load().of_table(&table.name)
    }

    /// What it counts.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Memory that entries and stamps take, as weighed. Unit: bytes.
    pub fn bytes(&self) -> u64 {
        self.items.map().weight() + self.pages.map().weight() + self.stamps.bytes()
    }

    /// The clock entries are dated by.
    pub fn now_nanos(&self) -> u64 {
        self.clock.monotonic_nanos()
    }

    /// Where the node stands; `None` while an epoch is being replaced, and while nobody knows how old what it holds is, when
    /// the store must be asked.
    #[inline]
    pub fn view(&self) -> Option<View> {
        if !self.standing.is_fresh() {
            return None;
        }
        self.position.now().map(|at| View { at })
    }

    /// Makes this the cache of a node of a cluster: from now on it answers nothing that may be older than `most`, by `clock`,
    /// which must be fine. Until [`Cache::confirm`] says otherwise it knows nothing; and where leases are required it answers
    /// nothing without [`Cache::permit`].
    pub fn follow(&self, clock: Arc<dyn Clock>, most: Duration, leases: LeaseUse) {
        self.standing.follow(clock, most, leases);
    }

    /// The node may answer from memory for so long from a moment of the clock it follows.
    pub fn permit(&self, from: u64, lease: Duration) {
        self.standing.permit(from, lease);
    }

    /// Whether the node needs a lease to answer from memory.
    pub fn needs_leases(&self) -> bool {
        self.standing.needs_leases()
    }

    /// Whether the node may answer from memory what it has found there, or read from its own store, just now.
    #[inline]
    pub fn is_permitted(&self) -> bool {
        self.standing.is_permitted()
    }

    /// What was applied so long ago as `age` says was then all that was committed in the cluster. Answers what it said.
    pub fn confirm(&self, age: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
        self.standing.confirm(age)
    }

    /// How old what is served may be; nothing, for a node that stands alone. `None`: nobody knows.
    pub fn age(&self) -> Option<Duration> {
        self.standing.age()
    }

    /// Whether writes were acknowledged here that are not applied here yet.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.standing.owes(self.position.applied())
    }

    /// Whether anything is in doubt, see [`Cache::doubt`].
    pub fn doubts(&self) -> bool {
        self.standing.debts().doubted_from().is_some()
    }

    /// The outcome of a write of `key` is not known: whatever of it, and of pages it may have changed, is not to be answered from here,
    /// as [`Cache::owed_item`] and [`Cache::owed_page`] say, until this node certainly holds all that is committed by now.
    pub fn doubt(&self, table: &Arc<Table>, key: KeyBytes) {
        // As in `owe`.
        let _feed = self.feed.lock();
        let Some(at) = self.position.now() else { return };
        self.stamps.raise(&self.hasher, &unseen(table, key, at.version));
        self.standing.doubt(at.version.index);
    }

    /// The same of everything.
    pub fn doubt_all(&self) {
        let _feed = self.feed.lock();
        self.standing.doubt(0);
    }

    /// Before a write that another node committed is acknowledged here: whatever of `key` and of pages it may have changed is
    /// as of `version` or later from now on, or [`Cache::owed_item`] and [`Cache::owed_page`] say that it is not.
    pub fn owe(&self, table: &Arc<Table>, key: KeyBytes, version: Version) {
        // A new epoch must not take the stamps away in between.
        let _feed = self.feed.lock();
        if !self.position.continues(&version) {
            // Of a log that this node has not heard of yet. What it is given of it may be from before the write.
            return self.standing.doubt(0);
        }
        self.stamps.raise(&self.hasher, &unseen(table, key, version));
        self.standing.owe(version.index);
    }

    /// The same of everything.
    pub fn owe_all(&self, version: Version) {
        let _feed = self.feed.lock();
        if !self.position.continues(&version) {
            return self.standing.doubt(0);
        }
        self.stamps.raise_all(version.index);
        self.standing.owe(version.index);
    }

    /// What a read of this key must be of, where this node has not applied it yet.
    pub fn owed_item(&self, key: &ItemKey<'_>) -> Option<Owed> {
        self.owed(|| Some(self.stamps.key(key.hash())))
    }

    /// The same of a page.
    pub fn owed_page(&self, key: &PageKey<'_>) -> Option<Owed> {
        self.owed(|| self.stamps.read(&key.dependencies).into_iter().max())
    }

    /// The same of a read of which nothing else is known.
    pub fn owed_most(&self) -> Option<Owed> {
        self.owed(|| None)
    }

    /// `stamp` is that of what is read; `None` where it has none.
    fn owed(&self, stamp: impl FnOnce() -> Option<u64>) -> Option<Owed> {
        // While an epoch is being replaced nobody can tell what the stamps are of.
        let Some(at) = self.position.now() else { return Some(Owed::Newest) };
        let (stamp, debts) = (stamp(), self.standing.debts());
        let is_doubted = debts.doubted_from().is_some_and(|from| stamp.is_none_or(|stamp| stamp >= from));
        if is_doubted || !self.position.is_in(at.epoch) {
            return Some(Owed::Newest);
        }
        let index = stamp.unwrap_or(debts.index);
        (index > at.version.index).then(|| Owed::Version(at.version_at(index)))
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            stamps: &self.stamps,
            position: &self.position,
            now_nanos: self.clock.monotonic_nanos(),
        }
    }

    /// A key to look up, canonical bytes as in [`api::KeyBytes`]. `None` where no item can have it.
    #[inline]
    pub fn item_key<'a>(&self, table: &Table, bytes: &'a [u8]) -> Option<ItemKey<'a>> {
        (bytes.len() <= KEY_BYTES_MAX).then(|| self.items.key(table.id, bytes))
    }

    /// What is cached of a key. Counts nothing: the layer knows on whose behalf it asks.
    #[inline]
    pub fn item(&self, view: &View, key: &ItemKey<'_>) -> ItemFound {
        match self.items.get(key, &view.at, self.clock.monotonic_nanos()) {
            // After it was found: see there.
            ItemFound::Hit(..) if !self.standing.is_permitted() => ItemFound::Miss,
            found => found,
        }
    }

    /// Takes the right to fill a key. Must be taken before the read begins.
    pub fn item_permit(&self, view: &View) -> ItemPermit {
        self.items.permit(view.at)
    }

    /// Offers what was read.
    pub fn fill_item(&self, permit: &ItemPermit, key: &ItemKey<'_>, read: Read<'_>) -> Filled {
        let (filled, installed) = self.items.fill(self.around(), permit, key, read);
        self.count_evicted(installed, &self.statistics.item_evicted_bytes);
        if filled == Filled::Voided {
            self.statistics.item_voided_fills.increment();
        }
        filled
    }

    /// Begins or joins the flight of a key's read.
    pub fn join_item(&self, view: &View, key: &ItemKey<'_>, min: Option<&Version>) -> Joined<'_, SharedItem> {
        let stamps = [self.stamps.key(key.hash()), 0];
        let flight =
            FlightKey { hash: key.hash(), table: key.table().0, bytes: Bytes::copy_from_slice(key.bytes()) };
        self.join(&self.item_flights, flight, view, stamps, min)
    }

    /// Whether what a flight brought may be given to one who waited for it.
    pub fn may_take<T: Clone>(&self, view: &View, waiting: &Waiting<T>, version: &Version) -> bool {
        view.at.index_of(version).is_some_and(|index| index >= waiting.least_index())
    }

    /// Keeps a wire form of an entry for hits to come.
    pub fn keep_item_form(&self, entry: &Arc<ItemEntry>, form: &Ready) {
        let installed = self.items.map().keep_form(entry, form);
        self.count_evicted(installed, &self.statistics.item_evicted_bytes);
    }

    /// Writes the normalised form of a Query over `scratch` and makes it a key. `None` where its page is not cached.
    pub fn query_key<'a>(
        &self,
        table: &Table,
        input: &QueryInput,
        scratch: &'a mut Vec<u8>,
    ) -> Option<PageKey<'a>> {
        let policy = self.page_policy(table)?;
        scratch.clear();
        let dependencies = page_key::query(&self.stamps, &self.hasher, table, input, scratch)?;
        Some(self.page_key(table, policy, scratch, dependencies))
    }

    /// Writes the normalised form of a Scan over `scratch` and makes it a key. `None` where its page is not cached.
    pub fn scan_key<'a>(
        &self,
        table: &Table,
        input: &ScanInput,
        scratch: &'a mut Vec<u8>,
    ) -> Option<PageKey<'a>> {
        let policy = self.page_policy(table)?;
        scratch.clear();
        let dependencies = page_key::scan(&self.stamps, table, input, scratch)?;
        Some(self.page_key(table, policy, scratch, dependencies))
    }

    fn page_policy(&self, table: &Table) -> Option<Policy> {
        let policy = self.policy(table);
        (self.pages_fit && policy.query_ttl_nanos > 0).then_some(policy)
    }

    fn page_key<'a>(
        &self,
        table: &Table,
        policy: Policy,
        bytes: &'a [u8],
        dependencies: stamp::Dependencies,
    ) -> PageKey<'a> {
        PageKey {
            hash: self.pages.hash(bytes),
            table: table.id,
            bytes,
            dependencies,
            mode: policy.mode,
            ttl_nanos: policy.query_ttl_nanos,
        }
    }

    /// What is cached of a page.
    pub fn page(&self, view: &View, key: &PageKey<'_>) -> PageFound {
        match self.pages.get(self.around(), key, &view.at) {
            PageFound::Hit(..) if !self.standing.is_permitted() => PageFound::Miss,
            found => found,
        }
    }

    /// Takes the right to fill a page. Must be taken before the read begins. `void` is the page found void, if one was.
    pub fn page_permit(&self, view: &View, void: Option<Arc<PageEntry>>) -> PagePermit {
        self.pages.permit(view.at, void)
    }

    /// Offers the page that was read, with what the store charged for it.
    pub fn fill_page(
        &self,
        permit: &PagePermit,
        key: &PageKey<'_>,
        page: &Page,
        version: &Version,
    ) -> Filled {
        let done = self.pages.fill(self.around(), permit, key, page, version);
        self.count_evicted(done.installed, &self.statistics.query_evicted_bytes);
        if done.filled == Filled::Voided {
            self.statistics.query_voided_fills.increment();
        }
        // Both are counted here, where a void page is compared with what was read in its place, so that their quotient means
        // something: of those that nobody asks for again nobody knows whether they had changed.
        if let Some(unchanged) = done.unchanged {
            self.statistics.pages_voided.increment();
            if unchanged {
                self.statistics.pages_voided_unchanged.increment();
            }
        }
        done.filled
    }

    /// Begins or joins the flight of a page's read.
    pub fn join_page(&self, view: &View, key: &PageKey<'_>, min: Option<&Version>) -> Joined<'_, SharedPage> {
        let stamps = self.stamps.read(&key.dependencies);
        let flight = FlightKey { hash: key.hash, table: 0, bytes: Bytes::copy_from_slice(key.bytes) };
        self.join(&self.page_flights, flight, view, stamps, min)
    }

    /// Keeps a wire form of a page for hits to come.
    pub fn keep_page_form(&self, entry: &Arc<PageEntry>, form: &Ready) {
        let installed = self.pages.map().keep_form(entry, form);
        self.count_evicted(installed, &self.statistics.query_evicted_bytes);
    }

    fn join<'a, T>(
        &self,
        flights: &'a Flights<T>,
        key: FlightKey,
        view: &View,
        stamps: stamp::Reading,
        min: Option<&Version>,
    ) -> Joined<'a, T> {
        let min_index = match min.map(|min| view.at.index_of(min)) {
            // Of another log: nobody here can tell whether a flight's read will do.
            Some(None) => return Joined::Alone,
            // The store may refuse to wait for a version it does not have. That would be nobody's failure but this
            // caller's, so nobody else is to hang on its read.
            Some(Some(index)) if index > view.at.version.index => return Joined::Alone,
            Some(index) => index,
            None => None,
        };
        let now = Began { epoch: view.at.epoch, applied: view.at.version.index, stamps };
        flights.join(key, now, min_index)
    }

    /// Drops one item, as an operator asks. Its next read comes from the store.
    pub fn invalidate_item(&self, table: &Table, key: &api::KeyBytes) -> bool {
        self.items.remove(&self.items.key(table.id, key.as_bytes()))
    }

    /// Drops every item and page of one table, as an operator asks. Returns how many went.
    pub fn invalidate_table(&self, table: TableId) -> u64 {
        let of_table = |id: TableId, _, _| id == table;
        let items = self.items.map().iter().filter(|entry| self.items.remove_dead(entry, of_table)).count();
        let pages = self.pages.map().iter().filter(|entry| self.pages.remove_dead(entry, of_table)).count();
        (items + pages) as u64
    }

    /// Drops everything, as an operator asks. Stamps stay: reads under way are judged as before.
    pub fn clear(&self) {
        self.items.map().clear();
        self.pages.map().clear();
    }

    /// Switches off a kind of stamp, so that a test may prove that it would notice.
    #[cfg(test)]
    pub(crate) fn switch_off(&self, off: Option<Off>) {
        *self.stamps.off.lock() = off;
    }

    fn count_evicted(&self, installed: Installed, counter: &Counter) {
        if let Installed::Stands(evicted) = installed
            && evicted.entries > 0
        {
            counter.add(evicted.bytes);
        }
    }

    fn items(&self) -> &bounded::Bounded<ItemEntry> {
        self.items.map()
    }

    fn pages(&self) -> &bounded::Bounded<PageEntry> {
        self.pages.map()
    }
}

/// A write of which only the key is known here, so that pages of every index are in doubt.
fn unseen(table: &Arc<Table>, key: KeyBytes, version: Version) -> Change {
    Change {
        table: Arc::clone(table),
        key,
        old: Image::Unknown,
        new: Image::Unknown,
        indexes: Vec::new(),
        version,
        ordinal: 0,
        log_time_millis: 0,
        origin_region: 0,
        cause: Cause::User,
    }
}

impl Cache {
    fn begin_epoch(&self, applied: Version) {
        let continues = self.position.continues(&applied);
        let index = if continues { applied.index.max(self.position.applied()) } else { applied.index };
        self.position.end();
        self.clear();
        // A read from before the gap, of this store or a peer's, can be told from one after it by its version only.
        if continues {
            self.stamps.raise_all(index);
        } else {
            self.stamps.reset(index);
            self.standing.change_log();
        }
        self.position.begin(Version { index, ..applied });
    }
}

impl ChangeSink for Cache {
    fn raise(&self, changes: &[Change]) {
        let _feed = self.feed.lock();
        for change in changes {
            if !self.position.continues(&change.version) {
                // Stamps of another log would mean nothing. What is cached dies before the new log's first commit shows.
                self.begin_epoch(Version { index: change.version.index.saturating_sub(1), ..change.version });
            }
            self.stamps.raise(&self.hasher, change);
        }
    }

    fn publish(&self, changes: &[Change], applied: Version) {
        let _feed = self.feed.lock();
        let at = match self.position.now() {
            Some(at) if self.position.continues(&applied) => at,
            _ => return self.begin_epoch(applied),
        };
        let around = self.around();
        for change in changes {
            let ttl_nanos = self.policy(&change.table).record_ttl_nanos;
            let installed = self.items.install(around, change, &at, ttl_nanos);
            self.count_evicted(installed, &self.statistics.item_evicted_bytes);
        }
        self.position.advance(applied.index);
    }

    fn table_changed(&self, table: &Arc<Table>, dropped: bool) {
        if dropped {
            self.gone_tables.lock().insert(table.id);
        }
    }

    fn gap(&self, applied: Version) {
        let _feed = self.feed.lock();
        self.begin_epoch(applied);
    }
}

#[cfg(test)]
pub(crate) mod tests;
