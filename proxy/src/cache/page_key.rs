//! The key of a page: a Query or Scan, normalised, over table and index ids.
//!
//! Expression trees hold no placeholders, so that requests which differ only in the names of theirs are one key. What does
//! not change which items a page has is left out: what to report of capacity, and how strongly to read (strong reads never
//! come here). The form is injective: two requests of one key ask for the same page.
//!
//! It decides nothing about freshness; which stamps a page depends on stands here too, because both follow from the same
//! fields.

use api::expr::{Comparator, KeyTest};
use api::op::{QueryInput, ScanInput, Segment, Select};
use api::schema::{Index, IndexKind, IndexProjection};
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
    let is_partition = |name: &String| *name == schema.partition.name;
    let tests = &input.key_condition.tests;
    let mut of_partition = tests.iter().filter(|(name, _)| is_partition(name));
    // Of two tests of the partition the store will say what is wrong.
    let (Some((_, test)), None) = (of_partition.next(), of_partition.next()) else {
        return None;
    };
    let KeyTest::Compare(Comparator::Eq, value) = test else {
        return None;
    };
    if value.value_type() != schema.partition.value_type {
        return None;
    }

    out.push(QUERY);
    put(&(table.id, index.map(|index| index.id)), out)?;
    let from = out.len();
    order::encode_into(value, out)?;
    let dependencies = match judged_by(table, index, &input.select, input.filter.is_some()) {
        JudgedBy::Table => stamps.of_table_partition(hasher, table.id, &out[from..]),
        JudgedBy::Index(index) => stamps.of_index_partition(hasher, index, &out[from..]),
    };
    // The partition's value went first, whichever way round the tests were written. Its order-preserving form ends itself.
    put(&(tests.len() as u64), out)?;
    for (name, test) in tests.iter().filter(|(name, _)| !is_partition(name)) {
        put(&(name, test), out)?;
    }
    put(&(&input.filter, &input.select, input.limit, input.forward), out)?;
    put(&input.start, out)?;
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
            index.is_readable().then_some(Some(index))
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

#[cfg(test)]
mod tests {
    use api::AttributeValue;
    use api::Item;
    use api::expr::{Condition, KeyCondition, Operand, Path, Projection};
    use api::op::ReturnConsumedCapacity;
    use api::schema::IndexName;
    use proptest::prelude::*;

    use super::*;
    use crate::cache::tests::{string, table};

    fn path(name: &str) -> Path {
        Path { attribute: name.into(), steps: vec![] }
    }

    fn text() -> impl Strategy<Value = AttributeValue> {
        // Few and treacherous: what ends a form, what looks like a length, what is empty.
        prop::sample::select(vec!["a", "b", "ab", "a\0", "\0\0", "\u{1}a", "2"]).prop_map(string)
    }

    fn sort_test() -> impl Strategy<Value = KeyTest> {
        prop_oneof![
            (prop::sample::select(vec![Comparator::Eq, Comparator::Lt, Comparator::Ge]), text())
                .prop_map(|(comparator, value)| KeyTest::Compare(comparator, value)),
            (text(), text()).prop_map(|(low, high)| KeyTest::Between(low, high)),
            text().prop_map(KeyTest::BeginsWith),
        ]
    }

    fn filter() -> impl Strategy<Value = Option<Condition>> {
        prop::option::of((prop::sample::select(vec!["v", "w"]), text()).prop_map(|(name, value)| {
            Condition::Compare(Comparator::Eq, Operand::Path(path(name)), Operand::Value(value))
        }))
    }

    fn select() -> impl Strategy<Value = Select> {
        prop_oneof![
            Just(Select::AllAttributes),
            Just(Select::AllProjected),
            Just(Select::Count),
            prop::sample::subsequence(vec!["v", "w"], 1..=2).prop_map(|names| Select::Specific(Projection {
                paths: names.into_iter().map(path).collect()
            })),
        ]
    }

    fn start() -> impl Strategy<Value = Option<Item>> {
        prop::option::of((text(), text()).prop_map(|(pk, sk)| Item::new().with("pk", pk).with("sk", sk)))
    }

    prop_compose! {
        fn any_query()(
            global in any::<bool>(),
            partition in text(),
            sort in prop::option::of(sort_test()),
            filter in filter(),
            select in select(),
            limit in prop::option::of(1..3u32),
            forward in any::<bool>(),
            start in start(),
        ) -> QueryInput {
            let attribute = if global { "g" } else { "pk" };
            let mut tests = vec![(attribute.to_owned(), KeyTest::Compare(Comparator::Eq, partition))];
            tests.extend(sort.map(|test| ("sk".to_owned(), test)));
            QueryInput {
                table: table(1).name.clone(),
                index: global.then(|| IndexName::new("by-g").unwrap()),
                key_condition: KeyCondition { tests },
                filter,
                select,
                limit,
                consistent: false,
                forward,
                start,
                return_capacity: ReturnConsumedCapacity::None,
            }
        }
    }

    prop_compose! {
        fn any_scan()(
            global in any::<bool>(),
            filter in filter(),
            select in select(),
            limit in prop::option::of(1..3u32),
            segment in prop::option::of((0..2u32, 2..3u32)),
            start in start(),
        ) -> ScanInput {
            ScanInput {
                table: table(1).name.clone(),
                index: global.then(|| IndexName::new("by-g").unwrap()),
                filter,
                select,
                limit,
                consistent: false,
                segment: segment.map(|(number, total)| Segment { number, total }),
                start,
                return_capacity: ReturnConsumedCapacity::None,
            }
        }
    }

    fn of_query(input: &QueryInput) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        query(&Stamps::sized(0), &Hasher::new(1), &table(1), input, &mut out).map(|_| out)
    }

    fn of_scan(input: &ScanInput) -> Vec<u8> {
        let mut out = Vec::new();
        scan(&Stamps::sized(0), &table(1), input, &mut out).expect("a sound scan");
        out
    }

    /// Alters one part of a query, so that most pairs differ in one thing only.
    fn with_one_of(mut query: QueryInput, other: &QueryInput, which: u8) -> QueryInput {
        match which {
            0 if query.index == other.index => query.key_condition = other.key_condition.clone(),
            1 => query.filter = other.filter.clone(),
            2 => query.select = other.select.clone(),
            3 => query.limit = other.limit,
            4 => query.forward = other.forward,
            5 => query.start = other.start.clone(),
            _ => query = other.clone(),
        }
        query
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn two_queries_share_a_key_only_if_they_are_one(a in any_query(), b in any_query(), which in 0..7u8) {
            let b = with_one_of(a.clone(), &b, which);
            prop_assert_eq!(of_query(&a) == of_query(&b), a == b);
        }

        #[test]
        fn two_scans_share_a_key_only_if_they_are_one(a in any_scan(), b in any_scan()) {
            prop_assert_eq!(of_scan(&a) == of_scan(&b), a == b);
        }

        #[test]
        fn the_order_of_tests_the_strength_and_what_is_told_of_capacity_make_no_difference(a in any_query()) {
            let mut b = a.clone();
            b.key_condition.tests.reverse();
            b.return_capacity = ReturnConsumedCapacity::Indexes;
            prop_assert!(of_query(&a).is_some());
            prop_assert_eq!(of_query(&a), of_query(&b));
        }
    }

    #[test]
    fn a_scan_of_the_only_segment_is_one_of_the_whole() {
        let whole = ScanInput {
            table: table(1).name.clone(),
            index: None,
            filter: None,
            select: Select::AllAttributes,
            limit: None,
            consistent: false,
            segment: None,
            start: None,
            return_capacity: ReturnConsumedCapacity::None,
        };
        let only = ScanInput { segment: Some(Segment { number: 0, total: 1 }), ..whole.clone() };
        assert_eq!(of_scan(&whole), of_scan(&only));
    }

    #[test]
    fn what_the_store_will_refuse_has_no_key() {
        let sound = QueryInput {
            table: table(1).name.clone(),
            index: None,
            key_condition: KeyCondition { tests: vec![] },
            filter: None,
            select: Select::AllAttributes,
            limit: None,
            consistent: false,
            forward: true,
            start: None,
            return_capacity: ReturnConsumedCapacity::None,
        };
        let test =
            |name: &str, value: &str| (name.to_owned(), KeyTest::Compare(Comparator::Eq, string(value)));
        for tests in [
            vec![],
            vec![test("sk", "a")],
            vec![test("pk", "a"), test("pk", "b")],
            vec![("pk".to_owned(), KeyTest::BeginsWith(string("a")))],
            vec![("pk".to_owned(), KeyTest::Compare(Comparator::Eq, AttributeValue::Bool(true)))],
        ] {
            let input = QueryInput { key_condition: KeyCondition { tests }, ..sound.clone() };
            assert_eq!(of_query(&input), None);
        }
    }
}
