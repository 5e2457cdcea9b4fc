use proptest::prelude::*;

use super::*;
use crate::value::number::tests::any_number;

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()], 0..8),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

#[test]
fn zero_bytes_and_prefixes_sort_as_their_values_do() {
    let values: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\0\x01", b"a", b"a\0", b"ab"];
    let forms: Vec<_> =
        values.iter().map(|v| encode(&AttributeValue::B(Bytes::copy_from_slice(v))).unwrap()).collect();
    assert!(forms.is_sorted());
}

#[test]
fn no_bound_lies_above_a_prefix_of_ff() {
    assert_eq!(after_prefix(b"\xFF\xFF"), None);
    assert_eq!(after_prefix(b""), None);
    assert_eq!(after_prefix(b"a\xFF"), Some(b"b".to_vec()));
}

#[test]
fn documents_and_sets_have_no_form() {
    assert_eq!(encode(&AttributeValue::Null), None);
    assert_eq!(decode(ValueType::M, b"\x02"), None);
}

proptest! {
    #[test]
    fn numbers_sort_as_their_forms_do(a in any_number(), b in any_number()) {
        let (fa, fb) = (encode(&AttributeValue::N(a)).unwrap(), encode(&AttributeValue::N(b)).unwrap());
        prop_assert_eq!(fa.cmp(&fb), a.cmp(&b));
        prop_assert!(fa.len() <= NUMBER_FORM_BYTES + 1);
        prop_assert!(a == b || !fa.starts_with(&fb));
    }

    #[test]
    fn bytes_sort_as_their_forms_do(a in text(), b in text()) {
        let form = |v: &[u8]| encode(&AttributeValue::B(Bytes::copy_from_slice(v))).unwrap();
        let (fa, fb) = (form(&a), form(&b));
        prop_assert_eq!(fa.cmp(&fb), a.cmp(&b));
        prop_assert!(a == b || !fa.starts_with(&fb));
        let prefix = prefix_form(&b);
        prop_assert_eq!(fa.starts_with(&prefix), a.starts_with(&b));
        if let Some(bound) = after_prefix(&prefix) {
            prop_assert_eq!(a.starts_with(&b), fa >= prefix && fa < bound);
        }
    }

    #[test]
    fn forms_laid_end_to_end_come_apart_again(a in any_number(), b in text(), c in "\\PC{0,20}") {
        let values = [
            (ValueType::N, AttributeValue::N(a)),
            (ValueType::B, AttributeValue::B(b.into())),
            (ValueType::S, AttributeValue::S(c)),
        ];
        let mut joined = Vec::new();
        for (_, value) in &values {
            encode_into(value, &mut joined).unwrap();
        }
        let mut rest = joined.as_slice();
        for (kind, value) in &values {
            prop_assert_eq!(form_len(*kind, rest).unwrap(), encode(value).unwrap().len());
            let (read, behind) = decode(*kind, rest).unwrap();
            prop_assert_eq!(&read, value);
            rest = behind;
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn bytes_that_decode_are_the_form_of_what_they_decode_to(sign in 0u8..5, bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
        let signed: Vec<u8> = std::iter::once(sign).chain(bytes.iter().copied()).collect();
        for bytes in [&signed, &bytes] {
            for kind in ValueType::ALL {
                if let Some((value, rest)) = decode(kind, bytes) {
                    let form = encode(&value).unwrap();
                    prop_assert_eq!(&bytes[..bytes.len() - rest.len()], form.as_slice());
                }
            }
        }
    }
}
