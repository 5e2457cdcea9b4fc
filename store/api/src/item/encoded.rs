//! The canonical encoded form of an item.

use bytes::Bytes;

/// A whole item in canonical form: equal items have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EncodedItem(Bytes);
