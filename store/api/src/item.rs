//! Items: the decoded tree, the canonical encoded form that is stored and cached, and canonical keys.

pub mod encoded;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Error;
use crate::limits::{ITEM_BYTES, NESTING_LEVELS};
use crate::operation::Ready;
use crate::value::AttributeValue;
use crate::value::size::item_bytes;
pub use encoded::{EncodedItem, NotAnItem, ValueRef};

/// Attributes by name. Also the shape of a key, where it holds the key attributes only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
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

    /// Size as billed. Unit: bytes.
    pub fn billed_size(&self) -> usize {
        item_bytes(self)
    }

    /// Levels of its deepest attribute, the attribute itself counted: 1 for scalars and sets, 0 without attributes.
    pub fn nesting(&self) -> usize {
        self.0.values().map(|value| 1 + value.nesting()).max().unwrap_or(0)
    }

    /// Refuses an item that is larger than may be stored. Errors: the service's message for an item to be put.
    pub fn check_size(&self) -> Result<(), Error> {
        if self.billed_size() > ITEM_BYTES {
            return Err(Error::validation("Item size has exceeded the maximum allowed size"));
        }
        Ok(())
    }

    /// Refuses an item that an update made larger than may be stored. Errors: the service's message for an update.
    pub fn check_updated_size(&self) -> Result<(), Error> {
        if self.billed_size() > ITEM_BYTES {
            return Err(Error::validation("Item size to update has exceeded the maximum allowed size"));
        }
        Ok(())
    }

    /// Refuses an item with a document nested deeper than may be stored: the innermost value stands at level 32 at most.
    pub fn check_nesting(&self) -> Result<(), Error> {
        if self.nesting() > NESTING_LEVELS {
            return Err(Error::validation(
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond \
                 supported limit",
            ));
        }
        Ok(())
    }
}

/// An item on its way up, in whichever form it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    /// Decoded.
    Tree(Arc<Item>),
    /// As stored; whole, nothing projected away.
    Encoded(EncodedItem),
    /// As stored, and beside it what lies ready of it. On the heap, since all answers would be as large otherwise.
    Ready(Box<ReadyItem>),
}

/// A whole item of which the answer to a GetItem, and nothing else, lies ready in the wire form that was asked for. A front that
/// writes that form takes the item out of the answer; all others take it as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyItem {
    /// Its key alone, so that who needs that has not to look for it in the item.
    pub key: Item,
    /// The item.
    pub item: EncodedItem,
    /// The answer.
    pub answer: Ready,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Item {
        let leaf = AttributeValue::S("leaf".into());
        let wrap = |inner, _| AttributeValue::M(BTreeMap::from([("n".to_owned(), inner)]));
        Item::new().with("data", (0..levels).fold(leaf, wrap))
    }

    #[test]
    fn the_innermost_value_stands_at_level_32_at_most() {
        assert_eq!(nested(31).check_nesting(), Ok(()));
        assert!(nested(32).check_nesting().unwrap_err().message.starts_with("Nesting Levels have exceeded"));
    }

    #[test]
    fn an_item_of_400_kib_fits_and_no_byte_more() {
        let item = |bytes| Item::new().with("a", AttributeValue::S("x".repeat(bytes)));
        assert_eq!(item(ITEM_BYTES - 1).check_size(), Ok(()));
        assert_eq!(
            item(ITEM_BYTES).check_size().unwrap_err().message,
            "Item size has exceeded the maximum allowed size"
        );
        assert!(item(ITEM_BYTES).check_updated_size().is_err());
    }
}
