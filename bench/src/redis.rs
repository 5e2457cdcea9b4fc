//! RESP, the protocol of Redis: GET for every read, SET for a write.

use crate::exchange::{AnswerEnd, Shape};
use crate::http::decimal;
use crate::item;
use crate::scenario::Scenario;

/// Appends the request for a key.
pub(crate) fn write(scenario: Scenario, key: u64, value_bytes: usize, out: &mut Vec<u8>) {
    let name = item::name(key);
    let text = match scenario {
        Scenario::PutItem => {
            let value = item::payload(key, value_bytes);
            format!("*3\r\n$3\r\nSET\r\n${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len())
        }
        Scenario::GetItem | Scenario::GetItemStrong | Scenario::Query => {
            format!("*2\r\n$3\r\nGET\r\n${}\r\n{name}\r\n", name.len())
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// What good answers look like.
pub(crate) fn shape(scenario: Scenario, value_bytes: usize) -> Shape {
    let begins = match scenario {
        Scenario::PutItem => "+OK\r\n".to_owned(),
        Scenario::GetItem | Scenario::GetItemStrong | Scenario::Query => format!("${value_bytes}\r\n"),
    };
    let rest = if scenario == Scenario::PutItem { 0 } else { value_bytes + 2 };
    Shape { bytes: begins.len() + rest, begins: begins.into_bytes() }
}

/// Where the first answer in `bytes` ends; `None` while it is not whole.
pub(crate) fn answer_end(bytes: &[u8]) -> Option<AnswerEnd> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let end = |bytes: &[u8]| answer_end(bytes).map(|end| (end.bytes, end.good));
        assert_eq!(end(b"$3\r\nabc\r\n"), Some((9, true)));
        assert_eq!(end(b"$3\r\nab"), None);
        assert_eq!(end(b"$-1\r\n"), Some((5, false)));
        assert_eq!(end(b"-ERR no\r\n"), Some((9, false)));
        assert_eq!(end(b"+OK\r\n+OK\r\n"), Some((5, true)));
    }
}
