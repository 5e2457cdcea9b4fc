use proptest::prelude::*;

use super::*;
use crate::value::ValueType;
use crate::value::number::tests::any_number;

fn any_value() -> impl Strategy<Value = AttributeValue> {
    use proptest::collection::{btree_map, btree_set, vec};
    let bytes = || vec(any::<u8>(), 0..12).prop_map(Bytes::from);
    let leaf = prop_oneof![
        "\\PC{0,20}".prop_map(AttributeValue::S),
        any_number().prop_map(AttributeValue::N),
        bytes().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        btree_set("\\PC{0,6}", 1..4).prop_map(AttributeValue::Ss),
        btree_set(any_number(), 1..4).prop_map(AttributeValue::Ns),
        btree_set(bytes(), 1..4).prop_map(AttributeValue::Bs),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(AttributeValue::L),
            btree_map("\\PC{0,6}", inner, 0..5).prop_map(AttributeValue::M),
        ]
    })
}

pub(crate) fn any_item() -> impl Strategy<Value = Item> {
    proptest::collection::btree_map("\\PC{1,8}", any_value(), 0..6).prop_map(Item)
}

fn sample() -> Item {
    Item::new()
        .with("pk", AttributeValue::S("a".into()))
        .with("n", AttributeValue::N(Number::parse("-1.5e-7").unwrap()))
        .with("tags", AttributeValue::Ss(["x".to_owned(), "y".to_owned()].into()))
        .with("doc", AttributeValue::L(vec![AttributeValue::Null, AttributeValue::M(Default::default())]))
}

#[test]
fn the_form_is_fixed() {
    // Stored data depends on these bytes; a change needs a new format number.
    let item = Item::new().with("b", AttributeValue::Bool(true)).with("a", AttributeValue::S("é".into()));
    assert_eq!(&EncodedItem::encode(&item).as_bytes()[..], b"\x01\x05\x02\x01a\x01\x02\xC3\xA9\x01b\x04");
    let number = Item::new().with("n", AttributeValue::N(Number::parse("-150").unwrap()));
    assert_eq!(&EncodedItem::encode(&number).as_bytes()[..], b"\x01\x05\x01\x01n\x02\x02\x1D");
}

#[test]
fn attributes_are_found_by_name_without_decoding_the_others() {
    let encoded = EncodedItem::encode(&sample());
    assert!(matches!(encoded.get("pk"), Some(ValueRef::S("a"))));
    assert_eq!(encoded.get("tags").map(|value| value.value_type()), Some(ValueType::Ss));
    assert!(encoded.get("p").is_none());
    assert!(encoded.get("zz").is_none());
    assert!(encoded.get("").is_none());
    assert_eq!(encoded.attributes().map(|(name, _)| name).collect::<Vec<_>>(), ["doc", "n", "pk", "tags"]);
    assert_eq!(encoded.attributes().len(), 4);
}

#[test]
fn forms_that_encoding_never_writes_are_refused() {
    let refused = |bytes: &[u8]| EncodedItem::from_bytes(Bytes::copy_from_slice(bytes)).is_err();
    assert!(!refused(b"\x01\x05\x02\x01a\x01\x02\xC3\xA9\x01b\x04"));
    for (bytes, why) in [
        (&b""[..], "empty"),
        (b"\x02\x00\x00", "another format"),
        (b"\x01\x00\x00\x00", "a byte too many"),
        (b"\x01\x06\x02\x01a\x01\x02\xC3\xA9\x01b\x04", "a wrong size"),
        (b"\x01\x05\x02\x01b\x04\x01a\x01\x02\xC3\xA9", "names out of order"),
        (b"\x01\x04\x02\x01a\x04\x01a\x04", "a name twice"),
        (b"\x01\x05\x02\x01a\x01\x02\xC3\x28\x01b\x04", "not UTF-8"),
        (b"\x01\x80\x00\x00", "a varint longer than needed"),
        (b"\x01\x03\x01\x01n\x02\x00\x14", "ten with a trailing zero"),
        (b"\x01\x01\x01\x01s\x09\x01\x00", "an empty set"),
        (b"\x01\x03\x01\x01s\x09\x05\x02\x01b\x01a", "a set out of order"),
        (b"\x01\x03\x01\x01s\x08\xff\xff\xff\xff\x0f\x01", "a length beyond the end"),
    ] {
        assert!(refused(bytes), "{why}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    let mut deep = AttributeValue::Null;
    for _ in 0..MAX_DEPTH + 1 {
        deep = AttributeValue::L(vec![deep]);
    }
    let encoded = EncodedItem::encode(&Item::new().with("a", deep));
    assert!(EncodedItem::from_bytes(encoded.as_bytes().clone()).is_err());
}

proptest! {
    #[test]
    fn encoding_and_back_is_the_same_item(item in any_item()) {
        let encoded = EncodedItem::encode(&item);
        prop_assert_eq!(encoded.billed_size(), item.billed_size());
        prop_assert!(encoded.billed_size() <= EncodedItem::billed_size_bound(encoded.as_bytes().len()));
        prop_assert_eq!(&encoded.to_item(), &item);
        let read = EncodedItem::from_bytes(encoded.as_bytes().clone()).unwrap();
        prop_assert_eq!(&read, &encoded);
        for (name, value) in &item.0 {
            prop_assert_eq!(&encoded.get(name).unwrap().to_value(), value);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let with_header: Vec<u8> = [1u8, 3, 1, 1, b'a'].into_iter().chain(bytes.iter().copied()).collect();
        for bytes in [bytes, with_header] {
            let _ = EncodedItem::from_bytes(bytes.clone().into());
            // The reader itself is total too, even on bytes that no check let through.
            let unchecked = EncodedItem(bytes.into());
            let _ = unchecked.0.first().map(|_| unchecked.billed_size());
            let _ = unchecked.to_item();
            let _ = unchecked.get("a").map(ValueRef::to_value);
        }
    }

    #[test]
    fn damage_is_refused_or_is_another_item(item in any_item(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let encoded = EncodedItem::encode(&item);
        let mut bytes = encoded.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Ok(read) = EncodedItem::from_bytes(bytes.into()) {
            prop_assert_eq!(EncodedItem::encode(&read.to_item()), read);
        }
    }
}
