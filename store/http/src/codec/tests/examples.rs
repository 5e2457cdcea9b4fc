//! Bodies and answers spelled out: what the wire must look like to the byte, and what bad input gets.

use std::sync::Arc;

use api::item::ReadyItem;
use api::op::{BatchGetItemOutput, Capacity, ConsumedCapacity, GetItemOutput, Page};
use api::operation::Ready;
use api::{
    AttributeValue, EncodedItem, Error, ErrorKind, Item, ItemBody, Number, OpKind, Request, Response,
    TableName, Wire,
};

use super::super::{decode_request, encode_request, encode_response};

fn refusal(op: OpKind, body: &str) -> Error {
    decode_request(op, body.as_bytes()).map(|request| panic!("accepted as {request:?}")).unwrap_err()
}

#[track_caller]
fn invalid(op: OpKind, body: &str, message: &str) {
    let error = refusal(op, body);
    assert_eq!((error.kind, &*error.message), (ErrorKind::ValidationException, message));
}

#[track_caller]
fn unreadable(op: OpKind, body: &str, message: &str) {
    let error = refusal(op, body);
    assert_eq!((error.kind, &*error.message), (ErrorKind::SerializationException, message));
}

/// A GetItem of a key with this value.
fn get(value: &str) -> String {
    format!(r#"{{"TableName":"abc","Key":{{"a":{value}}}}}"#)
}

fn item() -> Item {
    Item::new()
        .with("b", AttributeValue::N("1.50".parse::<Number>().unwrap()))
        .with("a", AttributeValue::S("é\"\n\u{1}".to_owned()))
        .with("c", AttributeValue::L(vec![AttributeValue::B(vec![1, 2].into()), AttributeValue::Null]))
}

#[test]
fn an_answer_has_its_attributes_in_order_of_their_names() {
    let expected = "{\"Item\":{\"a\":{\"S\":\"é\\\"\\n\\u0001\"},\"b\":{\"N\":\"1.5\"},\
                    \"c\":{\"L\":[{\"B\":\"AQI=\"},{\"NULL\":true}]}}}";
    for item in [ItemBody::Tree(Arc::new(item())), ItemBody::Encoded(EncodedItem::encode(&item()))] {
        let response = Response::GetItem(GetItemOutput { item: Some(item), capacity: None });
        assert_eq!(std::str::from_utf8(&encode_response(&response).unwrap()).unwrap(), expected);
    }
    let absent = Response::GetItem(GetItemOutput::default());
    assert_eq!(&encode_response(&absent).unwrap()[..], b"{}");
}

#[test]
fn an_item_of_a_batch_is_taken_out_of_the_answer_that_lies_ready_in_this_form() {
    let whole = EncodedItem::encode(&item());
    let get = GetItemOutput { item: Some(ItemBody::Encoded(whole.clone())), capacity: None };
    let kept = crate::codec::ready(&Response::GetItem(get)).unwrap();
    let of_batch = |body| {
        let responses = vec![(TableName::new("abc").unwrap(), vec![body])];
        encode_response(&Response::BatchGetItem(BatchGetItemOutput { responses, ..Default::default() }))
            .unwrap()
    };
    let ready =
        |answer| ItemBody::Ready(Box::new(ReadyItem { key: Item::new(), item: whole.clone(), answer }));
    let wanted = of_batch(ItemBody::Encoded(whole.clone()));
    assert_eq!(of_batch(ready(kept.clone())), wanted);
    // What stands beside it is copied, and only where it is an answer of this wire with an item alone.
    let other = Ready { bytes: r#"{"Item":{"x":1}}"#.into(), ..kept.clone() };
    let copied = of_batch(ready(other.clone()));
    assert_eq!(copied, r#"{"Responses":{"abc":[{"x":1}]},"UnprocessedKeys":{}}"#.as_bytes());
    for answer in [Ready { wire: Wire::Dax, ..other }, Ready { bytes: "{}".into(), ..kept }] {
        assert_eq!(of_batch(ready(answer)), wanted);
    }
}

#[test]
fn a_page_counts_even_what_it_does_not_return() {
    let total = Capacity { units: 0.5, read_units: None, write_units: None };
    let capacity = ConsumedCapacity { table: "abc".to_owned(), total, ..ConsumedCapacity::default() };
    let page = Page {
        items: None,
        count: 2,
        scanned_count: 3,
        last_key: Some(Item::new()),
        capacity: Some(capacity),
    };
    assert_eq!(
        std::str::from_utf8(&encode_response(&Response::Query(page)).unwrap()).unwrap(),
        "{\"ConsumedCapacity\":{\"CapacityUnits\":0.5,\"TableName\":\"abc\"},\"Count\":2,\"LastEvaluatedKey\":{},\
         \"ScannedCount\":3}"
    );
}

#[test]
fn ready_bytes_pass_as_they_are_and_only_in_their_own_form() {
    let ready = |wire| Response::Ready(Ready { wire, bytes: "{\"x\":1}".into(), crc32: 0 });
    assert_eq!(&encode_response(&ready(Wire::Json)).unwrap()[..], b"{\"x\":1}");
    assert_eq!(encode_response(&ready(Wire::Dax)).unwrap_err().kind, ErrorKind::InternalServerError);
}

#[test]
fn a_request_is_written_without_what_goes_without_saying() {
    let body = r#"{"Key":{"k":{"S":"v"}},"TableName":"abc"}"#;
    let request = decode_request(OpKind::GetItem, body.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(encode_request(&request)).unwrap(), body);
}

#[test]
fn the_last_of_two_equal_names_counts() {
    let body = r#"{"TableName":"one","TableName":"two","Key":{"k":{"S":"v","S":"w"},"k":{"N":"1"}}}"#;
    let Request::GetItem(input) = decode_request(OpKind::GetItem, body.as_bytes()).unwrap() else { panic!() };
    assert_eq!(input.table.as_str(), "two");
    assert_eq!(input.key, Item::new().with("k", AttributeValue::N(Number::from(1))));
}

#[test]
fn unknown_members_are_passed_over_and_null_is_absent() {
    let body = r#"{"TableName":"abc","Key":{"k":{"S":"v","X":[1,{}]}},"Nope":{"a":[]},"ConsistentRead":null,
        "ProjectionExpression":null}"#;
    let Request::GetItem(input) = decode_request(OpKind::GetItem, body.as_bytes()).unwrap() else { panic!() };
    assert!(!input.consistent && input.projection.is_none());
}

#[test]
fn what_is_no_json_is_refused_without_a_message() {
    for body in ["", "{", "nope", "{}x", "null", "{\"TableName\":\"a\u{1}\"}", &"[".repeat(100_000)] {
        let error = refusal(OpKind::PutItem, body);
        assert_eq!(error.kind, ErrorKind::SerializationException, "{body:.40}");
    }
    unreadable(OpKind::GetItem, &get(&(r#"{"M":{"a":"#.repeat(100_000) + &"}}".repeat(100_000))), "");
    unreadable(
        OpKind::GetItem,
        "[]",
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.GetItemInput",
    );
}

#[test]
fn wrong_types_are_named() {
    unreadable(OpKind::GetItem, r#"{"TableName":1}"#, "NUMBER_VALUE cannot be converted to String");
    unreadable(OpKind::GetItem, &get(r#"{"N":1}"#), "NUMBER_VALUE cannot be converted to String");
    unreadable(OpKind::GetItem, &get(r#"{"S":{}}"#), "Start of structure or map found where not expected");
    unreadable(OpKind::GetItem, &get(r#""a""#), "Unexpected value type in payload");
    unreadable(
        OpKind::GetItem,
        &get(r#"{"B":"a"}"#),
        "Base64 encoded length is expected a multiple of 4 bytes but found: 1",
    );
    unreadable(
        OpKind::GetItem,
        &get("[]"),
        "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
    );
    unreadable(
        OpKind::GetItem,
        r#"{"Key":[]}"#,
        "Unrecognized collection type java.util.Map<java.lang.String, \
         com.amazonaws.dynamodb.v20120810.AttributeValue>",
    );
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let op = OpKind::GetItem;
    invalid(
        op,
        &get("{}"),
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
    );
    invalid(
        op,
        &get("null"),
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
    );
    invalid(
        op,
        &get(r#"{"S":"a","N":"1"}"#),
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
    );
    invalid(op, &get(r#"{"N":"x"}"#), "The parameter cannot be converted to a numeric value: x");
    invalid(op, &get(r#"{"N":""}"#), "The parameter cannot be converted to a numeric value");
    invalid(
        op,
        &get(r#"{"N":"123456789012345678901234567890123456789"}"#),
        "Attempting to store more than 38 significant digits in a Number",
    );
    invalid(
        op,
        &get(r#"{"N":"1e126"}"#),
        "Number overflow. Attempting to store a number with magnitude larger than supported range",
    );
    invalid(
        op,
        &get(r#"{"SS":[]}"#),
        "One or more parameter values were invalid: An string set  may not be empty",
    );
    invalid(
        op,
        &get(r#"{"NS":[]}"#),
        "One or more parameter values were invalid: An number set  may not be empty",
    );
    invalid(
        op,
        &get(r#"{"BS":[]}"#),
        "One or more parameter values were invalid: Binary sets should not be empty",
    );
    invalid(
        op,
        &get(r#"{"SS":["a","b","a"]}"#),
        "One or more parameter values were invalid: Input collection [a, b, a] contains duplicates.",
    );
    invalid(op, &get(r#"{"NS":["1","1.0"]}"#), "Input collection contains duplicates");
    invalid(
        op,
        &get(r#"{"BS":["AA==","AA=="]}"#),
        "One or more parameter values were invalid: Input collection [AA==, AA==]of type BS contains duplicates.",
    );
    invalid(
        op,
        &get(r#"{"NULL":false}"#),
        "One or more parameter values were invalid: Null attribute value types must have the value of true",
    );
}

#[test]
fn the_thirty_third_level_is_one_too_many() {
    let nested = |maps: usize| get(&(r#"{"M":{"n":"#.repeat(maps) + r#"{"S":"leaf"}"# + &"}}".repeat(maps)));
    assert!(decode_request(OpKind::GetItem, nested(31).as_bytes()).is_ok());
    for maps in [32, 63, 400] {
        invalid(
            OpKind::GetItem,
            &nested(maps),
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported \
             limit",
        );
    }
}

#[test]
fn constraints_are_reported_before_values_and_values_before_expressions() {
    invalid(
        OpKind::GetItem,
        r#"{"TableName":"a;","ReturnConsumedCapacity":"x","Key":{"k":{}},"ProjectionExpression":""}"#,
        "3 validation errors detected: Value 'x' at 'returnConsumedCapacity' failed to satisfy constraint: Member must \
         satisfy enum value set: [INDEXES, TOTAL, NONE]; Value 'a;' at 'tableName' failed to satisfy constraint: Member \
         must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy \
         constraint: Member must have length greater than or equal to 3",
    );
    invalid(
        OpKind::GetItem,
        r#"{"TableName":"abc","Key":{"k":{}},"ProjectionExpression":""}"#,
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
    );
    invalid(
        OpKind::GetItem,
        r#"{"TableName":"abc","Key":{"k":{"S":"a"}},"ProjectionExpression":""}"#,
        "Invalid ProjectionExpression: The expression can not be empty;",
    );
    invalid(
        OpKind::PutItem,
        "{}",
        "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; \
         Value null at 'item' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn long_lists_are_refused_before_their_elements_are_compared_with_each_other() {
    // Quadratic checks would hold this test up for minutes.
    let definition = |at: usize| format!(r#"{{"AttributeName":"a{at}","AttributeType":"S"}}"#);
    let definitions: Vec<String> = (0..100_000).map(definition).collect();
    let updates: Vec<String> =
        (0..100_000).map(|at| format!(r#"{{"Delete":{{"IndexName":"index{at}"}}}}"#)).collect();
    let body = format!(
        r#"{{"TableName":"abc","AttributeDefinitions":[{}],"GlobalSecondaryIndexUpdates":[{}]}}"#,
        definitions.join(","),
        updates.join(",")
    );
    assert_eq!(refusal(OpKind::UpdateTable, &body).kind, ErrorKind::ValidationException);
    let keys: Vec<String> = (0..200_000).map(|at| format!(r#"{{"k":{{"N":"{at}"}}}}"#)).collect();
    let body = format!(r#"{{"RequestItems":{{"abc":{{"Keys":[{}]}}}}}}"#, keys.join(","));
    invalid(
        OpKind::BatchGetItem,
        &body,
        "1 validation error detected: Value at 'RequestItems.abc.member.Keys' failed to satisfy constraint: Member must \
         have length less than or equal to 100",
    );
}
