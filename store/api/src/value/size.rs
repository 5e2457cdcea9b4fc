//! Billed size of values and items. Source: Developer Guide, *DynamoDB item sizes and formats*.

use crate::item::Item;
use crate::value::{AttributeValue, Number};

/// What a list or map costs besides its content. Unit: bytes.
pub const DOCUMENT_BYTES: usize = 3;
/// What each element of a list or map costs besides itself. Unit: bytes.
pub const ELEMENT_BYTES: usize = 1;

/// Most pairs of digits that a number takes: 38 digits that begin within a pair.
const PAIRS_MAX: usize = 20;

/// Size of a number as billed: one byte for the magnitude, one for each pair of digits, and for a negative number one that
/// ends the pairs unless there are as many as there can be. Unit: bytes, 1 to 21.
///
/// Pairs lie on even powers of ten, so that 15 takes one, while 1.5 and 150 take two. The guide's rule of thumb (one byte
/// for two significant digits) leaves that out.
pub const fn number_bytes(number: &Number) -> usize {
    if number.mantissa() == 0 {
        return 1;
    }
    let digits = number.digits() as usize;
    let begins_within_a_pair = number.magnitude() % 2 == 0;
    let pairs = (digits + if begins_within_a_pair { 1 } else { 0 }).div_ceil(2);
    1 + pairs + if number.is_negative() && pairs < PAIRS_MAX { 1 } else { 0 }
}

/// Size of a value as billed, without its name. Unit: bytes.
pub fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::M(map) => {
            let content: usize =
                map.iter().map(|(name, value)| ELEMENT_BYTES + attribute_bytes(name, value)).sum();
            DOCUMENT_BYTES + content
        }
        AttributeValue::L(list) => {
            let content: usize = list.iter().map(|value| ELEMENT_BYTES + value_bytes(value)).sum();
            DOCUMENT_BYTES + content
        }
        AttributeValue::Ss(set) => set.iter().map(String::len).sum(),
        AttributeValue::Ns(set) => set.iter().map(number_bytes).sum(),
        AttributeValue::Bs(set) => set.iter().map(bytes::Bytes::len).sum(),
    }
}

/// Size of an attribute as billed: its name in UTF-8 plus its value. Unit: bytes.
pub fn attribute_bytes(name: &str, value: &AttributeValue) -> usize {
    name.len() + value_bytes(value)
}

/// Size of an item as billed: its attributes. Unit: bytes, at most 409,600 for an item that may be stored.
pub fn item_bytes(item: &Item) -> usize {
    item.0.iter().map(|(name, value)| attribute_bytes(name, value)).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_are_billed_by_pairs_on_even_powers_of_ten() {
        for (text, bytes) in [
            ("0", 1),
            ("1", 2),
            ("12", 2),
            ("123", 3),
            ("1234", 3),
            ("1.2", 3),
            ("12.34", 3),
            ("123.4", 4),
            ("-1", 3),
            ("1e100", 2),
            ("0.1", 2),
            ("0.01", 2),
            ("0.15", 2),
            ("1.5", 3),
            ("15", 2),
            ("150", 3),
            ("100.5", 4),
            ("3.14159", 5),
            ("123456", 4),
            ("-42", 3),
            ("99999999999999999999999999999999999999", 20),
            ("-99999999999999999999999999999999999999", 21),
            ("-9.9999999999999999999999999999999999999", 21),
        ] {
            assert_eq!(number_bytes(&Number::parse(text).unwrap()), bytes, "{text}");
        }
    }

    #[test]
    fn documents_cost_three_bytes_and_one_for_each_element() {
        let list = AttributeValue::L(vec![AttributeValue::Null, AttributeValue::S("ab".into())]);
        assert_eq!(value_bytes(&list), 3 + (1 + 1) + (1 + 2));
        let map = AttributeValue::M(BTreeMap::from([("né".into(), AttributeValue::Bool(true))]));
        assert_eq!(value_bytes(&map), 3 + 1 + 3 + 1);
        assert_eq!(value_bytes(&AttributeValue::M(BTreeMap::new())), 3);
        assert_eq!(value_bytes(&AttributeValue::Ss(["a".to_owned(), "bc".to_owned()].into())), 3);
    }

    #[test]
    fn an_items_size_counts_names_in_utf_8() {
        let item = Item::new()
            .with("pk", AttributeValue::S("é".into()))
            .with("é", AttributeValue::B(vec![0; 5].into()));
        assert_eq!(item_bytes(&item), 2 + 2 + 2 + 5);
    }
}
