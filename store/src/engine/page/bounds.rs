//! From what a request asks for to a range of record keys.

use api::expr::{Comparator, SortRange};
use api::op::Segment;
use api::value::order;
use api::{AttributeValue, Error};

use super::Source;
use crate::db::KeyRange;

/// The records of a partition whose sort keys lie in the range; `partition` is what their keys begin with. The values of
/// the range are of a key's type; others are refused.
pub fn sort_range(partition: &[u8], sort: &SortRange) -> Result<KeyRange, Error> {
    let at = |value: &AttributeValue| {
        let mut key = partition.to_vec();
        order::encode_into(value, &mut key).ok_or_else(wrong_type)?;
        Ok::<_, Error>(key)
    };
    // A form is never a prefix of another, so what begins with a value's form is that value with whatever stands behind
    // it: the table's key, in an index.
    let whole = KeyRange::prefix(partition);
    let past = |value: &AttributeValue| Ok::<_, Error>(KeyRange::past_prefix(&at(value)?));
    Ok(match sort {
        SortRange::All => whole,
        SortRange::Compare(Comparator::Eq, value) => KeyRange::prefix(at(value)?),
        SortRange::Compare(Comparator::Lt, value) => KeyRange { start: whole.start, end: Some(at(value)?) },
        SortRange::Compare(Comparator::Le, value) => KeyRange { start: whole.start, end: past(value)? },
        SortRange::Compare(Comparator::Gt, value) => match past(value)? {
            Some(start) => KeyRange { start, end: whole.end },
            None => nothing(),
        },
        SortRange::Compare(Comparator::Ge, value) => KeyRange { start: at(value)?, end: whole.end },
        SortRange::Compare(Comparator::Ne, _) => return Err(wrong_type()),
        SortRange::Between(lower, upper) => KeyRange { start: at(lower)?, end: past(upper)? },
        SortRange::BeginsWith(prefix) => {
            let bytes: &[u8] = match prefix {
                AttributeValue::S(text) => text.as_bytes(),
                AttributeValue::B(bytes) => bytes,
                _ => return Err(wrong_type()),
            };
            KeyRange::prefix([partition, order::prefix_form(bytes).as_slice()].concat())
        }
    })
}

/// The records of one share of a source. Shares divide the hashes of partitions evenly and in order.
pub fn segment_range(source: &Source<'_>, segment: Option<Segment>) -> KeyRange {
    let whole = KeyRange::prefix(source.prefix());
    let Some(segment) = segment else { return whole };
    let bound = |number: u32| {
        let hashes = 1u128 << 64;
        let hash = (hashes * u128::from(number)).div_ceil(u128::from(segment.total.max(1)));
        u64::try_from(hash).ok().map(|hash| source.hash_prefix(hash))
    };
    match bound(segment.number) {
        None => nothing(),
        Some(start) => KeyRange { start, end: bound(segment.number.saturating_add(1)).or(whole.end) },
    }
}

/// A range without keys.
pub(super) fn nothing() -> KeyRange {
    KeyRange::between([], [])
}

fn wrong_type() -> Error {
    Error::validation(
        "One or more parameter values were invalid: Condition parameter type does not match schema type",
    )
}

#[cfg(test)]
mod tests {
    use api::Number;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::page::testing::{sample_table, table_of};

    fn key_value() -> impl Strategy<Value = AttributeValue> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()];
        prop_oneof![
            (-50i64..50).prop_map(|value| AttributeValue::N(Number::from(value))),
            proptest::collection::vec(byte, 0..4).prop_map(|bytes| AttributeValue::B(bytes.into())),
        ]
    }

    fn ranges(a: &AttributeValue, b: &AttributeValue) -> Vec<SortRange> {
        use Comparator::{Eq, Ge, Gt, Le, Lt};
        let mut ranges: Vec<_> =
            [Eq, Lt, Le, Gt, Ge].map(|comparator| SortRange::Compare(comparator, a.clone())).into();
        ranges.extend([SortRange::All, SortRange::Between(a.clone(), b.clone())]);
        if matches!(a, AttributeValue::B(_)) {
            ranges.push(SortRange::BeginsWith(a.clone()));
        }
        ranges
    }

    proptest! {
        #[test]
        fn a_record_is_in_the_range_exactly_if_its_sort_key_is(a in key_value(), b in key_value(), sort in key_value()) {
            prop_assume!(a.value_type() == sort.value_type() && b.value_type() == sort.value_type());
            let partition = b"prefix\0\0";
            // Alone, as in a table, and with a table's key behind it, as in an index.
            for behind in [&b""[..], b"\0", b"\xFF\xFF"] {
                let mut key = partition.to_vec();
                order::encode_into(&sort, &mut key).unwrap();
                key.extend_from_slice(behind);
                for range in ranges(&a, &b) {
                    let bounds = sort_range(partition, &range).unwrap();
                    prop_assert_eq!(bounds.contains(&key), range.contains(&sort), "{:?}", range);
                }
            }
        }

        #[test]
        fn every_hash_is_in_one_share_and_no_other(hash: u64, total in 1u32..2000) {
            let table = table_of(sample_table());
            let source = Source { table: &table, index: None };
            let key = [source.hash_prefix(hash).as_slice(), b"rest"].concat();
            let shares = (0..total).filter(|number| {
                segment_range(&source, Some(Segment { number: *number, total })).contains(&key)
            });
            prop_assert_eq!(shares.count(), 1);
        }
    }
}
