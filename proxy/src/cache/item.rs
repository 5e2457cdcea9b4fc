//! Items by table and key: what stands there, or that nothing does, as of a version.
//!
//! An entry holds the item's canonical bytes and, in itself where it is short, the key: what a hit looks at to know that it is
//! one lies in one piece of memory. No decoded tree is kept. Forms of a wire are kept as [`super::forms`] says.
//!
//! The invariant (P4): an entry of the current epoch is the item as of the node's `applied`. Two hands keep it: the feed,
//! which installs every change it sees under the key's lock, and fills, which check the key's stamp under that same lock;
//! the argument stands in [`super::stamp`]. That is why serving an item needs no stamp.

use std::sync::Arc;

use api::operation::Ready;
use api::service::Cause;
use api::{Change, EncodedItem, Image, TableId, Version, Wire};
use bytes::Bytes;

use super::bounded::{self, Bounded, Installed};
use super::forms::{Formed, Forms};
use super::hash::Hasher;
use super::position::{At, Position};
use super::stamp::Stamps;

/// The least a shard may be: room for an item of 400 KB with a wire form twice its size.
pub(super) const SHARD_BYTES_MIN: u64 = 2 << 20;

/// Longest key that lies in its entry. Most do: a UUID and a word before it take 42.
const SHORT_KEY_BYTES: usize = 46;

/// The canonical bytes of an entry's key.
#[derive(Debug, Clone)]
enum KeptKey {
    Short { length: u8, bytes: [u8; SHORT_KEY_BYTES] },
    Long(Box<[u8]>),
}

impl KeptKey {
    fn new(key: &[u8]) -> KeptKey {
        if key.len() > SHORT_KEY_BYTES {
            return KeptKey::Long(key.into());
        }
        let mut bytes = [0; SHORT_KEY_BYTES];
        bytes[..key.len()].copy_from_slice(key);
        KeptKey::Short { length: key.len() as u8, bytes }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            KeptKey::Short { length, bytes } => &bytes[..usize::from(*length)],
            KeptKey::Long(bytes) => bytes,
        }
    }

    /// Memory it takes beside the entry itself. Unit: bytes.
    fn allocated_bytes(&self) -> usize {
        match self {
            KeptKey::Short { .. } => 0,
            KeptKey::Long(bytes) => bounded::allocated_bytes(bytes.len()),
        }
    }
}

/// An item, or its absence, as cached. Shared; never altered.
#[derive(Debug)]
pub struct ItemEntry {
    hash: u64,
    epoch: u64,
    index: u64,
    deadline_nanos: u64,
    table: TableId,
    key: KeptKey,
    body: Bytes,
    present: bool,
    weight: u32,
    forms: Forms,
}

impl ItemEntry {
    /// The item; `None` where there is none.
    pub fn item(&self) -> Option<EncodedItem> {
        self.present.then(|| EncodedItem::from_own_copy(self.body.clone()))
    }

    /// What the item's billed size can't exceed, without a look at it. Unit: bytes.
    pub fn billed_size_bound(&self) -> usize {
        EncodedItem::billed_size_bound(self.body.len())
    }

    /// Whether there is an item.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// A GetItem answer with this item and nothing else, where it is ready in that form.
    #[inline]
    pub fn ready(&self, wire: Wire) -> Option<&Ready> {
        self.forms.of(wire)
    }

    fn is_live(&self, epoch: u64, now_nanos: u64) -> bool {
        self.epoch == epoch && now_nanos < self.deadline_nanos
    }

    /// Whether both say the same of their key, whenever they were read.
    fn says_the_same(&self, other: &ItemEntry) -> bool {
        self.present == other.present && self.body == other.body
    }

    fn weighed(mut self) -> ItemEntry {
        let weight = bounded::fixed_bytes::<ItemEntry>()
            + self.key.allocated_bytes()
            + bounded::buffer_bytes(self.body.len())
            + self.forms.bytes();
        self.weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self
    }
}

impl Formed for ItemEntry {
    fn forms(&self) -> &Forms {
        &self.forms
    }

    fn with_forms(&self, forms: Forms) -> ItemEntry {
        ItemEntry { key: self.key.clone(), body: self.body.clone(), forms, ..*self }.weighed()
    }
}

impl bounded::Entry for ItemEntry {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn same_key(&self, other: &ItemEntry) -> bool {
        self.table == other.table && self.key.bytes() == other.key.bytes()
    }

    fn weight(&self) -> u64 {
        u64::from(self.weight)
    }
}

/// A key to look up: the table, and the canonical bytes of the key, hashed once.
#[derive(Debug, Clone, Copy)]
pub struct ItemKey<'a> {
    hash: u64,
    table: TableId,
    bytes: &'a [u8],
}

impl ItemKey<'_> {
    /// The hash of both: equal keys have equal ones.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn table(&self) -> TableId {
        self.table
    }

    /// The canonical bytes of the key.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

impl bounded::Lookup<ItemEntry> for ItemKey<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn matches(&self, entry: &ItemEntry) -> bool {
        self.table == entry.table && self.bytes == entry.key.bytes()
    }
}

/// What the item cache says of a key.
#[derive(Debug)]
pub enum ItemFound {
    /// The entry, and the version as of which it may be said.
    Hit(Arc<ItemEntry>, Version),
    /// Nothing that may be served.
    Miss,
}

/// What became of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// What was read stands, or something as new did already, or a refresh found nothing to refresh.
    Stands,
    /// A write overtook the read, or the epoch ended: nothing was filled.
    Voided,
    /// The entry is heavier than a shard can hold.
    TooHeavy,
}

/// The right to fill one key with what is read after it was given out.
#[derive(Debug, Clone, Copy)]
pub struct ItemPermit {
    at: At,
}

/// The item cache.
#[derive(Debug)]
pub(crate) struct Items {
    map: Bounded<ItemEntry>,
    hasher: Hasher,
}

/// What the cache outside lends for installing.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) stamps: &'a Stamps,
    pub(super) position: &'a Position,
    pub(super) now_nanos: u64,
}

impl Items {
    pub(super) fn new(capacity_bytes: u64, shards: usize, hasher: Hasher) -> Items {
        Items { map: Bounded::new(capacity_bytes, SHARD_BYTES_MIN, shards), hasher }
    }

    pub(super) fn map(&self) -> &Bounded<ItemEntry> {
        &self.map
    }

    pub(super) fn key<'a>(&self, table: TableId, bytes: &'a [u8]) -> ItemKey<'a> {
        ItemKey { hash: self.hasher.key(table, bytes), table, bytes }
    }

    /// `at` must have been read before: what is found then holds as of it.
    #[inline]
    pub(super) fn get(&self, key: &ItemKey<'_>, at: &At, now_nanos: u64) -> ItemFound {
        match self.map.get(key) {
            Some(entry) if entry.is_live(at.epoch, now_nanos) => {
                // Installed but not yet said to be applied, it is already newer than `applied`.
                let version = at.version_at(at.version.index.max(entry.index));
                ItemFound::Hit(entry, version)
            }
            _ => ItemFound::Miss,
        }
    }

    pub(super) fn permit(&self, at: At) -> ItemPermit {
        ItemPermit { at }
    }

    pub(super) fn fill(
        &self,
        around: Surroundings<'_>,
        permit: &ItemPermit,
        key: &ItemKey<'_>,
        read: Read<'_>,
    ) -> (Filled, Installed) {
        let Some(index) = permit.at.index_of(&read.version) else {
            return (Filled::Voided, Installed::NOTHING);
        };
        if read.refresh && self.map.lock(key.hash).peek(key).is_none() {
            return (Filled::Stands, Installed::NOTHING);
        }
        // Copied before the lock is taken: the feed may be waiting for it.
        let entry =
            Arc::new(self.entry(key, permit.at.epoch, index, around.now_nanos, read.ttl_nanos, read.item));
        let locked = self.map.lock(key.hash);
        if !around.position.is_in(permit.at.epoch) || around.stamps.key(key.hash) > index {
            return (Filled::Voided, Installed::NOTHING);
        }
        match locked.peek(key) {
            // What says the same stays, with the forms that were made of it; a read does not renew its time to live.
            Some(standing)
                if standing.is_live(permit.at.epoch, around.now_nanos)
                    && (standing.index >= index || standing.says_the_same(&entry)) =>
            {
                return (Filled::Stands, Installed::NOTHING);
            }
            None if read.refresh => return (Filled::Stands, Installed::NOTHING),
            _ => {}
        }
        match locked.install(entry) {
            Installed::TooHeavy => (Filled::TooHeavy, Installed::TooHeavy),
            stands => (Filled::Stands, stands),
        }
    }

    /// Installs a committed change. Only the feed's thread calls it.
    pub(super) fn install(
        &self,
        around: Surroundings<'_>,
        change: &Change,
        at: &At,
        ttl_nanos: u64,
    ) -> Installed {
        let key = self.key(change.table.id, change.key.as_bytes());
        let index = change.version.index;
        let item = match &change.new {
            Image::Present(item) => Some(item),
            Image::Absent => None,
            Image::Unknown => {
                self.remove(&key);
                return Installed::NOTHING;
            }
        };
        let entry = Arc::new(self.entry(&key, at.epoch, index, around.now_nanos, ttl_nanos, item));
        let locked = self.map.lock(key.hash);
        let standing = locked.peek(&key).filter(|standing| standing.is_live(at.epoch, around.now_nanos));
        match &standing {
            // A read of the store at a later version got here first; it holds this change and those up to it.
            Some(standing) if standing.index >= index => Installed::NOTHING,
            // Nobody asked for these keys; what the cache does not hold, it need not learn.
            None if !matches!(change.cause, Cause::User | Cause::Replication) => {
                locked.remove(&key);
                Installed::NOTHING
            }
            _ => locked.install(entry),
        }
    }

    pub(super) fn remove(&self, key: &ItemKey<'_>) -> bool {
        self.map.lock(key.hash).remove(key).is_some()
    }

    /// Drops what no longer may be served: entries past their deadline, of an older epoch, or of a table that is gone.
    pub(super) fn remove_dead(
        &self,
        entry: &Arc<ItemEntry>,
        dead: impl Fn(TableId, u64, u64) -> bool,
    ) -> bool {
        dead(entry.table, entry.epoch, entry.deadline_nanos) && self.map.remove_standing(entry)
    }

    fn entry(
        &self,
        key: &ItemKey<'_>,
        epoch: u64,
        index: u64,
        now_nanos: u64,
        ttl_nanos: u64,
        item: Option<&EncodedItem>,
    ) -> ItemEntry {
        ItemEntry {
            hash: key.hash,
            epoch,
            index,
            deadline_nanos: now_nanos.saturating_add(ttl_nanos),
            table: key.table,
            key: KeptKey::new(key.bytes),
            // A copy of its own: what came in may be a slice of a whole batch, which it would hold in memory.
            body: item.map_or_else(Bytes::new, |item| Bytes::copy_from_slice(item.as_bytes())),
            present: item.is_some(),
            weight: 0,
            forms: Forms::default(),
        }
        .weighed()
    }
}

/// What a fill brings.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The item read; `None` where there is none.
    pub item: Option<&'a EncodedItem>,
    /// The version it was read at.
    pub version: Version,
    /// How long it may be served. Unit: nanoseconds; `u64::MAX` is for ever.
    pub ttl_nanos: u64,
    /// Fill only in place of an entry that stands: nobody asked the cache for this key.
    pub refresh: bool,
}
