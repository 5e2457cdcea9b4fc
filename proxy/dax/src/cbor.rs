//! CBOR (RFC 8949) as the DAX wire uses it: a reader over a borrowed slice, a writer into a byte vector, and a scanner that
//! finds where a frame ends while its bytes still arrive.
//!
//! Strings are definite, floats are double; arrays and maps may be indefinite. It knows nothing of DynamoDB.
//!
//! Invariants: nothing here panics, whatever the bytes; nothing recurses; no memory is taken on the word of a length or a
//! count, only for bytes that came; a byte is scanned once, however small the pieces it came in.

pub mod read;
pub mod scan;
pub mod write;

#[cfg(test)]
mod tests;

pub use read::{Elements, Kind, Reader};
pub use scan::Scanner;

/// Deepest nesting of a frame, tags counted. An item may nest 32 levels; options, sets and decimal fractions add a few.
/// Unit: levels.
pub const FRAME_DEPTH: usize = 64;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end in the middle of a value.
    #[error("the bytes end in the middle of a value")]
    Ends,
    /// Another type of value stands there.
    #[error("expected {wanted}, found {found}")]
    Unexpected {
        /// What belongs there.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A head that the format reserves, a string in pieces, or a break where none belongs.
    #[error("a value begins in a way that is not allowed here")]
    Malformed,
    /// More levels than are allowed.
    #[error("values are nested too deeply")]
    TooDeep,
    /// A length or count beyond what the whole may have.
    #[error("a length is larger than the whole may be")]
    TooLong,
    /// A number outside of the range it is read into.
    #[error("a number is out of range")]
    OutOfRange,
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// Bytes behind the last value.
    #[error("bytes follow where the last value ended")]
    Trailing,
}

/// Major types, as the first three bits of a head say them.
pub(crate) mod major {
    pub const UNSIGNED: u8 = 0;
    pub const NEGATIVE: u8 = 1;
    pub const BYTES: u8 = 2;
    pub const TEXT: u8 = 3;
    pub const ARRAY: u8 = 4;
    pub const MAP: u8 = 5;
    pub const TAG: u8 = 6;
    pub const SIMPLE: u8 = 7;
}

/// Simple values and floats, the last five bits of a head of major type 7.
pub(crate) mod simple {
    pub const FALSE: u8 = 20;
    pub const TRUE: u8 = 21;
    pub const NULL: u8 = 22;
    pub const DOUBLE: u8 = 27;
}

/// The last five bits of a head without a length.
pub(crate) const INDEFINITE: u8 = 31;

/// The first byte or bytes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub major: u8,
    pub info: u8,
    /// The number the head carries; 0 where it is indefinite.
    pub argument: u64,
    /// How long the head is. Unit: bytes, 1 to 9.
    pub bytes: usize,
}

impl Head {
    /// Reads a head. Errors: `Ends` where it is not all there, `Malformed` for the reserved forms.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<Head, CborError> {
        let (&first, rest) = bytes.split_first().ok_or(CborError::Ends)?;
        let (major, info) = (first >> 5, first & 31);
        if info < 24 {
            return Ok(Head { major, info, argument: u64::from(info), bytes: 1 });
        }
        let argument = match info {
            24 => rest.first().map(|byte| (u64::from(*byte), 2)),
            25 => rest.first_chunk().map(|bytes| (u64::from(u16::from_be_bytes(*bytes)), 3)),
            26 => rest.first_chunk().map(|bytes| (u64::from(u32::from_be_bytes(*bytes)), 5)),
            27 => rest.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 9)),
            INDEFINITE => match major {
                major::ARRAY | major::MAP | major::SIMPLE => Some((0, 1)),
                _ => return Err(CborError::Malformed),
            },
            _ => return Err(CborError::Malformed),
        };
        let (argument, bytes) = argument.ok_or(CborError::Ends)?;
        Ok(Head { major, info, argument, bytes })
    }

    /// Whether this is the break that ends an indefinite array or map.
    pub const fn is_break(self) -> bool {
        self.major == major::SIMPLE && self.info == INDEFINITE
    }

    pub const fn is_indefinite(self) -> bool {
        self.info == INDEFINITE
    }
}
