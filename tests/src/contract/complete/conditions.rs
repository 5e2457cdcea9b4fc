//! Conditions: every comparator, function and connective, judged by a write that passes or fails.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::contract::cases;
use crate::contract::tables::PLAIN;

cases![
    comparisons_need_equal_types,
    between_and_in,
    existence_and_types,
    texts_and_members,
    sizes,
    connectives_and_their_order,
    an_absent_attribute_equals_nothing,
    documents_compare_whole,
    a_condition_on_an_absent_item,
    placeholders_stand_for_names_with_dots,
    set_comparison_ignores_order,
];

/// Whether a condition holds of the item under `key`: it guards a write that changes nothing.
async fn holds(db: &Ask, key: &str, condition: &str, values: &Value, names: &Value) -> bool {
    let mut body = json!({
        "TableName": PLAIN, "Key": {"p": {"S": key}},
        "ConditionExpression": condition,
        "UpdateExpression": "REMOVE absent_and_never_there",
    });
    if values != &json!({}) {
        body["ExpressionAttributeValues"] = values.clone();
    }
    if names != &json!({}) {
        body["ExpressionAttributeNames"] = names.clone();
    }
    match db.ask("UpdateItem", body).await.0 {
        Ok(_) => true,
        Err(refusal) if refusal.kind == "ConditionalCheckFailedException" => false,
        Err(refusal) => panic!("{condition}: {}: {}", refusal.kind, refusal.message),
    }
}

/// A condition, the values of its placeholders, and whether it must hold.
type Judged<'a> = (&'a str, &'a [(&'a str, Value)], bool);

/// Each condition with what it must come to. Values not used by one would be refused, so each names its own.
async fn check(db: &Ask, key: &str, list: &[Judged<'_>]) {
    for (condition, values, expected) in list {
        let values: Value =
            Value::Object(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
        assert_eq!(
            holds(db, key, condition, &values, &json!({})).await,
            *expected,
            "{condition} with {values}"
        );
    }
}

async fn put(db: &Ask, key: &str) {
    let item = json!({
        "p": {"S": key}, "n": {"N": "10"}, "t": {"S": "hello"}, "b": {"B": "AQID"}, "yes": {"BOOL": true}, "nil": {"NULL": true},
        "l": {"L": [{"S": "a"}, {"N": "1"}]}, "m": {"M": {"k": {"S": "v"}, "deep": {"L": [{"N": "7"}]}}},
        "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2.50"]}, "bs": {"BS": ["AQ=="]},
    });
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
}

fn n(text: &str) -> Value {
    json!({"N": text})
}

fn s(text: &str) -> Value {
    json!({"S": text})
}

/// A number never equals or orders with a string; numbers compare by value.
async fn comparisons_need_equal_types(db: Ask) {
    put(&db, "condition-compare").await;
    check(
        &db,
        "condition-compare",
        &[
            ("n = :v", &[(":v", n("10.0"))], true),
            ("n = :v", &[(":v", s("10"))], false),
            ("n <> :v", &[(":v", s("10"))], true),
            ("n <> :v", &[(":v", n("1e1"))], false),
            ("n < :v", &[(":v", n("10.5"))], true),
            ("n < :v", &[(":v", s("99"))], false),
            ("n > :v", &[(":v", n("9"))], true),
            ("n <= :v", &[(":v", n("10"))], true),
            ("n >= :v", &[(":v", n("10.00001"))], false),
            (":v < n", &[(":v", n("2"))], true),
            ("t < :v", &[(":v", s("hellp"))], true),
            ("b >= :v", &[(":v", json!({"B": "AQI="}))], true),
            ("yes = :v", &[(":v", json!({"BOOL": true}))], true),
            ("nil = :v", &[(":v", json!({"NULL": true}))], true),
            ("m.deep[0] = :v", &[(":v", n("7"))], true),
            ("l[1] = n", &[], false),
        ],
    )
    .await;
}

/// Both ends are in; IN takes up to 100.
async fn between_and_in(db: Ask) {
    put(&db, "condition-between").await;
    let many: Vec<(String, Value)> = (0..100).map(|i| (format!(":i{i}"), n(&i.to_string()))).collect();
    let list: Vec<_> = many.iter().map(|(name, _)| name.clone()).collect();
    let values = Value::Object(many.into_iter().collect());
    assert!(
        holds(&db, "condition-between", &format!("n IN ({})", list.join(", ")), &values, &json!({})).await
    );
    check(
        &db,
        "condition-between",
        &[
            ("n BETWEEN :a AND :b", &[(":a", n("10")), (":b", n("11"))], true),
            ("n BETWEEN :a AND :b", &[(":a", n("9")), (":b", n("10"))], true),
            ("n BETWEEN :a AND :b", &[(":a", n("11")), (":b", n("12"))], false),
            ("t between :a and :b", &[(":a", s("a")), (":b", s("z"))], true),
            (":x BETWEEN m.deep[0] AND n", &[(":x", n("8"))], true),
            ("t IN (:a, :b)", &[(":a", s("no")), (":b", s("hello"))], true),
            ("t IN (:a)", &[(":a", n("1"))], false),
        ],
    )
    .await;
}

/// attribute_exists, attribute_not_exists, attribute_type, at depth.
async fn existence_and_types(db: Ask) {
    put(&db, "condition-exists").await;
    check(
        &db,
        "condition-exists",
        &[
            ("attribute_exists(n)", &[], true),
            ("attribute_exists(m.k)", &[], true),
            ("attribute_exists(m.nope)", &[], false),
            ("attribute_exists(l[1])", &[], true),
            ("attribute_exists(l[2])", &[], false),
            ("attribute_not_exists(nope)", &[], true),
            ("attribute_not_exists(p)", &[], false),
            ("attribute_exists(nil)", &[], true),
        ],
    )
    .await;
    for (name, kind) in [
        ("n", "N"),
        ("t", "S"),
        ("b", "B"),
        ("yes", "BOOL"),
        ("nil", "NULL"),
        ("l", "L"),
        ("m", "M"),
        ("ss", "SS"),
        ("ns", "NS"),
        ("bs", "BS"),
    ] {
        let condition = format!("attribute_type({name}, :t)");
        check(&db, "condition-exists", &[(&condition, &[(":t", s(kind))], true)]).await;
        let other = if kind == "S" { "N" } else { "S" };
        check(&db, "condition-exists", &[(&condition, &[(":t", s(other))], false)]).await;
    }
}

/// begins_with and contains, on every type that has members.
async fn texts_and_members(db: Ask) {
    put(&db, "condition-texts").await;
    check(
        &db,
        "condition-texts",
        &[
            ("begins_with(t, :v)", &[(":v", s("hel"))], true),
            ("begins_with(t, :v)", &[(":v", s("ell"))], false),
            ("begins_with(b, :v)", &[(":v", json!({"B": "AQI="}))], true),
            ("begins_with(n, :v)", &[(":v", s("1"))], false),
            ("contains(t, :v)", &[(":v", s("ell"))], true),
            ("contains(b, :v)", &[(":v", json!({"B": "AgM="}))], true),
            ("contains(l, :v)", &[(":v", n("1.0"))], true),
            ("contains(l, :v)", &[(":v", s("1"))], false),
            ("contains(ss, :v)", &[(":v", s("b"))], true),
            ("contains(ns, :v)", &[(":v", n("2.5"))], true),
            ("contains(bs, :v)", &[(":v", json!({"B": "AQ=="}))], true),
            ("contains(ss, :v)", &[(":v", n("1"))], false),
            ("contains(n, :v)", &[(":v", s("1"))], false),
        ],
    )
    .await;
}

/// size of each type that has one.
async fn sizes(db: Ask) {
    put(&db, "condition-size").await;
    check(
        &db,
        "condition-size",
        &[
            ("size(t) = :v", &[(":v", n("5"))], true),
            ("size(b) = :v", &[(":v", n("3"))], true),
            ("size(l) = :v", &[(":v", n("2"))], true),
            ("size(m) = :v", &[(":v", n("2"))], true),
            ("size(ss) < :v", &[(":v", n("3"))], true),
            ("size(n) > :v", &[(":v", n("0"))], false),
            ("size(nope) >= :v", &[(":v", n("0"))], false),
            ("size(t) > size(b)", &[], true),
        ],
    )
    .await;
}

/// NOT binds before AND before OR; parentheses before all.
async fn connectives_and_their_order(db: Ask) {
    put(&db, "condition-order").await;
    let one = [(":v", n("10"))];
    check(
        &db,
        "condition-order",
        &[
            ("n = :v OR n <> :v AND n <> :v", &one, true),
            ("(n = :v OR n <> :v) AND n <> :v", &one, false),
            ("NOT n = :v OR n = :v", &one, true),
            ("NOT (n = :v OR n = :v)", &one, false),
            ("not not n = :v", &one, true),
            ("n = :v AND (attribute_exists(t) AND NOT attribute_exists(nope))", &one, true),
            ("(n = :v)", &one, true),
        ],
    )
    .await;
}

/// What is not there is neither equal, nor less, nor more; but it is unequal.
async fn an_absent_attribute_equals_nothing(db: Ask) {
    put(&db, "condition-absent").await;
    check(
        &db,
        "condition-absent",
        &[
            ("nope = :v", &[(":v", n("1"))], false),
            ("nope <> :v", &[(":v", n("1"))], true),
            ("nope < :v", &[(":v", n("1"))], false),
            ("nope BETWEEN :v AND :v", &[(":v", n("1"))], false),
            ("nope IN (:v)", &[(":v", n("1"))], false),
            ("contains(nope, :v)", &[(":v", s("1"))], false),
            ("NOT nope = :v", &[(":v", n("1"))], true),
        ],
    )
    .await;
}

/// Lists and maps are equal when all of them is.
async fn documents_compare_whole(db: Ask) {
    put(&db, "condition-documents").await;
    check(
        &db,
        "condition-documents",
        &[
            ("l = :v", &[(":v", json!({"L": [{"S": "a"}, {"N": "1.0"}]}))], true),
            ("l = :v", &[(":v", json!({"L": [{"N": "1"}, {"S": "a"}]}))], false),
            ("m = :v", &[(":v", json!({"M": {"deep": {"L": [{"N": "7"}]}, "k": {"S": "v"}}}))], true),
            ("m <> :v", &[(":v", json!({"M": {"k": {"S": "v"}}}))], true),
        ],
    )
    .await;
}

/// An item that is not there has no attributes, and can be asked for that.
async fn a_condition_on_an_absent_item(db: Ask) {
    let delete = |condition: &str| json!({"TableName": PLAIN, "Key": {"p": {"S": "condition-nobody"}}, "ConditionExpression": condition});
    db.refuses(
        "DeleteItem",
        delete("attribute_exists(p)"),
        "ConditionalCheckFailedException",
        "The conditional request failed",
    )
    .await;
    assert_eq!(db.ok("DeleteItem", delete("attribute_not_exists(p)")).await, json!({}));
}

/// A name with a dot, a reserved word, and a name that starts with a digit go by placeholder.
async fn placeholders_stand_for_names_with_dots(db: Ask) {
    let item = json!({"p": {"S": "condition-names"}, "a.b": {"N": "1"}, "size": {"N": "2"}, "1st": {"M": {"in.side": {"N": "3"}}}});
    db.ok("PutItem", json!({"TableName": PLAIN, "Item": item})).await;
    let names = json!({"#d": "a.b", "#s": "size", "#f": "1st", "#i": "in.side"});
    let values = json!({":a": {"N": "1"}, ":b": {"N": "2"}, ":c": {"N": "3"}});
    assert!(holds(&db, "condition-names", "#d = :a AND #s = :b AND #f.#i = :c", &values, &names).await);
}

/// Sets have no order, whatever order they were sent in.
async fn set_comparison_ignores_order(db: Ask) {
    put(&db, "condition-sets").await;
    check(
        &db,
        "condition-sets",
        &[
            ("ss = :v", &[(":v", json!({"SS": ["b", "a"]}))], true),
            ("ns = :v", &[(":v", json!({"NS": ["2.5", "1.0"]}))], true),
            ("ss = :v", &[(":v", json!({"SS": ["a"]}))], false),
        ],
    )
    .await;
}
