//! Servers under load: their addresses, requests as bytes, and where an answer ends.
//!
//! Requests are written by hand and answers only looked at as far as their end and their success, so that the generator costs
//! about the same whatever it speaks.

use std::fmt;
use std::str::FromStr;

use memchr::memmem;

use crate::scenario::{Load, Scenario};

/// Items of one partition of the query table.
pub(crate) const PARTITION_ITEMS: u64 = 10;

/// What a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.0.
    Http,
    /// RESP.
    Redis,
    /// [`crate::echo`].
    Echo,
}

/// A server under load.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its name in the table.
    pub(crate) name: String,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// `host:port`.
    pub(crate) address: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let wrong = || format!("{text:?} is not of the form name=http://HOST:PORT");
        let (name, url) = text.split_once('=').ok_or_else(wrong)?;
        let (scheme, address) = url.split_once("://").ok_or_else(wrong)?;
        let protocol = match scheme {
            "http" => Protocol::Http,
            "redis" => Protocol::Redis,
            "echo" => Protocol::Echo,
            _ => return Err(wrong()),
        };
        Ok(Target { name: name.into(), protocol, address: address.trim_end_matches('/').into() })
    }
}

/// Bytes of the echo's answer: what Forebay answers to the same question over HTTP, head and body.
pub(crate) struct EchoSizes {
    /// Bytes of a request.
    pub(crate) request: usize,
    /// Bytes of an answer.
    pub(crate) answer: usize,
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.";
/// What local DynamoDBs ask for though they do not check it.
const SIGNATURE: &str = "\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// An HTTP request of an operation.
pub(crate) fn http(operation: &str, body: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(operation.as_bytes());
    out.extend_from_slice(SIGNATURE.as_bytes());
    out.extend_from_slice(format!("\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

/// The bytes that stand in an item: the key's own digits over and over, so that no two items compress to one.
fn payload(key: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 20);
    let mut mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < bytes {
        mixed ^= mixed << 13;
        mixed ^= mixed >> 7;
        mixed ^= mixed << 17;
        text.push_str(&format!("{mixed:016x}"));
    }
    text.truncate(bytes);
    text
}

/// An item of the table with one key, as JSON.
pub(crate) fn item(key: u64, value_bytes: usize) -> String {
    format!(r#"{{"pk":{{"S":"key-{key:010}"}},"payload":{{"S":"{}"}}}}"#, payload(key, value_bytes))
}

/// An item of the table with partitions, as JSON.
pub(crate) fn partition_item(key: u64, value_bytes: usize) -> String {
    let (partition, place) = (key / PARTITION_ITEMS, key % PARTITION_ITEMS);
    format!(
        r#"{{"pk":{{"S":"part-{partition:010}"}},"sk":{{"N":"{place}"}},"payload":{{"S":"{}"}}}}"#,
        payload(key, value_bytes)
    )
}

impl Target {
    /// Writes the request for a key.
    pub(crate) fn request(&self, load: &Load, key: u64, echo: &EchoSizes, out: &mut Vec<u8>) {
        out.clear();
        match self.protocol {
            Protocol::Echo => out.resize(echo.request, b'x'),
            Protocol::Redis => {
                let name = format!("key-{key:010}");
                match load.scenario {
                    Scenario::PutItem => {
                        let value = payload(key, load.value_bytes);
                        let text = format!(
                            "*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n",
                            name.len(),
                            value.len()
                        );
                        out.extend_from_slice(text.as_bytes());
                    }
                    _ => out.extend_from_slice(
                        format!("*2\r\n$3\r\nGET\r\n${}\r\n{name}\r\n", name.len()).as_bytes(),
                    ),
                }
            }
            Protocol::Http => match load.scenario {
                Scenario::GetItem => {
                    http(
                        "GetItem",
                        &format!(r#"{{"TableName":"bench","Key":{{"pk":{{"S":"key-{key:010}"}}}}}}"#),
                        out,
                    );
                }
                Scenario::GetItemStrong => http(
                    "GetItem",
                    &format!(
                        r#"{{"TableName":"bench","Key":{{"pk":{{"S":"key-{key:010}"}}}},"ConsistentRead":true}}"#
                    ),
                    out,
                ),
                Scenario::PutItem => {
                    http(
                        "PutItem",
                        &format!(r#"{{"TableName":"bench","Item":{}}}"#, item(key, load.value_bytes)),
                        out,
                    );
                }
                Scenario::Query => http(
                    "Query",
                    &format!(
                        r#"{{"TableName":"bench-parts","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{{":p":{{"S":"part-{:010}"}}}}}}"#,
                        key / PARTITION_ITEMS
                    ),
                    out,
                ),
            },
        }
    }

    /// Where the first answer in `bytes` ends: `None` while it is not whole, otherwise its length and whether it is what a
    /// good server answers.
    pub(crate) fn answer_end(&self, bytes: &[u8], load: &Load, echo: &EchoSizes) -> Option<(usize, bool)> {
        match self.protocol {
            Protocol::Echo => (bytes.len() >= echo.answer).then_some((echo.answer, true)),
            Protocol::Redis => {
                let line = memchr::memchr(b'\n', bytes)?;
                if bytes[0] != b'$' {
                    return Some((line + 1, bytes[0] == b'+'));
                }
                let digits = std::str::from_utf8(&bytes[1..line - 1]).ok()?;
                match digits.parse::<usize>() {
                    Ok(size) => (bytes.len() >= line + 1 + size + 2).then_some((line + 1 + size + 2, true)),
                    Err(_) => Some((line + 1, false)),
                }
            }
            Protocol::Http => {
                let head = memmem::find(bytes, b"\r\n\r\n")? + 4;
                let size = content_length(&bytes[..head])?;
                if bytes.len() < head + size {
                    return None;
                }
                let good =
                    bytes.starts_with(b"HTTP/1.1 200") && (size > 2 || load.scenario == Scenario::PutItem);
                Some((head + size, good))
            }
        }
    }
}

/// The body's length as the head says it, whatever the case of the header's name.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut rest = head;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..end];
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            return std::str::from_utf8(&line[15..]).ok()?.trim().parse().ok();
        }
        rest = &rest[end + 1..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let load = Load {
            scenario: Scenario::GetItem,
            connections: 1,
            keys: 1,
            value_bytes: 1,
            seed: 1,
            time: Default::default(),
        };
        let sizes = EchoSizes { request: 1, answer: 4 };
        let http: Target = "a=http://h:1".parse().unwrap();
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{ }more";
        assert_eq!(http.answer_end(whole, &load, &sizes), Some((whole.len() - 4, true)));
        assert_eq!(http.answer_end(&whole[..whole.len() - 5], &load, &sizes), None);
        assert_eq!(
            http.answer_end(b"HTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n", &load, &sizes).map(|e| e.1),
            Some(false)
        );
        let redis: Target = "r=redis://h:1".parse().unwrap();
        assert_eq!(redis.answer_end(b"$3\r\nabc\r\n", &load, &sizes), Some((9, true)));
        assert_eq!(redis.answer_end(b"$3\r\nab", &load, &sizes), None);
        assert_eq!(redis.answer_end(b"$-1\r\n", &load, &sizes), Some((5, false)));
    }
}
