//! The one hash of the caches: seeded, computed once a request, used for shards, stamps and flights alike.

use std::hash::{BuildHasher, Hasher as _};

use api::TableId;

/// Hashes keys of all kinds. The seed is passed in: whoever can guess it can crowd one place.
#[derive(Debug, Clone)]
pub(crate) struct Hasher(foldhash::quality::FixedState);

/// Keeps the hashes of partitions apart from those of keys, which may be the same bytes.
const PARTITION: u64 = 1 << 63;

impl Hasher {
    pub(crate) fn new(seed: u64) -> Hasher {
        Hasher(foldhash::quality::FixedState::with_seed(seed))
    }

    /// Of an item's key, canonical.
    #[inline]
    pub(crate) fn key(&self, table: TableId, key: &[u8]) -> u64 {
        self.of(table.0, key)
    }

    /// Of a partition of a table or index.
    #[inline]
    pub(crate) fn partition(&self, id: u64, partition: &[u8]) -> u64 {
        self.of(id | PARTITION, partition)
    }

    /// Of a normalised request.
    #[inline]
    pub(crate) fn page(&self, key: &[u8]) -> u64 {
        self.of(0, key)
    }

    #[inline]
    fn of(&self, id: u64, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(id);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Passes a ready hash through, for maps whose keys carry theirs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ready(u64);

impl std::hash::Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a key of these maps writes its one ready hash");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Builds [`Ready`].
pub(crate) type BuildReady = std::hash::BuildHasherDefault<Ready>;
