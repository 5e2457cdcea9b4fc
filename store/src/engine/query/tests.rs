use api::expr::{Comparator, Condition, KeyCondition, KeyTest, Operand, Path, Step};
use api::op::{Page, ReturnConsumedCapacity, Select};
use api::schema::IndexName;
use api::{ItemBody, TableName};
use proptest::prelude::*;

use super::*;
use crate::engine::page::testing::{Fixture, key, n, projection, s, sample_table};

fn of(index: Option<&str>, tests: Vec<(&str, KeyTest)>) -> QueryInput {
    QueryInput {
        table: TableName::new("things").unwrap(),
        index: index.and_then(IndexName::new),
        key_condition: KeyCondition {
            tests: tests.into_iter().map(|(name, test)| (name.to_owned(), test)).collect(),
        },
        filter: None,
        select: if index.is_some() { Select::AllProjected } else { Select::AllAttributes },
        limit: None,
        consistent: false,
        forward: true,
        start: None,
        return_capacity: ReturnConsumedCapacity::Indexes,
    }
}

fn eq(value: AttributeValue) -> KeyTest {
    KeyTest::Compare(Comparator::Eq, value)
}

fn run(fixture: &Fixture, input: &QueryInput) -> Page {
    fixture.read(|view| query(view, input)).unwrap()
}

fn refused(input: &QueryInput) -> String {
    Error::from(Fixture::new().read(|view| query(view, input)).unwrap_err()).message.into_owned()
}

fn items(page: &Page) -> Vec<Item> {
    page.items.as_ref().unwrap().iter().map(|body| (*body.to_item()).clone()).collect()
}

fn dated(partition: &str, sort: i64, date: &str) -> Item {
    key(partition, sort).with("date", s(date)).with("body", s("text"))
}

#[test]
fn a_partition_is_read_in_order_of_its_sort_keys_both_ways() {
    let fixture = Fixture::new();
    for sort in [10, -3, 2, 100] {
        fixture.put(&key("a", sort));
        fixture.put(&key("b", sort));
    }
    let input = of(None, vec![("pk", eq(s("a")))]);
    let sorted: Vec<_> = [-3, 2, 10, 100].map(|sort| key("a", sort)).into();
    assert_eq!(items(&run(&fixture, &input)), sorted);
    let backward = run(&fixture, &QueryInput { forward: false, ..input });
    assert_eq!(items(&backward), sorted.into_iter().rev().collect::<Vec<_>>());
    assert_eq!((backward.count, backward.scanned_count, backward.last_key), (4, 4, None));
}

#[test]
fn items_are_answered_as_stored_unless_a_part_is_asked_for() {
    let fixture = Fixture::new();
    fixture.put(&dated("a", 1, "d"));
    let input = of(None, vec![("pk", eq(s("a")))]);
    assert!(matches!(run(&fixture, &input).items.unwrap()[..], [ItemBody::Encoded(_)]));
    let some = QueryInput { select: Select::Specific(projection(&["date"])), ..input.clone() };
    assert_eq!(items(&run(&fixture, &some)), [Item::new().with("date", s("d"))]);
    let count = run(&fixture, &QueryInput { select: Select::Count, ..input });
    assert_eq!((count.items, count.count), (None, 1));
}

#[test]
fn the_filter_is_judged_after_an_item_was_counted() {
    let fixture = Fixture::new();
    for sort in 0..6 {
        fixture.put(&key("a", sort).with("even", AttributeValue::Bool(sort % 2 == 0)));
    }
    let filter = Condition::Compare(
        Comparator::Eq,
        Operand::Path(Path::attribute("even")),
        Operand::Value(AttributeValue::Bool(true)),
    );
    let input = QueryInput { filter: Some(filter), limit: Some(3), ..of(None, vec![("pk", eq(s("a")))]) };
    let page = run(&fixture, &input);
    assert_eq!((page.count, page.scanned_count), (2, 3));
    assert_eq!(page.last_key, Some(key("a", 2)));
    let rest = run(&fixture, &QueryInput { start: page.last_key, ..input.clone() });
    assert_eq!((rest.count, rest.scanned_count), (1, 3));
    // The limit was reached, so there is a next page, though nothing is on it.
    let nothing = run(&fixture, &QueryInput { start: rest.last_key, ..input });
    assert_eq!((nothing.count, nothing.scanned_count, nothing.last_key), (0, 0, None));
    assert_eq!(nothing.capacity.unwrap().total.units, 0.5);
}

#[test]
fn a_page_ends_with_the_item_that_crosses_1_mb() {
    let fixture = Fixture::new();
    for sort in 0..5 {
        fixture.put(&key("a", sort).with("v", s(&"x".repeat(300 * 1024))));
    }
    let input = of(None, vec![("pk", eq(s("a")))]);
    let page = run(&fixture, &QueryInput { consistent: true, ..input.clone() });
    assert_eq!((page.count, page.last_key.clone()), (4, Some(key("a", 3))));
    assert_eq!(page.capacity.unwrap().total.units, 301.0);
    assert_eq!(run(&fixture, &QueryInput { start: page.last_key, ..input }).count, 1);
}

#[test]
fn a_local_index_fetches_what_it_does_not_have() {
    let fixture = Fixture::new();
    for (sort, date) in [(1, "c"), (2, "a"), (3, "b")] {
        fixture.put(&dated("a", sort, date));
    }
    fixture.put(&key("a", 4));
    let input = of(Some("by_date"), vec![("pk", eq(s("a")))]);
    let page = run(&fixture, &input);
    let sorts: Vec<_> = items(&page).iter().map(|item| item.get("sk").cloned().unwrap()).collect();
    assert_eq!(sorts, [n(2), n(3), n(1)]);
    assert_eq!(items(&page)[0], key("a", 2).with("date", s("a")));
    let capacity = page.capacity.unwrap();
    assert_eq!((capacity.own.unwrap().units, capacity.local["by_date"].units), (0.0, 0.5));

    let whole = run(&fixture, &QueryInput { select: Select::AllAttributes, ..input.clone() });
    assert_eq!(items(&whole)[0], dated("a", 2, "a"));
    let capacity = whole.capacity.unwrap();
    assert_eq!((capacity.own.unwrap().units, capacity.total.units), (1.5, 2.0));

    let body =
        QueryInput { select: Select::Specific(projection(&["body"])), limit: Some(1), ..input.clone() };
    let page = run(&fixture, &body);
    assert_eq!(items(&page), [Item::new().with("body", s("text"))]);
    assert_eq!(page.last_key, Some(key("a", 2).with("date", s("a"))));

    fixture.remove_item_alone(&key("a", 2));
    assert!(
        fixture.read(|view| query(view, &body)).is_err(),
        "an entry without its item must not pass silently"
    );
}

#[test]
fn a_global_index_gives_only_what_it_has() {
    let fixture = Fixture::new();
    fixture.put(&dated("a", 1, "d").with("owner", s("o")).with("color", s("red")));
    let input = of(Some("by_owner"), vec![("owner", eq(s("o")))]);
    let page = run(&fixture, &QueryInput { limit: Some(1), ..input.clone() });
    let expected = key("a", 1).with("date", s("d")).with("owner", s("o")).with("color", s("red"));
    assert_eq!(items(&page), [expected]);
    assert_eq!(page.last_key, Some(key("a", 1).with("date", s("d")).with("owner", s("o"))));
    assert_eq!(page.capacity.unwrap().global["by_owner"].units, 0.5);

    let all = QueryInput { select: Select::AllAttributes, ..input.clone() };
    assert_eq!(
        refused(&all),
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary \
         index by_owner because its projection type is not ALL"
    );
    let body = QueryInput { select: Select::Specific(projection(&["color", "body"])), ..input.clone() };
    assert_eq!(
        refused(&body),
        "One or more parameter values were invalid: Global secondary index by_owner does not project [body]"
    );
    assert_eq!(
        refused(&QueryInput { consistent: true, ..input }),
        "Consistent reads are not supported on global secondary indexes"
    );
    assert_eq!(
        refused(&of(Some("nothing"), vec![("owner", eq(s("o")))])),
        "The table does not have the specified index: nothing"
    );
}

#[test]
fn an_index_that_is_being_filled_is_not_read() {
    let mut table = sample_table();
    table.indexes[1].backfilling = true;
    let input = of(Some("by_owner"), vec![("owner", eq(s("o")))]);
    let error = Fixture::of(table).read(|view| query(view, &input)).unwrap_err();
    assert_eq!(Error::from(error).message, "Cannot read from backfilling global secondary index: by_owner");
}

#[test]
fn key_conditions_are_judged_beside_the_schema() {
    let range = |test| of(None, vec![("pk", eq(s("a"))), ("sk", test)]);
    for (input, expected) in [
        (of(None, vec![("sk", eq(n(1)))]), "Query condition missed key schema element: pk"),
        (
            of(None, vec![("pk", eq(s("a"))), ("x", eq(n(1)))]),
            "Query condition missed key schema element: sk",
        ),
        (
            of(None, vec![("pk", KeyTest::Compare(Comparator::Gt, s("a")))]),
            "Query key condition not supported",
        ),
        (
            range(eq(s("1"))),
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            of(None, vec![("pk", eq(s("")))]),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
             string value. Key: pk",
        ),
        (
            of(None, vec![("pk", eq(s(&"x".repeat(2049))))]),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            of(Some("by_owner"), vec![("owner", eq(s("o"))), ("date", KeyTest::BeginsWith(s("")))]),
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. \
             The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by_owner, \
             IndexKey: date",
        ),
    ] {
        assert_eq!(refused(&input), expected);
    }
}

#[test]
fn a_start_key_must_lie_where_the_query_reads() {
    let input = of(None, vec![("pk", eq(s("a")))]);
    let with = |input: &QueryInput, start: Item| refused(&QueryInput { start: Some(start), ..input.clone() });
    let invalid = "The provided starting key is invalid";
    assert_eq!(with(&input, Item::new()), invalid);
    assert_eq!(
        with(&input, key("a", 1).with("sk", s("x"))),
        "The provided starting key is invalid: The provided key element does not match the schema"
    );
    let outside = "The provided starting key is outside query boundaries based on provided conditions";
    assert_eq!(with(&input, key("b", 1)), outside);
    let above = of(None, vec![("pk", eq(s("a"))), ("sk", KeyTest::Compare(Comparator::Gt, n(5)))]);
    assert_eq!(with(&above, key("a", 5)), "The provided starting key does not match the range key predicate");
    assert_eq!(with(&above, key("b", 6)), "The query can return at most one row and cannot be restarted");
    let index = of(Some("by_owner"), vec![("owner", eq(s("o")))]);
    assert_eq!(with(&index, key("a", 1)), invalid);
    assert_eq!(with(&index, key("a", 1).with("owner", s("o")).with("other", s("d"))), invalid);
    assert_eq!(with(&index, key("a", 1).with("owner", s("p")).with("date", s("d"))), outside);
}

#[test]
fn the_filter_names_no_key_and_nothing_the_index_lacks() {
    let filter = |name: &str| Some(Condition::AttributeExists(Path::attribute(name)));
    let input = of(None, vec![("pk", eq(s("a")))]);
    assert_eq!(
        refused(&QueryInput { filter: filter("sk"), ..input.clone() }),
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"
    );
    let index = QueryInput { filter: filter("sk"), ..of(Some("by_owner"), vec![("owner", eq(s("o")))]) };
    assert_eq!(run(&Fixture::new(), &index).count, 0);
    for (name, key) in [("by_owner", "owner"), ("by_date", "pk")] {
        let unprojected = QueryInput { filter: filter("body"), ..of(Some(name), vec![(key, eq(s("o")))]) };
        assert_eq!(
            refused(&unprojected),
            format!(
                "One or more parameter values were invalid: Secondary index {name} does not project one or more filter \
                 attributes: [body]"
            )
        );
    }
    let mut into_key = projection(&["owner"]);
    into_key.paths[0].steps.push(Step::Field("x".to_owned()));
    assert_eq!(
        refused(&QueryInput { select: Select::Specific(into_key), ..input }),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: owner"
    );
}

/// Every page, one after the other.
fn all_pages(fixture: &Fixture, mut input: QueryInput) -> Vec<Item> {
    let mut all = Vec::new();
    for _ in 0..1000 {
        let page = run(fixture, &input);
        assert!(page.scanned_count <= input.limit.unwrap_or(u32::MAX));
        all.extend(items(&page));
        match page.last_key {
            None => return all,
            start => input.start = start,
        }
    }
    panic!("a query of few items has no thousand pages");
}

proptest! {
    #[test]
    fn pages_joined_are_the_sorted_items_that_match(
        things in proptest::collection::btree_map(("[ab]", -4i64..4), ("[x-z\u{0}]{0,2}", "[op]", any::<bool>()), 0..24),
        on in 0usize..3,
        forward: bool,
        limit in proptest::option::of(1u32..5),
        bounds in ("[x-z\u{0}]{1,2}", "[x-z\u{0}]{1,2}"),
        kind in 0usize..7,
    ) {
        let fixture = Fixture::new();
        let mut whole = Vec::new();
        for ((partition, sort), (date, owner, full)) in things {
            let mut item = key(&partition, sort).with("owner", s(&owner));
            if full && !date.is_empty() {
                item = item.with("date", s(&date));
            }
            fixture.put(&item);
            whole.push(item);
        }
        let (index, partition, sort) = [
            (None, ("pk", s("a")), "sk"),
            (Some("by_date"), ("pk", s("a")), "date"),
            (Some("by_owner"), ("owner", s("o")), "date"),
        ][on].clone();
        let (low, high) = if on == 0 {
            (n(bounds.0.len() as i64 - 3), n(bounds.1.len() as i64))
        } else {
            let (low, high) = if bounds.0 <= bounds.1 { bounds } else { (bounds.1, bounds.0) };
            (s(&low), s(&high))
        };
        let comparators = [Comparator::Eq, Comparator::Lt, Comparator::Le, Comparator::Gt, Comparator::Ge];
        let test = match kind {
            5 => KeyTest::Between(low, high),
            6 if on > 0 => KeyTest::BeginsWith(low),
            6 => KeyTest::Between(low, high),
            kind => KeyTest::Compare(comparators[kind], low),
        };
        let range = match test.clone() {
            KeyTest::Compare(comparator, value) => SortRange::Compare(comparator, value),
            KeyTest::Between(low, high) => SortRange::Between(low, high),
            KeyTest::BeginsWith(prefix) => SortRange::BeginsWith(prefix),
        };
        let mut expected: Vec<_> = whole
            .into_iter()
            .filter(|item| item.get(partition.0) == Some(&partition.1))
            .filter(|item| item.get(sort).is_some_and(|value| range.contains(value)))
            .collect();
        // Behind the sort key stands the table's key in its form, so that ties have an order too.
        let table = sample_table();
        expected.sort_by_key(|item| {
            let own = item.get(sort).and_then(order::encode);
            (own, table.key_of_item(item).unwrap().as_bytes().clone())
        });
        if !forward {
            expected.reverse();
        }
        let select = if on == 1 { Select::AllAttributes } else { of(index, vec![]).select };
        let input = QueryInput {
            forward,
            limit,
            select,
            ..of(index, vec![(partition.0, eq(partition.1)), (sort, test)])
        };
        prop_assert_eq!(all_pages(&fixture, input), expected);
    }
}
