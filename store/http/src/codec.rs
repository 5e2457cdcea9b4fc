//! Requests and answers as AWS JSON 1.0, both ways.
//!
//! A server uses [`decode_request`] and [`encode_response`], a client [`encode_request`] and [`decode_response`]; a cache
//! keeps answers ready with [`encode_item_json`]. What is written is deterministic: fields in one order, attributes in
//! order of their names, so equal values are equal bytes. Requests are decoded without a tree in between and checked by
//! the contract's own checks; this room knows shapes and spellings only, and no rule of any operation.

mod answer;
mod ask;
mod request;
mod response;
mod value;

pub use answer::{decode_response, read_item};
pub use ask::encode_request;
pub use request::decode_request;
pub use response::{encode_item_json, encode_response};

use api::Item;

/// An answer as the bytes this wire sends and their CRC32, for a cache to keep. `None` for one that is ready for another wire.
pub fn ready(response: &api::Response) -> Option<api::operation::Ready> {
    let bytes = encode_response(response).ok()?;
    Some(api::operation::Ready { wire: api::Wire::Json, crc32: crc32fast::hash(&bytes), bytes })
}

/// Appends a decoded item, as answers and errors carry it.
pub fn write_item(item: &Item, out: &mut Vec<u8>) {
    value::write_item(out, item);
}

/// Appends a string with its quotes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    crate::json::write::string(out, text);
}

#[cfg(test)]
mod tests;
