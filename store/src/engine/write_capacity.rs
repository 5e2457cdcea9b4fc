//! What a write consumes, and how the answer tells it.
//!
//! Rules (Developer Guide, *Capacity unit consumption for write operations*): a write costs a unit for each 1 KB begun of
//! the larger of the item before and after, at least one; likewise each entry of an index that it adds, removes or
//! alters, where moving an entry to another index key costs its removal and its addition. Transactions cost twice that.

use std::collections::BTreeMap;

use api::limits::WRITE_UNIT_BYTES;
use api::op::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};
use api::schema::IndexKind;

use crate::index::{IndexChange, Placed};

/// Units a write consumed of one table. Whole units, before any factor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteUnits {
    /// Of the table itself.
    pub own: u64,
    /// Of local indexes, by name.
    pub local: BTreeMap<String, u64>,
    /// Of global indexes, by name.
    pub global: BTreeMap<String, u64>,
}

/// What a unit of a write counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// A write by itself.
    Plain,
    /// A write in a transaction.
    Transaction,
    /// A transaction repeated by its token: it is answered by reading.
    Repetition,
}

impl WriteUnits {
    /// The units of one write. Sizes in bytes as billed.
    pub fn of(old: Option<usize>, new: Option<usize>, changes: &[IndexChange<'_>]) -> WriteUnits {
        let mut units = WriteUnits { own: units_of(old.max(new).unwrap_or(0)), ..WriteUnits::default() };
        for change in changes {
            let size = |placed: &Placed| placed.entry.body.billed_size();
            let cost = match (&change.old, &change.new) {
                (Some(old), Some(new)) if old.key == new.key => units_of(size(old).max(size(new))),
                (Some(old), Some(new)) => units_of(size(old)) + units_of(size(new)),
                (Some(one), None) | (None, Some(one)) => units_of(size(one)),
                (None, None) => 0,
            };
            let of_kind = match change.index.kind {
                IndexKind::Local => &mut units.local,
                IndexKind::Global => &mut units.global,
            };
            *of_kind.entry(change.index.name.as_str().to_owned()).or_default() += cost;
        }
        units
    }

    /// Adds the units of another write of the same table.
    pub fn add(&mut self, other: &WriteUnits) {
        self.own += other.own;
        for (name, units) in &other.local {
            *self.local.entry(name.clone()).or_default() += units;
        }
        for (name, units) in &other.global {
            *self.global.entry(name.clone()).or_default() += units;
        }
    }

    /// The answer's account of it, as far as it was asked for.
    pub fn report(&self, table: &str, ask: ReturnConsumedCapacity, rate: Rate) -> Option<ConsumedCapacity> {
        let indexes = self.local.values().sum::<u64>() + self.global.values().sum::<u64>();
        let total = capacity(self.own + indexes, rate);
        let share = |units: &BTreeMap<String, u64>| {
            units.iter().map(|(name, units)| (name.clone(), capacity(*units, rate))).collect()
        };
        match ask {
            ReturnConsumedCapacity::None => None,
            ReturnConsumedCapacity::Total => {
                Some(ConsumedCapacity { table: table.to_owned(), total, ..ConsumedCapacity::default() })
            }
            ReturnConsumedCapacity::Indexes => Some(ConsumedCapacity {
                table: table.to_owned(),
                total,
                own: Some(capacity(self.own, rate)),
                local: share(&self.local),
                global: share(&self.global),
            }),
        }
    }
}

/// Units of so many bytes; nothing costs one too.
fn units_of(bytes: usize) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u64
}

fn capacity(units: u64, rate: Rate) -> Capacity {
    match rate {
        Rate::Plain => Capacity { units: units as f64, read_units: None, write_units: None },
        Rate::Transaction => {
            let units = 2.0 * units as f64;
            Capacity { units, read_units: None, write_units: Some(units) }
        }
        Rate::Repetition => {
            let units = 2.0 * units as f64;
            Capacity { units, read_units: Some(units), write_units: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, WriteUnits};
    use api::op::ReturnConsumedCapacity;

    #[test]
    fn a_write_costs_a_unit_for_each_kilobyte_begun_of_the_larger_image() {
        assert_eq!(WriteUnits::of(None, None, &[]).own, 1);
        assert_eq!(WriteUnits::of(None, Some(1024), &[]).own, 1);
        assert_eq!(WriteUnits::of(Some(3000), Some(1025), &[]).own, 3);
    }

    #[test]
    fn a_transaction_costs_twice_and_says_which_units() {
        let units = WriteUnits { own: 3, ..WriteUnits::default() };
        let plain = units.report("t", ReturnConsumedCapacity::Total, Rate::Plain).unwrap();
        assert_eq!((plain.total.units, plain.total.write_units, plain.own), (3.0, None, None));
        let twice = units.report("t", ReturnConsumedCapacity::Indexes, Rate::Transaction).unwrap();
        assert_eq!((twice.total.units, twice.total.write_units), (6.0, Some(6.0)));
        assert_eq!(twice.own.unwrap().units, 6.0);
        assert_eq!(units.report("t", ReturnConsumedCapacity::None, Rate::Plain), None);
    }
}
