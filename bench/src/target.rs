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
    /// The server's process, if its CPU time is to be reported.
    pub(crate) process: Option<u32>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let wrong =
            || format!("{text:?} is not of the form name=http://HOST:PORT or name=http://HOST:PORT#PID");
        let (name, url) = text.split_once('=').ok_or_else(wrong)?;
        let (url, process) = match url.split_once('#') {
            Some((url, pid)) => (url, Some(pid.parse().map_err(|_| wrong())?)),
            None => (url, None),
        };
        let (scheme, address) = url.split_once("://").ok_or_else(wrong)?;
        let protocol = match scheme {
            "http" => Protocol::Http,
            "redis" => Protocol::Redis,
            "echo" => Protocol::Echo,
            _ => return Err(wrong()),
        };
        Ok(Target { name: name.into(), protocol, address: address.trim_end_matches('/').into(), process })
    }
}

/// Bytes of the echo's request and answer: those of the same question to Forebay over HTTP, head and body.
#[derive(Debug)]
pub(crate) struct EchoSizes {
    /// Bytes of a request.
    pub(crate) request: usize,
    /// Bytes of an answer.
    pub(crate) answer: usize,
}

/// Bytes of the head of an answer, as Forebay writes it.
const ANSWER_HEAD_BYTES: usize = 190;

impl EchoSizes {
    fn new(load: &Load, request: usize) -> EchoSizes {
        let body = match load.scenario {
            Scenario::GetItem | Scenario::GetItemStrong => {
                item(0, load.value_bytes).len() + r#"{"Item":}"#.len()
            }
            Scenario::PutItem => 2,
            Scenario::Query => {
                (partition_item(0, load.value_bytes).len() + 1) * PARTITION_ITEMS as usize
                    + r#"{"Count":10,"Items":[],"ScannedCount":10}"#.len()
            }
        };
        EchoSizes { request, answer: ANSWER_HEAD_BYTES + body }
    }

    /// What tells the echo both.
    pub(crate) fn greeting(&self) -> [u8; 8] {
        let mut greeting = [0; 8];
        greeting[..4].copy_from_slice(&(self.request as u32).to_le_bytes());
        greeting[4..].copy_from_slice(&(self.answer as u32).to_le_bytes());
        greeting
    }
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

/// Digits of a key in requests, so that all requests of a load but those that bring a payload differ only there.
const KEY_DIGITS: usize = 10;

/// The requests of a load, each as bytes ready to be sent: what they share is written once.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    /// Where the key's digits stand, the last zeros of the request for key 0. `None`: the request has no key, or brings an item and is written anew each time.
    digits: Option<usize>,
    protocol: Protocol,
    scenario: Scenario,
    value_bytes: usize,
    echo: EchoSizes,
}

impl Requests {
    /// Those of a load to a target that speaks `protocol`.
    pub(crate) fn new(protocol: Protocol, load: &Load) -> Requests {
        let mut http = Vec::new();
        write_request(Protocol::Http, load.scenario, 0, load.value_bytes, &mut http);
        let echo = EchoSizes::new(load, http.len());
        let mut bytes = Vec::new();
        match protocol {
            Protocol::Echo => bytes.resize(echo.request, b'x'),
            Protocol::Http | Protocol::Redis => {
                write_request(protocol, load.scenario, 0, load.value_bytes, &mut bytes);
            }
        }
        let digits = match load.scenario {
            Scenario::PutItem => None,
            Scenario::GetItem | Scenario::GetItemStrong | Scenario::Query => {
                memmem::rfind(&bytes, &[b'0'; KEY_DIGITS])
            }
        };
        Requests { bytes, digits, protocol, scenario: load.scenario, value_bytes: load.value_bytes, echo }
    }

    /// Makes the request for a key.
    pub(crate) fn draw(&mut self, key: u64) {
        if let Some(at) = self.digits {
            let mut number = if self.scenario == Scenario::Query { key / PARTITION_ITEMS } else { key };
            for digit in self.bytes[at..at + KEY_DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        } else if self.protocol != Protocol::Echo {
            self.bytes.clear();
            write_request(self.protocol, self.scenario, key, self.value_bytes, &mut self.bytes);
        }
    }

    /// The request last drawn.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sizes an echo is asked for.
    pub(crate) fn echo(&self) -> &EchoSizes {
        &self.echo
    }
}

fn write_request(protocol: Protocol, scenario: Scenario, key: u64, value_bytes: usize, out: &mut Vec<u8>) {
    if protocol == Protocol::Redis {
        let name = format!("key-{key:010}");
        let text = match scenario {
            Scenario::PutItem => {
                let value = payload(key, value_bytes);
                format!("*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len())
            }
            Scenario::GetItem | Scenario::GetItemStrong | Scenario::Query => {
                format!("*2\r\n$3\r\nGET\r\n${}\r\n{name}\r\n", name.len())
            }
        };
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let (operation, body) = match scenario {
        Scenario::GetItem => {
            ("GetItem", format!(r#"{{"TableName":"bench","Key":{{"pk":{{"S":"key-{key:010}"}}}}}}"#))
        }
        Scenario::GetItemStrong => (
            "GetItem",
            format!(
                r#"{{"TableName":"bench","Key":{{"pk":{{"S":"key-{key:010}"}}}},"ConsistentRead":true}}"#
            ),
        ),
        Scenario::PutItem => {
            ("PutItem", format!(r#"{{"TableName":"bench","Item":{}}}"#, item(key, value_bytes)))
        }
        Scenario::Query => (
            "Query",
            format!(
                r#"{{"TableName":"bench-parts","KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{{":p":{{"S":"part-{:010}"}}}}}}"#,
                key / PARTITION_ITEMS
            ),
        ),
    };
    http(operation, &body, out);
}

/// An answer that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AnswerEnd {
    /// Its length. Unit: bytes.
    pub(crate) bytes: usize,
    /// Whether it is what a good server answers.
    pub(crate) good: bool,
}

impl Target {
    /// Where the first answer in `bytes` ends; `None` while it is not whole.
    pub(crate) fn answer_end(&self, bytes: &[u8], scenario: Scenario, echo: &EchoSizes) -> Option<AnswerEnd> {
        match self.protocol {
            Protocol::Echo => {
                (bytes.len() >= echo.answer).then_some(AnswerEnd { bytes: echo.answer, good: true })
            }
            Protocol::Redis => {
                let line = memchr::memchr(b'\n', bytes)?;
                if bytes[0] != b'$' {
                    return Some(AnswerEnd { bytes: line + 1, good: bytes[0] == b'+' });
                }
                match decimal(bytes[1..].split(|byte| *byte == b'\r').next().unwrap_or_default()) {
                    Some(size) => (bytes.len() >= line + 1 + size + 2)
                        .then_some(AnswerEnd { bytes: line + 1 + size + 2, good: true }),
                    None => Some(AnswerEnd { bytes: line + 1, good: false }),
                }
            }
            Protocol::Http => {
                let (head, size) = head_end(bytes)?;
                let size = size?;
                if bytes.len() < head + size {
                    return None;
                }
                let good = bytes.starts_with(b"HTTP/1.1 200") && (size > 2 || scenario == Scenario::PutItem);
                Some(AnswerEnd { bytes: head + size, good })
            }
        }
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
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

    fn load(scenario: Scenario) -> Load {
        Load { scenario, connections: 1, keys: 1, value_bytes: 9, seed: 1, time: Default::default() }
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let sizes = EchoSizes { request: 1, answer: 4 };
        let end = |target: &str, bytes: &[u8]| {
            let target: Target = target.parse().unwrap();
            target.answer_end(bytes, Scenario::GetItem, &sizes).map(|end| (end.bytes, end.good))
        };
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{ }more";
        assert_eq!(end("a=http://h:1", whole), Some((whole.len() - 4, true)));
        assert_eq!(end("a=http://h:1", &whole[..whole.len() - 5]), None);
        let refused = b"HTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(end("a=http://h:1", refused), Some((refused.len(), false)));
        assert_eq!(end("r=redis://h:1", b"$3\r\nabc\r\n"), Some((9, true)));
        assert_eq!(end("r=redis://h:1", b"$3\r\nab"), None);
        assert_eq!(end("r=redis://h:1", b"$-1\r\n"), Some((5, false)));
        assert_eq!(end("e=echo://h:1", b"xxxxx"), Some((4, true)));
    }

    #[test]
    fn a_drawn_request_is_the_one_written_anew() {
        for protocol in [Protocol::Http, Protocol::Redis] {
            for scenario in [Scenario::GetItem, Scenario::GetItemStrong, Scenario::PutItem, Scenario::Query] {
                let mut requests = Requests::new(protocol, &load(scenario));
                for key in [0, 7, 1_234_567_890] {
                    let mut anew = Vec::new();
                    write_request(protocol, scenario, key, 9, &mut anew);
                    requests.draw(key);
                    if (protocol, scenario) != (Protocol::Redis, Scenario::Query) {
                        assert_eq!(requests.bytes(), &anew[..], "{protocol:?} {scenario:?} {key}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_target_may_name_its_process() {
        let target: Target = "a=http://h:1#42".parse().unwrap();
        assert_eq!((target.address.as_str(), target.process), ("h:1", Some(42)));
        assert!("a=http://h:1#x".parse::<Target>().is_err());
    }
}
