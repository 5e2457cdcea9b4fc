//! Judges whether bytes are the canonical form of an item, in one walk and without allocating.

use super::reader::Cursor;
use super::{FORMAT, MAX_DEPTH, tag};
use crate::value::Number;
use crate::value::size::{DOCUMENT_BYTES, ELEMENT_BYTES, number_bytes};

/// `Some` if these are just the bytes that encoding some item gives.
pub(super) fn whole(bytes: &[u8]) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    if cursor.byte()? != FORMAT {
        return None;
    }
    let billed = cursor.length()?;
    let count = cursor.length()?;
    let size = attributes(count, cursor, 0)?;
    (size == billed).then_some(())
}

/// Checks named values up to the end of the bytes. Answers with their billed size.
fn attributes(count: usize, mut cursor: Cursor<'_>, depth: usize) -> Option<usize> {
    let mut size = 0;
    let mut before: Option<&[u8]> = None;
    for _ in 0..count {
        let name = cursor.text()?.as_bytes();
        if before.is_some_and(|before| before >= name) {
            return None;
        }
        before = Some(name);
        size += name.len() + value(&mut cursor, depth)?;
    }
    cursor.is_empty().then_some(size)
}

/// Checks a value. Answers with its billed size.
fn value(cursor: &mut Cursor<'_>, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match cursor.byte()? {
        tag::S => cursor.text()?.len(),
        tag::N => number_bytes(&number(cursor)?),
        tag::B => cursor.bytes()?.len(),
        tag::TRUE | tag::FALSE | tag::NULL => 1,
        tag::M => {
            let (count, body) = cursor.elements()?;
            let content = attributes(count, body, depth + 1)?;
            DOCUMENT_BYTES + ELEMENT_BYTES * count + content
        }
        tag::L => {
            let (count, mut body) = cursor.elements()?;
            let mut size = DOCUMENT_BYTES;
            for _ in 0..count {
                size += ELEMENT_BYTES + value(&mut body, depth + 1)?;
            }
            body.is_empty().then_some(size)?
        }
        tag::SS => set(cursor, Cursor::text, |text| text.len())?,
        tag::NS => set(cursor, number, number_bytes)?,
        tag::BS => set(cursor, Cursor::bytes, |bytes| bytes.len())?,
        _ => return None,
    })
}

/// A number in its canonical parts. [`Cursor::number`] would also read parts that have to be made so first.
fn number(cursor: &mut Cursor<'_>) -> Option<Number> {
    let mut parts = *cursor;
    let number = cursor.number()?;
    let exponent = i128::from(number.exponent());
    let zigzag = ((exponent << 1) ^ (exponent >> 127)) as u128;
    (parts.varint()? == zigzag).then_some(number)
}

fn set<'a, T: Ord>(
    cursor: &mut Cursor<'a>,
    read: impl Fn(&mut Cursor<'a>) -> Option<T>,
    billed: impl Fn(&T) -> usize,
) -> Option<usize> {
    let (count, mut body) = cursor.elements()?;
    let mut size = 0;
    let mut before: Option<T> = None;
    for _ in 0..count {
        let element = read(&mut body)?;
        if before.as_ref().is_some_and(|before| *before >= element) {
            return None;
        }
        size += billed(&element);
        before = Some(element);
    }
    (count > 0 && body.is_empty()).then_some(size)
}
