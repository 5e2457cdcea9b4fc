//! Frames of right shape and wrong content: each has its answer, and nothing panics.

use api::{Error, ErrorKind, OpKind, Request};
use proptest::prelude::*;

use super::round_trip::{Ends, exchange, find};
use super::unhex;
use crate::codec::answer::read_answer;
use crate::codec::item::ListNames;
use crate::codec::method::Method;
use crate::codec::request::{SelectAll, read_request};
use crate::error::read_error;

const OPERATIONS: [OpKind; 10] = [
    OpKind::GetItem,
    OpKind::PutItem,
    OpKind::UpdateItem,
    OpKind::DeleteItem,
    OpKind::Query,
    OpKind::Scan,
    OpKind::BatchGetItem,
    OpKind::BatchWriteItem,
    OpKind::TransactGetItems,
    OpKind::TransactWriteItems,
];

fn read(op: OpKind, values: &str) -> Result<Request, Error> {
    let values = unhex(&values.replace(' ', ""));
    let unknown = |_| None;
    read_request(op, &values, SelectAll::Meant, &find, &mut ListNames::new(&unknown))
        .map(|(request, _)| request)
}

/// `Hash`, as bytes and as text.
const HASH: &str = "4448617368";
const HASH_TEXT: &str = "6448617368";

proptest! {
    #[test]
    fn arbitrary_values_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), op in 0..10usize) {
        let unknown = |_| None;
        let _ = read_request(OPERATIONS[op], &bytes, SelectAll::Meant, &find, &mut ListNames::new(&unknown));
    }

    #[test]
    fn a_frame_with_a_byte_changed_never_panics((request, response) in exchange(), at in any::<prop::sample::Index>(), byte: u8) {
        let ends = Ends::new();
        let mut frame = ends.request(&request);
        let question = ends.question(&frame);
        let header = 1 + 5;
        let place = header + at.index(frame.len() - header);
        frame[place] = byte;
        let unknown = |_| None;
        let _ = read_request(request.kind(), &frame[header..], SelectAll::Meant, &find, &mut ListNames::new(&unknown));
        let mut answer = ends.answer(&question, &response);
        let place = at.index(answer.len());
        answer[place] = byte;
        let _ = read_answer(&answer[1..], &request, &find, &mut ListNames::new(&unknown));
        let _ = read_error(&answer, Some(&request), &find, &mut ListNames::new(&unknown));
    }
}

#[test]
fn an_attribute_list_that_nobody_registered_is_a_validation_error() {
    for (op, values) in [
        (OpKind::PutItem, format!("{HASH} 4161 420901 f6")),
        (OpKind::BatchWriteItem, format!("a1 {HASH_TEXT} 82 4161 420901 f6")),
        (OpKind::TransactWriteItems, format!("8102 81{HASH} 814161 81420901 f6 f6 f6 f6 f6")),
    ] {
        let error = read(op, &values).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ValidationException, "{}", op.name());
        assert!(error.message.contains("attribute list 9 is not known"), "{error}");
    }
}

#[test]
fn a_table_that_is_not_there_is_refused_as_the_schemas_say() {
    let error = read(OpKind::GetItem, "444e6f7065 4161 f6").unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceNotFoundException);
}

#[test]
fn options_are_checked_in_the_services_words() {
    let scan = |options: &str| read(OpKind::Scan, &format!("{HASH} bf{options}ff")).unwrap_err().message;
    assert_eq!(
        scan("0d00"),
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater \
         than or equal to 1"
    );
    assert!(scan("1000").starts_with("The TotalSegments parameter is required"));
    assert!(scan("1101").starts_with("The Segment parameter is required"));
    assert!(scan("1002 1102").contains("Segment: 2 is not less than TotalSegments: 2"));
    assert!(scan("1000 111a000f4241").contains("at 'totalSegments' failed"));
    assert!(scan("0f04").starts_with("Must specify the AttributesToGet or ProjectionExpression"));
    assert!(scan("0f03 00 47 82018182126161").starts_with("Cannot specify the ProjectionExpression when"));
    assert!(scan("0f02").starts_with("ALL_PROJECTED_ATTRIBUTES can be used only"));
    assert!(scan("0b4161").starts_with("Invalid table/index name."));
    assert!(scan("0301 0303").contains("ReturnConsumedCapacity"));
    let put = read(OpKind::PutItem, &format!("{HASH} 4161 4101 bf0704ff")).unwrap_err();
    assert_eq!(put.message, "ReturnValues can only be ALL_OLD or NONE");
    let query = read(OpKind::Query, &format!("{HASH} f6 f6")).unwrap_err();
    assert!(query.message.starts_with("Either the KeyConditions or KeyConditionExpression"));
}

/// Goes by no other rule than that the last one counts.
#[test]
fn the_conditions_text_that_python_sends_first_is_passed_over() {
    let condition = "4a 8301820c821262706b80";
    let text = "54 6174747269627574655f65786973747328706b29";
    let put = |options: &str| read(OpKind::PutItem, &format!("{HASH} 4161 4101 bf{options}ff"));
    let both = put(&format!("04 {text} 01 a162237062706b 05 a1623a76f6 04 {condition}")).unwrap();
    assert_eq!(both, put(&format!("04 {condition}")).unwrap());
    assert_ne!(both, put("").unwrap());
    // The text alone must not turn a conditional write into one without a condition.
    assert!(put(&format!("04 {text}")).is_err());
}

#[test]
fn batches_and_transactions_are_bounded_before_they_are_built() {
    let gets = |keys: usize| {
        let keys: String = (0..keys).map(|at| format!("42{at:04x}")).collect();
        format!("a1 {HASH_TEXT} 83f4f6 9a{:08x}{keys} f6", keys.len() / 6)
    };
    assert_eq!(
        read(OpKind::BatchGetItem, &gets(101)).unwrap_err().message,
        "Too many items requested for the BatchGetItem call"
    );
    let writes = |count: usize| format!("a1 {HASH_TEXT} 98{:02x}{} f6", 2 * count, "4161f6".repeat(count));
    assert!(read(OpKind::BatchWriteItem, &writes(25)).is_ok());
    assert_eq!(
        read(OpKind::BatchWriteItem, &writes(26)).unwrap_err().message,
        "Too many items requested for the BatchWriteItem call"
    );
    let transact = |count: usize| {
        let operations = "07".repeat(count);
        format!("98{count:02x}{operations} 80 80 f6 f6 f6 f6 f6 f6")
    };
    assert_eq!(
        read(OpKind::TransactWriteItems, &transact(101)).unwrap_err().message,
        "1 validation error detected: Value '[101 TransactWriteItem]' at 'transactItems' failed to satisfy constraint: \
         Member must have length less than or equal to 100"
    );
    // Arrays beside each other must be as long as the first.
    assert_eq!(
        read(OpKind::TransactWriteItems, &transact(2)).unwrap_err().kind,
        ErrorKind::SerializationException
    );
    let twice = format!("a2 {HASH_TEXT} 824161f6 {HASH_TEXT} 824162f6 f6");
    assert!(read(OpKind::BatchWriteItem, &twice).unwrap_err().message.contains("more than once"));
    for (op, empty) in [
        (OpKind::BatchGetItem, "a0 f6".to_owned()),
        (OpKind::BatchWriteItem, "a0 f6".to_owned()),
        (OpKind::BatchGetItem, format!("a1 {HASH_TEXT} 83f4f680 f6")),
        (OpKind::BatchWriteItem, format!("a1 {HASH_TEXT} 80 f6")),
        (OpKind::TransactGetItems, "80 80 f6 f6".to_owned()),
        (OpKind::TransactWriteItems, "80 80 80 f6 f6 f6 f6 f6 f6".to_owned()),
    ] {
        assert_eq!(read(op, &empty).unwrap_err().kind, ErrorKind::ValidationException, "{}", op.name());
    }
    let same_key = format!("a1 {HASH_TEXT} 83f4f68241614161 f6");
    assert!(read(OpKind::BatchGetItem, &same_key).unwrap_err().message.contains("duplicates"));
}

#[test]
fn operations_without_a_layout_are_no_frames() {
    let methods = OpKind::ALL.iter().filter(|op| Method::Operation(**op).id().is_some());
    assert_eq!(methods.count(), OPERATIONS.len());
    assert_eq!(read(OpKind::ListTables, "").unwrap_err().kind, ErrorKind::UnknownOperationException);
}
