//! Tests of the expression language.

mod effects;
mod fuzz;
mod keys;
mod legacy;
mod messages;
mod samples;

use std::collections::BTreeMap;

use super::{Author, Condition, ExpressionKind, KeyCondition, Placeholders, Projection, Update};
use crate::error::{Error, ErrorKind};
use crate::item::Item;
use crate::value::{AttributeValue, Number};

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn n(text: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(text).unwrap())
}

fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(bytes.to_vec().into())
}

fn ss(elements: &[&str]) -> AttributeValue {
    AttributeValue::Ss(elements.iter().map(|element| (*element).to_owned()).collect())
}

fn ns(elements: &[&str]) -> AttributeValue {
    AttributeValue::Ns(elements.iter().map(|element| Number::parse(element).unwrap()).collect())
}

fn l(elements: &[AttributeValue]) -> AttributeValue {
    AttributeValue::L(elements.to_vec())
}

fn m(entries: &[(&str, AttributeValue)]) -> AttributeValue {
    AttributeValue::M(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn item(entries: &[(&str, AttributeValue)]) -> Item {
    Item(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// `:s` "a", `:n` 1, `:z` 0, `:big` 5, `:b` binary, `:ss`, `:ns`, `:l`, `:m`, `:t` true, `:null`, `:type` "S"; `#n` name,
/// `#m` map, `#st` status. Nothing has to be used.
fn placeholders() -> Placeholders {
    let names = [("#n", "name"), ("#m", "map"), ("#st", "status"), ("#a", "a")];
    let values = [
        (":s", s("a")),
        (":s2", s("z")),
        (":n", n("1")),
        (":z", n("0")),
        (":big", n("5")),
        (":b", b(b"a")),
        (":b2", b(b"z")),
        (":ss", ss(&["a", "b"])),
        (":ns", ns(&["1", "2"])),
        (":l", l(&[s("a"), n("1")])),
        (":m", m(&[("k", s("v"))])),
        (":t", AttributeValue::Bool(true)),
        (":null", AttributeValue::Null),
        (":type", s("S")),
    ];
    let names: BTreeMap<_, _> =
        names.into_iter().map(|(key, name)| (key.to_owned(), name.to_owned())).collect();
    let values: BTreeMap<_, _> = values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Placeholders::new(Some(names), Some(values)).unwrap()
}

fn condition(text: &str) -> Condition {
    placeholders()
        .condition(ExpressionKind::Condition, text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn update(text: &str) -> Update {
    placeholders().update(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn projection(text: &str) -> Projection {
    placeholders().projection(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn key_condition(text: &str) -> KeyCondition {
    placeholders().key_condition(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The message of a validation error.
fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.expect_err("it must be refused");
    assert_eq!(error.kind, ErrorKind::ValidationException);
    error.message.into_owned()
}

fn condition_error(text: &str) -> String {
    let message = message(placeholders().condition(ExpressionKind::Condition, text));
    message.strip_prefix("Invalid ConditionExpression: ").expect("the parameter is named").to_owned()
}

fn update_error(text: &str) -> String {
    let message = message(placeholders().update(text));
    message.strip_prefix("Invalid UpdateExpression: ").expect("the parameter is named").to_owned()
}

fn projection_error(text: &str) -> String {
    let message = message(placeholders().projection(text));
    message.strip_prefix("Invalid ProjectionExpression: ").expect("the parameter is named").to_owned()
}
