//! Pages of Query and Scan by normalised request, as of the version each was read at.
//!
//! The invariant (P5): in mode `coherent`, a page is served only if every stamp it depends on is at or below the version R
//! it was read at; then it is the page as of the node's `applied`, and counts as that. The check is made anew at every hit,
//! after the position was read; that nothing stale is installed either is only thrift. In mode `ttl` stamps are not asked,
//! and the page counts as of R, which is what it is.
//!
//! A page is one buffer: its key, then the items in canonical form, each with its length. Count-only pages have none. What
//! the store charged for it is kept whole, so that requests which differ in what they ask of capacity share a page.

use std::sync::Arc;

use api::item::ItemBody;
use api::op::{ConsumedCapacity, Page};
use api::operation::Ready;
use api::{EncodedItem, Item, TableId, Version, Wire};
use bytes::Bytes;

use super::bounded::{self, Bounded, Installed};
use super::forms::{Formed, Forms};
use super::hash::Hasher;
use super::item::{Filled, Surroundings};
use super::position::At;
use super::settings::Mode;
use super::stamp::Dependencies;

/// The least a shard may be: room for a page of 1 MB and the item that crossed it, with a wire form twice its size.
pub(super) const SHARD_BYTES_MIN: u64 = 4 << 20;

/// A page as cached. Shared; never altered.
#[derive(Debug)]
pub struct PageEntry {
    hash: u64,
    epoch: u64,
    index: u64,
    made_nanos: u64,
    deadline_nanos: u64,
    table: TableId,
    dependencies: Dependencies,
    buffer: Bytes,
    key_bytes: u32,
    weight: u32,
    count: u32,
    scanned_count: u32,
    has_items: bool,
    last_key: Option<Box<Item>>,
    capacity: Option<Box<ConsumedCapacity>>,
    forms: Forms,
}

const LENGTH_BYTES: usize = size_of::<u32>();

impl PageEntry {
    /// The page, with what the store charged for it. Items share the entry's buffer.
    pub fn page(&self) -> Page {
        let items = self
            .has_items
            .then(|| self.bodies().map(|body| ItemBody::Encoded(EncodedItem::from_own_copy(body))).collect());
        Page {
            items,
            count: self.count,
            scanned_count: self.scanned_count,
            last_key: self.last_key.as_deref().cloned(),
            capacity: self.capacity.as_deref().cloned(),
        }
    }

    /// Whether the page matched nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The answer with this page and nothing of capacity, where it is ready in that form.
    #[inline]
    pub fn ready(&self, wire: Wire) -> Option<&Ready> {
        self.forms.of(wire)
    }

    /// When the entry was made, by the cache's clock. Unit: nanoseconds.
    pub fn made_nanos(&self) -> u64 {
        self.made_nanos
    }

    fn bodies(&self) -> impl Iterator<Item = Bytes> + '_ {
        let mut at = self.key_bytes as usize;
        std::iter::from_fn(move || {
            let length = self.buffer.get(at..at + LENGTH_BYTES)?;
            let length = u32::from_le_bytes(length.try_into().expect("four bytes were taken")) as usize;
            let body = self.buffer.slice(at + LENGTH_BYTES..at + LENGTH_BYTES + length);
            at += LENGTH_BYTES + length;
            Some(body)
        })
    }

    /// Whether both answer their request alike, whenever they were read.
    fn says_the_same(&self, other: &PageEntry) -> bool {
        let body = |page: &PageEntry| page.buffer.slice(page.key_bytes as usize..);
        (self.count, self.scanned_count, self.has_items)
            == (other.count, other.scanned_count, other.has_items)
            && self.last_key == other.last_key
            && body(self) == body(other)
    }

    fn key(&self) -> &[u8] {
        &self.buffer[..self.key_bytes as usize]
    }

    fn is_live(&self, epoch: u64, now_nanos: u64) -> bool {
        self.epoch == epoch && now_nanos < self.deadline_nanos
    }

    fn weighed(mut self) -> PageEntry {
        // A decoded key holds a few short strings in a tree: its billed size, and a node's worth around it.
        let last_key = self.last_key.as_deref().map_or(0, |key| 2 * api::value::size::item_bytes(key) + 1024);
        let capacity = self.capacity.as_deref().map_or(0, |capacity| {
            let names = capacity.local.len() + capacity.global.len();
            size_of::<ConsumedCapacity>() + capacity.table.len() + 1024 * usize::from(names > 0) + 300 * names
        });
        let weight = bounded::fixed_bytes::<PageEntry>()
            + bounded::buffer_bytes(self.buffer.len())
            + self.forms.bytes()
            + last_key
            + capacity;
        self.weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self
    }
}

impl Formed for PageEntry {
    fn forms(&self) -> &Forms {
        &self.forms
    }

    fn with_forms(&self, forms: Forms) -> PageEntry {
        PageEntry {
            buffer: self.buffer.clone(),
            last_key: self.last_key.clone(),
            capacity: self.capacity.clone(),
            forms,
            ..*self
        }
        .weighed()
    }
}

impl bounded::Entry for PageEntry {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn same_key(&self, other: &PageEntry) -> bool {
        self.key() == other.key()
    }

    fn weight(&self) -> u64 {
        u64::from(self.weight)
    }
}

/// The key of a page, hashed once, with what its pages depend on.
#[derive(Debug, Clone, Copy)]
pub struct PageKey<'a> {
    pub(super) hash: u64,
    pub(super) table: TableId,
    pub(super) bytes: &'a [u8],
    pub(super) dependencies: Dependencies,
    pub(super) mode: Mode,
    pub(super) ttl_nanos: u64,
}

impl PageKey<'_> {
    /// The normalised request.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// When a page of the table may be served.
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

impl bounded::Lookup<PageEntry> for PageKey<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn matches(&self, entry: &PageEntry) -> bool {
        self.bytes == entry.key()
    }
}

/// What the query cache says of a request.
#[derive(Debug)]
pub enum PageFound {
    /// The page, and the version as of which it may be said.
    Hit(Arc<PageEntry>, Version),
    /// There is one, but a write may have changed it.
    Void(Arc<PageEntry>),
    /// None that may be served.
    Miss,
}

/// The right to fill one page with what is read after it was given out.
#[derive(Debug, Clone)]
pub struct PagePermit {
    at: At,
    /// The void page that a fill replaces, to tell whether it had changed.
    void: Option<Arc<PageEntry>>,
}

/// The query cache.
#[derive(Debug)]
pub(crate) struct Pages {
    map: Bounded<PageEntry>,
    hasher: Hasher,
}

impl Pages {
    pub(super) fn new(capacity_bytes: u64, shards: usize, hasher: Hasher) -> Pages {
        Pages { map: Bounded::new(capacity_bytes, SHARD_BYTES_MIN, shards), hasher }
    }

    pub(super) fn map(&self) -> &Bounded<PageEntry> {
        &self.map
    }

    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.page(key)
    }

    /// `at` must have been read before: stamps are checked after it.
    pub(super) fn get(&self, around: Surroundings<'_>, key: &PageKey<'_>, at: &At) -> PageFound {
        let Some(entry) = self.map.get(key).filter(|entry| entry.is_live(at.epoch, around.now_nanos)) else {
            return PageFound::Miss;
        };
        match key.mode {
            Mode::Ttl => {
                let version = at.version_at(entry.index);
                PageFound::Hit(entry, version)
            }
            Mode::Coherent if around.stamps.hold(&entry.dependencies, entry.index) => {
                // Stamps are set back for another log. Whoever took a page before that and asks its stamps after it would
                // find them low, and the page in order.
                if !around.position.is_in(at.epoch) {
                    return PageFound::Miss;
                }
                let version = at.version_at(at.version.index.max(entry.index));
                PageFound::Hit(entry, version)
            }
            Mode::Coherent => PageFound::Void(entry),
        }
    }

    pub(super) fn permit(&self, at: At, void: Option<Arc<PageEntry>>) -> PagePermit {
        PagePermit { at, void }
    }

    pub(super) fn fill(
        &self,
        around: Surroundings<'_>,
        permit: &PagePermit,
        key: &PageKey<'_>,
        page: &Page,
        version: &Version,
    ) -> PageFilled {
        let Some(index) = permit.at.index_of(version) else {
            return PageFilled::outcome(Filled::Voided);
        };
        // Copied and compared before the lock is taken: a page may be a megabyte.
        let entry = Arc::new(self.entry(key, permit.at.epoch, index, around.now_nanos, page));
        let unchanged = permit.void.as_deref().map(|void| void.says_the_same(&entry));
        let locked = self.map.lock(key.hash);
        let overtaken = key.mode == Mode::Coherent && !around.stamps.hold(&key.dependencies, index);
        if overtaken || !around.position.is_in(permit.at.epoch) {
            return PageFilled::outcome(Filled::Voided);
        }
        if let Some(standing) = locked.peek(key)
            && standing.is_live(permit.at.epoch, around.now_nanos)
            && standing.index >= index
        {
            return PageFilled::outcome(Filled::Stands);
        }
        match locked.install(entry) {
            Installed::TooHeavy => PageFilled { unchanged, ..PageFilled::outcome(Filled::TooHeavy) },
            installed => PageFilled { filled: Filled::Stands, installed, unchanged },
        }
    }

    /// Drops an entry if it still stands and is dead.
    pub(super) fn remove_dead(
        &self,
        entry: &Arc<PageEntry>,
        dead: impl Fn(TableId, u64, u64) -> bool,
    ) -> bool {
        dead(entry.table, entry.epoch, entry.deadline_nanos) && self.map.remove_standing(entry)
    }

    fn entry(&self, key: &PageKey<'_>, epoch: u64, index: u64, now_nanos: u64, page: &Page) -> PageEntry {
        let bodies: Vec<EncodedItem> = page.items.iter().flatten().map(ItemBody::to_encoded).collect();
        let length = bodies.iter().map(|body| LENGTH_BYTES + body.as_bytes().len()).sum::<usize>();
        let mut buffer = Vec::with_capacity(key.bytes.len() + length);
        buffer.extend_from_slice(key.bytes);
        for body in &bodies {
            buffer.extend_from_slice(&(body.as_bytes().len() as u32).to_le_bytes());
            buffer.extend_from_slice(body.as_bytes());
        }
        PageEntry {
            hash: key.hash,
            epoch,
            index,
            made_nanos: now_nanos,
            deadline_nanos: now_nanos.saturating_add(key.ttl_nanos),
            table: key.table,
            dependencies: key.dependencies,
            key_bytes: key.bytes.len() as u32,
            buffer: buffer.into(),
            weight: 0,
            count: page.count,
            scanned_count: page.scanned_count,
            has_items: page.items.is_some(),
            last_key: page.last_key.clone().map(Box::new),
            capacity: page.capacity.clone().map(Box::new),
            forms: Forms::default(),
        }
        .weighed()
    }
}

/// What became of a page's fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageFilled {
    pub(super) filled: Filled,
    pub(super) installed: Installed,
    /// Of a fill in place of a void page, whether that had been right after all.
    pub(super) unchanged: Option<bool>,
}

impl PageFilled {
    fn outcome(filled: Filled) -> PageFilled {
        PageFilled { filled, installed: Installed::NOTHING, unchanged: None }
    }
}
