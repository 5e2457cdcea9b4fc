//! Reads the encoded form without allocating. Total on any bytes: what is malformed ends the reading.

use bytes::Bytes;

use super::{FORMAT, tag};
use crate::value::{AttributeValue, Number, ValueType};

/// A place in encoded bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A varint in its shortest form.
    pub(super) fn varint(&mut self) -> Option<u128> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u128::from(first));
        }
        let mut value = u128::from(first & 0x7F);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7F);
            if shift > 126 || (shift == 126 && bits > 3) {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return (byte != 0).then_some(value);
            }
            shift += 7;
        }
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn zigzag(&mut self) -> Option<i128> {
        let value = self.varint()?;
        Some((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    pub(super) fn number(&mut self) -> Option<Number> {
        let exponent = i32::try_from(self.zigzag()?).ok()?;
        Number::from_parts(self.zigzag()?, exponent).ok()
    }

    /// The body of a map, list or set, and how many elements it says it has.
    pub(super) fn elements(&mut self) -> Option<(usize, Cursor<'a>)> {
        let mut body = Cursor(self.bytes()?);
        Some((body.length()?, body))
    }

    pub(super) fn value(&mut self) -> Option<ValueRef<'a>> {
        Some(match self.byte()? {
            tag::S => ValueRef::S(self.text()?),
            tag::N => ValueRef::N(self.number()?),
            tag::B => ValueRef::B(self.bytes()?),
            tag::TRUE => ValueRef::Bool(true),
            tag::FALSE => ValueRef::Bool(false),
            tag::NULL => ValueRef::Null,
            tag::M => ValueRef::M(Attributes::of(self.elements()?)),
            tag::L => ValueRef::L(ListValues::of(self.elements()?)),
            tag::SS => ValueRef::Ss(StringSet::of(self.elements()?)),
            tag::NS => ValueRef::Ns(NumberSet::of(self.elements()?)),
            tag::BS => ValueRef::Bs(BinarySet::of(self.elements()?)),
            _ => return None,
        })
    }

    /// Steps over a value without looking into it.
    fn skip_value(&mut self) -> Option<()> {
        match self.byte()? {
            tag::N => {
                self.varint()?;
                self.varint()?;
            }
            tag::TRUE | tag::FALSE | tag::NULL => {}
            tag::S | tag::B | tag::M | tag::L | tag::SS | tag::NS | tag::BS => {
                self.bytes()?;
            }
            _ => return None,
        }
        Some(())
    }
}

/// The attributes of an encoded item.
pub(super) fn attributes(bytes: &[u8]) -> Option<Attributes<'_>> {
    let mut cursor = Cursor(bytes);
    if cursor.byte()? != FORMAT {
        return None;
    }
    cursor.varint()?;
    Some(Attributes { count: cursor.length()?, cursor })
}

/// The value of one attribute of an encoded item.
pub(super) fn find<'a>(bytes: &'a [u8], name: &str) -> Option<ValueRef<'a>> {
    attributes(bytes)?.find_value(name)
}

macro_rules! runs {
    ($($(#[$doc:meta])* $name:ident, $item:ty, $read:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name<'a> {
            count: usize,
            cursor: Cursor<'a>,
        }

        impl<'a> $name<'a> {
            fn of((count, cursor): (usize, Cursor<'a>)) -> $name<'a> {
                $name { count, cursor }
            }
        }

        impl<'a> Iterator for $name<'a> {
            type Item = $item;

            fn next(&mut self) -> Option<$item> {
                self.count = self.count.checked_sub(1)?;
                let read: fn(&mut Cursor<'a>) -> Option<$item> = $read;
                let element = read(&mut self.cursor);
                if element.is_none() {
                    self.count = 0;
                }
                element
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.count, Some(self.count))
            }
        }

        impl ExactSizeIterator for $name<'_> {}
    )* };
}

runs! {
    /// The attributes of an item, or the entries of a map, in order of their names. Its length is exact.
    Attributes, (&'a str, ValueRef<'a>), |cursor| Some((cursor.text()?, cursor.value()?));
    /// The values of a list, in order. Its length is exact.
    ListValues, ValueRef<'a>, |cursor| cursor.value();
    /// The elements of a string set, in order of their bytes. Its length is exact.
    StringSet, &'a str, |cursor| cursor.text();
    /// The elements of a number set, in numeric order. Its length is exact.
    NumberSet, Number, |cursor| cursor.number();
    /// The elements of a binary set, in order of their bytes. Its length is exact.
    BinarySet, &'a [u8], |cursor| cursor.bytes();
}

impl<'a> Attributes<'a> {
    /// The value under a name, if it is still ahead. Steps over the others unread.
    pub fn find_value(mut self, name: &str) -> Option<ValueRef<'a>> {
        while self.count > 0 {
            self.count -= 1;
            match self.cursor.bytes()?.cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => self.cursor.skip_value()?,
                std::cmp::Ordering::Equal => return self.cursor.value(),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }
}

/// A value, borrowed from an encoded item.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// String.
    S(&'a str),
    /// Number.
    N(Number),
    /// Binary.
    B(&'a [u8]),
    /// Boolean.
    Bool(bool),
    /// The null value.
    Null,
    /// Map.
    M(Attributes<'a>),
    /// List.
    L(ListValues<'a>),
    /// Set of strings.
    Ss(StringSet<'a>),
    /// Set of numbers.
    Ns(NumberSet<'a>),
    /// Set of binaries.
    Bs(BinarySet<'a>),
}

impl ValueRef<'_> {
    /// The value's type.
    pub const fn value_type(&self) -> ValueType {
        match self {
            ValueRef::S(_) => ValueType::S,
            ValueRef::N(_) => ValueType::N,
            ValueRef::B(_) => ValueType::B,
            ValueRef::Bool(_) => ValueType::Bool,
            ValueRef::Null => ValueType::Null,
            ValueRef::M(_) => ValueType::M,
            ValueRef::L(_) => ValueType::L,
            ValueRef::Ss(_) => ValueType::Ss,
            ValueRef::Ns(_) => ValueType::Ns,
            ValueRef::Bs(_) => ValueType::Bs,
        }
    }

    /// The decoded value.
    pub fn to_value(self) -> AttributeValue {
        match self {
            ValueRef::S(text) => AttributeValue::S(text.to_owned()),
            ValueRef::N(number) => AttributeValue::N(number),
            ValueRef::B(bytes) => AttributeValue::B(Bytes::copy_from_slice(bytes)),
            ValueRef::Bool(value) => AttributeValue::Bool(value),
            ValueRef::Null => AttributeValue::Null,
            ValueRef::M(map) => {
                AttributeValue::M(map.map(|(name, value)| (name.to_owned(), value.to_value())).collect())
            }
            ValueRef::L(list) => AttributeValue::L(list.map(ValueRef::to_value).collect()),
            ValueRef::Ss(set) => AttributeValue::Ss(set.map(str::to_owned).collect()),
            ValueRef::Ns(set) => AttributeValue::Ns(set.collect()),
            ValueRef::Bs(set) => AttributeValue::Bs(set.map(Bytes::copy_from_slice).collect()),
        }
    }
}
