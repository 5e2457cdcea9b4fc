//! Messages that are none, and messages whose values are not sound.

use std::collections::BTreeMap;

use api::expr::Author;
use api::{AttributeValue, ErrorKind, OpKind};
use bytes::Bytes;
use prost::Message;

use super::super::decode_request;
use super::super::value::{WireItem, WireValue};
use super::super::wire::{put_bytes, put_key, put_message, put_varint};
use crate::proto::dynamodb as pb;

/// What a value says of itself once it is checked.
fn refusal(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes);
    WireValue::decode(&bytes[..]).unwrap().into_unchecked().check().unwrap_err().message.into_owned()
}

const INVALID: &str = "One or more parameter values were invalid: ";

#[test]
fn values_that_are_not_sound_are_refused_in_the_services_words() {
    const EMPTY: &str =
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
    assert_eq!(refusal(|_| {}), EMPTY);
    // A field that nobody knows is no type.
    assert_eq!(refusal(|out| put_bytes(out, 77, b"x")), EMPTY);
    assert_eq!(
        refusal(|out| {
            put_bytes(out, 1, b"x");
            put_bytes(out, 2, b"1");
        }),
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    );
    assert_eq!(
        refusal(|out| put_bytes(out, 2, b"one")),
        "The parameter cannot be converted to a numeric value: one"
    );
    assert_eq!(
        refusal(|out| {
            put_key(out, 5, prost::encoding::WireType::Varint);
            put_varint(out, 0);
        }),
        format!("{INVALID}Null attribute value types must have the value of true")
    );
    assert_eq!(refusal(|out| put_bytes(out, 8, b"")), format!("{INVALID}An string set  may not be empty"));
    assert_eq!(refusal(|out| put_bytes(out, 9, b"")), format!("{INVALID}An number set  may not be empty"));
    assert_eq!(refusal(|out| put_bytes(out, 10, b"")), format!("{INVALID}Binary sets should not be empty"));
    assert_eq!(refusal(|out| put_message(out, 7, |out| put_bytes(out, 1, b""))), EMPTY);
}

#[test]
fn only_an_attribute_needs_a_name() {
    // An entry of a map whose name is not there, which is how an empty one is written.
    let nameless = |content: &[u8]| {
        let mut bytes = Vec::new();
        put_message(&mut bytes, 1, |out| put_bytes(out, 2, content));
        bytes
    };
    let text = b"\x0a\x01x";
    let error = WireItem::decode(&nameless(text)[..]).unwrap().into_item().unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_ref()),
        (ErrorKind::ValidationException, &*format!("{INVALID}Empty attribute name"))
    );
    let mut map = Vec::new();
    put_bytes(&mut map, 6, &nameless(text));
    let inner = BTreeMap::from([(String::new(), AttributeValue::S("x".into()))]);
    let value = WireValue::decode(&map[..]).unwrap().into_unchecked().check().unwrap();
    assert_eq!(value, AttributeValue::M(inner));
    let again = WireValue::from(&value).encode_to_vec();
    assert_eq!(WireValue::decode(&again[..]).unwrap().into_unchecked().check().unwrap(), value);
}

#[test]
fn values_that_break_off_or_have_another_wire_type_are_malformed() {
    let field = |tag, content: &[u8]| {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, tag, content);
        bytes
    };
    let text_as_a_number = b"\x08\x01".to_vec();
    let broken = [field(6, b"\x0a\x05x"), field(7, b"\x0a\xff"), field(4, b"true"), field(1, b"\xff\xfe")];
    for bytes in broken.into_iter().chain([text_as_a_number]) {
        let error = WireValue::decode(&bytes[..]).unwrap().into_unchecked().check().unwrap_err();
        assert_eq!(error.kind, ErrorKind::SerializationException, "{bytes:x?}");
    }
}

fn nested(levels: usize, text_bytes: usize) -> Vec<u8> {
    let mut text = Vec::new();
    put_bytes(&mut text, 1, &vec![b'x'; text_bytes]);
    (0..levels).fold(text, |inner, _| {
        let mut out = Vec::new();
        put_message(&mut out, 7, |out| put_bytes(out, 1, &inner));
        out
    })
}

#[test]
fn the_innermost_value_stands_at_level_32_at_most() {
    let check =
        |levels, bytes| WireValue::decode(&nested(levels, bytes)[..]).unwrap().into_unchecked().check();
    assert!(check(31, 1).is_ok());
    // The size of what is inside counts once, however deep it stands.
    assert!(check(31, 400_000).is_ok());
    assert!(check(32, 1).unwrap_err().message.starts_with("Nesting Levels have exceeded supported limits"));
    // Far past it nothing is lost but the reading.
    assert!(check(5_000, 1).unwrap_err().message.starts_with("Nesting Levels"));
}

#[test]
fn no_more_is_built_than_an_item_may_hold() {
    // A million elements of four bytes; each would take tens of bytes as a tree.
    let mut list = Vec::new();
    for _ in 0..1_000_000 {
        put_bytes(&mut list, 1, b"\x28\x01");
    }
    let mut bytes = Vec::new();
    put_message(&mut bytes, 1, |out| {
        put_bytes(out, 1, b"a");
        put_message(out, 2, |out| put_bytes(out, 7, &list));
    });
    let unchecked = WireItem::decode(&bytes[..]).unwrap().into_unchecked();
    let built = match unchecked.as_found().get("a") {
        Some(api::AttributeValue::L(list)) => list.len(),
        _ => 0,
    };
    assert!(built * 2 <= 2 * api::limits::ITEM_BYTES, "{built} elements were built");
    assert_eq!(unchecked.check().unwrap_err().message, "Item size has exceeded the maximum allowed size");
}

fn refused(op: OpKind, message: impl Message) -> String {
    decode_request(op, message.encode_to_vec().into(), Author::Client).unwrap_err().message.into_owned()
}

#[test]
fn bytes_that_are_no_message_are_refused_for_every_operation() {
    for op in OpKind::ALL {
        let error = decode_request(*op, Bytes::from_static(b"\x0a\xff\xff"), Author::Client).unwrap_err();
        assert_eq!(error.kind, ErrorKind::SerializationException, "{op:?}");
    }
}

#[test]
fn what_is_left_out_is_missed_as_in_json() {
    assert_eq!(
        refused(OpKind::GetItem, pb::GetItemInput::default()),
        "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; \
         Value null at 'key' failed to satisfy constraint: Member must not be null"
    );
    assert_eq!(
        refused(
            OpKind::TransactWriteItems,
            pb::TransactWriteItemsInput {
                transact_items: vec![pb::TransactWriteItem::default()],
                ..Default::default()
            }
        ),
        "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"
    );
    assert_eq!(
        refused(OpKind::BatchWriteItem, pb::BatchWriteItemInput::default()),
        "The requestItems parameter is required for BatchWriteItem"
    );
}

#[test]
fn choices_that_are_none_and_placeholders_that_do_not_fit_are_refused() {
    let put = pb::PutItemInput {
        table_name: Some("orders".to_owned()),
        item: Some(WireItem::default()),
        return_consumed_capacity: 9,
        ..Default::default()
    };
    assert_eq!(
        refused(OpKind::PutItem, put.clone()),
        "1 validation error detected: Value '9' at 'returnConsumedCapacity' failed to satisfy constraint: Member must \
         satisfy enum value set: [INDEXES, TOTAL, NONE]"
    );
    let put = pb::PutItemInput { return_consumed_capacity: 0, return_values: 3, ..put };
    assert_eq!(refused(OpKind::PutItem, put.clone()), "ReturnValues can only be ALL_OLD or NONE");
    let put =
        pb::PutItemInput { return_values: 0, condition_expression: Some("a = :missing".to_owned()), ..put };
    assert_eq!(
        refused(OpKind::PutItem, put.clone()),
        "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: \
         :missing"
    );
    let put = pb::PutItemInput {
        expression_attribute_values: [(":missing".to_owned(), WireValue::default())].into(),
        ..put
    };
    assert_eq!(
        refused(OpKind::PutItem, put),
        "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one \
         of the supported datatypes for key :missing"
    );
}
