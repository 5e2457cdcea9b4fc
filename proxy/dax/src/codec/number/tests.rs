use api::{ErrorKind, Number};
use proptest::prelude::*;

use super::{read_number, read_sortable, write_number, write_sortable};
use crate::cbor::Reader;
use crate::codec::tests::{hex, unhex};

fn number() -> impl Strategy<Value = Number> {
    let mantissas = prop_oneof![
        -1_000i128..1_000,
        any::<i64>().prop_map(i128::from),
        -99_999_999_999_999_999_999_999_999_999_999_999_999i128
            ..99_999_999_999_999_999_999_999_999_999_999_999_999,
    ];
    (mantissas, -130i32..126)
        .prop_filter_map("in range", |(mantissa, exponent)| Number::from_parts(mantissa, exponent).ok())
}

fn written(text: &str) -> String {
    let mut out = Vec::new();
    write_number(&mut out, &Number::parse(text).unwrap());
    hex(&out)
}

fn sortable(number: &Number) -> Vec<u8> {
    let mut out = Vec::new();
    write_sortable(&mut out, number);
    out
}

fn read(bytes: &str) -> Result<Number, api::Error> {
    let bytes = unhex(bytes);
    let mut reader = Reader::new(&bytes);
    let number = read_number(&mut reader)?;
    reader.end()?;
    Ok(number)
}

proptest! {
    #[test]
    fn a_number_is_read_back_as_it_was_written(number in number()) {
        let mut out = Vec::new();
        write_number(&mut out, &number);
        prop_assert_eq!(read_number(&mut Reader::new(&out)), Ok(number));
        prop_assert_eq!(read_sortable(&sortable(&number)), Ok(number));
    }

    #[test]
    fn sortable_bytes_sort_as_the_numbers_do(one in number(), two in number()) {
        prop_assert_eq!(sortable(&one).cmp(&sortable(&two)), one.cmp(&two));
    }

    #[test]
    fn a_double_is_the_shortest_decimal_that_it_prints_as(value in any::<f64>()) {
        let mut bytes = vec![0xFB];
        bytes.extend_from_slice(&value.to_be_bytes());
        match read_number(&mut Reader::new(&bytes)) {
            Ok(number) => prop_assert_eq!(number.to_string().parse::<f64>().unwrap(), value),
            // What a double can be and a number can't.
            Err(_) => prop_assert!(!value.is_finite() || value.abs() >= 1e126 || value.abs() < 1e-130),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = read_number(&mut Reader::new(&bytes));
        if let Ok(number) = read_sortable(&bytes) {
            prop_assert_eq!(read_sortable(&sortable(&number)), Ok(number));
        }
        let mut bignum = vec![0xC2, 0x58, bytes.len() as u8];
        bignum.extend_from_slice(&bytes);
        let _ = read_number(&mut Reader::new(&bignum));
    }
}

#[test]
fn numbers_are_written_as_clients_expect_them() {
    for (text, bytes) in [
        ("0", "00"),
        ("42", "182a"),
        ("-7", "26"),
        ("1000", "1903e8"),
        ("18446744073709551615", "1bffffffffffffffff"),
        ("-18446744073709551616", "3bffffffffffffffff"),
        ("18446744073709551616", "c249010000000000000000"),
        ("-18446744073709551617", "c349010000000000000000"),
        ("9007199254740992", "1b0020000000000000"),
        ("1.5", "c482200f"),
        ("1.50", "c482200f"),
        ("0.1", "c4822001"),
        ("-0.001", "c4822220"),
        ("1e-100", "c482386301"),
        ("12345678901234567890123456789012345678", "c2500949b0f6f0023313c4499050de38f34e"),
        ("1e40", "c2511d6329f1c35ca4bfabb9f5610000000000"),
    ] {
        assert_eq!(written(text), bytes, "{text}");
    }
}

#[test]
fn every_way_that_clients_write_a_number_is_read() {
    for (bytes, text) in [
        ("c482211896", "1.5"),
        ("c4820301", "1000"),
        ("c482182801", "1e40"),
        ("c24720000000000000", "9007199254740992"),
        ("c242002a", "42"),
        ("c340", "-1"),
        ("c240", "0"),
        ("fb3ff8000000000000", "1.5"),
        ("fb3fb999999999999a", "0.1"),
        ("fbbf50624dd2f1a9fc", "-0.001"),
        ("fb8000000000000000", "0"),
        ("c48232c248112210f47de98115", "0.1234567890123456789"),
    ] {
        assert_eq!(read(bytes), Ok(Number::parse(text).unwrap()), "{bytes}");
    }
}

#[test]
fn what_is_out_of_range_is_refused_in_the_services_words() {
    let long = |leading: &str, bytes: usize| format!("c258{bytes:02x}{leading}{}", "00".repeat(bytes - 1));
    for (bytes, message) in [
        ("c482187e01".to_owned(), "Number overflow"),
        ("c482388201".to_owned(), "Number underflow"),
        ("c4821b7fffffffffffffff01".to_owned(), "Number overflow"),
        ("c4823b7fffffffffffffff01".to_owned(), "Number underflow"),
        (long("ff", 54), "Number overflow"),
        (long("ff", 53), "Number overflow"),
        // 2^200, which has 61 digits.
        (long("01", 26), "Attempting to store more than 38 significant digits"),
        ("fb7ff8000000000000".to_owned(), "The parameter cannot be converted to a numeric value"),
        ("fb7ff0000000000000".to_owned(), "The parameter cannot be converted to a numeric value"),
        ("fb7fefffffffffffff".to_owned(), "Number overflow"),
    ] {
        let error = read(&bytes).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ValidationException, "{bytes}");
        assert!(error.message.starts_with(message), "{bytes}: {}", error.message);
    }
}

#[test]
fn what_is_no_number_is_malformed() {
    for bytes in
        ["6131", "f6", "c1182a", "c48120", "c480", "c483200f00", "c482f600", "c48220f6", "c482206131"]
    {
        assert_eq!(read(bytes).unwrap_err().kind, ErrorKind::SerializationException, "{bytes}");
    }
}

/// The published values of the form, and that trailing zeros make no other number.
#[test]
fn sortable_numbers_are_those_of_the_official_encoder() {
    for (text, bytes) in [
        ("0", "80"),
        ("1", "c11c0000"),
        ("-1", "3ee3fff0"),
        ("1.5", "c1288010"),
        ("-1.5", "3ed77fe0"),
        ("123.456", "c321dd4008"),
        ("-123.456", "3cde22bff4"),
        ("-0.001", "41e3fff0"),
        ("1e61", "fe8000003e1c0000"),
        ("1e62", "fe8000003f1c0000"),
        ("-1e62", "017fffffc0e3fff0"),
        ("1e-64", "817fffffc11c0000"),
        ("-1e-64", "7e8000003ee3fff0"),
        ("42", "c26c0010"),
        ("10", "c21c0010"),
        ("100", "c31c0020"),
        ("99999999999999999999999999999999999999", "e6fcff3fcff3fcff3fcff3fcff3fcff3fa8010"),
    ] {
        let number = Number::parse(text).unwrap();
        assert_eq!(hex(&sortable(&number)), bytes, "{text}");
        assert_eq!(read_sortable(&unhex(bytes)), Ok(number), "{text}");
    }
    for (text, bytes) in
        [("0", "7f"), ("1", "c11c0010"), ("10", "c21c0000"), ("100", "c31c0000"), ("-10", "3de3fff0")]
    {
        assert_eq!(read_sortable(&unhex(bytes)), Ok(Number::parse(text).unwrap()), "{text}");
    }
}

/// A client that prints the digits and the scale it was sent prints `1E+1` for a key of 10 otherwise.
#[test]
fn a_whole_number_that_sorts_keeps_the_zeros_at_its_end() {
    for text in ["-1000".to_owned(), "9".repeat(37) + "0", "1".to_owned() + &"0".repeat(37)] {
        let number = Number::parse(&text).unwrap();
        let bytes = sortable(&number);
        // Ten bits for three digits, ten more at the end, one byte before.
        let digits = text.trim_start_matches('-').len();
        assert_eq!(bytes.len(), 1 + ((digits.div_ceil(3) + 1) * 10).div_ceil(8), "{text}");
        assert_eq!(read_sortable(&bytes), Ok(number));
    }
    // What is longer has no plain form that clients could print.
    assert_eq!(sortable(&Number::parse("1e38").unwrap()).len(), 4);
}

#[test]
fn bytes_that_are_no_sortable_number_are_refused() {
    for bytes in
        ["", "00", "ff", "c1", "8000", "c1000000", "c11c", "c11c000000", "c11c0004", "fe8000", "c1ffc0"]
    {
        assert!(read_sortable(&unhex(bytes)).is_err(), "{bytes}");
    }
    // 39 nines and as many zeros behind 38 nines: too many digits, and not.
    let nines = |count: usize, zeros: usize| {
        let mut groups: Vec<u16> = Vec::new();
        let digits = "9".repeat(count) + &"0".repeat(zeros);
        for group in digits.as_bytes().chunks(3) {
            groups.push(group.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0')) + 12);
        }
        groups.push(2);
        let bits: String = groups.iter().map(|group| format!("{group:010b}")).collect();
        let mut bytes = vec![0xC0];
        for byte in bits.as_bytes().chunks(8) {
            let byte = byte.iter().fold(0, |value, bit| value << 1 | (bit - b'0')) << (8 - byte.len());
            bytes.push(byte);
        }
        bytes
    };
    assert!(read_sortable(&nines(39, 0)).is_err());
    assert_eq!(
        read_sortable(&nines(36, 60)),
        Ok(Number::parse(&("0.".to_owned() + &"9".repeat(36))).unwrap())
    );
}
