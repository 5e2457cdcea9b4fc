use super::{AnswerScanner, Frame, FrameError, FrameScanner, PREAMBLE_BYTES, REQUEST_FRAME_BYTES};
use crate::cbor::CborError;
use crate::codec::method::Method;
use crate::codec::tests::unhex;
use api::OpKind;

const PREAMBLE: &str = "674a37796e65354700f6a000";
const ENDPOINTS: &str = "011a1b2bcf02";
const GET: &str = "011a0fb0cc6a44486173684462617265bf02f50300ff";

fn begun() -> FrameScanner {
    let mut scanner = FrameScanner::new();
    let preamble = unhex(PREAMBLE);
    assert_eq!(scanner.next(&preamble), Ok(Some(Frame::Preamble { bytes: preamble.len() })));
    scanner
}

#[test]
fn frames_are_found_one_after_the_other_however_they_arrive() {
    let stream = unhex(&format!("{PREAMBLE}{ENDPOINTS}{GET}{ENDPOINTS}"));
    for step in 1..stream.len() {
        let mut scanner = FrameScanner::new();
        let (mut start, mut arrived) = (0, 0);
        let mut found = Vec::new();
        while found.len() < 4 {
            match scanner.next(&stream[start..arrived]).unwrap() {
                Some(Frame::Preamble { bytes }) => {
                    start += bytes;
                    found.push(None);
                }
                Some(Frame::Request { method, header_bytes, bytes }) => {
                    assert_eq!(header_bytes, 6);
                    start += bytes;
                    found.push(Some(method));
                }
                None => {
                    assert!(arrived < stream.len(), "step {step}");
                    arrived = (arrived + step).min(stream.len());
                }
            }
        }
        let get = Method::Operation(OpKind::GetItem);
        assert_eq!(found, [None, Some(Method::Endpoints), Some(get), Some(Method::Endpoints)]);
        assert_eq!(start, stream.len());
    }
}

#[test]
fn what_has_no_end_that_can_be_found_is_an_error_at_its_header() {
    for (bytes, error) in [
        ("021a1b2bcf02", FrameError::Service(2)),
        ("0100", FrameError::Method(0)),
        ("013a12ae9ab5", FrameError::Method(-313_432_758)),
        ("01f6", FrameError::Cbor(CborError::Unexpected { wanted: "an integer", found: "null" })),
        ("011a0fb0cc6a5b0000000100000000", FrameError::Cbor(CborError::TooLong)),
    ] {
        assert_eq!(begun().next(&unhex(bytes)), Err(error), "{bytes}");
    }
}

#[test]
fn the_largest_frame_may_come_and_no_larger_one_is_awaited() {
    // A getItem whose key is so long that the frame has just the largest length.
    let header = unhex("011a0fb0cc6a4448617368");
    let rest = [0xBF, 0xFF];
    let key_bytes = REQUEST_FRAME_BYTES - header.len() - 5 - rest.len();
    let frame = |key_bytes: usize| {
        let mut frame = header.clone();
        frame.push(0x5A);
        frame.extend((key_bytes as u32).to_be_bytes());
        frame
    };
    let mut whole = frame(key_bytes);
    assert_eq!(begun().next(&whole), Ok(None));
    whole.resize(whole.len() + key_bytes, 0);
    whole.extend(rest);
    let found = begun().next(&whole).unwrap();
    assert!(matches!(found, Some(Frame::Request { bytes: REQUEST_FRAME_BYTES, .. })));
    assert_eq!(begun().next(&frame(REQUEST_FRAME_BYTES)), Err(FrameError::Cbor(CborError::TooLong)));
    // And a preamble is short.
    let mut long = unhex("674a37796e653547005a");
    long.extend((PREAMBLE_BYTES as u32).to_be_bytes());
    assert_eq!(FrameScanner::new().next(&long), Err(FrameError::Cbor(CborError::TooLong)));
}

#[test]
fn answers_end_by_their_method_and_errors_by_themselves() {
    let get = Method::Operation(OpKind::GetItem);
    let batch_get = Method::Operation(OpKind::BatchGetItem);
    let batch_write = Method::Operation(OpKind::BatchWriteItem);
    for (method, answer) in [
        (get, "80bfff"),
        (get, "80f6"),
        (batch_get, "8082a0a080"),
        (batch_write, "80a080a0"),
        (Method::Endpoints, "8080"),
        (batch_get, "84041718 1f18 21 6161 f6"),
        (get, "8304171818 6161 83f6f6f6"),
    ] {
        let answer = unhex(&answer.replace(' ', ""));
        let mut scanner = AnswerScanner::new(method, 1000);
        for arrived in 0..answer.len() {
            assert_eq!(scanner.next(&answer[..arrived]), Ok(None), "{answer:x?} at {arrived}");
        }
        assert_eq!(scanner.next(&answer), Ok(Some(answer.len())));
    }
    let too_long = AnswerScanner::new(get, 10).next(&unhex("80bf004a00"));
    assert_eq!(too_long, Err(CborError::TooLong));
}
