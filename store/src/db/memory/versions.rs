//! The map itself: every key with the values that some snapshot may still see.
//!
//! Invariant: the versions of a key are in rising order; once no snapshot is pinned, each key has
//! exactly one value and no key has a deletion, so memory does not grow with history.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;

use crate::db::{Batch, BatchOp, KeyRange};

/// Values of one key, oldest first: the write they came with, and `None` for a deletion.
type History = Vec<(u64, Option<Bytes>)>;

#[derive(Default)]
pub(super) struct Versions {
    map: BTreeMap<Bytes, History>,
    /// Number of the newest write.
    newest: u64,
    /// How many snapshots stand at a write.
    pinned: BTreeMap<u64, usize>,
    /// Keys with more than one version, or a deletion.
    untidy: BTreeSet<Bytes>,
}

impl Versions {
    pub(super) fn from_image(image: &BTreeMap<Bytes, Bytes>) -> Self {
        let map = image.iter().map(|(key, value)| (key.clone(), vec![(0, Some(value.clone()))])).collect();
        Self { map, ..Self::default() }
    }

    pub(super) fn apply(&mut self, batch: Batch) {
        self.newest += 1;
        for op in batch.into_ops() {
            match op {
                BatchOp::Put { key, value } => self.set(key, Some(value)),
                BatchOp::Delete { key } => self.set(key, None),
                BatchOp::DeleteRange { range } => {
                    for key in self.keys(&range) {
                        self.set(key, None);
                    }
                }
            }
        }
    }

    fn keys(&self, range: &KeyRange) -> Vec<Bytes> {
        bounds(range)
            .map(|bounds| self.map.range::<[u8], _>(bounds).map(|(key, _)| key.clone()).collect())
            .unwrap_or_default()
    }

    fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        if self.pinned.is_empty() {
            match value {
                Some(_) => self.map.insert(key, vec![(self.newest, value)]),
                None => self.map.remove(&key),
            };
            return;
        }
        let history = self.map.entry(key.clone()).or_default();
        if history.last().is_some_and(|(at, _)| *at == self.newest) {
            history.pop();
        }
        history.push((self.newest, value));
        self.untidy.insert(key);
    }

    /// Takes a snapshot: its number.
    pub(super) fn pin(&mut self) -> u64 {
        *self.pinned.entry(self.newest).or_insert(0) += 1;
        self.newest
    }

    /// Gives a snapshot back, and with the last one all that only snapshots could see.
    pub(super) fn unpin(&mut self, at: u64) {
        if let Some(count) = self.pinned.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.pinned.remove(&at);
            }
        }
        if self.pinned.is_empty() {
            for key in std::mem::take(&mut self.untidy) {
                let Some(history) = self.map.get_mut(&key) else { continue };
                match history.pop() {
                    Some((at, Some(value))) => *history = vec![(at, Some(value))],
                    _ => {
                        self.map.remove(&key);
                    }
                }
            }
        }
    }

    pub(super) fn newest(&self, key: &[u8]) -> Option<Bytes> {
        self.map.get(key)?.last()?.1.clone()
    }

    pub(super) fn at(&self, key: &[u8], at: u64) -> Option<Bytes> {
        visible(self.map.get(key)?, at)
    }

    pub(super) fn first(&self, range: &KeyRange, at: u64) -> Option<(Bytes, Bytes)> {
        self.map
            .range::<[u8], _>(bounds(range)?)
            .find_map(|(key, history)| Some((key.clone(), visible(history, at)?)))
    }

    pub(super) fn last(&self, range: &KeyRange, at: u64) -> Option<(Bytes, Bytes)> {
        self.map
            .range::<[u8], _>(bounds(range)?)
            .rev()
            .find_map(|(key, history)| Some((key.clone(), visible(history, at)?)))
    }

    pub(super) fn bytes(&self, range: &KeyRange) -> u64 {
        let Some(bounds) = bounds(range) else { return 0 };
        self.map
            .range::<[u8], _>(bounds)
            .filter_map(|(key, history)| Some(key.len() + history.last()?.1.as_ref()?.len()))
            .map(|bytes| bytes as u64)
            .sum()
    }

    pub(super) fn image(&self) -> BTreeMap<Bytes, Bytes> {
        self.map.iter().filter_map(|(key, history)| Some((key.clone(), history.last()?.1.clone()?))).collect()
    }
}

fn visible(history: &History, at: u64) -> Option<Bytes> {
    history.iter().rev().find(|(written, _)| *written <= at)?.1.clone()
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// The range as the map wants it; `None` for one that holds nothing, which the map would refuse.
fn bounds(range: &KeyRange) -> Option<Bounds<'_>> {
    if range.is_empty() {
        return None;
    }
    let end = range.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Some((Bound::Included(range.start.as_slice()), end))
}
