//! Reads values from a borrowed slice, one call a value.

use super::{CborError, Head, Scanner, major, simple};

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of either sign.
    Int,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A tag and the value it marks.
    Tag,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// A double.
    Double,
    /// The end of an indefinite array or map.
    Break,
    /// Something this wire has no use for.
    Other,
}

impl Kind {
    const fn of(head: Head) -> Kind {
        match head.major {
            major::UNSIGNED | major::NEGATIVE => Kind::Int,
            major::BYTES => Kind::Bytes,
            major::TEXT => Kind::Text,
            major::ARRAY => Kind::Array,
            major::MAP => Kind::Map,
            major::TAG => Kind::Tag,
            _ => match head.info {
                simple::FALSE | simple::TRUE => Kind::Bool,
                simple::NULL => Kind::Null,
                simple::DOUBLE => Kind::Double,
                super::INDEFINITE => Kind::Break,
                _ => Kind::Other,
            },
        }
    }

    /// The kind in words, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Int => "an integer",
            Kind::Bytes => "bytes",
            Kind::Text => "a text",
            Kind::Array => "an array",
            Kind::Map => "a map",
            Kind::Tag => "a tag",
            Kind::Bool => "a boolean",
            Kind::Null => "null",
            Kind::Double => "a double",
            Kind::Break => "a break",
            Kind::Other => "another simple value",
        }
    }
}

/// How many elements of an array, or entries of a map, are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements {
    /// `None` until the break.
    left: Option<u64>,
}

impl Elements {
    /// Whether another element, or entry, follows; steps over the break where that is what follows. Errors: the bytes end.
    pub fn more(&mut self, reader: &mut Reader<'_>) -> Result<bool, CborError> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if reader.kind()? == Kind::Break => {
                reader.rest = &reader.rest[1..];
                self.left = Some(0);
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// The count the head said; `None` where it said none.
    pub const fn announced(&self) -> Option<u64> {
        self.left
    }

    /// Room worth making before they are read: never more than what there are bytes for.
    pub fn room(&self, reader: &Reader<'_>) -> usize {
        let announced = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
        announced.min(reader.rest.len())
    }
}

/// A place in bytes. Each call takes one value, or its head, and leaves the place untouched where it fails.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether all was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Says that nothing more may follow. Errors: `Trailing` where something does.
    pub const fn end(&self) -> Result<(), CborError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    /// What comes next. Errors: nothing does, or it begins malformed.
    pub fn kind(&self) -> Result<Kind, CborError> {
        Ok(Kind::of(Head::read(self.rest)?))
    }

    #[inline]
    fn take(&mut self, wanted: Kind) -> Result<Head, CborError> {
        let head = Head::read(self.rest)?;
        let found = Kind::of(head);
        if found != wanted {
            return Err(CborError::Unexpected { wanted: wanted.name(), found: found.name() });
        }
        self.rest = &self.rest[head.bytes..];
        Ok(head)
    }

    /// An integer, -2^64 to 2^64 - 1.
    pub fn int(&mut self) -> Result<i128, CborError> {
        let head = self.take(Kind::Int)?;
        let magnitude = i128::from(head.argument);
        Ok(if head.major == major::NEGATIVE { -1 - magnitude } else { magnitude })
    }

    /// An integer that fits `T`. Errors: also `OutOfRange`.
    pub fn int_as<T: TryFrom<i128>>(&mut self) -> Result<T, CborError> {
        let before = *self;
        T::try_from(self.int()?).map_err(|_| {
            *self = before;
            CborError::OutOfRange
        })
    }

    fn string(&mut self, kind: Kind) -> Result<&'a [u8], CborError> {
        let before = *self;
        let head = self.take(kind)?;
        let split = usize::try_from(head.argument).ok().and_then(|length| self.rest.split_at_checked(length));
        match split {
            Some((string, rest)) => {
                self.rest = rest;
                Ok(string)
            }
            None => {
                *self = before;
                Err(CborError::Ends)
            }
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        self.string(Kind::Bytes)
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let before = *self;
        let bytes = self.string(Kind::Text)?;
        std::str::from_utf8(bytes).map_err(|_| {
            *self = before;
            CborError::NotUtf8
        })
    }

    /// The head of an array.
    pub fn array(&mut self) -> Result<Elements, CborError> {
        let head = self.take(Kind::Array)?;
        Ok(Elements { left: (!head.is_indefinite()).then_some(head.argument) })
    }

    /// The head of a map; what it counts are entries, each a key and a value.
    pub fn map(&mut self) -> Result<Elements, CborError> {
        let head = self.take(Kind::Map)?;
        Ok(Elements { left: (!head.is_indefinite()).then_some(head.argument) })
    }

    /// The number of a tag; the value it marks follows.
    pub fn tag(&mut self) -> Result<u64, CborError> {
        Ok(self.take(Kind::Tag)?.argument)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool, CborError> {
        Ok(self.take(Kind::Bool)?.info == simple::TRUE)
    }

    /// A double.
    pub fn double(&mut self) -> Result<f64, CborError> {
        Ok(f64::from_bits(self.take(Kind::Double)?.argument))
    }

    /// Takes a null if one comes next.
    pub fn null(&mut self) -> Result<bool, CborError> {
        let null = self.kind()? == Kind::Null;
        if null {
            self.rest = &self.rest[1..];
        }
        Ok(null)
    }

    /// Steps over a value of at most `depth` levels and gives its bytes. Errors: as of a frame.
    pub fn raw(&mut self, depth: usize) -> Result<&'a [u8], CborError> {
        let mut scanner = Scanner::new(1, depth, self.rest.len());
        let end = scanner.scan(self.rest)?.ok_or(CborError::Ends)?;
        let (value, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(value)
    }
}
