//! JSON as the wire needs it: a bounded reader that borrows from the body, and a writer of bytes.
//!
//! Deliberately no tree of values: a request is read straight into the fields its operation knows, an answer is written
//! straight from what the store found. Invariants: the reader never recurses by itself, follows nesting only to
//! [`read::DEPTH_MAX`], and refuses whatever is not JSON with the service's `SerializationException`.

pub mod read;
pub mod write;

pub use read::{Kind, Reader};
pub use write::{Array, Object};
