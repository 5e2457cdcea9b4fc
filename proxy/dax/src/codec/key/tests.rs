use api::schema::{KeyAttribute, KeySchema};
use api::value::{ValueType, order};
use api::{AttributeValue, Item, Number};
use proptest::prelude::*;

use super::{
    append_canonical, read_index_position, read_key, write_index_position, write_key, write_key_alone,
};
use crate::codec::tests::round_trip::{key_of, schema};
use crate::codec::tests::{hex, unhex};

fn of(partition: ValueType, sort: Option<ValueType>) -> KeySchema {
    let part = |name: &str, value_type| KeyAttribute { name: name.into(), value_type };
    KeySchema { partition: part("k", partition), sort: sort.map(|value_type| part("r", value_type)) }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: &str) -> AttributeValue {
    AttributeValue::N(Number::parse(value).unwrap())
}

fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(value.to_vec().into())
}

proptest! {
    #[test]
    fn a_key_is_read_back_as_it_was_written((schema, key) in schema().prop_flat_map(|schema| (Just(schema.clone()), key_of(schema)))) {
        let mut out = Vec::new();
        write_key(&mut out, &schema, &key).unwrap();
        prop_assert_eq!(read_key(&schema, &out), Ok(key.clone()));
        let mut out = Vec::new();
        write_index_position(&mut out, &key);
        prop_assert_eq!(read_index_position(&out), Ok(key));
    }

    #[test]
    fn a_key_has_one_canonical_form_whichever_way_it_is_made(
        (schema, key) in schema().prop_flat_map(|schema| (Just(schema.clone()), key_of(schema))),
        other in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut whole = Vec::new();
        write_key(&mut whole, &schema, &key).unwrap();
        for bytes in [&whole[..], &whole[..whole.len() / 2], &other] {
            let mut form = Vec::new();
            let appended = append_canonical(&schema, bytes, &mut form).map(|()| form);
            let by_tree = read_key(&schema, bytes).ok().map(|key| {
                let mut form = Vec::new();
                for part in schema.attributes() {
                    order::encode_into(&key.0[&part.name], &mut form).unwrap();
                }
                form
            });
            prop_assert_eq!(appended, by_tree);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(schema in schema(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = read_key(&schema, &bytes);
        let _ = read_index_position(&bytes);
    }
}

#[test]
fn keys_are_those_that_clients_write() {
    let (s, n, b) = (ValueType::S, ValueType::N, ValueType::B);
    for (schema, partition, sort, content) in [
        (of(s, None), text("ab"), None, "6162"),
        (of(n, None), number("42"), None, "182a"),
        (of(n, None), number("12.5"), None, "c48220187d"),
        (of(b, None), bytes(&[0, 255]), None, "00ff"),
        (of(s, Some(s)), text("u1"), Some(text("x")), "62753178"),
        (of(s, Some(n)), text("u1"), Some(number("-2")), "6275313ecafff0"),
        (of(s, Some(n)), text("u1"), Some(number("0")), "62753180"),
        (of(n, Some(b)), number("7"), Some(bytes(&[1, 2])), "070102"),
        (of(b, Some(n)), bytes(&[1]), Some(number("-123.456")), "41013cde22bff4"),
    ] {
        let mut key = Item::new().with("k", partition);
        key.0.extend(sort.map(|sort| ("r".to_owned(), sort)));
        let mut out = Vec::new();
        write_key(&mut out, &schema, &key).unwrap();
        assert_eq!(hex(&out), content);
        assert_eq!(read_key(&schema, &unhex(content)).unwrap(), key);
    }
}

#[test]
fn one_number_is_one_key_however_it_was_written() {
    let schema = of(ValueType::N, None);
    for content in ["c482211904e2", "c48220187d", "fb4029000000000000", "c482221930d4"] {
        let key = read_key(&schema, &unhex(content));
        assert_eq!(key, Ok(Item::new().with("k", number("12.5"))), "{content}");
    }
}

#[test]
fn keys_of_another_shape_are_refused() {
    let (s, n) = (ValueType::S, ValueType::N);
    for (schema, content) in [
        (of(s, None), "ff"),
        (of(n, None), "6161"),
        (of(n, None), "182a00"),
        (of(n, None), ""),
        (of(s, Some(n)), "627531"),
        (of(s, Some(s)), "0078"),
    ] {
        assert!(read_key(&schema, &unhex(content)).is_err(), "{content}");
    }
    let mut out = Vec::new();
    let missing = write_key(&mut out, &of(s, Some(n)), &Item::new().with("k", text("a")));
    assert_eq!(missing.unwrap_err().message, "The provided key element does not match the schema");
    let wrong_type = write_key(&mut out, &of(s, None), &Item::new().with("k", number("1")));
    assert!(wrong_type.is_err());
}

#[test]
fn a_key_has_no_other_attributes() {
    let schema = of(ValueType::S, None);
    let key = Item::new().with("k", text("v"));
    let more = key.clone().with("other", text("v"));
    assert!(write_key_alone(&mut Vec::new(), &schema, &key).is_ok());
    let refused = write_key_alone(&mut Vec::new(), &schema, &more).unwrap_err();
    assert_eq!(refused.message, "The provided key element does not match the schema");
    assert!(write_key(&mut Vec::new(), &schema, &more).is_ok(), "an item has its key and more");
}
