//! Key conditions.

use super::*;
use crate::expr::{Comparator, KeyRange, KeyTest, SortRange};
use crate::schema::{KeyAttribute, KeySchema};
use crate::value::ValueType;

fn key(sort: Option<ValueType>) -> KeySchema {
    let attribute = |name: &str, value_type| KeyAttribute { name: name.to_owned(), value_type };
    KeySchema {
        partition: attribute("pk", ValueType::S),
        sort: sort.map(|value_type| attribute("sk", value_type)),
    }
}

fn resolve(text: &str, sort: Option<ValueType>) -> Result<KeyRange, Error> {
    placeholders().key_condition(text).and_then(|condition| condition.resolve(&key(sort)))
}

#[test]
fn a_key_condition_gives_a_partition_and_a_range() {
    for (text, sort) in [
        ("pk = :s", SortRange::All),
        (":s = pk", SortRange::All),
        ("(pk = :s)", SortRange::All),
        ("pk = :s AND sk = :s2", SortRange::Compare(Comparator::Eq, s("z"))),
        ("sk < :s2 AND pk = :s", SortRange::Compare(Comparator::Lt, s("z"))),
        ("pk = :s AND :s2 < sk", SortRange::Compare(Comparator::Gt, s("z"))),
        ("pk = :s AND :s2 >= sk", SortRange::Compare(Comparator::Le, s("z"))),
        ("(pk = :s) AND (sk BETWEEN :s AND :s2)", SortRange::Between(s("a"), s("z"))),
        ("pk = :s AND begins_with(sk, :s2)", SortRange::BeginsWith(s("z"))),
    ] {
        let range = resolve(text, Some(ValueType::S)).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(range, KeyRange { partition: s("a"), sort }, "{text}");
    }
    assert_eq!(resolve("pk = :s", None).unwrap(), KeyRange { partition: s("a"), sort: SortRange::All });
}

#[test]
fn a_range_knows_its_sort_keys() {
    let range = |text: &str| resolve(text, Some(ValueType::S)).unwrap().sort;
    assert!(range("pk = :s").contains(&n("1")));
    let between = range("pk = :s AND sk BETWEEN :s AND :s2");
    assert!(between.contains(&s("a")) && between.contains(&s("z")) && !between.contains(&s("za")));
    let above = range("pk = :s AND sk > :s");
    assert!(!above.contains(&s("a")) && above.contains(&s("aa")));
    let prefix = range("pk = :s AND begins_with(sk, :s2)");
    assert!(prefix.contains(&s("zebra")) && !prefix.contains(&s("a")));
}

#[test]
fn what_a_key_condition_can_not_have_is_refused_by_name() {
    let refused = |text: &str| message(placeholders().key_condition(text));
    for (text, operator) in [
        ("pk = :s OR sk = :s", "OR"),
        ("NOT pk = :s", "NOT"),
        ("pk IN (:s)", "IN"),
        ("pk <> :s", "<>"),
        ("attribute_exists(pk)", "attribute_exists"),
        ("attribute_not_exists(pk)", "attribute_not_exists"),
        ("attribute_type(pk, :type)", "attribute_type"),
        ("contains(pk, :s)", "contains"),
    ] {
        assert_eq!(
            refused(text),
            format!("Invalid operator used in KeyConditionExpression: {operator}"),
            "{text}"
        );
    }
    for (text, problem) in [
        ("size(pk) = :n", "KeyConditionExpressions cannot contain nested operations"),
        (
            "pk = sk",
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (":s = :s2", "Invalid condition in KeyConditionExpression: No key attribute specified"),
        (
            ":s BETWEEN pk AND :s2",
            "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first \
             operand",
        ),
        (
            "begins_with(:s, pk)",
            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its \
             first operand",
        ),
        ("pk.x = :s", "KeyConditionExpressions cannot have conditions on nested attributes"),
        (
            "pk = :s AND begins_with(sk[0], :s)",
            "KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        ("pk = :s AND :s < sk.x", "KeyConditionExpressions cannot have conditions on nested attributes"),
        (
            "pk = :s AND sk > :s AND sk < :s2",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
    ] {
        assert_eq!(refused(text), problem, "{text}");
    }
    assert_eq!(
        refused("status = :s"),
        "Invalid KeyConditionExpression: Attribute name is a reserved keyword; reserved keyword: status"
    );
    // Operands that no key could have, and which of several faults is told: captured from the service in October 2026.
    let operand = |function: &str, kind: &str| {
        format!(
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: \
             {function}, operand type: {kind}"
        )
    };
    let missing = "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; \
                   attribute value: :missing";
    for (text, problem) in [
        ("pk = :s AND begins_with(sk, :n)", operand("begins_with", "N")),
        ("pk = :s AND begins_with(sk, :t)", operand("begins_with", "BOOL")),
        ("pk = :s AND sk < :t", operand("<", "BOOL")),
        ("pk = :s AND :t >= sk", operand(">=", "BOOL")),
        ("pk = :s AND sk BETWEEN :t AND :t", operand("BETWEEN", "BOOL")),
        ("pk = :missing AND begins_with(sk, :n)", missing.to_owned()),
        ("begins_with(sk, :n) AND pk = :missing", operand("begins_with", "N")),
        ("pk = :s AND begins_with(sk, :n) AND sk = :missing", operand("begins_with", "N")),
        ("pk = :s AND begins_with(sk, :n) AND sk > :s", operand("begins_with", "N")),
    ] {
        assert_eq!(refused(text), problem, "{text}");
    }
}

#[test]
fn a_key_condition_must_fit_the_schema() {
    let missed = |name: &str| format!("Query condition missed key schema element: {name}");
    let unsupported = "Query key condition not supported";
    let exceeds = |tests: usize, attributes: usize| {
        format!(
            "The number of query conditions ({tests}) exceeds the number of key attributes defined in the schema \
             ({attributes})"
        )
    };
    let mismatch =
        "One or more parameter values were invalid: Condition parameter type does not match schema type";
    for (text, sort, problem) in [
        ("x = :s", Some(ValueType::S), missed("pk")),
        ("sk = :s", Some(ValueType::S), missed("pk")),
        ("pk = :s AND x = :s", Some(ValueType::S), missed("sk")),
        ("sk = :s AND x = :s", Some(ValueType::S), missed("pk")),
        ("pk = :s AND sk = :s", None, exceeds(2, 1)),
        ("pk = :s AND sk > :s AND x = :s", Some(ValueType::S), exceeds(3, 2)),
        ("pk = :ss", Some(ValueType::S), mismatch.to_owned()),
        ("pk = :s AND sk = :t", Some(ValueType::N), mismatch.to_owned()),
        ("pk > :s", Some(ValueType::S), unsupported.to_owned()),
        ("begins_with(pk, :s)", Some(ValueType::S), unsupported.to_owned()),
        ("pk BETWEEN :s AND :s2 AND sk = :s", Some(ValueType::S), unsupported.to_owned()),
        ("pk = :n", Some(ValueType::S), mismatch.to_owned()),
        ("pk > :n", Some(ValueType::S), mismatch.to_owned()),
        ("pk = :s AND sk = :s", Some(ValueType::N), mismatch.to_owned()),
        ("pk = :s AND begins_with(sk, :s)", Some(ValueType::N), mismatch.to_owned()),
    ] {
        assert_eq!(message(resolve(text, sort)), problem, "{text}");
    }
}

#[test]
fn foreign_key_conditions_are_checked_alike() {
    let test = |value: AttributeValue| KeyTest::Compare(Comparator::Eq, value);
    let condition = |tests: Vec<(&str, KeyTest)>| KeyCondition {
        tests: tests.into_iter().map(|(name, test)| (name.to_owned(), test)).collect(),
    };
    condition(vec![("pk", test(s("a")))]).validate().unwrap();
    assert_eq!(message(condition(vec![]).validate()), "Conditions can be of length 1 or 2 only");
    assert_eq!(
        message(condition(vec![("pk", test(s("a"))), ("pk", test(s("a")))]).validate()),
        "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
    );
    assert_eq!(
        message(condition(vec![("pk", KeyTest::Compare(Comparator::Ne, s("a")))]).resolve(&key(None))),
        "Invalid operator used in KeyConditionExpression: <>"
    );
    assert_eq!(
        message(condition(vec![("pk", KeyTest::Between(n("2"), n("1")))]).validate()),
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    );
    key_condition("pk = :s").validate().unwrap();
}
