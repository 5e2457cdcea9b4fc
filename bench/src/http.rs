//! AWS JSON 1.0 over HTTP/1.1.

use crate::exchange::AnswerEnd;
use crate::item::{self, PARTED_TABLE, TABLE};
use crate::scenario::Scenario;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.";
/// What local DynamoDBs ask for though they do not check it.
const SIGNATURE: &str = "\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// Bytes of the head of an answer, as Forebay writes it.
const ANSWER_HEAD_BYTES: usize = 190;

/// Appends a request of an operation.
pub(crate) fn request(operation: &str, body: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(operation.as_bytes());
    out.extend_from_slice(SIGNATURE.as_bytes());
    out.extend_from_slice(format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// Appends the request for a key.
pub(crate) fn write(scenario: Scenario, key: u64, value_bytes: usize, out: &mut Vec<u8>) {
    let name = item::name(key);
    let (operation, body) = match scenario {
        Scenario::GetItem => {
            ("GetItem", format!(r#"{{"TableName":"{TABLE}","Key":{{"pk":{{"S":"{name}"}}}}}}"#))
        }
        Scenario::GetItemStrong => (
            "GetItem",
            format!(r#"{{"TableName":"{TABLE}","Key":{{"pk":{{"S":"{name}"}}}},"ConsistentRead":true}}"#),
        ),
        Scenario::PutItem => {
            ("PutItem", format!(r#"{{"TableName":"{TABLE}","Item":{}}}"#, item::json(key, value_bytes)))
        }
        Scenario::Query => (
            "Query",
            format!(
                r#"{{"TableName":"{PARTED_TABLE}","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{{":p":{{"S":"{}"}}}}}}"#,
                item::partition_name(key)
            ),
        ),
    };
    request(operation, &body, out);
}

/// Bytes of an answer of Forebay's, head and body.
pub(crate) fn answer_bytes(scenario: Scenario, value_bytes: usize) -> usize {
    let body = match scenario {
        Scenario::GetItem | Scenario::GetItemStrong => {
            item::json(0, value_bytes).len() + r#"{"Item":}"#.len()
        }
        Scenario::PutItem => 2,
        Scenario::Query => {
            (item::parted_json(0, value_bytes).len() + 1) * item::PARTITION_ITEMS as usize
                + r#"{"Count":10,"Items":[],"ScannedCount":10}"#.len()
        }
    };
    ANSWER_HEAD_BYTES + body
}

/// Where the first answer in `bytes` ends; `None` while it is not whole.
pub(crate) fn answer_end(bytes: &[u8], scenario: Scenario) -> Option<AnswerEnd> {
    let (head, size) = head_end(bytes)?;
    let size = size?;
    let good = bytes.starts_with(b"HTTP/1.1 200") && (size > 2 || scenario == Scenario::PutItem);
    (bytes.len() >= head + size).then_some(AnswerEnd { bytes: head + size, good })
}

/// A number in digits.
pub(crate) fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

/// Where an answer's head ends, and the body's length as it says it, whatever the case of the header's name; `None` while
/// the head is not whole. In one pass: the generator runs on the cores of what it measures.
fn head_end(bytes: &[u8]) -> Option<(usize, Option<usize>)> {
    let (mut at, mut size) = (0, None);
    loop {
        let line = &bytes[at..at + memchr::memchr(b'\n', &bytes[at..])?];
        at += line.len() + 1;
        if line.len() <= 1 {
            return Some((at, size));
        }
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            size = decimal(&line[15..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let end = |bytes: &[u8]| answer_end(bytes, Scenario::GetItem).map(|end| (end.bytes, end.good));
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{ }more";
        assert_eq!(end(whole), Some((whole.len() - 4, true)));
        assert_eq!(end(&whole[..whole.len() - 5]), None);
        let refused = b"HTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(end(refused), Some((refused.len(), false)));
        assert_eq!(end(&refused[..refused.len() - 1]), None);
    }
}
