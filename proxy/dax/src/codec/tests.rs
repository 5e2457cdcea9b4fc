//! Whole frames: what a client writes a server reads, and the other way round.

use std::fmt::Write;

mod bad_input;
pub(crate) mod corpus;
mod fuzz;
pub(crate) mod mutation;
pub(crate) mod round_trip;
mod select_all;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    assert!(digits.len().is_multiple_of(2), "{text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
