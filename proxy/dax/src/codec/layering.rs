//! What stands around answers. Most clients ask for nothing there: an answer ends where its values do. The Java client of the
//! SDK v2 asks for layering 1, and gathers an answer by the header before it; its requests come without any, as all others'.
//!
//! A header is eight bytes: the length of header and part together, as a signed 32-bit integer, a byte of flags, three of
//! nothing. Flag 1 says that the answer is complete with this part; an answer is sent in one.

/// What a client wants its answers to stand behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layering {
    /// Nothing.
    #[default]
    Plain,
    /// A header that says how long it is.
    Headed,
}

/// Length of a header. Unit: bytes.
pub const HEADER_BYTES: usize = 8;

const COMPLETE: u8 = 1;

impl Layering {
    /// The layering of that number.
    pub const fn from_number(number: i64) -> Option<Layering> {
        match number {
            0 => Some(Layering::Plain),
            1 => Some(Layering::Headed),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        match self {
            Layering::Plain => 0,
            Layering::Headed => 1,
        }
    }
}

/// The header of an answer that is all in one part.
pub fn header(answer_bytes: usize) -> [u8; HEADER_BYTES] {
    let length = i32::try_from(answer_bytes + HEADER_BYTES)
        .expect("an answer holds an item, a page or a batch, all of a few megabytes");
    let [a, b, c, d] = length.to_be_bytes();
    [a, b, c, d, COMPLETE, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_itself_and_says_that_nothing_follows() {
        assert_eq!(header(0), [0, 0, 0, 8, 1, 0, 0, 0]);
        assert_eq!(header(0x0102_0304), [1, 2, 3, 12, 1, 0, 0, 0]);
    }

    #[test]
    fn a_layering_comes_back_by_its_number() {
        for layering in [Layering::Plain, Layering::Headed] {
            assert_eq!(Layering::from_number(i64::try_from(layering.number()).unwrap()), Some(layering));
        }
        assert_eq!((Layering::from_number(2), Layering::from_number(-1)), (None, None));
    }
}
