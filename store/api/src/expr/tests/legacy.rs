//! Legacy parameters as trees.

use super::*;
use crate::expr::legacy::{
    ComparisonOperator, ConditionalOperator, Expectation, UpdateActionName, attribute_update,
    check_conditional_operator, comparison, expectation, join, key_condition as legacy_key_condition,
};

fn filter(operator: &str, values: &[AttributeValue]) -> Result<Condition, Error> {
    comparison("a", ComparisonOperator::from_name(operator).unwrap(), values.to_vec())
}

#[test]
fn operators_become_the_conditions_that_expressions_write() {
    for (operator, values, text) in [
        ("EQ", vec![s("a")], "a = :s"),
        ("NE", vec![s("a")], "a <> :s"),
        ("LT", vec![n("1")], "a < :n"),
        ("LE", vec![n("1")], "a <= :n"),
        ("GT", vec![n("1")], "a > :n"),
        ("GE", vec![n("1")], "a >= :n"),
        ("NULL", vec![], "attribute_not_exists(a)"),
        ("NOT_NULL", vec![], "attribute_exists(a)"),
        ("CONTAINS", vec![s("a")], "contains(a, :s)"),
        ("NOT_CONTAINS", vec![s("a")], "attribute_exists(a) AND NOT contains(a, :s)"),
        ("BEGINS_WITH", vec![b(b"a")], "begins_with(a, :b)"),
        ("IN", vec![n("1"), n("5")], "a IN (:n, :big)"),
        ("BETWEEN", vec![n("1"), n("5")], "a BETWEEN :n AND :big"),
        ("EQ", vec![l(&[s("a"), n("1")])], "a = :l"),
    ] {
        assert_eq!(filter(operator, &values).unwrap(), condition(text), "{operator}");
    }
}

#[test]
fn numbers_and_types_of_arguments_are_checked() {
    let invalid = |rest: String| format!("One or more parameter values were invalid: {rest}");
    for (operator, values) in [
        ("EQ", vec![]),
        ("EQ", vec![s("a"), s("b")]),
        ("NULL", vec![s("a")]),
        ("IN", vec![]),
        ("BETWEEN", vec![n("1")]),
        ("BEGINS_WITH", vec![s("a"), n("1")]),
    ] {
        assert_eq!(
            message(filter(operator, &values)),
            invalid(format!("Invalid number of argument(s) for the {operator} ComparisonOperator"))
        );
    }
    assert_eq!(
        message(filter("IN", &[s("a"), n("1")])),
        invalid("AttributeValues inside AttributeValueList must be of same type".to_owned())
    );
    for (operator, value, kind) in [
        ("LT", ss(&["a"]), "SS"),
        ("IN", l(&[]), "L"),
        ("CONTAINS", m(&[]), "M"),
        ("BEGINS_WITH", n("1"), "N"),
    ] {
        assert_eq!(
            message(filter(operator, &[value])),
            invalid(format!("ComparisonOperator {operator} is not valid for {kind} AttributeValue type"))
        );
    }
    assert_eq!(
        message(filter("BETWEEN", &[n("2"), n("1")])),
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    );
}

#[test]
fn expectations_are_checked_and_turned() {
    let expect = |comparison: Option<&str>, values: Option<Vec<AttributeValue>>, exists, value| {
        let comparison = comparison.map(|name| ComparisonOperator::from_name(name).unwrap());
        expectation("a", Expectation { comparison, values, exists, value })
    };
    assert_eq!(expect(None, None, None, Some(s("a"))).unwrap(), condition("a = :s"));
    assert_eq!(expect(None, None, Some(true), Some(s("a"))).unwrap(), condition("a = :s"));
    assert_eq!(expect(None, None, Some(false), None).unwrap(), condition("attribute_not_exists(a)"));
    assert_eq!(expect(Some("LT"), None, None, Some(n("1"))).unwrap(), condition("a < :n"));
    assert_eq!(expect(Some("NOT_NULL"), None, None, None).unwrap(), condition("attribute_exists(a)"));
    assert_eq!(expect(Some("IN"), Some(vec![n("1")]), None, None).unwrap(), condition("a IN (:n)"));
    for (result, problem) in [
        (
            expect(Some("EQ"), Some(vec![]), None, Some(s("a"))),
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            expect(Some("EQ"), None, Some(true), Some(s("a"))),
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            expect(Some("EQ"), None, None, None),
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            expect(None, Some(vec![s("a")]), None, None),
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (expect(None, None, None, None), "Value must be provided when Exists is null for Attribute: a"),
        (expect(None, None, Some(true), None), "Value must be provided when Exists is true for Attribute: a"),
        (
            expect(None, None, Some(false), Some(s("a"))),
            "Value cannot be used when Exists is false for Attribute: a",
        ),
        (
            expect(Some("NULL"), None, None, Some(s("a"))),
            "Invalid number of argument(s) for the NULL ComparisonOperator",
        ),
    ] {
        assert_eq!(message(result), format!("One or more parameter values were invalid: {problem}"));
    }
}

#[test]
fn not_contains_does_not_hold_of_a_missing_attribute() {
    let condition = filter("NOT_CONTAINS", &[s("a")]).unwrap();
    assert!(!condition.holds(&Item::new()).unwrap());
    assert!(condition.holds(&item(&[("a", s("b"))])).unwrap());
    assert!(!condition.holds(&item(&[("a", s("banana"))])).unwrap());
}

#[test]
fn conditions_are_joined_by_the_conditional_operator() {
    let terms = || vec![condition("a = :s"), condition("b = :s")];
    assert_eq!(join(terms(), ConditionalOperator::default()), Some(condition("a = :s AND b = :s")));
    assert_eq!(join(terms(), ConditionalOperator::Or), Some(condition("a = :s OR b = :s")));
    assert_eq!(join(vec![], ConditionalOperator::Or), None);
    check_conditional_operator(true, 2).unwrap();
    check_conditional_operator(false, 0).unwrap();
    assert_eq!(
        message(check_conditional_operator(true, 0)),
        "ConditionalOperator cannot be used without Filter or Expected"
    );
    assert_eq!(
        message(check_conditional_operator(true, 1)),
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    );
}

#[test]
fn key_conditions_become_those_of_expressions() {
    let entry = |name: &str, operator: &str, values: Vec<AttributeValue>| {
        (name.to_owned(), ComparisonOperator::from_name(operator).unwrap(), values)
    };
    assert_eq!(
        legacy_key_condition([entry("pk", "EQ", vec![s("a")]), entry("sk", "BETWEEN", vec![n("1"), n("5")])])
            .unwrap(),
        key_condition("pk = :s AND sk BETWEEN :n AND :big")
    );
    assert_eq!(message(legacy_key_condition([])), "Conditions can be of length 1 or 2 only");
    for (operator, values) in [("NE", vec![s("a")]), ("NULL", vec![]), ("IN", vec![s("a")])] {
        assert_eq!(
            message(legacy_key_condition([entry("pk", operator, values)])),
            "Attempted conditional constraint is not an indexable operation"
        );
    }
}

#[test]
fn attribute_updates_become_actions() {
    let action = |name: &str, value| attribute_update("a", UpdateActionName::from_name(name).unwrap(), value);
    let update = |name: &str, value| Update { actions: vec![action(name, value).unwrap()] };
    for (name, value, text) in [
        ("PUT", Some(s("a")), "SET a = :s"),
        ("DELETE", None, "REMOVE a"),
        ("DELETE", Some(ss(&["a", "b"])), "DELETE a :ss"),
        ("ADD", Some(n("1")), "ADD a :n"),
        ("ADD", Some(ns(&["1", "2"])), "ADD a :ns"),
    ] {
        assert_eq!(update(name, value), super::update(text));
    }
    let (after, _) = update("ADD", Some(l(&[n("1")]))).apply(&item(&[("a", l(&[s("x")]))])).unwrap();
    assert_eq!(after.get("a"), Some(&l(&[s("x"), n("1")])));
    let (after, _) = update("ADD", Some(l(&[n("1")]))).apply(&Item::new()).unwrap();
    assert_eq!(after.get("a"), Some(&l(&[n("1")])));
    assert_eq!(
        message(update("ADD", Some(l(&[n("1")]))).apply(&item(&[("a", s("x"))]))),
        "Type mismatch for attribute to update"
    );
    let invalid = |problem: &str| format!("One or more parameter values were invalid: {problem}");
    assert_eq!(
        message(action("PUT", None)),
        invalid("Only DELETE action is allowed when no attribute value is specified")
    );
    assert_eq!(
        message(action("DELETE", Some(s("a")))),
        invalid("DELETE action with value is not supported for the type S")
    );
    assert_eq!(message(action("ADD", Some(s("a")))), invalid("ADD action is not supported for the type S"));
}
