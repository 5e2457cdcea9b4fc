//! An attribute list: ordered names of attributes, and the number that clients of the binary protocol know them by.
//!
//! Key: `0x60`, id (u64). Value: format (u8, now 1), number of names (u32), then for each its length (u16) and its UTF-8
//! bytes. Written by apply when a list is first asked for, and never changed or removed: clients remember an id for as long
//! as they live, so correctness depends on its meaning one thing for ever.
//!
//! No names: this id and those between it and the list before it were left out, and mean nothing for ever. Written where a
//! history was cut (see [`crate::recovery`]).

use std::sync::Arc;

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// Where all of them begin.
pub const PREFIX: [u8; 1] = [Kind::AttributeList as u8];

/// The record's key.
pub fn key(id: u64) -> [u8; 9] {
    super::id_key(Kind::AttributeList, id)
}

/// The id of a record's key.
pub fn id(key: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::AttributeList, key);
    reader.u8()?;
    reader.u64()
}

/// The error for a record that is missing before another.
pub fn out_of_order() -> Malformed {
    Malformed { kind: Kind::AttributeList, reason: "one before it is missing" }
}

/// The record's value. Names are at most 65,535 bytes long, which is the contract's own limit.
pub fn encode(names: &[String]) -> Bytes {
    let mut bytes = Vec::with_capacity(5 + names.iter().map(|name| 2 + name.len()).sum::<usize>());
    bytes.push(FORMAT);
    bytes.extend_from_slice(&(names.len() as u32).to_be_bytes());
    for name in names {
        bytes.extend_from_slice(&(name.len() as u16).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.into()
}

/// The names of a value.
pub fn decode(value: &[u8]) -> Result<Arc<[String]>, Malformed> {
    let mut reader = Reader::new(Kind::AttributeList, value);
    reader.format(FORMAT)?;
    let count = reader.u32()?;
    let mut names = Vec::new();
    for _ in 0..count {
        let length = reader.u16()?;
        let name = reader.take(usize::from(length))?;
        let name = std::str::from_utf8(name).map_err(|_| reader.malformed("a name is not UTF-8"))?;
        names.push(name.to_owned());
    }
    if reader.rest().is_empty() { Ok(names.into()) } else { Err(reader.malformed("it is too long")) }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, id, key};

    #[test]
    fn a_list_round_trips_and_damage_is_told() {
        let long = "n".repeat(usize::from(u16::MAX));
        for names in [vec![], vec!["a"], vec!["b", "a", ""], vec!["größe", &long]] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let value = encode(&names);
            assert_eq!(*decode(&value).unwrap(), *names);
            for cut in 0..value.len().min(64) {
                assert!(decode(&value[..cut]).is_err());
            }
            assert!(decode(&[&value[..], b"x"].concat()).is_err());
        }
        assert!(decode(&[1, 0, 0, 0, 1, 0, 1, 0xff]).is_err());
        assert_eq!(id(&key(7)), Ok(7));
    }
}
