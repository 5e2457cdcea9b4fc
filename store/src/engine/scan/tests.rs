use std::collections::BTreeSet;

use api::expr::{Condition, Path};
use api::op::{Page, ReturnConsumedCapacity, Segment, Select};
use api::schema::IndexName;
use api::{AttributeValue, Item, TableName};
use proptest::prelude::*;

use super::*;
use crate::engine::page::testing::{Fixture, key, s};

fn of(index: Option<&str>) -> ScanInput {
    ScanInput {
        table: TableName::new("things").unwrap(),
        index: index.and_then(IndexName::new),
        filter: None,
        select: if index.is_some() { Select::AllProjected } else { Select::AllAttributes },
        limit: None,
        consistent: false,
        segment: None,
        start: None,
        return_capacity: ReturnConsumedCapacity::Total,
    }
}

fn run(fixture: &Fixture, input: &ScanInput) -> Page {
    fixture.read(|view| scan(view, input)).unwrap()
}

fn refused(input: &ScanInput) -> String {
    Error::from(Fixture::new().read(|view| scan(view, input)).unwrap_err()).message.into_owned()
}

fn name(item: &Item) -> (String, String) {
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        Some(AttributeValue::N(number)) => number.to_string(),
        _ => String::new(),
    };
    (text("pk"), text("sk"))
}

/// Every page, one after the other.
fn all_pages(fixture: &Fixture, mut input: ScanInput) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for _ in 0..1000 {
        let page = run(fixture, &input);
        all.extend(page.items.unwrap().iter().map(|body| name(&body.to_item())));
        match page.last_key {
            None => return all,
            start => input.start = start,
        }
    }
    panic!("a scan of few items has no thousand pages");
}

#[test]
fn a_scan_may_filter_by_a_key_and_counts_what_it_read() {
    let fixture = Fixture::new();
    for sort in 0..4 {
        fixture.put(&key("a", sort).with("v", s(&"x".repeat(4000))));
    }
    let filter = Some(Condition::AttributeNotExists(Path::attribute("pk")));
    let page = run(&fixture, &ScanInput { filter, consistent: true, ..of(None) });
    assert_eq!((page.count, page.scanned_count), (0, 4));
    assert_eq!(page.capacity.unwrap().total.units, 4.0);
}

#[test]
fn only_items_with_the_whole_index_key_are_in_the_index() {
    let fixture = Fixture::new();
    fixture.put(&key("a", 1).with("kind", s("k")).with("body", s("b")));
    fixture.put(&key("a", 2));
    let page = run(&fixture, &ScanInput { limit: Some(1), ..of(Some("by_kind")) });
    assert_eq!(page.items.unwrap()[0].to_item().get("body"), Some(&s("b")));
    assert_eq!(page.last_key, Some(key("a", 1).with("kind", s("k"))));
    assert_eq!(run(&fixture, &of(Some("by_owner"))).count, 0);
}

#[test]
fn start_keys_are_judged_by_source_and_share() {
    let with = |index, start| refused(&ScanInput { start: Some(start), ..of(index) });
    assert_eq!(
        with(None, Item::new()),
        "The provided starting key is invalid: The provided key element does not match the schema"
    );
    assert_eq!(with(Some("by_kind"), key("a", 1)), "The provided starting key is invalid");
    assert_eq!(
        with(Some("by_kind"), key("a", 1).with("kind", AttributeValue::Null)),
        "The provided key element does not match the schema"
    );
    let share = |number| ScanInput {
        start: Some(key("a", 1)),
        segment: Some(Segment { number, total: 2 }),
        ..of(None)
    };
    let refusals: Vec<_> = [0, 1]
        .into_iter()
        .filter(|number| Fixture::new().read(|view| scan(view, &share(*number))).is_err())
        .collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        refused(&share(refusals[0])),
        format!(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct \
             Segment. TotalSegments: 2 Segment: {}",
            refusals[0]
        )
    );
}

proptest! {
    #[test]
    fn shares_joined_are_the_whole_and_meet_nowhere(
        keys in proptest::collection::btree_set(("[a-h]{1,2}", -3i64..3), 0..40),
        limit in proptest::option::of(1u32..4),
        total in 1u32..9,
        on_index: bool,
    ) {
        let fixture = Fixture::new();
        for (partition, sort) in &keys {
            fixture.put(&key(partition, *sort).with("kind", s(partition)));
        }
        let input = ScanInput { limit, ..of(on_index.then_some("by_kind")) };
        let whole = all_pages(&fixture, input.clone());
        let expected: BTreeSet<_> = keys.iter().map(|(partition, sort)| (partition.clone(), sort.to_string())).collect();
        prop_assert_eq!(whole.len(), expected.len());
        prop_assert_eq!(whole.iter().cloned().collect::<BTreeSet<_>>(), expected);
        let shares = (0..total).flat_map(|number| {
            all_pages(&fixture, ScanInput { segment: Some(Segment { number, total }), ..input.clone() })
        });
        prop_assert_eq!(shares.collect::<Vec<_>>(), whole);
    }
}
