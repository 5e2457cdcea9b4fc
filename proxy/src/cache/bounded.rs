//! The bounded map under both caches: entries by key, weighed in bytes, the least useful evicted first.
//!
//! It knows nothing of versions. What it adds to quick_cache: keys that carry their hash and are compared without being
//! built; **a lock for every key** ([`Bounded::lock`]), under which a check and the installing that hangs on it are one
//! step; account of what was evicted, told apart from what was replaced; and entries dropped outside of every lock.
//!
//! Invariants: whatever is installed, is installed under the key's lock. An entry's weight never changes in place. An
//! entry of at most [`Bounded::entry_weight_max`] is never refused; a heavier one removes what stood there and says so.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use super::hash::BuildReady;

/// Locks of a map. Two keys that share one wait for each other's installing only.
const LOCKS: usize = 256;
/// The part of a shard that an entry may fill: the library's share for hot entries.
const HOT_SHARE: f64 = 0.97;
/// What a place in the map costs besides the entry: two pointers, links and state (32 bytes), doubled because the slab grows
/// by doubling, a ghost's place for every second entry, and the table of hashes.
const PLACE_BYTES: usize = 32 * 2 + 16 + 12;
/// What a weight expects of an entry when the number of remembered ghosts is chosen. Unit: bytes.
const TYPICAL_ENTRY_BYTES: u64 = 1024;

/// What an allocation of `len` bytes takes: the allocator of the binary has four sizes between two powers of two, so that up
/// to a quarter is lost to rounding. Unit: bytes.
pub(super) const fn allocated_bytes(len: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    let words = len.div_ceil(WORD);
    if words <= 8 {
        return words * WORD;
    }
    let step = 1 << ((words - 1).ilog2() - 2);
    words.div_ceil(step) * step * WORD
}

/// What an entry of type `E` costs besides what it points to. Unit: bytes.
pub(super) const fn fixed_bytes<E>() -> usize {
    // Two counters in front of the entry.
    allocated_bytes(size_of::<E>() + 2 * size_of::<usize>()) + PLACE_BYTES
}

/// What a buffer of `Bytes` costs that was filled with `len` bytes and may be shared. Unit: bytes.
pub(super) const fn buffer_bytes(len: usize) -> usize {
    // Sharing makes a counter of three words.
    if len == 0 { 0 } else { allocated_bytes(len) + allocated_bytes(3 * size_of::<usize>()) }
}

/// An entry that knows its key.
pub(crate) trait Entry: Send + Sync + 'static {
    /// The hash of its key, computed once.
    fn hash(&self) -> u64;
    /// Whether both are of one key.
    fn same_key(&self, other: &Self) -> bool;
    /// Memory it takes, key and overhead included. Unit: bytes. Never changes.
    fn weight(&self) -> u64;
}

/// What is looked for, without an entry being built.
pub(crate) trait Lookup<E> {
    /// The hash of the key.
    fn hash(&self) -> u64;
    /// Whether the entry is of the key.
    fn matches(&self, entry: &E) -> bool;
}

pub(super) struct Key<E>(Arc<E>);

impl<E> Clone for Key<E> {
    fn clone(&self) -> Self {
        Key(self.0.clone())
    }
}

impl<E: Entry> Hash for Key<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash());
    }
}

impl<E: Entry> PartialEq for Key<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_key(&other.0)
    }
}

impl<E: Entry> Eq for Key<E> {}

struct Sought<'a, L>(&'a L);

struct Hashed<'a, E, L>(Sought<'a, L>, std::marker::PhantomData<fn(E)>);

impl<E, L: Lookup<E>> Hash for Hashed<'_, E, L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0.hash());
    }
}

impl<E, L: Lookup<E>> Equivalent<Key<E>> for Hashed<'_, E, L> {
    fn equivalent(&self, key: &Key<E>) -> bool {
        self.0.0.matches(&key.0)
    }
}

#[derive(Clone)]
pub(super) struct Weight;

impl<E: Entry> Weighter<Key<E>, Arc<E>> for Weight {
    fn weight(&self, _: &Key<E>, entry: &Arc<E>) -> u64 {
        entry.weight()
    }
}

#[derive(Clone)]
pub(super) struct Account;

/// What one installing pushed out. Dropped, and with it the entries, when no lock is held.
pub(super) struct PushedOut<E> {
    incoming: Option<Arc<E>>,
    refused: bool,
    evicted: Evicted,
    first: Option<Arc<E>>,
    rest: Vec<Arc<E>>,
}

impl<E> Default for PushedOut<E> {
    fn default() -> Self {
        PushedOut {
            incoming: None,
            refused: false,
            evicted: Evicted::default(),
            first: None,
            rest: Vec::new(),
        }
    }
}

impl<E: Entry> Lifecycle<Key<E>, Arc<E>> for Account {
    type RequestState = PushedOut<E>;

    fn on_evict(&self, out: &mut PushedOut<E>, _: Key<E>, entry: Arc<E>) {
        match &out.incoming {
            Some(incoming) if Arc::ptr_eq(incoming, &entry) => out.refused = true,
            Some(incoming) if incoming.same_key(&entry) => {}
            _ => {
                out.evicted.entries += 1;
                out.evicted.bytes += entry.weight();
            }
        }
        match out.first {
            None => out.first = Some(entry),
            Some(_) => out.rest.push(entry),
        }
    }
}

/// What had to go to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Evicted {
    /// Entries of other keys.
    pub(crate) entries: u64,
    /// Their weight.
    pub(crate) bytes: u64,
}

/// What became of an entry that was to be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installed {
    /// It stands.
    Stands(Evicted),
    /// It is heavier than an entry may be; nothing stands under its key.
    TooHeavy,
}

impl Installed {
    /// Nothing was to be installed, and nothing had to go.
    pub(super) const NOTHING: Installed = Installed::Stands(Evicted { entries: 0, bytes: 0 });
}

type Map<E> = Cache<Key<E>, Arc<E>, Weight, BuildReady, Account>;

#[repr(align(128))]
#[derive(Default)]
struct Lock(Mutex<()>);

/// The map.
pub(crate) struct Bounded<E: Entry> {
    map: Map<E>,
    locks: Box<[Lock]>,
    entry_weight_max: u64,
}

impl<E: Entry> std::fmt::Debug for Bounded<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded")
            .field("entries", &self.map.len())
            .field("bytes", &self.map.weight())
            .finish()
    }
}

impl<E: Entry> Bounded<E> {
    /// A map of at most `capacity_bytes`, in at most `shards` shards of at least `shard_bytes_min` each.
    pub(crate) fn new(capacity_bytes: u64, shard_bytes_min: u64, shards: usize) -> Bounded<E> {
        let room = (capacity_bytes / shard_bytes_min).max(1);
        let shards = 1 << room.min(shards.max(1) as u64).ilog2();
        let options = OptionsBuilder::new()
            .shards(shards)
            .weight_capacity(capacity_bytes)
            // The library makes fewer shards when it expects fewer than 32 entries in each.
            .estimated_items_capacity((capacity_bytes / TYPICAL_ENTRY_BYTES).max(32 * shards as u64) as usize)
            .hot_allocation(HOT_SHARE)
            .build()
            .expect("capacity and number of entries are given");
        let map: Map<E> = Cache::with_options(options, Weight, BuildReady::default(), Account);
        let entry_weight_max = (map.shard_capacity() as f64 * HOT_SHARE) as u64;
        Bounded { map, locks: (0..LOCKS).map(|_| Lock::default()).collect(), entry_weight_max }
    }

    /// The heaviest entry that is never refused. Unit: bytes.
    pub(crate) fn entry_weight_max(&self) -> u64 {
        self.entry_weight_max
    }

    /// The entry of a key. Takes the shard's lock for reading, and no other.
    #[inline]
    pub(crate) fn get(&self, lookup: &impl Lookup<E>) -> Option<Arc<E>> {
        self.map.get(&Hashed(Sought(lookup), std::marker::PhantomData))
    }

    /// Takes the lock of a key, given its hash.
    pub(crate) fn lock(&self, hash: u64) -> Locked<'_, E> {
        // The high bits: the low ones choose the place in the map.
        let at = (hash >> 48) as usize % LOCKS;
        Locked { map: &self.map, _guard: self.locks[at].0.lock() }
    }

    /// Puts `by` in place of `standing`, which is of the same key, if that still stands.
    #[must_use]
    pub(crate) fn replace(&self, standing: &Arc<E>, by: Arc<E>) -> Installed {
        let locked = self.lock(standing.hash());
        if locked.stands(standing) { locked.install(by) } else { Installed::NOTHING }
    }

    /// Removes an entry, if it still stands. Answers whether it did.
    pub(crate) fn remove_standing(&self, entry: &Arc<E>) -> bool {
        let locked = self.lock(entry.hash());
        locked.stands(entry) && locked.remove(&Same(&**entry)).is_some()
    }

    /// Entries held.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// What they weigh. Unit: bytes.
    pub(crate) fn weight(&self) -> u64 {
        self.map.weight()
    }

    /// Drops everything that stands now.
    pub(crate) fn clear(&self) {
        self.map.clear();
    }

    /// Entries one after another, taking a shard's lock only for each single step.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<E>> + '_ {
        self.map.iter().map(|(_, entry)| entry)
    }
}

/// Looks for whatever stands under an entry's key.
struct Same<'a, E>(&'a E);

impl<E: Entry> Lookup<E> for Same<'_, E> {
    fn hash(&self) -> u64 {
        self.0.hash()
    }

    fn matches(&self, entry: &E) -> bool {
        self.0.same_key(entry)
    }
}

/// A key's lock, held.
pub(crate) struct Locked<'a, E: Entry> {
    map: &'a Map<E>,
    _guard: MutexGuard<'a, ()>,
}

impl<E: Entry> Locked<'_, E> {
    /// What stands under the key, without counting as a use of it.
    pub(crate) fn peek(&self, lookup: &impl Lookup<E>) -> Option<Arc<E>> {
        self.map.peek(&Hashed(Sought(lookup), std::marker::PhantomData))
    }

    /// Whether this very entry stands under the key.
    fn stands(&self, entry: &Arc<E>) -> bool {
        self.peek(&Same(&**entry)).is_some_and(|standing| Arc::ptr_eq(&standing, entry))
    }

    /// Installs an entry of the locked key in place of what stands there.
    #[must_use]
    pub(crate) fn install(self, entry: Arc<E>) -> Installed {
        let mut out = PushedOut { incoming: Some(entry.clone()), ..PushedOut::default() };
        self.map.insert_with_lifecycle(Key(entry.clone()), entry, &mut out);
        // The lock goes before what was pushed out does: freeing large entries takes a while.
        drop(self);
        if out.refused { Installed::TooHeavy } else { Installed::Stands(out.evicted) }
    }

    /// Removes what stands under the key.
    pub(crate) fn remove(self, lookup: &impl Lookup<E>) -> Option<Arc<E>> {
        self.map.remove(&Hashed(Sought(lookup), std::marker::PhantomData)).map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_takes_the_next_of_four_sizes_between_powers_of_two() {
        for (len, takes) in [(1, 8), (64, 64), (65, 80), (80, 80), (81, 96), (129, 160), (409_000, 458_752)] {
            assert_eq!(allocated_bytes(len), takes, "{len}");
        }
        assert!((1..1 << 20).step_by(7).all(|len| allocated_bytes(len) >= len));
    }
}
