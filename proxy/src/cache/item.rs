//! Items by table and key: what stands there, or that nothing does, as of a version.
//!
//! One entry is one buffer, the key's canonical bytes followed by the item's; no decoded tree is kept. A wire form that is
//! asked for is kept beside it by installing the entry anew at its new weight.
//!
//! The invariant (P4): an entry of the current epoch is the item as of the node's `applied`. Two hands keep it: the feed,
//! which installs every change it sees under the key's lock, and fills, which check the key's stamp under that same lock;
//! the argument stands in [`super::stamp`]. That is why serving an item needs no stamp.

use std::sync::Arc;

use api::operation::Ready;
use api::service::Cause;
use api::{Change, EncodedItem, Image, TableId, Version, Wire};
use bytes::{BufMut, Bytes, BytesMut};

use super::bounded::{self, Bounded, Installed};
use super::hash::Hasher;
use super::position::{At, Position};
use super::stamp::Stamps;

/// The least a shard may be: room for an item of 400 KB with a wire form twice its size.
pub(super) const SHARD_BYTES_MIN: u64 = 2 << 20;

/// An item, or its absence, as cached. Shared; never altered.
#[derive(Debug)]
pub struct ItemEntry {
    hash: u64,
    epoch: u64,
    index: u64,
    made_nanos: u64,
    deadline_nanos: u64,
    table: TableId,
    buffer: Bytes,
    key_bytes: u16,
    present: bool,
    weight: u32,
    form: Option<Ready>,
    second_form: Option<Box<Ready>>,
}

impl ItemEntry {
    /// The item; `None` where there is none.
    pub fn item(&self) -> Option<EncodedItem> {
        self.present.then(|| EncodedItem::from_own_copy(self.buffer.slice(usize::from(self.key_bytes)..)))
    }

    /// Whether there is an item.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// A GetItem answer with this item and nothing else, where it is ready in that form.
    #[inline]
    pub fn ready(&self, wire: Wire) -> Option<&Ready> {
        match &self.form {
            Some(form) if form.wire == wire => Some(form),
            Some(_) => self.second_form.as_deref().filter(|form| form.wire == wire),
            None => None,
        }
    }

    /// When the entry was made, by the cache's clock. Unit: nanoseconds.
    pub fn made_nanos(&self) -> u64 {
        self.made_nanos
    }

    fn key(&self) -> &[u8] {
        &self.buffer[..usize::from(self.key_bytes)]
    }

    fn is_live(&self, epoch: u64, now_nanos: u64) -> bool {
        self.epoch == epoch && now_nanos < self.deadline_nanos
    }

    fn weighed(mut self) -> ItemEntry {
        let form = |form: &Ready| bounded::buffer_bytes(form.bytes.len());
        let second = self
            .second_form
            .as_deref()
            .map_or(0, |second| bounded::buffer_bytes(size_of::<Ready>()) + form(second));
        let weight = bounded::fixed_bytes::<ItemEntry>()
            + bounded::buffer_bytes(self.buffer.len())
            + self.form.as_ref().map_or(0, form)
            + second;
        self.weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self
    }
}

impl bounded::Entry for ItemEntry {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn same_key(&self, other: &ItemEntry) -> bool {
        self.table == other.table && self.key() == other.key()
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
    pub(super) fn hash(&self) -> u64 {
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
        self.table == entry.table && self.bytes == entry.key()
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
        const NOTHING: Installed = Installed::Stands(bounded::Evicted { entries: 0, bytes: 0 });
        let locked = self.map.lock(key.hash);
        let now = around.position.now().filter(|now| now.epoch == permit.at.epoch);
        let Some(index) = now.and_then(|now| now.index_of(&read.version)) else {
            return (Filled::Voided, NOTHING);
        };
        if around.stamps.key(key.hash) > index {
            return (Filled::Voided, NOTHING);
        }
        match locked.peek(key) {
            Some(standing)
                if standing.is_live(permit.at.epoch, around.now_nanos) && standing.index >= index =>
            {
                return (Filled::Stands, NOTHING);
            }
            None if read.refresh => return (Filled::Stands, NOTHING),
            _ => {}
        }
        let entry = self.entry(key, permit.at.epoch, index, around.now_nanos, read.ttl_nanos, read.item);
        match locked.install(Arc::new(entry)) {
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
        let locked = self.map.lock(key.hash);
        let standing = locked.peek(&key).filter(|standing| standing.is_live(at.epoch, around.now_nanos));
        let item = match &change.new {
            Image::Present(item) => Some(item),
            Image::Absent => None,
            Image::Unknown => {
                locked.remove(&key);
                return Installed::Stands(Default::default());
            }
        };
        match &standing {
            // A read of the store at a later version got here first; it holds this change and those up to it.
            Some(standing) if standing.index >= index => {
                return Installed::Stands(Default::default());
            }
            // Nobody asked for these keys; what the cache does not hold, it need not learn.
            None if !matches!(change.cause, Cause::User | Cause::Replication) => {
                locked.remove(&key);
                return Installed::Stands(Default::default());
            }
            _ => {}
        }
        let entry = self.entry(&key, at.epoch, index, around.now_nanos, ttl_nanos, item);
        locked.install(Arc::new(entry))
    }

    /// Keeps a wire form of an entry, if the entry still stands and both fit.
    pub(super) fn keep_form(&self, entry: &Arc<ItemEntry>, form: &Ready) -> Installed {
        const NOTHING: Installed = Installed::Stands(bounded::Evicted { entries: 0, bytes: 0 });
        if entry.ready(form.wire).is_some() {
            return NOTHING;
        }
        // An exact copy: the encoder's buffer may be larger than what it holds.
        let form = Ready { bytes: Bytes::copy_from_slice(&form.bytes), ..*form };
        let (first, second) = match &entry.form {
            None => (form, None),
            Some(first) => (first.clone(), Some(Box::new(form))),
        };
        let with_form = ItemEntry {
            buffer: entry.buffer.clone(),
            form: Some(first),
            second_form: second,
            weight: 0,
            ..**entry
        }
        .weighed();
        if u64::from(with_form.weight) > self.map.entry_weight_max() {
            return NOTHING;
        }
        let key = ItemKey { hash: entry.hash, table: entry.table, bytes: entry.key() };
        let locked = self.map.lock(entry.hash);
        match locked.peek(&key) {
            Some(standing) if Arc::ptr_eq(&standing, entry) => locked.install(Arc::new(with_form)),
            _ => NOTHING,
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
        if !dead(entry.table, entry.epoch, entry.deadline_nanos) {
            return false;
        }
        let key = ItemKey { hash: entry.hash, table: entry.table, bytes: entry.key() };
        let locked = self.map.lock(entry.hash);
        match locked.peek(&key) {
            Some(standing) if Arc::ptr_eq(&standing, entry) => locked.remove(&key).is_some(),
            _ => false,
        }
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
        let body = item.map_or(&[][..], |item| &item.as_bytes()[..]);
        // A copy of its own: what came in may be a slice of a whole batch, which it would hold in memory.
        let mut buffer = BytesMut::with_capacity(key.bytes.len() + body.len());
        buffer.put_slice(key.bytes);
        buffer.put_slice(body);
        ItemEntry {
            hash: key.hash,
            epoch,
            index,
            made_nanos: now_nanos,
            deadline_nanos: now_nanos.saturating_add(ttl_nanos),
            table: key.table,
            key_bytes: key.bytes.len() as u16,
            buffer: buffer.freeze(),
            present: item.is_some(),
            weight: 0,
            form: None,
            second_form: None,
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
