//! What `ReturnConsumedCapacity` says of a hit.
//!
//! A read costs a unit for each 4 KB begun of the item, at least one; half of that where it is eventual. Source: Developer
//! Guide, *Capacity unit consumption for read operations*.

use api::limits::READ_UNIT_BYTES;
use api::op::{Capacity, ConsumedCapacity, ReturnConsumedCapacity};

use crate::cache::HitCapacity;

/// Units of one read of an item of that size; 0 bytes where there was none.
pub(super) fn read_units(billed_bytes: usize, consistent: bool) -> f64 {
    let whole = billed_bytes.div_ceil(READ_UNIT_BYTES).max(1) as f64;
    if consistent { whole } else { whole / 2.0 }
}

/// The report of a read of the table itself, in the shape the caller asked for.
pub(super) fn of_table(asked: ReturnConsumedCapacity, table: &str, units: f64) -> Option<ConsumedCapacity> {
    let capacity = Capacity { units, ..Capacity::default() };
    match asked {
        ReturnConsumedCapacity::None => None,
        ReturnConsumedCapacity::Total => {
            Some(ConsumedCapacity { table: table.to_owned(), total: capacity, ..ConsumedCapacity::default() })
        }
        ReturnConsumedCapacity::Indexes => Some(ConsumedCapacity {
            table: table.to_owned(),
            total: capacity,
            own: Some(capacity),
            ..ConsumedCapacity::default()
        }),
    }
}

/// What is told of a full report, which is kept with indexes.
pub(super) fn told(
    asked: ReturnConsumedCapacity,
    full: Option<ConsumedCapacity>,
) -> Option<ConsumedCapacity> {
    let full = full?;
    match asked {
        ReturnConsumedCapacity::None => None,
        ReturnConsumedCapacity::Total => {
            Some(ConsumedCapacity { table: full.table, total: full.total, ..ConsumedCapacity::default() })
        }
        ReturnConsumedCapacity::Indexes => Some(full),
    }
}

/// The units a hit is told to have cost.
pub(super) fn of_hit(mode: HitCapacity, as_store: f64) -> f64 {
    match mode {
        HitCapacity::AsStore => as_store,
        HitCapacity::Zero => 0.0,
    }
}

/// A full report as a hit tells it.
pub(super) fn report_of_hit(mode: HitCapacity, mut full: ConsumedCapacity) -> ConsumedCapacity {
    if mode == HitCapacity::Zero {
        let all = [&mut full.total].into_iter().chain(&mut full.own);
        for capacity in all.chain(full.local.values_mut()).chain(full.global.values_mut()) {
            *capacity = Capacity::default();
        }
    }
    full
}
