//! What a read consumes, and how the answer tells it. What a write consumes: [`super::write_capacity`].
//!
//! Rules (Developer Guide, *Capacity unit consumption for read operations*): a read costs a unit for each 4 KB begun, at
//! least one, whether or not it finds anything; half of that where it may be eventually consistent, twice that in a
//! transaction. A page is charged by all it evaluated together; items fetched from the table behind a local index are
//! charged one by one.

use api::Table;
use api::limits::READ_UNIT_BYTES;
use api::op::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};
use api::schema::{Index, IndexKind};

/// How strongly a read is made, which is what a unit of it counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRate {
    /// Eventually consistent: half a unit.
    Eventual,
    /// Strongly consistent: a unit.
    Strong,
    /// Within a transaction: two units.
    Transaction,
}

impl ReadRate {
    /// The rate of a read that says whether it must be strongly consistent.
    pub fn of(consistent: bool) -> ReadRate {
        if consistent { ReadRate::Strong } else { ReadRate::Eventual }
    }

    fn factor(self) -> f64 {
        match self {
            ReadRate::Eventual => 0.5,
            ReadRate::Strong => 1.0,
            ReadRate::Transaction => 2.0,
        }
    }
}

/// Whole units of so many bytes read at once; nothing costs one too.
pub fn units_of(bytes: usize) -> u64 {
    bytes.div_ceil(READ_UNIT_BYTES).max(1) as u64
}

/// Units a read consumed of one table. Whole units, before any rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadUnits<'t> {
    /// Of the table itself.
    pub own: u64,
    /// Of the one index it read.
    pub index: Option<(&'t Index, u64)>,
}

impl ReadUnits<'_> {
    /// Units of the table alone.
    pub fn of_table(units: u64) -> ReadUnits<'static> {
        ReadUnits { own: units, index: None }
    }

    /// The answer's account of it, as far as it was asked for.
    pub fn report(
        &self,
        table: &Table,
        ask: ReturnConsumedCapacity,
        rate: ReadRate,
    ) -> Option<ConsumedCapacity> {
        let capacity = |units: u64| {
            let units = rate.factor() * units as f64;
            Capacity {
                units,
                read_units: (rate == ReadRate::Transaction).then_some(units),
                write_units: None,
            }
        };
        let total = capacity(self.own + self.index.map_or(0, |(_, units)| units));
        let mut report = match ask {
            ReturnConsumedCapacity::None => return None,
            ReturnConsumedCapacity::Total | ReturnConsumedCapacity::Indexes => ConsumedCapacity {
                table: table.name.as_str().to_owned(),
                total,
                ..ConsumedCapacity::default()
            },
        };
        if ask == ReturnConsumedCapacity::Indexes {
            report.own = Some(capacity(self.own));
            if let Some((index, units)) = self.index {
                let of_kind = match index.kind {
                    IndexKind::Local => &mut report.local,
                    IndexKind::Global => &mut report.global,
                };
                of_kind.insert(index.name.as_str().to_owned(), capacity(units));
            }
        }
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::page::testing::{sample_table, table_of};

    #[test]
    fn a_read_costs_a_unit_for_each_4_kb_begun() {
        for (bytes, units) in [(0, 1), (1, 1), (4096, 1), (4097, 2), (409_600, 100)] {
            assert_eq!(units_of(bytes), units);
        }
    }

    #[test]
    fn an_eventual_read_costs_half_and_a_transaction_twice() {
        let table = table_of(sample_table());
        let units = ReadUnits::of_table(3);
        let of = |rate| units.report(&table, ReturnConsumedCapacity::Total, rate).unwrap().total;
        assert_eq!(of(ReadRate::Eventual), Capacity { units: 1.5, read_units: None, write_units: None });
        assert_eq!(of(ReadRate::Strong).units, 3.0);
        assert_eq!(
            of(ReadRate::Transaction),
            Capacity { units: 6.0, read_units: Some(6.0), write_units: None }
        );
        assert_eq!(units.report(&table, ReturnConsumedCapacity::None, ReadRate::Strong), None);
    }

    #[test]
    fn shares_are_told_only_where_indexes_are_asked_for() {
        let table = table_of(sample_table());
        let units = ReadUnits { own: 2, index: Some((&table.indexes[0], 1)) };
        let total = units.report(&table, ReturnConsumedCapacity::Total, ReadRate::Strong).unwrap();
        assert_eq!((total.total.units, total.own, total.local.len()), (3.0, None, 0));
        let shares = units.report(&table, ReturnConsumedCapacity::Indexes, ReadRate::Strong).unwrap();
        assert_eq!(shares.own.unwrap().units, 2.0);
        assert_eq!(shares.local["by_date"].units, 1.0);
        assert!(shares.global.is_empty());
    }
}
