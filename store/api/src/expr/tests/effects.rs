//! What conditions, updates and projections do.

use super::*;
use crate::expr::{Comparator, Operand, Path, SetOperand, SetValue, UpdateAction};
use crate::item::EncodedItem;

fn sample() -> Item {
    item(&[
        ("pk", s("k")),
        ("str", s("alphabet")),
        ("five", n("5")),
        ("bin", b(b"alphabet")),
        ("yes", AttributeValue::Bool(true)),
        ("nil", AttributeValue::Null),
        ("tags", ss(&["a", "b"])),
        ("nums", ns(&["1", "2.50"])),
        ("list1", l(&[s("a"), n("1"), m(&[("k", s("v"))]), ss(&["x"])])),
        ("map", m(&[("k", s("v")), ("deep", m(&[("er", n("7"))]))])),
        ("smile", s("é😀")),
    ])
}

fn holds_with(text: &str, values: &[(&str, AttributeValue)]) -> bool {
    let names = [("#map".to_owned(), "map".to_owned())].into();
    let values: BTreeMap<_, _> =
        values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let mut placeholders = Placeholders::new(Some(names), (!values.is_empty()).then_some(values)).unwrap();
    let condition = placeholders
        .condition(ExpressionKind::Filter, text)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    condition.holds(&sample()).unwrap()
}

#[test]
fn comparisons_know_no_order_and_no_equality_between_types() {
    for (text, value, expected) in [
        ("five = :v", n("5.0"), true),
        ("five = :v", s("5"), false),
        ("five <> :v", s("5"), true),
        ("five <> :v", n("5"), false),
        ("five < :v", n("5.1"), true),
        ("five > :v", n("-5"), true),
        ("five >= :v", n("5"), true),
        ("five < :v", s("6"), false),
        ("five >= :v", s("1"), false),
        ("str < :v", s("beta"), true),
        ("bin > :v", b(b"al"), true),
        ("yes = :v", AttributeValue::Bool(true), true),
        ("yes = :v", AttributeValue::Bool(false), false),
        ("nil = :v", AttributeValue::Null, true),
        ("tags = :v", ss(&["b", "a"]), true),
        ("nums = :v", ns(&["2.5", "1"]), true),
        ("#map = :v", m(&[("deep", m(&[("er", n("7.0"))])), ("k", s("v"))]), true),
        ("list1 = :v", l(&[s("a")]), false),
        ("yes > :v", n("0"), false),
        ("tags < :v", n("0"), false),
    ] {
        assert_eq!(holds_with(text, &[(":v", value.clone())]), expected, "{text} {value:?}");
    }
}

#[test]
fn a_missing_operand_makes_all_comparisons_false_but_inequality() {
    for operator in ["=", "<", "<=", ">", ">="] {
        assert!(!holds_with(&format!("gone {operator} :v"), &[(":v", n("0"))]));
        assert!(!holds_with(&format!(":v {operator} gone"), &[(":v", n("0"))]));
        assert!(!holds_with(&format!("gone {operator} lost"), &[]));
    }
    assert!(holds_with("gone <> :v", &[(":v", n("0"))]));
    assert!(holds_with("gone <> lost", &[]));
    assert!(holds_with("NOT gone = :v", &[(":v", n("0"))]));
    assert!(!holds_with("gone BETWEEN :v AND :w", &[(":v", n("0")), (":w", n("1"))]));
    assert!(!holds_with("gone IN (:v, lost)", &[(":v", n("0"))]));
    assert!(!holds_with("five BETWEEN gone AND :v", &[(":v", n("9"))]));
    assert!(!holds_with("contains(gone, :v)", &[(":v", n("0"))]));
    assert!(!holds_with("begins_with(gone, :v)", &[(":v", s(""))]));
    assert!(!holds_with("attribute_type(gone, :v)", &[(":v", s("S"))]));
}

#[test]
fn functions_of_conditions() {
    for (text, value, expected) in [
        ("begins_with(str, :v)", s("alpha"), true),
        ("begins_with(str, :v)", s(""), true),
        ("begins_with(str, :v)", s("beta"), false),
        ("begins_with(bin, :v)", b(b"alpha"), true),
        ("begins_with(str, :v)", b(b"alpha"), false),
        ("contains(str, :v)", s("hab"), true),
        ("contains(str, :v)", s("xyz"), false),
        ("contains(bin, :v)", b(b"bet"), true),
        ("contains(bin, :v)", b(b"bets"), false),
        ("contains(bin, :v)", b(b""), true),
        ("contains(tags, :v)", s("a"), true),
        ("contains(tags, :v)", s("c"), false),
        ("contains(tags, :v)", n("1"), false),
        ("contains(nums, :v)", n("2.5"), true),
        ("contains(list1, :v)", n("1.0"), true),
        ("contains(list1, :v)", m(&[("k", s("v"))]), true),
        ("contains(list1, :v)", s("v"), false),
        ("contains(five, :v)", n("5"), false),
        ("attribute_type(five, :v)", s("N"), true),
        ("attribute_type(#map.deep, :v)", s("M"), true),
        ("attribute_type(nil, :v)", s("NULL"), true),
        ("attribute_type(five, :v)", s("S"), false),
        ("size(str) = :v", n("8"), true),
        ("size(smile) = :v", n("6"), true),
        ("size(bin) = :v", n("8"), true),
        ("size(tags) = :v", n("2"), true),
        ("size(list1) = :v", n("4"), true),
        ("size(#map) = :v", n("2"), true),
        ("size(five) > :v", n("0"), false),
        ("size(five) <> :v", n("0"), true),
        ("size(nil) = :v", n("1"), false),
        ("size(gone) < :v", n("9"), false),
        ("size(:v) = five", s("12345"), true),
    ] {
        assert_eq!(holds_with(text, &[(":v", value.clone())]), expected, "{text} {value:?}");
    }
    for (text, expected) in [
        ("attribute_exists(pk)", true),
        ("attribute_exists(#map.deep.er)", true),
        ("attribute_exists(#map.deep.er.x)", false),
        ("attribute_exists(list1[3])", true),
        ("attribute_exists(list1[4])", false),
        ("attribute_exists(list1.k)", false),
        ("attribute_exists(list1[2].k)", true),
        ("attribute_not_exists(pk)", false),
        ("attribute_not_exists(gone.deeper[7])", true),
        ("attribute_exists(pk) AND NOT attribute_exists(gone) OR attribute_exists(gone)", true),
        ("attribute_exists(gone) AND (attribute_exists(pk) OR attribute_exists(pk))", false),
        ("attribute_exists(gone) AND attribute_exists(pk) OR attribute_exists(pk)", true),
        ("NOT attribute_exists(gone) AND attribute_exists(gone)", false),
        ("NOT (attribute_exists(gone) AND attribute_exists(gone))", true),
        ("NOT NOT attribute_exists(pk)", true),
    ] {
        assert_eq!(holds_with(text, &[]), expected, "{text}");
    }
}

#[test]
fn between_includes_its_ends_and_in_compares_for_equality() {
    let values = [(":a", n("5")), (":b", n("7")), (":c", s("5"))];
    for (text, expected) in [
        ("five BETWEEN :a AND :b", true),
        (":b BETWEEN five AND :b", true),
        ("five IN (:c, :a)", true),
        ("five IN (:c, :b)", false),
        ("five BETWEEN :c AND :c", false),
    ] {
        let used: Vec<_> = values.iter().filter(|(key, _)| text.contains(key)).cloned().collect();
        assert_eq!(holds_with(text, &used), expected, "{text}");
    }
}

#[test]
fn a_condition_is_judged_where_there_is_no_item() {
    assert!(condition("attribute_not_exists(pk)").holds_of(None).unwrap());
    assert!(!condition("attribute_exists(pk)").holds_of(None).unwrap());
    assert!(condition("attribute_exists(pk)").holds_of(Some(&sample())).unwrap());
}

#[test]
fn long_binaries_are_searched() {
    // Compared place by place this would take 4e10 steps.
    let mut long = vec![b'a'; 400 * 1024];
    let mut part = vec![b'a'; 200 * 1024];
    part.push(b'b');
    let search = |long: &[u8], part: &[u8]| {
        let condition = Condition::Contains(Operand::Value(b(long)), Operand::Value(b(part)));
        condition.holds(&Item::new()).unwrap()
    };
    assert!(!search(&long, &part));
    long.push(b'b');
    assert!(search(&long, &part));
}

#[test]
fn a_foreign_tree_of_any_depth_is_refused_and_not_walked() {
    let mut deep = condition("attribute_exists(a)");
    for _ in 0..20_000 {
        deep = deep.negated();
    }
    assert!(
        message(deep.validate(ExpressionKind::Filter)).contains("too many operators; operator count: 301")
    );
    assert!(message(deep.holds(&Item::new())).contains("nested too deeply"));
    // Taken apart level by level: dropping such a tree at once would recurse as deep as it is.
    while let Condition::Not(inner) = deep {
        deep = *inner;
    }
}

#[test]
fn validate_says_of_a_tree_what_the_parser_says_of_its_text() {
    let path = |name: &str| Operand::Path(Path::attribute(name));
    let bad = Condition::Compare(Comparator::Lt, path("x"), Operand::Value(AttributeValue::Bool(true)));
    assert_eq!(
        message(Condition::all(vec![condition("a = :s"), bad.negated()]).validate(ExpressionKind::Filter)),
        "Invalid FilterExpression: Incorrect operand type for operator or function; operator or function: <, operand \
         type: BOOL"
    );
    let bad = Update {
        actions: vec![
            UpdateAction::Remove(Path::attribute("a")),
            UpdateAction::Add(Path::attribute("a"), n("1")),
        ],
    };
    assert!(message(bad.validate()).starts_with("Invalid UpdateExpression: Two document paths overlap"));
    let nested = SetOperand::ListAppend(
        Box::new(SetOperand::ListAppend(
            Box::new(SetOperand::Value(l(&[]))),
            Box::new(SetOperand::Value(l(&[]))),
        )),
        Box::new(SetOperand::Value(l(&[]))),
    );
    let bad = Update { actions: vec![UpdateAction::Set(Path::attribute("a"), SetValue::Operand(nested))] };
    assert!(message(bad.validate()).ends_with("function: list_append"));
    let bad = Projection { paths: vec![Path::attribute("a"), Path::attribute("a")] };
    assert!(message(bad.validate()).starts_with("Invalid ProjectionExpression: Two document paths overlap"));
    assert!(message(Projection { paths: vec![] }.validate()).ends_with("can not be empty;"));
}

fn after(text: &str, before: &Item) -> Item {
    let update = update(text);
    update.validate().unwrap();
    let (after, touched) = update.apply(before).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(touched.len(), update.actions.len());
    for (name, value) in &before.0 {
        assert!(update.touches(name) || after.get(name) == Some(value), "{text} changed {name}");
    }
    after
}

#[test]
fn actions_read_the_item_as_it_was() {
    let before = item(&[("x", n("1")), ("y", n("2"))]);
    assert_eq!(after("SET x = y, y = x", &before), item(&[("x", n("2")), ("y", n("1"))]));
    assert_eq!(after("SET z = x + y REMOVE x ADD y :n", &before), item(&[("y", n("3")), ("z", n("3"))]));
    assert_eq!(
        after("REMOVE x SET z = if_not_exists(x, :big)", &before),
        item(&[("y", n("2")), ("z", n("1"))])
    );
}

#[test]
fn arithmetic_is_exact_and_bounded() {
    let before = item(&[("x", n("0.1")), ("huge", n("9.9e125")), ("word", s("1"))]);
    assert_eq!(after("SET y = x + :n", &before).get("y"), Some(&n("1.1")));
    assert_eq!(after("SET y = x - :n", &before).get("y"), Some(&n("-0.9")));
    assert_eq!(after("ADD x :n, fresh :big", &before).get("fresh"), Some(&n("5")));
    assert_eq!(
        message(update("SET y = huge + huge").apply(&before)),
        "Number overflow. Attempting to store a number with magnitude larger than supported range"
    );
    assert_eq!(
        message(update("SET y = word + :n").apply(&before)),
        "An operand in the update expression has an incorrect data type"
    );
    assert_eq!(
        message(update("SET y = gone + :n").apply(&before)),
        "The provided expression refers to an attribute that does not exist in the item"
    );
    assert_eq!(
        message(update("SET y = gone").apply(&before)),
        "The provided expression refers to an attribute that does not exist in the item"
    );
}

#[test]
fn a_document_path_must_lead_somewhere() {
    let before = item(&[("m", m(&[("k", s("v"))])), ("l", l(&[n("0"), n("1")])), ("t", s("text"))]);
    for text in [
        "SET gone.x = :n",
        "SET t.x = :n",
        "SET t[0] = :n",
        "SET m[0] = :n",
        "SET l.x = :n",
        "SET m.gone.x = :n",
        "SET l[2].x = :n",
        "REMOVE gone.x",
        "REMOVE t.x",
        "REMOVE m[0]",
        "ADD gone.x :n",
        "DELETE gone.x :ss",
        // Position 2 is filled by the first action, but not in the item that the second one reads.
        "SET l[9] = :m, l[2].k = :s",
    ] {
        assert_eq!(
            message(update(text).apply(&before)),
            "The document path provided in the update expression is invalid for update",
            "{text}"
        );
    }
    assert_eq!(after("SET m.fresh = :n", &before).get("m"), Some(&m(&[("k", s("v")), ("fresh", n("1"))])));
    assert_eq!(after("REMOVE m.gone, l[7], gone", &before), before);
    assert_eq!(after("REMOVE m.k", &before).get("m"), Some(&m(&[])));
    assert_eq!(after("ADD m.hits :n", &before).get("m"), Some(&m(&[("k", s("v")), ("hits", n("1"))])));
}

#[test]
fn list_positions_are_those_of_the_old_list() {
    let before = item(&[("l", l(&[n("0"), n("1"), n("2"), n("3")]))]);
    let list = |text: &str| after(text, &before).get("l").cloned();
    assert_eq!(list("SET l[9] = :s, l[4] = :s2"), Some(l(&[n("0"), n("1"), n("2"), n("3"), s("z"), s("a")])));
    assert_eq!(list("SET l[1] = :s REMOVE l[0], l[2]"), Some(l(&[s("a"), n("3")])));
    assert_eq!(list("REMOVE l[3], l[0], l[1]"), Some(l(&[n("2")])));
    assert_eq!(list("REMOVE l[4] SET l[7] = :s"), Some(l(&[n("0"), n("1"), n("2"), n("3"), s("a")])));
    assert_eq!(list("SET l = list_append(l, :l)").map(|list| length(&list)), Some(6));
    assert_eq!(
        list("SET l = list_append(:l, l)"),
        Some(l(&[s("a"), n("1"), n("0"), n("1"), n("2"), n("3")]))
    );
    assert_eq!(list("ADD l[1] :big, l[8] :n"), Some(l(&[n("0"), n("6"), n("2"), n("3"), n("1")])));
    assert_eq!(list("REMOVE l[0], l[1], l[2], l[3]"), Some(l(&[])));
    let nested = item(&[("l", l(&[m(&[("a", n("1")), ("b", n("2"))]), n("1"), m(&[("a", n("3"))])]))]);
    assert_eq!(
        after("REMOVE l[0].a, l[1], l[2].a", &nested).get("l"),
        Some(&l(&[m(&[("b", n("2"))]), m(&[])]))
    );
}

fn length(list: &AttributeValue) -> usize {
    match list {
        AttributeValue::L(list) => list.len(),
        other => panic!("not a list: {other:?}"),
    }
}

#[test]
fn many_elements_are_removed_at_once() {
    let before = item(&[("l", AttributeValue::L(vec![AttributeValue::Null; 100_000]))]);
    let text = (0..500).map(|at| format!("l[{}]", at * 7)).collect::<Vec<_>>().join(",");
    let after = after(&format!("REMOVE {text}"), &before);
    assert_eq!(after.get("l").map(length), Some(99_500));
}

#[test]
fn sets_are_united_and_thinned_out() {
    let before = item(&[("tags", ss(&["a", "c"])), ("nums", ns(&["1", "2"])), ("x", n("1"))]);
    assert_eq!(after("ADD tags :ss", &before).get("tags"), Some(&ss(&["a", "b", "c"])));
    assert_eq!(after("ADD fresh :ss", &before).get("fresh"), Some(&ss(&["a", "b"])));
    assert_eq!(after("DELETE tags :ss", &before).get("tags"), Some(&ss(&["c"])));
    assert_eq!(after("DELETE nums :ns", &before).get("nums"), None);
    assert_eq!(after("DELETE fresh :ss", &before), before);
    for text in ["ADD tags :n", "ADD tags :ns", "ADD x :ss", "DELETE tags :ns", "DELETE x :ss"] {
        assert_eq!(
            message(update(text).apply(&before)),
            "An operand in the update expression has an incorrect data type",
            "{text}"
        );
    }
}

#[test]
fn an_update_can_not_make_copies_without_end() {
    let large = item(&[("a", l(&[s(&"x".repeat(200 * 1024))]))]);
    let text = (0..100).map(|at| format!("a{at} = list_append(a, a)")).collect::<Vec<_>>().join(",");
    assert_eq!(
        message(update(&format!("SET {text}")).apply(&large)),
        "Item size to update has exceeded the maximum allowed size"
    );
}

#[test]
fn what_an_update_touched_is_shown_before_and_after() {
    let before = item(&[("a", n("1")), ("b", m(&[("x", n("1")), ("y", n("2"))])), ("c", n("9"))]);
    let update = update("SET a = :big, b.x = :big, fresh = :s REMOVE b.y");
    let (after, touched) = update.apply(&before).unwrap();
    assert_eq!(touched.len(), 4);
    assert_eq!(update.touched_of(&before), item(&[("a", n("1")), ("b", m(&[("x", n("1")), ("y", n("2"))]))]));
    assert_eq!(
        update.touched_of(&after),
        item(&[("a", n("5")), ("b", m(&[("x", n("5"))])), ("fresh", s("a"))])
    );
}

#[test]
fn projections_close_lists_up_and_leave_nothing_empty() {
    let whole = item(&[
        ("a", m(&[("b", m(&[("c", n("1")), ("d", n("2"))])), ("e", n("3"))])),
        ("l", l(&[n("0"), m(&[("x", n("1"))]), n("2"), l(&[n("3"), n("4")])])),
        ("t", s("text")),
    ]);
    for (text, expected) in [
        ("t", item(&[("t", s("text"))])),
        ("gone, t.x, a[0], l.x", item(&[])),
        ("a.b.c, a.e", item(&[("a", m(&[("b", m(&[("c", n("1"))])), ("e", n("3"))]))])),
        ("a.gone.c", item(&[])),
        ("l[2], l[0]", item(&[("l", l(&[n("0"), n("2")]))])),
        ("l[1].x, l[3][1], l[9]", item(&[("l", l(&[m(&[("x", n("1"))]), l(&[n("4")])]))])),
        ("l[1].gone, l[2]", item(&[("l", l(&[n("2")]))])),
        ("a, l", item(&[("a", whole.get("a").unwrap().clone()), ("l", whole.get("l").unwrap().clone())])),
    ] {
        let projection = projection(text);
        projection.validate().unwrap();
        assert_eq!(projection.apply(&whole), expected, "{text}");
        assert_eq!(projection.apply_encoded(&EncodedItem::encode(&whole)), expected, "{text} encoded");
    }
}
