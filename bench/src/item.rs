//! The items that are written and read, and whether an answer holds the ones that were asked for.

use memchr::memmem;

use crate::scenario::Scenario;

/// Items of one partition of the query table.
pub(crate) const PARTITION_ITEMS: u64 = 10;
/// Digits of a key, so that all keys are of one length.
pub(crate) const KEY_DIGITS: usize = 10;
/// The table whose key is one attribute.
pub(crate) const TABLE: &str = "bench";
/// The table with partitions of [`PARTITION_ITEMS`].
pub(crate) const PARTED_TABLE: &str = "bench-parts";

/// The key of an item of [`TABLE`].
pub(crate) fn name(key: u64) -> String {
    format!("key-{key:010}")
}

/// The partition key of an item of [`PARTED_TABLE`].
pub(crate) fn partition_name(key: u64) -> String {
    format!("part-{:010}", key / PARTITION_ITEMS)
}

/// Writes the digits of a key over those that stand there.
pub(crate) fn write_digits(digits: &mut [u8], mut key: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (key % 10) as u8;
        key /= 10;
    }
}

/// The bytes that stand in an item: hexadecimal digits that only this key has, so that no two items compress to one and an
/// answer tells whose it is.
pub(crate) fn write_payload(key: u64, payload: &mut [u8]) {
    let mut mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for part in payload.chunks_mut(16) {
        mixed ^= mixed << 13;
        mixed ^= mixed >> 7;
        mixed ^= mixed << 17;
        for (at, byte) in part.iter_mut().enumerate() {
            *byte = b"0123456789abcdef"[(mixed >> (60 - 4 * at)) as usize & 15];
        }
    }
}

/// As [`write_payload`], as a text of its own.
pub(crate) fn payload(key: u64, bytes: usize) -> String {
    let mut payload = vec![0; bytes];
    write_payload(key, &mut payload);
    String::from_utf8(payload).expect("hexadecimal digits are ASCII")
}

/// An item of [`TABLE`], as JSON.
pub(crate) fn json(key: u64, value_bytes: usize) -> String {
    format!(r#"{{"pk":{{"S":"{}"}},"payload":{{"S":"{}"}}}}"#, name(key), payload(key, value_bytes))
}

/// An item of [`PARTED_TABLE`], as JSON.
pub(crate) fn parted_json(key: u64, value_bytes: usize) -> String {
    format!(
        r#"{{"pk":{{"S":"{}"}},"sk":{{"N":"{}"}},"payload":{{"S":"{}"}}}}"#,
        partition_name(key),
        key % PARTITION_ITEMS,
        payload(key, value_bytes)
    )
}

/// Whether an answer holds what was asked for: the payload of the key, or those of all its partition.
pub(crate) fn is_answered(answer: &[u8], scenario: Scenario, key: u64, value_bytes: usize) -> bool {
    let mut wanted = vec![0; value_bytes];
    let mut holds = |key| {
        write_payload(key, &mut wanted);
        memmem::find(answer, &wanted).is_some()
    };
    match scenario {
        Scenario::PutItem => true,
        Scenario::GetItem | Scenario::GetItemStrong => holds(key),
        Scenario::Query => {
            let first = key / PARTITION_ITEMS * PARTITION_ITEMS;
            (first..first + PARTITION_ITEMS).all(&mut holds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_another_key_is_none() {
        let answer = json(7, 100).into_bytes();
        assert!(is_answered(&answer, Scenario::GetItem, 7, 100));
        assert!(!is_answered(&answer, Scenario::GetItem, 8, 100));
        let mut page: String = (30..40).map(|key| parted_json(key, 40)).collect();
        assert!(is_answered(page.as_bytes(), Scenario::Query, 34, 40));
        assert!(!is_answered(page.as_bytes(), Scenario::Query, 40, 40));
        page.truncate(page.len() - 10);
        assert!(!is_answered(page.as_bytes(), Scenario::Query, 34, 40));
    }

    #[test]
    fn payloads_of_all_lengths_begin_the_same_and_those_of_two_keys_do_not() {
        assert_eq!(payload(3, 21), payload(3, 470)[..21]);
        assert_ne!(payload(3, 16), payload(4, 16));
        assert_eq!(payload(0, 470).len(), 470);
    }
}
