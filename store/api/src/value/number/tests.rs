use proptest::prelude::*;

use super::*;

fn n(text: &str) -> Number {
    Number::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Any number there is, with its parts.
pub(crate) fn any_number() -> impl Strategy<Value = Number> {
    let max = 10i128.pow(38) - 1;
    prop_oneof![
        Just(Number::ZERO),
        any::<i64>().prop_map(Number::from),
        (-1000i128..1000, -130i32..120).prop_filter_map("range", |(m, e)| Number::from_parts(m, e).ok()),
        (-max..=max, -130i32..88).prop_filter_map("range", |(m, e)| Number::from_parts(m, e).ok()),
    ]
}

#[test]
fn every_way_to_write_a_number_is_read() {
    for (text, printed) in [
        ("0", "0"),
        ("-0", "0"),
        ("+0.000", "0"),
        ("0e1000", "0"),
        ("0e-1000", "0"),
        ("1e5", "100000"),
        ("1E+5", "100000"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("-.5e1", "-5"),
        ("0001.2300", "1.23"),
        ("-7.1234", "-7.1234"),
        ("-17.4E37", "-174000000000000000000000000000000000000"),
        ("1.0000000000000000000000000000000000000000000000", "1"),
        (
            "0.000000000000000000000000000000000000000000000012",
            "0.000000000000000000000000000000000000000000000012",
        ),
        ("3.1415926535897932384626433832795028841", "3.1415926535897932384626433832795028841"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ("-99999999999999999999999999999999999999e-3", "-99999999999999999999999999999999999.999"),
        ("18446744073709551616", "18446744073709551616"),
        ("9223372036854775807", "9223372036854775807"),
    ] {
        assert_eq!(n(text).to_string(), printed, "{text}");
    }
}

#[test]
fn the_ends_of_the_range_print_in_plain_notation() {
    assert_eq!(n("1e125").to_string(), format!("1{}", "0".repeat(125)));
    assert_eq!(n("-1e-130").to_string(), format!("-0.{}1", "0".repeat(129)));
    let longest = n("-1.2345678901234567890123456789012345678e-130");
    assert_eq!(longest.to_string().len(), 1 + 2 + 129 + 38);
}

#[test]
fn what_is_not_a_number_is_refused_with_the_services_words() {
    for text in [
        "NaN",
        "Infinity",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "--1",
        "1.2.3",
        " 1",
        "1 ",
        "0x1",
        "1_0",
        "1e1.5",
        "١",
        "1e9999999999",
    ] {
        assert_eq!(Number::parse(text), Err(NumberError::NotNumeric(text.to_owned())), "{text}");
    }
    assert_eq!(
        Number::parse("b").unwrap_err().to_string(),
        "The parameter cannot be converted to a numeric value: b"
    );
    assert_eq!(
        Number::parse("").unwrap_err().to_string(),
        "The parameter cannot be converted to a numeric value"
    );
    for text in ["1e126", "-11e125", "1e2147483647", "123456789012345678901234567890123456789e100"] {
        assert_eq!(Number::parse(text), Err(NumberError::Overflow), "{text}");
    }
    for text in ["1e-131", "0.9e-130", "1e-2147483647", "0.123456789012345678901234567890123456789e-200"] {
        assert_eq!(Number::parse(text), Err(NumberError::Underflow), "{text}");
    }
    for text in ["123456789012345678901234567890123456789", "1.00000000000000000000000000000000000001"] {
        assert_eq!(Number::parse(text), Err(NumberError::TooPrecise), "{text}");
    }
}

#[test]
fn a_long_text_takes_no_longer_than_its_length() {
    let text = format!("{}1{}e-300000", "0".repeat(300_000), "0".repeat(300_000));
    assert_eq!(n(&text), n("1"));
}

#[test]
fn sums_are_exact_or_refused() {
    assert_eq!(n("1").checked_add(&n("10000000000000000000000")), Ok(n("10000000000000000000001")));
    assert_eq!(n("10000000000000000000000").checked_sub(&n("1")), Ok(n("9999999999999999999999")));
    assert_eq!(n("0.1").checked_add(&n("0.2")), Ok(n("0.3")));
    assert_eq!(n("5").checked_sub(&n("5")), Ok(Number::ZERO));
    assert_eq!(n("0").checked_sub(&n("5")), Ok(n("-5")));
    assert_eq!(n("9e125").checked_add(&n("9e125")), Err(NumberError::Overflow));
    assert_eq!(n("1e50").checked_add(&n("1")), Err(NumberError::Overflow));
    assert_eq!(n("1e50").checked_sub(&n("1")), Err(NumberError::Overflow));
    assert_eq!(n("1e125").checked_add(&n("1e-130")), Err(NumberError::Overflow));
    assert_eq!(n("1e38").checked_sub(&n("1")), Ok(n("99999999999999999999999999999999999999")));
    assert_eq!(
        n("99999999999999999999999999999999999999").checked_add(&n("99999999999999999999999999999999999999")),
        Err(NumberError::Overflow)
    );
    assert_eq!(n("99999999999999999999999999999999999999").checked_add(&n("1")), Ok(n("1e38")));
    assert_eq!(n("1.1e-130").checked_sub(&n("1e-130")), Err(NumberError::Underflow));
}

#[test]
fn only_whole_numbers_become_integers() {
    assert_eq!(n("1e3").to_i64(), Some(1000));
    assert_eq!(n("-9223372036854775808").to_i64(), Some(i64::MIN));
    assert_eq!(n("9223372036854775808").to_i64(), None);
    assert_eq!(n("1.5").to_i64(), None);
    assert_eq!(n("1e125").to_i64(), None);
}

#[test]
fn parts_that_are_not_canonical_become_so_when_deserialised() {
    let parts = |m: i128, e: i16| {
        serde_json::from_str::<Number>(&format!("[{m},{e}]")).map_err(|error| error.to_string())
    };
    assert_eq!(parts(1500, -1), Ok(n("150")));
    assert!(parts(1, 126).is_err());
    assert!(parts(i128::MIN, 0).is_err());
}

proptest! {
    #[test]
    fn text_and_back_is_the_same_number(number in any_number()) {
        prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
    }

    #[test]
    fn order_agrees_with_the_sign_of_the_difference(a in any_number(), b in any_number()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if let Ok(difference) = a.checked_sub(&b) {
            prop_assert_eq!(a.cmp(&b), difference.cmp(&Number::ZERO));
            prop_assert_eq!(difference.checked_add(&b), Ok(a));
        }
    }

    #[test]
    fn small_sums_agree_with_integers(a in -1_000_000_000_000i64..1_000_000_000_000, b in -1_000_000_000_000i64..1_000_000_000_000, e in -60i32..40) {
        let number = |v: i64| Number::from_parts(i128::from(v), e).unwrap();
        prop_assert_eq!(number(a).checked_add(&number(b)), Ok(number(a + b)));
        prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9.eE x]{0,60}") {
        if let Ok(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
        }
    }
}
