//! Every kind reads back as itself, and the bodies are the service's to the byte.

use api::item::Item;
use api::{AttributeValue, Error};

use super::*;

fn body(error: &Error) -> String {
    let mut out = Vec::new();
    write_body(error, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_reads_back() {
    for kind in ErrorKind::ALL {
        let error = Error::new(*kind, "why \"so\"\n");
        assert_eq!(read_body(status(*kind), body(&error).as_bytes()), error);
        let server_fault = kind.fault() == api::error::Fault::Server;
        assert_eq!(status(*kind) >= 500, server_fault, "{}", kind.name());
    }
}

#[test]
fn bodies_are_the_services() {
    let cases = [
        (
            Error::new(ErrorKind::SerializationException, ""),
            r#"{"__type":"com.amazon.coral.service#SerializationException"}"#,
        ),
        (
            Error::new(
                ErrorKind::SerializationException,
                "Start of structure or map found where not expected",
            ),
            r#"{"__type":"com.amazon.coral.service#SerializationException","Message":"Start of structure or map found where not expected"}"#,
        ),
        (
            Error::validation("no"),
            r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}"#,
        ),
        (
            Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found"),
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}"#,
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(body(&error), expected);
    }
}

#[test]
fn a_cancelled_transaction_carries_its_reasons() {
    let item = Item::new().with("k", AttributeValue::S("v".into()));
    let reasons = vec![
        CancellationReason::default(),
        CancellationReason {
            code: Some(CancellationCode::ConditionalCheckFailed),
            message: Some("The conditional request failed".into()),
            item: Some(item.clone()),
        },
    ];
    let error =
        Error::new(ErrorKind::TransactionCanceledException, "cancelled").with(Detail::Cancellation(reasons));
    let text = body(&error);
    assert_eq!(
        text,
        "{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\",\"CancellationReasons\":\
         [{\"Code\":\"None\"},{\"Code\":\"ConditionalCheckFailed\",\"Item\":{\"k\":{\"S\":\"v\"}},\
         \"Message\":\"The conditional request failed\"}],\"Message\":\"cancelled\"}"
    );
    assert_eq!(read_body(400, text.as_bytes()), error);
    let failed = Error::new(ErrorKind::ConditionalCheckFailedException, "no").with(Detail::Item(item));
    assert_eq!(read_body(400, body(&failed).as_bytes()), failed);
}

#[test]
fn what_is_no_error_of_the_service_goes_by_its_status() {
    for (status, kind) in [
        (400, ErrorKind::ValidationException),
        (413, ErrorKind::ValidationException),
        (429, ErrorKind::ThrottlingException),
        (500, ErrorKind::InternalServerError),
        (503, ErrorKind::ServiceUnavailableException),
    ] {
        for body in ["", "<html>", "{}", "{\"__type\":\"x#NewException\"}", "[1]"] {
            assert_eq!(read_body(status, body.as_bytes()).kind, kind, "{status} {body}");
        }
    }
}
