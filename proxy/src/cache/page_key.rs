//! The key of a page: a Query or Scan, normalised, over table and index ids.
//!
//! Expression trees hold no placeholders, so that requests which differ only in the names of theirs are one key. What does
//! not change which items a page has is left out: what to report of capacity, and how strongly to read (strong reads never
//! come here). The form is injective: two requests of one key ask for the same page.
//!
//! It decides nothing about freshness; which stamps a page depends on stands here too, because both follow from the same
//! fields.

use api::op::{QueryInput, ScanInput, Segment, Select};
use api::schema::{Index, IndexKind, IndexProjection, Status};
use api::value::order;
use api::{IndexId, Table};

use super::hash::Hasher;
use super::stamp::{Dependencies, Stamps};

/// Longest key of a page that is cached: an expression with all its values may be 2 MB long, which no page is worth.
pub(super) const PAGE_KEY_BYTES_MAX: usize = 64 * 1024;

const QUERY: u8 = 1;
const SCAN: u8 = 2;

/// Writes the key of a Query after what `out` holds. `None` where the page can't be cached: the request is one the store
/// will refuse, or its key is too long.
pub(super) fn query(
    stamps: &Stamps,
    hasher: &Hasher,
    table: &Table,
    input: &QueryInput,
    out: &mut Vec<u8>,
) -> Option<Dependencies> {
    let index = used_index(table, input.index.as_ref())?;
    let schema = index.map_or(&table.key, |index| &index.key);
    // The partition's test first, whichever way round they were written.
    let mut tests: Vec<_> = input.key_condition.tests.iter().collect();
    tests.sort_by_key(|(name, _)| *name != schema.partition.name);
    let (name, test) = tests.first()?;
    let api::expr::KeyTest::Compare(api::expr::Comparator::Eq, value) = test else {
        return None;
    };
    if *name != schema.partition.name || value.value_type() != schema.partition.value_type {
        return None;
    }
    let mut partition = Vec::new();
    order::encode_into(value, &mut partition)?;

    out.push(QUERY);
    put(&(table.id, index.map(|index| index.id)), out)?;
    put(&tests, out)?;
    put(&(&input.filter, &input.select, input.limit, input.forward), out)?;
    put(&input.start, out)?;

    let dependencies = match judged_by(table, index, &input.select, input.filter.is_some()) {
        JudgedBy::Table => stamps.of_table_partition(hasher, table.id, &partition),
        JudgedBy::Index(index) => stamps.of_index_partition(hasher, index, &partition),
    };
    (out.len() <= PAGE_KEY_BYTES_MAX).then_some(dependencies)
}

/// Writes the key of a Scan; as [`query`].
pub(super) fn scan(
    stamps: &Stamps,
    table: &Table,
    input: &ScanInput,
    out: &mut Vec<u8>,
) -> Option<Dependencies> {
    let index = used_index(table, input.index.as_ref())?;
    // The whole table is one segment of one.
    let segment = input.segment.unwrap_or(Segment { number: 0, total: 1 });
    out.push(SCAN);
    put(&(table.id, index.map(|index| index.id)), out)?;
    put(&(&input.filter, &input.select, input.limit, segment), out)?;
    put(&input.start, out)?;
    let id = match judged_by(table, index, &input.select, input.filter.is_some()) {
        JudgedBy::Table => table.id.0,
        JudgedBy::Index(index) => index.0,
    };
    let dependencies = stamps.of_whole(id);
    (out.len() <= PAGE_KEY_BYTES_MAX).then_some(dependencies)
}

/// The index a request names, if it can be read; the outer `None` where it can't.
fn used_index<'a>(table: &'a Table, name: Option<&api::schema::IndexName>) -> Option<Option<&'a Index>> {
    match name {
        None => Some(None),
        Some(name) => {
            let index = table.index(name)?;
            let readable = matches!(index.status, Status::Active | Status::Updating) && !index.backfilling;
            readable.then_some(Some(index))
        }
    }
}

enum JudgedBy {
    Table,
    Index(IndexId),
}

/// Whose stamps judge a page. A local index that lacks an attribute has it fetched from the table, so that such a page may
/// change with no change to the index.
fn judged_by(table: &Table, index: Option<&Index>, select: &Select, filtered: bool) -> JudgedBy {
    let Some(index) = index else {
        return JudgedBy::Table;
    };
    let fetches = index.kind == IndexKind::Local
        && index.projection != IndexProjection::All
        && (filtered || !matches!(select, Select::AllProjected | Select::Count));
    debug_assert!(table.indexes.iter().any(|of_table| of_table.id == index.id), "the index is the table's");
    if fetches { JudgedBy::Table } else { JudgedBy::Index(index.id) }
}

fn put(part: &impl serde::Serialize, out: &mut Vec<u8>) -> Option<()> {
    // Serialising to memory fails only for types that the format lacks, which none of ours is.
    let written = postcard::to_extend(part, std::mem::take(out)).ok()?;
    *out = written;
    Some(())
}
