//! `DescribeTable`, and the description that other table operations answer with.

use std::sync::Arc;

use api::Table;
use api::op::{DescribeTableInput, DescribeTableOutput, TableDescription};

use super::view::View;
use crate::error::{EngineError, named_table_not_found};
use crate::kv;
use crate::kv::counters::Counters;

/// Describes a table in whatever state it is.
pub fn describe_table(
    view: &View<'_>,
    input: &DescribeTableInput,
) -> Result<DescribeTableOutput, EngineError> {
    let table = view
        .tables()
        .get(&input.table)
        .ok_or_else(|| EngineError::from(named_table_not_found(input.table.as_str())))?;
    let counters = match view.get(&kv::counters::key(table.id))? {
        Some(value) => Counters::decode(&value)?,
        None => Counters::default(),
    };
    Ok(DescribeTableOutput { description: describe(table, &counters) })
}

/// A table with its sizes.
pub fn describe(table: &Arc<Table>, counters: &Counters) -> TableDescription {
    TableDescription {
        table: Arc::clone(table),
        size: counters.table,
        index_sizes: table.indexes.iter().map(|index| counters.index(index.id)).collect(),
    }
}
