//! An idempotency token of TransactWriteItems.
//!
//! Two records. By token: key `0x30`, token (UTF-8, 1 to 36 characters); value format (u8, now 1), log time of the first
//! request (u64, milliseconds), hash of that request (u128), its result (the rest; postcard's form of what a repetition
//! is answered with). By time: key `0x31`, log time (u64), token; value empty. Written by apply in the batch of the
//! transaction, removed by apply once the window has passed in log time; correctness depends on both.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// A token that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Log time of the request that used it first, milliseconds.
    pub at_millis: u64,
    /// Hash of that request; see [`request_hash`].
    pub request_hash: u128,
    /// What a repetition is answered with.
    pub result: Bytes,
}

impl Token {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(25 + self.result.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.at_millis.to_be_bytes());
        bytes.extend_from_slice(&self.request_hash.to_be_bytes());
        bytes.extend_from_slice(&self.result);
        bytes.into()
    }

    /// The record of a value.
    pub fn decode(value: &Bytes) -> Result<Token, Malformed> {
        let mut reader = Reader::new(Kind::Token, value);
        reader.format(FORMAT)?;
        let at_millis = reader.u64()?;
        let request_hash = u128::from_be_bytes(reader.array()?);
        Ok(Token { at_millis, request_hash, result: value.slice_ref(reader.rest()) })
    }
}

/// The key of the record by token.
pub fn key(token: &str) -> Vec<u8> {
    let mut key = vec![Kind::Token as u8];
    key.extend_from_slice(token.as_bytes());
    key
}

/// Where the records by time begin.
pub const TIME_PREFIX: [u8; 1] = [Kind::TokenTime as u8];

/// The key of the record by time; without a token, where those of that time begin.
pub fn time_key(at_millis: u64, token: &str) -> Vec<u8> {
    let mut key = super::id_key(Kind::TokenTime, at_millis).to_vec();
    key.extend_from_slice(token.as_bytes());
    key
}

/// The log time of a key by time, milliseconds.
pub fn millis_of_time_key(key: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::TokenTime, key);
    reader.u8()?;
    reader.u64()
}

/// The token of a key by time.
pub fn token_of_time_key(key: &[u8]) -> Result<&str, Malformed> {
    let mut reader = Reader::new(Kind::TokenTime, key);
    reader.u8()?;
    reader.u64()?;
    std::str::from_utf8(reader.rest()).map_err(|_| reader.malformed("the token is no text"))
}

/// The hash that tells whether a repeated token came with the same request: xxh3-128 of its canonical bytes. Kept on
/// disk: fixed for ever.
pub fn request_hash(canonical: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(canonical)
}

#[cfg(test)]
mod tests {
    use super::{Token, millis_of_time_key, time_key, token_of_time_key};
    use bytes::Bytes;

    #[test]
    fn a_token_round_trips() {
        let token =
            Token { at_millis: 99, request_hash: u128::MAX - 5, result: Bytes::from_static(b"result") };
        assert_eq!(Token::decode(&token.encode()), Ok(token));
        assert!(Token::decode(&Bytes::from_static(b"\x01")).is_err());
        assert_eq!(token_of_time_key(&time_key(7, "abc")), Ok("abc"));
        assert_eq!(millis_of_time_key(&time_key(7, "abc")), Ok(7));
    }
}
