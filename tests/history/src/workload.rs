//! What the clients of a run ask: a few hot keys, every kind of write and read, drawn from a seed.
//!
//! Each client draws for itself, so what it asks depends on its seed alone and not on how far the others are; the order among
//! clients is the machine's. Keys bound together by transactions come in pairs, so that what must be judged together stays small.

use crate::operation::{Action, Mode, Scope, Write};
use crate::state::{Condition, Effect, Item};

/// How large a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Partitions of the table.
    pub partitions: u64,
    /// Keys of each; at least two.
    pub keys: u64,
    /// Groups of the index.
    pub groups: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { partitions: 4, keys: 6, groups: 3 }
    }
}

impl Shape {
    /// Every key.
    pub fn all_keys(&self) -> Vec<String> {
        let of = |partition| (0..self.keys).map(move |key| name(partition, key));
        (0..self.partitions).flat_map(of).collect()
    }
}

fn name(partition: u64, key: u64) -> String {
    format!("p{partition}/k{key:02}")
}

/// One client's source of operations.
#[derive(Debug, Clone)]
pub struct Workload {
    shape: Shape,
    state: u64,
    /// Tags of a client are its own: its number in the upper half.
    next_tag: u64,
    /// Tags this client knows of, for compare and set; a few of the latest.
    recent: Vec<u64>,
}

/// Tags that are kept for conditions.
const RECENT: usize = 4;
/// Tags of one client. Numbers of the table are exact far beyond.
const TAGS: u64 = 1 << 32;

impl Workload {
    /// The operations of a client. Clients of one history have different numbers, from 1.
    pub fn new(seed: u64, client: u32, shape: Shape) -> Workload {
        let state = seed ^ u64::from(client).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Workload { shape, state, next_tag: u64::from(client) * TAGS, recent: Vec::new() }
    }

    /// The client saw this item.
    pub fn saw(&mut self, item: Item) {
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(item.tag);
    }

    /// The next operation.
    pub fn draw(&mut self) -> Action {
        let key = self.key();
        match self.below(100) {
            0..=29 => Action::Write { writes: vec![self.write(key, true)], whole: true },
            30..=39 => {
                let writes = self.pair().into_iter().map(|key| self.write(key, true)).collect();
                Action::Write { writes, whole: true }
            }
            40..=44 => {
                let writes = self.pair().into_iter().map(|key| self.blind(key)).collect();
                Action::Write { writes, whole: false }
            }
            45..=54 => Action::Read { keys: vec![key], mode: Mode::Strong },
            55..=59 => Action::Read { keys: self.pair(), mode: Mode::Snapshot },
            60..=62 => Action::Read { keys: self.pair(), mode: Mode::Strong },
            63..=67 => Action::Read { keys: self.pair(), mode: Mode::Eventual },
            68..=81 => Action::Read { keys: vec![key], mode: Mode::Eventual },
            82..=90 => self.group_page(),
            _ => {
                let partition = self.below(self.shape.partitions);
                let after = self.one_in(4).then(|| name(partition, self.shape.keys / 3));
                let limit = self.one_in(2).then_some(2);
                let strong = self.one_in(3);
                Action::Page { of: Scope::Partition(format!("p{partition}")), after, limit, strong }
            }
        }
    }

    /// A read, for asking whether a node is there: as often a strong one as one that it may answer by itself.
    pub fn probe(&mut self) -> Action {
        let key = self.key();
        match self.below(4) {
            0 | 1 => Action::Read { keys: vec![key], mode: Mode::Strong },
            2 => Action::Read { keys: vec![key], mode: Mode::Eventual },
            _ => self.group_page(),
        }
    }

    fn group_page(&mut self) -> Action {
        let of = Scope::Group(1 + self.below(u64::from(self.shape.groups)) as u32);
        Action::Page { of, after: None, limit: None, strong: false }
    }

    fn key(&mut self) -> String {
        let partition = self.below(self.shape.partitions);
        // Half of what is asked is about a quarter of the keys.
        let keys = if self.one_in(2) { self.shape.keys.div_ceil(4) } else { self.shape.keys };
        name(partition, self.below(keys))
    }

    fn pair(&mut self) -> Vec<String> {
        let partition = self.below(self.shape.partitions);
        let first = self.below(self.shape.keys / 2) * 2;
        vec![name(partition, first), name(partition, first + 1)]
    }

    fn blind(&mut self, key: String) -> Write {
        let tag = self.tag();
        let effect = if self.one_in(4) { Effect::Delete } else { Effect::Put(self.item(tag)) };
        Write { key, effect, condition: Condition::Always }
    }

    fn write(&mut self, key: String, conditional: bool) -> Write {
        let tag = self.tag();
        let effect = match self.below(10) {
            0..=4 => Effect::Put(self.item(tag)),
            5..=7 => Effect::Add { tag, by: 1 + self.below(5) as i64 },
            _ => Effect::Delete,
        };
        let condition = match (conditional, self.below(8)) {
            (true, 0) => Condition::Absent,
            (true, 1) => Condition::Present,
            (true, 2) => self.recent.last().map_or(Condition::Always, |tag| Condition::Tag(*tag)),
            _ => Condition::Always,
        };
        Write { key, effect, condition }
    }

    fn item(&mut self, tag: u64) -> Item {
        Item { tag, count: 0, group: self.below(u64::from(self.shape.groups) + 1) as u32 }
    }

    fn tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    /// One time in so many.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A number below a bound. SplitMix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_workload_and_tags_are_never_used_twice() {
        let shape = Shape::default();
        let draw = |seed, client| {
            let mut workload = Workload::new(seed, client, shape);
            (0..500).map(|_| workload.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(5, 1), draw(5, 1));
        assert_ne!(draw(5, 1), draw(6, 1));
        let all: Vec<Action> = (1..4).flat_map(|client| draw(5, client)).collect();
        let tags: Vec<u64> = all
            .iter()
            .filter_map(|action| if let Action::Write { writes, .. } = action { Some(writes) } else { None })
            .flatten()
            .filter_map(|write| write.effect.tag())
            .collect();
        let distinct: std::collections::BTreeSet<u64> = tags.iter().copied().collect();
        assert!(tags.len() > 300 && distinct.len() == tags.len());
        let keys = shape.all_keys();
        let named = all.iter().filter_map(|action| match action {
            Action::Write { writes, .. } => Some(writes.iter().map(|write| write.key.clone()).collect()),
            Action::Read { keys, .. } => Some(keys.clone()),
            Action::Page { .. } => None,
        });
        let named: std::collections::BTreeSet<String> = named.flat_map(|keys: Vec<String>| keys).collect();
        assert!(named.iter().all(|key| keys.contains(key)) && named.len() == keys.len());
    }
}
