//! What passing ids of attribute lists mean.
//!
//! Kept in memory by the node that gave them, for as long as a client may be expected to ask: the oldest go first. An id is
//! never given a second meaning, so forgetting one costs a client that asks late one failed read and nobody a wrong name.
//! Bounded by number and by bytes.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use dax::attribute_lists::Names;

/// Most lists kept.
const LISTS: usize = 16_384;
/// Most bytes of names kept, with [`NAME_BYTES`] for each. Unit: bytes.
const BYTES: usize = 16 << 20;
/// What a name costs besides its bytes. Unit: bytes.
const NAME_BYTES: usize = 32;

/// Ids that can be given, and those that were.
#[derive(Debug, Default)]
pub(super) struct Passing {
    free: Range<u64>,
    next: Option<Range<u64>>,
    // By id, which rises.
    given: VecDeque<(u64, Names)>,
    ids: HashMap<Names, u64>,
    bytes: usize,
}

fn weight(names: &[String]) -> usize {
    names.iter().map(|name| name.len() + NAME_BYTES).sum::<usize>() + NAME_BYTES
}

impl Passing {
    /// The id of these names, if it is remembered.
    pub(super) fn id(&self, names: &[&str]) -> Option<u64> {
        if self.ids.is_empty() {
            return None;
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.ids.get(&names[..]).copied()
    }

    /// The names of an id, if they are remembered.
    pub(super) fn names(&self, id: u64) -> Option<Names> {
        let at = self.given.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.given.get(at).map(|(_, names)| names.clone())
    }

    /// Whether another stretch of ids should be taken: the last one is begun.
    pub(super) fn is_short(&self) -> bool {
        self.next.is_none()
    }

    /// Takes over a stretch of ids beyond all that were.
    pub(super) fn stock(&mut self, ids: Range<u64>) {
        if self.free.is_empty() {
            self.free = ids;
        } else {
            self.next = Some(ids);
        }
    }

    /// An id for these names; `None` where none is free.
    pub(super) fn give(&mut self, names: &Names) -> Option<u64> {
        if let Some(id) = self.ids.get(names) {
            return Some(*id);
        }
        if self.free.is_empty() {
            self.free = self.next.take()?;
        }
        let id = self.free.next()?;
        self.bytes += weight(names);
        self.ids.insert(names.clone(), id);
        self.given.push_back((id, names.clone()));
        // The newest stays, however large: somebody is about to ask for it.
        while self.given.len() > 1 && (self.given.len() > LISTS || self.bytes > BYTES) {
            let Some((_, oldest)) = self.given.pop_front() else { break };
            self.bytes -= weight(&oldest);
            self.ids.remove(&oldest);
        }
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn an_id_is_given_once_and_stretches_follow_one_another() {
        let mut passing = Passing::default();
        assert_eq!(passing.give(&names("a")), None);
        passing.stock(100..102);
        assert!(passing.is_short());
        passing.stock(200..202);
        assert!(!passing.is_short());
        let given: Vec<_> =
            ["a b", "b a", "c", "a b", "d"].iter().map(|text| passing.give(&names(text))).collect();
        assert_eq!(given, [Some(100), Some(101), Some(200), Some(100), Some(201)]);
        assert!(passing.is_short());
        assert_eq!(passing.give(&names("e")), None);
        assert_eq!((passing.id(&["b", "a"]), passing.id(&["e"])), (Some(101), None));
        assert_eq!((passing.names(200), passing.names(150)), (Some(names("c")), None));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_the_oldest_goes() {
        let mut passing = Passing::default();
        passing.stock(0..u64::MAX);
        for at in 0..2 * LISTS as u64 {
            assert_eq!(passing.give(&names(&format!("n{at}"))), Some(at));
        }
        assert_eq!((passing.given.len(), passing.ids.len()), (LISTS, LISTS));
        assert_eq!(passing.names(LISTS as u64 - 1), None);
        assert_eq!(passing.names(LISTS as u64), Some(names(&format!("n{LISTS}"))));
        let large = names(&"x".repeat(BYTES));
        let id = passing.give(&large).unwrap();
        assert_eq!((passing.names(id), passing.given.len()), (Some(large), 1));
        passing.give(&names("y"));
        assert_eq!((passing.given.len(), passing.bytes), (1, weight(&names("y"))));
    }
}
