use api::{AttributeValue, ErrorKind};
use proptest::prelude::*;

use super::{Room, read_value, write_value};
use crate::cbor::Reader;
use crate::codec::tests::round_trip::value;
use crate::codec::tests::{hex, unhex};

fn read(bytes: &[u8]) -> Result<AttributeValue, api::Error> {
    let mut reader = Reader::new(bytes);
    let value = read_value(&mut reader, &mut Room::of_item())?;
    reader.end()?;
    Ok(value)
}

proptest! {
    #[test]
    fn a_value_is_read_back_as_it_was_written(value in value()) {
        let mut out = Vec::new();
        write_value(&mut out, &value);
        prop_assert_eq!(read(&out), Ok(value));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(&bytes);
    }
}

#[test]
fn each_type_has_the_form_that_clients_write() {
    for (bytes, kind) in [
        ("420001", "B"),
        ("c482200f", "N"),
        ("f5", "BOOL"),
        ("f6", "NULL"),
        ("816178", "L"),
        ("a1616b00", "M"),
        ("d90cf98261616162", "SS"),
        ("d90cfa8201c482200f", "NS"),
        ("d90cfb814178", "BS"),
        ("62c3a9", "S"),
    ] {
        let value = read(&unhex(bytes)).unwrap();
        assert_eq!(value.value_type().name(), kind, "{bytes}");
        let mut out = Vec::new();
        write_value(&mut out, &value);
        assert_eq!(hex(&out), bytes);
    }
}

#[test]
fn sets_without_elements_or_with_repeats_are_refused_in_the_services_words() {
    for (bytes, message) in [
        ("d90cf980", "One or more parameter values were invalid: An string set  may not be empty"),
        ("d90cfa80", "One or more parameter values were invalid: An number set  may not be empty"),
        ("d90cfb80", "One or more parameter values were invalid: Binary sets should not be empty"),
        (
            "d90cf98261616161",
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        // One, and one and no tenths.
        ("d90cfa8201c482200a", "Input collection contains duplicates"),
    ] {
        let error = read(&unhex(bytes)).unwrap_err();
        assert_eq!((error.kind, &*error.message), (ErrorKind::ValidationException, message), "{bytes}");
    }
}

#[test]
fn nesting_is_refused_past_32_levels_and_read_up_to_them() {
    let nested = |levels: usize| {
        let mut bytes = vec![0x81; levels - 1];
        bytes.push(0x00);
        read(&bytes)
    };
    assert_eq!(nested(32).unwrap().nesting(), 31);
    assert!(nested(33).unwrap_err().message.starts_with("Nesting Levels have exceeded supported limits"));
}

#[test]
fn what_cannot_be_stored_is_not_built_first() {
    // A megabyte of nulls would be 32 MB of values.
    let mut bytes = vec![0x9A, 0x00, 0x10, 0x00, 0x00];
    bytes.resize(bytes.len() + (1 << 20), 0xF6);
    assert_eq!(read(&bytes).unwrap_err().message, "Item size has exceeded the maximum allowed size");
}
