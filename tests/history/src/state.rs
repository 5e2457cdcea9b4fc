//! What stands under a key, and what a write makes of it: the sequential specification that every judge shares.
//!
//! Invariant the workload keeps: every write that leaves an item carries a tag that no other write of the history carries, so
//! that whoever reads an item knows who wrote it last. Only absences are ambiguous.

use serde::{Deserialize, Serialize};

/// What one item of the workload holds besides its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, i64, u32)", into = "(u64, i64, u32)")]
pub struct Item {
    /// Who wrote last. Unique among all writes of a history.
    pub tag: u64,
    /// A sum that updates add to.
    pub count: i64,
    /// The partition of the index in which the item stands; 0 is none.
    pub group: u32,
}

impl From<(u64, i64, u32)> for Item {
    fn from((tag, count, group): (u64, i64, u32)) -> Item {
        Item { tag, count, group }
    }
}

impl From<Item> for (u64, i64, u32) {
    fn from(item: Item) -> Self {
        (item.tag, item.count, item.group)
    }
}

/// What stands under a key: an item or none.
pub type Cell = Option<Item>;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Replaces what stands there.
    Put(Item),
    /// Adds to the sum and takes over the tag; makes an item of the sum 0 and no group where there is none.
    Add {
        /// The tag of this write.
        tag: u64,
        /// What is added.
        by: i64,
    },
    /// Leaves nothing.
    Delete,
    /// Changes nothing: the condition alone matters.
    Check,
}

impl Effect {
    /// What stands there afterwards.
    pub fn on(self, cell: Cell) -> Cell {
        match self {
            Effect::Put(item) => Some(item),
            Effect::Add { tag, by } => {
                let before = cell.unwrap_or(Item { tag, count: 0, group: 0 });
                // Sums of a workload are small; wrapping keeps the judge total on any history it is given.
                Some(Item { tag, count: before.count.wrapping_add(by), ..before })
            }
            Effect::Delete => None,
            Effect::Check => cell,
        }
    }

    /// The tag it leaves, if it leaves an item.
    pub fn tag(self) -> Option<u64> {
        match self {
            Effect::Put(item) => Some(item.tag),
            Effect::Add { tag, .. } => Some(tag),
            Effect::Delete | Effect::Check => None,
        }
    }
}

/// When a write may take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// There is no item.
    Absent,
    /// There is an item.
    Present,
    /// There is an item of this tag.
    Tag(u64),
}

impl Condition {
    /// Whether it holds of what stands there.
    pub fn holds(self, cell: Cell) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => cell.is_none(),
            Condition::Present => cell.is_some(),
            Condition::Tag(tag) => cell.is_some_and(|item| item.tag == tag),
        }
    }
}

/// A cell as a reader of a report sees it.
pub(crate) struct Shown(pub Cell);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("absent"),
            Some(item) => {
                write!(f, "{{tag {}, count {}", item.tag, item.count)?;
                if item.group != 0 {
                    write!(f, ", group {}", item.group)?;
                }
                f.write_str("}")
            }
        }
    }
}
