//! `Scan`: all of a table or index, or one share of it.
//!
//! The order is that of the partitions' hashes, so that shares divide a table evenly whatever its keys are; within a
//! partition it is that of the sort keys.

use api::Error;
use api::op::{ScanInput, ScanOutput};

use super::page::{Plan, Source, StartKey, segment_range};
use super::view::View;
use crate::db::ScanOrder;
use crate::error::EngineError;

/// Reads a page. Errors, in this order: unknown table or index; a start key that is none, or of another share; what is
/// asked of the items.
pub fn scan(view: &View<'_>, input: &ScanInput) -> Result<ScanOutput, EngineError> {
    let table = view.table(&input.table)?;
    let source = Source::of(table, input.index.as_ref(), input.consistent)?;
    let whole = segment_range(&source, input.segment);
    let start = input.start.as_ref().map(|start| StartKey::of_scan(&source, start)).transpose()?;
    if let (Some(start), Some(segment)) = (&start, input.segment)
        && !whole.contains(&start.record_key(&source))
    {
        return Err(Error::validation(format!(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct \
             Segment. TotalSegments: {} Segment: {}",
            segment.total, segment.number
        ))
        .into());
    }
    let order = ScanOrder::Ascending;
    let plan = Plan {
        source,
        range: match &start {
            Some(start) => start.behind(&source, whole, order),
            None => whole,
        },
        order,
        limit: input.limit,
        filter: input.filter.as_ref(),
        select: &input.select,
        consistent: input.consistent,
        return_capacity: input.return_capacity,
    };
    plan.check()?;
    plan.read(view)
}

#[cfg(test)]
mod tests;
