//! Where the node stands in the history it serves: the epoch, the log it follows, and how far it has applied it.
//!
//! One writer, the thread that consumes the feed; any number of readers, who never wait. The invariant: whoever reads
//! a position sees an `applied` that belongs to the epoch it sees, and has every stamp and entry of that version before
//! its eyes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use api::Version;

/// The position, shared.
#[derive(Debug, Default)]
pub(crate) struct Position {
    // Even while the epoch stands, odd while it is being replaced: a sequence lock over the fields below.
    epoch: AtomicU64,
    incarnation: AtomicU64,
    shard: AtomicU32,
    applied: AtomicU64,
}

/// A position as of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// Entries, pages, permits and flights of another epoch are dead.
    pub(crate) epoch: u64,
    /// The version applied.
    pub(crate) version: Version,
}

impl At {
    /// The index of a version, where it is of the same log.
    pub(crate) fn index_of(&self, version: &Version) -> Option<u64> {
        (version.incarnation == self.version.incarnation && version.shard == self.version.shard)
            .then_some(version.index)
    }

    /// That index, of the same log.
    pub(crate) fn version_at(&self, index: u64) -> Version {
        Version { index, ..self.version }
    }
}

impl Position {
    /// The position; `None` while the epoch is being replaced, when nothing may be served or filled.
    #[inline]
    pub(crate) fn now(&self) -> Option<At> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let version = Version {
            incarnation: self.incarnation.load(Ordering::Relaxed),
            shard: self.shard.load(Ordering::Relaxed),
            // Pairs with the release in `advance`: what was installed before is seen after.
            index: self.applied.load(Ordering::Acquire),
        };
        // The acquire above keeps this load behind those of the fields before it; the fence does so for the relaxed ones.
        std::sync::atomic::fence(Ordering::Acquire);
        let same = self.epoch.load(Ordering::Relaxed) == epoch && epoch.is_multiple_of(2);
        same.then_some(At { epoch, version })
    }

    /// Whether the epoch still stands. Who read something that only means anything within an epoch, such as a stamp, asks
    /// after it: the epoch's end is seen by whoever saw anything that was changed after it.
    #[inline]
    pub(crate) fn is_in(&self, epoch: u64) -> bool {
        self.epoch.load(Ordering::Acquire) == epoch
    }

    /// Whether a version continues the log this position is in.
    pub(crate) fn continues(&self, version: &Version) -> bool {
        self.incarnation.load(Ordering::Relaxed) == version.incarnation
            && self.shard.load(Ordering::Relaxed) == version.shard
    }

    /// What is applied, for the feed's thread.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// Everything up to `index` is applied and installed.
    pub(crate) fn advance(&self, index: u64) {
        self.applied.fetch_max(index, Ordering::Release);
    }

    /// Ends the epoch: from here to [`Position::begin`] nothing is served. Only the feed's thread calls it.
    pub(crate) fn end(&self) {
        let epoch = self.epoch.load(Ordering::Relaxed);
        debug_assert!(epoch.is_multiple_of(2), "an epoch ends once");
        self.epoch.store(epoch + 1, Ordering::Relaxed);
        // No store to the fields below may be seen before the odd number is.
        std::sync::atomic::fence(Ordering::Release);
    }

    /// Begins an epoch at a version.
    pub(crate) fn begin(&self, version: Version) {
        self.incarnation.store(version.incarnation, Ordering::Relaxed);
        self.shard.store(version.shard, Ordering::Relaxed);
        self.applied.store(version.index, Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_between_two_epochs() {
        let position = Position::default();
        let first = position.now().unwrap();
        position.advance(7);
        assert_eq!(position.now().unwrap().version.index, 7);
        position.end();
        assert_eq!(position.now(), None);
        position.begin(Version { incarnation: 4, shard: 0, index: 2 });
        let second = position.now().unwrap();
        assert_ne!(first.epoch, second.epoch);
        assert_eq!(second.version, Version { incarnation: 4, shard: 0, index: 2 });
        assert_eq!(second.index_of(&Version { incarnation: 0, shard: 0, index: 9 }), None);
    }

    #[test]
    fn a_reader_never_mixes_two_epochs() {
        let position = Position::default();
        position.end();
        position.begin(Version { incarnation: 1, shard: 1, index: 1_000 });
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = 0u64;
                        while seen < 200 {
                            let Some(at) = position.now() else { continue };
                            let of = at.version.incarnation;
                            assert_eq!(u64::from(at.version.shard), of);
                            assert_eq!(at.version.index / 1_000, of, "{at:?}");
                            seen = of;
                        }
                    })
                })
                .collect();
            for incarnation in 2..=200 {
                position.advance((incarnation - 1) * 1_000 + 5);
                position.end();
                position.begin(Version {
                    incarnation,
                    shard: incarnation as u32,
                    index: incarnation * 1_000,
                });
            }
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
    }
}
