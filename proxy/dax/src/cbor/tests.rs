//! The reader, the writer and the scanner against each other and against arbitrary bytes.

use proptest::prelude::*;

use super::{CborError, Elements, FRAME_DEPTH, Kind, Reader, Scanner, write};

const BYTES_MAX: usize = 1 << 20;

/// Any value this wire may carry, as a tree of its own.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    OpenMap(Vec<(Value, Value)>),
    Tag(u64, Box<Value>),
    Bool(bool),
    Null,
    Double(u64),
}

fn value() -> impl Strategy<Value = Value> {
    let int = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        any::<u64>().prop_map(|n| -1 - i128::from(n)),
        (-300i128..300),
    ];
    let leaf = prop_oneof![
        int.prop_map(Value::Int),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,20}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        any::<u64>().prop_map(Value::Double),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let pairs = proptest::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            pairs.clone().prop_map(Value::Map),
            pairs.prop_map(Value::OpenMap),
            (any::<u64>(), inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

fn put(out: &mut Vec<u8>, value: &Value) {
    let pairs = |out: &mut Vec<u8>, pairs: &[(Value, Value)]| {
        for (key, value) in pairs {
            put(out, key);
            put(out, value);
        }
    };
    match value {
        Value::Int(n) => match (i64::try_from(*n), u64::try_from(*n)) {
            (Ok(n), _) => write::int(out, n),
            (_, Ok(n)) => write::unsigned(out, n),
            _ => write::negative(out, u64::try_from(-1 - n).unwrap()),
        },
        Value::Bytes(bytes) => write::wrapped(out, |out| out.extend_from_slice(bytes)),
        Value::Text(text) => write::text(out, text),
        Value::Array(elements) => {
            write::array(out, elements.len());
            elements.iter().for_each(|element| put(out, element));
        }
        Value::Map(entries) => {
            write::map(out, entries.len());
            pairs(out, entries);
        }
        Value::OpenMap(entries) => {
            write::open_map(out);
            pairs(out, entries);
            write::close(out);
        }
        Value::Tag(tag, value) => {
            write::tag(out, *tag);
            put(out, value);
        }
        Value::Bool(value) => write::boolean(out, *value),
        Value::Null => write::null(out),
        Value::Double(bits) => write::double(out, f64::from_bits(*bits)),
    }
}

fn take(reader: &mut Reader<'_>) -> Result<Value, CborError> {
    let entries = |reader: &mut Reader<'_>, mut left: Elements| {
        let mut entries = Vec::new();
        while left.more(reader)? {
            entries.push((take(reader)?, take(reader)?));
        }
        Ok(entries)
    };
    Ok(match reader.kind()? {
        Kind::Int => Value::Int(reader.int()?),
        Kind::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
        Kind::Text => Value::Text(reader.text()?.to_owned()),
        Kind::Array => {
            let mut left = reader.array()?;
            let mut elements = Vec::with_capacity(left.room(reader));
            while left.more(reader)? {
                elements.push(take(reader)?);
            }
            Value::Array(elements)
        }
        Kind::Map => {
            let left = reader.map()?;
            let open = left.announced().is_none();
            let entries = entries(reader, left)?;
            if open { Value::OpenMap(entries) } else { Value::Map(entries) }
        }
        Kind::Tag => Value::Tag(reader.tag()?, Box::new(take(reader)?)),
        Kind::Bool => Value::Bool(reader.boolean()?),
        Kind::Null => {
            assert!(reader.null()?);
            Value::Null
        }
        Kind::Double => Value::Double(reader.double()?.to_bits()),
        Kind::Break | Kind::Other => return Err(CborError::Malformed),
    })
}

fn scan_whole(bytes: &[u8], values: u64) -> Result<Option<usize>, CborError> {
    Scanner::new(values, FRAME_DEPTH, BYTES_MAX).scan(bytes)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(values in proptest::collection::vec(value(), 1..5)) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put(&mut bytes, value));
        let mut reader = Reader::new(&bytes);
        for value in &values {
            prop_assert_eq!(&take(&mut reader).unwrap(), value);
        }
        prop_assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_frame_ends_where_its_last_value_does_however_it_arrives(
        values in proptest::collection::vec(value(), 1..5),
        behind in proptest::collection::vec(any::<u8>(), 0..10),
        step in 1usize..7,
    ) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put(&mut bytes, value));
        let end = bytes.len();
        bytes.extend_from_slice(&behind);
        prop_assert_eq!(scan_whole(&bytes, values.len() as u64), Ok(Some(end)));
        let mut scanner = Scanner::new(values.len() as u64, FRAME_DEPTH, BYTES_MAX);
        let mut arrived = 0;
        while arrived < end {
            prop_assert_eq!(scanner.scan(&bytes[..arrived]), Ok(None), "at {}", arrived);
            prop_assert!(scanner.least_bytes() <= end);
            arrived = (arrived + step).min(end);
        }
        prop_assert_eq!(scanner.scan(&bytes), Ok(Some(end)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), values in 0u64..6) {
        let scanned = scan_whole(&bytes, values);
        // A reader that can take so many values ends where the scanner says.
        let mut reader = Reader::new(&bytes);
        if (0..values).all(|_| take(&mut reader).is_ok()) {
            prop_assert_eq!(scanned, Ok(Some(bytes.len() - reader.rest().len())));
        }
        let mut reader = Reader::new(&bytes);
        let raw = reader.raw(4).map(<[u8]>::len);
        if raw.is_err() {
            prop_assert_eq!(reader.rest().len(), bytes.len());
        }
    }
}

#[test]
fn a_byte_is_walked_over_once_however_small_the_pieces() {
    // An array of a hundred thousand integers, a byte at a time: work that grew with the square would take minutes.
    let mut bytes = Vec::new();
    write::array(&mut bytes, 100_000);
    bytes.resize(bytes.len() + 100_000, 0x01);
    let mut scanner = Scanner::new(1, FRAME_DEPTH, BYTES_MAX);
    for arrived in 0..bytes.len() {
        assert_eq!(scanner.scan(&bytes[..arrived]), Ok(None));
        // Only a head that has not arrived whole is left to look at again.
        assert!(arrived - scanner.least_bytes() < 9);
    }
    assert_eq!(scanner.scan(&bytes), Ok(Some(bytes.len())));
}

#[test]
fn lies_in_lengths_are_refused_at_their_head() {
    for lie in [
        // 8-byte lengths of bytes, text, array and map, none of whose content came.
        &[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF][..],
        &[0x7B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x9B, 0, 0, 0, 1, 0, 0, 0, 0],
        &[0xBB, 0x80, 0, 0, 0, 0, 0, 0, 0],
        // A 4 GiB string.
        &[0x5A, 0xFF, 0xFF, 0xFF, 0xFF],
    ] {
        assert_eq!(scan_whole(lie, 1), Err(CborError::TooLong), "{lie:x?}");
        assert!(take(&mut Reader::new(lie)).is_err());
    }
}

#[test]
fn many_small_lies_are_refused_when_they_add_up() {
    let mut bytes = Vec::new();
    write::array(&mut bytes, 3);
    write::bytes(&mut bytes, &[0; 60]);
    write::bytes(&mut bytes, &[0; 60]);
    let mut scanner = Scanner::new(1, FRAME_DEPTH, 100);
    assert_eq!(scanner.scan(&bytes), Err(CborError::TooLong));
}

#[test]
fn depth_is_bounded_in_every_form() {
    for opening in [&[0x81][..], &[0x9F], &[0xC1], &[0xA1, 0x00], &[0xBF, 0x00]] {
        let mut deep = opening.repeat(FRAME_DEPTH);
        assert_eq!(scan_whole(&deep, 1), Ok(None), "{opening:x?}");
        deep.extend_from_slice(opening);
        assert_eq!(scan_whole(&deep, 1), Err(CborError::TooDeep), "{opening:x?}");
    }
}

#[test]
fn reserved_heads_and_stray_breaks_are_malformed() {
    for bad in [
        &[0x1C][..],
        &[0x5F, 0x41, 0x00, 0xFF],
        &[0x7F, 0xFF],
        &[0xDF, 0x00],
        &[0xFF],
        &[0x82, 0x00, 0xFF],
        &[0xBF, 0x00, 0xFF],
    ] {
        assert_eq!(scan_whole(bad, 1), Err(CborError::Malformed), "{bad:x?}");
    }
}

#[test]
fn a_failed_read_leaves_the_place_untouched() {
    let bytes = [0x62, 0xFF, 0xFE];
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.text(), Err(CborError::NotUtf8));
    assert!(matches!(reader.bytes(), Err(CborError::Unexpected { wanted: "bytes", found: "a text" })));
    assert_eq!(Reader::new(&bytes[..2]).text(), Err(CborError::Ends));
    assert_eq!(reader.rest(), bytes);
    assert_eq!(Reader::new(&[0x39, 0x01, 0x00]).int_as::<u8>(), Err(CborError::OutOfRange));
}
