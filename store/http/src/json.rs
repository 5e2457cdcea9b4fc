//! JSON as the wire needs it: a bounded reader that borrows from the body, and a writer of bytes.
//!
//! Deliberately no tree of values: a request is read straight into the fields its operation knows, an answer is written
//! straight from what the store found. Invariants: the reader never recurses by itself, follows nesting only to
//! [`read::DEPTH_MAX`], and refuses whatever is not JSON with the service's `SerializationException`.

pub mod read;
pub mod write;

pub use read::{Kind, Reader};
pub use write::{Array, Object};

/// How many bytes at the front of a text stand for themselves in a JSON string: up to the first quote, backslash or
/// control character. Bytes from 0x80 up belong to characters and are plain.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    // Eight bytes at a time. A borrow can mark a byte too many behind one that is rightly marked, never before it.
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let special =
            control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    at + bytes[at..].iter().position(special).unwrap_or(bytes.len() - at)
}
