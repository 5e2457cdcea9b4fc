//! Items: the decoded tree, the canonical encoded form that is stored and cached, and canonical keys.

pub mod encoded;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::value::AttributeValue;
pub use encoded::EncodedItem;

/// Attributes by name. Also the shape of a key, where it holds the key attributes only.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Item(pub BTreeMap<String, AttributeValue>);

impl Item {
    /// An item without attributes.
    pub fn new() -> Item {
        Item::default()
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.get(name)
    }

    /// The same item with one attribute set.
    pub fn with(mut self, name: impl Into<String>, value: AttributeValue) -> Item {
        self.0.insert(name.into(), value);
        self
    }
}

/// An item on its way up, in whichever form it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    /// Decoded.
    Tree(Arc<Item>),
    /// As stored; whole, nothing projected away.
    Encoded(EncodedItem),
}

/// A primary key in canonical form: equal keys have equal bytes, and within a partition bytes sort as sort keys do.
///
/// Shape: the partition key value, then the sort key value if the table has one, each in the form of
/// [`crate::value::order`]. Unit: bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyBytes {
    bytes: Bytes,
    partition_bytes: u32,
}

impl KeyBytes {
    /// Joins a partition value and a sort value, both already in order-preserving form.
    pub fn new(partition: &[u8], sort: Option<&[u8]>) -> KeyBytes {
        let mut bytes = Vec::with_capacity(partition.len() + sort.map_or(0, <[u8]>::len));
        bytes.extend_from_slice(partition);
        bytes.extend_from_slice(sort.unwrap_or_default());
        KeyBytes { bytes: bytes.into(), partition_bytes: partition.len() as u32 }
    }

    /// Both parts, one after the other.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The partition value.
    pub fn partition(&self) -> Bytes {
        self.bytes.slice(..self.partition_bytes as usize)
    }

    /// The sort value; empty where the table has no sort key.
    pub fn sort(&self) -> Bytes {
        self.bytes.slice(self.partition_bytes as usize..)
    }
}
