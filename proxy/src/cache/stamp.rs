//! Stamps: for every key, partition and whole table, the version of the latest write that may have touched it.
//!
//! Fixed arrays of log indexes, addressed by hash, and under them all one floor. A stamp may stand higher than its own
//! writes put it, because another key shares its place: that costs a miss, never a wrong answer. A stamp never falls within an
//! epoch. Memory is taken a page at a time, when a write first raises a stamp of it: what was never written has the floor's.
//!
//! Who raises and who checks, and why nobody reads a stale answer:
//!
//! - The feed's thread, for a change at version v: (1) raises the stamps to v, (2) the store commits, (3) installs the
//!   new image under the key's lock, (4) advances `applied`, (5) the writer is acknowledged.
//! - **A fill** of an item read at R takes the key's lock, then checks `stamp <= R`. Suppose a write v > R to that key. If
//!   (3) took the lock before the fill did, then (1) happened before the fill's check, by that lock, and the fill is refused.
//!   If it takes the lock after, it finds what was filled and replaces it. There is no third order.
//! - **A page** read at R is checked against its stamps every time it is served. Suppose a write v > R that changes it.
//!   Whoever may know of v knows it from (2) or later: from the store's own state, or from `applied`, or from the
//!   acknowledgement. Each is published with a release after (1) and read with an acquire before the check, so the
//!   check sees the stamp at v or above. A page served at `applied` = A was checked after A was loaded, so no write in
//!   (R, A] changes it: it is the page as of A.
//!
//! What this room does not do: keep what is current. It only ever says "may have changed since".

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use api::{Change, Image, IndexId, TableId};

use super::hash::Hasher;

/// Places for whole tables and indexes. Ids are handed out one after another, so fewer than this share no place.
const WHOLE_SLOTS: usize = 4096;
/// Stamps that are allocated together: a page of memory.
const CHUNK: usize = 512;

/// Stamps that a test may switch off, to prove that it would notice. Outside tests none ever is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Off {
    /// Those of indexes, partitions and whole.
    Indexes,
    /// Those of whole tables and indexes.
    Scans,
    /// All that a delete raises but its item's key.
    Deletes,
    /// Those of item keys.
    Keys,
}

/// All stamps of one node.
#[derive(Debug)]
pub(crate) struct Stamps {
    keys: Slots,
    partitions: Slots,
    scans: Slots,
    unknowns: Slots,
    /// No stamp is below it.
    floor: AtomicU64,
    #[cfg(test)]
    pub(crate) off: parking_lot::Mutex<Option<Off>>,
}

/// What a page depends on. A page of a Query depends on its partition and on writes whose partitions are not known; a page
/// of a Scan on every write to its table or index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependencies {
    places: [Place; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Partition(u32),
    Scan(u32),
    Unknown(u32),
}

/// The values of a page's or an item's stamps at one moment, to tell whether any has risen since.
pub(crate) type Reading = [u64; 2];

impl Stamps {
    /// Stamps that take about `bytes` of memory.
    pub(crate) fn sized(bytes: u64) -> Stamps {
        let slots = (bytes / size_of::<AtomicU64>() as u64).clamp(1 << 12, 1 << 24) as usize;
        // Three quarters for partitions: a page is judged by its stamp for as long as it lives, a fill only once.
        let partitions = prev_power_of_two(slots / 4 * 3);
        Stamps {
            keys: Slots::new((partitions / 4).max(1 << 10)),
            partitions: Slots::new(partitions),
            scans: Slots::new(WHOLE_SLOTS),
            unknowns: Slots::new(WHOLE_SLOTS),
            floor: AtomicU64::new(0),
            #[cfg(test)]
            off: parking_lot::Mutex::new(None),
        }
    }

    /// Memory of all stamps, once every one was raised. Unit: bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.all().map(Slots::bytes).sum()
    }

    /// The stamp of an item's key, given the key's hash.
    pub(crate) fn key(&self, hash: u64) -> u64 {
        self.keys.at(self.keys.place(hash)).max(self.floor())
    }

    fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Raises what one change may have touched.
    pub(crate) fn raise(&self, hasher: &Hasher, change: &Change) {
        let index = change.version.index;
        let table = change.table.id;
        let key = change.key.as_bytes();
        if !self.is_off(Off::Keys) {
            self.keys.raise(hasher.key(table, key), index);
        }
        let unknown = matches!(change.old, Image::Unknown) || matches!(change.new, Image::Unknown);
        if !unknown && change.old == change.new {
            // A write that left everything as it was can't have changed a page.
            return;
        }
        if change.new == Image::Absent && self.is_off(Off::Deletes) {
            return;
        }
        self.partitions.raise(hasher.partition(table.0, &change.key.partition()), index);
        self.raise_scans(table.0, index);
        if self.is_off(Off::Indexes) {
            return;
        }
        for touched in &change.indexes {
            self.partitions.raise(hasher.partition(touched.index.0, &touched.partition), index);
            self.raise_scans(touched.index.0, index);
        }
        if unknown {
            for of_table in &change.table.indexes {
                self.unknowns.raise(of_table.id.0, index);
                self.raise_scans(of_table.id.0, index);
            }
        }
    }

    fn raise_scans(&self, id: u64, index: u64) {
        if !self.is_off(Off::Scans) {
            self.scans.raise(id, index);
        }
    }

    #[cfg(not(test))]
    const fn is_off(&self, _: Off) -> bool {
        false
    }

    #[cfg(test)]
    fn is_off(&self, kind: Off) -> bool {
        *self.off.lock() == Some(kind)
    }

    /// Raises everything: nothing read before `index` may be filled or served.
    pub(crate) fn raise_all(&self, index: u64) {
        self.floor.fetch_max(index, Ordering::Release);
    }

    /// Sets everything to `index`, of another log than it was of. Only between two epochs.
    pub(crate) fn reset(&self, index: u64) {
        self.floor.store(index, Ordering::Release);
        self.all().for_each(Slots::clear);
    }

    fn all(&self) -> impl Iterator<Item = &Slots> {
        [&self.keys, &self.partitions, &self.scans, &self.unknowns].into_iter()
    }

    /// What a Query of one partition of a table depends on.
    pub(crate) fn of_table_partition(
        &self,
        hasher: &Hasher,
        table: TableId,
        partition: &[u8],
    ) -> Dependencies {
        self.of_partition(hasher, table.0, partition)
    }

    /// What a Query of one partition of an index depends on.
    pub(crate) fn of_index_partition(
        &self,
        hasher: &Hasher,
        index: IndexId,
        partition: &[u8],
    ) -> Dependencies {
        self.of_partition(hasher, index.0, partition)
    }

    fn of_partition(&self, hasher: &Hasher, id: u64, partition: &[u8]) -> Dependencies {
        let place = self.partitions.place(hasher.partition(id, partition));
        Dependencies { places: [Place::Partition(place), Place::Unknown(self.unknowns.place(id))] }
    }

    /// What a Scan of a table or index depends on.
    pub(crate) fn of_whole(&self, id: u64) -> Dependencies {
        let place = self.scans.place(id);
        Dependencies { places: [Place::Scan(place), Place::Scan(place)] }
    }

    /// The stamps a page depends on, as of now.
    pub(crate) fn read(&self, dependencies: &Dependencies) -> Reading {
        let floor = self.floor();
        dependencies.places.map(|place| {
            let stamp = match place {
                Place::Partition(at) => self.partitions.at(at),
                Place::Scan(at) => self.scans.at(at),
                Place::Unknown(at) => self.unknowns.at(at),
            };
            stamp.max(floor)
        })
    }

    /// Whether nothing a page depends on was written after `index`.
    pub(crate) fn hold(&self, dependencies: &Dependencies, index: u64) -> bool {
        self.read(dependencies).into_iter().all(|stamp| stamp <= index)
    }
}

type Chunk = Box<[AtomicU64; CHUNK]>;

#[derive(Debug)]
struct Slots(Box<[OnceLock<Chunk>]>);

impl Slots {
    fn new(slots: usize) -> Slots {
        debug_assert!(slots.is_power_of_two() && slots >= CHUNK);
        Slots((0..slots / CHUNK).map(|_| OnceLock::new()).collect())
    }

    fn bytes(&self) -> u64 {
        (self.0.len() * (size_of::<OnceLock<Chunk>>() + CHUNK * size_of::<AtomicU64>())) as u64
    }

    fn place(&self, hash: u64) -> u32 {
        hash as u32 & (self.0.len() * CHUNK - 1) as u32
    }

    /// What was never raised is at zero.
    fn at(&self, place: u32) -> u64 {
        let place = place as usize;
        self.0[place / CHUNK].get().map_or(0, |chunk| chunk[place % CHUNK].load(Ordering::Acquire))
    }

    fn raise(&self, hash: u64, index: u64) {
        let place = self.place(hash) as usize;
        let chunk = self.0[place / CHUNK].get_or_init(|| Box::new([const { AtomicU64::new(0) }; CHUNK]));
        chunk[place % CHUNK].fetch_max(index, Ordering::Release);
    }

    fn clear(&self) {
        let slots = self.0.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter());
        slots.for_each(|slot| slot.store(0, Ordering::Release));
    }
}

fn prev_power_of_two(n: usize) -> usize {
    1 << n.max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(slots: &Slots) -> usize {
        slots.0.iter().filter(|chunk| chunk.get().is_some()).count()
    }

    #[test]
    fn raising_everything_takes_no_memory() {
        let stamps = Stamps::sized(8 << 20);
        let of = stamps.of_whole(3);
        stamps.raise_all(7);
        assert_eq!((stamps.key(1), stamps.read(&of)), (7, [7, 7]));
        assert!(!stamps.hold(&of, 6) && stamps.hold(&of, 7));
        assert_eq!(stamps.all().map(taken).sum::<usize>(), 0);
    }

    #[test]
    fn a_stamp_raised_once_takes_one_page_and_falls_only_with_the_log() {
        let stamps = Stamps::sized(8 << 20);
        stamps.keys.raise(5, 9);
        assert_eq!((stamps.key(5), stamps.key(6), taken(&stamps.keys)), (9, 0, 1));
        stamps.raise_all(4);
        assert_eq!((stamps.key(5), stamps.key(6)), (9, 4));
        stamps.reset(2);
        assert_eq!((stamps.key(5), stamps.key(6)), (2, 2));
    }
}
