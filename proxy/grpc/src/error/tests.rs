//! Errors go there and back, and fit into trailers.

use api::{AttributeValue, Item};
use tonic::metadata::MetadataMap;

use super::*;

fn failed_item(bytes: usize) -> Item {
    Item::new().with("pk", AttributeValue::S("x".repeat(bytes)))
}

fn cancelled(reasons: usize, bytes: usize) -> Error {
    let failed = |_| CancellationReason {
        code: Some(CancellationCode::ConditionalCheckFailed),
        message: Some("The conditional request failed".to_owned()),
        item: Some(failed_item(bytes)),
    };
    let reasons: Vec<_> =
        std::iter::once(CancellationReason::default()).chain((0..reasons).map(failed)).collect();
    Error::new(ErrorKind::TransactionCanceledException, "Transaction cancelled")
        .with(Detail::Cancellation(reasons))
}

/// The status as it goes over the wire.
fn sent(error: &Error) -> (Status, usize) {
    let mut headers = http::HeaderMap::new();
    to_status(error).add_header(&mut headers).unwrap();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    (Status::from_header_map(&headers).unwrap(), bytes)
}

#[test]
fn every_kind_comes_back_out_of_a_status_and_out_of_a_message() {
    for kind in ErrorKind::ALL {
        let error = Error::new(*kind, format!("what {} says: ü", kind.name()));
        assert_eq!(of_status(&sent(&error).0), error);
        assert_eq!(of_message(to_message(&error), Code::Unknown), error);
        assert_ne!(code(*kind), Code::Ok);
    }
}

#[test]
fn a_code_tells_whether_to_try_again_also_where_there_are_no_details() {
    for kind in ErrorKind::ALL {
        let bare = Status::with_metadata(code(*kind), "gone", MetadataMap::new());
        assert_eq!(of_status(&bare).kind.is_retryable(), kind.is_retryable(), "{kind:?}");
    }
    assert_eq!(
        of_status(&Status::new(Code::Unavailable, "")).message,
        "The endpoint answered with status Unavailable."
    );
}

#[test]
fn failed_items_and_facts_between_nodes_come_back() {
    let failed = Error::new(ErrorKind::ConditionalCheckFailedException, "The conditional request failed");
    for error in [
        failed.clone().with(Detail::Item(failed_item(10))),
        cancelled(3, 10),
        failed.clone().with(Detail::NotPrimary { primary: Some(3) }),
        failed.clone().with(Detail::NotPrimary { primary: None }),
        failed.with(Detail::OutcomeUnknown),
    ] {
        assert_eq!(of_status(&sent(&error).0), error);
    }
}

#[test]
fn what_does_not_fit_into_trailers_is_left_out_and_said_so() {
    let error = cancelled(100, 400 * 1024);
    let (status, bytes) = sent(&error);
    assert!(bytes < 8 * 1024, "{bytes} bytes of trailers");
    let Some(Detail::Cancellation(reasons)) = of_status(&status).detail.map(|detail| *detail) else {
        panic!()
    };
    assert_eq!(reasons.len(), 101);
    assert!(reasons.iter().all(|reason| reason.item.is_none()));
    assert_eq!(reasons[1].code, Some(CancellationCode::ConditionalCheckFailed));
    let any = RpcStatus::decode(status.details()).unwrap().details.remove(0);
    assert!(pb::Error::decode(any.value).unwrap().items_left_out);
    // As a message nothing is missing.
    let mut message = Vec::new();
    encode_error(&error, &mut message);
    assert_eq!(of_message(pb::Error::decode(&message[..]).unwrap(), Code::Unknown), error);
}

#[test]
fn a_message_of_any_length_fits_into_trailers() {
    let (status, bytes) = sent(&Error::validation("ü".repeat(100_000)));
    assert!(bytes < 8 * 1024, "{bytes} bytes of trailers");
    assert_eq!(of_status(&status).kind, ErrorKind::ValidationException);
}
