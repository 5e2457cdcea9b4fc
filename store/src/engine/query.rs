//! `Query`: one partition of a table or index, in order of its sort keys.

use std::collections::BTreeSet;

use api::expr::{Condition, KeyRange, SortRange};
use api::op::{QueryInput, QueryOutput};
use api::schema::{KeyRole, KeySchema};
use api::value::order;
use api::{AttributeValue, Error, Item};

use super::page::{Plan, Source, StartKey, sort_range};
use super::view::View;
use crate::db::ScanOrder;
use crate::error::EngineError;

/// Reads a page of a partition. Errors, in this order: unknown table or index; a start key that is none; a key condition
/// that is not of the schema; a start key outside of it; what is asked of the items.
pub fn query(view: &View<'_>, input: &QueryInput) -> Result<QueryOutput, EngineError> {
    let table = view.table(&input.table)?;
    let source = Source::of(table, input.index.as_ref(), input.consistent)?;
    let start = input.start.as_ref().map(|start| StartKey::of_query(&source, start)).transpose()?;
    let condition = input.key_condition.resolve(source.key())?;
    check_values(&source, &condition)?;
    let partition = order::encode(&condition.partition).ok_or_else(outside)?;
    if let (Some(start), Some(attributes)) = (&start, &input.start) {
        check_start(
            source.key(),
            &condition,
            attributes,
            start.partition().as_ref() == partition.as_slice(),
        )?;
    }
    let plan = Plan {
        source,
        range: sort_range(&source.partition_prefix(&partition), &condition.sort)?,
        order: if input.forward { ScanOrder::Ascending } else { ScanOrder::Descending },
        limit: input.limit,
        filter: input.filter.as_ref(),
        select: &input.select,
        consistent: input.consistent,
        return_capacity: input.return_capacity,
    };
    if let Some(filter) = plan.filter {
        check_filter(&source, filter)?;
    }
    plan.check()?;
    let range = match &start {
        Some(start) => start.behind(&source, plan.range.clone(), plan.order),
        None => plan.range.clone(),
    };
    Plan { range, ..plan }.read(view)
}

/// A filter may name no key of what is read, and nothing that an index does not have: not even a local index fetches an
/// item for a filter.
fn check_filter(source: &Source<'_>, filter: &Condition) -> Result<(), Error> {
    let attributes: BTreeSet<&str> = filter.paths().into_iter().map(|path| path.attribute.as_str()).collect();
    if let Some(part) = source.key().attributes().find(|part| attributes.contains(part.name.as_str())) {
        return Err(Error::validation(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {}",
            part.name
        )));
    }
    let Some(index) = source.index else { return Ok(()) };
    let missing: Vec<&str> =
        attributes.into_iter().filter(|attribute| !index.projects(source.table, attribute)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::validation(format!(
        "One or more parameter values were invalid: Secondary index {} does not project one or more filter attributes: \
         [{}]",
        index.name,
        missing.join(", ")
    )))
}

/// The values of a key condition must be such as a key can have.
fn check_values(source: &Source<'_>, condition: &KeyRange) -> Result<(), Error> {
    let key = source.key();
    check_value(source, KeyRole::Partition, &key.partition.name, &condition.partition)?;
    let Some(sort) = &key.sort else { return Ok(()) };
    let (one, two) = match &condition.sort {
        SortRange::All => return Ok(()),
        SortRange::Compare(_, value) | SortRange::BeginsWith(value) => (value, None),
        SortRange::Between(lower, upper) => (lower, Some(upper)),
    };
    std::iter::once(one)
        .chain(two)
        .try_for_each(|value| check_value(source, KeyRole::Sort, &sort.name, value))
}

fn check_value(source: &Source<'_>, role: KeyRole, name: &str, value: &AttributeValue) -> Result<(), Error> {
    let empty = match value {
        AttributeValue::S(text) if text.is_empty() => "string",
        AttributeValue::B(bytes) if bytes.is_empty() => "binary",
        AttributeValue::S(text) => return check_bytes(role, text.len()),
        AttributeValue::B(bytes) => return check_bytes(role, bytes.len()),
        _ => return Ok(()),
    };
    Err(Error::validation(match source.index {
        None => format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
             {empty} value. Key: {name}"
        ),
        Some(index) => format!(
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. \
             The AttributeValue for a key attribute cannot contain an empty {empty} value. IndexName: {}, IndexKey: \
             {name}",
            index.name
        ),
    }))
}

fn check_bytes(role: KeyRole, bytes: usize) -> Result<(), Error> {
    if bytes > role.limit_bytes() { Err(role.too_long()) } else { Ok(()) }
}

fn outside() -> Error {
    Error::validation("The provided starting key is outside query boundaries based on provided conditions")
}

/// A start key must lie where the query reads.
fn check_start(
    key: &KeySchema,
    condition: &KeyRange,
    start: &Item,
    same_partition: bool,
) -> Result<(), Error> {
    let sort = key.sort.as_ref().filter(|_| condition.sort != SortRange::All);
    match sort.and_then(|sort| start.get(&sort.name)) {
        None if same_partition => Ok(()),
        None => Err(outside()),
        Some(value) if !condition.sort.contains(value) => {
            Err(Error::validation("The provided starting key does not match the range key predicate"))
        }
        Some(_) if same_partition => Ok(()),
        Some(_) => Err(Error::validation("The query can return at most one row and cannot be restarted")),
    }
}

#[cfg(test)]
mod tests;
